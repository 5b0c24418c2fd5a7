//! What is old is folded and removed, and the answers stay.

mod support;

use std::time::Duration;

use health::{Objective, Status, Timestamp};
use history::{Keep, Options, Zone};
use support::{DAY, HOUR, NOON, api, forever, hold, id, incident, open, result, retain};

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
