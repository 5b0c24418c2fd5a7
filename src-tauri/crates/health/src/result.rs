use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

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
    /// `Ok`: what was seen ("200 OK"). `Err`: the failed expectation, error or
    /// timeout ("connection refused (127.0.0.1:5432)"). One line, for people.
    pub outcome: Result<String, String>,
    /// The address that was used, once it was known.
    pub address: Option<IpAddr>,
    /// What else is worth knowing.
    pub metadata: Metadata,
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
}

impl CheckResult {
    /// Holds `observation`, whose check started at `at`, against `thresholds`.
    ///
    /// 1. A failed expectation, error or timeout is unhealthy.
    /// 2. Slower than `unhealthy_above` is unhealthy.
    /// 3. Slower than `degraded_above` is degraded.
    /// 4. Anything else is healthy.
    pub fn judge(at: Timestamp, observation: Observation, thresholds: &Thresholds) -> Self {
        let Observation { response_time, outcome, address, mut metadata } = observation;
        if let Some(address) = address {
            metadata.insert("address".to_owned(), address.to_string());
        }
        let too_slow =
            |limit: Option<Duration>| response_time.zip(limit).filter(|(took, limit)| took > limit);
        let (status, message) = match outcome {
            Err(failure) => (Status::Unhealthy, failure),
            Ok(seen) => {
                if let Some((took, limit)) = too_slow(thresholds.unhealthy_above) {
                    (Status::Unhealthy, slow(&seen, took, limit))
                } else if let Some((took, limit)) = too_slow(thresholds.degraded_above) {
                    (Status::Degraded, slow(&seen, took, limit))
                } else {
                    (Status::Healthy, seen)
                }
            }
        };
        let response_time_ms = response_time.map(|took| took.as_secs_f64() * 1000.0);
        Self { at, status, response_time_ms, message, metadata }
    }
}

fn slow(seen: &str, took: Duration, limit: Duration) -> String {
    format!("{seen}, but took {} ms, above {} ms", took.as_millis(), limit.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(ms: u64, outcome: Result<&str, &str>) -> CheckResult {
        let observation = Observation {
            response_time: Some(Duration::from_millis(ms)),
            outcome: outcome.map(str::to_owned).map_err(str::to_owned),
            address: None,
            metadata: Metadata::new(),
        };
        CheckResult::judge(Timestamp(0), observation, &Thresholds::of(crate::Preset::Cache))
    }

    #[test]
    fn failure_comes_before_latency_and_limits_are_exclusive() {
        assert_eq!(judged(1, Err("refused")).status, Status::Unhealthy);
        assert_eq!(judged(50, Ok("ok")).status, Status::Healthy);
        assert_eq!(judged(51, Ok("ok")).status, Status::Degraded);
        assert_eq!(judged(500, Ok("ok")).status, Status::Degraded);
        let slow = judged(501, Ok("200 OK"));
        assert_eq!(slow.status, Status::Unhealthy);
        assert_eq!(slow.message, "200 OK, but took 501 ms, above 500 ms");
    }
}
