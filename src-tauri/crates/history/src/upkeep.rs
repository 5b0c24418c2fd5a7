use std::time::Duration;

use health::{Millis, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::ledger::{hour, put_rollup};
use crate::open::pragma;
use crate::rollup::Rollup;
use crate::tally;
use crate::zone::{Zone, next_day};

/// Rows, or pages, that one step takes on: some 10 ms of work.
const CHUNK: i64 = 2_000;
const DAYS_PER_STEP: usize = 10;
/// Interned texts below this are not worth a scan for unused ones.
const TEXTS_WORTH_A_SCAN: i64 = 10_000;
/// Beyond, the oldest evidence of a service goes.
pub(crate) const EVIDENCE_KEPT: i64 = 200;
/// Free pages below this number (2 MB), or a fifth of all, are left for the
/// results to come.
const FREE_PAGES: i64 = 500;
const FREE_SHARE: i64 = 5;

/// What is kept for how long. Incidents are kept forever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Every single result, with its details and measurements.
    pub raw: Duration,
    /// Rollups by quarter of an hour; after that they are folded into days. And
    /// the slowest result of each hour.
    pub quarters: Duration,
    /// Rollups by day.
    pub days: Duration,
}

impl Keep {
    const DAY: Duration = Duration::from_secs(24 * 3_600);

    /// Nothing is ever folded or removed.
    pub const FOREVER: Self =
        Self { raw: Duration::MAX, quarters: Duration::MAX, days: Duration::MAX };
}

impl Default for Keep {
    /// 7 days, 90 days, 5 years.
    fn default() -> Self {
        Self { raw: Self::DAY * 7, quarters: Self::DAY * 90, days: Self::DAY * (5 * 365 + 1) }
    }
}

/// Does a small part of what has to be done about old rows by `now`; whether
/// there may be more.
///
/// 1. Whole calendar days older than `keep.quarters` are folded into days, and
///    the slowest results of their hours go.
/// 2. Results older than `keep.raw` go, with their details and measurements,
///    but the newest of a service stays: its time is still open.
/// 3. Of each service the newest [`EVIDENCE_KEPT`] pieces of evidence stay.
/// 4. Days older than `keep.days` go, and series without any value.
/// 5. Texts no result uses any more go.
/// 6. Free pages go back to the disk when there are many.
pub(crate) fn step(
    conn: &mut Connection,
    keep: Keep,
    zone: &Zone,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let day_before = |age| zone.date(before(now, age));
    let quarters_from = zone.start_of(day_before(keep.quarters));
    let days_from = day_before(keep.days);
    Ok(fold_days(conn, quarters_from, zone)?
        || remove_slowest(conn, quarters_from)?
        || remove_results(conn, before(now, keep.raw))?
        || remove_evidence(conn)?
        || remove_days(conn, &days_from.to_string())?
        || remove_measurement_days(conn, zone.start_of(days_from))?
        || remove_series(conn)?
        || remove_texts(conn)?
        || shrink(conn)?)
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    now - Millis::try_from(age.as_millis()).unwrap_or(Millis::MAX)
}

fn fold_days(conn: &mut Connection, until: Timestamp, zone: &Zone) -> rusqlite::Result<bool> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut folded = 0;
    while folded < DAYS_PER_STEP && fold_oldest_day(&transaction, until, zone)? {
        folded += 1;
    }
    transaction.commit()?;
    Ok(folded > 0)
}

fn fold_oldest_day(conn: &Connection, until: Timestamp, zone: &Zone) -> rusqlite::Result<bool> {
    let oldest: Option<(i64, i64)> = conn
        .prepare_cached(
            "SELECT key, (SELECT min(start) FROM quarters WHERE service = key) AS oldest
             FROM services WHERE oldest < ?1 LIMIT 1",
        )?
        .query_row([until.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((key, start)) = oldest else {
        return Ok(false);
    };
    let date = zone.date(Timestamp(start));
    let end = zone.start_of(next_day(date));
    let columns = Rollup::COLUMNS;
    let mut day = conn
        .prepare_cached(&format!("SELECT {columns} FROM days WHERE service = ?1 AND date = ?2"))?
        .query_row(params![key, date.to_string()], |row| Rollup::read(row, 0))
        .optional()?
        .unwrap_or_default();
    conn.prepare_cached(&format!(
        "SELECT {columns} FROM quarters WHERE service = ?1 AND start < ?2 ORDER BY start"
    ))?
    .query_and_then(params![key, end.0], |row| Rollup::read(row, 0))?
    .try_for_each(|quarter| quarter.map(|quarter| day.merge(&quarter)))?;
    put_rollup(conn, "days", "date", key, Value::Text(date.to_string()), &day)?;
    conn.prepare_cached("DELETE FROM quarters WHERE service = ?1 AND start < ?2")?
        .execute(params![key, end.0])?;
    tally::fold(conn, key, zone.start_of(date), end)?;
    Ok(true)
}

/// Those of hours that were over by `until`.
fn remove_slowest(conn: &Connection, until: Timestamp) -> rusqlite::Result<bool> {
    let mut delete = conn.prepare_cached(
        "DELETE FROM slowest WHERE hour < ?1 AND service =
         (SELECT key FROM services
          WHERE (SELECT min(hour) FROM slowest WHERE service = key) < ?1 LIMIT 1)",
    )?;
    Ok(delete.execute([hour(until)])? > 0)
}

fn remove_results(conn: &mut Connection, before: Timestamp) -> rusqlite::Result<bool> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let old: Option<(i64, i64)> = transaction
        .prepare_cached(
            "SELECT key, min(?1, newest) FROM
             (SELECT key, (SELECT min(at) FROM results WHERE service = key) AS oldest,
                          (SELECT max(at) FROM results WHERE service = key) AS newest
              FROM services)
             WHERE oldest < min(?1, newest) LIMIT 1",
        )?
        .query_row([before.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((key, end)) = old else {
        return Ok(false);
    };
    let last: i64 = transaction
        .prepare_cached(
            "SELECT max(at) FROM
             (SELECT at FROM results WHERE service = ?1 AND at < ?2 ORDER BY at LIMIT ?3)",
        )?
        .query_row(params![key, end, CHUNK], |row| row.get(0))?;
    for of_service in ["results", "phases", "evidence"] {
        transaction
            .prepare_cached(&format!("DELETE FROM {of_service} WHERE service = ?1 AND at <= ?2"))?
            .execute(params![key, last])?;
    }
    transaction
        .prepare_cached(
            "DELETE FROM measurements
             WHERE series IN (SELECT key FROM series WHERE service = ?1) AND at <= ?2",
        )?
        .execute(params![key, last])?;
    transaction
        .prepare_cached("UPDATE services SET raw_since = max(raw_since, ?2 + 1) WHERE key = ?1")?
        .execute(params![key, last])?;
    transaction.commit()?;
    Ok(true)
}

fn remove_evidence(conn: &Connection) -> rusqlite::Result<bool> {
    let surplus: Option<(i64, i64)> = conn
        .prepare_cached(
            "SELECT key, surplus FROM
             (SELECT key, (SELECT at FROM evidence WHERE service = key
                           ORDER BY at DESC LIMIT 1 OFFSET ?1) AS surplus
              FROM services)
             WHERE surplus IS NOT NULL LIMIT 1",
        )?
        .query_row([EVIDENCE_KEPT], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((key, newest)) = surplus else {
        return Ok(false);
    };
    conn.prepare_cached("DELETE FROM evidence WHERE service = ?1 AND at <= ?2")?
        .execute(params![key, newest])?;
    Ok(true)
}

fn remove_measurement_days(conn: &Connection, before: Timestamp) -> rusqlite::Result<bool> {
    let mut delete = conn.prepare_cached(
        "DELETE FROM measurement_days WHERE start < ?1 AND series =
         (SELECT key FROM series
          WHERE (SELECT min(start) FROM measurement_days WHERE series = key) < ?1 LIMIT 1)",
    )?;
    Ok(delete.execute([before.0])? > 0)
}

fn remove_series(conn: &Connection) -> rusqlite::Result<bool> {
    let mut delete = conn.prepare_cached(
        "DELETE FROM series
         WHERE NOT EXISTS (SELECT 1 FROM measurements WHERE series = key)
           AND NOT EXISTS (SELECT 1 FROM measurement_quarters WHERE series = key)
           AND NOT EXISTS (SELECT 1 FROM measurement_days WHERE series = key)",
    )?;
    Ok(delete.execute([])? > 0)
}

fn remove_days(conn: &Connection, before: &str) -> rusqlite::Result<bool> {
    let mut delete = conn.prepare_cached(
        "DELETE FROM days WHERE (service, date) IN
         (SELECT service, date FROM days WHERE date < ?1 LIMIT ?2)",
    )?;
    Ok(delete.execute(params![before, CHUNK])? > 0)
}

fn remove_texts(conn: &Connection) -> rusqlite::Result<bool> {
    let count: i64 = conn.query_row("SELECT count(*) FROM texts", [], |row| row.get(0))?;
    if count < TEXTS_WORTH_A_SCAN {
        return Ok(false);
    }
    let removed = conn.execute(
        "DELETE FROM texts WHERE key NOT IN
         (SELECT message FROM results WHERE typeof(message) = 'integer'
          UNION SELECT metadata FROM results WHERE typeof(metadata) = 'integer'
          UNION SELECT message FROM slowest WHERE typeof(message) = 'integer'
          UNION SELECT metadata FROM slowest WHERE typeof(metadata) = 'integer')",
        [],
    )?;
    Ok(removed > 0)
}

fn shrink(conn: &Connection) -> rusqlite::Result<bool> {
    let free = pragma(conn, "freelist_count")?;
    if free < FREE_PAGES || free * FREE_SHARE < pragma(conn, "page_count")? {
        return Ok(false);
    }
    let mut vacuum = conn.prepare(&format!("PRAGMA incremental_vacuum({CHUNK})"))?;
    let mut rows = vacuum.query([])?;
    while rows.next()?.is_some() {}
    Ok(pragma(conn, "freelist_count")? < free)
}
