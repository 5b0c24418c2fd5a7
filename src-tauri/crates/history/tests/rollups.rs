//! Rollups are what one would compute from all results at once, whatever the
//! order they come in and however often.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use health::{CheckResult, Hold, Status, Timestamp};
use history::{Keep, Options, Range, Writer};
use proptest::prelude::*;
use support::{
    DAY, HOUR, MINUTE, NOON, api, detailed, forever, hold, measurement, open, reader, result,
    retain,
};

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

impl Fed {
    /// Times are often the same.
    fn result(self) -> CheckResult {
        let ms = (self.at % 7) as f64 + 0.5;
        detailed(result(Timestamp(self.at), self.status, ms))
    }
}

fn record(writer: &Writer, fed: Fed) {
    writer.record(api(), fed.result(), Hold::from_ms(fed.hold));
}

fn record_all(writer: &Writer, all: &[Fed]) {
    for fed in all {
        record(writer, *fed);
    }
}

/// Only the first result of a moment counts; in order of time.
fn firsts(fed: &[Fed]) -> Vec<Fed> {
    let mut first = BTreeMap::new();
    for result in fed {
        first.entry(result.at).or_insert(*result);
    }
    first.into_values().collect()
}

/// The rule, by the book: each result holds until the next, at most its hold;
/// the last one is open.
fn by_the_book(fed: &[Fed]) -> Rollups {
    let results = firsts(fed);
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

/// Of each hour the slowest, of equal ones the first; newest first.
fn slowest_by_the_book(fed: &[Fed]) -> Vec<CheckResult> {
    let results: Vec<_> = firsts(fed).into_iter().map(Fed::result).collect();
    let slower = |a: &&CheckResult, b: &&CheckResult| {
        let by_time = a.response_time_ms.partial_cmp(&b.response_time_ms).expect("numbers");
        by_time.then(b.at.cmp(&a.at))
    };
    let of_hours = results.chunk_by(|a, b| a.at.0 / HOUR == b.at.0 / HOUR);
    of_hours.filter_map(|hour| hour.iter().max_by(slower)).rev().cloned().collect()
}

/// Count, sum, smallest and largest of what was measured in each quarter.
type Tallies = BTreeMap<i64, (i64, f64, f64, f64)>;

fn tallies_by_the_book(fed: &[Fed]) -> Tallies {
    let mut tallies = Tallies::new();
    for result in firsts(fed).into_iter().map(Fed::result) {
        let value = result.measurements[0].value;
        let start = result.at.0 / QUARTER * QUARTER;
        let (count, sum, min, max) = tallies.entry(start).or_insert((0, 0.0, value, value));
        (*count, *sum, *min, *max) = (*count + 1, *sum + value, min.min(value), max.max(value));
    }
    tallies
}

fn stored_tallies(folder: &Path) -> Tallies {
    let conn = rusqlite::Connection::open(folder.join("history.db")).expect("a database");
    let mut select =
        conn.prepare("SELECT start, count, sum, min, max FROM measurement_quarters").expect("one");
    let rows = select.query_map([], |row| {
        Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
    });
    rows.expect("rows").collect::<Result<_, _>>().expect("numbers")
}

/// The slowest results as they are kept: with phases, without the rest.
fn stored_slowest(folder: &Path) -> Vec<CheckResult> {
    reader(folder).slowest(&api(), Timestamp(0)).expect("results")
}

fn with_phases_only(results: Vec<CheckResult>) -> Vec<CheckResult> {
    let bare = |result| CheckResult {
        measurements: Vec::new(),
        evidence: health::Evidence::default(),
        ..result
    };
    results.into_iter().map(bare).collect()
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
        prop_assert_eq!(stored_tallies(folder.path()), tallies_by_the_book(&results));
        let slowest = with_phases_only(slowest_by_the_book(&results));
        prop_assert_eq!(&with_phases_only(stored_slowest(folder.path())), &slowest);
        for result in reader(folder.path()).results(&api(), 999)? {
            let kept = result.status == Status::Unhealthy
                || slowest.iter().any(|slowest| slowest.at == result.at);
            prop_assert_eq!(!result.phases.is_empty(), kept, "phases of {:?}", result);
        }
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
        prop_assert_eq!(stored_tallies(folder.path()), tallies_by_the_book(&results));
        prop_assert_eq!(
            with_phases_only(stored_slowest(folder.path())),
            with_phases_only(slowest_by_the_book(&results))
        );
    }
}

/// Every order of the numbers below `count`.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else {
        return vec![Vec::new()];
    };
    let with_last = |order: Vec<usize>| {
        (0..=order.len()).map(move |at| {
            let mut order = order.clone();
            order.insert(at, last);
            order
        })
    };
    orders(last).into_iter().flat_map(with_last).collect()
}

#[test]
fn in_every_order_the_newest_limits_count_and_the_first_of_the_slowest() {
    let results: Vec<_> = (0..4)
        .map(|n: u8| {
            let ms = [5.0, 9.0, 9.0, 1.0][usize::from(n)];
            let mut result = detailed(result(NOON + i64::from(n) * MINUTE, Status::Healthy, ms));
            let limit = Some(f64::from(n));
            result.measurements[0] =
                health::Measurement { degraded_at: limit, ..measurement("load", 1.0) };
            result.measurements[0].unit = n.to_string();
            result
        })
        .collect();
    for order in orders(4) {
        let folder = tempfile::tempdir().expect("a folder");
        let history = open(folder.path(), forever());
        for n in &order {
            history.writer().record(api(), results[*n].clone(), hold());
            history.writer().flush_and_wait().expect("written");
        }
        let reader = history.reader().expect("a reader");
        let chart = &reader.measurements(&api(), Range::Day, NOON + HOUR).expect("charts")[0];
        assert_eq!((chart.degraded_at, chart.unit.as_str()), (Some(3.0), "3"), "{order:?}");
        let with_phases: Vec<_> = reader.results(&api(), 9).expect("results");
        let with_phases: Vec<_> =
            with_phases.iter().filter(|r| !r.phases.is_empty()).map(|r| r.at).collect();
        assert_eq!(with_phases, [NOON + MINUTE], "{order:?}");
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
