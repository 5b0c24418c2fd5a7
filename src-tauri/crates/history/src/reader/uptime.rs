use health::{LatencySketch, Millis, Objective, ServiceId, Timestamp, round_to};
use serde::Serialize;

use super::{ReadError, Reader, Sample, next_quarter, to_the_microsecond};
use crate::rollup::Rollup;
use crate::zone::{Zone, days_back, next_day};

const HOUR: Millis = 3_600_000;
/// Nobody has a longer history, and every day is a row.
const LONGEST_PERIOD: u32 = 36_525;

/// The uptime of a service over calendar days: what `sla` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum UptimeRecord {
    /// There were checks.
    Figures(UptimeFigures),
    /// There were none.
    NoData(NoData),
}

/// First by checks, then by time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UptimeFigures {
    /// Percentage of checks that were healthy, to 4 digits.
    pub uptime_pct: f64,
    /// Percentage of checks that were healthy or degraded, to 4 digits.
    pub availability_pct: f64,
    /// All checks.
    pub total_checks: u64,
    /// Healthy checks.
    pub healthy: u64,
    /// Degraded checks.
    pub degraded: u64,
    /// Unhealthy checks.
    pub unhealthy: u64,
    /// Calendar days, today and those before it.
    pub period_days: u32,
    /// The availability by checks reaches the target.
    pub sla_met: bool,
    /// The target in percent.
    pub target_pct: f64,
    /// Percentage of the observed time without an outage, to 4 digits.
    pub availability_time_pct: Option<f64>,
    /// Seconds that were observed.
    pub observed_s: f64,
    /// Seconds under an unhealthy result.
    pub downtime_s: f64,
    /// Percentage of the allowed downtime not used up; negative when overspent.
    pub error_budget_left_pct: Option<f64>,
    /// How many times faster than allowed the error budget is spent.
    pub burn_rate: Option<f64>,
}

/// `{"uptime": null, "reason": "no data"}`
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NoData {
    /// Always null.
    pub uptime: Option<f64>,
    /// Why.
    pub reason: &'static str,
}

/// A rolling period up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub enum Period {
    /// 24 hours.
    #[serde(rename = "24h")]
    Day,
    /// 7 days.
    #[serde(rename = "7d")]
    Week,
    /// 30 days.
    #[serde(rename = "30d")]
    Month,
}

impl Period {
    /// Every period, the shortest first.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// When it begins: with its first whole quarter of an hour.
    pub(super) fn from(self, now: Timestamp) -> Timestamp {
        let hours = match self {
            Self::Day => 24,
            Self::Week => 7 * 24,
            Self::Month => 30 * 24,
        };
        next_quarter(now - hours * HOUR)
    }
}

/// The uptime of a service over a rolling period; percentages are null
/// without data.
#[derive(Debug, Clone, PartialEq, Serialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
#[allow(clippy::struct_field_names)] // the names the window knows
pub struct Uptime {
    /// How long.
    pub period: Period,
    /// By time: the share of the observed time without an outage.
    pub availability_pct: Option<f64>,
    /// By checks: the share of healthy ones.
    pub uptime_pct: Option<f64>,
    /// Time that was observed.
    #[ts(type = "number")]
    pub observed_ms: Millis,
    /// Time under an unhealthy result.
    #[ts(type = "number")]
    pub downtime_ms: Millis,
    /// Share of the allowed downtime not used up; negative when overspent.
    pub error_budget_left_pct: Option<f64>,
    /// How many times faster than allowed the error budget is spent.
    pub burn_rate: Option<f64>,
    /// All checks.
    #[ts(type = "number")]
    pub total_checks: u64,
    /// Healthy checks.
    #[ts(type = "number")]
    pub healthy: u64,
    /// Degraded checks.
    #[ts(type = "number")]
    pub degraded: u64,
    /// Unhealthy checks.
    #[ts(type = "number")]
    pub unhealthy: u64,
    /// Median latency, failed checks left out, within 1 %.
    pub p50_ms: Option<f64>,
    /// 95th percentile of the same.
    pub p95_ms: Option<f64>,
    /// 99th percentile of the same.
    pub p99_ms: Option<f64>,
}

/// One calendar day of a service.
#[derive(Debug, Clone, PartialEq, Serialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub struct Day {
    /// `2026-01-31`
    pub date: String,
    /// Percentage of checks that were healthy, to 2 digits; null without any.
    pub uptime_pct: Option<f64>,
    /// Percentage of the observed time without an outage, to 4 digits; null
    /// when nothing was observed.
    pub availability_pct: Option<f64>,
    /// Mean over all checks that had an answer, to 1 digit.
    pub avg_response_ms: Option<f64>,
    /// Element floor(0.95 n) of the n sorted times of all checks: exact while
    /// every result of the day is kept, else within 1 %. Null for fewer than two.
    pub p95_response_ms: Option<f64>,
    /// Time under an unhealthy result.
    #[ts(type = "number")]
    pub downtime_ms: Millis,
    /// All checks.
    #[ts(type = "number")]
    pub checks: u64,
}

impl Reader {
    /// The uptime of a service over today and the `days - 1` calendar days
    /// before it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn uptime(
        &self,
        id: &ServiceId,
        days: u32,
        zone: &Zone,
        now: Timestamp,
        objective: Objective,
    ) -> Result<UptimeRecord, ReadError> {
        let _moment = self.conn.unchecked_transaction()?;
        let today = zone.date(now);
        let first = days_back(today, days.min(LONGEST_PERIOD)).last().unwrap_or(today);
        let range = (zone.start_of(first), zone.start_of(next_day(today)));
        let mut sum = Rollup::default();
        if let Some(key) = self.key(id)?.filter(|_| days > 0) {
            self.rollups(key, range, zone, now, |_, rollup| sum.merge(rollup))?;
        }
        Ok(record(&sum, days, objective))
    }

    /// The uptime of a service over the last 24 hours, 7 and 30 days, to the
    /// quarter of an hour.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn uptimes(
        &self,
        id: &ServiceId,
        zone: &Zone,
        now: Timestamp,
        objective: Objective,
    ) -> Result<Vec<Uptime>, ReadError> {
        let _moment = self.conn.unchecked_transaction()?;
        let mut sums = Period::ALL.map(|period| (period, Rollup::default()));
        if let Some(key) = self.key(id)? {
            let range = (Period::Month.from(now), next_quarter(now + 1));
            self.rollups(key, range, zone, now, |start, rollup| {
                for (_, sum) in sums.iter_mut().filter(|(period, _)| start >= period.from(now)) {
                    sum.merge(rollup);
                }
            })?;
        }
        Ok(sums.iter().map(|(period, sum)| uptime(*period, sum, objective)).collect())
    }

    /// Today and the `count - 1` calendar days before it, newest first, those
    /// without checks too.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn daily(
        &self,
        id: &ServiceId,
        count: u32,
        zone: &Zone,
        now: Timestamp,
    ) -> Result<Vec<Day>, ReadError> {
        let _moment = self.conn.unchecked_transaction()?;
        let today = zone.date(now);
        let dates: Vec<_> = days_back(today, count.min(LONGEST_PERIOD)).collect();
        let starts: Vec<_> = dates.iter().map(|date| zone.start_of(*date)).collect();
        let mut sums = vec![Rollup::default(); dates.len()];
        let (Some(key), Some(from)) = (self.key(id)?, starts.last()) else {
            let nothing = Rollup::default();
            return Ok(dates.iter().map(|date| day(date.to_string(), &nothing, None)).collect());
        };
        let end = zone.start_of(next_day(today));
        self.rollups(key, (*from, end), zone, now, |start, rollup| {
            let newer = starts.partition_point(|day| *day > start);
            sums[newer].merge(rollup);
        })?;
        let ends = std::iter::once(&end).chain(&starts);
        let ranges = starts.iter().zip(ends).map(|(start, end)| (*start, *end));
        dates
            .iter()
            .zip(ranges)
            .zip(&sums)
            .map(|((date, range), sum)| {
                let times = self.times_of_all(key, range, sum)?;
                Ok(day(date.to_string(), sum, times))
            })
            .collect()
    }

    /// The response times behind `sum`, in order, if every result is still there.
    fn times_of_all(
        &self,
        key: i64,
        range: (Timestamp, Timestamp),
        sum: &Rollup,
    ) -> Result<Option<Vec<f64>>, ReadError> {
        if sum.counts.total() == 0 {
            return Ok(None);
        }
        let samples = self.samples(key, range)?;
        let complete = u64::try_from(samples.len()).is_ok_and(|n| n == sum.counts.total());
        let times = samples.iter().filter_map(|Sample { response_ms, .. }| *response_ms);
        Ok(complete.then(|| times.collect()))
    }
}

fn record(sum: &Rollup, period_days: u32, objective: Objective) -> UptimeRecord {
    let counts = sum.counts;
    let (Some(uptime_pct), Some(availability_pct), Some(sla_met)) =
        (counts.uptime_pct(), counts.availability_pct(), objective.met_by(counts))
    else {
        return UptimeRecord::NoData(NoData { uptime: None, reason: "no data" });
    };
    let by_time = objective.judge(sum.spent);
    UptimeRecord::Figures(UptimeFigures {
        uptime_pct,
        availability_pct,
        total_checks: counts.total(),
        healthy: counts.healthy,
        degraded: counts.degraded,
        unhealthy: counts.unhealthy,
        period_days,
        sla_met,
        target_pct: objective.target_pct(),
        availability_time_pct: by_time.pct,
        observed_s: by_time.observed_ms as f64 / 1000.0,
        downtime_s: by_time.downtime_ms as f64 / 1000.0,
        error_budget_left_pct: by_time.error_budget_left_pct,
        burn_rate: by_time.burn_rate,
    })
}

fn uptime(period: Period, sum: &Rollup, objective: Objective) -> Uptime {
    let by_time = objective.judge(sum.spent);
    let percentile = |q| sum.good.quantile(q).map(to_the_microsecond);
    Uptime {
        period,
        availability_pct: by_time.pct,
        uptime_pct: sum.counts.uptime_pct(),
        observed_ms: by_time.observed_ms,
        downtime_ms: by_time.downtime_ms,
        error_budget_left_pct: by_time.error_budget_left_pct,
        burn_rate: by_time.burn_rate,
        total_checks: sum.counts.total(),
        healthy: sum.counts.healthy,
        degraded: sum.counts.degraded,
        unhealthy: sum.counts.unhealthy,
        p50_ms: percentile(0.5),
        p95_ms: percentile(0.95),
        p99_ms: percentile(0.99),
    }
}

fn day(date: String, sum: &Rollup, times: Option<Vec<f64>>) -> Day {
    let (average, p95) = match times {
        Some(mut times) => {
            let total: f64 = times.iter().sum();
            let average = (!times.is_empty()).then(|| total / times.len() as f64);
            times.sort_by(f64::total_cmp);
            (average, (times.len() > 1).then(|| quantile(&times, 0.95)).flatten())
        }
        None => from_rollup(sum),
    };
    let total = sum.counts.total();
    Day {
        date,
        uptime_pct: (total > 0)
            .then(|| round_to(sum.counts.healthy as f64 / total as f64 * 100.0, 2)),
        availability_pct: sum.spent.availability_pct(),
        avg_response_ms: average.map(|ms| round_to(ms, 1)),
        p95_response_ms: p95.map(to_the_microsecond),
        downtime_ms: sum.spent.unhealthy,
        checks: total,
    }
}

fn from_rollup(sum: &Rollup) -> (Option<f64>, Option<f64>) {
    let all: LatencySketch = sum.all_latencies();
    let n = all.count();
    let average = (n > 0).then(|| sum.response_ms / n as f64);
    (average, (n > 1).then(|| all.quantile(0.95)).flatten())
}

/// Element floor(q n) of n sorted values.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 ..= n
pub(super) fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let rank = (q * sorted.len() as f64) as usize;
    sorted.get(rank).or(sorted.last()).copied()
}
