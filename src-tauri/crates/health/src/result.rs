use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detail::{Evidence, Measurement, Phases};
use crate::status::Status;
use crate::thresholds::Thresholds;
use crate::time::Timestamp;

/// What a check saw beside its status, for people: HTTP status, address, ...
/// Keys are snake case.
pub type Metadata = BTreeMap<String, String>;

/// What a probe saw, once, before it is held against the thresholds.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// How long the answer took; `None` when there was none.
    pub response_time: Option<Duration>,
    /// What came of it.
    pub outcome: Outcome,
    /// The address that was used, once it was known.
    pub address: Option<IpAddr>,
    /// Where the time went, of a failure too.
    pub phases: Phases,
    /// What else is worth knowing.
    pub metadata: Metadata,
    /// Numbers worth a chart.
    pub measurements: Vec<Measurement>,
    /// What a failure looked like; nothing where it was none.
    pub evidence: Evidence,
}

impl Observation {
    /// An outcome and nothing else.
    pub fn of(outcome: Outcome) -> Self {
        Self {
            response_time: None,
            outcome,
            address: None,
            phases: Phases::default(),
            metadata: Metadata::new(),
            measurements: Vec::new(),
            evidence: Evidence::default(),
        }
    }
}

/// What came of a check, with one line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All is as expected: "200 OK".
    Healthy(String),
    /// It works, but somebody should look: a certificate about to expire, a
    /// plugin's warning.
    Degraded(String),
    /// A failed expectation, error or timeout: "connection refused
    /// (127.0.0.1:5432)".
    Unhealthy(String),
    /// Nothing could be seen, and the service is not to blame: a report that
    /// is not due yet, members that are unknown themselves.
    Unknown(String),
}

impl Outcome {
    /// The line for people.
    pub fn message(&self) -> &str {
        match self {
            Self::Healthy(message)
            | Self::Degraded(message)
            | Self::Unhealthy(message)
            | Self::Unknown(message) => message,
        }
    }
}

/// One result of one check: an observation with its status and its moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub struct CheckResult {
    /// When the check started.
    pub at: Timestamp,
    /// Healthy, degraded or unhealthy.
    pub status: Status,
    /// Milliseconds; null when nothing answered.
    pub response_time_ms: Option<f64>,
    /// What was seen, one line, for people.
    pub message: String,
    /// What else is worth knowing.
    #[serde(default)]
    #[ts(as = "BTreeMap<String, String>")]
    pub metadata: Metadata,
    /// Where the time went.
    #[serde(default, skip_serializing_if = "Phases::is_empty")]
    #[ts(as = "Option<Phases>", optional)]
    pub phases: Phases,
    /// Numbers worth a chart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<Measurement>>", optional)]
    pub measurements: Vec<Measurement>,
    /// What a failure looked like.
    #[serde(default, skip_serializing_if = "Evidence::is_empty")]
    #[ts(as = "Option<Evidence>", optional)]
    pub evidence: Evidence,
}

impl CheckResult {
    /// A result without details.
    pub fn new(
        at: Timestamp,
        status: Status,
        response_time_ms: Option<f64>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            at,
            status,
            response_time_ms,
            message: message.into(),
            metadata: Metadata::new(),
            phases: Phases::default(),
            measurements: Vec::new(),
            evidence: Evidence::default(),
        }
    }

    /// Holds `observation`, whose check started at `at`, against `thresholds`.
    /// `Err` says why nothing was observed.
    ///
    /// 1. What was not observed is no result.
    /// 2. A failed expectation, error or timeout is unhealthy.
    /// 3. Slower than `unhealthy_above` is unhealthy.
    /// 4. Slower than `degraded_above`, or what the probe itself calls
    ///    degraded, is degraded.
    /// 5. Anything else is healthy.
    ///
    /// # Errors
    /// The message of [`Outcome::Unknown`].
    pub fn judge(
        at: Timestamp,
        observation: Observation,
        thresholds: &Thresholds,
    ) -> Result<Self, String> {
        let Observation {
            response_time,
            outcome,
            address,
            phases,
            mut metadata,
            measurements,
            evidence,
        } = observation;
        if let Some(address) = address {
            metadata.insert("address".to_owned(), address.to_string());
        }
        let (status, message) = match outcome {
            Outcome::Unknown(reason) => return Err(reason),
            Outcome::Unhealthy(failure) => (Status::Unhealthy, failure),
            Outcome::Degraded(seen) => by_time(Status::Degraded, seen, response_time, thresholds),
            Outcome::Healthy(seen) => by_time(Status::Healthy, seen, response_time, thresholds),
        };
        let response_time_ms = response_time.map(|took| took.as_secs_f64() * 1000.0);
        Ok(Self { at, status, response_time_ms, message, metadata, phases, measurements, evidence })
    }
}

/// What an answer is worth that came after `response_time`.
fn by_time(
    status: Status,
    seen: String,
    response_time: Option<Duration>,
    thresholds: &Thresholds,
) -> (Status, String) {
    let slower =
        |limit: Option<Duration>| response_time.zip(limit).filter(|(took, limit)| took > limit);
    if let Some((took, limit)) = slower(thresholds.unhealthy_above) {
        (Status::Unhealthy, slow(&seen, took, limit))
    } else if let Some((took, limit)) = slower(thresholds.degraded_above) {
        (Status::Degraded, slow(&seen, took, limit))
    } else {
        (status, seen)
    }
}

fn slow(seen: &str, took: Duration, limit: Duration) -> String {
    format!("{seen}, but took {} ms, above {} ms", took.as_millis(), limit.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(ms: u64, outcome: Outcome) -> Result<CheckResult, String> {
        let response_time = Some(Duration::from_millis(ms));
        let observation = Observation { response_time, ..Observation::of(outcome) };
        CheckResult::judge(Timestamp(0), observation, &Thresholds::of(crate::Preset::Cache))
    }

    fn status(ms: u64, outcome: Outcome) -> Status {
        judged(ms, outcome).expect("observed").status
    }

    #[test]
    fn failure_comes_before_latency_and_limits_are_exclusive() {
        let healthy = || Outcome::Healthy("200 OK".to_owned());
        assert_eq!(status(1, Outcome::Unhealthy("refused".to_owned())), Status::Unhealthy);
        assert_eq!(status(50, healthy()), Status::Healthy);
        assert_eq!(status(51, healthy()), Status::Degraded);
        assert_eq!(status(500, healthy()), Status::Degraded);
        let slow = judged(501, healthy()).expect("observed");
        assert_eq!(slow.status, Status::Unhealthy);
        assert_eq!(slow.message, "200 OK, but took 501 ms, above 500 ms");
    }

    #[test]
    fn what_the_probe_calls_degraded_is_so_however_fast() {
        let degraded = || Outcome::Degraded("expires soon".to_owned());
        assert_eq!(status(1, degraded()), Status::Degraded);
        assert_eq!(status(501, degraded()), Status::Unhealthy);
    }

    #[test]
    fn what_was_not_observed_is_no_result() {
        let unknown = judged(1, Outcome::Unknown("no report yet".to_owned()));
        assert_eq!(unknown, Err("no report yet".to_owned()));
    }
}
