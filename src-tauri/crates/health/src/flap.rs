use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

use crate::status::Status;

/// The plain flap filter: the stable status changes only after `stable_count`
/// equal raw results in a row; before the first such run it shows the raw one.
#[derive(Debug, Clone)]
pub struct FlapDetector {
    stable_count: u32,
    run: Option<(Status, u32)>,
    stable: Option<Status>,
}

impl FlapDetector {
    /// `stable_count` below 1 counts as 1.
    pub fn new(stable_count: u32) -> Self {
        Self { stable_count: stable_count.max(1), run: None, stable: None }
    }

    /// Takes the next raw status and returns what is shown after it.
    pub fn observe(&mut self, raw: Status) -> Status {
        let length = match self.run {
            Some((status, length)) if status == raw => length.saturating_add(1),
            _ => 1,
        };
        self.run = Some((raw, length));
        if length >= self.stable_count {
            self.stable = Some(raw);
        }
        self.stable.unwrap_or(raw)
    }
}

/// Raw results looked at to tell whether a service flaps.
const WINDOW: usize = 21;
/// Weight of the oldest and of the newest change in the window.
const WEIGHTS: (f64, f64) = (0.8, 1.2);
/// Shares of weighted changes at which flapping starts and stops.
const STARTS_ABOVE: f64 = 0.50;
const STOPS_BELOW: f64 = 0.25;

/// Whether a service changes its status too often for single changes to mean
/// anything: the weighted share of changes among the last 21 raw results,
/// newer ones weighing more (as Nagios does). Starts above 50 %, stops below
/// 25 %. A window not yet full counts its missing results as unchanged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Flapping {
    recent: VecDeque<Status>,
    active: bool,
}

impl Flapping {
    /// Takes the next raw status; `Some` when flapping started (true) or
    /// stopped (false) with it.
    pub fn observe(&mut self, raw: Status) -> Option<bool> {
        self.recent.push_back(raw);
        if self.recent.len() > WINDOW {
            self.recent.pop_front();
        }
        let share = self.share();
        let active = if self.active { share >= STOPS_BELOW } else { share > STARTS_ABOVE };
        let changed = active != self.active;
        self.active = active;
        changed.then_some(active)
    }

    /// The service is flapping.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// Status changes within the window.
    pub fn changes(&self) -> usize {
        self.steps().filter(|(_, changed)| *changed).count()
    }

    /// Weighted share of changes, 0 to 1.
    fn share(&self) -> f64 {
        let slots = (WINDOW - 1) as f64;
        let (oldest, newest) = WEIGHTS;
        let weight = |slot: usize| oldest + (newest - oldest) * slot as f64 / (slots - 1.0);
        self.steps().filter(|(_, changed)| *changed).map(|(slot, _)| weight(slot)).sum::<f64>()
            / slots
    }

    /// Each step from one result to the next, the newest in the last slot.
    fn steps(&self) -> impl Iterator<Item = (usize, bool)> + '_ {
        let offset = WINDOW - self.recent.len();
        self.recent
            .iter()
            .zip(self.recent.iter().skip(1))
            .enumerate()
            .map(move |(i, (a, b))| (offset + i, a != b))
    }
}

#[cfg(test)]
mod tests {
    use super::Status::{Healthy, Unhealthy};
    use super::*;

    #[test]
    fn alternating_flaps_and_calm_ends_it() {
        let mut flapping = Flapping::default();
        let mut started = None;
        for i in 0..30 {
            let raw = if i % 2 == 0 { Healthy } else { Unhealthy };
            if flapping.observe(raw) == Some(true) {
                started.get_or_insert(i);
            }
        }
        // 9 changes in the newest 9 slots weigh 10.04 of 20, 8 weigh 9.01.
        assert_eq!(started, Some(9));
        let mut calm = 0;
        while flapping.is_active() {
            flapping.observe(Healthy);
            calm += 1;
        }
        assert!((10..=20).contains(&calm), "took {calm} calm results");
    }

    #[test]
    fn one_outage_is_no_flapping() {
        let mut flapping = Flapping::default();
        for i in 0..60 {
            let raw = if (20..40).contains(&i) { Unhealthy } else { Healthy };
            assert_eq!(flapping.observe(raw), None);
        }
    }
}
