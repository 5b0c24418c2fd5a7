use std::time::Duration;

use tokio::time::sleep;

use crate::bench::failure::Outcome;
use crate::bench::history::History;
use crate::bench::numbers::{lateness, percentile, skipped};
use crate::bench::peers::{Kind, Peer};
use crate::bench::process::{Memory, Window};
use crate::bench::program::{Check, Config, Watching};
use crate::bench::report::Line;
use crate::bench::stage::Stage;

pub(super) const HOW: &str = "how late checks start is told from the history: a service is due on \
    a grid of moments, 15 s apart, and its earliest start within its 15 s, over the whole window, is \
    taken for the grid's; the others are late by what they came after it. A service that is late by \
    the same amount each time counts as on time. A check counts as skipped where two of a service are \
    more than 1.5 intervals apart; where any is, no target of these lines holds. CPU stands beside \
    that of the same number of requests by a bare `reqwest` loop, measured before and after. MB are \
    10⁶ bytes.";

const SERVICES: usize = 10_000;
const EVERY: Duration = Duration::from_secs(15);
const EVERY_MS: i64 = 15_000;
const RATE: f64 = 10_000.0 / 15.0;
/// Checks of a service that tell where its grid is.
const ENOUGH: usize = 3;
const MOST_LATE_MS: i64 = 250;
/// Percent of a core.
const MOST_BEYOND: f64 = 15.0;
const MOST_MB: f64 = 160.0;
/// Percent in a window: no growth, as far as an allocator can tell.
const MOST_GROWTH: f64 = 5.0;

/// 10,000 services: how many are checked, how late, at which price.
pub(super) async fn measure(stage: &Stage) -> Outcome<Vec<Line>> {
    let first = reqwest_us(stage).await?;
    let config = Config::fleet(stage, Check::Http, SERVICES, EVERY);
    let mut watching = Watching::start(stage, &config)?;
    sleep(EVERY + Duration::from_secs(6)).await;
    let before = watching.process.memory()?;
    let window = watching.process.window(stage.pace.seconds(90, 45)).await?;
    let after = watching.process.memory()?;
    let watched = watching.stop().await?;
    let reqwest = f64::midpoint(first, reqwest_us(stage).await?);

    let seen = Seen::of(&watched.history, &window)?;
    let theirs = seen.rate * reqwest / 1e4;
    let mut lines = vec![results(&seen), starts(&seen), price(&seen, &window, theirs)];
    lines.extend(memory(&seen, &window, [before, after]));
    Ok(lines)
}

/// What the history says of a window.
#[derive(Debug)]
struct Seen {
    /// Checks a second.
    rate: f64,
    missing: i64,
    /// How late each check started, of services that were checked often enough
    /// to tell.
    late: Vec<i64>,
}

impl Seen {
    fn of(history: &History, window: &Window) -> Outcome<Self> {
        let (from, until) = (window.from, window.until);
        let starts = history.starts(from, until)?;
        let count: usize = starts.values().map(Vec::len).sum();
        let unseen = i64::try_from(SERVICES - starts.len()).unwrap_or(0);
        let between: i64 = starts.values().map(|s| skipped(s, from, until, EVERY_MS)).sum();
        let often = starts.values().filter(|starts| starts.len() >= ENOUGH);
        Ok(Self {
            rate: count as f64 / window.seconds(),
            missing: between + unseen * (until - from) / EVERY_MS,
            late: often.flat_map(|starts| lateness(starts, EVERY_MS)).collect(),
        })
    }

    /// Only then do the other figures mean anything.
    const fn is_whole(&self) -> bool {
        self.missing == 0
    }
}

fn what(what: &str) -> String {
    format!("10,000 HTTP services every 15 s: {what}")
}

fn results(seen: &Seen) -> Line {
    let Seen { rate, missing, .. } = seen;
    Line::new(what("results"), format!("{rate:.0} a second, {missing} skipped"))
        .target("667 a second, none skipped", seen.is_whole() && *rate >= 0.99 * RATE)
}

fn starts(seen: &Seen) -> Line {
    let (p50, p99) = (percentile(&seen.late, 50), percentile(&seen.late, 99));
    let measured = if seen.late.is_empty() {
        format!("too few checks to tell: less than {ENOUGH} a service")
    } else {
        format!("p99 {p99} ms, p50 {p50} ms")
    };
    Line::new(what("how late they start"), measured)
        .target("p99 ≤ 250 ms", seen.is_whole() && p99 <= MOST_LATE_MS)
}

/// `theirs` is what as many bare requests cost, in percent of a core.
fn price(seen: &Seen, window: &Window, theirs: f64) -> Line {
    let beyond = window.percent() - theirs;
    Line::new(what("CPU"), format!("{:.1} % of a core", window.percent()))
        .target("≤ 15 % beyond bare reqwest", seen.is_whole() && beyond <= MOST_BEYOND)
        .beside(format!("reqwest {theirs:.1} %: {beyond:.1} % beyond"))
}

fn memory(seen: &Seen, window: &Window, [before, after]: [Memory; 2]) -> [Line; 2] {
    let Memory { resident, anonymous } = after;
    let growth = (resident - before.resident) / before.resident * 100.0;
    let measured = format!("{resident:.1} MB, {anonymous:.1} of it anonymous");
    [
        Line::new(what("resident memory"), measured)
            .target("≤ 160 MB", seen.is_whole() && resident <= MOST_MB),
        Line::new(what("growth of it"), format!("{growth:+.1} % in {:.0} s", window.seconds()))
            .target("none (≤ 5 %)", seen.is_whole() && growth <= MOST_GROWTH),
    ]
}

async fn reqwest_us(stage: &Stage) -> Outcome<f64> {
    let mut peer = Peer::start(stage, Kind::Reqwest, RATE, &stage.nginx.urls())?;
    sleep(stage.pace.seconds(4, 3)).await;
    let (window, count) = peer.window(stage.pace.seconds(15, 8)).await?;
    Ok(window.us_each(count))
}
