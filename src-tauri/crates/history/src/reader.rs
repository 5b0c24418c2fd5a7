use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use health::{
    CheckResult, Hold, Incident, IncidentId, LatencySketch, ServiceId, Status, Timestamp,
};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use crate::ledger::{HOUR, hour, status_of};
use crate::open::{FILE, OpenError, open_readable, with_suffix};
use crate::phases;
use crate::rollup::{QUARTER, Rollup, damaged, quarter, read_sketch, split};
use crate::zone::Zone;

mod latency;
mod measurements;
mod uptime;

pub use latency::{LatencyPoint, LatencySeries, Range, Span, SpanKind};
pub use measurements::{MeasurementPoint, MeasurementSeries};
pub use uptime::{Day, NoData, Period, Uptime, UptimeFigures, UptimeRecord};

/// The history cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the history cannot be read: {0}")]
pub struct ReadError(#[from] rusqlite::Error);

/// One bar of a strip.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub struct Bar {
    /// When the check, or the stretch without checks, began.
    pub at: Timestamp,
    /// null = not observed (asleep, offline).
    pub status: Option<Status>,
    /// Milliseconds; null when nothing answered.
    pub ms: Option<f64>,
}

/// Figures of one service for a table of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub struct Figures {
    /// 95th percentile of the last 24 hours in milliseconds, failed checks left out.
    pub p95_ms: Option<f64>,
    /// Availability by time over the last 30 days, in percent.
    pub availability_30d: Option<f64>,
}

/// Answers questions about the past, on a read-only connection of its own.
/// Every answer is of one moment, whatever is being written meanwhile. A
/// service nobody knows has an empty past.
#[derive(Debug)]
pub struct Reader {
    conn: Connection,
    folder: PathBuf,
}

/// What [`read_result`] expects, of `results` or `slowest` under the name r.
const RESULT: &str = "r.at, status, response_us,
    CASE typeof(message) WHEN 'integer' THEN (SELECT text FROM texts WHERE texts.key = message)
                         ELSE message END,
    CASE typeof(metadata) WHEN 'integer' THEN (SELECT text FROM texts WHERE texts.key = metadata)
                          ELSE metadata END,
    coalesce((SELECT p.phases FROM phases p WHERE p.service = r.service AND p.at = r.at),
             (SELECT s.phases FROM slowest s WHERE s.service = r.service AND s.hour = r.at / ?1
                                               AND s.at = r.at)),
    (SELECT evidence FROM evidence e WHERE e.service = r.service AND e.at = r.at)";

const INCIDENT: &str = "SELECT i.id, s.id, i.started_at, i.detected_at, i.resolved_at,
    i.checks_failed, c.id, i.first_failure, i.last_good
    FROM incidents i JOIN services s ON s.key = i.service LEFT JOIN services c ON c.key = i.caused_by";

impl Reader {
    /// Opens the history of a data folder for questions; where there is none,
    /// the answers are those of an empty one.
    ///
    /// # Errors
    /// When the file is there but cannot be opened.
    pub fn open(data_dir: &Path) -> Result<Self, OpenError> {
        Ok(Self { conn: open_readable(data_dir)?, folder: data_dir.to_owned() })
    }

    /// Every service that has ever been recorded, in order.
    ///
    /// # Errors
    /// When the database cannot be read, as with every question.
    pub fn services(&self) -> Result<Vec<ServiceId>, ReadError> {
        let services = self.keys()?;
        Ok(services.into_iter().map(|(id, _)| id).collect())
    }

    /// The last results of a service, newest first, with the phases and the
    /// evidence that are kept of them; [`Reader::result`] has the measurements
    /// too.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn results(&self, id: &ServiceId, limit: usize) -> Result<Vec<CheckResult>, ReadError> {
        self.select_results(
            "results r WHERE service = (SELECT key FROM services WHERE id = ?2)
             ORDER BY r.at DESC LIMIT ?3",
            params![HOUR, id.as_str(), limit_of(limit)],
        )
    }

    /// The result of a service at one moment with everything that is kept of
    /// it; what it measured comes with the limits of now.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn result(&self, id: &ServiceId, at: Timestamp) -> Result<Option<CheckResult>, ReadError> {
        let _moment = self.conn.unchecked_transaction()?;
        let Some(key) = self.key(id)? else {
            return Ok(None);
        };
        let mut found = self.select_results(
            "results r WHERE service = ?2 AND r.at = ?3",
            params![HOUR, key, at.0],
        )?;
        if found.is_empty() {
            found = self.select_results(
                "slowest r WHERE service = ?2 AND hour = ?3 AND r.at = ?4",
                params![HOUR, key, hour(at), at.0],
            )?;
        }
        let Some(result) = found.pop() else {
            return Ok(None);
        };
        Ok(Some(CheckResult { measurements: self.measured(key, at)?, ..result }))
    }

    /// The slowest result of each hour (UTC) from `since` on, newest first:
    /// those of hours without any response time are missing. They are kept as
    /// long as quarters of an hour, with their phases.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn slowest(&self, id: &ServiceId, since: Timestamp) -> Result<Vec<CheckResult>, ReadError> {
        self.select_results(
            "slowest r WHERE service = (SELECT key FROM services WHERE id = ?2)
             AND hour >= ?3 AND r.at >= ?4 ORDER BY hour DESC",
            params![HOUR, id.as_str(), hour(since), since.0],
        )
    }

    /// The last bars of every service, oldest first. A stretch that no result
    /// speaks for is one bar without a status.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn recent_bars(&self, limit: usize) -> Result<BTreeMap<ServiceId, Vec<Bar>>, ReadError> {
        let _moment = self.conn.unchecked_transaction()?;
        let bars = |(id, key)| Ok((id, self.bars(key, limit)?));
        self.keys()?.into_iter().map(bars).collect()
    }

    /// Figures of every service.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn figures(&self, now: Timestamp) -> Result<BTreeMap<ServiceId, Figures>, ReadError> {
        let _moment = self.conn.unchecked_transaction()?;
        let figures = |(id, key)| Ok((id, self.figures_of(key, now)?));
        self.keys()?.into_iter().map(figures).collect()
    }

    /// Incidents that are not resolved, the first one in front.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn active_incidents(&self) -> Result<Vec<Incident>, ReadError> {
        self.select_incidents("WHERE i.resolved_at IS NULL ORDER BY i.started_at, i.id", [])
    }

    /// Incidents that were active at `since` or later, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn incidents_since(&self, since: Timestamp) -> Result<Vec<Incident>, ReadError> {
        self.select_incidents(
            "WHERE i.resolved_at IS NULL OR i.resolved_at >= ?1
             ORDER BY i.started_at DESC, i.id DESC",
            [since.0],
        )
    }

    /// The last incidents of a service, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn incidents_of(&self, id: &ServiceId, limit: usize) -> Result<Vec<Incident>, ReadError> {
        self.select_incidents(
            "WHERE s.id = ?1 ORDER BY i.started_at DESC, i.id DESC LIMIT ?2",
            params![id.as_str(), limit_of(limit)],
        )
    }

    /// One incident.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn incident(&self, id: IncidentId) -> Result<Option<Incident>, ReadError> {
        Ok(self.select_incidents("WHERE i.id = ?1", [id])?.pop())
    }

    /// The services with an incident that `incident` caused: theirs names its
    /// service as the cause and began before it was over. In order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn affected_by(&self, incident: &Incident) -> Result<Vec<ServiceId>, ReadError> {
        let over = incident.resolved_at.map_or(i64::MAX, |at| at.0);
        let mut select = self.conn.prepare_cached(
            "SELECT DISTINCT s.id FROM incidents i
             JOIN services s ON s.key = i.service JOIN services c ON c.key = i.caused_by
             WHERE c.id = ?1 AND i.started_at <= ?3 AND coalesce(i.resolved_at, ?3) >= ?2
             ORDER BY s.id",
        )?;
        let range = params![incident.service.as_str(), incident.started_at.0, over];
        let rows = select.query_map(range, |row| read_id(row, 0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The number the next incident gets; numbers are never reused.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn next_incident_id(&self) -> Result<IncidentId, ReadError> {
        let last: Option<IncidentId> = self
            .conn
            .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'incidents'", [], |row| {
                row.get(0)
            })
            .optional()?;
        Ok(last.unwrap_or(0) + 1)
    }

    /// What was saved under `key`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn state(&self, key: &str) -> Result<Option<serde_json::Value>, ReadError> {
        let read = |row: &Row| read_json(row, 0);
        let mut select = self.conn.prepare_cached("SELECT value FROM state WHERE key = ?1")?;
        Ok(select.query_row([key], read).optional()?)
    }

    /// What the history takes on disk.
    pub fn size_bytes(&self) -> u64 {
        let path = self.folder.join(FILE);
        let size = |suffix| fs::metadata(with_suffix(&path, suffix)).map_or(0, |file| file.len());
        ["", "-wal", "-shm"].into_iter().map(size).sum()
    }

    fn keys(&self) -> Result<Vec<(ServiceId, i64)>, ReadError> {
        let mut select = self.conn.prepare_cached("SELECT id, key FROM services ORDER BY id")?;
        let rows = select.query_map([], |row| Ok((read_id(row, 0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn key(&self, id: &ServiceId) -> Result<Option<i64>, ReadError> {
        let mut select = self.conn.prepare_cached("SELECT key FROM services WHERE id = ?1")?;
        Ok(select.query_row([id.as_str()], |row| row.get(0)).optional()?)
    }

    fn bars(&self, key: i64, limit: usize) -> Result<Vec<Bar>, ReadError> {
        let mut select = self.conn.prepare_cached(
            "SELECT at, status, hold_ms, response_us FROM results
             WHERE service = ?1 ORDER BY at DESC LIMIT ?2",
        )?;
        let rows = select.query_map(params![key, limit_of(limit)], Sample::read)?;
        let mut bars = Vec::new();
        let mut next: Option<Timestamp> = None;
        for sample in rows {
            let sample = sample?;
            if let Some(next) = next
                && let until = sample.hold.until(sample.at, next)
                && until < next
            {
                bars.push(Bar { at: until, status: None, ms: None });
            }
            bars.push(Bar { at: sample.at, status: Some(sample.status), ms: sample.response_ms });
            next = Some(sample.at);
        }
        bars.truncate(limit);
        bars.reverse();
        Ok(bars)
    }

    fn figures_of(&self, key: i64, now: Timestamp) -> Result<Figures, ReadError> {
        let mut spent = health::Spent::default();
        let from = Period::Month.from(now);
        let mut select = self.conn.prepare_cached(
            "SELECT coalesce(sum(healthy_ms), 0), coalesce(sum(degraded_ms), 0),
                    coalesce(sum(unhealthy_ms), 0)
             FROM quarters WHERE service = ?1 AND start >= ?2",
        )?;
        select.query_row(params![key, from.0], |row| {
            spent.healthy = row.get(0)?;
            spent.degraded = row.get(1)?;
            spent.unhealthy = row.get(2)?;
            Ok(())
        })?;
        for (start, open) in self.open_time(key, now)? {
            if start >= from {
                spent.merge(open.spent);
            }
        }
        let mut good = LatencySketch::default();
        let mut select = self
            .conn
            .prepare_cached("SELECT good FROM quarters WHERE service = ?1 AND start >= ?2")?;
        let since = Period::Day.from(now);
        for sketch in select.query_map(params![key, since.0], |row| read_sketch(row, 0))? {
            good.merge(&sketch?);
        }
        Ok(Figures {
            p95_ms: good.quantile(0.95).map(to_the_microsecond),
            availability_30d: spent.availability_pct(),
        })
    }

    /// Hands out every rollup that begins in [from, to), with its beginning;
    /// `from` and `to` begin a quarter of an hour. The same beginning may come
    /// more than once.
    fn rollups(
        &self,
        key: i64,
        (from, to): (Timestamp, Timestamp),
        zone: &Zone,
        now: Timestamp,
        mut take: impl FnMut(Timestamp, &Rollup),
    ) -> Result<(), ReadError> {
        let columns = Rollup::COLUMNS;
        let mut days = self.conn.prepare_cached(&format!(
            "SELECT date, {columns} FROM days WHERE service = ?1 AND date BETWEEN ?2 AND ?3"
        ))?;
        let (first, last) = (zone.date(from).to_string(), zone.date(to).to_string());
        let mut rows = days.query(params![key, first, last])?;
        while let Some(row) = rows.next()? {
            let date: String = row.get(0)?;
            let start = zone.start_of(date.parse().map_err(|error| damaged(0, error))?);
            if (from..to).contains(&start) {
                take(start, &Rollup::read(row, 1)?);
            }
        }
        let mut quarters = self.conn.prepare_cached(&format!(
            "SELECT start, {columns} FROM quarters WHERE service = ?1 AND start >= ?2 AND start < ?3"
        ))?;
        let mut rows = quarters.query(params![key, from.0, to.0])?;
        while let Some(row) = rows.next()? {
            take(Timestamp(row.get(0)?), &Rollup::read(row, 1)?);
        }
        for (start, open) in self.open_time(key, now)? {
            if (from..to).contains(&start) {
                take(start, &open);
            }
        }
        Ok(())
    }

    /// The time the newest result has held by `now`: it is in no rollup yet.
    fn open_time(&self, key: i64, now: Timestamp) -> Result<Vec<(Timestamp, Rollup)>, ReadError> {
        let newest = self.last_sample(key, Timestamp(i64::MAX))?;
        let Some(Sample { at, status, hold, .. }) = newest else {
            return Ok(Vec::new());
        };
        let open = split(at, hold.until(at, now)).map(|(start, ms)| {
            let mut rollup = Rollup::default();
            rollup.spent.add(status, ms);
            (start, rollup)
        });
        Ok(open.collect())
    }

    /// The last result before `before`.
    fn last_sample(&self, key: i64, before: Timestamp) -> Result<Option<Sample>, ReadError> {
        let mut select = self.conn.prepare_cached(
            "SELECT at, status, hold_ms, response_us FROM results
             WHERE service = ?1 AND at < ?2 ORDER BY at DESC LIMIT 1",
        )?;
        Ok(select.query_row(params![key, before.0], Sample::read).optional()?)
    }

    /// The results of [from, to), oldest first.
    fn samples(
        &self,
        key: i64,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<Sample>, ReadError> {
        let mut select = self.conn.prepare_cached(
            "SELECT at, status, hold_ms, response_us FROM results
             WHERE service = ?1 AND at >= ?2 AND at < ?3 ORDER BY at",
        )?;
        let rows = select.query_map(params![key, from.0, to.0], Sample::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Results of a table r; ?1 is the length of an hour.
    fn select_results(
        &self,
        which: &str,
        params: impl rusqlite::Params,
    ) -> Result<Vec<CheckResult>, ReadError> {
        let mut select = self.conn.prepare_cached(&format!("SELECT {RESULT} FROM {which}"))?;
        let rows = select.query_map(params, read_result)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn select_incidents(
        &self,
        which: &str,
        params: impl rusqlite::Params,
    ) -> Result<Vec<Incident>, ReadError> {
        let mut select = self.conn.prepare_cached(&format!("{INCIDENT} {which}"))?;
        let rows = select.query_map(params, read_incident)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// A result without its words.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Timestamp,
    status: Status,
    hold: Hold,
    response_ms: Option<f64>,
}

impl Sample {
    fn read(row: &Row) -> rusqlite::Result<Self> {
        Ok(Self {
            at: Timestamp(row.get(0)?),
            status: status_of(row.get(1)?),
            hold: Hold::from_ms(row.get(2)?),
            response_ms: read_ms(row, 3)?,
        })
    }
}

fn read_ms(row: &Row, column: usize) -> rusqlite::Result<Option<f64>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(|us| us as f64 / 1000.0))
}

fn read_result(row: &Row) -> rusqlite::Result<CheckResult> {
    let (at, status) = (Timestamp(row.get(0)?), status_of(row.get(1)?));
    let message = row.get::<_, Option<String>>(3)?.unwrap_or_default();
    Ok(CheckResult {
        metadata: read_optional_json(row, 4)?,
        phases: phases::read(row, 5)?,
        evidence: read_optional_json(row, 6)?,
        ..CheckResult::new(at, status, read_ms(row, 2)?, message)
    })
}

fn read_incident(row: &Row) -> rusqlite::Result<Incident> {
    let optional =
        |column| -> rusqlite::Result<bool> { Ok(!matches!(row.get_ref(column)?, ValueRef::Null)) };
    Ok(Incident {
        id: row.get(0)?,
        service: read_id(row, 1)?,
        started_at: Timestamp(row.get(2)?),
        detected_at: Timestamp(row.get(3)?),
        resolved_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
        checks_failed: u64::try_from(row.get::<_, i64>(5)?).unwrap_or(0),
        caused_by: if optional(6)? { Some(read_id(row, 6)?) } else { None },
        first_failure: read_json(row, 7)?,
        last_good: if optional(8)? { Some(read_json(row, 8)?) } else { None },
    })
}

fn read_id(row: &Row, column: usize) -> rusqlite::Result<ServiceId> {
    let id: String = row.get(column)?;
    ServiceId::new(&id).map_err(|error| damaged(column, error))
}

fn read_json<T: serde::de::DeserializeOwned>(row: &Row, column: usize) -> rusqlite::Result<T> {
    let json: String = row.get(column)?;
    serde_json::from_str(&json).map_err(|error| damaged(column, error))
}

/// Null is the default.
fn read_optional_json<T: serde::de::DeserializeOwned + Default>(
    row: &Row,
    column: usize,
) -> rusqlite::Result<T> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(T::default()),
        _ => read_json(row, column),
    }
}

fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The beginning of the first whole quarter of an hour from `at` on.
fn next_quarter(at: Timestamp) -> Timestamp {
    quarter(at + (QUARTER - 1))
}

fn to_the_microsecond(ms: f64) -> f64 {
    health::round_to(ms, 3)
}
