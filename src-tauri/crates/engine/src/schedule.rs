use std::collections::BTreeSet;
use std::time::Duration;

use health::{Roll, ServiceId};

/// When each service is due: one ordered set for all of them, in time running.
///
/// Each service has a grid of moments, `every` apart. It is due on its grid
/// for ever (a fixed rate without drift); [`Schedule::hasten`] puts one extra
/// check in front of the next grid point, [`Schedule::set`] one in its place.
/// Grids are offset against each other so that services of the same interval
/// are spread evenly over it.
#[derive(Debug)]
pub(crate) struct Schedule {
    origin: Duration,
    entries: Roll<Entry>,
    queue: BTreeSet<(Duration, ServiceId)>,
    added: u32,
}

#[derive(Debug)]
struct Entry {
    every: Duration,
    /// Offset of the grid against the origin, less than `every`.
    phase: Duration,
    due: Duration,
}

/// First checks come within this time of the start, however long the interval.
const WARM_UP: Duration = Duration::from_secs(2);
/// Start-up checks are at least this far apart, so that many services take
/// longer to warm up instead of firing together.
const WARM_UP_GAP: Duration = Duration::from_millis(10);

impl Schedule {
    pub fn new(origin: Duration) -> Self {
        Self { origin, entries: Roll::default(), queue: BTreeSet::new(), added: 0 }
    }

    /// Adds a service, first due soon after `now`. One that is there keeps its
    /// place unless its interval changed.
    pub fn add(&mut self, id: &ServiceId, every: Duration, now: Duration, fleet_size: usize) {
        if self.entries.get(id).is_some_and(|entry| entry.every == every) {
            return;
        }
        self.remove(id);
        let share = golden_share(self.added);
        self.added = self.added.wrapping_add(1);
        let due = now + warm_up(fleet_size).min(every).mul_f64(share);
        let entry = Entry { every, phase: every.mul_f64(share), due };
        self.queue.insert((due, id.clone()));
        self.entries.insert(id.clone(), entry);
    }

    pub fn remove(&mut self, id: &ServiceId) {
        if let Some(entry) = self.entries.remove(id) {
            self.queue.remove(&(entry.due, id.clone()));
        }
    }

    /// Makes the service due at `at` if it was not due before.
    pub fn hasten(&mut self, id: &ServiceId, at: Duration) {
        if self.entries.get(id).is_some_and(|entry| at < entry.due) {
            self.set(id, at);
        }
    }

    /// Makes the service due at `at`, not before, and then on its grid again.
    pub fn set(&mut self, id: &ServiceId, at: Duration) {
        if let Some(entry) = self.entries.get_mut(id) {
            self.queue.remove(&(entry.due, id.clone()));
            entry.due = at;
            self.queue.insert((at, id.clone()));
        }
    }

    /// Makes services due soon after `now` that could not be checked for a
    /// while: one after the other, not all at once.
    pub fn start_afresh(&mut self, ids: &[ServiceId], now: Duration) {
        let time = warm_up(ids.len());
        for (n, id) in (0..).zip(ids) {
            let at = now + time.mul_f64(golden_share(n));
            if self.entries.get(id).is_some_and(|entry| at < entry.due || entry.due <= now) {
                self.set(id, at);
            }
        }
    }

    /// Takes out what is due by `now`; each is due again at the next point of
    /// its grid, points that were missed are left out.
    pub fn take_due(&mut self, now: Duration) -> Vec<ServiceId> {
        let mut due = Vec::new();
        while let Some((at, _)) = self.queue.first()
            && *at <= now
        {
            let Some((_, id)) = self.queue.pop_first() else { break };
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.due = next_on_grid(self.origin + entry.phase, entry.every, now);
                self.queue.insert((entry.due, id.clone()));
                due.push(id);
            }
        }
        due
    }

    /// When the next service is due.
    pub fn next(&self) -> Option<Duration> {
        self.queue.first().map(|(at, _)| *at)
    }
}

fn warm_up(services: usize) -> Duration {
    WARM_UP.max(WARM_UP_GAP * u32::try_from(services).unwrap_or(u32::MAX))
}

/// The first point of the grid after `now`.
fn next_on_grid(start: Duration, every: Duration, now: Duration) -> Duration {
    let Some(passed) = now.checked_sub(start) else { return start };
    let nanos = every.as_nanos().max(1);
    let rest = nanos - passed.as_nanos() % nanos;
    now + Duration::from_nanos(u64::try_from(rest).unwrap_or(u64::MAX))
}

/// The n-th of a sequence in [0, 1) that is spread evenly however many are
/// taken: multiples of the golden ratio (Weyl's low-discrepancy sequence).
fn golden_share(n: u32) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    (f64::from(n) * GOLDEN).fract()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const START: Duration = Duration::from_secs(5);

    fn id(n: usize) -> ServiceId {
        ServiceId::new(&format!("s{n}")).expect("a valid id")
    }

    /// Every due moment of `count` services over `length`, in order.
    fn play(count: usize, every: Duration, length: Duration) -> Vec<(Duration, ServiceId)> {
        let start = START;
        let mut schedule = Schedule::new(start);
        for n in 0..count {
            schedule.add(&id(n), every, start, count);
        }
        let mut seen = Vec::new();
        while let Some(at) = schedule.next() {
            if at > start + length {
                break;
            }
            seen.extend(schedule.take_due(at).into_iter().map(|id| (at, id)));
        }
        seen
    }

    #[test]
    fn a_thousand_services_never_fire_together() {
        let every = Duration::from_secs(30);
        let start = START;
        let seen = play(1000, every, Duration::from_secs(300));
        let steady: Vec<_> = seen.iter().filter(|(at, _)| *at > start + every * 2).collect();
        let mut per_second = BTreeMap::new();
        for (at, _) in &steady {
            *per_second.entry(at.saturating_sub(start).as_secs()).or_insert(0) += 1;
        }
        // 1000 / 30 s = 33.3 a second.
        let full = per_second.range(61..299).map(|(_, n)| *n);
        assert!(full.clone().max().is_some_and(|n| n <= 37), "{per_second:?}");
        assert!(full.min().is_some_and(|n| n >= 30), "{per_second:?}");
    }

    #[test]
    fn the_rate_is_fixed_and_late_starts_do_not_shift_it() {
        let start = START;
        let every = Duration::from_secs(10);
        let mut schedule = Schedule::new(start);
        schedule.add(&id(0), every, start, 1);
        assert_eq!(schedule.take_due(start), [id(0)]);
        for k in 1..100 {
            let late = start + every * k + Duration::from_millis(u64::from(k) * 37);
            assert_eq!(schedule.next(), Some(start + every * k));
            assert_eq!(schedule.take_due(late), [id(0)]);
        }
        let after_sleep = start + every * 200 + Duration::from_secs(3);
        assert_eq!(schedule.take_due(after_sleep), [id(0)], "missed points are left out");
        assert_eq!(schedule.next(), Some(start + every * 201));
    }

    #[test]
    fn an_extra_check_leaves_the_grid_alone() {
        let start = START;
        let mut schedule = Schedule::new(start);
        schedule.add(&id(0), Duration::from_secs(60), start, 1);
        schedule.take_due(start);
        schedule.hasten(&id(0), start + Duration::from_secs(5));
        schedule.hasten(&id(0), start + Duration::from_secs(50));
        assert_eq!(schedule.next(), Some(start + Duration::from_secs(5)));
        schedule.take_due(start + Duration::from_secs(5));
        assert_eq!(schedule.next(), Some(start + Duration::from_secs(60)));
    }

    #[test]
    fn long_intervals_get_a_first_result_soon() {
        let start = START;
        let seen = play(20, Duration::from_secs(3600), Duration::from_secs(3));
        assert_eq!(seen.len(), 20);
        assert!(seen.iter().all(|(at, _)| *at <= start + WARM_UP));
    }

    #[test]
    fn what_could_not_be_checked_for_a_while_does_not_fire_together() {
        let every = Duration::from_secs(1);
        let mut schedule = Schedule::new(START);
        let ids: Vec<_> = (0..20).map(id).collect();
        for id in &ids {
            schedule.add(id, every, START, ids.len());
        }
        schedule.take_due(START + every * 3);
        let now = START + every * 43;
        schedule.start_afresh(&ids, now);
        assert_eq!(schedule.take_due(now).len(), 1);
        assert_eq!(schedule.take_due(now + WARM_UP / 2).len(), 10);
        assert_eq!(schedule.next().map(|at| at < now + WARM_UP), Some(true));
    }
}
