mod context;
mod publish;
mod sight;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use health::{CheckResult, Event, Fleet, ServiceId, Status};
use history::{Bar, Writer};
use probe::Report;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;

pub use self::context::Arrived;
use self::context::Reports;
use self::sight::Connectivity;
use crate::check::{self, Checks, Finished};
use crate::engine::{Command, Past, Plan};
use crate::reach::Reach;
use crate::schedule::Schedule;
use crate::sight::{Sight, SleepWatch};
use crate::sleep;
use crate::snapshot::{ServiceView, Snapshot};
use crate::surroundings::Surroundings;
use crate::target::Target;

/// The longest the loop sleeps, so that a sleep of the machine is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A result that has an answer or a failure in it.
struct Judgeable {
    id: ServiceId,
    result: CheckResult,
}

/// The one task that owns the judgement: takes commands and results in order,
/// writes them down, publishes what came of them.
pub(crate) struct Watcher {
    surroundings: Surroundings,
    targets: BTreeMap<ServiceId, Target>,
    order: Vec<ServiceId>,
    connectivity_targets: Vec<String>,
    schedule: Schedule,
    checks: Checks,
    fleet: Fleet,
    sight: Sight,
    sleep: SleepWatch,
    /// Where each service was last reached.
    addresses: BTreeMap<ServiceId, IpAddr>,
    /// Failures that wait for the answer whether the internet is there.
    suspects: Vec<Judgeable>,
    connectivity: Connectivity,
    reports: Reports,
    /// Reports from before of services that are not known yet.
    arrived: BTreeMap<ServiceId, Arrived>,
    /// Why the last check of a service saw nothing.
    unseen: BTreeMap<ServiceId, String>,
    views: BTreeMap<ServiceId, Arc<ServiceView>>,
    /// Results from before of services that have no view yet.
    bars: BTreeMap<ServiceId, VecDeque<Bar>>,
    touched: BTreeSet<ServiceId>,
    /// The published snapshot is out of date.
    stale: bool,
    writer: Writer,
    events: broadcast::Sender<Event>,
    published: watch::Sender<Arc<Snapshot>>,
}

impl Watcher {
    pub fn new(
        plan: Plan,
        past: Past,
        writer: Writer,
        surroundings: Surroundings,
        events: broadcast::Sender<Event>,
    ) -> Self {
        let (wall, now) = (surroundings.clock.now(), Instant::now());
        let members = plan.targets.iter().map(|target| target.member.clone()).collect();
        let bars = past.bars;
        let fleet = Fleet::new(members, past.saved, past.pause_all, past.next_incident, wall);
        let mut watcher = Self {
            targets: BTreeMap::new(),
            order: Vec::new(),
            connectivity_targets: Vec::new(),
            schedule: Schedule::new(now),
            checks: Checks::new(plan.limits, surroundings.clock.clone()),
            fleet,
            sight: Sight::Clear,
            sleep: SleepWatch::new(wall, now),
            addresses: BTreeMap::new(),
            suspects: Vec::new(),
            connectivity: Connectivity::default(),
            reports: Reports::new(),
            arrived: past.reports,
            unseen: BTreeMap::new(),
            views: BTreeMap::new(),
            bars,
            touched: BTreeSet::new(),
            stale: true,
            writer,
            events,
            published: watch::Sender::new(Arc::default()),
            surroundings,
        };
        watcher.adopt(plan);
        watcher.publish();
        watcher
    }

    /// What it publishes.
    pub fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.published.subscribe()
    }

    /// Does its work until it is told to stop. Reports come last: whoever sends
    /// many of them holds up nothing else.
    pub async fn run(
        mut self,
        mut inbox: mpsc::UnboundedReceiver<Command>,
        mut reports: mpsc::Receiver<(ServiceId, Report)>,
    ) {
        let mut power = sleep::watch();
        loop {
            let wake_at = self.next_wake();
            tokio::select! {
                biased;
                command = inbox.recv() => match command {
                    Some(Command::Stop(done)) => {
                        self.stop();
                        let _ = done.send(());
                        return;
                    }
                    Some(command) => self.obey(command),
                    None => return self.stop(),
                },
                Some(power) = power.recv() => self.power(power),
                answer = answer(&mut self.connectivity.question) => self.answered(answer),
                finished = self.checks.next() => {
                    self.notice_sleep(None);
                    self.finished(finished);
                }
                () = tokio::time::sleep_until(wake_at) => {
                    self.notice_sleep(Some(wake_at));
                    self.time_passed();
                }
                Some((id, report)) = reports.recv() => self.reported(&id, report),
            }
            self.publish();
        }
    }

    fn next_wake(&self) -> Instant {
        let now = Instant::now();
        let wall = self.surroundings.clock.now();
        let tick = self
            .fleet
            .next_tick(wall)
            .map(|at| now + Duration::from_millis(u64::try_from(at.since(wall)).unwrap_or(0)));
        let due = self.schedule.next().filter(|_| self.is_looking());
        [due, tick, self.connectivity.ask_again]
            .into_iter()
            .flatten()
            .fold(now + HEARTBEAT, Instant::min)
    }

    /// Something can be observed at all.
    fn is_looking(&self) -> bool {
        !self.sight.hides(Reach::Loopback)
    }

    fn time_passed(&mut self) {
        let now = Instant::now();
        if self.connectivity.ask_again.is_some_and(|at| at <= now) {
            self.look_for_network();
        }
        if self.is_looking() {
            for id in self.schedule.take_due(now) {
                self.check(&id);
            }
        }
        let events = self.fleet.tick(self.surroundings.clock.now());
        self.apply(events);
    }

    fn check(&mut self, id: &ServiceId) {
        let paused = self.fleet.pause_all().is_some()
            || self.fleet.service(id).is_none_or(|state| state.pause.is_some());
        if let Some(target) = self.targets.get(id)
            && !paused
            && !self.sight.blocks(self.reach(id))
        {
            if target.asks_nobody() {
                let target = target.clone();
                let context = self.context(&target);
                let finished = check::at_once(&target, &context, self.surroundings.clock.now());
                self.finished(finished);
            } else {
                self.checks.start(target);
            }
        }
    }

    fn reach(&self, id: &ServiceId) -> Reach {
        let address = self.addresses.get(id).copied();
        self.targets.get(id).map_or(Reach::Public, |t| Reach::of(t.probe.host(), address))
    }

    /// A failure beyond this machine first has to be the service's.
    fn finished(&mut self, finished: Finished) {
        if !self.targets.contains_key(&finished.id) {
            return;
        }
        if let Some(address) = finished.address {
            self.addresses.insert(finished.id.clone(), address);
        }
        let reach = self.reach(&finished.id);
        let contact = finished.address.is_some();
        let result = match finished.result {
            Ok(result) => result,
            Err(reason) => return self.saw_nothing(&finished.id, reason),
        };
        self.unseen.remove(&finished.id);
        let finished = Judgeable { id: finished.id, result };
        // An answer from somebody else, a proxy or a resolver, is no proof.
        let answered = finished.result.status != Status::Unhealthy
            || (finished.result.response_time_ms.is_some() && contact);
        if answered && reach == Reach::Public {
            self.connectivity.proven = Some(Instant::now());
            if self.sight == Sight::NoInternet {
                self.see(Sight::Clear);
            }
            self.judge_suspects();
        }
        if self.sight.blocks(reach) || (!answered && self.sight.hides(reach)) {
            return;
        }
        if answered || reach == Reach::Loopback {
            self.judge(finished);
        } else if !(self.surroundings.interface_is_up)() {
            self.see(Sight::NoNetwork);
        } else if reach == Reach::Private || self.internet_is_proven() {
            self.judge(finished);
        } else {
            self.suspect(finished);
        }
    }

    fn judge(&mut self, finished: Judgeable) {
        let Judgeable { id, result } = finished;
        let now = self.surroundings.clock.now();
        let events = self.fleet.observe(&id, result, now);
        let opened: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::IncidentOpened { affected, .. } => Some(affected.clone()),
                _ => None,
            })
            .flatten()
            .collect();
        self.apply(events);
        self.confirm(&id);
        self.look_at(&opened);
    }

    /// Looks again soon at a change that is not believed yet, and at once at
    /// what may be its cause.
    fn confirm(&mut self, id: &ServiceId) {
        let (Some(state), Some(target)) = (self.fleet.service(id), self.targets.get(id)) else {
            return;
        };
        if state.is_unsettled() {
            self.schedule.set(id, Instant::now() + target.retry_every);
        }
        if state.is_failing() && state.failures() == 1 {
            let upstream: Vec<_> = self.fleet.graph().upstream_of(id).into_iter().collect();
            self.look_at(&upstream);
        }
    }

    /// Hastens what may have changed unseen. What is being looked at, or waits
    /// to be believed, is left to its own pace: failures a moment apart would
    /// confirm nothing.
    fn look_at(&mut self, ids: &[ServiceId]) {
        let calm = |id: &&ServiceId| {
            !self.checks.is_busy(id) && self.fleet.service(id).is_some_and(|s| !s.is_unsettled())
        };
        let calm: Vec<_> = ids.iter().filter(calm).cloned().collect();
        self.hasten(&calm);
    }

    fn hasten(&mut self, ids: &[ServiceId]) {
        let now = Instant::now();
        for id in ids {
            self.schedule.hasten(id, now);
        }
    }

    fn obey(&mut self, command: Command) {
        let now = self.surroundings.clock.now();
        match command {
            Command::CheckNow(Some(id)) => self.check(&id),
            Command::CheckNow(None) => {
                for id in self.order.clone() {
                    self.check(&id);
                }
            }
            Command::Pause(id, pause) => {
                let events = match pause {
                    Some(pause) => self.fleet.pause(id.as_ref(), pause, now),
                    None => self.fleet.resume(id.as_ref(), now),
                };
                self.touch(id.as_ref());
                self.apply(events);
            }
            Command::Mute(id, until) => {
                let events = self.fleet.mute(&id, until, now);
                self.touch(Some(&id));
                self.apply(events);
            }
            Command::Listen(listening) => self.listen(listening),
            Command::Replan(plan) => {
                let members = plan.targets.iter().map(|target| target.member.clone()).collect();
                let events = self.fleet.reconfigure(members, now);
                self.adopt(plan);
                self.apply(events);
            }
            Command::Stop(_) => {}
        }
    }

    /// Takes the plan's targets; the fleet has its members already.
    fn adopt(&mut self, plan: Plan) {
        let now = Instant::now();
        let size = plan.targets.len();
        self.order = plan.targets.iter().map(|target| target.id().clone()).collect();
        let old = std::mem::take(&mut self.targets);
        self.targets = plan.targets.into_iter().map(|t| (t.id().clone(), t)).collect();
        for id in old.keys().filter(|id| !self.targets.contains_key(*id)) {
            self.schedule.remove(id);
            self.views.remove(id);
            self.addresses.remove(id);
            self.reports.forget(id);
            self.unseen.remove(id);
            self.checks.cancel(id);
            self.writer.save_state(&format!("service/{id}"), &serde_json::Value::Null);
            self.writer.save_state(&format!("report/{id}"), &serde_json::Value::Null);
        }
        for (id, target) in &self.targets {
            self.schedule.add(id, target.every, now, size);
            let is_new = old.get(id).is_none_or(|old| old.probe.token() != target.probe.token());
            if is_new && target.probe.token().is_some() {
                self.reports.expect(id, self.arrived.remove(id));
            }
            // A check of what it was says nothing about what it is.
            if old.get(id).is_some_and(|old| !Arc::ptr_eq(&old.probe, &target.probe)) {
                self.checks.cancel(id);
                self.addresses.remove(id);
                self.schedule.hasten(id, now);
            }
            if let Some(state) = self.fleet.service(id) {
                let known = self.views.get(id).map(|view| view.bars.clone());
                let bars = known.or_else(|| self.bars.remove(id)).unwrap_or_default();
                let unseen = self.unseen.get(id).map(String::as_str);
                self.views
                    .insert(id.clone(), Arc::new(ServiceView::new(target, state, unseen, bars)));
            }
        }
        self.connectivity.witnesses.retain(|id| self.targets.contains_key(id));
        self.checks.set_limits(plan.limits);
        self.stale = true;
        self.connectivity_targets = plan.connectivity_targets;
    }

    fn stop(&mut self) {
        for id in self.order.clone() {
            self.save(&id);
            if let Some(incident) = self.fleet.service(&id).and_then(|s| s.incident.clone()) {
                self.writer.save_incident(incident);
            }
        }
        self.checks.abandon();
    }
}

/// The answer to the question under way; pending for ever without one.
async fn answer(question: &mut Option<tokio::task::JoinHandle<bool>>) -> bool {
    match question {
        // A question that crashed says nothing against the services' failures.
        Some(question) => question.await.unwrap_or(true),
        None => std::future::pending().await,
    }
}
