//! What checks are told about the moment: the status of others, and what
//! services reported of themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use health::{ServiceId, Timestamp};
use probe::{Context, Listening, Received, Report};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Watcher;
use crate::target::Target;

/// The last report of each service, and since when each could come.
#[derive(Debug)]
pub(super) struct Reports {
    listening: Listens,
    services: BTreeMap<ServiceId, Reporting>,
}

#[derive(Debug)]
enum Listens {
    NotYet,
    Since(Instant),
    Failed(String),
}

/// A service that reports in.
#[derive(Debug)]
struct Reporting {
    /// It is known, and not paused, since then.
    since: Instant,
    last: Option<Arrived>,
}

/// A report as it is kept over a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arrived {
    report: Report,
    at: Timestamp,
    /// No check has seen it.
    #[serde(skip)]
    is_new: bool,
}

impl Reports {
    pub(super) const fn new() -> Self {
        Self { listening: Listens::NotYet, services: BTreeMap::new() }
    }

    /// From `now` on reports can come in, or they cannot for a reason.
    fn listen(&mut self, listening: Result<(), String>, now: Instant) {
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

    /// The service can report from now on; `last` is what it reported before.
    pub(super) fn expect(&mut self, id: &ServiceId, last: Option<Arrived>) {
        let since = Instant::now();
        let reporting = self.services.entry(id.clone()).or_insert(Reporting { since, last: None });
        reporting.since = since;
        reporting.last = last.or(reporting.last.take());
    }

    pub(super) fn forget(&mut self, id: &ServiceId) {
        self.services.remove(id);
    }

    fn listening(&self, id: &ServiceId) -> Listening {
        match &self.listening {
            Listens::NotYet => Listening::Nowhere,
            Listens::Since(since) => {
                let known = self.services.get(id).map_or(*since, |reporting| reporting.since);
                Listening::For(known.max(*since).elapsed())
            }
            Listens::Failed(reason) => Listening::Failed(reason.clone()),
        }
    }

    fn take(&mut self, id: &ServiceId, now: Timestamp) -> Option<Received> {
        let arrived = self.services.get_mut(id)?.last.as_mut()?;
        let ago = Duration::from_millis(u64::try_from(now.since(arrived.at)).unwrap_or(0));
        let is_new = std::mem::take(&mut arrived.is_new);
        Some(Received { report: arrived.report.clone(), ago, is_new })
    }
}

impl Watcher {
    /// What a check of `target` is told.
    pub(super) fn context(&mut self, target: &Target) -> Context {
        let member = |id: &ServiceId| {
            let state = self.fleet.service(id)?;
            let name = self.targets.get(id)?.member.name.clone();
            Some((id.clone(), (name, state.status)))
        };
        let members = target.probe.members().iter().filter_map(member).collect();
        let now = self.surroundings.clock.now();
        let listening = self.reports.listening(target.id());
        Context { members, report: self.reports.take(target.id(), now), listening }
    }

    /// Takes a report and looks at it at once.
    pub(super) fn reported(&mut self, id: &ServiceId, report: Report) {
        if self.targets.get(id).is_none_or(|target| target.probe.token().is_none()) {
            return;
        }
        let arrived = Arrived { report, at: self.surroundings.clock.now(), is_new: true };
        self.save_json(&format!("report/{id}"), &arrived);
        self.reports.expect(id, Some(arrived));
        self.check(id);
    }

    /// Looks at who reports in as soon as somebody listens, or cannot.
    pub(super) fn listen(&mut self, listening: Result<(), String>) {
        self.reports.listen(listening, Instant::now());
        let reporting = |target: &&Target| target.probe.token().is_some();
        let ids: Vec<_> = self.targets.values().filter(reporting).map(|t| t.id().clone()).collect();
        self.hasten(&ids);
    }

    /// Nobody reports while it is paused.
    pub(super) fn expect_reports_of(&mut self, resumed: &[ServiceId]) {
        for id in resumed {
            if self.targets.get(id).is_some_and(|target| target.probe.token().is_some()) {
                self.reports.expect(id, None);
            }
        }
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
            self.check(&group);
        }
    }
}
