//! The judgement: from results to statuses, incidents, causes and uptime, and
//! what this machine can observe at all.
//!
//! Pure: no clock, no I/O, no async. Time comes in with each result, so an
//! hour of outages is judged in microseconds and every rule is testable.

mod detail;
mod event;
mod flap;
mod fleet;
mod graph;
mod id;
mod incident;
mod judge;
mod notice;
mod reach;
mod result;
mod roll;
mod service;
mod sight;
mod sketch;
mod sleep;
mod status;
mod summary;
mod thresholds;
mod time;
mod uptime;
mod words;

pub use detail::{Certificate, Evidence, Measurement, Phases};
pub use event::Event;
pub use flap::{FlapDetector, Flapping};
pub use fleet::{Fleet, Tick};
pub use graph::{DependencyGraph, Link, UnknownDependency};
pub use id::{InvalidId, ServiceId};
pub use incident::{Incident, IncidentChange, IncidentDetector, IncidentId};
pub use judge::{Judge, JudgePolicy, Verdict};
pub use notice::{Notice, NoticeKind};
pub use reach::Reach;
pub use result::{CheckResult, Metadata, Observation, Outcome};
pub use roll::Roll;
#[cfg(debug_assertions)]
pub use roll::visits;
pub use service::{Member, Pause, Saved, ServiceState};
pub use sight::{Horizon, Insight, Power, Seen, Sight};
pub use sketch::{InvalidSketch, LatencySketch};
pub use sleep::{Gap, SleepWatch};
pub use status::{Overall, ServiceStatus, Status};
pub use summary::Summary;
pub use thresholds::{Preset, Thresholds, Tier};
pub use time::{Millis, Moment, Timestamp, round_to};
pub use uptime::{Availability, Counts, Hold, Objective, Spent};
pub use words::humanize;
