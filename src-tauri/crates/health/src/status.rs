use std::fmt;

use serde::{Deserialize, Serialize};

/// The status of one result, worse is greater.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS,
)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "bindings.ts")]
pub enum Status {
    /// All expectations met, fast enough.
    Healthy,
    /// All expectations met, but slower than `degraded_above`.
    Degraded,
    /// An expectation failed, an error, a timeout, or slower than `unhealthy_above`.
    Unhealthy,
}

impl Status {
    /// `healthy`, `degraded` or `unhealthy`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a service shows: the judged status of its results, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "bindings.ts")]
pub enum ServiceStatus {
    /// Judged healthy.
    Healthy,
    /// Judged degraded.
    Degraded,
    /// Judged unhealthy: it has an open incident.
    Unhealthy,
    /// No result yet, a first failure not yet confirmed, or not observed.
    #[default]
    Unknown,
    /// Not checked because a person said so.
    Paused,
}

impl ServiceStatus {
    /// Every status, in the order of the enum.
    pub const ALL: [Self; 5] =
        [Self::Healthy, Self::Degraded, Self::Unhealthy, Self::Unknown, Self::Paused];

    /// The status' name in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
            Self::Paused => "paused",
        }
    }
}

impl fmt::Display for ServiceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Status> for ServiceStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Healthy => Self::Healthy,
            Status::Degraded => Self::Degraded,
            Status::Unhealthy => Self::Unhealthy,
        }
    }
}

/// The state of everything, as the tray icon shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "bindings.ts")]
pub enum Overall {
    /// Every counted service is healthy.
    Healthy,
    /// The worst counted service is degraded.
    Degraded,
    /// At least one counted service is unhealthy.
    Unhealthy,
    /// Not every service has had a result, or there is none to check.
    #[default]
    Unknown,
    /// This machine has no network, so nothing can be said.
    Offline,
    /// A person paused everything.
    Paused,
}

impl Overall {
    /// The worst of the statuses of what counts (neither paused nor muted).
    ///
    /// 1. Any unhealthy service makes it unhealthy: a known outage is shown
    ///    even while others are unknown.
    /// 2. Else `offline` or an unknown service hides the rest: never green
    ///    before every service has had a first result.
    /// 3. Else degraded, else healthy; with nothing to count, `paused` if any
    ///    service is paused and unknown if there is none.
    pub fn of(services: impl IntoIterator<Item = ServiceStatus>, offline: bool) -> Self {
        let (mut unhealthy, mut degraded, mut healthy, mut unknown, mut paused) =
            (false, false, false, false, false);
        for status in services {
            match status {
                ServiceStatus::Unhealthy => unhealthy = true,
                ServiceStatus::Degraded => degraded = true,
                ServiceStatus::Healthy => healthy = true,
                ServiceStatus::Unknown => unknown = true,
                ServiceStatus::Paused => paused = true,
            }
        }
        if unhealthy {
            Self::Unhealthy
        } else if offline {
            Self::Offline
        } else if unknown {
            Self::Unknown
        } else if degraded {
            Self::Degraded
        } else if healthy {
            Self::Healthy
        } else if paused {
            Self::Paused
        } else {
            Self::Unknown
        }
    }

    /// The state's name in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
            Self::Offline => "offline",
            Self::Paused => "paused",
        }
    }
}

impl fmt::Display for Overall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::ServiceStatus::{Degraded, Healthy, Paused, Unhealthy, Unknown};
    use super::*;

    #[test]
    fn the_worst_counts_and_green_waits_for_every_first_result() {
        assert_eq!(Overall::of([Healthy, Degraded], false), Overall::Degraded);
        assert_eq!(Overall::of([Healthy, Unknown], false), Overall::Unknown);
        assert_eq!(Overall::of([Unknown, Unhealthy], false), Overall::Unhealthy);
        assert_eq!(Overall::of([Healthy, Paused], false), Overall::Healthy);
        assert_eq!(Overall::of([Paused], false), Overall::Paused);
        assert_eq!(Overall::of([], false), Overall::Unknown);
        assert_eq!(Overall::of([Healthy, Unknown], true), Overall::Offline);
        assert_eq!(Overall::of([Unhealthy], true), Overall::Unhealthy);
    }
}
