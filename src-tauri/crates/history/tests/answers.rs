//! Every question of the app, asked of a small history.

mod support;

use std::time::Duration;

use health::{Hold, Incident, Metadata, Objective, Status, Timestamp};
use history::{Bar, History, Period, Range, Reader, SpanKind, UptimeRecord, Zone};
use serde_json::json;
use support::{DAY, HOUR, MINUTE, NOON, api, forever, hold, id, incident, open, reader, result};

fn recorded(results: &[(Timestamp, Status, Option<f64>)]) -> (tempfile::TempDir, Reader) {
    let folder = tempfile::tempdir().expect("a folder");
    let history = open(folder.path(), forever());
    for (at, status, ms) in results {
        history.writer().record(api(), result(*at, *status, *ms), hold());
    }
    history.close().expect("written");
    let reader = reader(folder.path());
    (folder, reader)
}

fn zone(name: &str) -> Zone {
    jiff::tz::TimeZone::get(name).expect("a time zone").into()
}

/// A result every 30 s of the hour before noon, unhealthy in its last 6 min.
fn an_hour() -> Vec<(Timestamp, Status, Option<f64>)> {
    let at = |n: i64| NOON - HOUR + n * 30_000;
    let good = (0..108).map(|n| (at(n), Status::Healthy, Some(10.0 + n as f64)));
    good.chain((108..120).map(|n| (at(n), Status::Unhealthy, None))).collect()
}

#[test]
fn results_come_back_as_they_were() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = open(folder.path(), forever());
    let metadata: Metadata = [("address".to_owned(), "::1".to_owned())].into();
    let mut all: Vec<_> = (0..5)
        .map(|n| result(NOON + n, Status::Healthy, 43.912))
        .map(|result| health::CheckResult { metadata: metadata.clone(), ..result })
        .collect();
    all.push(result(NOON + 5, Status::Unhealthy, None));
    all.push(result(NOON + 6, Status::Degraded, 0.0));
    for result in &all {
        history.writer().record(api(), result.clone(), hold());
    }
    history.close().expect("written");
    all.reverse();
    let reader = reader(folder.path());
    assert_eq!(reader.results(&api(), 10).expect("results"), all);
    assert_eq!(reader.results(&api(), 2).expect("results"), all[..2]);
    assert_eq!(reader.results(&id("nobody"), 2).expect("results"), []);
    assert_eq!(reader.services().expect("services"), [api()]);
    assert!(reader.size_bytes() > 4096);
}

#[test]
fn an_empty_history_answers_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let reader = Reader::open(&folder.path().join("none")).expect("a reader");
    let record = reader.uptime(&api(), 7, &Zone::utc(), NOON, Objective::default());
    let record = serde_json::to_value(record.expect("an answer")).expect("JSON");
    assert_eq!(record, json!({ "uptime": null, "reason": "no data" }));
    assert_eq!(reader.daily(&api(), 3, &Zone::utc(), NOON).expect("days").len(), 3);
    assert_eq!(reader.daily(&api(), 0, &Zone::utc(), NOON).expect("days").len(), 0);
    assert_eq!(reader.next_incident_id().expect("a number"), 1);
    let series = reader.latency(&api(), Range::Year, &Zone::utc(), NOON).expect("a chart");
    assert_eq!(series.spans.len(), 1);
    assert!(!folder.path().join("none").exists(), "asking makes nothing");
}

#[test]
fn time_counts_until_now_but_not_beyond_the_hold() {
    let (_folder, reader) = recorded(&an_hour());
    for (now, observed, down) in [(NOON, HOUR, 6 * MINUTE), (NOON + HOUR, HOUR + 18_000, 378_000)] {
        let day =
            &reader.uptimes(&api(), &Zone::utc(), now, Objective::default()).expect("uptimes")[0];
        assert_eq!((day.observed_ms, day.downtime_ms), (observed, down));
    }
    let UptimeRecord::Figures(record) =
        reader.uptime(&api(), 1, &Zone::utc(), NOON, Objective::default()).expect("an answer")
    else {
        panic!("there are results")
    };
    assert_eq!((record.uptime_pct, record.availability_time_pct), (90.0, Some(90.0)));
    assert_eq!((record.observed_s, record.downtime_s, record.sla_met), (3600.0, 360.0, false));
    assert_eq!((record.error_budget_left_pct, record.burn_rate), (Some(-9900.0), Some(100.0)));
}

#[test]
fn periods_leave_failed_checks_out_of_latency_and_end_where_they_end() {
    let mut results = an_hour();
    results.push((NOON - 3 * DAY, Status::Unhealthy, Some(5000.0)));
    let (_folder, reader) = recorded(&results);
    let uptimes =
        reader.uptimes(&api(), &Zone::utc(), NOON, Objective::default()).expect("uptimes");
    let checks: Vec<_> =
        uptimes.iter().map(|uptime| (uptime.period, uptime.total_checks)).collect();
    assert_eq!(checks, [(Period::Day, 120), (Period::Week, 121), (Period::Month, 121)]);
    for uptime in &uptimes {
        let p95 = uptime.p95_ms.expect("latency");
        assert!((p95 - 112.0).abs() < 1.2, "{p95}");
    }
    let figures = reader.figures(NOON).expect("figures")[&api()];
    assert_eq!(figures.p95_ms, uptimes[0].p95_ms);
    assert_eq!(figures.availability_30d, uptimes[2].availability_pct);
}

#[test]
fn days_are_those_of_the_zone() {
    // In Berlin the clocks go forward on 2025-03-30 and back on 2025-10-26.
    let hourly = |from: &str, hours: i64| -> Vec<_> {
        let from: jiff::Timestamp = from.parse().expect("a moment");
        let at = move |n| Timestamp(from.as_millisecond() + n * HOUR);
        (0..hours).map(|n| (at(n), Status::Healthy, Some(1.0))).collect()
    };
    let berlin = zone("Europe/Berlin");
    for (from, now, count) in [
        ("2025-03-29T00:00:00Z", "2025-03-31T10:00:00Z", 23),
        ("2025-10-25T00:00:00Z", "2025-10-27T10:00:00Z", 25),
    ] {
        let (_folder, reader) = recorded(&hourly(from, 72));
        let now: jiff::Timestamp = now.parse().expect("a moment");
        let now = Timestamp(now.as_millisecond());
        let days = reader.daily(&api(), 3, &berlin, now).expect("days");
        assert_eq!(days[1].checks, count);
        assert_eq!(reader.daily(&api(), 3, &Zone::utc(), now).expect("days")[1].checks, 24);
    }
    let around_midnight: Vec<_> = [-90, -40, -20, 5, 20]
        .map(|minutes| (NOON - DAY / 2 - 330 * MINUTE + minutes * MINUTE, Status::Healthy, None))
        .into();
    let (_folder, reader) = recorded(&around_midnight);
    let days = reader.daily(&api(), 2, &zone("Asia/Kolkata"), NOON - 5 * HOUR).expect("days");
    assert_eq!((days[0].checks, days[1].checks), (2, 3), "half-hour zones are exact");
}

#[test]
fn a_chart_of_single_results_shows_the_outage_and_what_was_not_seen() {
    let (_folder, reader) = recorded(&an_hour());
    let now = NOON + 10 * MINUTE;
    let series = reader.latency(&api(), Range::Hour, &Zone::utc(), now).expect("a chart");
    let spans: Vec<_> = series.spans.iter().map(|s| (s.from, s.to, s.what)).collect();
    let outage_ends = NOON - 30_000 + 48_000;
    assert_eq!(
        spans,
        [
            (NOON - 6 * MINUTE, outage_ends, SpanKind::Unhealthy),
            (outage_ends, now, SpanKind::Unobserved)
        ]
    );
    let good = series.points.iter().filter(|point| point.p50_ms.is_some()).count();
    assert_eq!(good, 88, "20 of 108 results are more than an hour ago");
    assert!(series.points.last().is_some_and(|point| point.p50_ms.is_none()), "the line breaks");
}

#[test]
fn long_charts_come_from_rollups_and_incidents() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = open(folder.path(), forever());
    for (at, status, ms) in an_hour() {
        history.writer().record(api(), result(at, status, ms), hold());
    }
    history.writer().save_incident(incident(1, &api(), NOON - 6 * MINUTE));
    history.close().expect("written");
    let reader = reader(folder.path());
    for range in [Range::Hour, Range::Day, Range::Week, Range::Month, Range::Year] {
        let series = reader.latency(&api(), range, &Zone::utc(), NOON).expect("a chart");
        assert!(series.points.len() <= 300);
        assert!(series.points.iter().any(|point| point.p95_ms.is_some()), "{range:?}");
        let outage = series.spans.last().expect("an outage");
        assert_eq!((outage.from, outage.to), (NOON - 6 * MINUTE, NOON), "{range:?}");
        assert_eq!(outage.what, SpanKind::Unhealthy);
    }
}

#[test]
fn bars_show_gaps() {
    let status = Status::Healthy;
    let (_folder, reader) = recorded(&[0, 30, 630].map(|s| (NOON + s * 1000, status, Some(2.0))));
    let bar = |s: i64, status, ms| Bar { at: NOON + s * 1000, status, ms };
    let (good, ms) = (Some(status), Some(2.0));
    let all = [bar(0, good, ms), bar(30, good, ms), bar(78, None, None), bar(630, good, ms)];
    assert_eq!(reader.recent_bars(60).expect("bars")[&api()], all);
    assert_eq!(reader.recent_bars(2).expect("bars")[&api()], all[2..]);
}

fn with_incidents(incidents: &[Incident]) -> (tempfile::TempDir, History) {
    let folder = tempfile::tempdir().expect("a folder");
    let history = open(folder.path(), forever());
    for incident in incidents {
        history.writer().save_incident(incident.clone());
    }
    history.writer().flush_and_wait().expect("written");
    (folder, history)
}

#[test]
fn incidents_keep_their_whole_story() {
    let root = incident(1, &id("db"), NOON);
    let caused = Incident { caused_by: Some(id("db")), ..incident(2, &api(), NOON + MINUTE) };
    let over = Incident { resolved_at: Some(NOON - DAY), ..incident(3, &api(), NOON - 2 * DAY) };
    let (_folder, history) = with_incidents(&[root.clone(), caused.clone(), over.clone()]);
    let reader = history.reader().expect("a reader");
    assert_eq!(reader.active_incidents().expect("incidents"), [root.clone(), caused.clone()]);
    assert_eq!(reader.incidents_of(&api(), 9).expect("incidents"), [caused.clone(), over.clone()]);
    assert_eq!(reader.incidents_since(NOON - DAY + 1).expect("incidents"), [caused, root.clone()]);
    assert_eq!(reader.incident(3).expect("an answer"), Some(over.clone()));
    assert_eq!(reader.incident(4).expect("an answer"), None);
    assert_eq!(reader.affected_by(&root).expect("services"), [api()]);
    assert_eq!(reader.next_incident_id().expect("a number"), 4);

    let resolved = Incident { resolved_at: Some(NOON + HOUR), ..root };
    let (sender, committed) = std::sync::mpsc::channel();
    history.writer().save_incident_then(resolved.clone(), move |done| {
        sender.send(done).expect("a listener");
    });
    assert_eq!(committed.recv_timeout(Duration::from_secs(20)), Ok(Ok(())));
    assert_eq!(reader.incident(1).expect("an answer"), Some(resolved));
}

#[test]
fn state_is_remembered() {
    let (_folder, history) = with_incidents(&[]);
    let value = json!({ "api": { "muted_until": null } });
    history.writer().save_state("services", &json!(1));
    history.writer().save_state("services", &value);
    history.writer().flush_and_wait().expect("written");
    let reader = history.reader().expect("a reader");
    assert_eq!(reader.state("services").expect("an answer"), Some(value));
    assert_eq!(reader.state("other").expect("an answer"), None);
}

#[test]
fn results_are_committed_within_a_second_unasked() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = open(folder.path(), forever());
    let reader = history.reader().expect("a reader");
    history.writer().record(api(), result(NOON, Status::Healthy, 1.0), Hold::from_ms(1));
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    let _ = never.recv_timeout(Duration::from_secs(1));
    assert_eq!(reader.results(&api(), 1).expect("results").len(), 1);
}
