use health::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// What the values of one series come to over a stretch of time. Tallies add up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tally {
    count: i64,
    sum: f64,
    min: f64,
    max: f64,
}

impl Tally {
    /// The columns [`Tally::read`] expects.
    pub const COLUMNS: &str = "count, sum, min, max";

    /// One value, which is finite.
    pub const fn of(value: f64) -> Self {
        Self { count: 1, sum: value, min: value, max: value }
    }

    /// Both together. A sum beyond all numbers is the largest of them.
    pub fn with(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            sum: (self.sum + other.sum).clamp(f64::MIN, f64::MAX),
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }

    /// Smallest, mean and largest value.
    pub fn figures(self) -> (f64, f64, f64) {
        (self.min, self.sum / self.count.max(1) as f64, self.max)
    }

    /// Reads [`Tally::COLUMNS`], the first of which is column `at`.
    pub fn read(row: &Row, at: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            count: row.get(at)?,
            sum: row.get(at + 1)?,
            min: row.get(at + 2)?,
            max: row.get(at + 3)?,
        })
    }

    /// Adds it to what is in `table` (`measurement_quarters` or
    /// `measurement_days`) at `start`.
    pub fn add_to(
        self,
        conn: &Connection,
        table: &str,
        series: i64,
        start: Timestamp,
    ) -> rusqlite::Result<()> {
        let columns = Self::COLUMNS;
        let there = conn
            .prepare_cached(&format!(
                "SELECT {columns} FROM {table} WHERE series = ?1 AND start = ?2"
            ))?
            .query_row(params![series, start.0], |row| Self::read(row, 0))
            .optional()?;
        let Self { count, sum, min, max } = there.map_or(self, |there| there.with(self));
        conn.prepare_cached(&format!(
            "INSERT OR REPLACE INTO {table} (series, start, {columns})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
        ))?
        .execute(params![series, start.0, count, sum, min, max])
        .map(drop)
    }
}

/// Folds the quarters of every series of a service that began before `end`
/// into the day that began at `start`.
pub(crate) fn fold(
    conn: &Connection,
    service: i64,
    start: Timestamp,
    end: Timestamp,
) -> rusqlite::Result<()> {
    let columns = Tally::COLUMNS;
    let quarters: Vec<(i64, Tally)> = conn
        .prepare_cached(&format!(
            "SELECT series, {columns} FROM measurement_quarters
             WHERE series IN (SELECT key FROM series WHERE service = ?1) AND start < ?2"
        ))?
        .query_map(params![service, end.0], |row| Ok((row.get(0)?, Tally::read(row, 1)?)))?
        .collect::<Result<_, _>>()?;
    for of_series in quarters.chunk_by(|one, other| one.0 == other.0) {
        let day = of_series.iter().map(|(_, tally)| *tally).reduce(Tally::with);
        if let Some(day) = day {
            day.add_to(conn, "measurement_days", of_series[0].0, start)?;
        }
    }
    conn.prepare_cached(
        "DELETE FROM measurement_quarters
         WHERE series IN (SELECT key FROM series WHERE service = ?1) AND start < ?2",
    )?
    .execute(params![service, end.0])
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sum_is_more_than_a_number() {
        let huge = Tally::of(f64::MAX).with(Tally::of(f64::MAX));
        assert_eq!(huge.figures(), (f64::MAX, f64::MAX / 2.0, f64::MAX));
        let both = huge.with(Tally::of(f64::MIN)).with(Tally::of(f64::MIN));
        assert!(both.figures().1.is_finite());
    }
}
