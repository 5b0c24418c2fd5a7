//! Every question of the app, asked of a small history.

mod support;

use std::time::Duration;

use health::{CheckResult, Hold, Incident, Measurement, Metadata, Objective, Status, Timestamp};
use history::{
    Bar, History, MeasurementPoint, Period, Range, Reader, SpanKind, UptimeRecord, Zone,
};
use serde_json::json;
use support::{
    DAY, HOUR, MINUTE, NOON, api, detailed, forever, hold, id, incident, measurement, open, reader,
    result,
};

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
    let first_failure = detailed(CheckResult::clone(&root.first_failure)).into();
    let root = Incident { first_failure, ..root };
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

fn recorded_as_they_are(results: &[CheckResult]) -> (tempfile::TempDir, Reader) {
    let folder = tempfile::tempdir().expect("a folder");
    let history = open(folder.path(), forever());
    for result in results {
        history.writer().record(api(), result.clone(), hold());
    }
    history.close().expect("written");
    let reader = reader(folder.path());
    (folder, reader)
}

#[test]
fn details_are_kept_of_failures_and_of_the_slowest_of_an_hour() {
    let all: Vec<_> = [
        (0, Status::Healthy, 40.0),
        (1, Status::Healthy, 50.0),
        (2, Status::Unhealthy, 30.0),
        (3, Status::Degraded, 20.0),
        (60, Status::Healthy, 10.0),
    ]
    .map(|(minutes, status, ms)| detailed(result(NOON + minutes * MINUTE, status, ms)))
    .into();
    let (_folder, reader) = recorded_as_they_are(&all);
    let found = reader.results(&api(), 9).expect("results");
    for (kept, result) in [true, false, true, true, false].iter().zip(&found) {
        assert_eq!(result.phases.is_empty(), !kept, "{result:?}");
    }
    assert_eq!(found[2].evidence, all[2].evidence);
    assert_eq!(reader.result(&api(), NOON + 2 * MINUTE).expect("an answer"), Some(all[2].clone()));
    assert_eq!(reader.result(&api(), NOON + MINUTE).expect("an answer"), Some(all[1].clone()));
    let bare = CheckResult { phases: health::Phases::default(), ..all[0].clone() };
    assert_eq!(reader.result(&api(), NOON).expect("an answer"), Some(bare));
    assert_eq!(reader.result(&api(), NOON + 1).expect("an answer"), None);
    assert_eq!(reader.result(&id("nobody"), NOON).expect("an answer"), None);
    let slowest = |since| reader.slowest(&api(), since).expect("results");
    let moments = |since| slowest(since).iter().map(|result| result.at).collect::<Vec<_>>();
    assert_eq!(moments(NOON - DAY), [NOON + HOUR, NOON + MINUTE]);
    assert_eq!(moments(NOON + MINUTE + 1), [NOON + HOUR]);
    assert_eq!(slowest(NOON)[1].phases, all[1].phases);
    assert_eq!(reader.slowest(&id("nobody"), NOON).expect("results"), []);
}

#[test]
fn evidence_is_kept_of_failures_that_tell_something_new() {
    let good = |minutes| result(NOON + minutes * MINUTE, Status::Healthy, 1.0);
    let bad = |minutes, message: &str| {
        let failure = detailed(result(NOON + minutes * MINUTE, Status::Unhealthy, None));
        CheckResult { message: message.to_owned(), ..failure }
    };
    let all = [
        bad(0, "refused"),
        bad(1, "refused"),
        bad(2, "timed out"),
        bad(3, "timed out"),
        good(4),
        bad(5, "timed out"),
        bad(64, "timed out"),
        bad(65, "timed out"),
        bad(66, "timed out"),
        bad(67, "refused"),
    ];
    let (_folder, reader) = recorded_as_they_are(&all);
    let found = reader.results(&api(), 99).expect("results");
    let kept = found.iter().filter(|result| !result.evidence.is_empty());
    let minutes: Vec<_> = kept.map(|result| result.at.since(NOON) / MINUTE).collect();
    assert_eq!(minutes, [67, 65, 5, 2, 0]);
}

#[test]
fn measurements_are_charts_in_the_order_of_the_check() {
    let measured = |n: i64, measurements: Vec<Measurement>| CheckResult {
        measurements,
        ..result(NOON + n * 1000, Status::Healthy, 1.0)
    };
    let plain = |name: &str, value| Measurement::new(name, value, "");
    let (_folder, reader) = recorded_as_they_are(&[
        measured(0, vec![measurement("/var", 10.0), measurement("/", 70.0), plain("", f64::NAN)]),
        measured(1, vec![measurement("/", 50.0), measurement("/var", 30.0)]),
        measured(1, vec![measurement("/", 99.0), plain("late", 1.0)]),
        measured(20, vec![plain("/", 40.0), plain("/", 41.0), plain("users", 3.0)]),
    ]);
    let now = NOON + MINUTE;
    for range in [Range::Hour, Range::Day, Range::Week, Range::Month, Range::Year] {
        let charts = reader.measurements(&api(), range, now).expect("charts");
        let names: Vec<_> = charts.iter().map(|chart| chart.name.as_str()).collect();
        assert_eq!(names, ["/var", "/", "users"], "{range:?}");
        let var = &charts[0];
        assert_eq!((var.degraded_at, var.unhealthy_at), (Some(80.0), Some(90.0)));
        assert_eq!((charts[1].unit.as_str(), charts[1].unhealthy_at), ("", None));
        assert_eq!(var.points.len(), 1, "{range:?}");
        let MeasurementPoint { mean, min, max, .. } = var.points[0];
        assert_eq!((mean, min, max), (20.0, 10.0, 30.0), "{range:?}");
    }
    let points = &reader.measurements(&api(), Range::Hour, now).expect("charts")[1].points;
    let last = MeasurementPoint { at: NOON + 15_000, mean: 40.0, min: 40.0, max: 40.0 };
    assert_eq!(points[1..], [last]);
    let later = reader.measurements(&api(), Range::Hour, NOON + DAY).expect("charts");
    assert_eq!(later, [], "nothing was measured in that hour");
    assert_eq!(reader.measurements(&id("nobody"), Range::Day, now).expect("charts"), []);
    let found = reader.result(&api(), NOON).expect("an answer").expect("a result");
    assert_eq!(found.measurements, [measurement("/var", 10.0), plain("/", 70.0)]);
}

#[test]
fn a_service_has_32_series_with_short_names() {
    let names = |n: i64| format!("{n:0>99}#{}", "x".repeat(50));
    let results = [0, 1].map(|second| CheckResult {
        measurements: (second..40).map(|n| Measurement::new(names(n), 1.0, "")).collect(),
        ..result(NOON + second * 1000, Status::Healthy, 1.0)
    });
    let (_folder, reader) = recorded_as_they_are(&results);
    let charts = reader.measurements(&api(), Range::Hour, NOON + MINUTE).expect("charts");
    let expected: Vec<_> = (0..32).map(|n| names(n)[..100].to_owned()).collect();
    assert_eq!(charts.iter().map(|chart| chart.name.clone()).collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_no_number_and_what_is_huge_is_stored_somehow() {
    let limits = Measurement {
        degraded_at: Some(f64::NAN),
        unhealthy_at: Some(f64::INFINITY),
        ..Measurement::new("huge", f64::MAX, "")
    };
    let results = [0, 1, 2].map(|second| CheckResult {
        measurements: vec![limits.clone(), Measurement::new("none", f64::NEG_INFINITY, "")],
        ..result(NOON + second, Status::Healthy, 1.0)
    });
    let (_folder, reader) = recorded_as_they_are(&results);
    let charts = reader.measurements(&api(), Range::Year, NOON + MINUTE).expect("charts");
    assert_eq!(charts.len(), 1);
    assert_eq!((charts[0].degraded_at, charts[0].unhealthy_at), (None, None));
    assert!(charts[0].points[0].mean.is_finite());
}
