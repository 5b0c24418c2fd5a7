//! Takes the reports of services that report in by themselves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::any;
use config::Config;
use engine::Engine;
use health::{ServiceId, Status};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use probe::{Report, parse_duration};
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::session::Configured;

/// How soon a port that is taken is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(10);
const LONGEST_BODY: usize = 16 * 1024;
const MOST_CONNECTIONS: usize = 64;
/// How long a report may take on its way.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest message of a report, in characters.
const LONGEST_MESSAGE: usize = 1000;

/// Listens as long as the config has services that report in, and hands their
/// reports to the engine; never ends.
pub(crate) async fn serve(mut configured: watch::Receiver<Configured>, engine: Engine) {
    loop {
        let wanted = address(&configured.borrow_and_update().config);
        let Some(address) = wanted else {
            if configured.changed().await.is_err() {
                return;
            }
            continue;
        };
        match TcpListener::bind(address).await {
            Ok(listener) => {
                tracing::info!(%address, "taking reports");
                engine.expect_reports(Ok(()));
                let inbox = Inbox { configured: configured.clone(), engine: engine.clone() };
                tokio::select! {
                    () = answer(&listener, router(inbox)) => {}
                    () = moved(&mut configured, address) => {}
                }
            }
            Err(error) => {
                tracing::warn!(%address, %error, "cannot take reports");
                engine.expect_reports(Err(format!(
                    "no reports can come in at {address}: {error}; `push_address` in [settings] moves it"
                )));
                tokio::select! {
                    () = tokio::time::sleep(TRY_AGAIN) => {}
                    () = moved(&mut configured, address) => {}
                }
            }
        }
    }
}

/// Answers whoever connects, for ever. Whoever dawdles is cut off, so that
/// nobody else has to wait for long.
async fn answer(listener: &TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a report did not get through");
                tokio::time::sleep(TRY_AGAIN).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        connections.spawn(async move {
            let _place = place;
            let connection = http1::Builder::new()
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // Nobody is told: the other end has gone, or is too slow.
            let _ = tokio::time::timeout(PATIENCE, connection).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Where reports are taken; none where nobody reports in.
fn address(config: &Config) -> Option<SocketAddr> {
    let reports = config.services.iter().any(|service| service.probe().token().is_some());
    reports.then_some(config.settings.push_address)
}

/// Returns when reports are no longer to be taken at `address`.
async fn moved(configured: &mut watch::Receiver<Configured>, from: SocketAddr) {
    // An error means that the session ends, and this task with it.
    let _ = configured.wait_for(|now| address(&now.config) != Some(from)).await;
}

#[derive(Clone)]
struct Inbox {
    configured: watch::Receiver<Configured>,
    engine: Engine,
}

/// `/push/TOKEN`, and the address that Uptime Kuma's users have in their scripts.
fn router(inbox: Inbox) -> Router {
    Router::new()
        .route("/push/{token}", any(take))
        .route("/api/push/{token}", any(take))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .with_state(inbox)
}

type Reply = (StatusCode, String);

async fn take(
    State(inbox): State<Inbox>,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Reply {
    let config = inbox.configured.borrow().config.clone();
    let Some(service) = whose(&config, &token) else {
        return refuse(StatusCode::NOT_FOUND, "no service reports under this token");
    };
    match read(query.as_deref().unwrap_or_default(), &body) {
        Ok(report) => {
            inbox.engine.report(service, report).await;
            (StatusCode::OK, "{\"ok\":true}\n".to_owned())
        }
        Err(mistake) => refuse(StatusCode::BAD_REQUEST, &mistake),
    }
}

fn refuse(status: StatusCode, reason: &str) -> Reply {
    (status, format!("{}\n", serde_json::json!({ "ok": false, "error": reason })))
}

/// Compares with every token in full, so that the time it takes tells nothing.
fn whose(config: &Arc<Config>, token: &str) -> Option<ServiceId> {
    let same = |known: &str| {
        let pairs = known.bytes().zip(token.bytes());
        known.len() == token.len() && pairs.fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
    };
    let mut found = None;
    for service in &config.services {
        if service.probe().token().is_some_and(same) {
            found = Some(service.id.clone());
        }
    }
    found
}

/// Reads a report: `status`, `message` (or `msg`), `latency` (or `ping`, in ms)
/// from the query, or from the body as JSON or a form, which wins. A body that
/// is neither is the message.
fn read(query: &str, body: &[u8]) -> Result<Report, String> {
    let mut given = form(query.as_bytes());
    let text = String::from_utf8_lossy(body);
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(object)) => given.extend(object),
        _ if text.contains('=') && !text.trim().contains([' ', '\n']) => given.extend(form(body)),
        _ if !text.trim().is_empty() => {
            given.insert("message".to_owned(), text.trim().into());
        }
        _ => {}
    }
    Ok(Report {
        status: status(either(&given, "status", "status"))?,
        message: message(either(&given, "message", "msg")),
        latency: latency(either(&given, "latency", "ping"))?,
        measurements: Vec::new(),
    })
}

fn form(text: &[u8]) -> Map<String, Value> {
    let pairs = url::form_urlencoded::parse(text);
    pairs.map(|(key, value)| (key.into_owned(), value.into_owned().into())).collect()
}

fn either<'g>(given: &'g Map<String, Value>, name: &str, other: &str) -> Option<&'g Value> {
    let set = |value: &&Value| !value.is_null() && value.as_str() != Some("");
    given.get(name).filter(set).or_else(|| given.get(other).filter(set))
}

fn status(value: Option<&Value>) -> Result<Status, String> {
    let text = match value {
        None => return Ok(Status::Healthy),
        Some(Value::String(text)) => text.to_lowercase(),
        Some(other) => other.to_string(),
    };
    match text.as_str() {
        "healthy" | "up" | "ok" | "0" => Ok(Status::Healthy),
        "degraded" | "warning" | "warn" | "1" => Ok(Status::Degraded),
        "unhealthy" | "down" | "critical" | "error" | "2" => Ok(Status::Unhealthy),
        _ => Err("`status` is healthy, degraded or unhealthy (or up, warning, down)".to_owned()),
    }
}

fn message(value: Option<&Value>) -> String {
    let text = match value {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    text.lines().next().unwrap_or_default().chars().take(LONGEST_MESSAGE).collect()
}

/// A duration, or a number of milliseconds.
fn latency(value: Option<&Value>) -> Result<Option<Duration>, String> {
    let Some(value) = value else { return Ok(None) };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let ms = text.parse::<f64>().ok().filter(|ms| (0.0..1e12).contains(ms));
    let parsed =
        ms.map(|ms| Duration::from_secs_f64(ms / 1000.0)).or_else(|| parse_duration(&text).ok());
    parsed
        .map(Some)
        .ok_or_else(|| "`latency` is a number of ms, or a text like \"1.5s\"".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(status: Status, message: &str, ms: Option<u64>) -> Report {
        let latency = ms.map(Duration::from_millis);
        Report { status, message: message.to_owned(), latency, measurements: Vec::new() }
    }

    #[test]
    fn reports_come_in_every_way_that_scripts_send_them() {
        for (query, body, expected) in [
            ("", "", report(Status::Healthy, "", None)),
            ("status=up&msg=OK&ping=12", "", report(Status::Healthy, "OK", Some(12))),
            ("status=down&msg=disk%20full&ping=", "", report(Status::Unhealthy, "disk full", None)),
            ("", "3 files saved\nand more", report(Status::Healthy, "3 files saved", None)),
            ("", "status=warn&message=slow", report(Status::Degraded, "slow", None)),
            (
                "status=up",
                r#"{"status": "degraded", "message": "late", "latency": "2s"}"#,
                report(Status::Degraded, "late", Some(2000)),
            ),
            ("", r#"{"latency": 1500}"#, report(Status::Healthy, "", Some(1500))),
            ("status=1", "", report(Status::Degraded, "", None)),
        ] {
            assert_eq!(read(query, body.as_bytes()), Ok(expected), "{query} {body}");
        }
    }

    #[test]
    fn what_is_no_report_is_refused() {
        assert!(read("status=fine", b"").is_err());
        assert!(read("ping=soon", b"").is_err());
        assert!(read("ping=-1", b"").is_err());
        assert!(read("", br#"{"status": {}}"#).is_err());
        let long = read("", "x".repeat(10_000).as_bytes()).expect("a report");
        assert_eq!(long.message.len(), LONGEST_MESSAGE);
    }
}
