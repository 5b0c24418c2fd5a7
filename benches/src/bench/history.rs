//! The one place of the benchmark that knows the tables of the history.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::failure::{Explain, Outcome};

const UNREADABLE: &str = "the history cannot be read";

/// The history that a Pilotlight left in its data folder.
#[derive(Debug)]
pub(crate) struct History(Connection);

/// How many incidents there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Incidents {
    /// In all.
    pub opened: u64,
    /// Those that ended.
    pub resolved: u64,
}

impl History {
    /// Opens it for reading.
    pub fn open(data_dir: &Path) -> Outcome<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(data_dir.join("history.db"), flags);
        Ok(Self(conn.explain(UNREADABLE)?))
    }

    /// How many checks began from `from` on and before `until`.
    pub fn count(&self, from: i64, until: i64) -> Outcome<u64> {
        let sql = "SELECT count(*) FROM results WHERE at >= ?1 AND at < ?2";
        self.0.query_row(sql, [from, until], |row| number(row, 0)).explain(UNREADABLE)
    }

    /// When the checks of each service began, in order; a service without any
    /// is not there.
    pub fn starts(&self, from: i64, until: i64) -> Outcome<BTreeMap<i64, Vec<i64>>> {
        let read = || -> rusqlite::Result<_> {
            let mut select = self.0.prepare(
                "SELECT service, at FROM results WHERE at >= ?1 AND at < ?2 ORDER BY service, at",
            )?;
            let mut starts: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
            for row in select.query_map([from, until], |row| Ok((row.get(0)?, row.get(1)?)))? {
                let (service, at) = row?;
                starts.entry(service).or_default().push(at);
            }
            Ok(starts)
        };
        read().explain(UNREADABLE)
    }

    /// How many checks of a window did not find their service healthy.
    pub fn not_healthy(&self, from: i64, until: i64) -> Outcome<u64> {
        let sql = "SELECT count(*) FROM results WHERE at >= ?1 AND at < ?2 AND status <> 0";
        self.0.query_row(sql, [from, until], |row| number(row, 0)).explain(UNREADABLE)
    }

    /// All incidents.
    pub fn incidents(&self) -> Outcome<Incidents> {
        let sql = "SELECT count(*), count(resolved_at) FROM incidents";
        let read = |row: &rusqlite::Row| {
            Ok(Incidents { opened: number(row, 0)?, resolved: number(row, 1)? })
        };
        self.0.query_row(sql, [], read).explain(UNREADABLE)
    }
}

fn number(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get(column).map(i64::cast_unsigned)
}

/// Adds an incident of ten minutes to every service at each of the moments, as
/// `record` takes results alone. Nobody else may have the history open.
pub(crate) fn add_incidents(data_dir: &Path, moments: &[i64]) -> Outcome<()> {
    let write = || -> rusqlite::Result<()> {
        let mut conn = Connection::open(data_dir.join("history.db"))?;
        let transaction = conn.transaction()?;
        for at in moments {
            let failure = format!(
                "{{\"at\":{at},\"status\":\"unhealthy\",\"response_time_ms\":null,\
                 \"message\":\"connection refused\",\"metadata\":{{}}}}"
            );
            transaction.execute(
                "INSERT INTO incidents
                 (service, started_at, detected_at, resolved_at, checks_failed, first_failure)
                 SELECT key, ?1, ?1 + 10000, ?1 + 600000, 10, ?2 FROM services",
                rusqlite::params![at, failure],
            )?;
        }
        transaction.commit()
    };
    write().explain("the history cannot be written")
}
