use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use health::ServiceId;

/// How many checks may be under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In all.
    pub in_flight: usize,
    /// Of one host.
    pub per_host: usize,
}

impl From<&config::Settings> for Limits {
    fn from(settings: &config::Settings) -> Self {
        let at_least_one = |n: u32| usize::try_from(n).unwrap_or(usize::MAX).max(1);
        Self {
            in_flight: at_least_one(settings.max_in_flight),
            per_host: at_least_one(settings.max_per_host),
        }
    }
}

/// Who is being checked and who waits for a turn, within the [`Limits`]: a lane
/// for each host, first come, first served; hosts take turns.
#[derive(Debug)]
pub(crate) struct Lanes {
    limits: Limits,
    running: usize,
    of_host: HashMap<Arc<str>, Lane>,
    /// Hosts where somebody waits and there is room.
    ready: VecDeque<Arc<str>>,
}

#[derive(Debug, Default)]
struct Lane {
    running: usize,
    waiting: VecDeque<ServiceId>,
    is_ready: bool,
}

impl Lanes {
    pub fn new(limits: Limits) -> Self {
        Self { limits, running: 0, of_host: HashMap::new(), ready: VecDeque::new() }
    }

    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.of_host.retain(|_, lane| lane.running > 0 || !lane.waiting.is_empty());
        let hosts: Vec<_> = self.of_host.keys().cloned().collect();
        for host in &hosts {
            self.make_ready(host);
        }
    }

    /// Waits for its turn.
    pub fn enter(&mut self, host: &Arc<str>, id: ServiceId) {
        if let Some(lane) = self.of_host.get_mut(host) {
            lane.waiting.push_back(id);
        } else {
            let lane = Lane { waiting: VecDeque::from([id]), ..Lane::default() };
            self.of_host.insert(host.clone(), lane);
        }
        self.make_ready(host);
    }

    /// Waits no longer.
    pub fn withdraw(&mut self, host: &Arc<str>, id: &ServiceId) {
        if let Some(lane) = self.of_host.get_mut(host) {
            lane.waiting.retain(|waiting| waiting != id);
        }
    }

    /// One of the host's is no longer under way.
    pub fn leave(&mut self, host: &Arc<str>) {
        if let Some(lane) = self.of_host.get_mut(host) {
            lane.running = lane.running.saturating_sub(1);
            self.running = self.running.saturating_sub(1);
        }
        self.make_ready(host);
    }

    /// Nobody is under way or waits any more.
    pub fn clear(&mut self) {
        *self = Self::new(self.limits);
    }

    /// Who may start now; under way from then on.
    pub fn next(&mut self) -> Option<ServiceId> {
        while self.running < self.limits.in_flight {
            let host = self.ready.pop_front()?;
            let Some(lane) = self.of_host.get_mut(&host) else { continue };
            lane.is_ready = false;
            let Some(id) = lane.waiting.pop_front() else { continue };
            lane.running += 1;
            self.running += 1;
            self.make_ready(&host);
            return Some(id);
        }
        None
    }

    fn make_ready(&mut self, host: &Arc<str>) {
        if let Some(lane) = self.of_host.get_mut(host)
            && !lane.is_ready
            && !lane.waiting.is_empty()
            && lane.running < self.limits.per_host
        {
            lane.is_ready = true;
            self.ready.push_back(host.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(in_flight: usize, per_host: usize, waiting: &[(&str, &str)]) -> Lanes {
        let mut lanes = Lanes::new(Limits { in_flight, per_host });
        for (host, id) in waiting {
            lanes.enter(&Arc::from(*host), ServiceId::new(id).expect("a valid id"));
        }
        lanes
    }

    fn started(lanes: &mut Lanes) -> Vec<String> {
        std::iter::from_fn(|| lanes.next()).map(String::from).collect()
    }

    #[test]
    fn a_slow_host_holds_up_nobody_else() {
        let waiting = [("x", "x1"), ("x", "x2"), ("x", "x3"), ("y", "y1"), ("y", "y2")];
        let mut lanes = lanes(4, 2, &waiting);
        assert_eq!(started(&mut lanes), ["x1", "y1", "x2", "y2"]);
        lanes.leave(&Arc::from("y"));
        assert_eq!(started(&mut lanes), [] as [&str; 0], "x has its two");
        lanes.leave(&Arc::from("x"));
        assert_eq!(started(&mut lanes), ["x3"]);
    }

    #[test]
    fn who_withdraws_is_not_started_and_more_room_starts_more() {
        let mut lanes = lanes(1, 1, &[("x", "x1"), ("x", "x2"), ("y", "y1")]);
        assert_eq!(started(&mut lanes), ["x1"]);
        lanes.withdraw(&Arc::from("y"), &ServiceId::new("y1").expect("a valid id"));
        lanes.set_limits(Limits { in_flight: 9, per_host: 2 });
        assert_eq!(started(&mut lanes), ["x2"]);
        lanes.clear();
        assert_eq!(started(&mut lanes), [] as [&str; 0]);
    }
}
