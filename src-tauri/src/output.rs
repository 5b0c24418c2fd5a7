//! Events as lines of text or JSON.

use std::io::Write;

use health::{Event, Incident, Timestamp, humanize, round_to};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// Prints every event until there are no more, or nobody reads.
pub(crate) async fn print_events(mut events: Receiver<Event>, as_json: bool) {
    loop {
        match events.recv().await {
            Ok(event) => {
                let line = if as_json { Some(json(&event)) } else { text(&event) };
                let Some(line) = line else { continue };
                let mut out = std::io::stdout().lock();
                if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                    return; // nobody reads any more
                }
            }
            Err(RecvError::Lagged(missed)) => {
                eprintln!("{missed} events were not printed: too slow a reader");
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// One event as `run --json` prints it.
pub(crate) fn json(event: &Event) -> String {
    let value = match event {
        Event::Result { service, result } => json!({
            "type": "result",
            "at": seconds(result.at),
            "service": service,
            "status": result.status,
            "response_time_ms": result.response_time_ms.map(|ms| round_to(ms, 1)),
            "message": result.message,
            "metadata": result.metadata,
        }),
        Event::StatusChanged { at, service, from, to } => json!({
            "type": "status_changed",
            "at": seconds(*at),
            "service": service,
            "from": from,
            "status": to,
        }),
        Event::IncidentOpened { incident, affected } => {
            incident_json("incident_opened", incident.detected_at, incident, Some(affected))
        }
        Event::CauseChanged { at, incident } => incident_json("cause_changed", *at, incident, None),
        Event::IncidentResolved { incident, affected } => {
            let at = incident.resolved_at.unwrap_or(incident.detected_at);
            incident_json("incident_resolved", at, incident, Some(affected))
        }
        Event::Announced(notice) => json!({
            "type": "announced",
            "at": seconds(notice.at),
            "service": notice.service,
            "title": notice.title,
            "body": notice.body,
        }),
        Event::FlappingStarted { at, service } => {
            json!({"type": "flapping_started", "at": seconds(*at), "service": service})
        }
        Event::FlappingStopped { at, service } => {
            json!({"type": "flapping_stopped", "at": seconds(*at), "service": service})
        }
        Event::ConnectivityChanged { at, online, reason } => json!({
            "type": "connectivity_changed",
            "at": seconds(*at),
            "online": online,
            "reason": reason,
        }),
        Event::PauseChanged { at, service, paused } => json!({
            "type": if *paused { "paused" } else { "resumed" },
            "at": seconds(*at),
            "service": service,
        }),
    };
    value.to_string()
}

fn incident_json(
    kind: &str,
    at: Timestamp,
    incident: &Incident,
    affected: Option<&[health::ServiceId]>,
) -> Value {
    let mut value = json!({
        "type": kind,
        "at": seconds(at),
        "service": incident.service,
        "incident": incident.id,
        "started_at": seconds(incident.started_at),
        "resolved_at": incident.resolved_at.map(seconds),
        "checks_failed": incident.checks_failed,
        "message": incident.first_failure.message,
        "caused_by": incident.caused_by,
    });
    if let Some(affected) = affected {
        value["affected"] = json!(affected);
    }
    value
}

/// One event for people; single results are left out.
pub(crate) fn text(event: &Event) -> Option<String> {
    let (at, text) = match event {
        Event::Result { .. } => return None,
        Event::StatusChanged { at, service, from, to } => {
            (at, format!("{service}: {from} -> {to}"))
        }
        Event::IncidentOpened { incident, .. } => {
            let cause = incident.caused_by.as_ref().map(|c| format!(", caused by {c}"));
            let message = &incident.first_failure.message;
            let text = format!(
                "{}: incident opened: {message}{}",
                incident.service,
                cause.unwrap_or_default()
            );
            (&incident.detected_at, text)
        }
        Event::CauseChanged { at, incident } => {
            let cause = incident.caused_by.as_ref().map_or("nothing else", |c| c.as_str());
            (at, format!("{}: caused by {cause}", incident.service))
        }
        Event::IncidentResolved { incident, .. } => {
            let at = incident.resolved_at.as_ref().unwrap_or(&incident.detected_at);
            let lasted = humanize(incident.duration(*at));
            (at, format!("{}: incident resolved after {lasted}", incident.service))
        }
        Event::Announced(notice) => (&notice.at, format!("** {}: {}", notice.title, notice.body)),
        Event::FlappingStarted { at, service } => (at, format!("{service}: flapping")),
        Event::FlappingStopped { at, service } => (at, format!("{service}: settled")),
        Event::ConnectivityChanged { at, online, reason } => {
            let what = if *online { "observing again" } else { "not observing" };
            (at, format!("{what}: {reason}"))
        }
        Event::PauseChanged { at, service, paused } => {
            let who = service.as_ref().map_or("everything", |id| id.as_str());
            (at, format!("{who}: {}", if *paused { "paused" } else { "resumed" }))
        }
    };
    Some(format!("{}  {text}", local_time(*at)))
}

/// `13:48:17`, local.
fn local_time(at: Timestamp) -> String {
    local(at, "%H:%M:%S")
}

/// `2026-11-02 13:48:17`, local.
pub(crate) fn local_date_time(at: Timestamp) -> String {
    local(at, "%Y-%m-%d %H:%M:%S")
}

fn local(at: Timestamp, format: &str) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map(|at| at.to_zoned(TimeZone::system()).strftime(format).to_string())
        .unwrap_or_default()
}

/// Epoch seconds to the millisecond.
fn seconds(at: Timestamp) -> f64 {
    at.as_seconds()
}
