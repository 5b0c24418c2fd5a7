//! The reports of `check --json`: written by `check`, read by `replay` and
//! `record`.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use health::{
    CheckResult, Evidence, Measurement, Metadata, Overall, Phases, ServiceId, ServiceStatus,
    Status, Timestamp, round_to,
};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// All services, checked once.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    #[serde(default)]
    overall: Overall,
    /// By name.
    pub services: Vec<ServiceReport>,
    /// Epoch seconds.
    checked_at: f64,
}

/// One of them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ServiceReport {
    #[serde(default)]
    id: Option<ServiceId>,
    #[serde(default)]
    name: Option<String>,
    /// What its result was; unknown where there was nothing to see.
    pub status: ServiceStatus,
    #[serde(default)]
    pub response_time_ms: Option<f64>,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default, skip_serializing_if = "Phases::is_empty")]
    phases: Phases,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    measurements: Vec<Measurement>,
    #[serde(default, skip_serializing_if = "Evidence::is_empty")]
    evidence: Evidence,
}

impl Report {
    /// From results, as they are printed: services by name, times to 0.1 ms.
    pub fn new(
        at: Timestamp,
        results: impl IntoIterator<Item = (ServiceId, String, Result<Arc<CheckResult>, String>)>,
    ) -> Self {
        let mut services: Vec<_> = results
            .into_iter()
            .map(|(id, name, result)| ServiceReport::new(id, name, at, result))
            .collect();
        services.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        let overall = Overall::of(services.iter().map(|service| service.status), false);
        Self { overall, services, checked_at: at.as_seconds() }
    }

    /// When the report was made.
    pub fn checked_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.checked_at)
    }

    /// The worst status in it.
    pub fn worst(&self) -> Option<Status> {
        self.services
            .iter()
            .filter_map(|service| service.result(self.checked_at()))
            .map(|r| r.status)
            .max()
    }

    fn nameless(&self) -> bool {
        self.services.iter().any(|service| service.name.is_none() && service.id.is_none())
    }
}

impl ServiceReport {
    fn new(
        id: ServiceId,
        name: String,
        at: Timestamp,
        result: Result<Arc<CheckResult>, String>,
    ) -> Self {
        let status = result.as_ref().map_or(ServiceStatus::Unknown, |result| result.status.into());
        let seen = match result {
            Ok(result) => Arc::unwrap_or_clone(result),
            Err(reason) => CheckResult::new(at, Status::Unhealthy, None, reason),
        };
        Self {
            id: Some(id),
            name: Some(name),
            status,
            response_time_ms: seen.response_time_ms.map(|ms| round_to(ms, 1)),
            message: seen.message,
            metadata: seen.metadata,
            phases: seen.phases,
            measurements: seen.measurements,
            evidence: seen.evidence,
        }
    }

    /// Its name; the id where the report has none.
    pub fn name(&self) -> &str {
        let id = self.id.as_ref().map(ServiceId::as_str);
        self.name.as_deref().or(id).unwrap_or_default()
    }

    /// Its id; made from the name where the report has none.
    pub fn id(&self) -> Result<ServiceId, Failure> {
        let made = || ServiceId::new(&slug(self.name()));
        self.id.clone().map_or_else(made, Ok).map_err(|error| {
            Failure::usage(error.to_string(), "give each service of the reports an `id`")
        })
    }

    /// Its result, observed at that time; none if there was nothing to see.
    pub fn result(&self, at: Timestamp) -> Option<CheckResult> {
        let status = match self.status {
            ServiceStatus::Healthy => Status::Healthy,
            ServiceStatus::Degraded => Status::Degraded,
            ServiceStatus::Unhealthy => Status::Unhealthy,
            ServiceStatus::Unknown | ServiceStatus::Paused => return None,
        };
        Some(CheckResult {
            at,
            status,
            response_time_ms: self.response_time_ms.filter(|ms| ms.is_finite() && *ms >= 0.0),
            message: self.message.clone(),
            metadata: self.metadata.clone(),
            phases: self.phases,
            measurements: self.measurements.clone(),
            evidence: self.evidence.clone(),
        })
    }
}

/// "API Gateway" -> "api-gateway"
fn slug(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// Reads one report a line (`-` is standard input) until `take` returns false.
/// Empty lines are skipped.
pub(crate) fn for_each_report(
    path: &Path,
    mut take: impl FnMut(Report) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let name = if path == Path::new("-") {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let unreadable = |error: io::Error| {
        Failure::usage(
            format!("{name} cannot be read: {error}"),
            "name a file of `check --json` reports",
        )
    };
    let reader: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(unreadable)?))
    };
    for (n, line) in (1..).zip(reader.lines()) {
        let line = line.map_err(unreadable)?;
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |what: String| {
            Failure::usage(format!("{name}:{n}: {what}"), "one `check --json` report a line")
        };
        let report: Report =
            serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?;
        if report.nameless() {
            return Err(wrong("a service has neither `id` nor `name`".to_owned()));
        }
        if !take(report)? {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_makes_an_id() {
        assert_eq!(slug("API Gateway (v2)"), "api-gateway-v2");
        assert_eq!(slug("  "), "");
    }
}
