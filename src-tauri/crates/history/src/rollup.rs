use health::{Counts, LatencySketch, Millis, Spent, Status, Timestamp};
use rusqlite::types::{Type, Value};
use rusqlite::{Row, ToSql};

/// The unit of rollups. Every offset from UTC in use is a multiple of it, so
/// calendar days of every time zone are made of whole quarters.
pub(crate) const QUARTER: Millis = 15 * 60_000;

/// When the quarter of an hour of `at` began.
pub(crate) fn quarter(at: Timestamp) -> Timestamp {
    Timestamp(at.0.div_euclid(QUARTER).saturating_mul(QUARTER))
}

/// The quarters that [from, to) spans, each with the time spent in it.
pub(crate) fn split(from: Timestamp, to: Timestamp) -> impl Iterator<Item = (Timestamp, Millis)> {
    let mut at = from;
    std::iter::from_fn(move || {
        let start = quarter(at);
        let end = to.min(start + QUARTER);
        let spent = end.since(at);
        at = end;
        (spent > 0).then_some((start, spent))
    })
}

/// Whole microseconds, at least 0; `None` for what is not a number.
#[allow(clippy::cast_possible_truncation)] // `as` saturates
pub(crate) fn microseconds(ms: Option<f64>) -> Option<i64> {
    ms.filter(|ms| !ms.is_nan()).map(|ms| (ms.max(0.0) * 1000.0).round() as i64)
}

/// What many results of one service come to. Rollups add up.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rollup {
    pub counts: Counts,
    pub spent: Spent,
    /// Sum over all checks that had an answer.
    pub response_ms: f64,
    /// Latencies of checks that did not fail.
    pub good: LatencySketch,
    /// Latencies of failed checks.
    pub failed: LatencySketch,
}

impl Rollup {
    /// The columns [`Rollup::read`] expects and [`Rollup::values`] fills.
    pub const COLUMNS: &str = "healthy, degraded, unhealthy, healthy_ms, degraded_ms, \
                               unhealthy_ms, response_ms, good, failed";

    pub fn count(&mut self, status: Status, response_ms: Option<f64>) {
        self.counts.add(status);
        let Some(ms) = response_ms else { return };
        self.response_ms += ms;
        match status {
            Status::Healthy | Status::Degraded => self.good.add(ms),
            Status::Unhealthy => self.failed.add(ms),
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.counts.merge(other.counts);
        self.spent.merge(other.spent);
        self.response_ms += other.response_ms;
        self.good.merge(&other.good);
        self.failed.merge(&other.failed);
    }

    pub fn all_latencies(&self) -> LatencySketch {
        let mut all = self.good.clone();
        all.merge(&self.failed);
        all
    }

    /// Reads [`Rollup::COLUMNS`], the first of which is column `at`.
    pub fn read(row: &Row, at: usize) -> rusqlite::Result<Self> {
        let count = |column| -> rusqlite::Result<u64> {
            Ok(u64::try_from(row.get::<_, i64>(at + column)?).unwrap_or(0))
        };
        Ok(Self {
            counts: Counts { healthy: count(0)?, degraded: count(1)?, unhealthy: count(2)? },
            spent: Spent {
                healthy: row.get(at + 3)?,
                degraded: row.get(at + 4)?,
                unhealthy: row.get(at + 5)?,
            },
            response_ms: row.get(at + 6)?,
            good: read_sketch(row, at + 7)?,
            failed: read_sketch(row, at + 8)?,
        })
    }

    /// The values of [`Rollup::COLUMNS`].
    pub fn values(&self) -> [Box<dyn ToSql>; 9] {
        let count = |n: u64| Box::new(i64::try_from(n).unwrap_or(i64::MAX));
        [
            count(self.counts.healthy),
            count(self.counts.degraded),
            count(self.counts.unhealthy),
            Box::new(self.spent.healthy),
            Box::new(self.spent.degraded),
            Box::new(self.spent.unhealthy),
            Box::new(self.response_ms),
            Box::new(sketch_value(&self.good)),
            Box::new(sketch_value(&self.failed)),
        ]
    }
}

fn sketch_value(sketch: &LatencySketch) -> Value {
    if sketch.count() == 0 { Value::Null } else { Value::Blob(sketch.to_bytes()) }
}

pub(crate) fn read_sketch(row: &Row, column: usize) -> rusqlite::Result<LatencySketch> {
    match row.get_ref(column)?.as_blob_or_null().map_err(|error| damaged(column, error))? {
        None => Ok(LatencySketch::default()),
        Some(bytes) => LatencySketch::from_bytes(bytes).map_err(|error| damaged(column, error)),
    }
}

/// A value in the database that this app would not have written.
pub(crate) fn damaged(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_split_at_quarters() {
        let parts: Vec<_> = split(Timestamp(QUARTER - 10), Timestamp(2 * QUARTER + 5)).collect();
        let start = |n| Timestamp(n * QUARTER);
        assert_eq!(parts, [(start(0), 10), (start(1), QUARTER), (start(2), 5)]);
        assert_eq!(split(Timestamp(5), Timestamp(5)).count(), 0);
        assert_eq!(split(Timestamp(5), Timestamp(1)).count(), 0);
    }
}
