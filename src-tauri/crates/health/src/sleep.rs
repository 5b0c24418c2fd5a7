use std::time::Duration;

use crate::time::{Millis, Moment};

/// The wall clock may run this much ahead of the monotonic one before that
/// means the machine slept; time servers correct less than that.
const RAN_AHEAD: Millis = 5_000;
/// Who looks this much later than promised was not running meanwhile.
const LATE: Duration = Duration::from_secs(30);

/// A stretch of time in which nothing could be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// The machine slept.
    Slept,
    /// It did not, but this process was stopped: by a debugger, a signal, a
    /// machine around this one.
    Stopped,
}

/// Tells from the clocks whether there was a [`Gap`] since the last look.
///
/// 1. The wall clock ran ahead of the monotonic one by more than 5 s: slept.
/// 2. The look came more than 30 s after what was promised at the last one:
///    stopped; slept where the monotonic clock goes on in sleep (Windows).
/// 3. Each look starts afresh: no gap is told twice.
#[derive(Debug, Clone)]
pub struct SleepWatch {
    last: Moment,
    promised: Duration,
    clock_stops_in_sleep: bool,
}

impl SleepWatch {
    /// From `now` on; whether this machine's monotonic clock stops in sleep.
    pub fn new(now: Moment, clock_stops_in_sleep: bool) -> Self {
        Self { last: now, promised: now.running, clock_stops_in_sleep }
    }

    /// The next look comes by then.
    pub fn promise(&mut self, by: Duration) {
        self.promised = by;
    }

    /// Looks again.
    pub fn look(&mut self, now: Moment) -> Option<Gap> {
        let passed = now.running.saturating_sub(self.last.running);
        let ahead = now.wall.since(self.last.wall + passed);
        let promised = self.promised.max(self.last.running);
        let late = now.running > promised + LATE;
        self.last = now;
        self.promised = now.running;
        let slept = ahead > RAN_AHEAD || (late && !self.clock_stops_in_sleep);
        match (slept, late) {
            (true, _) => Some(Gap::Slept),
            (false, true) => Some(Gap::Stopped),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn at(wall: i64, running: u64) -> Moment {
        Moment { wall: Timestamp(wall * 1000), running: Duration::from_secs(running) }
    }

    #[test]
    fn a_wall_clock_that_ran_ahead_means_sleep_and_one_set_back_does_not() {
        let mut watch = SleepWatch::new(at(0, 0), true);
        assert_eq!(watch.look(at(10, 10)), None);
        assert_eq!(watch.look(at(3610, 11)), Some(Gap::Slept));
        assert_eq!(watch.look(at(10, 12)), None);
        assert_eq!(watch.look(at(14, 13)), None, "a correction by 3 s");
    }

    #[test]
    fn who_was_stopped_is_told_once() {
        for (clock_stops_in_sleep, gap) in [(true, Gap::Stopped), (false, Gap::Slept)] {
            let mut watch = SleepWatch::new(at(0, 0), clock_stops_in_sleep);
            watch.promise(Duration::from_secs(15));
            assert_eq!(watch.look(at(44, 44)), None, "29 s late");
            watch.promise(Duration::from_secs(45));
            assert_eq!(watch.look(at(85, 85)), Some(gap), "40 s late");
            // What was due in the gap is due still: no promise can be kept in the past.
            watch.promise(Duration::from_secs(45));
            assert_eq!(watch.look(at(85, 85)), None);
            assert_eq!(watch.look(at(86, 86)), None);
        }
    }
}
