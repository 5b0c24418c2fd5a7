//! What checks are told about the moment: the status of others, and what
//! services reported of themselves.

use std::collections::{BTreeMap, BTreeSet};

use health::ServiceId;
use probe::{Context, Listening, Received, Report};
use tokio::time::Instant;

use super::Watcher;
use crate::target::Target;

/// The last report of each service, and since when they could come.
#[derive(Debug)]
pub(super) struct Reports {
    listening: Listens,
    last: BTreeMap<ServiceId, Arrived>,
}

#[derive(Debug)]
enum Listens {
    NotYet,
    Since(Instant),
    Failed(String),
}

#[derive(Debug)]
struct Arrived {
    report: Report,
    at: Instant,
    is_new: bool,
}

impl Reports {
    pub(super) const fn new() -> Self {
        Self { listening: Listens::NotYet, last: BTreeMap::new() }
    }

    /// From `now` on reports can come in, or they cannot for a reason.
    pub(super) fn listen(&mut self, listening: Result<(), String>, now: Instant) {
        self.listening = match listening {
            Ok(()) => Listens::Since(now),
            Err(reason) => Listens::Failed(reason),
        };
    }

    /// Nobody could report before `now`.
    pub(super) const fn slept_until(&mut self, now: Instant) {
        if let Listens::Since(since) = &mut self.listening {
            *since = now;
        }
    }

    fn listening(&self) -> Listening {
        match &self.listening {
            Listens::NotYet => Listening::Nowhere,
            Listens::Since(since) => Listening::For(since.elapsed()),
            Listens::Failed(reason) => Listening::Failed(reason.clone()),
        }
    }

    /// A check has seen the service's report.
    pub(super) fn seen(&mut self, id: &ServiceId) {
        if let Some(arrived) = self.last.get_mut(id) {
            arrived.is_new = false;
        }
    }

    pub(super) fn forget(&mut self, id: &ServiceId) {
        self.last.remove(id);
    }
}

impl Watcher {
    pub(super) fn context(&self, target: &Target) -> Context {
        let member = |id: &ServiceId| {
            let state = self.fleet.service(id)?;
            let name = self.targets.get(id)?.member.name.clone();
            Some((id.clone(), (name, state.status)))
        };
        let report = self.reports.last.get(target.id()).map(|arrived| Received {
            report: arrived.report.clone(),
            ago: arrived.at.elapsed(),
            is_new: arrived.is_new,
        });
        Context {
            members: target.probe.members().iter().filter_map(member).collect(),
            report,
            listening: self.reports.listening(),
        }
    }

    /// Takes a report and looks at it at once.
    pub(super) fn reported(&mut self, id: &ServiceId, report: Report) {
        if self.targets.get(id).is_some_and(|target| target.probe.token().is_some()) {
            let arrived = Arrived { report, at: Instant::now(), is_new: true };
            self.reports.last.insert(id.clone(), arrived);
            self.checks.cancel(id);
            self.check(id);
        }
    }

    /// Looks at who reports in as soon as somebody listens, or cannot.
    pub(super) fn listen(&mut self, listening: Result<(), String>) {
        self.reports.listen(listening, Instant::now());
        let reporting = |target: &&Target| target.probe.token().is_some();
        let ids: Vec<_> = self.targets.values().filter(reporting).map(|t| t.id().clone()).collect();
        self.hasten(&ids);
    }

    /// The service is no longer known, and nobody is to blame.
    pub(super) fn saw_nothing(&mut self, id: &ServiceId, reason: String) {
        let before = self.unseen.insert(id.clone(), reason);
        if before.as_ref() != self.unseen.get(id) {
            self.touch(Some(id));
        }
        let now = self.surroundings.clock.now();
        let events = self.fleet.lose_sight(&BTreeSet::from([id.clone()]), now);
        self.apply(events);
    }

    /// Groups follow their members at once.
    pub(super) fn check_groups_of(&mut self, changed: &[ServiceId]) {
        let concerned =
            |target: &&Target| target.probe.members().iter().any(|id| changed.contains(id));
        let groups: Vec<_> =
            self.targets.values().filter(concerned).map(|group| group.id().clone()).collect();
        for group in groups {
            // One under way has seen the statuses of before.
            self.checks.cancel(&group);
            self.check(&group);
        }
    }
}
