//! The shared vectors, asked of a real database file: of single results, of
//! quarters of an hour alone, and of days.

mod support;

use std::time::Duration;

use health::{Objective, Status, Timestamp};
use history::{Keep, Options, Reader, Zone};
use serde::Deserialize;
use serde_json::Value;
use support::{DAY, NOON, api, forever, hold, open, reader, result, retain};

#[derive(Deserialize)]
struct Case {
    days: u32,
    input: Vec<Day>,
    expect: Value,
}

#[derive(Deserialize)]
struct Day {
    days_ago: i64,
    checks: Vec<(Status, f64)>,
}

/// How much of the history is left when it is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Left {
    Results,
    Quarters,
    Days,
}

const NOTHING: Duration = Duration::ZERO;

fn keep(left: Left) -> Keep {
    match left {
        Left::Results => Keep::FOREVER,
        Left::Quarters => Keep { raw: NOTHING, ..Keep::FOREVER },
        Left::Days => Keep { raw: NOTHING, quarters: NOTHING, ..Keep::FOREVER },
    }
}

fn cases(text: &str) -> Vec<Case> {
    serde_json::from_str(text).expect("vectors")
}

fn with_each_case(text: &str, check: impl Fn(&Case, Left, &Reader)) {
    for left in [Left::Results, Left::Quarters, Left::Days] {
        for case in &cases(text) {
            let folder = tempfile::tempdir().expect("a folder");
            let options = Options { keep: keep(left), ..forever() };
            let history = open(folder.path(), options);
            feed(&history.writer(), case);
            retain(&history.writer(), NOON + DAY);
            history.close().expect("written");
            check(case, left, &reader(folder.path()));
        }
    }
}

/// The checks of a day, ten minutes apart from one past midnight on.
fn feed(writer: &history::Writer, case: &Case) {
    for day in &case.input {
        let midnight = NOON - DAY / 2 - day.days_ago * DAY;
        for (n, (status, ms)) in (0..).zip(&day.checks) {
            let at: Timestamp = midnight + 60_000 + n * 600_000;
            writer.record(api(), result(at, *status, *ms), hold());
        }
    }
}

#[test]
fn sla() {
    with_each_case(include_str!("../../health/tests/vectors/sla.json"), |case, left, reader| {
        let objective = Objective::default();
        let found = reader.uptime(&api(), case.days, &Zone::utc(), NOON, objective);
        let found = serde_json::to_value(found.expect("an answer")).expect("JSON");
        let expected = case.expect.as_object().expect("an object");
        for (key, value) in expected {
            assert_eq!(found.get(key), Some(value), "{key}, {left:?} left");
        }
        let first: Vec<_> =
            found.as_object().expect("an object").keys().take(expected.len()).collect();
        assert_eq!(first, expected.keys().collect::<Vec<_>>(), "by checks comes first");
    });
}

#[test]
fn daily() {
    with_each_case(include_str!("../../health/tests/vectors/daily.json"), |case, left, reader| {
        let found = reader.daily(&api(), case.days, &Zone::utc(), NOON).expect("an answer");
        let expected = case.expect.as_array().expect("rows");
        assert_eq!(found.len(), expected.len());
        for (n, (row, expected)) in found.iter().zip(expected).enumerate() {
            let row = serde_json::to_value(row).expect("JSON");
            for key in ["uptime_pct", "avg_response_ms", "checks"] {
                assert_eq!(row[key], expected[key], "{key} of day {n}, {left:?} left");
            }
            let (p95, exact) = (&row["p95_response_ms"], &expected["p95_response_ms"]);
            match (p95.as_f64(), exact.as_f64()) {
                (Some(p95), Some(exact)) if left != Left::Results => {
                    assert!((p95 - exact).abs() <= exact * 0.01 + 0.001, "{p95} for {exact}");
                }
                _ => assert_eq!(p95, exact, "p95 of day {n}"),
            }
        }
        assert_eq!(found[0].date, "2026-01-15");
    });
}
