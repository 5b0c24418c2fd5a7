use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use health::{Event, Fleet, Incident, IncidentId, Pause, Saved, ServiceId, Status, Timestamp};
use history::{Bar, Writer};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::check::{Checks, Finished, Limits};
use crate::reach::Reach;
use crate::schedule::Schedule;
use crate::sight::{Sight, SleepWatch};
use crate::sleep::{self, Power};
use crate::snapshot::{ServiceView, Snapshot, push_bar};
use crate::surroundings::Surroundings;
use crate::target::Target;

/// Events a slow listener may lag behind before it loses the oldest.
const EVENTS: usize = 4096;
/// How long the network may take to come back after a sleep.
const SETTLE: Duration = Duration::from_secs(5);
/// How often an absent network is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long a proof that the internet answers stands.
const PROOF: Duration = Duration::from_secs(5);
/// The longest the loop sleeps, so that a sleep of the machine is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// After a time without sight, checks start again spread over this.
const AFRESH: Duration = Duration::from_secs(2);

/// What the engine watches, and how.
#[derive(Clone)]
pub struct Plan {
    /// Every service, in the order they are shown.
    pub targets: Vec<Target>,
    /// How many checks at once.
    pub limits: Limits,
    /// `host:port` that answer whenever this machine is online.
    pub connectivity_targets: Vec<String>,
}

impl From<&config::Config> for Plan {
    fn from(config: &config::Config) -> Self {
        Self {
            targets: config.services.iter().map(Target::from).collect(),
            limits: Limits::from(&config.settings),
            connectivity_targets: config.settings.connectivity_targets.clone(),
        }
    }
}

/// What is known from before.
#[derive(Debug, Default)]
pub struct Past {
    /// The judgement of each service as it was saved.
    pub saved: BTreeMap<ServiceId, Saved>,
    /// The last results of each service, oldest first.
    pub bars: BTreeMap<ServiceId, VecDeque<Bar>>,
    /// Everything was paused.
    pub pause_all: Option<Pause>,
    /// The number of the next incident.
    pub next_incident: IncidentId,
}

enum Command {
    CheckNow(Option<ServiceId>),
    Pause(Option<ServiceId>, Option<Pause>),
    Mute(ServiceId, Option<Timestamp>),
    Replan(Plan),
    Stop(oneshot::Sender<()>),
}

/// The running engine, as everyone else sees it. Cheap to clone; checking goes
/// on until [`Engine::stop`] or until the last clone is gone.
#[derive(Clone)]
pub struct Engine {
    commands: mpsc::UnboundedSender<Command>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    events: broadcast::Sender<Event>,
    clock: crate::clock::Clock,
}

impl Engine {
    /// Starts checking; the receiver misses nothing from the first moment on.
    /// Must be called within a tokio runtime.
    pub fn start(
        plan: Plan,
        past: Past,
        writer: Writer,
        surroundings: Surroundings,
    ) -> (Self, broadcast::Receiver<Event>) {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (events, from_the_start) = broadcast::channel(EVENTS);
        let clock = surroundings.clock.clone();
        let watcher = Watcher::new(plan, past, writer, surroundings, events.clone());
        let snapshot = watcher.published.subscribe();
        tokio::spawn(watcher.run(inbox));
        (Self { commands, snapshot, events, clock }, from_the_start)
    }

    /// Everything as it stands, now and on every change.
    pub fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    /// Everything that happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Checks one service, or all, now.
    pub fn check_now(&self, id: Option<ServiceId>) {
        self.send(Command::CheckNow(id));
    }

    /// Pauses one service, or all; without `lasting`, until resumed.
    pub fn pause(&self, id: Option<ServiceId>, lasting: Option<Duration>) {
        let until = lasting.map(|lasting| self.clock.now() + lasting);
        self.send(Command::Pause(id, Some(Pause { until })));
    }

    /// Resumes one service, or all.
    pub fn resume(&self, id: Option<ServiceId>) {
        self.send(Command::Pause(id, None));
    }

    /// Silences a service for a while; without `lasting`, lets it speak again.
    pub fn mute(&self, id: ServiceId, lasting: Option<Duration>) {
        let until = lasting.map(|lasting| self.clock.now() + lasting);
        self.send(Command::Mute(id, until));
    }

    /// Goes on with another plan; services that are in both are not disturbed.
    pub fn replan(&self, plan: Plan) {
        self.send(Command::Replan(plan));
    }

    /// Ends checking, when all that was judged is with the history.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        self.send(Command::Stop(done));
        // An error means that it had stopped before.
        let _ = stopped.await;
    }

    fn send(&self, command: Command) {
        // The engine is gone only while the app ends: nothing is left to do.
        let _ = self.commands.send(command);
    }
}

/// The one task that owns the judgement: takes commands and results in order,
/// writes them down, publishes what came of them.
struct Watcher {
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
    suspects: Vec<Finished>,
    connectivity: Connectivity,
    views: BTreeMap<ServiceId, Arc<ServiceView>>,
    touched: BTreeSet<ServiceId>,
    /// The published snapshot is out of date.
    stale: bool,
    writer: Writer,
    events: broadcast::Sender<Event>,
    published: watch::Sender<Arc<Snapshot>>,
}

/// What is known of the internet, and the question under way.
#[derive(Default)]
struct Connectivity {
    proven: Option<Instant>,
    question: Option<tokio::task::JoinHandle<bool>>,
    ask_again: Option<Instant>,
}

impl Watcher {
    fn new(
        plan: Plan,
        past: Past,
        writer: Writer,
        surroundings: Surroundings,
        events: broadcast::Sender<Event>,
    ) -> Self {
        let (wall, now) = (surroundings.clock.now(), Instant::now());
        let members = plan.targets.iter().map(|target| target.member.clone()).collect();
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
            views: BTreeMap::new(),
            touched: BTreeSet::new(),
            stale: true,
            writer,
            events,
            published: watch::Sender::new(Arc::default()),
            surroundings,
        };
        let mut bars = past.bars;
        watcher.adopt(plan, &mut bars);
        watcher.publish();
        watcher
    }

    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) {
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
            self.checks.start(target);
        }
    }

    fn reach(&self, id: &ServiceId) -> Reach {
        let address = self.addresses.get(id).copied();
        self.targets.get(id).map_or(Reach::Public, |t| Reach::of(t.probe.host(), address))
    }

    // Results

    /// A failure beyond this machine first has to be the service's.
    fn finished(&mut self, finished: Finished) {
        if let Some(address) = finished.address {
            self.addresses.insert(finished.id.clone(), address);
        }
        let reach = self.reach(&finished.id);
        let answered = finished.result.status != Status::Unhealthy
            || finished.result.response_time_ms.is_some();
        if answered && reach == Reach::Public {
            self.connectivity.proven = Some(Instant::now());
            if self.sight == Sight::NoInternet {
                self.see(Sight::Clear);
            }
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
            self.suspects.push(finished);
            self.ask_internet();
        }
    }

    fn judge(&mut self, finished: Finished) {
        let Finished { id, result, .. } = finished;
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

    // Sight

    fn internet_is_proven(&self) -> bool {
        self.connectivity.proven.is_some_and(|at| at.elapsed() < PROOF)
    }

    fn ask_internet(&mut self) {
        if self.connectivity.question.is_none() {
            let question = (self.surroundings.internet_answers)(self.connectivity_targets.clone());
            self.connectivity.question = Some(tokio::spawn(question));
        }
    }

    fn look_for_network(&mut self) {
        self.connectivity.ask_again = Some(Instant::now() + LOOK_AGAIN);
        let up = (self.surroundings.interface_is_up)();
        match self.sight {
            _ if !up => self.see(Sight::NoNetwork),
            Sight::JustWoke => self.see(Sight::Clear),
            Sight::NoNetwork => self.see(Sight::NoInternet),
            Sight::NoInternet | Sight::Clear | Sight::Asleep => {}
        }
        if up {
            self.ask_internet();
        }
    }

    fn answered(&mut self, online: bool) {
        self.connectivity.question = None;
        let suspects = std::mem::take(&mut self.suspects);
        if online {
            self.connectivity.proven = Some(Instant::now());
            self.see(Sight::Clear);
            for finished in suspects {
                self.judge(finished);
            }
        } else if self.internet_is_proven() {
            // A service answered meanwhile: only the targets are blocked here.
            for finished in suspects {
                self.judge(finished);
            }
        } else {
            self.see(Sight::NoInternet);
        }
    }

    /// Changes what can be observed. What comes into sight is checked afresh.
    fn see(&mut self, sight: Sight) {
        let before = std::mem::replace(&mut self.sight, sight);
        if before == sight {
            return;
        }
        self.stale = true;
        tracing::info!(?before, ?sight, "what can be observed changed");
        self.connectivity.ask_again = match sight {
            Sight::Clear | Sight::Asleep => None,
            Sight::JustWoke => Some(Instant::now() + SETTLE),
            Sight::NoInternet | Sight::NoNetwork => Some(Instant::now() + LOOK_AGAIN),
        };
        let at = self.surroundings.clock.now();
        let online = sight == Sight::Clear;
        let reason = sight.reason().unwrap_or("online").to_owned();
        let (mut lost, mut found) = (BTreeSet::new(), Vec::new());
        for id in self.targets.keys() {
            let reach = self.reach(id);
            match (before.hides(reach), sight.hides(reach)) {
                (false, true) => _ = lost.insert(id.clone()),
                (true, false) => found.push(id.clone()),
                _ => {}
            }
        }
        let mut events = vec![Event::ConnectivityChanged { at, online, reason }];
        events.extend(self.fleet.lose_sight(&lost, at));
        self.suspects.retain(|suspect| !lost.contains(&suspect.id));
        self.apply(events);
        let start = Instant::now();
        let gap = AFRESH / u32::try_from(found.len().max(1)).unwrap_or(u32::MAX);
        for (n, id) in (0..).zip(&found) {
            self.schedule.hasten(id, start + gap * n);
        }
    }

    fn notice_sleep(&mut self, planned: Option<Instant>) {
        if self.sleep.slept(self.surroundings.clock.now(), Instant::now(), planned) {
            self.wake();
        }
    }

    fn power(&mut self, power: Power) {
        match power {
            Power::Sleeping => {
                self.checks.abandon();
                self.see(Sight::Asleep);
            }
            Power::Awake => self.wake(),
        }
    }

    /// Drops what was under way and waits until the network answers, at most
    /// [`SETTLE`].
    fn wake(&mut self) {
        self.checks.abandon();
        self.suspects.clear();
        self.connectivity.proven = None;
        if let Some(question) = self.connectivity.question.take() {
            question.abort();
        }
        self.see(Sight::JustWoke);
        self.ask_internet();
    }

    // Commands

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
                if pause.is_none() {
                    let resumed = id.map_or_else(|| self.order.clone(), |id| vec![id]);
                    self.hasten(&resumed);
                }
                self.save_pause();
            }
            Command::Mute(id, until) => {
                let events = self.fleet.mute(&id, until, now);
                self.touch(Some(&id));
                self.apply(events);
            }
            Command::Replan(plan) => {
                let members = plan.targets.iter().map(|target| target.member.clone()).collect();
                let events = self.fleet.reconfigure(members, now);
                self.adopt(plan, &mut BTreeMap::new());
                self.apply(events);
            }
            Command::Stop(_) => {}
        }
    }

    /// Takes the plan's targets; the fleet has its members already.
    fn adopt(&mut self, plan: Plan, bars: &mut BTreeMap<ServiceId, VecDeque<Bar>>) {
        let now = Instant::now();
        let size = plan.targets.len();
        self.order = plan.targets.iter().map(|target| target.id().clone()).collect();
        let old = std::mem::take(&mut self.targets);
        self.targets = plan.targets.into_iter().map(|t| (t.id().clone(), t)).collect();
        for id in old.keys().filter(|id| !self.targets.contains_key(*id)) {
            self.schedule.remove(id);
            self.views.remove(id);
            self.addresses.remove(id);
        }
        for (id, target) in &self.targets {
            self.schedule.add(id, target.every, now, size);
            if let Some(state) = self.fleet.service(id) {
                let known = self.views.get(id).map(|view| view.bars.clone());
                let bars = known.or_else(|| bars.remove(id)).unwrap_or_default();
                self.views.insert(id.clone(), Arc::new(ServiceView::new(target, state, bars)));
            }
            let changed = old.get(id).is_some_and(|old| !Arc::ptr_eq(&old.probe, &target.probe));
            if changed {
                self.schedule.hasten(id, now);
            }
        }
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

    // What came of it

    /// Writes events down, then tells everyone; what people are told about
    /// waits until it is on the disk.
    fn apply(&mut self, events: Vec<Event>) {
        let mut announcements = Vec::new();
        let mut incidents = Vec::new();
        for event in events {
            match &event {
                Event::Result { service, result } => {
                    self.record(service, result);
                    self.touched.insert(service.clone());
                }
                Event::StatusChanged { service, .. }
                | Event::FlappingStarted { service, .. }
                | Event::FlappingStopped { service, .. } => self.touch(Some(service)),
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
                Event::PauseChanged { service, .. } => self.touch(service.as_ref()),
                Event::ConnectivityChanged { .. } => {}
            }
            self.tell(event);
        }
        self.write_incidents(incidents, announcements);
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
    fn touch(&mut self, id: Option<&ServiceId>) {
        let ids = id.map_or_else(|| self.order.clone(), |id| vec![id.clone()]);
        for id in ids {
            self.save(&id);
            self.touched.insert(id);
        }
    }

    fn save(&self, id: &ServiceId) {
        if let Some(state) = self.fleet.service(id) {
            self.save_json(&format!("service/{id}"), &state.save());
        }
    }

    fn save_pause(&self) {
        self.save_json("pause_all", &self.fleet.pause_all());
    }

    fn save_json(&self, key: &str, value: &impl serde::Serialize) {
        match serde_json::to_value(value) {
            Ok(value) => self.writer.save_state(key, &value),
            Err(error) => tracing::error!(%error, key, "state can not be saved"),
        }
    }

    fn publish(&mut self) {
        if !self.changed() {
            return;
        }
        self.stale = false;
        for id in std::mem::take(&mut self.touched) {
            if let (Some(target), Some(state), Some(view)) =
                (self.targets.get(&id), self.fleet.service(&id), self.views.get_mut(&id))
            {
                let bars = std::mem::take(&mut Arc::make_mut(view).bars);
                *view = Arc::new(ServiceView::new(target, state, bars));
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

/// The answer to the question under way; pending for ever without one.
async fn answer(question: &mut Option<tokio::task::JoinHandle<bool>>) -> bool {
    match question {
        // A question that crashed says nothing against the services' failures.
        Some(question) => question.await.unwrap_or(true),
        None => std::future::pending().await,
    }
}
