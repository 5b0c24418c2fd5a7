use std::cmp::Reverse;

use health::{CheckResult, Millis, Status, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Batch, Held, Stored, json, status_code};
use crate::phases;

/// The unit of [`Slowest`], aligned to UTC.
pub(crate) const HOUR: Millis = 3_600_000;

/// Which hour since the Unix epoch a moment is in.
pub(crate) const fn hour(at: Timestamp) -> i64 {
    at.0.div_euclid(HOUR)
}

/// A result that may be the slowest of its hour, as it is stored.
#[derive(Debug)]
pub(super) struct Slowest {
    at: Timestamp,
    status: Status,
    response_us: i64,
    message: Value,
    metadata: Value,
    phases: Option<Vec<u8>>,
}

/// Whose is greatest is the slowest of its hour: the longest response time, of
/// equal ones the first.
const fn rank(response_us: i64, at: Timestamp) -> (i64, Reverse<Timestamp>) {
    (response_us, Reverse(at))
}

impl Batch<'_> {
    /// Keeps of a new result what is kept beside it:
    ///
    /// 1. The phases of every failure, as long as the result.
    /// 2. The slowest result of each hour with its phases, as long as quarters
    ///    of an hour, and even when the result itself is gone.
    /// 3. The evidence of a failure as [`Batch::is_telling`] says, as long as
    ///    the result.
    pub(super) fn detail(
        &mut self,
        key: i64,
        result: &CheckResult,
        stored: &Stored,
        previous: Option<Held>,
    ) -> rusqlite::Result<()> {
        self.pace(key, result, stored);
        if result.status != Status::Unhealthy {
            return Ok(());
        }
        if let Some(packed) = phases::pack(&result.phases) {
            self.transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO phases (service, at, phases) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![key, result.at.0, packed])?;
        }
        if !result.evidence.is_empty() && self.is_telling(key, result, previous)? {
            self.transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO evidence (service, at, evidence) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![key, result.at.0, json(&result.evidence)?])?;
        }
        Ok(())
    }

    /// Remembers a result that is the slowest of its hour in this batch.
    fn pace(&mut self, key: i64, result: &CheckResult, stored: &Stored) {
        let Some(response_us) = stored.response_us else {
            return;
        };
        let place = (key, hour(result.at));
        let rival = self.slowest.get(&place).map(|rival| rank(rival.response_us, rival.at));
        if rival < Some(rank(response_us, result.at)) {
            let slowest = Slowest {
                at: result.at,
                status: result.status,
                response_us,
                message: stored.message.clone(),
                metadata: stored.metadata.clone(),
                phases: phases::pack(&result.phases),
            };
            self.slowest.insert(place, slowest);
        }
    }

    /// Whether the evidence of a failure is kept. It is when
    ///
    /// 1. the result before it was no failure, or there was none;
    /// 2. or its message is another than that of the failure before it;
    /// 3. or the evidence kept last before it is an hour old, or there is none.
    ///
    /// What is asked is what was recorded by then: a result that comes late
    /// changes nothing about the evidence of later ones. Upkeep leaves the
    /// newest [`EVIDENCE_KEPT`](crate::upkeep::EVIDENCE_KEPT) of a service.
    fn is_telling(
        &self,
        key: i64,
        failure: &CheckResult,
        previous: Option<Held>,
    ) -> rusqlite::Result<bool> {
        let Some(previous) = previous.filter(|previous| previous.status == Status::Unhealthy)
        else {
            return Ok(true);
        };
        Ok(!self.said(key, previous.at, &failure.message)?
            || self
                .last_evidence(key, failure.at)?
                .is_none_or(|kept| failure.at.since(kept) >= HOUR))
    }

    /// Whether the result of `at` has this message.
    fn said(&self, key: i64, at: Timestamp, message: &str) -> rusqlite::Result<bool> {
        self.transaction
            .prepare_cached(
                "SELECT 1 FROM results WHERE service = ?1 AND at = ?2
                 AND (message = ?3 OR message = (SELECT key FROM texts WHERE text = ?3))",
            )?
            .exists(params![key, at.0, message])
    }

    /// When the failure was whose evidence was kept last before `before`.
    fn last_evidence(&self, key: i64, before: Timestamp) -> rusqlite::Result<Option<Timestamp>> {
        self.transaction
            .prepare_cached("SELECT max(at) FROM evidence WHERE service = ?1 AND at < ?2")?
            .query_row(params![key, before.0], |row| row.get::<_, Option<i64>>(0))
            .map(|at| at.map(Timestamp))
    }
}

impl Slowest {
    /// Takes the place of the slowest result of its hour so far, if it is slower.
    pub fn store(&self, conn: &Connection, service: i64) -> rusqlite::Result<()> {
        let hour = hour(self.at);
        let rival = conn
            .prepare_cached("SELECT response_us, at FROM slowest WHERE service = ?1 AND hour = ?2")?
            .query_row([service, hour], |row| Ok(rank(row.get(0)?, Timestamp(row.get(1)?))))
            .optional()?;
        if rival >= Some(rank(self.response_us, self.at)) {
            return Ok(());
        }
        let mut replace = conn.prepare_cached(
            "INSERT OR REPLACE INTO slowest
             (service, hour, at, status, response_us, message, metadata, phases)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        replace
            .execute(params![
                service,
                hour,
                self.at.0,
                status_code(self.status),
                self.response_us,
                self.message,
                self.metadata,
                self.phases
            ])
            .map(drop)
    }
}
