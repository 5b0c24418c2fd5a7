//! What is announced, what waits, and what stays silent.

use super::Fleet;
use crate::event::Event;
use crate::id::ServiceId;
use crate::notice::{Affected, Notice};
use crate::service::{Open, ServiceState, Told};
use crate::status::ServiceStatus;
use crate::time::{Millis, Timestamp};

/// How long an announcement waits for dependencies that may be its cause.
const HOLD: Millis = 20_000;
/// How long after its cause a service may still be down before it is
/// announced on its own.
const ORPHAN_GRACE: Millis = 30_000;

impl Fleet {
    /// Looks at everyone on the agenda.
    pub(super) fn settle(&mut self, now: Timestamp, events: &mut Vec<Event>) {
        loop {
            let concerned = self.agenda.take();
            if concerned.is_empty() {
                return;
            }
            for id in concerned {
                self.consider(&id, now, events);
            }
        }
    }

    /// Decides about an open incident nobody has been told of:
    ///
    /// 1. A muted, paused, flapping or unobserved service stays silent for now.
    /// 2. While a cause of it is down, the cause speaks for it.
    /// 3. When its cause is up again, it has 30 s to follow before it is
    ///    announced on its own.
    /// 4. While a dependency is failing but not yet judged, or is not known to be
    ///    down and was not looked at since the incident began, it waits: the cause
    ///    may be about to show. At most 20 s.
    /// 5. Else it is announced.
    ///
    /// Who waits is on the agenda for what ends the wait: rules 1 and 2 for a
    /// change of its own or of a dependency's link, as everyone always is; 3
    /// and 4 for a time; 4 for news of the suspect as well.
    fn consider(&mut self, id: &ServiceId, now: Timestamp, events: &mut Vec<Event>) {
        let Some(state) = self.services.get(id) else { return };
        let Some(Open { incident, told: Told::No { orphan_since } }) = &state.open else { return };
        if state.is_muted() || state.is_flapping() || state.status != ServiceStatus::Unhealthy {
            return;
        }
        let (began, hold) = (incident.started_at, incident.detected_at + HOLD);
        let was_caused = incident.caused_by.is_some();
        let is_caused = self.graph.is_caused(id, |id| self.link(id));
        let orphan_since = (was_caused && !is_caused).then(|| orphan_since.unwrap_or(now));
        self.remember(id, orphan_since);
        if is_caused {
            return;
        }
        if let Some(end) = orphan_since.map(|since| since + ORPHAN_GRACE)
            && now < end
        {
            return self.agenda.at(end, id);
        }
        if now < hold
            && let Some(suspect) = self.suspect_of(id, began)
        {
            self.agenda.at(hold, id);
            return self.agenda.after(&suspect, id);
        }
        self.announce(id, now, events);
    }

    /// No news to anybody else, so not a [`Fleet::change`].
    fn remember(&mut self, id: &ServiceId, orphan_since: Option<Timestamp>) {
        if let Some(open) = self.services.get_mut(id).and_then(|state| state.open.as_mut()) {
            open.told = Told::No { orphan_since };
        }
    }

    fn announce(&mut self, id: &ServiceId, now: Timestamp, events: &mut Vec<Event>) {
        let affected = self.graph.affected_by(id);
        let fails = |state: &ServiceState| state.open.is_some() || state.is_failing();
        let failing = affected.iter().filter(|id| self.services.get(id).is_some_and(fails)).count();
        let affected = Affected { all: affected.len(), failing };
        let still = self.services.get(id).is_some_and(|state| state.caused_by().is_some());
        self.explain(id, None, now, events);
        let notice = self.change(id, |state| {
            let open = state.open.as_mut()?;
            open.told = Told::Yes;
            let why = state.last.as_ref().unwrap_or(&open.incident.first_failure);
            let name = &state.member.name;
            Some(Notice::down(now, name, &open.incident, &why.message, still, affected))
        });
        events.extend(notice.flatten().map(Event::Announced));
    }

    /// A dependency that may be about to turn out as the cause of what began
    /// at `since`.
    fn suspect_of(&self, id: &ServiceId, since: Timestamp) -> Option<ServiceId> {
        let suspect =
            |id: &ServiceId| self.services.get(id).is_some_and(|state| state.is_suspect(since));
        self.graph.upstream_of(id).into_iter().find(suspect)
    }
}
