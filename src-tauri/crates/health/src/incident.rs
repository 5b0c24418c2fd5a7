use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::ServiceId;
use crate::result::CheckResult;
use crate::status::Status;
use crate::time::{Millis, Timestamp};

/// An incident's number, unique within one history and never reused.
pub type IncidentId = i64;

/// A stretch of time in which a service was judged unhealthy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// Whose incident.
    pub service: ServiceId,
    /// The first failing result.
    pub started_at: Timestamp,
    /// When it was confirmed and opened.
    pub detected_at: Timestamp,
    /// When enough good results in a row had come in; `None` while active.
    pub resolved_at: Option<Timestamp>,
    /// Unhealthy results from the first failing one on.
    pub checks_failed: u64,
    /// The root cause: a dependency, however far, with an incident of its own.
    pub caused_by: Option<ServiceId>,
    /// The first failing result in full.
    pub first_failure: Arc<CheckResult>,
    /// The last result before it that was not unhealthy.
    pub last_good: Option<Arc<CheckResult>>,
}

impl Incident {
    /// How long it lasted, or has lasted by `now`.
    pub fn duration(&self, now: Timestamp) -> Millis {
        self.resolved_at.unwrap_or(now).since(self.started_at)
    }
}

/// What one result did to an [`IncidentDetector`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentChange {
    /// An incident opened with this result.
    Opened,
    /// The incident that opened at `since` ended with this result.
    Resolved {
        /// When it opened.
        since: Timestamp,
    },
}

/// The plain detector: `threshold` unhealthy results in a row open an
/// incident, the first result that is not unhealthy resolves it.
#[derive(Debug, Clone)]
pub struct IncidentDetector {
    threshold: u32,
    streak: u32,
    open: Option<(Timestamp, u64)>,
}

impl IncidentDetector {
    /// `threshold` below 1 counts as 1.
    pub fn new(threshold: u32) -> Self {
        Self { threshold: threshold.max(1), streak: 0, open: None }
    }

    /// Takes the next result.
    pub fn observe(&mut self, at: Timestamp, status: Status) -> Option<IncidentChange> {
        if status != Status::Unhealthy {
            self.streak = 0;
            return self.open.take().map(|(since, _)| IncidentChange::Resolved { since });
        }
        self.streak = self.streak.saturating_add(1);
        if let Some((_, failed)) = &mut self.open {
            *failed += 1;
            return None;
        }
        if self.streak < self.threshold {
            return None;
        }
        self.open = Some((at, 1));
        Some(IncidentChange::Opened)
    }

    /// The open incident: when it opened, and its failed checks from the
    /// opening result on.
    pub fn active(&self) -> Option<(Timestamp, u64)> {
        self.open
    }
}
