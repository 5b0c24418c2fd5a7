//! What survives a crash, a damaged file and a new release.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use health::{CheckResult, Objective, Status, Timestamp};
use history::{History, OpenError, Options, Range, Reader, UptimeRecord, Zone};
use serde_json::json;
use support::{MINUTE, NOON, api, detailed, forever, hold, id, incident, open, reader, result};

fn fixture(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/history-v{version}.db"))
}

fn file(folder: &Path) -> PathBuf {
    folder.join("history.db")
}

/// A result of [`fill`].
fn filled(n: i64) -> CheckResult {
    let status = if n % 5 == 4 { Status::Unhealthy } else { Status::Healthy };
    result(NOON + n * MINUTE, status, 20.0 + n as f64)
}

/// A history with 20 results, an incident and a state.
fn fill(folder: &Path) {
    let history = open(folder, forever());
    let writer = history.writer();
    for n in 0..20 {
        writer.record(api(), detailed(filled(n)), hold());
    }
    writer.save_incident(incident(7, &id("db"), NOON));
    writer.save_state("paused", &json!(true));
    history.close().expect("written");
}

fn assert_filled(reader: &Reader) {
    let now = NOON + 30 * MINUTE;
    assert_eq!(reader.results(&api(), 100).expect("results").len(), 20);
    let uptime = reader.uptime(&api(), 1, &Zone::utc(), now, Objective::default());
    let Ok(UptimeRecord::Figures(uptime)) = uptime else { panic!("there are results: {uptime:?}") };
    assert_eq!((uptime.total_checks, uptime.uptime_pct), (20, 80.0));
    assert_eq!(uptime.availability_time_pct, Some(80.0));
    assert_eq!(reader.active_incidents().expect("incidents"), [incident(7, &id("db"), NOON)]);
    assert_eq!(reader.state("paused").expect("a state"), Some(json!(true)));
    assert_eq!(reader.next_incident_id().expect("a number"), 8);
}

/// Version 1 had no details: of its results only the slowest is found.
fn assert_details(reader: &Reader, version: u32) {
    let had = version >= 2;
    let as_kept = |n| if had { detailed(filled(n)) } else { filled(n) };
    for n in [4, 9, 14, 19] {
        let found = reader.result(&api(), NOON + n * MINUTE).expect("an answer");
        assert_eq!(found, Some(as_kept(n)), "version {version}");
    }
    let slowest = reader.slowest(&api(), NOON).expect("results");
    let moments: Vec<_> = slowest.iter().map(|result| result.at).collect();
    assert_eq!(moments, [NOON + 19 * MINUTE], "version {version}");
    assert_eq!(slowest[0].message, "connection refused");
    assert_eq!(slowest[0].phases, as_kept(19).phases);
    let now = NOON + 30 * MINUTE;
    for range in [Range::Hour, Range::Week] {
        let charts = reader.measurements(&api(), range, now).expect("charts");
        assert_eq!(charts.len(), usize::from(had), "version {version}");
    }
}

/// Set once before a release that changes the schema: writes its fixture.
const WRITE: &str = "PILOTLIGHT_WRITE_FIXTURE";

#[test]
fn every_released_version_opens() {
    let current = write_history();
    if std::env::var_os(WRITE).is_some() {
        fs::copy(file(current.0.path()), fixture(current.1)).expect("a copy");
    }
    for version in 1..=current.1 {
        let folder = tempfile::tempdir().expect("a folder");
        fs::copy(fixture(version), file(folder.path())).expect("a fixture of each version");
        assert_filled(&reader(folder.path()));
        assert_filled(&open(folder.path(), forever()).reader().expect("a reader"));
        assert_details(&reader(folder.path()), version);
    }
}

/// A history as this version writes it, and the version.
fn write_history() -> (tempfile::TempDir, u32) {
    let folder = tempfile::tempdir().expect("a folder");
    fill(folder.path());
    let conn = rusqlite::Connection::open(file(folder.path())).expect("a database");
    let version = conn.pragma_query_value(None, "user_version", |row| row.get(0));
    (folder, version.expect("a version"))
}

#[test]
fn what_was_committed_survives_a_crash() {
    let (folder, crashed) =
        (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("one"));
    let history = open(folder.path(), forever());
    for n in 0..50 {
        history.writer().record(api(), result(NOON + n, Status::Healthy, 1.0), hold());
    }
    history.writer().flush_and_wait().expect("written");
    history.writer().record(api(), result(NOON + 99, Status::Healthy, 1.0), hold());
    for name in ["history.db", "history.db-wal"] {
        fs::copy(folder.path().join(name), crashed.path().join(name)).expect("a copy");
    }
    let (after, recovered) = History::open_with(crashed.path(), forever()).expect("a history");
    assert_eq!(recovered, None);
    assert_eq!(after.reader().expect("a reader").results(&api(), 100).expect("results").len(), 50);
}

#[test]
fn dropping_writes_the_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = open(folder.path(), forever());
    history.writer().record(api(), result(NOON, Status::Healthy, 1.0), hold());
    drop(history);
    assert_eq!(reader(folder.path()).results(&api(), 9).expect("results").len(), 1);
}

#[test]
fn reading_while_writing_sees_whole_moments() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = open(folder.path(), forever());
    let reader = history.reader().expect("a reader");
    let writer = history.writer();
    let feeding = std::thread::spawn(move || {
        for n in 0..3000 {
            writer.record(api(), result(NOON + n * 10, Status::Healthy, 1.0), hold());
            if n % 50 == 0 {
                writer.flush_and_wait().expect("written");
            }
        }
        writer.flush_and_wait().expect("written");
    });
    let mut last = 0;
    while !feeding.is_finished() {
        let days = reader.daily(&api(), 1, &Zone::utc(), NOON + MINUTE).expect("days");
        assert!(days[0].checks >= last);
        last = days[0].checks;
    }
    feeding.join().expect("fed");
    assert_eq!(reader.results(&api(), 9999).expect("results").len(), 3000);
}

/// Ways a file goes bad.
fn damage(kind: &str, path: &Path) {
    let mut bytes = fs::read(path).expect("a file");
    match kind {
        "no database" => {
            bytes = b"this is no database, but it is long enough to be one".repeat(100);
        }
        "half of it" => bytes.truncate(bytes.len() / 2),
        "pages overwritten" => bytes[8192..].fill(0xa5),
        "header overwritten" => bytes[..100].fill(0),
        _ => panic!("{kind}?"),
    }
    fs::write(path, bytes).expect("written");
}

#[test]
fn an_unreadable_history_is_set_aside_and_a_new_one_begun() {
    for kind in ["no database", "half of it", "pages overwritten", "header overwritten"] {
        let folder = tempfile::tempdir().expect("a folder");
        fill(folder.path());
        damage(kind, &file(folder.path()));
        let damaged = fs::read(file(folder.path())).expect("a file");

        let (history, recovered) = History::open_with(folder.path(), forever()).expect("a history");
        let recovered = recovered.unwrap_or_else(|| panic!("{kind}: nothing was set aside"));
        assert_eq!(
            recovered.set_aside,
            folder.path().join("history.db.unreadable-20260115T120000Z")
        );
        assert!(fs::read(&recovered.set_aside).expect("kept") == damaged, "{kind}: changed");
        assert!(!recovered.reason.contains('\n'), "{}", recovered.reason);
        drop(history);
        fill(folder.path());
        assert_filled(&reader(folder.path()));
    }
}

#[test]
fn two_unreadable_ones_in_a_second_are_both_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    for expected in
        ["history.db.unreadable-20260115T120000Z", "history.db.unreadable-20260115T120000Z-2"]
    {
        fs::write(file(folder.path()), "no database".repeat(100)).expect("written");
        let (_, recovered) = History::open_with(folder.path(), forever()).expect("a history");
        assert_eq!(recovered.map(|r| r.set_aside), Some(folder.path().join(expected)));
    }
}

#[test]
fn the_database_of_another_program_is_set_aside() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = rusqlite::Connection::open(file(folder.path())).expect("a database");
    other.execute_batch("CREATE TABLE bookmarks (url TEXT)").expect("a table");
    drop(other);
    assert!(matches!(Reader::open(folder.path()), Err(OpenError::Unreadable { .. })));
    let (_, recovered) = History::open_with(folder.path(), forever()).expect("a history");
    assert!(recovered.is_some_and(|r| r.reason.contains("another program")));
}

#[test]
fn a_history_of_a_newer_release_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    fill(folder.path());
    let conn = rusqlite::Connection::open(file(folder.path())).expect("a database");
    conn.pragma_update(None, "user_version", 99).expect("a version");
    drop(conn);
    let error = History::open_with(folder.path(), forever()).expect_err("too new");
    assert!(error.to_string().contains("newer Pilotlight"), "{error}");
    assert!(matches!(error, OpenError::Newer { found: 99, .. }));
    assert!(matches!(Reader::open(folder.path()), Err(OpenError::Newer { .. })));
    assert!(file(folder.path()).exists());
}

#[test]
fn a_locked_history_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    fill(folder.path());
    let other = rusqlite::Connection::open(file(folder.path())).expect("a database");
    other
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT")
        .expect("a lock");
    let error = History::open_with(folder.path(), forever()).expect_err("locked");
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
}

#[test]
fn a_data_folder_that_is_none_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = folder.path().join("taken");
    fs::write(&taken, "").expect("written");
    let error = History::open_with(&taken, Options::default()).expect_err("a file");
    assert!(matches!(error, OpenError::NotAFolder { .. }), "{error}");
    let error = History::open_with(&taken.join("below"), Options::default()).expect_err("a file");
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
    assert!(!error.help().is_empty());
    let in_the_way = folder.path().join("data");
    fs::create_dir_all(in_the_way.join("history.db")).expect("a folder");
    let error = History::open_with(&in_the_way, Options::default()).expect_err("a folder");
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn folder_and_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("a/b");
    let history = open(&data, forever());
    history.writer().record(api(), result(Timestamp(1), Status::Healthy, 1.0), hold());
    history.writer().flush_and_wait().expect("written");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for name in ["history.db", "history.db-wal", "history.db-shm"] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
}
