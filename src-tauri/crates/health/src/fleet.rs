use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::event::{Event, Notice, NoticeKind};
use crate::graph::{DependencyGraph, Link};
use crate::id::ServiceId;
use crate::incident::{Incident, IncidentId};
use crate::judge::{Judge, JudgePolicy};
use crate::result::CheckResult;
use crate::status::{ServiceStatus, Status};
use crate::time::{Millis, Timestamp};
use crate::words::{humanize, services};

/// How long an announcement waits for dependencies that may be its cause.
const HOLD: Millis = 20_000;
/// How long after its cause a service may still be down before it is
/// announced on its own.
const ORPHAN_GRACE: Millis = 30_000;

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
    fn is_over(self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
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
    pub last: Option<CheckResult>,
    /// Its open incident.
    pub incident: Option<Incident>,
    /// Paused by itself (not by "pause all").
    pub pause: Option<Pause>,
    /// Not announced, and not counted in the overall status, until then.
    pub muted_until: Option<Timestamp>,
    judge: Judge,
    observed: bool,
    announced: bool,
    /// Since when none of its causes is down any more.
    orphan_since: Option<Timestamp>,
}

impl ServiceState {
    fn new(member: Member, saved: Option<Saved>, now: Timestamp) -> Self {
        let saved = saved.unwrap_or_default();
        let mut judge = saved.judge;
        judge.wake();
        Self {
            member,
            status: ServiceStatus::Unknown,
            since: saved.incident.as_ref().map(|incident| incident.detected_at),
            last: None,
            incident: saved.incident,
            pause: saved.pause.filter(|pause| !pause.is_over(now)),
            muted_until: saved.muted_until.filter(|until| *until > now),
            judge,
            observed: true,
            announced: saved.announced,
            orphan_since: None,
        }
    }

    /// The service with the incident that explains this one's.
    pub fn caused_by(&self) -> Option<&ServiceId> {
        self.incident.as_ref().and_then(|incident| incident.caused_by.as_ref())
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
            incident: self.incident.clone(),
            announced: self.announced,
            pause: self.pause,
            muted_until: self.muted_until,
        }
    }

    fn judged(&self, all_paused: bool) -> ServiceStatus {
        if all_paused || self.pause.is_some() {
            ServiceStatus::Paused
        } else if self.observed {
            self.judge.status()
        } else {
            ServiceStatus::Unknown
        }
    }

    fn link(&self) -> Link {
        match self.status {
            // Also while it is not looked at: what it caused is not over.
            _ if self.incident.is_some() => Link::Down,
            ServiceStatus::Healthy | ServiceStatus::Degraded => Link::Up,
            ServiceStatus::Unhealthy => Link::Down,
            ServiceStatus::Unknown | ServiceStatus::Paused => Link::Unknown,
        }
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

/// All services under judgement: results go in one after the other, events
/// come out. Holds every rule that looks at more than one service.
#[derive(Debug, Clone)]
pub struct Fleet {
    services: BTreeMap<ServiceId, ServiceState>,
    graph: DependencyGraph,
    /// Open incidents nobody has been told of, looked at whenever time passes
    /// or a result comes in.
    unannounced: BTreeSet<ServiceId>,
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
        mut saved: BTreeMap<ServiceId, Saved>,
        pause_all: Option<Pause>,
        next_incident: IncidentId,
        now: Timestamp,
    ) -> Self {
        let graph = graph_of(&members);
        let services: BTreeMap<_, _> = members
            .into_iter()
            .map(|member| {
                let saved = saved.remove(&member.id);
                (member.id.clone(), ServiceState::new(member, saved, now))
            })
            .collect();
        let unannounced = services
            .values()
            .filter(|s| s.incident.is_some() && !s.announced)
            .map(|s| s.member.id.clone())
            .collect();
        let pause_all = pause_all.filter(|pause| !pause.is_over(now));
        let mut fleet =
            Self { services, graph, unannounced, next_incident, pause_all, absent: saved };
        for state in fleet.services.values_mut() {
            state.status = state.judged(fleet.pause_all.is_some());
        }
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

    /// Who depends on whom.
    pub fn graph(&self) -> &DependencyGraph {
        &self.graph
    }

    /// Everything is paused.
    pub fn pause_all(&self) -> Option<Pause> {
        self.pause_all
    }

    /// Takes the services of a changed config: who stays keeps its judgement,
    /// who is gone has its incident resolved without a word.
    pub fn reconfigure(&mut self, members: Vec<Member>, now: Timestamp) -> Vec<Event> {
        let old_graph = std::mem::replace(&mut self.graph, graph_of(&members));
        let mut old = std::mem::take(&mut self.services);
        for member in members {
            let id = member.id.clone();
            let mut state = match old.remove(&id) {
                Some(state) => ServiceState { member, ..state },
                None => ServiceState::new(member, self.absent.remove(&id), now),
            };
            state.status = state.judged(self.pause_all.is_some());
            if state.incident.is_some() && !state.announced {
                self.unannounced.insert(id.clone());
            }
            self.services.insert(id, state);
        }
        let mut events = Vec::new();
        for (id, state) in old {
            self.unannounced.remove(&id);
            if let Some(incident) = state.incident {
                let incident = Incident { resolved_at: Some(now), ..incident };
                let affected = old_graph.affected_by(&id).into_iter().collect();
                events.push(Event::IncidentResolved { incident, affected });
            }
        }
        events.extend(self.settle(now));
        events
    }

    /// Takes one result, known at `now`. A result of a service that is paused
    /// or gone is dropped: it was asked for before.
    pub fn observe(&mut self, id: &ServiceId, result: CheckResult, now: Timestamp) -> Vec<Event> {
        let all_paused = self.pause_all.is_some();
        let Some(state) = self.services.get_mut(id) else { return Vec::new() };
        if state.judged(all_paused) == ServiceStatus::Paused {
            return Vec::new();
        }
        let mut events = vec![Event::Result { service: id.clone(), result: result.clone() }];
        let verdict = state.judge.observe(state.member.policy, &result);
        state.observed = true;
        if let Some(incident) = &mut state.incident
            && result.status == Status::Unhealthy
        {
            incident.checks_failed += 1;
        }
        state.last = Some(result);
        self.show(id, now, &mut events);
        if verdict.opened {
            self.open(id, now, &mut events);
        }
        if verdict.resolved {
            self.resolve(id, now, &mut events);
        }
        if let Some(started) = verdict.flapping {
            self.flapping(id, started, now, &mut events);
        }
        events.extend(self.settle(now));
        events
    }

    /// These services can not be observed now (asleep, offline): they show
    /// unknown, and failures not yet believed are forgotten.
    pub fn lose_sight(&mut self, ids: &BTreeSet<ServiceId>, now: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        for id in ids {
            if let Some(state) = self.services.get_mut(id) {
                state.observed = false;
                state.judge.forget_runs();
                self.show(id, now, &mut events);
            }
        }
        events
    }

    /// Pauses one service, or all.
    pub fn pause(&mut self, id: Option<&ServiceId>, pause: Pause, now: Timestamp) -> Vec<Event> {
        self.set_pause(id, Some(pause), now)
    }

    /// Resumes one service, or all; what was paused singly stays so.
    pub fn resume(&mut self, id: Option<&ServiceId>, now: Timestamp) -> Vec<Event> {
        self.set_pause(id, None, now)
    }

    fn set_pause(
        &mut self,
        id: Option<&ServiceId>,
        pause: Option<Pause>,
        now: Timestamp,
    ) -> Vec<Event> {
        let slot = match id {
            None => &mut self.pause_all,
            Some(id) => match self.services.get_mut(id) {
                Some(state) => &mut state.pause,
                None => return Vec::new(),
            },
        };
        let changed = slot.is_some() != pause.is_some();
        *slot = pause;
        let mut events = Vec::new();
        if changed {
            let paused = pause.is_some();
            events.push(Event::PauseChanged { at: now, service: id.cloned(), paused });
        }
        let touched: Vec<_> = match id {
            Some(id) => vec![id.clone()],
            None => self.services.keys().cloned().collect(),
        };
        for id in touched {
            if let Some(state) = self.services.get_mut(&id)
                && changed
            {
                state.judge.wake();
            }
            self.show(&id, now, &mut events);
        }
        events.extend(self.settle(now));
        events
    }

    /// Leaves a service out of announcements and of the overall status until
    /// then; `None` lets it speak again.
    pub fn mute(&mut self, id: &ServiceId, until: Option<Timestamp>, now: Timestamp) -> Vec<Event> {
        if let Some(state) = self.services.get_mut(id) {
            state.muted_until = until.filter(|until| *until > now);
        }
        self.settle(now)
    }

    /// Time passed: ends pauses and mutes, announces what has waited enough.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        if self.pause_all.is_some_and(|pause| pause.is_over(now)) {
            events.extend(self.resume(None, now));
        }
        let over: Vec<_> = self
            .services
            .values()
            .filter(|s| s.pause.is_some_and(|pause| pause.is_over(now)))
            .map(|s| s.member.id.clone())
            .collect();
        for id in over {
            events.extend(self.resume(Some(&id), now));
        }
        for state in self.services.values_mut() {
            state.muted_until = state.muted_until.filter(|until| *until > now);
        }
        events.extend(self.settle(now));
        events
    }

    /// When, after `now`, [`Fleet::tick`] has something to do next.
    pub fn next_tick(&self, now: Timestamp) -> Option<Timestamp> {
        let pauses =
            self.pause_all.iter().chain(self.services.values().filter_map(|s| s.pause.as_ref()));
        let mutes = self.services.values().filter_map(|s| s.muted_until);
        let waits =
            self.unannounced.iter().filter_map(|id| self.services.get(id)).filter_map(|s| {
                let held = s.incident.as_ref().map(|incident| incident.detected_at + HOLD);
                s.orphan_since.map(|since| since + ORPHAN_GRACE).or(held)
            });
        pauses
            .filter_map(|pause| pause.until)
            .chain(mutes)
            .chain(waits)
            .filter(|at| *at > now)
            .min()
    }

    /// Brings the shown status up to date.
    fn show(&mut self, id: &ServiceId, at: Timestamp, events: &mut Vec<Event>) {
        let Some(state) = self.services.get_mut(id) else { return };
        let to = state.judged(self.pause_all.is_some());
        let from = std::mem::replace(&mut state.status, to);
        if from != to {
            state.since = Some(at);
            events.push(Event::StatusChanged { at, service: id.clone(), from, to });
        }
    }

    fn open(&mut self, id: &ServiceId, at: Timestamp, events: &mut Vec<Event>) {
        let causes = self.causes_of(id);
        let Some(state) = self.services.get_mut(id) else { return };
        let Some(first_failure) = state.judge.first_failure().cloned() else { return };
        let incident = Incident {
            id: self.next_incident,
            service: id.clone(),
            started_at: first_failure.at,
            detected_at: at,
            resolved_at: None,
            checks_failed: u64::from(state.judge.failures()),
            caused_by: causes.first().cloned(),
            first_failure,
            last_good: state.judge.last_good().cloned(),
        };
        self.next_incident += 1;
        state.incident = Some(incident.clone());
        state.announced = false;
        state.orphan_since = None;
        self.unannounced.insert(id.clone());
        events.push(Event::IncidentOpened { incident, affected: self.affected_by(id) });
        self.explain_dependants(id, at, events);
    }

    /// A new incident may be the cause of older ones.
    fn explain_dependants(&mut self, id: &ServiceId, at: Timestamp, events: &mut Vec<Event>) {
        for dependant in self.graph.affected_by(id) {
            let Some(cause) = self.causes_of(&dependant).first().cloned() else { continue };
            let Some(incident) =
                self.services.get_mut(&dependant).and_then(|state| state.incident.as_mut())
            else {
                continue;
            };
            if incident.caused_by.as_ref() != Some(&cause) {
                incident.caused_by = Some(cause);
                events.push(Event::CauseChanged { at, incident: incident.clone() });
            }
        }
    }

    fn resolve(&mut self, id: &ServiceId, at: Timestamp, events: &mut Vec<Event>) {
        let affected = self.affected_by(id);
        let Some(state) = self.services.get_mut(id) else { return };
        let Some(incident) = state.incident.take() else { return };
        let incident = Incident { resolved_at: Some(at), ..incident };
        let quiet = state.is_muted() || state.is_flapping();
        let told = !self.unannounced.remove(id);
        if told && !quiet {
            events.push(Event::Announced(recovered(&state.member.name, &incident, affected.len())));
        }
        self.release_dependants(id, &affected, at, events);
        events.push(Event::IncidentResolved { incident, affected });
    }

    /// What was announced on its own and then explained by `id` stands on its
    /// own again; what was not is left to [`Fleet::settle`].
    fn release_dependants(
        &mut self,
        id: &ServiceId,
        dependants: &[ServiceId],
        at: Timestamp,
        events: &mut Vec<Event>,
    ) {
        for dependant in dependants {
            let next = self.causes_of(dependant).into_iter().next();
            let Some(state) = self.services.get_mut(dependant).filter(|state| state.announced)
            else {
                continue;
            };
            if let Some(incident) = &mut state.incident
                && incident.caused_by.as_ref() == Some(id)
            {
                incident.caused_by = next;
                events.push(Event::CauseChanged { at, incident: incident.clone() });
            }
        }
    }

    fn flapping(&mut self, id: &ServiceId, started: bool, at: Timestamp, events: &mut Vec<Event>) {
        let Some(state) = self.services.get(id) else { return };
        let service = id.clone();
        if !started {
            events.push(Event::FlappingStopped { at, service });
            return;
        }
        events.push(Event::FlappingStarted { at, service: service.clone() });
        if !state.is_muted() {
            events.push(Event::Announced(Notice {
                at,
                service,
                incident: None,
                kind: NoticeKind::Flapping,
                title: format!("{} is flapping", state.member.name),
                body: format!(
                    "It changed its status {} times in the last 21 checks. Quiet until it settles.",
                    state.judge.changes()
                ),
            }));
        }
    }

    /// Decides about every open incident nobody has been told of:
    ///
    /// 1. A muted, paused, flapping or unobserved service stays silent for now.
    /// 2. While a cause of it is down, the cause speaks for it.
    /// 3. When its cause is up again, it has 30 s to follow before it is
    ///    announced on its own.
    /// 4. While a dependency is failing but not yet judged, or has not been
    ///    looked at since the incident began, it waits: the cause may be about
    ///    to show. At most 20 s.
    /// 5. Else it is announced.
    fn settle(&mut self, now: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        for id in self.unannounced.clone() {
            let Some(state) = self.services.get(&id) else { continue };
            let Some(incident) = &state.incident else { continue };
            if state.is_muted() || state.is_flapping() || state.status != ServiceStatus::Unhealthy {
                continue;
            }
            let caused = !self.causes_of(&id).is_empty();
            let orphan_since = match incident.caused_by {
                Some(_) if !caused => Some(state.orphan_since.unwrap_or(now)),
                _ => None,
            };
            let waits = caused
                || orphan_since.is_some_and(|since| now < since + ORPHAN_GRACE)
                || (now < incident.detected_at + HOLD
                    && self.has_suspect(&id, incident.started_at));
            if waits {
                self.update(&id, |state| state.orphan_since = orphan_since);
                continue;
            }
            events.extend(self.announce(&id, now));
        }
        events
    }

    fn announce(&mut self, id: &ServiceId, now: Timestamp) -> Vec<Event> {
        let affected = self.graph.affected_by(id);
        let failing = affected
            .iter()
            .filter_map(|id| self.services.get(id))
            .filter(|s| s.incident.is_some() || s.is_failing())
            .count();
        self.unannounced.remove(id);
        let Some(state) = self.services.get_mut(id) else { return Vec::new() };
        state.announced = true;
        state.orphan_since = None;
        let Some(incident) = &mut state.incident else { return Vec::new() };
        let mut events = Vec::new();
        let still = incident.caused_by.take().is_some();
        if still {
            events.push(Event::CauseChanged { at: now, incident: incident.clone() });
        }
        let why = state.last.as_ref().unwrap_or(&incident.first_failure);
        let body = match (failing, affected.len()) {
            (0, 0) => format!("{}.", why.message),
            (0, n) => format!("{}. {} on it.", why.message, depend(n)),
            (n, _) => format!("{}. {} affected.", why.message, services(n)),
        };
        let title = format!("{} is {}down", state.member.name, if still { "still " } else { "" });
        events.push(Event::Announced(Notice {
            at: now,
            service: id.clone(),
            incident: Some(incident.id),
            kind: NoticeKind::Down,
            title,
            body,
        }));
        events
    }

    fn update(&mut self, id: &ServiceId, change: impl FnOnce(&mut ServiceState)) {
        if let Some(state) = self.services.get_mut(id) {
            change(state);
        }
    }

    /// A dependency may be about to turn out as the cause.
    fn has_suspect(&self, id: &ServiceId, since: Timestamp) -> bool {
        self.graph.upstream_of(id).iter().filter_map(|id| self.services.get(id)).any(|s| {
            let looked_at = s.last.as_ref().is_some_and(|last| last.at >= since);
            let observable = s.observed && s.status != ServiceStatus::Paused;
            observable && (s.is_failing() || !looked_at)
        })
    }

    /// Causes that are down now, the one that failed first in front.
    fn causes_of(&self, id: &ServiceId) -> Vec<ServiceId> {
        let link = |id: &ServiceId| self.services.get(id).map_or(Link::Unknown, ServiceState::link);
        let mut causes: Vec<_> = self.graph.causes_of(id, link).into_iter().collect();
        causes.sort_by_key(|id| {
            self.services
                .get(id)
                .and_then(|s| s.incident.as_ref())
                .map(|incident| incident.started_at)
        });
        causes
    }

    fn affected_by(&self, id: &ServiceId) -> Vec<ServiceId> {
        self.graph.affected_by(id).into_iter().collect()
    }
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

fn depend(count: usize) -> String {
    if count == 1 { "1 service depends".to_owned() } else { format!("{count} services depend") }
}

fn recovered(name: &str, incident: &Incident, affected: usize) -> Notice {
    let at = incident.resolved_at.unwrap_or(incident.detected_at);
    let lasted = humanize(incident.duration(at));
    let body = match affected {
        0 => format!("It was down for {lasted}."),
        1 => format!("It was down for {lasted}. 1 service depends on it."),
        n => format!("It was down for {lasted}. {n} services depend on it."),
    };
    Notice {
        at,
        service: incident.service.clone(),
        incident: Some(incident.id),
        kind: NoticeKind::Recovered,
        title: format!("{name} is up again"),
        body,
    }
}
