use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::sleep;

use crate::bench::failure::Outcome;
use crate::bench::process::now;
use crate::bench::program::{Check, Config, Event, Watching};
use crate::bench::report::Line;
use crate::bench::stage::Stage;

pub(super) const HOW: &str = "20 HTTP services every 1 s; the process is sent SIGSTOP, and SIGCONT \
    40 s later, as in a suspended machine or under a debugger. Events are counted from then on.";

const SERVICES: usize = 20;
const EVERY: Duration = Duration::from_secs(1);
/// As long as nothing runs.
const STOPPED: Duration = Duration::from_secs(40);
/// What a service may be checked in the 10 s after, and what it has to be.
const CHECKS: std::ops::RangeInclusive<usize> = 8..=12;
/// That it was away, and that it is back.
const MOST_EVENTS: u64 = 2;
const CHANGED: &str = "connectivity_changed";
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
    let (before, after): (Vec<&Event>, Vec<&Event>) =
        watched.events.of(CHANGED).partition(|event| event.read_at < resumed);
    let events = watched.events.count(CHANGED) - before.len() as u64;
    let reasons: Vec<&str> = after.iter().take(2).map(|event| event.text("reason")).collect();
    let what = |what: &str| format!("stopped for 40 s, 20 services every 1 s: {what}");
    Ok(vec![
        Line::new(
            what("checks in the 10 s after"),
            format!("{results}, {first}; {least} to {most} a service"),
        )
        .target("8 to 12 a service, no burst", CHECKS.contains(&least) && CHECKS.contains(&most)),
        Line::new(what("`connectivity_changed` events"), told(events, &reasons))
            .target("≤ 2: away and back", events <= MOST_EVENTS),
        Line::new(what("CPU in the 20 s after"), format!("{:.1} % of a core", window.percent()))
            .target("≤ 5 % of a core", window.percent() <= MOST_CPU),
    ])
}

fn told(events: u64, reasons: &[&str]) -> String {
    if reasons.is_empty() {
        events.to_string()
    } else {
        format!("{events}: {}", reasons.join(", "))
    }
}
