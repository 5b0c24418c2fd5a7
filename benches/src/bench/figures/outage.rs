use std::time::Duration;

use tokio::time::sleep;

use crate::bench::failure::Outcome;
use crate::bench::numbers::longest_gap;
use crate::bench::process::{Window, now};
use crate::bench::program::{Check, Config, Event, Watched, Watching};
use crate::bench::report::Line;
use crate::bench::site::Site;
use crate::bench::stage::Stage;

pub(super) const HOW: &str = "HTTP services against a server of the benchmark's own: the root on \
    one port, its 2,000 dependants on another. Both are closed for a minute and opened again. When \
    something was told is when its line came out of `run --json`. CPU is that of the minute before, \
    the minute of the outage and the minute after it.";

const DEPENDANTS: usize = 2_000;
const ROOT: &str = "root";
const EVERY: Duration = Duration::from_secs(5);
const RATE: f64 = 2_001.0 / 5.0;
/// Confirmed by two more failures, 5 s apart.
const MOST_TO_TELL: f64 = 11.0;
const MOST_TO_RECOVER: f64 = 15.0;
/// Of the calm minute's.
const MOST_CPU: f64 = 2.0;
/// Beyond 1.5 intervals the record of a service has a gap.
const LONGEST_GAP: f64 = 7.5;

/// The three parts of it, and the moments between them.
#[derive(Debug)]
struct Course {
    calm: Window,
    down: Window,
    after: Window,
    killed: i64,
    back: i64,
}

/// An outage of 2,000 services with one cause.
pub(super) async fn measure(stage: &Stage) -> Outcome<Vec<Line>> {
    let mut site = Site::open().await?;
    let mut watching = Watching::start_with_events(stage, &config(&site))?;
    sleep(EVERY * 2 + Duration::from_secs(2)).await;
    let minute = stage.pace.seconds(60, 30);
    let calm = watching.process.window(minute).await?;
    site.take_down().await;
    let killed = now();
    stage.say("  down");
    let down = watching.process.window(minute).await?;
    site.bring_up().await?;
    let back = now();
    stage.say("  up again");
    let after = watching.process.window(minute).await?;
    let watched = watching.stop().await?;
    let course = Course { calm, down, after, killed, back };
    let mut lines = announcements(&watched, &course);
    lines.extend(prices(&watched, &course)?);
    lines.extend([unchecked(&watched, &course)?, losses(&watched)?]);
    Ok(lines)
}

fn config(site: &Site) -> Config {
    let [root, dependants] = site.ports();
    let mut config = Config::new();
    config.service(ROOT, Check::Http, root, EVERY, None);
    for n in 0..DEPENDANTS {
        config.service(&format!("d{n}"), Check::Http, dependants, EVERY, Some(ROOT));
    }
    config
}

fn what(what: &str) -> String {
    format!("outage of 2,001 services every 5 s: {what}")
}

fn announcements(watched: &Watched, course: &Course) -> Vec<Line> {
    let told: Vec<&Event> = watched.events.of("announced").collect();
    let (before, after): (Vec<&Event>, Vec<&Event>) =
        told.into_iter().partition(|event| event.read_at < course.back);
    let opened = watched.events.first("incident_opened", ROOT).ok();
    let affected = opened.and_then(|event| event.value["affected"].as_array()).map_or(0, Vec::len);
    vec![
        announced(&before, affected),
        told_within(&before, opened, course),
        recovered(&after, course),
    ]
}

fn announced(told: &[&Event], affected: usize) -> Line {
    let names_root = told.first().is_some_and(|event| event.text("service") == ROOT);
    let words = told.first().map_or_else(
        || "nothing".to_owned(),
        |event| format!("\"{}: {}\"", event.text("title"), event.text("body")),
    );
    let measured = format!("{}: {words}; the incident's `affected` has {affected}", told.len());
    Line::new(what("announcements"), measured).target(
        "1, of the root, affected 2,000",
        told.len() == 1 && names_root && affected == DEPENDANTS,
    )
}

fn told_within(told: &[&Event], opened: Option<&Event>, course: &Course) -> Line {
    let line = what("time to the announcement");
    let Some(event) = told.first() else { return Line::new(line, "never").target(TO_TELL, false) };
    let from = |moment: i64| (event.read_at - moment) as f64 / 1e3;
    let since_failure = opened.and_then(|event| event.moment("started_at")).map(from);
    let first =
        since_failure.map_or_else(String::new, |s| format!("{s:.1} s after its first failure, "));
    Line::new(line, format!("{first}{:.1} s after the kill", from(course.killed)))
        .target(TO_TELL, since_failure.is_some_and(|seconds| seconds <= MOST_TO_TELL))
}

const TO_TELL: &str = "≤ 11 s from the first failure, as for one service";

fn recovered(told: &[&Event], course: &Course) -> Line {
    let line = what("time from back up to the recovery's announcement");
    let target = "≤ 15 s, 1 announcement";
    let Some(event) = told.first() else { return Line::new(line, "never").target(target, false) };
    let seconds = (event.read_at - course.back) as f64 / 1e3;
    let measured = format!("{seconds:.1} s, {} announced: \"{}\"", told.len(), event.text("title"));
    let holds = told.len() == 1 && event.text("service") == ROOT && seconds <= MOST_TO_RECOVER;
    Line::new(line, measured).target(target, holds)
}

/// The CPU of the outage and after it, beside the calm minute. A minute in
/// which checks were left out cannot be compared: what is not done is cheap.
fn prices(watched: &Watched, course: &Course) -> Outcome<[Line; 2]> {
    let rate = |window: &Window| -> Outcome<f64> {
        Ok(watched.history.count(window.from, window.until)? as f64 / window.seconds())
    };
    let (calm, calm_rate) = (course.calm.percent(), rate(&course.calm)?);
    let price = |part: &str, window: &Window| -> Outcome<Line> {
        let (percent, rate) = (window.percent(), rate(window)?);
        let ratio = percent / calm;
        let all_done = [calm_rate, rate].iter().all(|rate| *rate >= 0.97 * RATE);
        Ok(Line::new(what(part), format!("{percent:.1} % of a core at {rate:.0} checks/s"))
            .target("≤ 2 × the calm minute, all 400 checks/s", all_done && ratio <= MOST_CPU)
            .beside(format!("calm {calm:.1} % at {calm_rate:.0} checks/s: {ratio:.2} ×")))
    };
    Ok([
        price("CPU of its minute", &course.down)?,
        price("CPU of the minute after", &course.after)?,
    ])
}

/// The longest time that a service went unchecked since the kill.
fn unchecked(watched: &Watched, course: &Course) -> Outcome<Line> {
    let (from, until) = (course.killed, course.after.until);
    let starts = watched.history.starts(from, until)?;
    let all_there = starts.len() == DEPENDANTS + 1;
    let longest = starts.values().map(|starts| longest_gap(starts, from, until)).max().unwrap_or(0);
    let longest = if all_there { longest } else { until - from } as f64 / 1e3;
    Ok(Line::new(what("longest time a service went unchecked"), format!("{longest:.1} s"))
        .target("≤ 7.5 s", longest <= LONGEST_GAP))
}

/// Every incident opened once and resolved once, on paper and in the events.
fn losses(watched: &Watched) -> Outcome<Line> {
    let recorded = watched.history.incidents()?;
    let opened = watched.events.count("incident_opened");
    let resolved = watched.events.count("incident_resolved");
    let complained = watched.last_words.contains("not printed");
    let measured = format!(
        "{opened} opened and {resolved} resolved in the events, {} and {} in the history",
        recorded.opened, recorded.resolved
    );
    let all = DEPENDANTS as u64 + 1;
    let holds = [opened, resolved, recorded.opened, recorded.resolved] == [all; 4] && !complained;
    let measured = if complained { measured + "; events were not printed" } else { measured };
    Ok(Line::new(what("incidents"), measured).target("2,001 each, none lost", holds))
}
