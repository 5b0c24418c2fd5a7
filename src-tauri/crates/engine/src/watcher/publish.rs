//! What came of it: written down, then told.

use std::sync::Arc;

use health::{Event, Incident, ServiceId};

use super::Watcher;
use crate::sight::Sight;
use crate::snapshot::{ServiceView, Snapshot, push_bar};

impl Watcher {
    /// Writes events down, then tells everyone; what people are told about
    /// waits until it is on the disk.
    pub(super) fn apply(&mut self, events: Vec<Event>) {
        let mut announcements = Vec::new();
        let mut incidents = Vec::new();
        let mut changed = Vec::new();
        for event in events {
            match &event {
                Event::Result { service, result } => {
                    self.record(service, result);
                    self.touched.insert(service.clone());
                }
                Event::StatusChanged { service, .. } => {
                    self.touch(Some(service));
                    changed.push(service.clone());
                }
                Event::FlappingStarted { service, .. } | Event::FlappingStopped { service, .. } => {
                    self.touch(Some(service));
                }
                Event::IncidentOpened { incident, .. }
                | Event::CauseChanged { incident, .. }
                | Event::IncidentResolved { incident, .. } => {
                    incidents.push(incident.clone());
                    self.touch(Some(&incident.service));
                }
                Event::Announced(notice) => {
                    self.touch(Some(&notice.service));
                    announcements.push(event);
                    continue;
                }
                Event::PauseChanged { service, paused, .. } => {
                    self.touch(service.as_ref());
                    self.save_pause();
                    if !paused {
                        let resumed =
                            service.clone().map_or_else(|| self.order.clone(), |id| vec![id]);
                        self.expect_reports_of(&resumed);
                        self.hasten(&resumed);
                    }
                }
                Event::ConnectivityChanged { .. } => {}
            }
            self.tell(event);
        }
        self.write_incidents(incidents, announcements);
        self.check_groups_of(&changed);
    }

    fn write_incidents(&self, mut incidents: Vec<Incident>, announcements: Vec<Event>) {
        let Some(last) = incidents.pop() else {
            for event in announcements {
                self.tell(event);
            }
            return;
        };
        for incident in incidents {
            self.writer.save_incident(incident);
        }
        let events = self.events.clone();
        self.writer.save_incident_then(last, move |_| {
            for event in announcements {
                // Nobody listens: nobody to tell.
                let _ = events.send(event);
            }
        });
    }

    fn record(&mut self, id: &ServiceId, result: &health::CheckResult) {
        let Some(target) = self.targets.get(id) else { return };
        self.writer.record(id.clone(), result.clone(), target.hold());
        if let Some(view) = self.views.get_mut(id) {
            push_bar(&mut Arc::make_mut(view).bars, result, target.every);
        }
    }

    fn tell(&self, event: Event) {
        // Nobody listens: nobody to tell.
        let _ = self.events.send(event);
    }

    fn changed(&self) -> bool {
        self.stale
            || !self.touched.is_empty()
            || self.published.borrow().storage_problem != self.storage_problem()
    }

    /// The service, or all, changed in a way that has to be shown and saved.
    pub(super) fn touch(&mut self, id: Option<&ServiceId>) {
        let ids = id.map_or_else(|| self.order.clone(), |id| vec![id.clone()]);
        for id in ids {
            self.save(&id);
            self.touched.insert(id);
        }
    }

    pub(super) fn save(&self, id: &ServiceId) {
        if let Some(state) = self.fleet.service(id) {
            self.save_json(&format!("service/{id}"), &state.save());
        }
    }

    fn save_pause(&self) {
        self.save_json("pause_all", &self.fleet.pause_all());
    }

    pub(super) fn save_json(&self, key: &str, value: &impl serde::Serialize) {
        match serde_json::to_value(value) {
            Ok(value) => self.writer.save_state(key, &value),
            Err(error) => tracing::error!(%error, key, "state can not be saved"),
        }
    }

    pub(super) fn publish(&mut self) {
        if !self.changed() {
            return;
        }
        self.stale = false;
        for id in std::mem::take(&mut self.touched) {
            if let (Some(target), Some(state), Some(view)) =
                (self.targets.get(&id), self.fleet.service(&id), self.views.get_mut(&id))
            {
                let bars = std::mem::take(&mut Arc::make_mut(view).bars);
                let unseen = self.unseen.get(&id).map(String::as_str);
                *view = Arc::new(ServiceView::new(target, state, unseen, bars));
            }
        }
        let unobserved = self.sight.reason().filter(|_| self.hides_something());
        let mut incidents: Vec<_> =
            self.fleet.services().filter_map(|state| state.incident.clone()).collect();
        incidents.sort_by_key(|i| (i.caused_by.is_some(), i.started_at, i.id));
        let snapshot = Snapshot {
            at: self.surroundings.clock.now(),
            summary: self.fleet.summary(unobserved.is_some()),
            services: self.order.iter().filter_map(|id| self.views.get(id).cloned()).collect(),
            incidents,
            pause: self.fleet.pause_all(),
            unobserved: unobserved.map(str::to_owned),
            storage_problem: self.storage_problem(),
        };
        self.published.send_replace(Arc::new(snapshot));
    }

    fn storage_problem(&self) -> Option<String> {
        self.writer.problem().map(|problem| format!("{problem}: {}", problem.help))
    }

    fn hides_something(&self) -> bool {
        self.sight != Sight::Clear && self.targets.keys().any(|id| self.sight.hides(self.reach(id)))
    }
}
