use std::collections::BTreeMap;
use std::time::Duration;

use health::{ServiceId, ServiceStatus, Status};

/// What a check is told about the moment. Most ask the network instead.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Context {
    /// The judged status of each of [`Probe::members`](crate::Probe::members),
    /// with its name; members that nobody knows are missing.
    pub members: BTreeMap<ServiceId, (String, ServiceStatus)>,
    /// The last report of the service, and how long ago it came.
    pub report: Option<(Report, Duration)>,
    /// How long the service could have reported by now. None: it never can.
    pub listening_for: Option<Duration>,
}

/// What a service reported of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How it is.
    pub status: Status,
    /// One line, for people; may be empty.
    pub message: String,
    /// How long its work took.
    pub latency: Option<Duration>,
}
