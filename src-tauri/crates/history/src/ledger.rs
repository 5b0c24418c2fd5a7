use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use health::{CheckResult, Hold, Incident, ServiceId, Status, Timestamp};
use rusqlite::types::Value;
use rusqlite::{
    Connection, OptionalExtension, Transaction, TransactionBehavior, params, params_from_iter,
};

use crate::open::pragma;
use crate::rollup::{QUARTER, Rollup, microseconds, quarter, split};
use crate::tally::Tally;
use crate::texts::Texts;
use crate::zone::Zone;

mod details;
mod measurements;

use details::Slowest;
pub(crate) use details::{HOUR, hour};
use measurements::{Newest, SeriesKeys};

/// 9999-12-31: later results come from a broken clock or report.
const END_OF_TIME: Timestamp = Timestamp(253_402_214_400_000);

/// One thing to write.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    Result { service: ServiceId, result: Arc<CheckResult>, hold: Hold },
    Incident(Box<Incident>),
    State { key: String, json: String },
}

/// The writing side of the database: knows how to add to it so that rollups
/// stay exact whatever the order, and however often the same result comes.
#[derive(Debug)]
pub(crate) struct Ledger {
    conn: Connection,
    zone: Zone,
    known: Known,
    /// Services that were said to measure too much.
    warned: HashSet<i64>,
}

/// What was read before and need not be read again, as long as nobody else
/// writes.
#[derive(Debug, Default)]
struct Known {
    data_version: i64,
    services: HashMap<ServiceId, Service>,
    newest: HashMap<i64, Held>,
    series: HashMap<i64, SeriesKeys>,
    texts: Texts,
}

#[derive(Debug, Clone, Copy)]
struct Service {
    key: i64,
    raw_since: Timestamp,
}

/// What of a result is stored otherwise than it came.
#[derive(Debug)]
struct Stored {
    response_us: Option<i64>,
    message: Value,
    metadata: Value,
}

/// A result as far as time goes.
#[derive(Debug, Clone, Copy)]
struct Held {
    at: Timestamp,
    status: Status,
    hold: Hold,
}

impl Ledger {
    pub fn new(conn: Connection, zone: Zone) -> Self {
        Self { conn, zone, known: Known::default(), warned: HashSet::new() }
    }

    /// Writes all or nothing.
    pub fn write(&mut self, entries: &[Entry]) -> rusqlite::Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let written = self.try_write(entries);
        if written.is_err() {
            self.known = Known::default();
        }
        written
    }

    /// The connection, to change what is old; what is known of it is forgotten.
    pub fn connection(&mut self) -> &mut Connection {
        self.known = Known::default();
        &mut self.conn
    }

    fn try_write(&mut self, entries: &[Entry]) -> rusqlite::Result<()> {
        let transaction = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let data_version = pragma(&transaction, "data_version")?;
        if self.known.data_version != data_version {
            self.known = Known { data_version, ..Known::default() };
        }
        let mut batch = Batch {
            transaction,
            zone: &self.zone,
            known: &mut self.known,
            warned: &mut self.warned,
            rollups: HashMap::new(),
            slowest: HashMap::new(),
            tallies: HashMap::new(),
            newest: HashMap::new(),
        };
        for entry in entries {
            batch.write(entry)?;
        }
        batch.commit()
    }
}

struct Batch<'a> {
    transaction: Transaction<'a>,
    zone: &'a Zone,
    known: &'a mut Known,
    warned: &'a mut HashSet<i64>,
    /// What this batch adds, by service and quarter of an hour.
    rollups: HashMap<(i64, Timestamp), Rollup>,
    /// The slowest results of this batch, by service and hour.
    slowest: HashMap<(i64, i64), Slowest>,
    /// What this batch measured, by series and quarter of an hour.
    tallies: HashMap<(i64, Timestamp), Tally>,
    /// The newest values of this batch, by series.
    newest: HashMap<i64, Newest>,
}

impl Batch<'_> {
    fn write(&mut self, entry: &Entry) -> rusqlite::Result<()> {
        match entry {
            Entry::Result { service, result, hold } => self.result(service, result, *hold),
            Entry::Incident(incident) => self.incident(incident),
            Entry::State { key, json } => self
                .transaction
                .prepare_cached("INSERT OR REPLACE INTO state (key, value) VALUES (?1, ?2)")?
                .execute([key, json])
                .map(drop),
        }
    }

    /// Adds one result.
    ///
    /// 1. A second result of a service at the same moment changes nothing.
    /// 2. Counts and latency go to the quarter of an hour it began in.
    /// 3. Between its neighbours p and n, the time from p to n that p held is
    ///    replaced by that from p to it, and from it to n.
    /// 4. The newest result's time is open: it is added when the next comes.
    /// 5. Details and measurements are kept of a result that is added, once.
    fn result(&mut self, id: &ServiceId, result: &CheckResult, hold: Hold) -> rusqlite::Result<()> {
        if !(Timestamp(0)..END_OF_TIME).contains(&result.at) {
            tracing::warn!(service = %id, at = result.at.0, "result outside of time ignored");
            return Ok(());
        }
        let service = self.service(id)?;
        if result.at < service.raw_since && !self.can_tell_repeats(service.key, result.at)? {
            return Ok(());
        }
        let Some(stored) = self.insert(service.key, result, hold)? else {
            return Ok(());
        };
        let added = Held { at: result.at, status: result.status, hold };
        let response_ms = stored.response_us.map(|us| us as f64 / 1000.0);
        let counted = self.rollups.entry((service.key, quarter(result.at))).or_default();
        counted.count(result.status, response_ms);

        let (previous, next) = self.neighbours(service.key, result.at)?;
        if let Some(previous) = previous {
            self.spend(service.key, previous, result.at, 1);
            if let Some(next) = next {
                self.spend(service.key, previous, next.at, -1);
            }
        }
        match next {
            Some(next) => self.spend(service.key, added, next.at, 1),
            None => drop(self.known.newest.insert(service.key, added)),
        }
        self.detail(service.key, result, &stored, previous)?;
        self.measure(service.key, id, result)
    }

    /// `None` when there is a result of that moment.
    fn insert(
        &mut self,
        key: i64,
        result: &CheckResult,
        hold: Hold,
    ) -> rusqlite::Result<Option<Stored>> {
        let response_us = microseconds(result.response_time_ms);
        let message = self.known.texts.store(&self.transaction, result.message.clone())?;
        let metadata = if result.metadata.is_empty() {
            Value::Null
        } else {
            self.known.texts.store(&self.transaction, json(&result.metadata)?)?
        };
        let mut insert = self.transaction.prepare_cached(
            "INSERT OR IGNORE INTO results
             (service, at, status, response_us, hold_ms, message, metadata)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let inserted = insert.execute(params![
            key,
            result.at.0,
            status_code(result.status),
            response_us,
            hold.ms(),
            message,
            metadata
        ])?;
        Ok((inserted > 0).then_some(Stored { response_us, message, metadata }))
    }

    /// Whether a result from before `raw_since` can be told from a repeat: all
    /// that was counted in its quarter of an hour is still there.
    fn can_tell_repeats(&self, key: i64, at: Timestamp) -> rusqlite::Result<bool> {
        let start = quarter(at);
        let folded = self
            .transaction
            .prepare_cached("SELECT 1 FROM days WHERE service = ?1 AND date = ?2")?
            .exists(params![key, self.zone.date(at).to_string()])?;
        if folded {
            return Ok(false);
        }
        let counted: Option<i64> = self
            .transaction
            .prepare_cached(
                "SELECT healthy + degraded + unhealthy FROM quarters WHERE service = ?1 AND start = ?2",
            )?
            .query_row(params![key, start.0], |row| row.get(0))
            .optional()?;
        let adding = self.rollups.get(&(key, start)).map_or(0, |rollup| rollup.counts.total());
        let there: i64 = self
            .transaction
            .prepare_cached(
                "SELECT count(*) FROM results WHERE service = ?1 AND at >= ?2 AND at < ?3",
            )?
            .query_row(params![key, start.0, (start + QUARTER).0], |row| row.get(0))?;
        Ok(counted.unwrap_or(0) + i64::try_from(adding).unwrap_or(i64::MAX) == there)
    }

    fn neighbours(
        &self,
        key: i64,
        at: Timestamp,
    ) -> rusqlite::Result<(Option<Held>, Option<Held>)> {
        if let Some(newest) = self.known.newest.get(&key)
            && newest.at < at
        {
            return Ok((Some(*newest), None));
        }
        let previous = self.held(
            "SELECT at, status, hold_ms FROM results
             WHERE service = ?1 AND at < ?2 ORDER BY at DESC LIMIT 1",
            key,
            at,
        )?;
        let next = self.held(
            "SELECT at, status, hold_ms FROM results
             WHERE service = ?1 AND at > ?2 ORDER BY at LIMIT 1",
            key,
            at,
        )?;
        Ok((previous, next))
    }

    fn held(&self, sql: &str, key: i64, at: Timestamp) -> rusqlite::Result<Option<Held>> {
        let read = |row: &rusqlite::Row| {
            Ok(Held {
                at: Timestamp(row.get(0)?),
                status: status_of(row.get(1)?),
                hold: Hold::from_ms(row.get(2)?),
            })
        };
        self.transaction.prepare_cached(sql)?.query_row(params![key, at.0], read).optional()
    }

    /// Adds (`sign` 1) or takes back (-1) the time a result holds until `next`.
    fn spend(&mut self, key: i64, of: Held, next: Timestamp, sign: i64) {
        for (start, ms) in split(of.at, of.hold.until(of.at, next)) {
            let rollup = self.rollups.entry((key, start)).or_default();
            rollup.spent.add(of.status, sign * ms);
        }
    }

    fn service(&mut self, id: &ServiceId) -> rusqlite::Result<Service> {
        if let Some(service) = self.known.services.get(id) {
            return Ok(*service);
        }
        let mut insert = self.transaction.prepare_cached(
            "INSERT INTO services (id) VALUES (?1)
             ON CONFLICT (id) DO UPDATE SET id = id RETURNING key, raw_since",
        )?;
        let service = insert.query_row([id.as_str()], |row| {
            Ok(Service { key: row.get(0)?, raw_since: Timestamp(row.get(1)?) })
        })?;
        self.known.services.insert(id.clone(), service);
        Ok(service)
    }

    fn incident(&mut self, incident: &Incident) -> rusqlite::Result<()> {
        let service = self.service(&incident.service)?;
        let cause = match &incident.caused_by {
            Some(cause) => Some(self.service(cause)?.key),
            None => None,
        };
        let mut upsert = self.transaction.prepare_cached(
            "INSERT OR REPLACE INTO incidents
             (id, service, started_at, detected_at, resolved_at, checks_failed, caused_by,
              first_failure, last_good)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        upsert
            .execute(params![
                incident.id,
                service.key,
                incident.started_at.0,
                incident.detected_at.0,
                incident.resolved_at.map(|at| at.0),
                i64::try_from(incident.checks_failed).unwrap_or(i64::MAX),
                cause,
                json(&incident.first_failure)?,
                incident.last_good.as_ref().map(json).transpose()?,
            ])
            .map(drop)
    }

    fn commit(self) -> rusqlite::Result<()> {
        for ((key, start), added) in &self.rollups {
            add_to_quarter(&self.transaction, *key, *start, added)?;
        }
        for ((key, _), slowest) in &self.slowest {
            slowest.store(&self.transaction, *key)?;
        }
        for ((series, start), added) in &self.tallies {
            added.add_to(&self.transaction, "measurement_quarters", *series, *start)?;
        }
        for (series, newest) in &self.newest {
            newest.store(&self.transaction, *series)?;
        }
        self.transaction.commit()
    }
}

fn add_to_quarter(
    conn: &Connection,
    key: i64,
    start: Timestamp,
    added: &Rollup,
) -> rusqlite::Result<()> {
    let columns = Rollup::COLUMNS;
    let mut rollup = conn
        .prepare_cached(&format!(
            "SELECT {columns} FROM quarters WHERE service = ?1 AND start = ?2"
        ))?
        .query_row(params![key, start.0], |row| Rollup::read(row, 0))
        .optional()?
        .unwrap_or_default();
    rollup.merge(added);
    put_rollup(conn, "quarters", "start", key, Value::Integer(start.0), &rollup)
}

/// Writes one row of `quarters` or `days`, in place of the one there.
pub(crate) fn put_rollup(
    conn: &Connection,
    table: &str,
    unit: &str,
    key: i64,
    at: Value,
    rollup: &Rollup,
) -> rusqlite::Result<()> {
    let columns = Rollup::COLUMNS;
    let mut replace = conn.prepare_cached(&format!(
        "INSERT OR REPLACE INTO {table} (service, {unit}, {columns})
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    ))?;
    let place: [Box<dyn rusqlite::ToSql>; 2] = [Box::new(key), Box::new(at)];
    replace.execute(params_from_iter(place.into_iter().chain(rollup.values()))).map(drop)
}

fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

const fn status_code(status: Status) -> i64 {
    match status {
        Status::Healthy => 0,
        Status::Degraded => 1,
        Status::Unhealthy => 2,
    }
}

/// An unknown code counts as the worst: a later release may know more.
pub(crate) const fn status_of(code: i64) -> Status {
    match code {
        0 => Status::Healthy,
        1 => Status::Degraded,
        _ => Status::Unhealthy,
    }
}
