use std::collections::HashMap;

use health::{CheckResult, Measurement, ServiceId, Timestamp};
use rusqlite::{Connection, params};

use super::Batch;
use crate::rollup::quarter;
use crate::tally::Tally;

/// Beyond, what a check measures under new names is ignored.
const SERIES_PER_SERVICE: usize = 32;
const LONGEST_NAME: usize = 100;

/// The series of a service by name.
pub(super) type SeriesKeys = HashMap<String, i64>;

/// The newest value of a series in a batch, without the value.
#[derive(Debug)]
pub(super) struct Newest {
    at: Timestamp,
    unit: String,
    degraded_at: Option<f64>,
    unhealthy_at: Option<f64>,
}

impl Batch<'_> {
    /// Adds what a new result measured.
    ///
    /// 1. What is no finite number is ignored.
    /// 2. Of names that are the same in their first 100 characters the first
    ///    counts.
    /// 3. A service has at most 32 series; what comes under further names is
    ///    ignored, and said once.
    pub(super) fn measure(
        &mut self,
        key: i64,
        id: &ServiceId,
        result: &CheckResult,
    ) -> rusqlite::Result<()> {
        for measurement in result.measurements.iter().filter(|m| m.value.is_finite()) {
            match self.series(key, measurement, result.at)? {
                Some(series) => self.value(series, measurement, result.at)?,
                None => self.warn_of_too_many(key, id),
            }
        }
        Ok(())
    }

    fn value(
        &mut self,
        series: i64,
        measurement: &Measurement,
        at: Timestamp,
    ) -> rusqlite::Result<()> {
        let inserted = self
            .transaction
            .prepare_cached(
                "INSERT OR IGNORE INTO measurements (series, at, value) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![series, at.0, measurement.value])?;
        if inserted == 0 {
            return Ok(());
        }
        let one = Tally::of(measurement.value);
        let tally = self.tallies.entry((series, quarter(at)));
        tally.and_modify(|tally| *tally = tally.with(one)).or_insert(one);
        if self.newest.get(&series).is_none_or(|newest| newest.at < at) {
            self.newest.insert(series, Newest::of(measurement, at));
        }
        Ok(())
    }

    /// The series a measurement belongs to; a new one where there is none yet,
    /// and `None` where there are too many.
    fn series(
        &mut self,
        service: i64,
        measurement: &Measurement,
        at: Timestamp,
    ) -> rusqlite::Result<Option<i64>> {
        let name = shortened(&measurement.name);
        if !self.known.series.contains_key(&service) {
            let keys = read_series(&self.transaction, service)?;
            self.known.series.insert(service, keys);
        }
        let keys = self.known.series.entry(service).or_default();
        if let Some(key) = keys.get(name) {
            return Ok(Some(*key));
        }
        if keys.len() >= SERIES_PER_SERVICE {
            return Ok(None);
        }
        let key = Newest::of(measurement, at).begin(&self.transaction, service, name)?;
        keys.insert(name.to_owned(), key);
        Ok(Some(key))
    }

    fn warn_of_too_many(&mut self, key: i64, id: &ServiceId) {
        if self.warned.insert(key) {
            tracing::warn!(
                service = %id,
                "it measures more than {SERIES_PER_SERVICE} things, the rest is ignored"
            );
        }
    }
}

impl Newest {
    fn of(measurement: &Measurement, at: Timestamp) -> Self {
        let finite = |limit: Option<f64>| limit.filter(|limit| limit.is_finite());
        Self {
            at,
            unit: measurement.unit.clone(),
            degraded_at: finite(measurement.degraded_at),
            unhealthy_at: finite(measurement.unhealthy_at),
        }
    }

    fn begin(&self, conn: &Connection, service: i64, name: &str) -> rusqlite::Result<i64> {
        let Self { at, unit, degraded_at, unhealthy_at } = self;
        conn.prepare_cached(
            "INSERT INTO series (service, name, newest, unit, degraded_at, unhealthy_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING key",
        )?
        .query_row(params![service, name, at.0, unit, degraded_at, unhealthy_at], |row| row.get(0))
    }

    /// Gives the series its unit and limits, unless a newer value has.
    pub fn store(&self, conn: &Connection, series: i64) -> rusqlite::Result<()> {
        let Self { at, unit, degraded_at, unhealthy_at } = self;
        conn.prepare_cached(
            "UPDATE series SET newest = ?2, unit = ?3, degraded_at = ?4, unhealthy_at = ?5
             WHERE key = ?1 AND newest < ?2",
        )?
        .execute(params![series, at.0, unit, degraded_at, unhealthy_at])
        .map(drop)
    }
}

fn read_series(conn: &Connection, service: i64) -> rusqlite::Result<SeriesKeys> {
    conn.prepare_cached("SELECT name, key FROM series WHERE service = ?1")?
        .query_map([service], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn shortened(name: &str) -> &str {
    name.char_indices().nth(LONGEST_NAME).map_or(name, |(end, _)| &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(shortened("/var"), "/var");
        assert_eq!(shortened(&"ä".repeat(100)), "ä".repeat(100));
        assert_eq!(shortened(&"ä".repeat(101)), "ä".repeat(100));
    }
}
