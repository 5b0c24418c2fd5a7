use std::time::Duration;

use tokio::time::sleep;

use crate::bench::failure::Outcome;
use crate::bench::program::{Check, Config, Watching};
use crate::bench::report::Line;
use crate::bench::stage::Stage;

pub(super) const HOW: &str = "wake-ups are the voluntary context switches of all threads, by the \
    checks of the window. MB are 10⁶ bytes.";

const SERVICES: usize = 100;
const EVERY: Duration = Duration::from_secs(30);
const MOST_WAKE_UPS: f64 = 3.0;
/// Percent of a core.
const MOST_CPU: f64 = 0.15;
const MOST_MB: f64 = 30.0;

/// What a Pilotlight costs that has little to do.
pub(super) async fn measure(stage: &Stage) -> Outcome<Vec<Line>> {
    let config = Config::fleet(stage, Check::Http, SERVICES, EVERY);
    let mut watching = Watching::start(stage, &config)?;
    sleep(stage.pace.seconds(35, 8)).await;
    let before = watching.process.wake_ups()?;
    let window = watching.process.window(stage.pace.seconds(120, 30)).await?;
    let wake_ups = watching.process.wake_ups()?.saturating_sub(before);
    let memory = watching.process.memory()?;
    let watched = watching.stop().await?;
    let checks = watched.history.count(window.from, window.until)?;
    let each = wake_ups as f64 / checks as f64;
    let what = |what: &str| format!("100 HTTP services every 30 s: {what}");
    let percent = window.percent();
    Ok(vec![
        Line::new(what("wake-ups"), format!("{each:.1} a check, {checks} checks"))
            .target("≤ 3 a check", each <= MOST_WAKE_UPS),
        Line::new(what("CPU"), format!("{percent:.3} % of a core"))
            .target("≤ 0.15 % of a core", percent <= MOST_CPU),
        Line::new(
            what("resident memory"),
            format!("{:.1} MB, {:.1} of it anonymous", memory.resident, memory.anonymous),
        )
        .target("≤ 30 MB", memory.resident <= MOST_MB),
    ])
}
