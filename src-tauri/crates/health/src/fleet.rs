mod agenda;
mod settle;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::agenda::Agenda;
use self::tally::Standing;
pub(crate) use self::tally::Tally;
use crate::event::Event;
use crate::graph::{DependencyGraph, Link};
use crate::id::ServiceId;
use crate::incident::{Incident, IncidentId};
use crate::notice::Notice;
use crate::result::CheckResult;
use crate::roll::Roll;
use crate::service::{Member, Open, Pause, Saved, ServiceState, Told};
use crate::status::ServiceStatus;
use crate::time::Timestamp;

/// What came of time passing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tick {
    /// What happened.
    pub events: Vec<Event>,
    /// Whose mute has ended.
    pub unmuted: Vec<ServiceId>,
}

/// All services under judgement: results go in one after the other, events
/// come out. Holds every rule that looks at more than one service.
///
/// What a result costs does not depend on how many services there are: every
/// change goes through [`Fleet::change`], which keeps count ([`Tally`]) and
/// notes who has to be looked at because of it ([`Agenda`]).
#[derive(Debug, Clone)]
pub struct Fleet {
    services: Roll<ServiceState>,
    graph: DependencyGraph,
    tally: Tally,
    agenda: Agenda,
    next_incident: IncidentId,
    pause_all: Option<Pause>,
    /// Saved services that are not members, for when they are.
    absent: BTreeMap<ServiceId, Saved>,
}

impl Fleet {
    /// The fleet as it was saved: open incidents go on, everything else is
    /// unknown until its first result. `next_incident` is the number the next
    /// incident gets.
    pub fn new(
        members: Vec<Member>,
        saved: BTreeMap<ServiceId, Saved>,
        pause_all: Option<Pause>,
        next_incident: IncidentId,
        now: Timestamp,
    ) -> Self {
        let mut fleet = Self {
            services: Roll::default(),
            graph: DependencyGraph::default(),
            tally: Tally::default(),
            agenda: Agenda::default(),
            next_incident,
            pause_all: pause_all.filter(|pause| !pause.is_over(now)),
            absent: saved,
        };
        fleet.admit(members, now);
        fleet
    }

    /// Every service, by id.
    pub fn services(&self) -> impl Iterator<Item = &ServiceState> {
        self.services.values()
    }

    /// One service.
    pub fn service(&self, id: &ServiceId) -> Option<&ServiceState> {
        self.services.get(id)
    }

    /// Every open incident, by service.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.tally.open().filter_map(|id| self.services.get(id)?.incident())
    }

    /// Who depends on whom.
    pub fn graph(&self) -> &DependencyGraph {
        &self.graph
    }

    /// Everything is paused.
    pub fn pause_all(&self) -> Option<Pause> {
        self.pause_all
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Takes the services of a changed config: who stays keeps its judgement,
    /// who is gone has its incident resolved without a word.
    pub fn reconfigure(&mut self, members: Vec<Member>, now: Timestamp) -> Vec<Event> {
        let old_graph = std::mem::take(&mut self.graph);
        let gone = self.admit(members, now);
        let mut events = Vec::new();
        for (id, state) in gone {
            if let Some(Open { incident, .. }) = state.open {
                let incident = Incident { resolved_at: Some(now), ..incident };
                let affected = old_graph.affected_by(&id).into_iter().collect();
                events.push(Event::IncidentResolved { incident, affected });
            }
        }
        self.settle(now, &mut events);
        events
    }

    /// Makes these the services; returns those that were and are no longer.
    fn admit(&mut self, members: Vec<Member>, now: Timestamp) -> Roll<ServiceState> {
        let all_paused = self.pause_all.is_some();
        let mut before = std::mem::take(&mut self.services);
        self.graph = graph_of(&members);
        self.tally = Tally::default();
        for member in members {
            let id = member.id.clone();
            let state = match before.remove(&id) {
                Some(state) => ServiceState { member, ..state },
                None => ServiceState::new(member, self.absent.remove(&id), all_paused, now),
            };
            self.tally.add(&id, Standing::from(&state));
            self.agenda.now(&id);
            let ends = [state.pause.and_then(|pause| pause.until), state.muted_until];
            ends.into_iter().flatten().for_each(|end| self.agenda.at(end, &id));
            self.services.insert(id, state);
        }
        before
    }

    /// Takes one result, known at `now`. A result of a service that is paused
    /// or gone is dropped: it was asked for before.
    pub fn observe(
        &mut self,
        id: &ServiceId,
        result: Arc<CheckResult>,
        now: Timestamp,
    ) -> Vec<Event> {
        let all_paused = self.pause_all.is_some();
        let mut events = Vec::new();
        let observed = self.change(id, |state| {
            (state.judged(all_paused) != ServiceStatus::Paused).then(|| {
                let verdict = state.observe(result.clone());
                (verdict, state.show(all_paused, now))
            })
        });
        let Some((verdict, shown)) = observed.flatten() else { return events };
        events.push(Event::Result { service: id.clone(), result });
        events.extend(status_changed(id, now, shown));
        if verdict.opened {
            self.open(id, now, &mut events);
        }
        if verdict.resolved {
            self.resolve(id, now, &mut events);
        }
        if let Some(started) = verdict.flapping {
            self.flapping(id, started, now, &mut events);
        }
        self.settle(now, &mut events);
        events
    }

    /// These services can not be observed now (asleep, offline): they show
    /// unknown, and failures not yet believed are forgotten.
    pub fn lose_sight(&mut self, ids: &BTreeSet<ServiceId>, now: Timestamp) -> Vec<Event> {
        let all_paused = self.pause_all.is_some();
        let mut events = Vec::new();
        for id in ids {
            let shown = self.change(id, |state| {
                state.observed = false;
                state.judge.forget_runs();
                state.show(all_paused, now)
            });
            events.extend(status_changed(id, now, shown.flatten()));
        }
        self.settle(now, &mut events);
        events
    }

    /// For a while nothing could be observed: what is shown stays, and failures
    /// not yet believed are forgotten, as nobody knows what was between them.
    pub fn interrupted(&mut self, now: Timestamp) -> Vec<Event> {
        let ids: Vec<_> = self.services.ids().cloned().collect();
        for id in ids {
            self.change(&id, |state| state.judge.forget_runs());
        }
        let mut events = Vec::new();
        self.settle(now, &mut events);
        events
    }

    /// Pauses one service, or all.
    pub fn pause(&mut self, id: Option<&ServiceId>, pause: Pause, now: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        self.set_pause(id, Some(pause), now, &mut events);
        self.settle(now, &mut events);
        events
    }

    /// Resumes one service, or all; what was paused singly stays so.
    pub fn resume(&mut self, id: Option<&ServiceId>, now: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        self.set_pause(id, None, now, &mut events);
        self.settle(now, &mut events);
        events
    }

    fn set_pause(
        &mut self,
        id: Option<&ServiceId>,
        pause: Option<Pause>,
        now: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let before = match id {
            None => std::mem::replace(&mut self.pause_all, pause),
            Some(id) => {
                let Some(before) =
                    self.change(id, |state| std::mem::replace(&mut state.pause, pause))
                else {
                    return;
                };
                if let Some(until) = pause.and_then(|pause| pause.until) {
                    self.agenda.at(until, id);
                }
                before
            }
        };
        let changed = before.is_some() != pause.is_some();
        if !changed {
            return;
        }
        let paused = pause.is_some();
        events.push(Event::PauseChanged { at: now, service: id.cloned(), paused });
        let all_paused = self.pause_all.is_some();
        let touched =
            id.map_or_else(|| self.services.ids().cloned().collect(), |id| vec![id.clone()]);
        for id in touched {
            let shown = self.change(&id, |state| {
                state.judge.wake();
                state.show(all_paused, now)
            });
            events.extend(status_changed(&id, now, shown.flatten()));
        }
    }

    /// Leaves a service out of announcements and of the overall status until
    /// then; `None` lets it speak again.
    pub fn mute(&mut self, id: &ServiceId, until: Option<Timestamp>, now: Timestamp) -> Vec<Event> {
        let until = until.filter(|until| *until > now);
        if self.change(id, |state| state.muted_until = until).is_some()
            && let Some(until) = until
        {
            self.agenda.at(until, id);
        }
        let mut events = Vec::new();
        self.settle(now, &mut events);
        events
    }

    /// Time passed: ends pauses and mutes, announces what has waited enough.
    pub fn tick(&mut self, now: Timestamp) -> Tick {
        let (mut events, mut unmuted) = (Vec::new(), Vec::new());
        if self.pause_all.is_some_and(|pause| pause.is_over(now)) {
            self.set_pause(None, None, now, &mut events);
        }
        for id in self.agenda.time_passed(now) {
            let Some(state) = self.services.get(&id) else { continue };
            if state.pause.is_some_and(|pause| pause.is_over(now)) {
                self.set_pause(Some(&id), None, now, &mut events);
            }
            let speaks_again = self
                .change(&id, |state| state.muted_until.take_if(|until| *until <= now).is_some());
            self.agenda.now(&id);
            if speaks_again == Some(true) {
                unmuted.push(id);
            }
        }
        self.settle(now, &mut events);
        Tick { events, unmuted }
    }

    /// When [`Fleet::tick`] has something to do next.
    pub fn next_tick(&self) -> Option<Timestamp> {
        let resume = self.pause_all.and_then(|pause| pause.until);
        [resume, self.agenda.next()].into_iter().flatten().min()
    }

    /// The only way to change a service. Those that a change concerns are on
    /// the agenda afterwards: itself, who waits for news of it, and where its
    /// link changed, who depends on it.
    fn change<R>(
        &mut self,
        id: &ServiceId,
        change: impl FnOnce(&mut ServiceState) -> R,
    ) -> Option<R> {
        let state = self.services.get_mut(id)?;
        let before = Standing::from(&*state);
        let done = change(state);
        let after = Standing::from(&*state);
        self.agenda.news_of(id);
        if before != after {
            self.tally.remove(id, before);
            self.tally.add(id, after);
            self.agenda.now(id);
        }
        if before.link != after.link {
            for dependant in self.graph.affected_by(id) {
                if self.services.get(&dependant).is_some_and(|state| state.open.is_some()) {
                    self.agenda.now(&dependant);
                }
            }
        }
        Some(done)
    }

    fn open(&mut self, id: &ServiceId, at: Timestamp, events: &mut Vec<Event>) {
        let cause = self.first_cause_of(id);
        let number = self.next_incident;
        let opened = self.change(id, |state| {
            let first_failure = state.judge.first_failure().cloned()?;
            let incident = Incident {
                id: number,
                service: state.member.id.clone(),
                started_at: first_failure.at,
                detected_at: at,
                resolved_at: None,
                checks_failed: u64::from(state.judge.failures()),
                caused_by: cause,
                first_failure,
                last_good: state.judge.last_good().cloned(),
            };
            state.open = Some(Open { incident: incident.clone(), told: Told::NO });
            Some(incident)
        });
        let Some(incident) = opened.flatten() else { return };
        self.next_incident += 1;
        let affected = self.affected_by(id);
        events.push(Event::IncidentOpened { incident, affected: affected.clone() });
        // It may be the cause of older ones.
        for dependant in affected {
            if self.services.get(&dependant).is_some_and(|state| state.open.is_some())
                && let Some(cause) = self.first_cause_of(&dependant)
            {
                self.explain(&dependant, Some(cause), at, events);
            }
        }
    }

    fn resolve(&mut self, id: &ServiceId, at: Timestamp, events: &mut Vec<Event>) {
        let affected = self.affected_by(id);
        let resolved = self.change(id, |state| {
            let Open { incident, told } = state.open.take()?;
            let incident = Incident { resolved_at: Some(at), ..incident };
            let quiet = state.is_muted() || state.is_flapping();
            let notice = (told == Told::Yes && !quiet)
                .then(|| Notice::recovered(&state.member.name, &incident, affected.len()));
            Some((incident, notice))
        });
        let Some((incident, notice)) = resolved.flatten() else { return };
        events.extend(notice.map(Event::Announced));
        // What was announced on its own and then explained by `id` stands on
        // its own again; what was not is left to `settle`.
        for dependant in &affected {
            let state = self.services.get(dependant);
            if state.and_then(|state| state.open.as_ref()).is_some_and(|open| {
                open.told == Told::Yes && open.incident.caused_by.as_ref() == Some(id)
            }) {
                let next = self.first_cause_of(dependant);
                self.explain(dependant, next, at, events);
            }
        }
        events.push(Event::IncidentResolved { incident, affected });
    }

    /// Names another cause of an open incident.
    fn explain(
        &mut self,
        id: &ServiceId,
        cause: Option<ServiceId>,
        at: Timestamp,
        events: &mut Vec<Event>,
    ) {
        let changed = self.change(id, |state| {
            let incident = &mut state.open.as_mut()?.incident;
            if incident.caused_by == cause {
                return None;
            }
            incident.caused_by = cause;
            Some(incident.clone())
        });
        if let Some(incident) = changed.flatten() {
            events.push(Event::CauseChanged { at, incident });
        }
    }

    fn flapping(&mut self, id: &ServiceId, started: bool, at: Timestamp, events: &mut Vec<Event>) {
        let Some(state) = self.services.get(id) else { return };
        let service = id.clone();
        if !started {
            events.push(Event::FlappingStopped { at, service });
            return;
        }
        events.push(Event::FlappingStarted { at, service });
        if !state.is_muted() {
            let notice = Notice::flapping(at, id, &state.member.name, state.judge.changes());
            events.push(Event::Announced(notice));
        }
    }

    /// The cause that is down now; of several, the one that failed first.
    fn first_cause_of(&self, id: &ServiceId) -> Option<ServiceId> {
        let began = |id: &ServiceId| {
            self.services.get(id).and_then(ServiceState::incident).map(|i| i.started_at)
        };
        self.graph.causes_of(id, |id| self.link(id)).into_iter().min_by_key(began)
    }

    fn link(&self, id: &ServiceId) -> Link {
        self.services.get(id).map_or(Link::Unknown, ServiceState::link)
    }

    fn affected_by(&self, id: &ServiceId) -> Vec<ServiceId> {
        self.graph.affected_by(id).into_iter().collect()
    }
}

fn status_changed(
    id: &ServiceId,
    at: Timestamp,
    shown: Option<(ServiceStatus, ServiceStatus)>,
) -> Option<Event> {
    shown.map(|(from, to)| Event::StatusChanged { at, service: id.clone(), from, to })
}

fn graph_of(members: &[Member]) -> DependencyGraph {
    let known: BTreeSet<_> = members.iter().map(|member| &member.id).collect();
    let edges: Vec<(&ServiceId, Vec<ServiceId>)> = members
        .iter()
        .map(|m| (&m.id, m.depends_on.iter().filter(|id| known.contains(id)).cloned().collect()))
        .collect();
    DependencyGraph::new(edges.iter().map(|(id, depends_on)| (*id, depends_on.as_slice())))
        .unwrap_or_default()
}
