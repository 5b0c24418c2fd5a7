use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use health::{
    CheckResult, Incident, Millis, Pause, ServiceId, ServiceState, ServiceStatus, Summary,
    Timestamp,
};
use history::Bar;
use serde::Serialize;

use crate::target::Target;

/// Results a strip of bars shows.
pub(crate) const BARS: usize = 60;

/// Everything as it stands, for whoever shows it. Immutable, cheap to pass on.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// When it was made.
    pub at: Timestamp,
    /// The first line.
    pub summary: Summary,
    /// Every service, in the config's order.
    pub services: Vec<Arc<ServiceView>>,
    /// Open incidents: those without a cause first, then as they began.
    pub incidents: Vec<Incident>,
    /// Everything is paused.
    pub pause: Option<Pause>,
    /// Why nothing beyond this machine is observed, if it is so.
    pub unobserved: Option<String>,
    /// Why results can not be stored, if it is so.
    pub storage_problem: Option<String>,
}

/// One service as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, ts_rs::TS)]
#[ts(rename = "ServiceSummary", export_to = "bindings.ts")]
pub struct ServiceView {
    /// Its stable name.
    pub id: ServiceId,
    /// Its name for people.
    pub name: String,
    /// What it is listed under.
    pub group: Option<String>,
    /// The kind of check: `http`, `tcp`, ...
    pub kind: &'static str,
    /// What is checked, for people.
    pub target: String,
    /// What it shows.
    pub status: ServiceStatus,
    /// When that began.
    pub since: Option<Timestamp>,
    /// The last result's message, or why there was none; empty before the first.
    pub message: String,
    /// The last result's time, in ms.
    pub response_time_ms: Option<f64>,
    /// The service whose incident explains this one's.
    pub caused_by: Option<ServiceId>,
    /// It changes its status too often for single changes to count.
    pub flapping: bool,
    /// Paused by itself.
    pub pause: Option<Pause>,
    /// Not announced until then.
    pub muted_until: Option<Timestamp>,
    /// Oldest first, at most 60.
    #[ts(as = "Vec<Bar>")]
    pub bars: VecDeque<Bar>,
    /// The time from one check to the next, in ms.
    #[ts(type = "number")]
    pub every_ms: Millis,
    /// What it depends on directly.
    pub depends_on: Vec<ServiceId>,
}

impl ServiceView {
    /// `unseen` says why the last check saw nothing, if it did not.
    pub(crate) fn new(
        target: &Target,
        state: &ServiceState,
        unseen: Option<&str>,
        bars: VecDeque<Bar>,
    ) -> Self {
        let last = state.last.as_deref();
        Self {
            id: target.id().clone(),
            name: target.member.name.clone(),
            group: target.group.clone(),
            kind: target.kind,
            target: target.secrets.redact(&target.probe.target()).into_owned(),
            status: state.status,
            since: state.since,
            message: unseen
                .or(last.map(|last| last.message.as_str()))
                .unwrap_or_default()
                .to_owned(),
            response_time_ms: last.and_then(|last| last.response_time_ms),
            caused_by: state.caused_by().cloned(),
            flapping: state.is_flapping(),
            pause: state.pause,
            muted_until: state.muted_until,
            bars,
            every_ms: millis(target.every),
            depends_on: target.member.depends_on.clone(),
        }
    }
}

pub(crate) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

/// Appends a result; time without results since the last one becomes bars of
/// its own, which show that nothing was observed.
pub(crate) fn push_bar(bars: &mut VecDeque<Bar>, result: &CheckResult, every: Duration) {
    let every = millis(every).max(1);
    if let Some(last) = bars.back() {
        let missed = result.at.since(last.at) / every - 1;
        let start = last.at;
        let gaps = (1..=missed).take(BARS);
        bars.extend(gaps.map(|n| Bar { at: start + n * every, status: None, ms: None }));
    }
    bars.push_back(Bar { at: result.at, status: Some(result.status), ms: result.response_time_ms });
    let surplus = bars.len().saturating_sub(BARS);
    bars.drain(..surplus);
}
