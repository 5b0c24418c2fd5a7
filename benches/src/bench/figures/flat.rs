use std::collections::BTreeMap;
use std::time::Duration;

use super::cost::cost_of_checks;
use crate::bench::failure::Outcome;
use crate::bench::numbers::{median, spread};
use crate::bench::program::{Check, Config};
use crate::bench::report::Line;
use crate::bench::stage::Stage;

pub(super) const HOW: &str = "HTTP services that are asked the less often the more there are, so that the checks a \
    second stay the same: 500 a second by 500 to 4,000 services, and 100 a second by 100 to 10,000. The smallest `every` \
    is 1 s, so 250 services make 250 a second; they stand beside the others and do not count, as what does not depend on \
    the number of checks is shared by fewer. Sizes are measured there and back again, and the mean counts.";

/// How much more a check may cost at one size than at another.
const MOST: f64 = 1.2;

/// So many services, asked every so often.
type Size = (usize, Duration);

const fn size(services: usize, seconds: u64) -> Size {
    (services, Duration::from_secs(seconds))
}

/// 500 checks a second, but for the first.
const BUSY: &[Size] = &[size(250, 1), size(500, 1), size(1_000, 2), size(2_000, 4), size(4_000, 8)];
const BUSY_QUICK: &[Size] = &[size(500, 1), size(1_000, 2), size(4_000, 8)];
/// 100 checks a second.
const CALM: &[Size] = &[size(100, 1), size(1_000, 10), size(10_000, 100)];
const CALM_QUICK: &[Size] = &[size(100, 1), size(1_000, 10), size(3_000, 30)];

/// The CPU of a check at several numbers of services.
pub(super) async fn measure(stage: &Stage) -> Outcome<Vec<Line>> {
    let (busy, calm) = stage.pace.pick((BUSY, CALM), (BUSY_QUICK, CALM_QUICK));
    Ok(vec![
        compared(stage, busy, 500.0, "one HTTP check, 500 a second", 16).await?,
        compared(stage, calm, 100.0, "one HTTP check, 100 a second", 40).await?,
    ])
}

async fn compared(
    stage: &Stage,
    sizes: &[Size],
    rate: f64,
    what: &str,
    seconds: u64,
) -> Outcome<Line> {
    let mut costs: BTreeMap<Size, Vec<f64>> = BTreeMap::new();
    let mut there_and_back: Vec<Size> = sizes.to_vec();
    if stage.pace.pick(true, false) {
        there_and_back.extend(sizes.iter().rev().skip(1));
    }
    let mut reached = true;
    for (services, every) in there_and_back {
        let config = Config::fleet(stage, Check::Http, services, every);
        // All had their first check when one interval has passed.
        let settle = every + Duration::from_secs(4);
        let length = stage.pace.seconds(seconds, seconds / 2);
        let cost = cost_of_checks(stage, &config, settle, length).await?;
        let (us, per_second) = (cost.us(), cost.rate());
        stage.say(&format!("  {services} services: {us:.0} µs a check, {per_second:.0} a second"));
        reached &= per_second >= 0.95 * services as f64 / every.as_secs_f64();
        costs.entry((services, every)).or_default().push(us);
    }
    let each: Vec<(Size, f64)> =
        costs.into_iter().map(|(size, costs)| (size, median(&costs))).collect();
    let full_rate = |size: Size| size.0 as f64 / size.1.as_secs_f64() >= rate * 0.99;
    let counted: Vec<f64> =
        each.iter().filter(|(size, _)| full_rate(*size)).map(|(_, us)| *us).collect();
    let texts: Vec<String> =
        each.iter().map(|((services, _), us)| format!("{services}: {us:.0}")).collect();
    let short = if reached { "" } else { "; not all were checked as often as they should" };
    let ratio = spread(&counted);
    Ok(Line::new(
        format!("{what}, by number of services"),
        format!("{} µs{short}", texts.join(" · ")),
    )
    .target("≤ 1.2 × from the cheapest to the dearest", reached && ratio <= MOST)
    .beside(format!("{ratio:.2} ×")))
}
