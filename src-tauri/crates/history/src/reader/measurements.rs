use std::collections::BTreeMap;

use health::{Measurement, ServiceId, Timestamp};
use rusqlite::params;
use serde::Serialize;

use super::latency::Buckets;
use super::{Range, ReadError, Reader, next_quarter};
use crate::tally::Tally;

/// What one bucket of a chart was measured at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub struct MeasurementPoint {
    /// When its bucket begins.
    pub at: Timestamp,
    /// Mean of all values.
    pub mean: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

/// A chart of one thing that a check measures: at most 300 points.
#[derive(Debug, Clone, PartialEq, Serialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub struct MeasurementSeries {
    /// What is measured: `/var`, `loss`.
    pub name: String,
    /// Of what, as of the newest value; empty for a plain number.
    pub unit: String,
    /// From where on it is degraded, as of the newest value.
    pub degraded_at: Option<f64>,
    /// From where on it is unhealthy, as of the newest value.
    pub unhealthy_at: Option<f64>,
    /// Oldest first; a bucket without a value has none.
    pub points: Vec<MeasurementPoint>,
}

impl Reader {
    /// The charts of what the checks of a service measured, in the order it
    /// was first seen; nothing of what was not measured in that time. Up to 24
    /// hours they come from single values; beyond, from rollups.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn measurements(
        &self,
        id: &ServiceId,
        range: Range,
        now: Timestamp,
    ) -> Result<Vec<MeasurementSeries>, ReadError> {
        let _moment = self.conn.unchecked_transaction()?;
        let Some(key) = self.key(id)? else {
            return Ok(Vec::new());
        };
        let mut all = Vec::new();
        for (series, empty) in self.series(key)? {
            let points = self.points(series, range, now)?;
            if !points.is_empty() {
                all.push(MeasurementSeries { points, ..empty });
            }
        }
        Ok(all)
    }

    /// What the result of `at` measured, with the limits of now, in the order
    /// it was first seen.
    pub(super) fn measured(&self, key: i64, at: Timestamp) -> Result<Vec<Measurement>, ReadError> {
        let mut select = self.conn.prepare_cached(
            "SELECT name, value, unit, degraded_at, unhealthy_at
             FROM series JOIN measurements ON series = key AND at = ?2
             WHERE service = ?1 ORDER BY key",
        )?;
        let rows = select.query_map(params![key, at.0], |row| {
            Ok(Measurement {
                name: row.get(0)?,
                value: row.get(1)?,
                unit: row.get(2)?,
                degraded_at: row.get(3)?,
                unhealthy_at: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn series(&self, key: i64) -> Result<Vec<(i64, MeasurementSeries)>, ReadError> {
        let mut select = self.conn.prepare_cached(
            "SELECT key, name, unit, degraded_at, unhealthy_at
             FROM series WHERE service = ?1 ORDER BY key",
        )?;
        let rows = select.query_map([key], |row| {
            let series = MeasurementSeries {
                name: row.get(1)?,
                unit: row.get(2)?,
                degraded_at: row.get(3)?,
                unhealthy_at: row.get(4)?,
                points: Vec::new(),
            };
            Ok((row.get(0)?, series))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn points(
        &self,
        series: i64,
        range: Range,
        now: Timestamp,
    ) -> Result<Vec<MeasurementPoint>, ReadError> {
        let buckets = Buckets::new(range, now);
        let (from, to) = (buckets.from, buckets.to);
        let mut sums = BTreeMap::new();
        let mut take = |at, tally| {
            let sum = sums.entry(buckets.of(at)).or_insert(None::<Tally>);
            *sum = Some(sum.map_or(tally, |sum| sum.with(tally)));
        };
        if range.is_of_results() {
            self.values(series, (from, to + 1), &mut take)?;
        } else {
            let period = (next_quarter(from), next_quarter(to + 1));
            self.tallies("measurement_days", series, period, &mut take)?;
            self.tallies("measurement_quarters", series, period, &mut take)?;
        }
        let point = |(at, sum): (Timestamp, Option<Tally>)| {
            let (min, mean, max) = sum?.figures();
            Some(MeasurementPoint { at: at.max(from), mean, min, max })
        };
        Ok(sums.into_iter().filter_map(point).collect())
    }

    /// Hands out every value of [from, to).
    fn values(
        &self,
        series: i64,
        (from, to): (Timestamp, Timestamp),
        take: &mut impl FnMut(Timestamp, Tally),
    ) -> Result<(), ReadError> {
        let mut select = self.conn.prepare_cached(
            "SELECT at, value FROM measurements WHERE series = ?1 AND at >= ?2 AND at < ?3",
        )?;
        let mut rows = select.query(params![series, from.0, to.0])?;
        while let Some(row) = rows.next()? {
            take(Timestamp(row.get(0)?), Tally::of(row.get(1)?));
        }
        Ok(())
    }

    /// Hands out every rollup of `table` that begins in [from, to).
    fn tallies(
        &self,
        table: &str,
        series: i64,
        (from, to): (Timestamp, Timestamp),
        take: &mut impl FnMut(Timestamp, Tally),
    ) -> Result<(), ReadError> {
        let columns = Tally::COLUMNS;
        let mut select = self.conn.prepare_cached(&format!(
            "SELECT start, {columns} FROM {table}
             WHERE series = ?1 AND start >= ?2 AND start < ?3"
        ))?;
        let mut rows = select.query(params![series, from.0, to.0])?;
        while let Some(row) = rows.next()? {
            take(Timestamp(row.get(0)?), Tally::read(row, 1)?);
        }
        Ok(())
    }
}
