use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::bench::failure::{Explain, Outcome};
use crate::bench::history::add_incidents;
use crate::bench::numbers::median;
use crate::bench::process::guard::{Files, peak_memory};
use crate::bench::process::{Process, Talk, Terms, now};
use crate::bench::program::{command, data_dir};
use crate::bench::report::Line;
use crate::bench::stage::Stage;

pub(super) const HOW: &str = "10 services checked every minute for 30 days, all results taken in \
    by `record` and still there, and 300 incidents. Time from the start of the process to its end, \
    median of 20 after 3 that do not count; the most memory of a further one.";

const SERVICES: usize = 10;
const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
const DAYS: i64 = 30;
const WARM_UPS: usize = 3;
const TIMES: usize = 20;
const MOST_MS: f64 = 50.0;

/// What questions about the past take.
pub(super) async fn measure(stage: &Stage) -> Outcome<Vec<Line>> {
    let home = stage.room()?;
    record_a_month(stage, &home).await?;
    let mut lines = Vec::new();
    for question in [["sla", "s0"].as_slice(), &["daily", "s0"], &["incidents"]] {
        lines.push(ask(stage, &home, question).await?);
    }
    Ok(lines)
}

async fn ask(stage: &Stage, home: &TempDir, question: &[&str]) -> Outcome<Line> {
    let mut times = Vec::new();
    for n in 0..WARM_UPS + TIMES {
        // Lets a person interrupt it here.
        tokio::task::yield_now().await;
        let mut command = command(stage, home);
        command.args(question).stdin(Stdio::null()).stdout(Stdio::null());
        let start = Instant::now();
        succeed(&mut command)?;
        if n >= WARM_UPS {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    let mut weighed = command(stage, home);
    let peak = peak_memory(weighed.args(question))?;
    let ms = median(&times);
    let what = format!("`pilotlight {}` of a month", question.join(" "));
    Ok(Line::new(what, format!("{ms:.1} ms, peak {peak:.1} MB")).target("≤ 50 ms", ms <= MOST_MS))
}

/// The history of a month, as `record` and outages would have made it.
async fn record_a_month(stage: &Stage, home: &TempDir) -> Outcome<()> {
    let reports = home.path().join("reports.jsonl");
    let end = now();
    write_reports(&reports, end)
        .explain("the temporary folder cannot be written: make room in it")?;
    stage.say("  recording a month");
    let mut record = command(stage, home);
    record.arg("record").arg(&reports);
    let terms = Terms { talk: Talk::Nothing, files: Files::AsUsual };
    Process::start("record", &record, terms, home.path())?.finish().await?;
    let moments: Vec<i64> = (1..=DAYS).map(|day| end - day * DAY).collect();
    add_incidents(&data_dir(home), &moments)
}

fn write_reports(file: &Path, end: i64) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    let checks = DAYS * DAY / MINUTE;
    for n in 0..checks {
        let at = end - (checks - n) * MINUTE;
        let services: Vec<_> = (0..SERVICES).map(|k| service(n, k)).collect();
        let report = json!({"checked_at": at as f64 / 1e3, "services": services});
        writeln!(out, "{report}")?;
    }
    out.flush()
}

/// One in a thousand fails, the others take 20 to 50 ms.
fn service(n: i64, k: usize) -> serde_json::Value {
    let k_noise = i64::try_from(k).unwrap_or(0);
    let noise = (n * 31 + k_noise).wrapping_mul(0x2545_f491_4f6c_dd1d).unsigned_abs() >> 20;
    let failed = noise.is_multiple_of(1_000);
    let ms = (20_000 + noise % 30_000) as f64 / 1_000.0;
    json!({
        "id": format!("s{k}"),
        "name": format!("Service {k}"),
        "status": if failed { "unhealthy" } else { "healthy" },
        "response_time_ms": if failed { None } else { Some(ms) },
        "message": if failed { "connection refused" } else { "200 OK" },
        "metadata": {"http_status": "200", "address": "93.184.216.34"},
    })
}

fn succeed(command: &mut Command) -> Outcome<()> {
    let output =
        command.stderr(Stdio::piped()).output().explain("the program cannot be started")?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("{command:?} ended with {}: {said}", output.status).into())
}
