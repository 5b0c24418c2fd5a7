//! The pure half of the engine: takes inputs, with the time as a value, and
//! hands back effects. No clock, no I/O, no tasks.

mod causes;
mod observe;
mod reporting;
mod reports;
mod show;
mod watched;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use health::{
    CheckResult, Event, Fleet, Hold, Horizon, Incident, Moment, Pause, Power, Roll, ServiceId,
    Sight, SleepWatch, Tick, Timestamp,
};
use history::Bar;
use probe::{Context, Report};

use self::reporting::Listening;
use self::watched::{UnderWay, Watched};
use crate::check::{Finished, Run};
use crate::lanes::Lanes;
use crate::past::{Arrived, Change, Past};
use crate::plan::Plan;
use crate::power::CLOCK_STOPS_IN_SLEEP;
use crate::schedule::Schedule;
use crate::snapshot::ServiceView;
use crate::target::Target;

/// The longest it waits for anything, so that a sleep of the machine is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A group is judged at most so often, however fast its many members change:
/// it looks at all of them.
const GROUPS_APART: Duration = Duration::from_millis(100);

/// What a person wants, or the config.
#[derive(Debug)]
pub(crate) enum Command {
    CheckNow(Option<ServiceId>),
    Pause(Option<ServiceId>, Option<Pause>),
    Mute(ServiceId, Option<Timestamp>),
    Listen(Result<(), String>),
    Replan(Plan),
}

/// Something it is told.
#[derive(Debug)]
pub(crate) enum Input {
    Command(Command),
    Report(ServiceId, Report),
    Finished(Finished),
    /// Whether an interface is up: [`Effect::AskInterfaces`].
    Interfaces(bool),
    /// Whether the internet answers: [`Effect::AskInternet`].
    Internet(bool),
    Power(Power),
    /// Why results can not be stored, if it is so.
    Storage(Option<String>),
    /// The time it wanted to be woken at: [`Watcher::wake_at`].
    Time,
    /// There is nothing else for now: groups that have to follow their members
    /// can do so, once for all that changed ([`Watcher::has_derived`]).
    Quiet,
}

/// Something to do, in this order.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Do a check, for [`Input::Finished`].
    Start(Run),
    /// The same for a check that asks nobody, at once.
    Derive(Run, Context),
    /// Drop a check.
    Cancel(u64),
    /// Drop all checks.
    CancelAll,
    Record {
        service: ServiceId,
        result: Arc<CheckResult>,
        hold: Hold,
    },
    Save(Change),
    SaveIncident(Incident),
    Tell(Event),
    /// Tell people, when the incident they are told of is on the disk.
    Announce {
        after: Option<Incident>,
        notices: Vec<Event>,
    },
    AskInterfaces,
    /// Whether any of these (`host:port`) answers; a question under way is void.
    AskInternet(Vec<String>),
}

/// The one owner of all judgement.
///
/// Each input is followed to its end before the next: what comes of it is in
/// the effects, in order. Nothing here calls back: a group that follows its
/// members is an effect, and its result an input.
pub(crate) struct Watcher {
    services: Roll<Watched>,
    connectivity_targets: Vec<String>,
    schedule: Schedule,
    lanes: Lanes,
    fleet: Fleet,
    sight: Sight,
    sleep: SleepWatch,
    listening: Listening,
    /// What is known from before of services that are not watched yet.
    reports_before: BTreeMap<ServiceId, Arrived>,
    bars_before: BTreeMap<ServiceId, VecDeque<Bar>>,
    storage_problem: Option<String>,
    /// The number of the last check.
    runs: u64,
    /// Checks that ask nobody, to be done when all else is.
    derived: BTreeSet<ServiceId>,
    effects: Vec<Effect>,
    /// In the config's order; those that are `touched` are out of date.
    views: Vec<Arc<ServiceView>>,
    touched: BTreeSet<ServiceId>,
    /// Something that is shown changed.
    stale: bool,
}

impl Watcher {
    pub fn new(plan: Plan, past: Past, now: Moment) -> Self {
        let members = plan.targets.iter().map(|target| target.member.clone()).collect();
        let fleet = Fleet::new(members, past.saved, past.pause_all, past.next_incident, now.wall);
        let mut watcher = Self {
            services: Roll::default(),
            connectivity_targets: Vec::new(),
            schedule: Schedule::new(now.running),
            lanes: Lanes::new(plan.limits),
            fleet,
            sight: Sight::default(),
            sleep: SleepWatch::new(now, CLOCK_STOPS_IN_SLEEP),
            listening: Listening::default(),
            reports_before: past.reports,
            bars_before: past.bars,
            storage_problem: None,
            runs: 0,
            derived: BTreeSet::new(),
            effects: Vec::new(),
            views: Vec::new(),
            touched: BTreeSet::new(),
            stale: true,
        };
        watcher.adopt(plan, now);
        watcher
    }

    /// Takes one input; what is to be done because of it.
    pub fn handle(&mut self, input: Input, now: Moment) -> Vec<Effect> {
        if let Some(gap) = self.sleep.look(now) {
            let insights = self.sight.gap(gap, now);
            self.follow(insights, now);
        }
        match input {
            Input::Command(command) => self.obey(command, now),
            Input::Report(id, report) => self.reported(&id, report, now),
            Input::Finished(finished) => self.finished(finished, now),
            Input::Interfaces(up) => {
                let insights = self.sight.interfaces(up, now);
                self.follow(insights, now);
            }
            Input::Internet(answers) => {
                let insights = self.sight.internet(answers, now);
                self.follow(insights, now);
            }
            Input::Power(power) => {
                let insights = self.sight.power(power, now);
                self.follow(insights, now);
            }
            Input::Storage(problem) => {
                self.stale |= self.storage_problem != problem;
                self.storage_problem = problem;
            }
            Input::Time => self.time_passed(now),
            Input::Quiet => self.derive(now),
        }
        self.start_checks(now);
        std::mem::take(&mut self.effects)
    }

    /// When it has to be told of the time ([`Input::Time`]) at the latest.
    pub fn wake_at(&mut self, now: Moment) -> Duration {
        let tick = self.fleet.next_tick().map(|at| {
            now.running + Duration::from_millis(u64::try_from(at.since(now.wall)).unwrap_or(0))
        });
        let due = self.schedule.next().filter(|_| self.is_looking());
        let wake_at = [due, tick, self.sight.look_again()]
            .into_iter()
            .flatten()
            .fold(now.running + HEARTBEAT, Duration::min);
        self.sleep.promise(wake_at);
        wake_at
    }

    /// The last effects: what has to survive.
    pub fn stop(&mut self) -> Vec<Effect> {
        let mut effects = vec![Effect::CancelAll];
        for state in self.fleet.services() {
            let saved = Box::new(state.save());
            effects.push(Effect::Save(Change::Service(state.member.id.clone(), saved)));
            effects.extend(state.incident().cloned().map(Effect::SaveIncident));
        }
        effects
    }

    /// Something can be observed at all.
    fn is_looking(&self) -> bool {
        !matches!(self.sight.horizon(), Horizon::JustWoke | Horizon::Asleep)
    }

    fn time_passed(&mut self, now: Moment) {
        let insights = self.sight.time_passed(now);
        self.follow(insights, now);
        if self.is_looking() {
            for id in self.schedule.take_due(now.running) {
                self.check(&id, now);
            }
        }
        let Tick { events, unmuted } = self.fleet.tick(now.wall);
        for id in &unmuted {
            self.touch(id);
        }
        self.spread(events, now);
    }

    fn obey(&mut self, command: Command, now: Moment) {
        match command {
            Command::CheckNow(Some(id)) => self.check(&id, now),
            Command::CheckNow(None) => {
                for id in self.ids() {
                    self.check(&id, now);
                }
            }
            Command::Pause(id, pause) => {
                let events = match pause {
                    Some(pause) => self.fleet.pause(id.as_ref(), pause, now.wall),
                    None => self.fleet.resume(id.as_ref(), now.wall),
                };
                match &id {
                    Some(id) => self.touch(id),
                    None => self.save_pause(),
                }
                self.spread(events, now);
            }
            Command::Mute(id, until) => {
                let events = self.fleet.mute(&id, until, now.wall);
                self.touch(&id);
                self.spread(events, now);
            }
            Command::Listen(listening) => self.listen(listening, now),
            Command::Replan(plan) => {
                let members = plan.targets.iter().map(|target| target.member.clone()).collect();
                let events = self.fleet.reconfigure(members, now.wall);
                self.adopt(plan, now);
                self.spread(events, now);
            }
        }
    }

    /// Takes the plan's targets; the fleet has its members already.
    fn adopt(&mut self, plan: Plan, now: Moment) {
        let mut before = std::mem::take(&mut self.services);
        self.plan_checks(&plan, now);
        self.views.clear();
        for target in plan.targets {
            let id = target.id().clone();
            let known = before.remove(&id);
            let changed_token = known
                .as_ref()
                .is_some_and(|known| known.target.probe.token() != target.probe.token());
            let mut watched = match known {
                Some(known) => self.retarget(known, target, now),
                None => Watched::new(target, self.bars_before.remove(&id).unwrap_or_default()),
            };
            let is_new = watched.reporting.is_none() || changed_token;
            if watched.target.probe.token().is_some() && is_new {
                watched.expect_reports(self.reports_before.remove(&id), now.running);
            }
            watched.place = self.views.len();
            if let Some(state) = self.fleet.service(&id) {
                self.views.push(Arc::new(watched.view(state)));
            }
            self.services.insert(id, watched);
        }
        for (id, gone) in before {
            self.schedule.remove(&id);
            self.cancel(&gone);
            self.sight.forget(&id);
            self.touched.remove(&id);
            self.derived.remove(&id);
            self.effects.push(Effect::Save(Change::Gone(id)));
        }
        self.note_groups();
        self.connectivity_targets = plan.connectivity_targets;
        self.lanes.set_limits(plan.limits);
        self.stale = true;
    }

    /// By id: another order of the config is no other schedule.
    fn plan_checks(&mut self, plan: &Plan, now: Moment) {
        let size = plan.targets.len();
        let every: BTreeMap<_, _> = plan.targets.iter().map(|t| (t.id(), t.every)).collect();
        for (id, every) in every {
            self.schedule.add(id, every, now.running, size);
        }
    }

    /// Watches the same service as it is now. A check of what it was says
    /// nothing about what it is.
    fn retarget(&mut self, known: Watched, target: Arc<Target>, now: Moment) -> Watched {
        if Arc::ptr_eq(&known.target.probe, &target.probe) {
            return Watched { target, ..known };
        }
        self.cancel(&known);
        self.sight.forget(target.id());
        self.schedule.hasten(target.id(), now.running);
        let Watched { reporting, unseen, bars, .. } = known;
        Watched { reporting, unseen, ..Watched::new(target, bars) }
    }

    /// Each group is noted with its members, who let it know of a change.
    fn note_groups(&mut self) {
        let mut groups: BTreeMap<ServiceId, Vec<ServiceId>> = BTreeMap::new();
        for (id, watched) in self.services.iter() {
            for member in watched.target.probe.members() {
                groups.entry(member.clone()).or_default().push(id.clone());
            }
        }
        for (id, watched) in self.services.iter_mut() {
            watched.groups = groups.remove(id).unwrap_or_default();
        }
    }

    /// Wants the service checked now, or as soon as the limits allow. Never
    /// twice at once, not while it is paused or out of sight.
    fn check(&mut self, id: &ServiceId, now: Moment) {
        let all_paused = self.fleet.pause_all().is_some();
        if all_paused || self.fleet.service(id).is_none_or(|state| state.pause.is_some()) {
            return;
        }
        let Some(watched) = self.services.get_mut(id) else { return };
        if self.sight.horizon().blocks(watched.reach) {
            return;
        }
        if watched.target.asks_nobody() {
            let has_members = !watched.target.probe.members().is_empty();
            let next = watched.asked.map_or(now.running, |asked| asked + GROUPS_APART);
            if has_members && next > now.running {
                self.schedule.hasten(id, next);
            } else {
                self.derived.insert(id.clone());
            }
        } else if watched.under_way == UnderWay::No {
            watched.under_way = UnderWay::Waiting;
            self.lanes.enter(&watched.host, id.clone());
        }
    }

    /// Starts what was wanted, within the limits.
    fn start_checks(&mut self, now: Moment) {
        while let Some(id) = self.lanes.next() {
            let Some(run) = self.run(&id, now) else { continue };
            self.effects.push(Effect::Start(run));
        }
    }

    /// Checks that ask nobody wait for [`Input::Quiet`].
    pub fn has_derived(&self) -> bool {
        !self.derived.is_empty()
    }

    fn derive(&mut self, now: Moment) {
        for id in std::mem::take(&mut self.derived) {
            let Some(context) = self.context(&id, now) else { continue };
            let Some(run) = self.run(&id, now) else { continue };
            self.effects.push(Effect::Derive(run, context));
        }
    }

    fn run(&mut self, id: &ServiceId, now: Moment) -> Option<Run> {
        let watched = self.services.get_mut(id)?;
        self.runs += 1;
        watched.under_way = UnderWay::Running(self.runs);
        watched.asked = Some(now.running);
        Some(Run { number: self.runs, target: watched.target.clone(), at: now.wall })
    }

    fn cancel(&mut self, watched: &Watched) {
        if watched.target.asks_nobody() {
            return;
        }
        match watched.under_way {
            UnderWay::No => {}
            UnderWay::Waiting => self.lanes.withdraw(&watched.host, watched.target.id()),
            UnderWay::Running(run) => {
                self.lanes.leave(&watched.host);
                self.effects.push(Effect::Cancel(run));
            }
        }
    }

    fn ids(&self) -> Vec<ServiceId> {
        self.services.ids().cloned().collect()
    }
}
