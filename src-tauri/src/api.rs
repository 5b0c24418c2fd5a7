//! What may be asked of and told to a running Pilotlight, as the window sees it.
//! TypeScript for all of it is generated: see [`bindings`].

pub mod bindings;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use config::FormProblem;
use engine::{ServiceView, Snapshot};
use health::{CheckResult, IncidentId, Overall, Pause, ServiceId, Timestamp};
use history::{Day, Figures, LatencySeries, Uptime};
use serde::Serialize;
use ts_rs::TS;

/// An outage, with what the window shows beside it.
#[derive(Debug, Clone, Serialize, TS)]
#[ts(export_to = "bindings.ts")]
pub struct Incident {
    /// Counted from the first one on.
    #[ts(type = "number")]
    pub id: IncidentId,
    /// Whose.
    pub service: ServiceId,
    /// What people call it.
    pub service_name: String,
    /// Its first failing result.
    pub started_at: Timestamp,
    /// The result that confirmed it.
    pub detected_at: Timestamp,
    /// The result that resolved it; none while it lasts.
    pub resolved_at: Option<Timestamp>,
    /// Failing results so far.
    #[ts(type = "number")]
    pub checks_failed: u64,
    /// The service whose outage explains this one.
    pub caused_by: Option<ServiceId>,
    /// Services with an incident caused by this one.
    pub affected: Vec<ServiceId>,
    /// What was seen first.
    pub first_failure: Arc<CheckResult>,
    /// What was seen before it.
    pub last_good: Option<Arc<CheckResult>>,
}

impl Incident {
    /// An incident as the judgement has it, with what it does not know.
    pub fn new(incident: health::Incident, service_name: String, affected: Vec<ServiceId>) -> Self {
        let health::Incident {
            id,
            service,
            started_at,
            detected_at,
            resolved_at,
            checks_failed,
            caused_by,
            first_failure,
            last_good,
        } = incident;
        Self {
            id,
            service,
            service_name,
            started_at,
            detected_at,
            resolved_at,
            checks_failed,
            caused_by,
            affected,
            first_failure,
            last_good,
        }
    }
}

/// What a line at the top of the window is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "bindings.ts")]
pub enum BannerKind {
    /// The config file has mistakes.
    Config,
    /// Results cannot be stored.
    Storage,
    /// This machine observes nothing.
    Offline,
    /// The demo is shown.
    Demo,
}

/// A condition of the app itself worth a line at the top of the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[ts(export_to = "bindings.ts")]
pub struct Banner {
    /// What it is about.
    pub kind: BannerKind,
    /// The line.
    pub title: String,
    /// The rest.
    pub detail: String,
}

/// Everything of the overview but its services.
#[derive(Debug, Clone, Serialize, TS)]
#[ts(export_to = "bindings.ts")]
pub struct Head {
    /// The moment it tells of.
    pub at: Timestamp,
    /// The worst of all services.
    pub overall: Overall,
    /// Independent outages: incidents without a cause.
    #[ts(type = "number")]
    pub root_causes: usize,
    /// "PostgreSQL is down, 5 services affected"
    pub headline: String,
    /// "the other 36 services are healthy"
    pub detail: String,
    /// Active incidents, root causes first.
    pub incidents: Vec<Incident>,
    /// All services paused.
    pub pause: Option<Pause>,
    /// Lines at the top of the window.
    pub banners: Vec<Banner>,
    /// The demo is shown.
    pub demo: bool,
}

impl Head {
    /// From the engine's state, what is wrong with the config file, and whether
    /// that state is the demo's.
    pub fn new(snapshot: &Snapshot, config_problem: Option<String>, demo: bool) -> Self {
        let down: BTreeSet<_> = snapshot.incidents.iter().map(|i| &i.service).collect();
        let down = snapshot.services.iter().filter(|service| down.contains(&service.id));
        let names: BTreeMap<_, _> = down.map(|service| (&service.id, &service.name)).collect();
        let name_of =
            |id: &ServiceId| names.get(id).map_or_else(|| id.to_string(), ToString::to_string);
        let mut caused: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for incident in &snapshot.incidents {
            if let Some(cause) = &incident.caused_by {
                caused.entry(cause).or_default().push(incident.service.clone());
            }
        }
        let incidents = snapshot.incidents.iter().map(|incident| {
            let id = &incident.service;
            let affected = caused.remove(id).unwrap_or_default();
            Incident::new(incident.clone(), name_of(id), affected)
        });
        let summary = &snapshot.summary;
        Self {
            at: snapshot.at,
            overall: summary.overall,
            root_causes: summary.root_causes,
            headline: summary.headline.clone(),
            detail: summary.detail.clone(),
            incidents: incidents.collect(),
            pause: snapshot.pause,
            banners: banners(snapshot, config_problem, demo),
            demo,
        }
    }
}

fn banners(snapshot: &Snapshot, config_problem: Option<String>, demo: bool) -> Vec<Banner> {
    let banner =
        |kind, title: &str, detail: String| Banner { kind, title: title.to_owned(), detail };
    let offline = snapshot.unobserved.as_ref().map(|reason| {
        banner(
            BannerKind::Offline,
            "Not observing",
            format!("{reason}: nothing counts against a service"),
        )
    });
    let config = config_problem.map(|problem| {
        let title = if snapshot.services.is_empty() {
            "The config file has mistakes: nothing is checked until they are corrected"
        } else {
            "The config file has mistakes, the last good one is in force"
        };
        banner(BannerKind::Config, title, problem)
    });
    let storage = snapshot.storage_problem.clone().map(|problem| {
        banner(BannerKind::Storage, "Results cannot be stored; checking goes on", problem)
    });
    let demo = demo.then(|| {
        let detail = "real servers on this computer that slow down, flap and fail on a script";
        banner(BannerKind::Demo, "This is the demo", detail.to_owned())
    });
    [demo, config, storage, offline].into_iter().flatten().collect()
}

/// Everything the overview shows.
#[derive(Debug, Clone, Serialize, TS)]
#[ts(export_to = "bindings.ts")]
pub struct Overview {
    /// All but the services.
    pub head: Head,
    /// In the order of the config.
    #[ts(as = "Vec<ServiceView>")]
    pub services: Vec<Arc<ServiceView>>,
}

/// One service in depth.
#[derive(Debug, Clone, Serialize, TS)]
#[ts(export_to = "bindings.ts")]
pub struct ServiceDetail {
    /// Which.
    pub id: ServiceId,
    /// Response times over the range asked for.
    pub latency: LatencySeries,
    /// Its uptime over several periods.
    pub uptime: Vec<Uptime>,
    /// The share of availability promised, in percent.
    pub slo_pct: f64,
    /// Newest first, 30 of them.
    pub days: Vec<Day>,
    /// Newest first.
    pub results: Vec<CheckResult>,
    /// Newest first.
    pub incidents: Vec<Incident>,
    /// What it says it depends on.
    pub depends_on: Vec<ServiceId>,
    /// Everything that depends on it, transitively.
    pub affected_by: Vec<ServiceId>,
}

/// All incidents worth a look.
#[derive(Debug, Clone, Serialize, TS)]
#[ts(export_to = "bindings.ts")]
pub struct Incidents {
    /// Those that last, root causes first.
    pub active: Vec<Incident>,
    /// Those that are over, newest first.
    pub resolved: Vec<Incident>,
}

/// What a check of an unsaved form came to.
#[derive(Debug, Clone, Serialize, TS)]
#[ts(export_to = "bindings.ts")]
pub struct TestReport {
    /// Why it could not be checked.
    pub problems: Vec<FormProblem>,
    /// What was seen.
    pub result: Option<Arc<CheckResult>>,
    /// Why there was nothing to see.
    pub unobserved: Option<String>,
}

/// The app about itself.
#[derive(Debug, Clone, Serialize, TS)]
#[ts(export_to = "bindings.ts")]
pub struct About {
    /// Its version.
    pub version: String,
    /// Where its config is.
    pub config_file: String,
    /// Where history and logs are.
    pub data_dir: String,
    /// Bytes the history takes.
    #[ts(type = "number")]
    pub history_bytes: u64,
}

/// Pushed to the window.
#[derive(Debug, Clone, Serialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export_to = "bindings.ts")]
pub enum Push {
    /// Something of the overview is different now.
    Changed {
        /// All but the services.
        head: Box<Head>,
        /// Those that changed.
        #[ts(as = "Vec<ServiceView>")]
        services: Vec<Arc<ServiceView>>,
        /// All ids in order when the set or order changed.
        order: Option<Vec<ServiceId>>,
    },
    /// Figures from the history, told now and then.
    Figures {
        /// Those of every service.
        figures: BTreeMap<ServiceId, Figures>,
    },
    /// Show this page: `/`, `/service/ID`, `/incident/ID`, `/settings`.
    Navigate {
        /// The page.
        to: String,
    },
    /// The config file changed on disk or by this window.
    ConfigChanged,
}
