//! What the tests of the history have in common.
#![allow(dead_code)] // each test file uses a part

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use health::{
    CheckResult, Evidence, Hold, Incident, Measurement, Phases, ServiceId, Status, Timestamp,
};
use history::{History, Keep, Options, Reader, Writer, Zone};

pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;
/// 2026-01-15 12:00 UTC
pub const NOON: Timestamp = Timestamp(1_768_478_400_000);

pub fn api() -> ServiceId {
    id("api")
}

pub fn id(text: &str) -> ServiceId {
    ServiceId::new(text).expect("an id")
}

pub fn result(at: Timestamp, status: Status, ms: impl Into<Option<f64>>) -> CheckResult {
    let message = match status {
        Status::Healthy => "200 OK",
        Status::Degraded => "200 OK, but slow",
        Status::Unhealthy => "connection refused",
    };
    CheckResult::new(at, status, ms.into(), message)
}

/// The same with phases and a measurement, and evidence of a failure.
pub fn detailed(result: CheckResult) -> CheckResult {
    let body = Some("<h1>Bad Gateway</h1>".to_owned());
    let evidence = match result.status {
        Status::Unhealthy => Evidence { body, ..Evidence::default() },
        Status::Healthy | Status::Degraded => Evidence::default(),
    };
    CheckResult {
        phases: Phases { dns: Some(0.25), wait: result.response_time_ms, ..Phases::default() },
        measurements: vec![measurement("/var", (result.at.0 % 89) as f64)],
        evidence,
        ..result
    }
}

/// Percent, with limits.
pub fn measurement(name: &str, value: f64) -> Measurement {
    Measurement {
        degraded_at: Some(80.0),
        unhealthy_at: Some(90.0),
        ..Measurement::new(name, value, "%")
    }
}

pub fn hold() -> Hold {
    Hold::of(Duration::from_secs(30), Duration::from_secs(3))
}

/// Keeps everything, in UTC, at noon.
pub fn forever() -> Options {
    Options { keep: Keep::FOREVER, zone: Zone::utc(), clock: Arc::new(|| NOON) }
}

pub fn open(folder: &Path, options: Options) -> History {
    let (history, recovered) = History::open_with(folder, options).expect("a history");
    assert_eq!(recovered, None);
    history
}

pub fn reader(folder: &Path) -> Reader {
    Reader::open(folder).expect("a reader")
}

pub fn retain(writer: &Writer, now: Timestamp) {
    let (sender, done) = std::sync::mpsc::channel();
    writer.retain(now, move |result| {
        sender.send(result).expect("somebody waits");
    });
    done.recv().expect("an answer").expect("nothing wrong");
}

pub fn incident(number: i64, service: &ServiceId, at: Timestamp) -> Incident {
    Incident {
        id: number,
        service: service.clone(),
        started_at: at,
        detected_at: at + 10_000,
        resolved_at: None,
        checks_failed: 3,
        caused_by: None,
        first_failure: result(at, Status::Unhealthy, None).into(),
        last_good: Some(result(at - 30_000, Status::Healthy, 12.5).into()),
    }
}
