use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use engine::{Clock, Engine, Heard, Limits, Listener, Past, Plan, Snapshot, Surroundings, Target};
use health::{
    Event, Incident, JudgePolicy, Member, Observation, Outcome, ServiceId, ServiceStatus, Status,
    Thresholds, Timestamp,
};
use history::History;
use probe::{Checking, Context, Kind, Probe};
use tempfile::TempDir;
use tokio::time::Instant;

/// How a service behaves.
#[derive(Debug, Clone, Copy)]
pub enum Behaviour {
    /// Answers after that time.
    Up(Duration),
    /// Refuses.
    Down,
    /// Its check has a bug.
    Panic,
    /// Fails with that message.
    Says(&'static str),
}

pub fn id(text: &str) -> ServiceId {
    ServiceId::new(text).expect("a valid id")
}

/// One service of a plan.
pub struct Service {
    id: String,
    every: Duration,
    host: String,
    depends_on: Vec<ServiceId>,
}

pub fn service(id: &str, every: Duration) -> Service {
    Service { id: id.to_owned(), every, host: "127.0.0.1".to_owned(), depends_on: vec![] }
}

impl Service {
    pub fn on(mut self, depends_on: &[&str]) -> Self {
        self.depends_on = depends_on.iter().map(|d| id(d)).collect();
        self
    }

    pub fn at(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }
}

/// Everything outside the engine.
#[derive(Clone)]
pub struct World(Arc<Inner>);

struct Inner {
    start: Instant,
    slept_ms: AtomicI64,
    behaviours: RwLock<BTreeMap<String, Behaviour>>,
    checks: RwLock<BTreeMap<String, usize>>,
    now: AtomicUsize,
    most: AtomicUsize,
    interface: AtomicBool,
    internet: AtomicBool,
    questions: AtomicUsize,
}

impl World {
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            start: Instant::now(),
            slept_ms: AtomicI64::new(0),
            behaviours: RwLock::default(),
            checks: RwLock::default(),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            interface: AtomicBool::new(true),
            internet: AtomicBool::new(true),
            questions: AtomicUsize::new(0),
        }))
    }

    /// A service of a kind that asks nobody: `keys` as config.toml has them.
    pub fn derived(name: &str, kind: &str, keys: &serde_json::Value) -> Arc<Target> {
        let kind = Kind::from_name(kind).expect("a kind");
        let probe = kind.probe(keys.as_object().expect("a table")).expect("valid keys");
        let policy = JudgePolicy { fail_after: 1, recover_after: 1, stable_count: 1 };
        let depends_on = probe.members().to_vec();
        Arc::new(Target {
            member: Member { id: id(name), name: name.to_owned(), policy, depends_on },
            group: None,
            kind: kind.as_str(),
            probe: Arc::from(probe),
            secrets: config::Secrets::default(),
            thresholds: kind.thresholds(),
            every: Duration::from_secs(30),
            retry_every: Duration::from_secs(5),
        })
    }

    pub fn plan(&self, services: impl IntoIterator<Item = Service>) -> Plan {
        let targets = services.into_iter().map(|service| {
            self.set(&service.id, Behaviour::Up(Duration::from_millis(20)));
            Arc::new(Target {
                member: Member {
                    id: id(&service.id),
                    name: service.id.clone(),
                    policy: JudgePolicy::default(),
                    depends_on: service.depends_on,
                },
                group: None,
                kind: "scripted",
                probe: Arc::new(Scripted {
                    id: service.id,
                    host: service.host,
                    world: self.clone(),
                }),
                secrets: config::Secrets::default(),
                thresholds: Thresholds { timeout: Duration::from_secs(5), ..Thresholds::OTHER },
                every: service.every,
                retry_every: service.every.min(Duration::from_secs(5)),
            })
        });
        Plan {
            targets: targets.collect(),
            limits: Limits { in_flight: 256, per_host: 8 },
            connectivity_targets: vec!["answers:443".to_owned()],
        }
    }

    pub fn set(&self, id: &str, behaviour: Behaviour) {
        self.0.behaviours.write().expect("unpoisoned").insert(id.to_owned(), behaviour);
    }

    pub fn set_all(&self, behaviour: Behaviour) {
        self.0.behaviours.write().expect("unpoisoned").values_mut().for_each(|b| *b = behaviour);
    }

    /// The machine slept: the wall clock ran on, the monotonic one did not.
    pub fn sleep(&self, time: Duration) {
        let ms = i64::try_from(time.as_millis()).expect("a short sleep");
        self.0.slept_ms.fetch_add(ms, Ordering::Relaxed);
    }

    pub fn network(&self, interface: bool, internet: bool) {
        self.0.interface.store(interface, Ordering::Relaxed);
        self.0.internet.store(internet, Ordering::Relaxed);
    }

    /// Checks started so far.
    pub fn checks(&self, id: &str) -> usize {
        self.0.checks.read().expect("unpoisoned").get(id).copied().unwrap_or(0)
    }

    /// The most checks under way at once so far.
    pub fn most_at_once(&self) -> usize {
        self.0.most.load(Ordering::Relaxed)
    }

    pub fn forget_most_at_once(&self) {
        self.0.most.store(0, Ordering::Relaxed);
    }

    /// How often the connectivity targets were tried.
    pub fn questions(&self) -> usize {
        self.0.questions.load(Ordering::Relaxed)
    }

    fn clock(&self) -> Clock {
        let world = self.0.clone();
        Clock::new(move || {
            let slept = world.slept_ms.load(Ordering::Relaxed);
            Timestamp(1_760_000_000_000 + slept) + world.start.elapsed()
        })
    }

    fn surroundings(&self) -> Surroundings {
        let (up, answers) = (self.0.clone(), self.0.clone());
        Surroundings::new(
            self.clock(),
            move || up.interface.load(Ordering::Relaxed),
            move |targets| {
                assert_eq!(targets, ["answers:443"]);
                answers.questions.fetch_add(1, Ordering::Relaxed);
                let world = answers.clone();
                async move {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    world.internet.load(Ordering::Relaxed)
                }
            },
        )
    }
}

struct Scripted {
    id: String,
    host: String,
    world: World,
}

impl Probe for Scripted {
    fn check<'a>(&'a self, timeout: Duration, _: &'a Context) -> Checking<'a> {
        Box::pin(async move {
            let world = &self.world.0;
            *world.checks.write().expect("unpoisoned").entry(self.id.clone()).or_insert(0) += 1;
            let _running = Running::start(world.clone());
            let behaviour = world.behaviours.read().expect("unpoisoned")[&self.id];
            let (response_time, outcome) = match behaviour {
                Behaviour::Up(latency) if latency < timeout => {
                    tokio::time::sleep(latency).await;
                    (Some(latency), Outcome::Healthy("ok".to_owned()))
                }
                Behaviour::Up(_) => {
                    tokio::time::sleep(timeout).await;
                    (None, Outcome::Unhealthy("timed out".to_owned()))
                }
                Behaviour::Down => (None, Outcome::Unhealthy("connection refused".to_owned())),
                Behaviour::Says(message) => {
                    (Some(Duration::from_millis(1)), Outcome::Unhealthy(message.to_owned()))
                }
                Behaviour::Panic => panic!("a bug in the probe"),
            };
            Observation { response_time, ..Observation::of(outcome) }
        })
    }

    fn target(&self) -> String {
        self.host.clone()
    }

    fn host(&self) -> &str {
        &self.host
    }
}

/// Counts the checks under way.
struct Running(Arc<Inner>);

impl Running {
    fn start(world: Arc<Inner>) -> Self {
        let now = world.now.fetch_add(1, Ordering::Relaxed) + 1;
        world.most.fetch_max(now, Ordering::Relaxed);
        Self(world)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A running engine, and what it told.
pub struct Run {
    pub engine: Engine,
    told: Listener,
    events: VecDeque<Event>,
    announced: usize,
    /// Results that were counted in place of being kept.
    pub counted: u64,
    history: History,
    folder: Arc<TempDir>,
}

impl Run {
    pub fn start(world: &World, plan: Plan, past: Past) -> Self {
        let folder = Arc::new(TempDir::new().expect("a temporary folder"));
        let (history, _) = History::open(folder.path()).expect("a new history");
        let past = Past { next_incident: past.next_incident.max(1), ..past };
        let (engine, told) = Engine::start(plan, past, history.writer(), world.surroundings());
        Self { engine, told, events: VecDeque::new(), announced: 0, counted: 0, history, folder }
    }

    /// Lets virtual time pass, and the history catch up.
    pub async fn pass(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            let step = (end - Instant::now()).min(Duration::from_secs(5));
            self.pass_uncollected(step).await;
            self.collect();
        }
    }

    /// The same without looking at what happened.
    pub async fn pass_uncollected(&self, time: Duration) {
        tokio::time::sleep(time).await;
        self.history.writer().flush_and_wait().expect("written");
    }

    /// Counts the results that came in, and keeps nothing.
    pub fn count(&mut self) {
        while let Some(heard) = self.told.try_next() {
            match heard {
                Heard::Event(Event::Result { .. }) => self.counted += 1,
                Heard::Event(_) => {}
                Heard::Lost(n) => panic!("{n} results lost: take shorter steps"),
            }
        }
    }

    fn collect(&mut self) {
        while let Some(heard) = self.told.try_next() {
            match heard {
                Heard::Event(event) => self.events.push_back(event),
                Heard::Lost(n) => panic!("{n} results lost: take shorter steps"),
            }
        }
    }

    pub fn events(&self) -> Vec<Event> {
        self.events.iter().cloned().collect()
    }

    /// What was announced since the last call.
    pub fn announcements(&mut self) -> Vec<String> {
        let all: Vec<_> = self
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Announced(notice) => Some(format!("{}: {}", notice.title, notice.body)),
                _ => None,
            })
            .collect();
        let new = all[self.announced..].to_vec();
        self.announced = all.len();
        new
    }

    pub fn results(&self, of: &str) -> Vec<Status> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Result { service, result } if *service == id(of) => Some(result.status),
                _ => None,
            })
            .collect()
    }

    pub async fn snapshot(&self) -> Arc<Snapshot> {
        self.engine.snapshot().await
    }

    pub async fn status(&self, of: &str) -> ServiceStatus {
        let snapshot = self.snapshot().await;
        let service = snapshot.services.iter().find(|service| service.id == id(of));
        service.expect("a service").status
    }

    /// Open incidents.
    pub async fn incidents(&self) -> Vec<Incident> {
        self.snapshot().await.incidents.clone()
    }

    /// Stops, and returns what the next start knows.
    pub async fn stop(self) -> Past {
        self.engine.stop().await;
        self.history.writer().flush_and_wait().expect("written");
        let reader = self.history.reader().expect("readable");
        let past = Past::load(&reader);
        drop(self.history);
        drop(self.folder);
        past
    }
}
