use std::time::Duration;

use tokio::time::sleep;

use crate::bench::failure::Outcome;
use crate::bench::numbers::{lateness, percentile, skipped};
use crate::bench::peers::{Kind, Peer};
use crate::bench::program::{Check, Config, Watching};
use crate::bench::report::Line;
use crate::bench::stage::Stage;

pub(super) const HOW: &str = "how late checks start is told from the history: a service is due on a grid of moments, \
    15 s apart, and its earliest start within its 15 s, over the whole window, is taken for the grid's; the others are late \
    by what they came after it. A service that is late by the same amount each time counts as on time. A check counts as \
    skipped where two of a service are more than 1.5 intervals apart. CPU stands beside that of the same number of \
    requests by a bare `reqwest` loop, measured before and after. MB are 10⁶ bytes.";

const SERVICES: usize = 10_000;
const EVERY: Duration = Duration::from_secs(15);
const EVERY_MS: i64 = 15_000;
const RATE: f64 = 10_000.0 / 15.0;
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

    let starts = watched.history.starts(window.from, window.until)?;
    let count: usize = starts.values().map(Vec::len).sum();
    let rate = count as f64 / window.seconds();
    let seen =
        starts.values().map(|s| skipped(s, window.from, window.until, EVERY_MS)).sum::<i64>();
    let unseen = i64::try_from(SERVICES - starts.len()).unwrap_or(0);
    let missing = seen + unseen * (window.until - window.from) / EVERY_MS;
    let late: Vec<i64> = starts.values().flat_map(|starts| lateness(starts, EVERY_MS)).collect();
    let p99 = percentile(&late, 99);
    let theirs = rate * reqwest / 1e4;
    let beyond = window.percent() - theirs;
    let growth = (after.resident - before.resident) / before.resident * 100.0;
    let what = |what: &str| format!("10,000 HTTP services every 15 s: {what}");
    Ok(vec![
        Line::new(what("results"), format!("{rate:.0} a second, {missing} skipped"))
            .target("667 a second, none skipped", missing == 0 && rate >= 0.99 * RATE),
        Line::new(
            what("how late they start"),
            format!("p99 {p99} ms, p50 {} ms", percentile(&late, 50)),
        )
        .target("p99 ≤ 250 ms", missing == 0 && p99 <= MOST_LATE_MS),
        Line::new(what("CPU"), format!("{:.1} % of a core", window.percent()))
            .target("≤ 15 % beyond bare reqwest", missing == 0 && beyond <= MOST_BEYOND)
            .beside(format!("reqwest {theirs:.1} %: {beyond:.1} % beyond")),
        Line::new(
            what("resident memory"),
            format!("{:.1} MB, {:.1} of it anonymous", after.resident, after.anonymous),
        )
        .target("≤ 160 MB", after.resident <= MOST_MB),
        Line::new(what("growth of it"), format!("{growth:+.1} % in {:.0} s", window.seconds()))
            .target("none (≤ 5 %)", growth <= MOST_GROWTH),
    ])
}

async fn reqwest_us(stage: &Stage) -> Outcome<f64> {
    let mut peer = Peer::start(stage, Kind::Reqwest, RATE, &stage.nginx.urls())?;
    sleep(stage.pace.seconds(4, 3)).await;
    let (window, count) = peer.window(stage.pace.seconds(15, 8)).await?;
    Ok(window.us_each(count))
}
