use std::time::Duration;

use health::{Millis, Timestamp};
use tokio::time::Instant;

use crate::reach::Reach;

/// What this machine can observe: results beyond it say nothing about their
/// service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Everything.
    Clear,
    /// The local network, but not the internet.
    NoInternet,
    /// Only this machine.
    NoNetwork,
    /// Nothing, until the network has had time to come back after a sleep.
    JustWoke,
    /// Nothing: the machine is about to sleep.
    Asleep,
}

impl Sight {
    /// Failures of a target that far away mean nothing now.
    pub fn hides(self, reach: Reach) -> bool {
        match self {
            Self::Clear => false,
            Self::NoInternet => reach == Reach::Public,
            Self::NoNetwork => reach != Reach::Loopback,
            Self::JustWoke | Self::Asleep => true,
        }
    }

    /// A check of a target that far away is not worth starting. Where only the
    /// internet does not answer it is: an answer of the target itself proves
    /// that it is the connectivity targets that are blocked here.
    pub fn blocks(self, reach: Reach) -> bool {
        self != Self::NoInternet && self.hides(reach)
    }

    /// Why, for people; `None` when nothing is hidden.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Clear => None,
            Self::NoInternet => Some("the internet does not answer"),
            Self::NoNetwork => Some("no network"),
            Self::JustWoke => Some("just woke from sleep"),
            Self::Asleep => Some("going to sleep"),
        }
    }
}

/// The wall clock may run this much ahead of the monotonic one before that
/// means the machine slept; time servers correct less than that.
const SLEPT: Millis = 5_000;
/// Where the monotonic clock goes on in sleep (Windows), a wake-up this late
/// means the same.
const OVERSLEPT: Duration = Duration::from_secs(30);

/// Tells from the clocks whether the machine slept since the last look.
#[derive(Debug)]
pub(crate) struct SleepWatch {
    wall: Timestamp,
    monotonic: Instant,
}

impl SleepWatch {
    pub fn new(wall: Timestamp, monotonic: Instant) -> Self {
        Self { wall, monotonic }
    }

    /// Looks again. `planned` is when the caller meant to look at the latest.
    pub fn slept(&mut self, wall: Timestamp, monotonic: Instant, planned: Option<Instant>) -> bool {
        let passed = monotonic.saturating_duration_since(self.monotonic);
        let ahead = wall.since(self.wall + passed);
        let overslept = planned.is_some_and(|at| monotonic > at + OVERSLEPT);
        *self = Self::new(wall, monotonic);
        ahead > SLEPT || overslept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_ran_ahead_means_sleep_and_one_set_back_does_not() {
        let start = Instant::now();
        let mut watch = SleepWatch::new(Timestamp(0), start);
        let at = |s: u64| start + Duration::from_secs(s);
        assert!(!watch.slept(Timestamp(10_000), at(10), Some(at(10))));
        assert!(watch.slept(Timestamp(3_610_000), at(11), Some(at(20))));
        assert!(!watch.slept(Timestamp(10_000), at(12), Some(at(20))));
        assert!(!watch.slept(Timestamp(14_000), at(13), None), "a correction by 3 s");
        assert!(watch.slept(Timestamp(54_000), at(53), Some(at(20))), "33 s late");
    }
}
