use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use health::{
    CheckResult, FlapDetector, IncidentChange, IncidentDetector, Judge, JudgePolicy, Millis,
    Status, Timestamp, round_to,
};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::still_read;
use crate::report::{Report, for_each_report};

/// Thresholds to try on the past.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// One report a line; `-` is standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Failures in a row that open an incident.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    fail_after: u32,
    /// Successes in a row that resolve it (not with --classic).
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    recover_after: u32,
    /// Equal results in a row that change what is shown.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    stable_count: u32,
    /// The plain flap and incident detectors instead of the app's judge.
    #[arg(long)]
    classic: bool,
}

/// What one report would have told.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    checked_at: f64,
    stable: BTreeMap<&'a str, &'static str>,
    new_incidents: Vec<New<'a>>,
    resolved_incidents: Vec<Resolved<'a>>,
    active_incidents: Vec<Active<'a>>,
}

#[derive(Debug, Serialize)]
struct New<'a> {
    service: &'a str,
    started: f64,
}

#[derive(Debug, Serialize)]
struct Resolved<'a> {
    service: &'a str,
    duration_min: f64,
}

#[derive(Debug, Serialize)]
struct Active<'a> {
    service: &'a str,
    duration_min: f64,
    checks_failed: u64,
}

/// Reads the reports and prints an answer a line. Services are told apart by
/// name, as in the reports people keep.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut watched: BTreeMap<String, Watched> = BTreeMap::new();
    let mut out = BufWriter::new(std::io::stdout().lock());
    for_each_report(&arguments.file, |report| {
        let changes = take(&mut watched, arguments, &report);
        let answer = answer(&watched, &report, &changes);
        let text = serde_json::to_string(&answer).unwrap_or_default();
        still_read(writeln!(out, "{text}"))
    })?;
    still_read(out.flush()).map(|_| ())
}

fn take(
    watched: &mut BTreeMap<String, Watched>,
    arguments: &Arguments,
    report: &Report,
) -> Vec<(String, Change)> {
    let mut changes = Vec::new();
    for service in &report.services {
        let name = service.name();
        let Some(result) = service.result(report.checked_at()) else { continue };
        let one = watched.entry(name.to_owned()).or_insert_with(|| Watched::new(arguments));
        changes.extend(
            one.take(&Arc::new(result)).into_iter().map(|change| (name.to_owned(), change)),
        );
    }
    changes.sort_by(|(a, _), (b, _)| a.cmp(b));
    changes
}

fn answer<'a>(
    watched: &'a BTreeMap<String, Watched>,
    report: &Report,
    changes: &'a [(String, Change)],
) -> Answer<'a> {
    let now = report.checked_at();
    let new = changes.iter().filter_map(|(service, change)| match change {
        Change::Opened(at) => Some(New { service, started: at.as_seconds() }),
        Change::Resolved(_) => None,
    });
    let resolved = changes.iter().filter_map(|(service, change)| match change {
        Change::Resolved(lasted) => Some(Resolved { service, duration_min: minutes(*lasted) }),
        Change::Opened(_) => None,
    });
    let active = watched.iter().filter_map(|(service, one)| {
        let (since, checks_failed) = one.active()?;
        Some(Active { service, duration_min: minutes(now.since(since)), checks_failed })
    });
    Answer {
        checked_at: now.as_seconds(),
        stable: watched.iter().map(|(name, one)| (name.as_str(), one.stable())).collect(),
        new_incidents: new.collect(),
        resolved_incidents: resolved.collect(),
        active_incidents: active.collect(),
    }
}

fn minutes(ms: Millis) -> f64 {
    round_to(ms as f64 / 60_000.0, 1)
}

#[derive(Debug)]
enum Change {
    Opened(Timestamp),
    Resolved(Millis),
}

/// One service under either pair of eyes.
enum Watched {
    Classic { flap: FlapDetector, incident: IncidentDetector, shown: Option<Status> },
    App { judge: Box<Judge>, policy: JudgePolicy, open: Option<(Timestamp, u64)> },
}

impl Watched {
    fn new(arguments: &Arguments) -> Self {
        if arguments.classic {
            return Self::Classic {
                flap: FlapDetector::new(arguments.stable_count),
                incident: IncidentDetector::new(arguments.fail_after),
                shown: None,
            };
        }
        let policy = JudgePolicy {
            fail_after: arguments.fail_after,
            recover_after: arguments.recover_after,
            stable_count: arguments.stable_count,
        };
        Self::App { judge: Box::default(), policy, open: None }
    }

    fn take(&mut self, result: &Arc<CheckResult>) -> Option<Change> {
        match self {
            Self::Classic { flap, incident, shown } => {
                *shown = Some(flap.observe(result.status));
                incident.observe(result.at, result.status).map(|change| match change {
                    IncidentChange::Opened => Change::Opened(result.at),
                    IncidentChange::Resolved { since } => Change::Resolved(result.at.since(since)),
                })
            }
            Self::App { judge, policy, open } => {
                let verdict = judge.observe(*policy, result);
                if let Some((_, failed)) = open
                    && result.status == Status::Unhealthy
                {
                    *failed += 1;
                }
                if verdict.opened {
                    let since = judge.first_failure().map_or(result.at, |first| first.at);
                    *open = Some((since, u64::from(judge.failures())));
                    return Some(Change::Opened(since));
                }
                if verdict.resolved {
                    return open.take().map(|(since, _)| Change::Resolved(result.at.since(since)));
                }
                None
            }
        }
    }

    fn stable(&self) -> &'static str {
        match self {
            Self::Classic { shown, .. } => shown.map_or("unknown", Status::as_str),
            Self::App { judge, .. } => judge.status().as_str(),
        }
    }

    fn active(&self) -> Option<(Timestamp, u64)> {
        match self {
            Self::Classic { incident, .. } => incident.active(),
            Self::App { open, .. } => *open,
        }
    }
}
