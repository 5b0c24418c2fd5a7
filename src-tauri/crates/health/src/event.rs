use std::sync::Arc;

use crate::id::ServiceId;
use crate::incident::Incident;
use crate::notice::Notice;
use crate::result::CheckResult;
use crate::status::ServiceStatus;
use crate::time::Timestamp;

/// Something happened that others may want to know: the window, the tray, the
/// notifications, a script reading `run --json`.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A check came back.
    Result {
        /// Whose.
        service: ServiceId,
        /// With what.
        result: Arc<CheckResult>,
    },
    /// A service shows another status than before.
    StatusChanged {
        /// When.
        at: Timestamp,
        /// Whose.
        service: ServiceId,
        /// The status before.
        from: ServiceStatus,
        /// The status from now on.
        to: ServiceStatus,
    },
    /// An outage was confirmed.
    IncidentOpened {
        /// The outage.
        incident: Incident,
        /// Everything that depends on the service, transitively.
        affected: Vec<ServiceId>,
    },
    /// An open incident turned out to have a cause, another one, or none.
    CauseChanged {
        /// When.
        at: Timestamp,
        /// The incident, with its cause as it is now.
        incident: Incident,
    },
    /// An outage ended.
    IncidentResolved {
        /// The outage.
        incident: Incident,
        /// Everything that depends on the service, transitively.
        affected: Vec<ServiceId>,
    },
    /// A person should be told; every other event is for the record.
    Announced(Notice),
    /// A service changes its status too often for single changes to count.
    FlappingStarted {
        /// When.
        at: Timestamp,
        /// Whose.
        service: ServiceId,
    },
    /// A flapping service has settled.
    FlappingStopped {
        /// When.
        at: Timestamp,
        /// Whose.
        service: ServiceId,
    },
    /// What this machine can reach changed.
    ConnectivityChanged {
        /// When.
        at: Timestamp,
        /// Results of services beyond this machine are observed.
        online: bool,
        /// Why, for people: "no network", "woke from sleep".
        reason: String,
    },
    /// A person paused or resumed one service, or all.
    PauseChanged {
        /// When.
        at: Timestamp,
        /// Which; `None` is all.
        service: Option<ServiceId>,
        /// Paused from now on, or resumed.
        paused: bool,
    },
}
