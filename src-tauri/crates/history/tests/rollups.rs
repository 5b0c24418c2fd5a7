//! Rollups are what one would compute from all results at once, whatever the
//! order they come in and however often.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use health::{Hold, Status, Timestamp};
use history::{Keep, Options, Writer};
use proptest::prelude::*;
use support::{DAY, MINUTE, NOON, api, forever, open, result, retain};

const QUARTER: i64 = 15 * MINUTE;

/// Counts and time by status, by quarter of an hour.
type Rollups = BTreeMap<i64, ([i64; 3], [i64; 3])>;

#[derive(Debug, Clone, Copy)]
struct Fed {
    at: i64,
    status: Status,
    hold: i64,
}

fn fed() -> impl Strategy<Value = Fed> {
    let status =
        prop_oneof![Just(Status::Healthy), Just(Status::Degraded), Just(Status::Unhealthy)];
    // Few distinct moments make repeats likely.
    (0..200_i64, status, 0..40 * MINUTE).prop_map(|(n, status, hold)| Fed {
        at: NOON.0 + n * 77_000,
        status,
        hold,
    })
}

fn record(writer: &Writer, Fed { at, status, hold }: Fed) {
    let ms = (at % 97) as f64 + 0.5;
    writer.record(api(), result(Timestamp(at), status, ms), Hold::from_ms(hold));
}

fn record_all(writer: &Writer, all: &[Fed]) {
    for fed in all {
        record(writer, *fed);
    }
}

/// The rule, by the book: only the first result of a moment counts; each holds
/// until the next, at most its hold; the last one is open.
fn by_the_book(fed: &[Fed]) -> Rollups {
    let mut first = BTreeMap::new();
    for result in fed {
        first.entry(result.at).or_insert(*result);
    }
    let results: Vec<_> = first.into_values().collect();
    let mut rollups = Rollups::new();
    for (n, Fed { at, status, hold }) in results.iter().enumerate() {
        let status = *status as usize;
        rollups.entry(at / QUARTER * QUARTER).or_default().0[status] += 1;
        let Some(next) = results.get(n + 1) else {
            continue;
        };
        let end = next.at.min(at + hold);
        let mut from = *at;
        while from < end {
            let start = from / QUARTER * QUARTER;
            let until = end.min(start + QUARTER);
            rollups.entry(start).or_default().1[status] += until - from;
            from = until;
        }
    }
    rollups
}

fn stored(folder: &Path) -> Rollups {
    let conn = rusqlite::Connection::open(folder.join("history.db")).expect("a database");
    let mut select = conn.prepare("SELECT * FROM quarters").expect("a table");
    let rows = select.query_map([], |row| {
        let (counts, spent) = (
            [row.get("healthy")?, row.get("degraded")?, row.get("unhealthy")?],
            [row.get("healthy_ms")?, row.get("degraded_ms")?, row.get("unhealthy_ms")?],
        );
        Ok((row.get("start")?, (counts, spent)))
    });
    let all: Rollups = rows.expect("rows").collect::<Result<_, _>>().expect("numbers");
    all.into_iter().filter(|(_, row)| *row != Default::default()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_order_and_repeats(results in prop::collection::vec(fed(), 1..120), batch in 1..50_usize) {
        let folder = tempfile::tempdir()?;
        let history = open(folder.path(), forever());
        for some in results.chunks(batch) {
            record_all(&history.writer(), some);
            history.writer().flush_and_wait()?;
        }
        record_all(&history.writer(), &results);
        history.close()?;
        prop_assert_eq!(stored(folder.path()), by_the_book(&results));
    }

    #[test]
    fn removing_what_is_old_changes_no_rollup(
        mut results in prop::collection::vec(fed(), 1..120),
        batch in 1..50_usize,
    ) {
        results.sort_by_key(|result| result.at);
        let folder = tempfile::tempdir()?;
        let keep = Keep { raw: Duration::from_secs(600), ..Keep::FOREVER };
        let history = open(folder.path(), Options { keep, ..forever() });
        for some in results.chunks(batch) {
            record_all(&history.writer(), some);
            let last = some.last().map_or(NOON, |result| Timestamp(result.at));
            retain(&history.writer(), last);
        }
        retain(&history.writer(), NOON + DAY);
        // The same report once more: what is gone cannot be told from new but
        // by its quarter of an hour.
        record_all(&history.writer(), &results);
        history.close()?;
        prop_assert_eq!(stored(folder.path()), by_the_book(&results));
    }
}

#[test]
fn two_processes_write_one_history() {
    let folder = tempfile::tempdir().expect("a folder");
    let (app, import) = (open(folder.path(), forever()), open(folder.path(), forever()));
    let mut all = Vec::new();
    for n in 0..40 {
        let fed = Fed { at: NOON.0 + n * 30_000, status: Status::Healthy, hold: 48_000 };
        let writer = if n % 3 == 0 { import.writer() } else { app.writer() };
        record(&writer, fed);
        writer.flush_and_wait().expect("written");
        all.push(fed);
    }
    assert_eq!(stored(folder.path()), by_the_book(&all));
}

#[test]
fn a_report_of_long_ago_is_taken_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let long_ago = NOON - 400 * DAY;
    let report = [0, 1, 2].map(|n| result(long_ago + n * MINUTE, Status::Healthy, 5.0));
    for _ in 0..3 {
        let history = open(folder.path(), Options { keep: Keep::default(), ..forever() });
        for result in report.clone() {
            history.writer().record(api(), result, support::hold());
        }
        retain(&history.writer(), NOON);
    }
    let days = support::reader(folder.path())
        .daily(&api(), 401, &history::Zone::utc(), NOON)
        .expect("an answer");
    assert_eq!(days.last().map(|day| day.checks), Some(3));
    assert_eq!(days.iter().map(|day| day.checks).sum::<u64>(), 3);
}

#[test]
fn results_from_outside_of_time_are_ignored() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = open(folder.path(), forever());
    for at in [i64::MIN, -1, i64::MAX, 253_402_300_800_000] {
        record(&history.writer(), Fed { at, status: Status::Healthy, hold: i64::MAX });
    }
    history.close().expect("written");
    assert_eq!(stored(folder.path()), Rollups::new());
}
