use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{self, Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use health::{CheckResult, Observation, Outcome, ServiceId, ServiceStatus, Timestamp};
use probe::Context;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::clock::Clock;
use crate::lanes::{Lanes, Limits};
use crate::target::Target;

/// One check to be done.
pub(crate) struct Run {
    /// Which; none that is under way has the same.
    pub number: u64,
    pub target: Arc<Target>,
    /// When it begins.
    pub at: Timestamp,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { number, target, at } = self;
        write!(f, "check {number} of {} at {at:?}", target.id())
    }
}

/// One check that came back.
#[derive(Debug)]
pub(crate) struct Finished {
    pub id: ServiceId,
    pub run: u64,
    /// `Err` says why nothing was observed.
    pub result: Result<Arc<CheckResult>, String>,
    pub address: Option<IpAddr>,
}

/// The checks under way. Those that are dropped do not come back, but for some
/// that were done already.
pub(crate) struct Checks {
    running: HashMap<u64, AbortHandle>,
    done: mpsc::UnboundedSender<Finished>,
}

impl Checks {
    /// And where they come back to.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Finished>) {
        let (done, finished) = mpsc::unbounded_channel();
        (Self { running: HashMap::new(), done }, finished)
    }

    pub fn start(&mut self, run: Run) {
        let (number, done) = (run.number, self.done.clone());
        let task = tokio::spawn(async move {
            // Nobody waits for it any more when everything ends.
            let _ = done.send(check(run).await);
        });
        self.running.insert(number, task.abort_handle());
    }

    /// It came back.
    pub fn finished(&mut self, run: u64) {
        self.running.remove(&run);
    }

    pub fn cancel(&mut self, run: u64) {
        if let Some(task) = self.running.remove(&run) {
            task.abort();
        }
    }

    pub fn cancel_all(&mut self) {
        self.running.drain().for_each(|(_, task)| task.abort());
    }
}

/// A probe keeps its time-out itself, and says what it waited for; one that
/// does not is ended this much later.
const OVERDUE: Duration = Duration::from_secs(2);

/// Does a check that has nothing to wait for.
pub(crate) fn at_once(run: &Run, context: &Context) -> Finished {
    let mut checking = run.target.probe.check(run.target.thresholds.timeout, context);
    let observation = match checking.as_mut().poll(&mut task::Context::from_waker(Waker::noop())) {
        Poll::Ready(observation) => observation,
        Poll::Pending => Observation::of(Outcome::Unknown("the check is not done".to_owned())),
    };
    finished(run, observation)
}

async fn check(run: Run) -> Finished {
    let guarded = AssertUnwindSafe(async { finished(&run, observe(&run.target).await) });
    let result = guarded.catch_unwind().await;
    result.unwrap_or_else(|panic| finished(&run, crashed(&run.target, panic.as_ref())))
}

async fn observe(target: &Target) -> Observation {
    let nothing = Context::default();
    let timeout = target.thresholds.timeout;
    tokio::time::timeout(timeout + OVERDUE, target.probe.check(timeout, &nothing))
        .await
        .unwrap_or_else(|_| failure(format!("timed out after {} s", timeout.as_secs_f64())))
}

fn crashed(target: &Target, panic: &(dyn Any + Send)) -> Observation {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given");
    let reason = target.secrets.redact(said);
    tracing::error!(service = %target.id(), %reason, "a check crashed");
    failure(format!("the check itself crashed, please report it: {reason}"))
}

fn failure(message: String) -> Observation {
    Observation::of(Outcome::Unhealthy(message))
}

fn finished(run: &Run, observation: Observation) -> Finished {
    let Run { number, target, at } = run;
    let address = observation.address;
    let mut result = CheckResult::judge(*at, observation, &target.thresholds);
    if !target.secrets.is_empty() {
        redact(&mut result, target);
    }
    Finished { id: target.id().clone(), run: *number, result: result.map(Arc::new), address }
}

/// Takes secrets out of every text.
fn redact(result: &mut Result<CheckResult, String>, target: &Target) {
    let redacted = |text: &str| target.secrets.redact(text).into_owned();
    let redact = |text: &mut String| *text = redacted(text);
    match result {
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
}

/// The targets, and of `all` those that they are made of, at whatever depth.
pub fn with_members(wanted: Vec<Arc<Target>>, all: &[Arc<Target>]) -> Vec<Arc<Target>> {
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
pub type CheckedOnce = (ServiceId, Result<Arc<CheckResult>, String>);

type Results = BTreeMap<ServiceId, Result<Arc<CheckResult>, String>>;

/// Checks every target once, as many at a time as `limits` allow, and groups
/// after their members. In the order of `targets`.
pub async fn check_once(targets: &[Arc<Target>], limits: Limits, clock: Clock) -> Vec<CheckedOnce> {
    let by_id: BTreeMap<_, _> = targets.iter().map(|target| (target.id(), target)).collect();
    let (mut pending, asking): (Vec<_>, Vec<_>) =
        by_id.values().copied().partition(|target| target.asks_nobody());
    let mut results = ask(&asking, limits, &clock).await;
    // Groups of groups: each round knows more, and ends when none is left.
    while !pending.is_empty() {
        let unknown: BTreeSet<_> = pending.iter().map(|target| target.id()).collect();
        let waits =
            |target: &&Arc<Target>| target.probe.members().iter().any(|id| unknown.contains(id));
        let (waiting, ready): (Vec<_>, Vec<_>) = pending.iter().copied().partition(waits);
        // A circle, which no valid config has, would wait for ever.
        let (now, later) = if ready.is_empty() { (waiting, Vec::new()) } else { (ready, waiting) };
        for target in now {
            let context = context_of(target, &by_id, &results);
            let run = Run { number: 0, target: target.clone(), at: clock.now() };
            let finished = at_once(&run, &context);
            results.insert(finished.id, finished.result);
        }
        pending = later;
    }
    targets.iter().filter_map(|target| results.remove_entry(target.id())).collect()
}

async fn ask(asking: &[&Arc<Target>], limits: Limits, clock: &Clock) -> Results {
    let mut lanes = Lanes::new(limits);
    let mut hosts = BTreeMap::new();
    for target in asking {
        let host: Arc<str> = target.probe.host().into();
        lanes.enter(&host, target.id().clone());
        hosts.insert(target.id().clone(), (host, (*target).clone()));
    }
    let (mut checks, mut done) = Checks::new();
    let mut results = BTreeMap::new();
    let mut number = 0;
    while results.len() < hosts.len() {
        while let Some((_, target)) = lanes.next().and_then(|id| hosts.get(&id)) {
            number += 1;
            checks.start(Run { number, target: target.clone(), at: clock.now() });
        }
        let Some(finished) = done.recv().await else { break };
        if let Some((host, _)) = hosts.get(&finished.id) {
            lanes.leave(host);
        }
        results.insert(finished.id, finished.result);
    }
    results
}

fn context_of(
    target: &Target,
    by_id: &BTreeMap<&ServiceId, &Arc<Target>>,
    results: &Results,
) -> Context {
    let member = |id: &ServiceId| {
        let name = by_id.get(id)?.member.name.clone();
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
