//! From what is believed to what is looked at next.

use std::time::Duration;

use health::{Event, Moment, Seen, ServiceId};

use super::{UnderWay, Watcher};

/// However many depend on a service, it is not looked at more often because of
/// them.
const LOOKS_APART: Duration = Duration::from_secs(1);

impl Watcher {
    pub(super) fn judge(&mut self, seen: Seen, now: Moment) {
        let id = seen.service;
        let events = self.fleet.observe(&id, seen.result, now.wall);
        let affected: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::IncidentOpened { affected, .. } => Some(affected.clone()),
                _ => None,
            })
            .flatten()
            .collect();
        self.spread(events, now);
        self.confirm(&id, now);
        self.look_at(&affected, now);
    }

    /// Looks again soon at a change that is not believed yet, and at once at
    /// what may be its cause.
    fn confirm(&mut self, id: &ServiceId, now: Moment) {
        let (Some(state), Some(watched)) = (self.fleet.service(id), self.services.get(id)) else {
            return;
        };
        if state.is_unsettled() {
            self.schedule.set(id, now.running + watched.target.retry_every);
        }
        if state.is_failing() && state.failures() == 1 {
            let upstream: Vec<_> = self.fleet.graph().upstream_of(id).into_iter().collect();
            self.look_at(&upstream, now);
        }
    }

    /// Hastens what may have changed unseen. What is being looked at, or waits
    /// to be believed, is left to its own pace: failures a moment apart would
    /// confirm nothing. What is known to be down needs no proof.
    fn look_at(&mut self, ids: &[ServiceId], now: Moment) {
        for id in ids {
            let (Some(state), Some(watched)) = (self.fleet.service(id), self.services.get(id))
            else {
                continue;
            };
            let is_calm = watched.under_way == UnderWay::No
                && !state.is_unsettled()
                && state.incident().is_none();
            if is_calm {
                let next = watched.asked.map_or(now.running, |asked| asked + LOOKS_APART);
                self.schedule.hasten(id, next.max(now.running));
            }
        }
    }
}
