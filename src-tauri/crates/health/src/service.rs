use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::graph::Link;
use crate::id::ServiceId;
use crate::incident::Incident;
use crate::judge::{Judge, JudgePolicy, Verdict};
use crate::result::CheckResult;
use crate::status::{ServiceStatus, Status};
use crate::time::Timestamp;

/// What the judgement needs to know of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: ServiceId,
    /// Its name for people.
    pub name: String,
    /// How many results in a row it takes to believe a change.
    pub policy: JudgePolicy,
    /// What it depends on directly; ids that are not members are ignored.
    pub depends_on: Vec<ServiceId>,
}

/// Not checked because a person said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub struct Pause {
    /// When it ends by itself; null = when a person resumes.
    pub until: Option<Timestamp>,
}

impl Pause {
    pub(crate) fn is_over(self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// An incident that is not over, and whether a person was told of it.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub incident: Incident,
    pub told: Told,
}

/// `No => Yes`; back only with a new incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    No {
        /// Since when none of its causes is down any more.
        orphan_since: Option<Timestamp>,
    },
    Yes,
}

impl Told {
    pub const NO: Self = Self::No { orphan_since: None };
}

/// One service as it stands.
#[derive(Debug, Clone)]
pub struct ServiceState {
    /// Who it is.
    pub member: Member,
    /// What it shows.
    pub status: ServiceStatus,
    /// When that status began.
    pub since: Option<Timestamp>,
    /// The last observed result.
    pub last: Option<Arc<CheckResult>>,
    /// Paused by itself (not by "pause all").
    pub pause: Option<Pause>,
    /// Not announced, and not counted in the overall status, until then.
    pub muted_until: Option<Timestamp>,
    pub(crate) judge: Judge,
    pub(crate) observed: bool,
    pub(crate) open: Option<Open>,
}

impl ServiceState {
    /// As it was saved: an open incident goes on, everything else is unknown.
    pub(crate) fn new(
        member: Member,
        saved: Option<Saved>,
        all_paused: bool,
        now: Timestamp,
    ) -> Self {
        let saved = saved.unwrap_or_default();
        let mut judge = saved.judge;
        judge.wake();
        let told = if saved.announced { Told::Yes } else { Told::NO };
        let mut state = Self {
            member,
            status: ServiceStatus::Unknown,
            since: saved.incident.as_ref().map(|incident| incident.detected_at),
            last: None,
            pause: saved.pause.filter(|pause| !pause.is_over(now)),
            muted_until: saved.muted_until.filter(|until| *until > now),
            judge,
            observed: true,
            open: saved.incident.map(|incident| Open { incident, told }),
        };
        state.status = state.judged(all_paused);
        state
    }

    /// Its open incident.
    pub fn incident(&self) -> Option<&Incident> {
        self.open.as_ref().map(|open| &open.incident)
    }

    /// The service with the incident that explains this one's.
    pub fn caused_by(&self) -> Option<&ServiceId> {
        self.incident().and_then(|incident| incident.caused_by.as_ref())
    }

    /// It changes its status too often for single changes to count.
    pub fn is_flapping(&self) -> bool {
        self.judge.is_flapping()
    }

    /// Left out of announcements and of the overall status.
    pub fn is_muted(&self) -> bool {
        self.muted_until.is_some()
    }

    /// Its last results wait to be believed: worth another look soon.
    pub fn is_unsettled(&self) -> bool {
        self.judge.is_unsettled()
    }

    /// Its last result was a failure that is not yet believed.
    pub fn is_failing(&self) -> bool {
        self.judge.is_failing()
    }

    /// Unhealthy results in a row, up to the last one.
    pub fn failures(&self) -> u32 {
        self.judge.failures()
    }

    /// What has to survive a restart.
    pub fn save(&self) -> Saved {
        Saved {
            judge: self.judge.clone(),
            incident: self.incident().cloned(),
            announced: self.open.as_ref().is_some_and(|open| open.told == Told::Yes),
            pause: self.pause,
            muted_until: self.muted_until,
        }
    }

    /// Takes one result.
    pub(crate) fn observe(&mut self, result: Arc<CheckResult>) -> Verdict {
        let verdict = self.judge.observe(self.member.policy, &result);
        self.observed = true;
        if let Some(open) = &mut self.open
            && result.status == Status::Unhealthy
        {
            open.incident.checks_failed += 1;
        }
        self.last = Some(result);
        verdict
    }

    /// Brings the shown status up to date; the one before and after if it
    /// changed.
    pub(crate) fn show(
        &mut self,
        all_paused: bool,
        at: Timestamp,
    ) -> Option<(ServiceStatus, ServiceStatus)> {
        let to = self.judged(all_paused);
        let from = std::mem::replace(&mut self.status, to);
        if from == to {
            return None;
        }
        self.since = Some(at);
        Some((from, to))
    }

    pub(crate) fn judged(&self, all_paused: bool) -> ServiceStatus {
        if all_paused || self.pause.is_some() {
            ServiceStatus::Paused
        } else if self.observed {
            self.judge.status()
        } else {
            ServiceStatus::Unknown
        }
    }

    pub(crate) fn link(&self) -> Link {
        match self.status {
            // Also while it is not looked at: what it caused is not over.
            _ if self.open.is_some() => Link::Down,
            ServiceStatus::Healthy | ServiceStatus::Degraded => Link::Up,
            ServiceStatus::Unhealthy => Link::Down,
            ServiceStatus::Unknown | ServiceStatus::Paused => Link::Unknown,
        }
    }

    /// It may be about to turn out as the cause of what began at `since`: it is
    /// failing unconfirmed, or was not looked at since. What is known to be down
    /// has turned out already.
    pub(crate) fn is_suspect(&self, since: Timestamp) -> bool {
        let looked_at = self.last.as_ref().is_some_and(|last| last.at >= since);
        let observable = self.observed && self.status != ServiceStatus::Paused;
        observable && self.open.is_none() && (self.is_failing() || !looked_at)
    }
}

/// What of a service survives a restart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    judge: Judge,
    /// Its open incident.
    pub incident: Option<Incident>,
    announced: bool,
    pause: Option<Pause>,
    muted_until: Option<Timestamp>,
}
