use std::collections::BTreeMap;
use std::time::Duration;

use super::cost::cost_of_checks;
use crate::bench::failure::Outcome;
use crate::bench::numbers::{median, spread};
use crate::bench::program::{Check, Config};
use crate::bench::report::Line;
use crate::bench::stage::{Pace, Stage};

pub(super) const HOW: &str = "HTTP services that are asked the less often the more there are, so \
    that the checks a second stay the same: 500 a second by 500 to 4,000 services, and 100 a second by \
    100 to 10,000. The smallest `every` is 1 s, so 250 services make 250 a second; they stand beside \
    the others and do not count, as what does not depend on the number of checks is shared by fewer. \
    Sizes are measured there and back again, and the mean counts.";

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

/// Sizes that make as many checks a second.
#[derive(Debug, Clone, Copy)]
struct Comparison {
    sizes: &'static [Size],
    rate: u32,
    /// How long each is measured at the full pace.
    seconds: u64,
}

/// What came of it.
#[derive(Debug, Default)]
struct Costs {
    us: BTreeMap<Size, Vec<f64>>,
    /// One size at least was not checked as often as it should be.
    is_short: bool,
}

/// The CPU of a check at several numbers of services.
pub(super) async fn measure(stage: &Stage) -> Outcome<Vec<Line>> {
    let (busy, calm) = stage.pace.pick((BUSY, CALM), (BUSY_QUICK, CALM_QUICK));
    let busy = Comparison { sizes: busy, rate: 500, seconds: 16 };
    let calm = Comparison { sizes: calm, rate: 100, seconds: 40 };
    Ok(vec![busy.measure(stage).await?, calm.measure(stage).await?])
}

impl Comparison {
    async fn measure(self, stage: &Stage) -> Outcome<Line> {
        let mut costs = Costs::default();
        for size in self.course(stage.pace) {
            self.add(stage, size, &mut costs).await?;
        }
        Ok(self.line(&costs))
    }

    /// There and back again, the last size once: a machine that becomes slower
    /// does so for all of them. At the quick pace only there.
    fn course(self, pace: Pace) -> Vec<Size> {
        let back = pace.pick(self.sizes, &[]).iter().rev().skip(1);
        self.sizes.iter().chain(back).copied().collect()
    }

    async fn add(self, stage: &Stage, size: Size, costs: &mut Costs) -> Outcome<()> {
        let (services, every) = size;
        let config = Config::fleet(stage, Check::Http, services, every);
        // All had their first check when one interval has passed.
        let settle = every + Duration::from_secs(4);
        let length = stage.pace.seconds(self.seconds, self.seconds / 2);
        let cost = cost_of_checks(stage, &config, settle, length).await?;
        let (us, rate) = (cost.us(), cost.rate());
        stage.say(&format!("  {services} services: {us:.0} µs a check, {rate:.0} a second"));
        costs.is_short |= rate < 0.95 * wanted(size);
        costs.us.entry(size).or_default().push(us);
        Ok(())
    }

    fn line(self, costs: &Costs) -> Line {
        let each: Vec<(Size, f64)> =
            costs.us.iter().map(|(size, us)| (*size, median(us))).collect();
        let at_rate = each.iter().filter(|(size, _)| wanted(*size) >= 0.99 * f64::from(self.rate));
        let ratio = spread(&at_rate.map(|(_, us)| *us).collect::<Vec<_>>());
        let texts: Vec<_> =
            each.iter().map(|((services, _), us)| format!("{services}: {us:.0}")).collect();
        let short =
            if costs.is_short { "; not all were checked as often as they should" } else { "" };
        let what = format!("one HTTP check, {} a second, by number of services", self.rate);
        Line::new(what, format!("{} µs{short}", texts.join(" · ")))
            .target("≤ 1.2 × from the cheapest to the dearest", !costs.is_short && ratio <= MOST)
            .beside(format!("{ratio:.2} ×"))
    }
}

/// The checks a second that a size should make.
fn wanted((services, every): Size) -> f64 {
    services as f64 / every.as_secs_f64()
}
