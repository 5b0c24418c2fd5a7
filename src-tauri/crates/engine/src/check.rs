use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::task::{self, Poll, Waker};
use std::time::Duration;

use health::{CheckResult, Observation, Outcome, ServiceId, ServiceStatus, Timestamp};
use probe::Context;
use tokio::task::{AbortHandle, Id, JoinSet};

use crate::clock::Clock;
use crate::target::Target;

/// How many checks may be under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In all.
    pub in_flight: usize,
    /// Of one host.
    pub per_host: usize,
}

impl From<&config::Settings> for Limits {
    fn from(settings: &config::Settings) -> Self {
        let at_least_one = |n: u32| usize::try_from(n).unwrap_or(usize::MAX).max(1);
        Self {
            in_flight: at_least_one(settings.max_in_flight),
            per_host: at_least_one(settings.max_per_host),
        }
    }
}

/// One check that came back.
#[derive(Debug)]
pub(crate) struct Finished {
    pub id: ServiceId,
    /// `Err` says why nothing was observed.
    pub result: Result<CheckResult, String>,
    pub address: Option<IpAddr>,
}

/// One check under way.
struct Running {
    target: Target,
    at: Timestamp,
    handle: AbortHandle,
}

/// The checks under way and those that wait for their turn, within the
/// [`Limits`]. A service is never checked twice at once.
pub(crate) struct Checks {
    limits: Limits,
    clock: Clock,
    running: JoinSet<Finished>,
    tasks: BTreeMap<Id, Running>,
    per_host: BTreeMap<String, usize>,
    waiting: VecDeque<Target>,
    /// Who is under way or waits.
    busy: BTreeSet<ServiceId>,
}

impl Checks {
    pub fn new(limits: Limits, clock: Clock) -> Self {
        Self {
            limits,
            clock,
            running: JoinSet::new(),
            tasks: BTreeMap::new(),
            per_host: BTreeMap::new(),
            waiting: VecDeque::new(),
            busy: BTreeSet::new(),
        }
    }

    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.start_waiting();
    }

    /// Checks the target now, or as soon as the limits allow.
    pub fn start(&mut self, target: &Target) {
        if !self.busy.insert(target.id().clone()) {
            return;
        }
        if self.has_room_for(target) {
            self.spawn(target.clone());
        } else {
            self.waiting.push_back(target.clone());
        }
    }

    /// The next check that comes back; pending for ever while none is under way.
    pub async fn next(&mut self) -> Finished {
        loop {
            let Some(joined) = self.running.join_next_with_id().await else {
                std::future::pending::<()>().await;
                continue;
            };
            let id = joined.as_ref().map_or_else(tokio::task::JoinError::id, |(id, _)| *id);
            let Some((target, at)) = self.release(id) else { continue };
            match joined {
                Ok((_, finished)) => return finished,
                Err(error) if error.is_panic() => {
                    return crashed(&target, at, error.into_panic().as_ref());
                }
                Err(_) => {}
            }
        }
    }

    /// The service is being checked, or waits for its turn.
    pub fn is_busy(&self, id: &ServiceId) -> bool {
        self.busy.contains(id)
    }

    pub fn is_idle(&self) -> bool {
        self.busy.is_empty()
    }

    /// Drops a check that is under way, or waits.
    pub fn cancel(&mut self, id: &ServiceId) {
        self.waiting.retain(|target| target.id() != id);
        self.busy.remove(id);
        let running = self.tasks.iter().find(|(_, running)| running.target.id() == id);
        if let Some((&task, running)) = running {
            running.handle.abort();
            self.release(task);
        }
    }

    /// Drops everything under way: its results would mean nothing.
    pub fn abandon(&mut self) {
        self.running.abort_all();
        self.tasks.clear();
        self.per_host.clear();
        self.waiting.clear();
        self.busy.clear();
    }

    fn release(&mut self, id: Id) -> Option<(Target, Timestamp)> {
        let Running { target, at, .. } = self.tasks.remove(&id)?;
        self.busy.remove(target.id());
        if let Some(count) = self.per_host.get_mut(target.probe.host()) {
            *count -= 1;
            if *count == 0 {
                self.per_host.remove(target.probe.host());
            }
        }
        self.start_waiting();
        Some((target, at))
    }

    fn start_waiting(&mut self) {
        for target in std::mem::take(&mut self.waiting) {
            if self.has_room_for(&target) {
                self.spawn(target);
            } else {
                self.waiting.push_back(target);
            }
        }
    }

    fn has_room_for(&self, target: &Target) -> bool {
        let of_host = self.per_host.get(target.probe.host()).copied().unwrap_or(0);
        self.tasks.len() < self.limits.in_flight && of_host < self.limits.per_host
    }

    fn spawn(&mut self, target: Target) {
        *self.per_host.entry(target.probe.host().to_owned()).or_insert(0) += 1;
        let at = self.clock.now();
        let handle = self.running.spawn(check(target.clone(), at));
        self.tasks.insert(handle.id(), Running { target, at, handle });
    }
}

/// A probe keeps its time-out itself, and says what it waited for; one that
/// does not is ended this much later.
const OVERDUE: Duration = Duration::from_secs(2);

/// Does a check that has nothing to wait for.
pub(crate) fn at_once(target: &Target, context: &Context, at: Timestamp) -> Finished {
    let mut checking = target.probe.check(target.thresholds.timeout, context);
    let observation = match checking.as_mut().poll(&mut task::Context::from_waker(Waker::noop())) {
        Poll::Ready(observation) => observation,
        Poll::Pending => Observation::of(Outcome::Unknown("the check is not done".to_owned())),
    };
    finished(target, at, observation)
}

async fn check(target: Target, at: Timestamp) -> Finished {
    let nothing = Context::default();
    let timeout = target.thresholds.timeout;
    let observation =
        tokio::time::timeout(timeout + OVERDUE, target.probe.check(timeout, &nothing))
            .await
            .unwrap_or_else(|_| failure(format!("timed out after {} s", timeout.as_secs_f64())));
    finished(&target, at, observation)
}

fn crashed(target: &Target, at: Timestamp, panic: &(dyn Any + Send)) -> Finished {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given");
    let reason = target.secrets.redact(said);
    tracing::error!(service = %target.id(), %reason, "a check crashed");
    finished(target, at, failure(format!("the check itself crashed, please report it: {reason}")))
}

fn failure(message: String) -> Observation {
    Observation::of(Outcome::Unhealthy(message))
}

fn finished(target: &Target, at: Timestamp, observation: Observation) -> Finished {
    let address = observation.address;
    let mut result = CheckResult::judge(at, observation, &target.thresholds);
    let redacted = |text: &str| target.secrets.redact(text).into_owned();
    let redact = |text: &mut String| *text = redacted(text);
    match &mut result {
        Ok(result) => {
            redact(&mut result.message);
            let metadata = std::mem::take(&mut result.metadata).into_iter();
            result.metadata =
                metadata.map(|(key, value)| (redacted(&key), redacted(&value))).collect();
            result.measurements.iter_mut().for_each(|seen| redact(&mut seen.name));
            result.evidence.texts_mut().for_each(redact);
        }
        Err(reason) => redact(reason),
    }
    Finished { id: target.id().clone(), result, address }
}

/// The targets, and of `all` those that they are made of, at whatever depth.
pub fn with_members(wanted: Vec<Target>, all: &[Target]) -> Vec<Target> {
    let mut targets = wanted;
    let mut looked_at = 0;
    while looked_at < targets.len() {
        for id in targets[looked_at].probe.members().to_vec() {
            let known = targets.iter().any(|target| *target.id() == id);
            targets.extend(all.iter().filter(|target| !known && *target.id() == id).cloned());
        }
        looked_at += 1;
    }
    targets
}

/// What came of checking a service once; `Err` says why nothing was observed.
pub type CheckedOnce = (ServiceId, Result<CheckResult, String>);

/// Checks every target once, as many at a time as `limits` allow, and groups
/// after their members. In the order of `targets`.
pub async fn check_once(targets: &[Target], limits: Limits, clock: Clock) -> Vec<CheckedOnce> {
    let (mut pending, asking): (Vec<_>, Vec<_>) = targets.iter().partition(|t| t.asks_nobody());
    let mut checks = Checks::new(limits, clock.clone());
    for target in asking {
        checks.start(target);
    }
    let mut results = BTreeMap::new();
    while !checks.is_idle() {
        let finished = checks.next().await;
        results.insert(finished.id, finished.result);
    }
    // Groups of groups: each round knows more, and ends when none is left.
    while !pending.is_empty() {
        let unknown: BTreeSet<_> = pending.iter().map(|target| target.id()).collect();
        let waits = |target: &&Target| target.probe.members().iter().any(|id| unknown.contains(id));
        let (waiting, ready): (Vec<_>, Vec<_>) = pending.iter().copied().partition(waits);
        // A circle, which no valid config has, would wait for ever.
        let (now, later) = if ready.is_empty() { (waiting, Vec::new()) } else { (ready, waiting) };
        for target in now {
            let context = context_of(target, targets, &results);
            let finished = at_once(target, &context, clock.now());
            results.insert(finished.id, finished.result);
        }
        pending = later;
    }
    targets.iter().filter_map(|target| results.remove_entry(target.id())).collect()
}

fn context_of(
    target: &Target,
    targets: &[Target],
    results: &BTreeMap<ServiceId, Result<CheckResult, String>>,
) -> Context {
    let member = |id: &ServiceId| {
        let name = targets.iter().find(|target| target.id() == id)?.member.name.clone();
        let status = match results.get(id)? {
            Ok(result) => ServiceStatus::from(result.status),
            Err(_) => ServiceStatus::Unknown,
        };
        Some((id.clone(), (name, status)))
    };
    Context {
        members: target.probe.members().iter().filter_map(member).collect(),
        ..Context::default()
    }
}
