//! The round trips of one check.

use std::time::Duration;

use tokio::time::Instant;

/// When each question was sent, and how long its reply took.
#[derive(Debug, Default)]
pub(super) struct Trips(Vec<(Instant, Option<Duration>)>);

impl Trips {
    pub(super) fn sent(&mut self, at: Instant) {
        self.0.push((at, None));
    }

    /// The reply to question `sequence` came: the first counts.
    pub(super) fn answered(&mut self, sequence: u16, at: Instant) {
        if let Some((sent, trip @ None)) = self.0.get_mut(usize::from(sequence)) {
            *trip = Some(at - *sent);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn all_answered(&self) -> bool {
        self.0.iter().all(|(_, trip)| trip.is_some())
    }

    pub(super) fn answers(&self) -> usize {
        self.times().count()
    }

    /// In percent of the questions.
    pub(super) fn loss(&self) -> f64 {
        let lost = self.count() - self.answers();
        100.0 * lost as f64 / self.count().max(1) as f64
    }

    /// None without a reply; so are the others.
    pub(super) fn mean(&self) -> Option<Duration> {
        let count = u32::try_from(self.answers()).ok().filter(|count| *count > 0)?;
        Some(self.times().sum::<Duration>() / count)
    }

    pub(super) fn min(&self) -> Option<Duration> {
        self.times().min()
    }

    pub(super) fn max(&self) -> Option<Duration> {
        self.times().max()
    }

    /// The mean difference between one round trip and the next; none of less
    /// than two.
    pub(super) fn jitter(&self) -> Option<Duration> {
        let pairs = || self.times().zip(self.times().skip(1));
        let count = u32::try_from(pairs().count()).ok().filter(|count| *count > 0)?;
        Some(pairs().map(|(one, next)| one.abs_diff(next)).sum::<Duration>() / count)
    }

    fn times(&self) -> impl Iterator<Item = Duration> {
        self.0.iter().filter_map(|(_, trip)| *trip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn trips(answers: &[Option<u64>]) -> Trips {
        let start = Instant::now();
        let mut trips = Trips::default();
        for answer in answers {
            trips.sent(start);
            if let Some(ms) = answer {
                trips.answered(u16::try_from(trips.count() - 1).expect("few"), start + MS(*ms));
            }
        }
        trips
    }

    #[test]
    fn what_was_lost_is_left_out_of_the_times() {
        let trips = trips(&[Some(10), None, Some(30), Some(20)]);
        assert!((trips.loss() - 25.0).abs() < 1e-9);
        assert!(!trips.all_answered());
        assert_eq!(trips.mean(), Some(MS(20)));
        assert_eq!((trips.min(), trips.max()), (Some(MS(10)), Some(MS(30))));
        assert_eq!(trips.jitter(), Some(MS(15)));
    }

    #[test]
    fn nothing_comes_of_nothing() {
        let nothing = trips(&[None, None]);
        assert!((nothing.loss() - 100.0).abs() < 1e-9);
        assert_eq!((nothing.mean(), nothing.min(), nothing.jitter()), (None, None, None));
        assert_eq!(trips(&[Some(5), None]).jitter(), None);
    }

    #[test]
    fn the_first_reply_counts_and_strays_do_not() {
        let start = Instant::now();
        let mut trips = Trips::default();
        trips.sent(start);
        trips.answered(1, start + MS(1));
        trips.answered(u16::MAX, start + MS(1));
        assert_eq!(trips.answers(), 0);
        trips.answered(0, start + MS(2));
        trips.answered(0, start + MS(9));
        assert_eq!(trips.mean(), Some(MS(2)));
    }
}
