//! What is old is folded and removed, and the answers stay.

mod support;

use std::time::Duration;

use health::{CheckResult, Objective, Status, Timestamp};
use history::{History, Keep, Options, Range, Zone};
use support::{
    DAY, HOUR, MINUTE, NOON, api, detailed, forever, hold, id, incident, open, result, retain,
};

const DAYS: Duration = Duration::from_secs(24 * 3_600);

fn short() -> Keep {
    Keep { raw: DAYS, quarters: DAYS * 2, days: DAYS * 5 }
}

#[test]
fn folding_changes_no_calendar_day_of_its_zone() {
    for name in ["Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Asia/Kathmandu"] {
        let zone: Zone = jiff::tz::TimeZone::get(name).expect("a time zone").into();
        let folder = tempfile::tempdir().expect("a folder");
        let keep = Keep { days: Duration::MAX, ..short() };
        let history = open(folder.path(), Options { keep, zone: zone.clone(), ..forever() });
        // 2025-10-20 12:00 UTC: summer time ends in Berlin within the ten days.
        let start = Timestamp(1_760_961_600_000);
        let now = start + 10 * DAY;
        for n in 0..2_880 {
            let status = if n % 7 == 3 { Status::Unhealthy } else { Status::Healthy };
            let result = result(start + n * 300_000, status, 5.0);
            history.writer().record(api(), result, hold());
        }
        history.writer().flush_and_wait().expect("written");
        let reader = history.reader().expect("a reader");
        let ask = || {
            let days = reader.daily(&api(), 12, &zone, now).expect("days");
            let record = reader.uptime(&api(), 12, &zone, now, Objective::default());
            (days, record.expect("an answer"))
        };
        let (mut before, record) = ask();
        retain(&history.writer(), now);
        let (mut after, record_after) = ask();
        assert_eq!(record, record_after, "{name}");
        for day in before.iter_mut().chain(&mut after) {
            day.p95_response_ms = None;
        }
        assert_eq!(before, after, "{name}");
        assert!(reader.results(&api(), 9_999).expect("results").len() <= 289);
    }
}

#[test]
fn days_go_in_the_end_and_incidents_and_the_newest_result_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = open(folder.path(), Options { keep: short(), ..forever() });
    for n in 0..20 {
        let result = result(NOON - 20 * DAY + n * HOUR, Status::Healthy, 5.0);
        history.writer().record(id("gone"), result, hold());
    }
    history.writer().save_incident(incident(1, &id("gone"), NOON - 20 * DAY));
    retain(&history.writer(), NOON);
    let reader = history.reader().expect("a reader");
    assert_eq!(reader.results(&id("gone"), 99).expect("results").len(), 1);
    let days = reader.daily(&id("gone"), 30, &Zone::utc(), NOON).expect("days");
    assert_eq!(days.iter().map(|day| day.checks).sum::<u64>(), 0);
    assert_eq!(reader.active_incidents().expect("incidents").len(), 1);
    assert_eq!(reader.services().expect("services"), [id("gone")]);
}

#[test]
fn room_goes_back_to_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = open(folder.path(), Options { keep: short(), ..forever() });
    for n in 0..40_000 {
        let mut result = result(NOON - 20 * DAY + n * 30_000, Status::Unhealthy, None);
        result.message =
            format!("connection number {n} was refused by 192.0.2.1:5432, nobody listens there");
        history.writer().record(api(), result, hold());
    }
    history.writer().flush_and_wait().expect("written");
    let file = folder.path().join("history.db");
    let size = |path| std::fs::metadata(path).expect("a file").len();
    retain(&history.writer(), NOON);
    history.close().expect("written");
    assert!(size(&file) < 3_000_000, "{} bytes", size(&file));
}

/// Every table that holds something of single results or measurements.
fn rows(history: &History, folder: &std::path::Path) -> Vec<(&'static str, i64)> {
    history.writer().flush_and_wait().expect("written");
    let conn = rusqlite::Connection::open(folder.join("history.db")).expect("a database");
    let count = |table| {
        let sql = format!("SELECT count(*) FROM {table}");
        let rows = conn.query_row(&sql, [], |row| row.get(0)).expect("a number");
        (table, rows)
    };
    [
        "results",
        "phases",
        "evidence",
        "slowest",
        "series",
        "measurements",
        "measurement_quarters",
        "measurement_days",
    ]
    .map(count)
    .into()
}

#[test]
fn details_go_with_their_result_and_the_slowest_with_the_quarters() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = open(folder.path(), Options { keep: short(), ..forever() });
    let all: Vec<_> = (0..24)
        .map(|n| {
            let status = if n % 4 == 1 { Status::Unhealthy } else { Status::Healthy };
            detailed(result(NOON + n * 30 * MINUTE, status, (n % 4) as f64 * 10.0))
        })
        .collect();
    for result in &all {
        history.writer().record(api(), result.clone(), hold());
    }
    let left = |counts: [i64; 8]| {
        let found: Vec<_> = rows(&history, folder.path()).into_iter().map(|(_, n)| n).collect();
        assert_eq!(found, counts);
    };
    left([24, 6, 6, 12, 1, 24, 24, 0]);
    let reader = history.reader().expect("a reader");
    let year = |now| reader.measurements(&api(), Range::Year, now).expect("charts");
    let (slowest, chart) = (reader.slowest(&api(), NOON).expect("results"), year(NOON + DAY));
    assert_eq!(slowest.len(), 12);

    retain(&history.writer(), NOON + 2 * DAY);
    left([1, 0, 0, 12, 1, 1, 24, 0]);
    let bare = |result: &CheckResult| CheckResult {
        measurements: Vec::new(),
        evidence: health::Evidence::default(),
        ..result.clone()
    };
    let found = reader.slowest(&api(), NOON).expect("results");
    assert_eq!(found, slowest.iter().map(bare).collect::<Vec<_>>());
    assert_eq!(reader.result(&api(), slowest[5].at).expect("an answer"), Some(bare(&slowest[5])));
    assert_eq!(year(NOON + DAY), chart);

    retain(&history.writer(), NOON + 4 * DAY);
    left([1, 0, 0, 0, 1, 1, 0, 1]);
    assert_eq!(year(NOON + DAY)[0].points.len(), 1);
    let sum = |points: &[history::MeasurementPoint]| (points[0].min, points[0].max);
    assert_eq!(sum(&year(NOON + DAY)[0].points), sum(&chart[0].points));

    retain(&history.writer(), NOON + 9 * DAY);
    left([1, 0, 0, 0, 1, 1, 0, 0]);
    history.writer().record(api(), result(NOON + 9 * DAY, Status::Healthy, 1.0), hold());
    retain(&history.writer(), NOON + 19 * DAY);
    left([1, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn folded_days_of_measurements_add_up_whatever_comes_late() {
    let folder = tempfile::tempdir().expect("a folder");
    let keep = Keep { raw: DAYS * 9, quarters: DAYS, days: Duration::MAX };
    let history = open(folder.path(), Options { keep, ..forever() });
    for (day, values) in [(0, 8), (1, 8), (2, 8)] {
        for n in 0..values {
            let result = result(NOON + day * DAY + n * 20 * MINUTE, Status::Healthy, 1.0);
            history.writer().record(api(), detailed(result), hold());
        }
        retain(&history.writer(), NOON + day * DAY + 4 * HOUR);
    }
    retain(&history.writer(), NOON + 9 * DAY);
    let conn = rusqlite::Connection::open(folder.path().join("history.db")).expect("a database");
    let days: Vec<(i64, i64)> = conn
        .prepare("SELECT start, count FROM measurement_days ORDER BY start")
        .expect("a table")
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("numbers");
    let midnight = NOON - DAY / 2;
    assert_eq!(days, [0, 1, 2].map(|day| ((midnight + day * DAY).0, 8)));
}

#[test]
fn the_newest_200_pieces_of_evidence_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = open(folder.path(), forever());
    for n in 0..230 {
        let failure = detailed(result(NOON + n * 1000, Status::Unhealthy, None));
        let failure = CheckResult { message: format!("failure {n}"), ..failure };
        history.writer().record(api(), failure.clone(), hold());
        if n < 200 {
            history.writer().record(id("db"), failure, hold());
        }
    }
    retain(&history.writer(), NOON + DAY);
    let reader = history.reader().expect("a reader");
    let kept = |service: &health::ServiceId| -> Vec<_> {
        let results = reader.results(service, 999).expect("results");
        results.into_iter().filter(|r| !r.evidence.is_empty()).map(|r| r.at).collect()
    };
    assert_eq!(kept(&id("db")).len(), 200);
    assert_eq!((kept(&api()).len(), kept(&api())[199]), (200, NOON + 30_000));
    assert_eq!(reader.results(&api(), 999).expect("results").len(), 230);
}

#[test]
fn texts_of_the_slowest_outlive_the_results() {
    let folder = tempfile::tempdir().expect("a folder");
    let keep = Keep { raw: DAYS, ..Keep::FOREVER };
    let history = open(folder.path(), Options { keep, ..forever() });
    for n in 0..20_010 {
        let result = result(NOON + n * 30_000, Status::Healthy, (n % 120) as f64);
        let result = CheckResult { message: format!("answer {}", n / 2), ..result };
        history.writer().record(api(), result, hold());
    }
    history.writer().flush_and_wait().expect("written");
    let reader = history.reader().expect("a reader");
    let before = reader.slowest(&api(), NOON).expect("results");
    retain(&history.writer(), NOON + 30 * DAY);
    assert_eq!(reader.slowest(&api(), NOON).expect("results"), before);
    assert_eq!(before.last().map(|first| first.message.as_str()), Some("answer 59"));
    let conn = rusqlite::Connection::open(folder.path().join("history.db")).expect("a database");
    let texts: i64 =
        conn.query_row("SELECT count(*) FROM texts", [], |row| row.get(0)).expect("a number");
    assert!((166..170).contains(&texts), "{texts} texts left");
}
