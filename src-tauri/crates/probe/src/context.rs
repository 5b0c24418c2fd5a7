use std::collections::BTreeMap;
use std::time::Duration;

use health::{Measurement, ServiceId, ServiceStatus, Status};
use serde::{Deserialize, Serialize};

/// What a check is told about the moment. Most ask the network instead.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Context {
    /// The name and the judged status of each of
    /// [`Probe::members`](crate::Probe::members); members that nobody knows
    /// are missing.
    pub members: BTreeMap<ServiceId, (String, ServiceStatus)>,
    /// The last report of the service.
    pub report: Option<Received>,
    /// Whether reports can come in.
    pub listening: Listening,
}

/// Whether reports can come in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Listening {
    /// Nobody listens: only the running app does.
    #[default]
    Nowhere,
    /// For so long by now.
    For(Duration),
    /// They cannot, and why.
    Failed(String),
}

/// A report that came in.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// What it says.
    pub report: Report,
    /// How long ago it came.
    pub ago: Duration,
    /// No check has seen it before.
    pub is_new: bool,
}

/// What a service reported of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How it is.
    pub status: Status,
    /// One line, for people; may be empty.
    pub message: String,
    /// How long its work took.
    pub latency: Option<Duration>,
    /// Numbers worth a chart.
    pub measurements: Vec<Measurement>,
}
