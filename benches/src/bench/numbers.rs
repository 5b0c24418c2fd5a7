//! The arithmetic: medians, percentiles, and what the moments of checks say.

/// The middle value, the mean of the two in the middle of an even number;
/// not a number where there is none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.len() % 2, sorted.get(middle)) {
        (_, None) => f64::NAN,
        (1, Some(value)) => *value,
        (_, Some(upper)) => f64::midpoint(sorted[middle - 1], *upper),
    }
}

/// The largest value over the smallest.
pub(crate) fn spread(values: &[f64]) -> f64 {
    let smallest = values.iter().copied().fold(f64::INFINITY, f64::min);
    values.iter().copied().fold(0.0, f64::max) / smallest
}

/// The smallest value that at least `percent` of all do not exceed; 0 where
/// there is none.
pub(crate) fn percentile(values: &[i64], percent: usize) -> i64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

/// How late each check of one service started, in the unit of `starts`.
///
/// A service is due on a grid of moments, `every` apart, whose phase is not
/// known from outside. It is estimated from the starts themselves:
///
/// 1. Each start's offset is its remainder by `every`, a place on a circle.
/// 2. The phase is the earliest offset. On a circle that is the one after the
///    widest stretch without any: starts are late by far less than `every`, so
///    the stretch before the due moment is the empty one.
/// 3. A start is late by the way from the phase to its offset.
///
/// So a service that is late by the same amount each time counts as on time,
/// and with n starts the estimate is late by the smallest of n latenesses.
pub(crate) fn lateness(starts: &[i64], every: i64) -> Vec<i64> {
    let offsets: Vec<i64> = starts.iter().map(|at| at.rem_euclid(every)).collect();
    let phase = after_widest_gap(&offsets, every);
    offsets.iter().map(|offset| (offset - phase).rem_euclid(every)).collect()
}

fn after_widest_gap(offsets: &[i64], every: i64) -> i64 {
    let mut sorted = offsets.to_vec();
    sorted.sort_unstable();
    let before = sorted.iter().cycle().skip(sorted.len().saturating_sub(1));
    let gap = |(before, at): (&i64, &i64)| (at - before).rem_euclid(every);
    let widest = before.zip(&sorted).max_by_key(|pair| gap(*pair));
    widest.map_or(0, |(_, at)| *at)
}

/// How many checks of one service are missing between `from` and `until`:
/// `starts` (in order) should be about `every` apart, and half an interval
/// more or less is no missing one.
pub(crate) fn skipped(starts: &[i64], from: i64, until: i64, every: i64) -> i64 {
    gaps(starts, from, until).map(|gap| (gap - every / 2).div_euclid(every).max(0)).sum()
}

/// The longest time without a check between `from` and `until`.
pub(crate) fn longest_gap(starts: &[i64], from: i64, until: i64) -> i64 {
    gaps(starts, from, until).max().unwrap_or(0)
}

fn gaps(starts: &[i64], from: i64, until: i64) -> impl Iterator<Item = i64> {
    let ends = starts.iter().copied().chain([until]);
    let begins = [from].into_iter().chain(starts.iter().copied());
    begins.zip(ends).map(|(begin, end)| end - begin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!(median(&[]).is_nan());
        assert!((median(&[3.0]) - 3.0).abs() < 1e-9);
        assert!((median(&[9.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[9.0, 1.0, 2.0, 4.0]) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn the_spread_is_the_largest_over_the_smallest() {
        assert!((spread(&[2.0, 5.0, 4.0]) - 2.5).abs() < 1e-9);
    }

    #[test]
    fn a_percentile_is_a_value_that_is_there() {
        let hundred: Vec<i64> = (1..=100).rev().collect();
        assert_eq!(percentile(&hundred, 99), 99);
        assert_eq!(percentile(&hundred, 50), 50);
        assert_eq!(percentile(&[7], 99), 7);
        assert_eq!(percentile(&[1, 2], 99), 2);
        assert_eq!(percentile(&[], 99), 0);
    }

    #[test]
    fn lateness_counts_from_the_earliest_offset() {
        let starts = [1_003, 16_000, 31_120, 46_010];
        assert_eq!(lateness(&starts, 15_000), [3, 0, 120, 10]);
    }

    #[test]
    fn lateness_knows_that_the_grid_is_a_circle() {
        // Due at 14,990 of every 15,000: two starts are late beyond the turn.
        let starts = [14_990, 30_005, 44_992, 60_200];
        assert_eq!(lateness(&starts, 15_000), [0, 15, 2, 210]);
    }

    #[test]
    fn one_start_is_never_late() {
        assert_eq!(lateness(&[12_345], 1_000), [0]);
        assert_eq!(lateness(&[], 1_000), [0; 0]);
    }

    #[test]
    fn equal_offsets_are_on_time() {
        assert_eq!(lateness(&[500, 1_500, 2_500], 1_000), [0, 0, 0]);
    }

    #[test]
    fn a_skipped_check_is_a_whole_interval_without_one() {
        let every = 15_000;
        assert_eq!(skipped(&[1_000, 16_200, 31_000], 0, 45_000, every), 0);
        assert_eq!(skipped(&[1_000, 31_000], 0, 45_000, every), 1);
        assert_eq!(skipped(&[], 0, 45_000, every), 2);
        assert_eq!(skipped(&[29_000], 0, 30_000, every), 1);
    }

    #[test]
    fn the_longest_gap_reaches_to_both_ends() {
        assert_eq!(longest_gap(&[5, 9], 0, 10), 5);
        assert_eq!(longest_gap(&[1, 2], 0, 10), 8);
        assert_eq!(longest_gap(&[], 0, 10), 10);
    }
}
