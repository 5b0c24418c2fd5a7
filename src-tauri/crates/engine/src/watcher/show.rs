//! What came of it: written down, told, and shown.

use std::collections::BTreeSet;
use std::sync::Arc;

use health::{CheckResult, Event, Moment, ServiceId};

use super::{Effect, Watcher};
use crate::past::Change;
use crate::snapshot::Snapshot;

impl Watcher {
    /// Passes events on: to the history, to everyone who listens, and what
    /// people are told about once it is on the disk.
    pub(super) fn spread(&mut self, events: Vec<Event>, now: Moment) {
        let mut notices = Vec::new();
        let mut incidents = Vec::new();
        let mut changed = BTreeSet::new();
        for event in events {
            match &event {
                Event::Result { service, result } => self.record(service, result),
                Event::StatusChanged { service, .. } => {
                    changed.insert(service.clone());
                    self.check_groups_of(service, now);
                }
                Event::FlappingStarted { service, .. } | Event::FlappingStopped { service, .. } => {
                    changed.insert(service.clone());
                }
                Event::IncidentOpened { incident, .. }
                | Event::CauseChanged { incident, .. }
                | Event::IncidentResolved { incident, .. } => {
                    changed.insert(incident.service.clone());
                    incidents.push(incident.clone());
                }
                Event::Announced(notice) => {
                    changed.insert(notice.service.clone());
                    notices.push(event);
                    continue;
                }
                Event::PauseChanged { service, paused, .. } => {
                    self.pause_changed(service.as_ref(), *paused, now);
                    changed.extend(service.clone());
                }
                Event::ConnectivityChanged { .. } => {}
            }
            self.effects.push(Effect::Tell(event));
        }
        for id in changed {
            self.touch(&id);
        }
        let last = incidents.pop();
        self.effects.extend(incidents.into_iter().map(Effect::SaveIncident));
        if last.is_some() || !notices.is_empty() {
            self.effects.push(Effect::Announce { after: last, notices });
        }
    }

    fn pause_changed(&mut self, id: Option<&ServiceId>, paused: bool, now: Moment) {
        if id.is_none() {
            self.save_pause();
        }
        if !paused {
            let resumed = id.map_or_else(|| self.ids(), |id| vec![id.clone()]);
            self.expect_reports_of(&resumed, now);
            for id in resumed {
                self.schedule.hasten(&id, now.running);
            }
        }
    }

    pub(super) fn save_pause(&mut self) {
        self.stale = true;
        self.effects.push(Effect::Save(Change::PauseAll(self.fleet.pause_all())));
    }

    fn record(&mut self, id: &ServiceId, result: &Arc<CheckResult>) {
        let Some(watched) = self.services.get_mut(id) else { return };
        watched.push_bar(result);
        let (service, result, hold) = (id.clone(), result.clone(), watched.target.hold());
        self.effects.push(Effect::Record { service, result, hold });
        self.touched.insert(id.clone());
    }

    /// Groups follow their members at once.
    fn check_groups_of(&mut self, member: &ServiceId, now: Moment) {
        let Some(watched) = self.services.get(member) else { return };
        for group in watched.groups.clone() {
            self.check(&group, now);
        }
    }

    /// The service changed in a way that has to be shown and saved.
    pub(super) fn touch(&mut self, id: &ServiceId) {
        if let Some(state) = self.fleet.service(id) {
            let change = Change::Service(id.clone(), Box::new(state.save()));
            self.effects.push(Effect::Save(change));
            self.touched.insert(id.clone());
        }
    }

    /// What is shown is out of date.
    pub fn is_stale(&self) -> bool {
        self.stale || !self.touched.is_empty()
    }

    /// Everything as it stands; only what changed since the last one is made anew.
    pub fn snapshot(&mut self, now: Moment) -> Snapshot {
        self.stale = false;
        for id in std::mem::take(&mut self.touched) {
            if let (Some(state), Some(watched)) = (self.fleet.service(&id), self.services.get(&id))
                && let Some(view) = self.views.get_mut(watched.place)
            {
                *view = Arc::new(watched.view(state));
            }
        }
        let unobserved = self.sight.horizon().reason().filter(|_| self.hides_something());
        let mut incidents: Vec<_> = self.fleet.incidents().cloned().collect();
        incidents.sort_by_key(|i| (i.caused_by.is_some(), i.started_at, i.id));
        Snapshot {
            at: now.wall,
            summary: self.fleet.summary(unobserved.is_some()),
            services: self.views.clone(),
            incidents,
            pause: self.fleet.pause_all(),
            unobserved: unobserved.map(str::to_owned),
            storage_problem: self.storage_problem.clone(),
        }
    }

    fn hides_something(&self) -> bool {
        let horizon = self.sight.horizon();
        horizon.reason().is_some() && self.services.values().any(|w| horizon.hides(w.reach))
    }
}
