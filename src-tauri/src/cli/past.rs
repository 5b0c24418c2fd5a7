use std::fmt::Write;

use engine::Clock;
use health::{Incident, Objective, ServiceId, Timestamp, humanize};
use history::{Day, ReadError, Reader, UptimeFigures, UptimeRecord, Zone};
use serde::Serialize;

use super::parse_id;
use crate::failure::Failure;
use crate::output::{local_date_time, print, print_json};
use crate::places::Places;

const DAY_MS: i64 = 86_400_000;

/// The uptime record of a service.
pub(super) fn sla(
    places: &Places,
    id: &str,
    days: u32,
    utc: bool,
    json: bool,
) -> Result<(), Failure> {
    let id = parse_id(id)?;
    let objective = objective(places, &id);
    let record = open(places)?
        .uptime(&id, days, &zone(utc), Clock::system().now(), objective)
        .map_err(unreadable)?;
    if json {
        return print_json(&record);
    }
    print(&match record {
        UptimeRecord::NoData(_) => format!("No data of `{id}` in the last {days} days.\n"),
        UptimeRecord::Figures(figures) => sla_text(&id, days, &figures),
    })
}

fn sla_text(id: &ServiceId, days: u32, figures: &UptimeFigures) -> String {
    let percent =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.4} %"));
    let verdict = if figures.sla_met { "met" } else { "missed" };
    let budget = match figures.error_budget_left_pct {
        Some(left) if left < 0.0 => format!("used up {:.1} times over", (100.0 - left) / 100.0),
        left => format!("{} left", percent(left)),
    };
    let lines = [
        format!("{id}, last {days} days"),
        format!("  availability     {}  (by time)", percent(figures.availability_time_pct)),
        format!("                   {:.4} %  (by checks)", figures.availability_pct),
        format!("  uptime           {:.4} %  (healthy checks)", figures.uptime_pct),
        format!("  objective        {} %  {verdict}", figures.target_pct),
        format!("  downtime         {}", spent(figures.downtime_s)),
        format!("  error budget     {budget}"),
        format!("  observed         {}", spent(figures.observed_s)),
        format!(
            "  checks           {}: {} healthy, {} degraded, {} unhealthy",
            figures.total_checks, figures.healthy, figures.degraded, figures.unhealthy
        ),
    ];
    lines.join("\n") + "\n"
}

#[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
fn spent(seconds: f64) -> String {
    humanize((seconds * 1000.0) as i64)
}

/// One row a day, newest first.
pub(super) fn daily(
    places: &Places,
    id: &str,
    days: u32,
    utc: bool,
    json: bool,
) -> Result<(), Failure> {
    let id = parse_id(id)?;
    let rows =
        open(places)?.daily(&id, days, &zone(utc), Clock::system().now()).map_err(unreadable)?;
    if json { print_json(&rows) } else { print(&daily_text(&rows)) }
}

fn daily_text(rows: &[Day]) -> String {
    let mut text = format!(
        "{:<10}  {:>9}  {:>10}  {:>10}  {:>8}\n",
        "date", "uptime", "average", "p95", "checks"
    );
    let show = |value: Option<f64>, unit: &str, digits: usize| {
        value.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$} {unit}"))
    };
    for Day { date, uptime_pct, avg_response_ms, p95_response_ms, checks, .. } in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{date:<10}  {:>9}  {:>10}  {:>10}  {checks:>8}",
            show(*uptime_pct, "%", 2),
            show(*avg_response_ms, "ms", 1),
            show(*p95_response_ms, "ms", 1)
        );
    }
    text
}

/// One incident as `incidents --json` prints it.
#[derive(Serialize)]
struct IncidentRow {
    id: i64,
    service: String,
    started_at: f64,
    detected_at: f64,
    resolved_at: Option<f64>,
    duration_min: f64,
    checks_failed: u64,
    caused_by: Option<String>,
    message: String,
}

/// Incidents with their cause and duration, newest first.
pub(super) fn incidents(places: &Places, days: u32, json: bool) -> Result<(), Failure> {
    let now = Clock::system().now();
    let incidents =
        open(places)?.incidents_since(now - i64::from(days) * DAY_MS).map_err(unreadable)?;
    if json {
        let rows: Vec<_> = incidents.iter().map(|incident| row(incident, now)).collect();
        return print_json(&rows);
    }
    if incidents.is_empty() {
        return print(&format!("No incidents in the last {days} days.\n"));
    }
    print(&incidents.iter().map(|incident| line(incident, now)).collect::<String>())
}

fn row(incident: &Incident, now: Timestamp) -> IncidentRow {
    IncidentRow {
        id: incident.id,
        service: incident.service.to_string(),
        started_at: incident.started_at.as_seconds(),
        detected_at: incident.detected_at.as_seconds(),
        resolved_at: incident.resolved_at.map(Timestamp::as_seconds),
        duration_min: health::round_to(incident.duration(now) as f64 / 60_000.0, 1),
        checks_failed: incident.checks_failed,
        caused_by: incident.caused_by.as_ref().map(ToString::to_string),
        message: incident.first_failure.message.clone(),
    }
}

fn line(incident: &Incident, now: Timestamp) -> String {
    let lasted = humanize(incident.duration(now));
    let state = if incident.resolved_at.is_some() { "" } else { " so far" };
    let cause = incident.caused_by.as_ref().map(|c| format!("  caused by {c}")).unwrap_or_default();
    format!(
        "{}  {}  {lasted}{state}  {}{cause}\n",
        local_date_time(incident.started_at),
        incident.service,
        incident.first_failure.message
    )
}

/// The history as it is; that there is none yet is an empty one.
fn open(places: &Places) -> Result<Reader, Failure> {
    Ok(Reader::open(&places.data_dir)?)
}

fn unreadable(error: ReadError) -> Failure {
    Failure::usage(
        format!("the history cannot be read: {error}"),
        "check the disk and the data folder",
    )
}

fn zone(utc: bool) -> Zone {
    if utc { Zone::utc() } else { Zone::local() }
}

/// The service's own objective where there is a config that knows it.
fn objective(places: &Places, id: &ServiceId) -> Objective {
    config::promised(&places.config, id).and_then(Objective::new).unwrap_or_default()
}
