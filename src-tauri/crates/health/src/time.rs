use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A length of time in milliseconds. Negative when a clock was set back.
pub type Millis = i64;

/// A moment: milliseconds since the Unix epoch, UTC.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ts_rs::TS,
)]
#[serde(transparent)]
#[ts(type = "number", export_to = "bindings.ts")]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From epoch seconds, to the nearest millisecond.
    #[allow(clippy::cast_possible_truncation)] // `as` saturates, which is what a hostile input deserves
    pub fn from_seconds(seconds: f64) -> Self {
        Self((seconds * 1000.0).round() as i64)
    }

    /// Epoch seconds.
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Time from `earlier` to here; negative when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Millis {
        self.0.saturating_sub(earlier.0)
    }
}

/// A moment as both clocks tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The time of day; it may be set.
    pub wall: Timestamp,
    /// How long everything runs already: it only goes forward, and may stand
    /// still while the machine sleeps.
    pub running: Duration,
}

impl Add<Millis> for Timestamp {
    type Output = Self;
    fn add(self, ms: Millis) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

impl Sub<Millis> for Timestamp {
    type Output = Self;
    fn sub(self, ms: Millis) -> Self {
        Self(self.0.saturating_sub(ms))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        self + Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
    }
}

/// `value` to `digits` decimals, exact ties to even as the decimal expansion
/// has them (0.25 -> 0.2), so that reports agree to the digit.
pub fn round_to(value: f64, digits: usize) -> f64 {
    format!("{value:.digits$}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_as_the_decimals_say() {
        assert!((round_to(0.25, 1) - 0.2).abs() < f64::EPSILON);
        assert!((round_to(0.35, 1) - 0.3).abs() < f64::EPSILON);
        assert!((round_to(50.515_463_9, 4) - 50.5155).abs() < f64::EPSILON);
    }

    #[test]
    fn a_timestamp_survives_seconds() {
        let at = Timestamp::from_seconds(1_760_000_000.123);
        assert_eq!(at, Timestamp(1_760_000_000_123));
        assert!((at.as_seconds() - 1_760_000_000.123).abs() < 1e-6);
    }
}
