//! What goes to standard output, and events as lines of text or JSON.

use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use engine::{Heard, Listener};
use health::{Event, Incident, Timestamp, humanize, round_to};
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::session::Session;
use crate::signals::interrupted;

/// How long a reader may take over the last lines before the process ends
/// without them.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether anybody still reads, after a write to standard output. A closed pipe
/// (`| head`) is the reader's wish.
///
/// # Errors
/// When the write failed for another reason, such as a full disk.
pub(crate) fn still_read(written: io::Result<()>) -> Result<bool, Failure> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::usage(
            format!("standard output cannot be written: {error}"),
            "make room where it goes, or send it elsewhere",
        )),
    }
}

/// Prints a text, and tells whether anybody still reads.
///
/// # Errors
/// As [`still_read`].
pub(crate) fn offer(text: &str) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    still_read(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Prints a text to whoever reads.
///
/// # Errors
/// As [`still_read`].
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    offer(text).map(|_| ())
}

/// Prints a value as one line of JSON.
///
/// # Errors
/// As [`still_read`].
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    print(&(serde_json::to_string(value).unwrap_or_default() + "\n"))
}

/// Says something on standard error.
pub(crate) fn remark(text: &str) {
    // Nowhere left to say so if even this fails.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Shows a session until a person interrupts it or nobody reads, and ends it.
/// `show` returns when there are no more events, so that the last are shown too.
///
/// # Errors
/// When what is shown cannot be written.
pub(crate) async fn show_until_the_end(
    session: Session,
    show: impl Future<Output = Result<(), Failure>> + Send + 'static,
) -> Result<(), Failure> {
    let mut shown = on_a_thread_of_its_own(show)?;
    let ended = tokio::select! {
        () = interrupted() => None,
        ended = &mut shown => Some(ended),
    };
    session.close().await;
    // The events have ended with the engine, when the last was passed on.
    drop(session);
    let ended = match ended {
        Some(ended) => Ok(ended),
        None => tokio::time::timeout(PATIENCE, shown).await,
    };
    match ended {
        Ok(Ok(outcome)) => outcome,
        // The reader has stopped reading, or the thread has said why it ended.
        Err(_) | Ok(Err(_)) => Ok(()),
    }
}

/// Runs `show` where a reader who stops reading holds up nothing else: neither
/// a check nor the end of the process.
fn on_a_thread_of_its_own(
    show: impl Future<Output = Result<(), Failure>> + Send + 'static,
) -> Result<oneshot::Receiver<Result<(), Failure>>, Failure> {
    let (tell, shown) = oneshot::channel();
    let runtime = Handle::current();
    let run = move || {
        // Nobody waits for the outcome when the process ends.
        let _ = tell.send(runtime.block_on(show));
    };
    std::thread::Builder::new().name("stdout".to_owned()).spawn(run).map_err(|error| {
        Failure::usage(format!("no threads to be had: {error}"), "end other programs")
    })?;
    Ok(shown)
}

/// Prints every event until there are no more, or nobody reads.
///
/// # Errors
/// As [`still_read`].
pub(crate) async fn print_events(events: Listener, as_json: bool) -> Result<(), Failure> {
    // Single results are not for people.
    let mut events = if as_json { events } else { events.only_news() };
    while let Some(heard) = events.next().await {
        match heard {
            Heard::Event(event) => {
                let line = if as_json { Some(json(&event)) } else { text(&event) };
                let Some(line) = line else { continue };
                if !offer(&(line + "\n"))? {
                    return Ok(());
                }
            }
            Heard::Lost(results) => {
                remark(&format!("{results} results were not printed: too slow a reader"));
            }
        }
    }
    Ok(())
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
