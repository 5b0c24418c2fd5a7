//! A year of one service checked every 30 s, as the app would have kept it:
//! what it takes on disk and how long the questions take. Prints numbers.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
#[allow(clippy::disallowed_types)] // measures, and decides nothing
use std::time::Instant;

use health::{
    CheckResult, Hold, Measurement, Metadata, Objective, Phases, ServiceId, Status, Timestamp,
};
use history::{History, Keep, Options, Range, Reader, Writer, Zone};

const EVERY: i64 = 30_000;
const DAY: i64 = 24 * 3_600_000;
const NOW: Timestamp = Timestamp(1_768_478_400_000);

fn main() -> Result<(), Box<dyn Error>> {
    bytes_per_result()?;
    year(1)?;
    month(50)?;
    measured(8)
}

/// `count` services, interleaved as the app records them.
fn feed(writer: &Writer, count: usize, days: i64, now: Timestamp) -> Result<(), Box<dyn Error>> {
    let services = (0..count).map(|n| ServiceId::new(&format!("service-{n}")));
    let services: Vec<_> = services.collect::<Result<_, _>>()?;
    let checks = days * DAY / EVERY;
    for n in 0..checks {
        for (k, service) in (0..).zip(&services) {
            let at = now - (checks - n) * EVERY + k * 37;
            writer.record(service.clone(), result(at, n * 31 + k), Hold::from_ms(48_000));
        }
        if n % 2_000 == 0 {
            writer.flush_and_wait()?;
        }
    }
    Ok(writer.flush_and_wait()?)
}

fn result(at: Timestamp, noise: i64) -> CheckResult {
    let noise = noise.wrapping_mul(0x2545_f491_4f6c_dd1d).unsigned_abs();
    let failed = noise.is_multiple_of(1_000);
    let ms = 20.0 + (noise >> 20) as f64 % 30_000.0 / 1_000.0;
    let metadata: Metadata = [("address", "93.184.216.34"), ("status_code", "200")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    let (status, message) = if failed {
        (Status::Unhealthy, "connection refused")
    } else {
        (Status::Healthy, "200 OK")
    };
    let phases = Phases {
        dns: Some(0.4),
        connect: Some(ms / 4.0),
        tls: (!failed).then_some(ms / 2.0),
        wait: (!failed).then_some(ms / 4.0),
        ..Phases::default()
    };
    let response_ms = (!failed).then_some(ms);
    CheckResult { metadata, phases, ..CheckResult::new(at, status, response_ms, message) }
}

fn open(folder: &Path, keep: Keep) -> Result<History, Box<dyn Error>> {
    let options = Options { keep, zone: Zone::utc(), clock: Arc::new(|| NOW) };
    Ok(History::open_with(folder, options)?.0)
}

fn retain(writer: &Writer) -> Result<(), Box<dyn Error>> {
    let (sender, done) = channel();
    writer.retain(NOW, move |result| drop(sender.send(result)));
    Ok(done.recv()??)
}

fn bytes_per_result() -> Result<(), Box<dyn Error>> {
    for services in [1, 50] {
        let folder = tempfile::tempdir()?;
        let history = open(folder.path(), Keep::FOREVER)?;
        feed(&history.writer(), services, 7, NOW)?;
        history.close()?;
        let conn = rusqlite::Connection::open(folder.path().join("history.db"))?;
        println!("7 days of {services} services");
        for table in ["results", "quarters", "slowest", "phases"] {
            print_bytes(&conn, table)?;
        }
    }
    Ok(())
}

fn print_bytes(conn: &rusqlite::Connection, table: &str) -> Result<(), Box<dyn Error>> {
    let count = format!("SELECT count(*) FROM {table}");
    let rows: i64 = conn.query_row(&count, [], |row| row.get(0))?;
    let bytes: i64 =
        conn.query_row("SELECT sum(pgsize) FROM dbstat WHERE name = ?1", [table], |row| {
            row.get(0)
        })?;
    println!("{rows} {table} of {:.1} bytes", bytes as f64 / rows as f64);
    Ok(())
}

fn year(count: usize) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let history = open(folder.path(), Keep::default())?;
    timed(&format!("record 365 days of {count} service"), || {
        feed(&history.writer(), count, 365, NOW)
    })?;
    let before = history.reader()?.size_bytes();
    timed("fold and remove what is old", || retain(&history.writer()))?;
    history.close()?;
    println!(
        "size: {:.1} MB with every result, {:.1} MB as kept",
        before as f64 / 1e6,
        fs::metadata(folder.path().join("history.db"))?.len() as f64 / 1e6
    );
    ask(folder.path())
}

fn month(count: usize) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let history = open(folder.path(), Keep::default())?;
    timed(&format!("record 30 days of {count} services"), || {
        feed(&history.writer(), count, 30, NOW)
    })?;
    timed("remove what is old", || retain(&history.writer()))?;
    history.close()?;
    println!("size: {:.1} MB", fs::metadata(folder.path().join("history.db"))?.len() as f64 / 1e6);
    timed("open, with its check", || open(folder.path(), Keep::default()).map(drop))?;
    ask(folder.path())
}

/// 30 days of a service that measures `count` things.
fn measured(count: i64) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let history = open(folder.path(), Keep::default())?;
    let (id, writer) = (ServiceId::new("disks")?, history.writer());
    let checks = 30 * DAY / EVERY;
    timed(&format!("record 30 days of a service with {count} measurements"), || {
        for n in 0..checks {
            let value = |k| 50.0 + ((n + k * 31) % 997) as f64 / 31.0;
            let measurements =
                (0..count).map(|k| Measurement::new(format!("/disk{k}"), value(k), "%")).collect();
            let result = result(NOW - (checks - n) * EVERY, n * 31);
            let result = CheckResult { measurements, ..result };
            writer.record(id.clone(), result, Hold::from_ms(48_000));
            if n % 2_000 == 0 {
                writer.flush_and_wait()?;
            }
        }
        Ok(writer.flush_and_wait()?)
    })?;
    timed("remove what is old", || retain(&writer))?;
    let reader = history.reader()?;
    for range in [Range::Hour, Range::Day, Range::Week, Range::Month, Range::Year] {
        let label = format!("charts of {count} measurements, {range:?}");
        timed(&label, || Ok(reader.measurements(&id, range, NOW).map(drop)?))?;
    }
    timed("slowest of 30 days", || Ok(reader.slowest(&id, NOW - 30 * DAY).map(drop)?))?;
    timed("100 results", || Ok(reader.results(&id, 100).map(drop)?))?;
    history.close()?;
    let conn = rusqlite::Connection::open(folder.path().join("history.db"))?;
    for table in ["measurements", "measurement_quarters"] {
        print_bytes(&conn, table)?;
    }
    Ok(())
}

fn ask(folder: &Path) -> Result<(), Box<dyn Error>> {
    let reader = Reader::open(folder)?;
    let (id, zone, objective) = (ServiceId::new("service-0")?, Zone::utc(), Objective::default());
    for _ in 0..2 {
        timed("uptime of 30 days", || {
            Ok(reader.uptime(&id, 30, &zone, NOW, objective).map(drop)?)
        })?;
    }
    timed("uptime of 365 days", || {
        Ok(reader.uptime(&id, 365, &zone, NOW, objective).map(drop)?)
    })?;
    timed("daily of 30 days", || Ok(reader.daily(&id, 30, &zone, NOW).map(drop)?))?;
    timed("24 h, 7 d, 30 d", || Ok(reader.uptimes(&id, &zone, NOW, objective).map(drop)?))?;
    for range in [Range::Hour, Range::Day, Range::Week, Range::Month, Range::Year] {
        let label = format!("chart of {range:?}");
        timed(&label, || Ok(reader.latency(&id, range, &zone, NOW).map(drop)?))?;
    }
    timed("figures of all services", || Ok(reader.figures(NOW).map(drop)?))?;
    timed("bars of all services", || Ok(reader.recent_bars(60).map(drop)?))
}

#[allow(clippy::disallowed_types)]
fn timed(
    label: &str,
    work: impl FnOnce() -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    work()?;
    println!("{label}: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    Ok(())
}
