use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::sleep;

use crate::bench::failure::Outcome;
use crate::bench::process::now;
use crate::bench::program::{Check, Config, Watching};
use crate::bench::report::Line;
use crate::bench::stage::Stage;

pub(super) const HOW: &str = "20 HTTP services every 1 s; the process is sent SIGSTOP, and SIGCONT 40 s later, as in a \
    suspended machine or under a debugger. Events are counted from then on.";

const SERVICES: usize = 20;
const EVERY: Duration = Duration::from_secs(1);
/// As long as nothing runs.
const STOPPED: Duration = Duration::from_secs(40);
/// What a service may be checked in the 10 s after, and what it has to be.
const CHECKS: std::ops::RangeInclusive<usize> = 8..=12;
/// That it was away, and that it is back.
const MOST_EVENTS: usize = 2;
/// Percent of a core.
const MOST_CPU: f64 = 5.0;

/// What a Pilotlight does that was stopped and goes on.
pub(super) async fn measure(stage: &Stage) -> Outcome<Vec<Line>> {
    let config = Config::fleet(stage, Check::Http, SERVICES, EVERY);
    let mut watching = Watching::start_with_events(stage, &config)?;
    sleep(Duration::from_secs(8)).await;
    watching.process.lives()?;
    watching.process.signal(Signal::SIGSTOP)?;
    sleep(STOPPED).await;
    let resumed = now();
    watching.process.signal(Signal::SIGCONT)?;
    let window = watching.process.window(Duration::from_secs(20)).await?;
    let watched = watching.stop().await?;

    let starts = watched.history.starts(resumed, resumed + 10_000)?;
    let counts: Vec<usize> = starts.values().map(Vec::len).collect();
    let results: usize = counts.iter().sum();
    let most = counts.iter().max().copied().unwrap_or(0);
    let least = if counts.len() < SERVICES { 0 } else { counts.iter().min().copied().unwrap_or(0) };
    let first = starts.values().flatten().min().map(|at| at - resumed);
    let first = first.map_or_else(|| "none".to_owned(), |ms| format!("the first after {ms} ms"));
    let events = watched.events.of("connectivity_changed").filter(|e| e.read_at >= resumed).count();
    let all = watched.events.count("connectivity_changed");
    let reasons: Vec<&str> = watched
        .events
        .of("connectivity_changed")
        .take(MOST_EVENTS)
        .map(|e| e.text("reason"))
        .collect();
    let told = if all > events as u64 { format!("over {events}") } else { events.to_string() };
    let what = |what: &str| format!("stopped for 40 s, 20 services every 1 s: {what}");
    Ok(vec![
        Line::new(
            what("checks in the 10 s after"),
            format!("{results}, {first}; {least} to {most} a service"),
        )
        .target("8 to 12 a service, no burst", CHECKS.contains(&least) && CHECKS.contains(&most)),
        Line::new(
            what("`connectivity_changed` events"),
            format!(
                "{told}{}",
                if all > events as u64 { format!(" ({all} in all)") } else { said(&reasons) }
            ),
        )
        .target("≤ 2: away and back", all <= MOST_EVENTS as u64),
        Line::new(what("CPU in the 20 s after"), format!("{:.1} % of a core", window.percent()))
            .target("≤ 5 % of a core", window.percent() <= MOST_CPU),
    ])
}

fn said(reasons: &[&str]) -> String {
    if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join(", ")) }
}
