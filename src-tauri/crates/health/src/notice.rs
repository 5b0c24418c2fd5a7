use crate::id::ServiceId;
use crate::incident::{Incident, IncidentId};
use crate::time::Timestamp;
use crate::words::{humanize, services};

/// What a notice is about; a desktop gives each its urgency and icon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// A service is down.
    Down,
    /// It is up again.
    Recovered,
    /// It flaps: the last word until it settles.
    Flapping,
}

/// One message to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// When.
    pub at: Timestamp,
    /// About which service.
    pub service: ServiceId,
    /// About which incident; a recovery takes the place of its outage's notice.
    pub incident: Option<IncidentId>,
    /// What happened.
    pub kind: NoticeKind,
    /// "PostgreSQL is down"
    pub title: String,
    /// "connection refused (127.0.0.1:5432). 5 services affected."
    pub body: String,
}

/// What depends on a service that is down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Affected {
    /// Everything that does, transitively.
    pub all: usize,
    /// What of it fails, too.
    pub failing: usize,
}

impl Notice {
    /// An outage, seen as `message`; `still`: others knew of it before.
    pub(crate) fn down(
        at: Timestamp,
        name: &str,
        incident: &Incident,
        message: &str,
        still: bool,
        affected: Affected,
    ) -> Self {
        let body = match affected {
            Affected { all: 0, failing: 0 } => format!("{message}."),
            Affected { all: 1, failing: 0 } => format!("{message}. 1 service depends on it."),
            Affected { all, failing: 0 } => format!("{message}. {all} services depend on it."),
            Affected { failing, .. } => format!("{message}. {} affected.", services(failing)),
        };
        Self {
            at,
            service: incident.service.clone(),
            incident: Some(incident.id),
            kind: NoticeKind::Down,
            title: format!("{name} is {}down", if still { "still " } else { "" }),
            body,
        }
    }

    /// The end of an outage of something that `dependants` services depend on.
    pub(crate) fn recovered(name: &str, incident: &Incident, dependants: usize) -> Self {
        let at = incident.resolved_at.unwrap_or(incident.detected_at);
        let lasted = humanize(incident.duration(at));
        let body = match dependants {
            0 => format!("It was down for {lasted}."),
            1 => format!("It was down for {lasted}. 1 service depends on it."),
            n => format!("It was down for {lasted}. {n} services depend on it."),
        };
        Self {
            at,
            service: incident.service.clone(),
            incident: Some(incident.id),
            kind: NoticeKind::Recovered,
            title: format!("{name} is up again"),
            body,
        }
    }

    /// The start of flapping, after so many `changes` of status.
    pub(crate) fn flapping(at: Timestamp, service: &ServiceId, name: &str, changes: usize) -> Self {
        Self {
            at,
            service: service.clone(),
            incident: None,
            kind: NoticeKind::Flapping,
            title: format!("{name} is flapping"),
            body: format!(
                "It changed its status {changes} times in the last 21 checks. Quiet until it settles."
            ),
        }
    }
}
