use std::time::Duration;

use crate::status::Status;
use crate::time::{Millis, Timestamp, round_to};

/// How many results had which status: uptime by checks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Healthy results.
    pub healthy: u64,
    /// Degraded results.
    pub degraded: u64,
    /// Unhealthy results.
    pub unhealthy: u64,
}

impl Counts {
    /// Counts one more result.
    pub fn add(&mut self, status: Status) {
        let count = match status {
            Status::Healthy => &mut self.healthy,
            Status::Degraded => &mut self.degraded,
            Status::Unhealthy => &mut self.unhealthy,
        };
        *count = count.saturating_add(1);
    }

    /// Adds everything `other` has counted.
    pub fn merge(&mut self, other: Self) {
        self.healthy = self.healthy.saturating_add(other.healthy);
        self.degraded = self.degraded.saturating_add(other.degraded);
        self.unhealthy = self.unhealthy.saturating_add(other.unhealthy);
    }

    /// All results.
    pub fn total(self) -> u64 {
        self.healthy.saturating_add(self.degraded).saturating_add(self.unhealthy)
    }

    /// Percentage of results that were healthy, to 4 digits; `None` without any.
    pub fn uptime_pct(self) -> Option<f64> {
        percentage(self.healthy as f64, self.total() as f64)
    }

    /// Percentage of results that were healthy or degraded, to 4 digits;
    /// `None` without any.
    pub fn availability_pct(self) -> Option<f64> {
        percentage(self.healthy.saturating_add(self.degraded) as f64, self.total() as f64)
    }
}

/// Observed time by status, in milliseconds: uptime by time. What was not
/// observed is in none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Time a healthy result held.
    pub healthy: Millis,
    /// Time a degraded result held.
    pub degraded: Millis,
    /// Time an unhealthy result held.
    pub unhealthy: Millis,
}

impl Spent {
    /// Adds time under one status; negative takes it back.
    pub fn add(&mut self, status: Status, ms: Millis) {
        let spent = match status {
            Status::Healthy => &mut self.healthy,
            Status::Degraded => &mut self.degraded,
            Status::Unhealthy => &mut self.unhealthy,
        };
        *spent = spent.saturating_add(ms);
    }

    /// Adds everything `other` has.
    pub fn merge(&mut self, other: Self) {
        self.add(Status::Healthy, other.healthy);
        self.add(Status::Degraded, other.degraded);
        self.add(Status::Unhealthy, other.unhealthy);
    }

    /// Time that was observed at all.
    pub fn observed_ms(self) -> Millis {
        self.healthy.saturating_add(self.degraded).saturating_add(self.unhealthy)
    }

    /// Percentage of the observed time without an outage, to 4 digits; `None`
    /// when nothing was observed.
    pub fn availability_pct(self) -> Option<f64> {
        let up = self.healthy.saturating_add(self.degraded);
        percentage(up as f64, self.observed_ms() as f64)
    }
}

fn percentage(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| round_to(part / whole * 100.0, 4))
}

/// How long a result speaks for its service when no other follows: 1.5 × the
/// time between checks + the timeout, at most 7 days. After that the service
/// is not observed (asleep, offline, paused, not running).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hold(Millis);

impl Hold {
    const LONGEST: Millis = 7 * 24 * 3_600_000;

    /// The hold of a service checked every `every` with this `timeout`.
    pub fn of(every: Duration, timeout: Duration) -> Self {
        let ms = every.as_millis().saturating_mul(3) / 2;
        let ms = ms.saturating_add(timeout.as_millis());
        Self::from_ms(Millis::try_from(ms).unwrap_or(Self::LONGEST))
    }

    /// As it was stored; clamped to 0 ... 7 days.
    pub fn from_ms(ms: Millis) -> Self {
        Self(ms.clamp(0, Self::LONGEST))
    }

    /// In milliseconds.
    pub const fn ms(self) -> Millis {
        self.0
    }

    /// Until when (exclusive) a result of `at` holds, followed by one at `next`.
    pub fn until(self, at: Timestamp, next: Timestamp) -> Timestamp {
        next.min(at + self.0).max(at)
    }
}

/// The share of time a service is promised to be available, in percent.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Objective(f64);

/// An objective held against the time that was observed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Availability {
    /// Percentage of the observed time without an outage; `None` without data.
    pub pct: Option<f64>,
    /// Time that was observed at all.
    pub observed_ms: Millis,
    /// Time under an unhealthy result.
    pub downtime_ms: Millis,
    /// Percentage of the allowed downtime not used up; negative when overspent.
    /// `None` without data, or when no downtime is allowed.
    pub error_budget_left_pct: Option<f64>,
    /// How many times faster than allowed the budget is spent: 1 uses it up
    /// exactly. `None` as above.
    pub burn_rate: Option<f64>,
}

impl Default for Objective {
    fn default() -> Self {
        Self(99.9)
    }
}

impl Objective {
    /// `None` unless above 0 and at most 100.
    pub fn new(target_pct: f64) -> Option<Self> {
        (target_pct > 0.0 && target_pct <= 100.0).then_some(Self(target_pct))
    }

    /// The target in percent.
    pub const fn target_pct(self) -> f64 {
        self.0
    }

    /// By checks: the availability, as reported to 4 digits, reaches the
    /// target. `None` without data.
    pub fn met_by(self, counts: Counts) -> Option<bool> {
        counts.availability_pct().map(|pct| pct >= self.0)
    }

    /// By time. The allowed share of downtime is 1 - target; burn rate = share
    /// of downtime / allowed share, and what is left of the budget is
    /// 1 - burn rate (Site Reliability Workbook, chapter 5).
    pub fn judge(self, spent: Spent) -> Availability {
        let observed_ms = spent.observed_ms();
        let downtime_ms = spent.unhealthy;
        let allowed = (100.0 - self.0) / 100.0;
        let burn_rate = (observed_ms > 0 && allowed > 0.0)
            .then(|| downtime_ms as f64 / observed_ms as f64 / allowed);
        Availability {
            pct: spent.availability_pct(),
            observed_ms,
            downtime_ms,
            error_budget_left_pct: burn_rate.map(|rate| round_to((1.0 - rate) * 100.0, 4)),
            burn_rate: burn_rate.map(|rate| round_to(rate, 4)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Millis = 60_000;
    const DAY: Millis = 24 * 60 * MINUTE;

    #[test]
    fn by_checks_to_four_digits() {
        let counts = Counts { healthy: 196, degraded: 120, unhealthy: 72 };
        assert_eq!(counts.uptime_pct(), Some(50.5155));
        assert_eq!(counts.availability_pct(), Some(81.4433));
        assert_eq!(Objective::default().met_by(counts), Some(false));
    }

    #[test]
    fn no_data_is_neither_good_nor_bad() {
        assert_eq!(Counts::default().uptime_pct(), None);
        assert_eq!(Objective::default().met_by(Counts::default()), None);
        let nothing = Objective::default().judge(Spent::default());
        assert_eq!(nothing.pct, None);
        assert_eq!((nothing.error_budget_left_pct, nothing.burn_rate), (None, None));
    }

    #[test]
    fn half_the_budget_used_burns_at_half_the_rate() {
        let down = 30 * DAY / 2000;
        let spent = Spent { healthy: 30 * DAY - down, degraded: 0, unhealthy: down };
        let found = Objective::default().judge(spent);
        assert_eq!(found.pct, Some(99.95));
        assert_eq!((found.error_budget_left_pct, found.burn_rate), (Some(50.0), Some(0.5)));
    }

    #[test]
    fn an_overspent_budget_is_negative_and_none_is_no_budget() {
        let spent = Spent { healthy: 98 * MINUTE, degraded: 0, unhealthy: 2 * MINUTE };
        let objective = Objective::new(99.0).unwrap_or_default();
        assert_eq!(objective.judge(spent).error_budget_left_pct, Some(-100.0));
        let perfection = Objective::new(100.0).unwrap_or_default();
        assert_eq!(perfection.judge(spent).burn_rate, None);
        for bad in [0.0, -1.0, 100.1, f64::NAN] {
            assert_eq!(Objective::new(bad), None);
        }
    }

    #[test]
    fn degraded_time_is_available() {
        let spent = Spent { healthy: MINUTE, degraded: MINUTE, unhealthy: 0 };
        assert_eq!(spent.availability_pct(), Some(100.0));
    }

    #[test]
    fn a_result_holds_until_the_next_or_its_hold() {
        let hold = Hold::of(Duration::from_secs(30), Duration::from_secs(3));
        assert_eq!(hold.ms(), 48_000);
        assert_eq!(hold.until(Timestamp(0), Timestamp(30_000)), Timestamp(30_000));
        assert_eq!(hold.until(Timestamp(0), Timestamp(90_000)), Timestamp(48_000));
        assert_eq!(hold.until(Timestamp(0), Timestamp(-5)), Timestamp(0));
        assert_eq!(Hold::of(Duration::MAX, Duration::MAX).ms(), 7 * DAY);
    }

    proptest! {
        #[test]
        fn percentages_stay_percentages(healthy in 0..1_000_000_u64, degraded in 0..1000_u64, unhealthy in 0..1000_u64) {
            let counts = Counts { healthy, degraded, unhealthy };
            if let (Some(up), Some(available)) = (counts.uptime_pct(), counts.availability_pct()) {
                prop_assert!(0.0 <= up && up <= available && available <= 100.0);
            }
        }

        #[test]
        fn budget_left_and_burn_rate_agree(up in 0..30 * DAY, down in 0..DAY, target in 50.0..99.99_f64) {
            let Some(objective) = Objective::new(target) else { return Ok(()) };
            let found = objective.judge(Spent { healthy: up, degraded: 0, unhealthy: down });
            if let (Some(left), Some(rate)) = (found.error_budget_left_pct, found.burn_rate) {
                prop_assert!((left - (1.0 - rate) * 100.0).abs() < 0.01);
                prop_assert_eq!(left < 0.0, down as f64 / (up + down) as f64 > (100.0 - target) / 100.0);
            }
        }

        #[test]
        fn segments_never_overlap(at in 0..DAY, step in 0..DAY, hold in -DAY..DAY) {
            let until = Hold::from_ms(hold).until(Timestamp(at), Timestamp(at + step));
            prop_assert!(Timestamp(at) <= until && until <= Timestamp(at + step));
        }
    }
}
