use std::collections::BTreeMap;

use health::{Millis, ServiceId, Status, Timestamp};
use serde::{Deserialize, Serialize};

use super::uptime::quantile;
use super::{ReadError, Reader, Sample, next_quarter, to_the_microsecond};
use crate::rollup::Rollup;
use crate::zone::Zone;

const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

/// How far back a chart goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub enum Range {
    /// One hour.
    #[serde(rename = "1h")]
    Hour,
    /// 24 hours.
    #[serde(rename = "24h")]
    Day,
    /// 7 days.
    #[serde(rename = "7d")]
    Week,
    /// 30 days.
    #[serde(rename = "30d")]
    Month,
    /// 365 days.
    #[serde(rename = "1y")]
    Year,
}

impl Range {
    /// Its length and that of one point's bucket: fewer than 300 points.
    const fn lengths(self) -> (Millis, Millis) {
        match self {
            Self::Hour => (HOUR, 15_000),
            Self::Day => (DAY, 5 * MINUTE),
            Self::Week => (7 * DAY, HOUR),
            Self::Month => (30 * DAY, 3 * HOUR),
            Self::Year => (365 * DAY, 2 * DAY),
        }
    }

    /// Whether its charts come from single results, not from rollups.
    pub(super) const fn is_of_results(self) -> bool {
        matches!(self, Self::Hour | Self::Day)
    }
}

/// One point of the latency chart: times of one bucket, failed checks left
/// out. All null where the line breaks: nothing was observed, or nothing good.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub struct LatencyPoint {
    /// When its bucket begins.
    pub at: Timestamp,
    /// Median.
    pub p50_ms: Option<f64>,
    /// 95th percentile.
    pub p95_ms: Option<f64>,
    /// Longest.
    pub max_ms: Option<f64>,
}

/// What a stretch of the chart is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "bindings.ts")]
pub enum SpanKind {
    /// An outage.
    Unhealthy,
    /// Time that was not observed (asleep, offline, paused, not running).
    Unobserved,
}

/// A stretch of the chart: an outage, or time that was not observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub struct Span {
    /// Its first moment.
    pub from: Timestamp,
    /// The moment after its last.
    pub to: Timestamp,
    /// What it is.
    pub what: SpanKind,
}

/// A latency chart: at most 300 points, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub struct LatencySeries {
    /// The left edge.
    pub from: Timestamp,
    /// The right edge: now.
    pub to: Timestamp,
    /// Oldest first; buckets between two checks have none.
    pub points: Vec<LatencyPoint>,
    /// Oldest first, of each kind without overlap.
    pub spans: Vec<Span>,
}

impl Reader {
    /// The latency chart of a service. Up to 24 hours it comes from single
    /// results; beyond, from rollups: outages are then its incidents, and a
    /// bucket is unobserved when no moment of it was observed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn latency(
        &self,
        id: &ServiceId,
        range: Range,
        zone: &Zone,
        now: Timestamp,
    ) -> Result<LatencySeries, ReadError> {
        let _moment = self.conn.unchecked_transaction()?;
        let buckets = Buckets::new(range, now);
        let Some(key) = self.key(id)? else {
            return Ok(buckets.series(&BTreeMap::new(), unseen(buckets.from, buckets.to)));
        };
        let (points, spans) = if range.is_of_results() {
            self.drawn_from_results(key, buckets)?
        } else {
            self.drawn_from_rollups(id, key, buckets, zone)?
        };
        Ok(buckets.series(&points, spans))
    }

    fn drawn_from_results(&self, key: i64, buckets: Buckets) -> Result<Drawn, ReadError> {
        let Buckets { from, to, .. } = buckets;
        let mut samples: Vec<_> = self.last_sample(key, from)?.into_iter().collect();
        samples.extend(self.samples(key, (from, to + 1))?);
        let mut times: BTreeMap<Timestamp, Vec<f64>> = BTreeMap::new();
        for Sample { at, status, response_ms, .. } in &samples {
            if let Some(ms) = response_ms.filter(|_| *status != Status::Unhealthy && *at >= from) {
                times.entry(buckets.of(*at)).or_default().push(ms);
            }
        }
        let points = times.into_iter().map(|(at, times)| (at, point_of_times(at, times)));
        Ok((points.collect(), spans_of_samples(&samples, from, to)))
    }

    fn drawn_from_rollups(
        &self,
        id: &ServiceId,
        key: i64,
        buckets: Buckets,
        zone: &Zone,
    ) -> Result<Drawn, ReadError> {
        let Buckets { from, to, .. } = buckets;
        let mut sums: BTreeMap<Timestamp, Rollup> = BTreeMap::new();
        let range = (next_quarter(from), next_quarter(to + 1));
        self.rollups(key, range, zone, to, |start, rollup| {
            sums.entry(buckets.of(start)).or_default().merge(rollup);
        })?;
        let mut spans = Spans::default();
        for start in buckets.starts() {
            let observed = sums.get(&start).map_or(0, |sum| sum.spent.observed_ms());
            if observed == 0 {
                let (first, last) = buckets.shown(start);
                spans.push(first, last, SpanKind::Unobserved);
            }
        }
        for incident in self.incidents_of(id, usize::MAX)?.iter().rev() {
            let (first, last) =
                (incident.started_at.max(from), incident.resolved_at.unwrap_or(to).min(to));
            spans.push(first, last, SpanKind::Unhealthy);
        }
        spans.0.sort_by_key(|span| span.from);
        let points = sums.iter().filter_map(|(at, sum)| Some((*at, point_of_sum(*at, sum)?)));
        Ok((points.collect(), spans.0))
    }
}

type Drawn = (BTreeMap<Timestamp, LatencyPoint>, Vec<Span>);

/// The chart's time, cut into buckets that begin at multiples of their width.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buckets {
    pub from: Timestamp,
    pub to: Timestamp,
    width: Millis,
}

impl Buckets {
    pub fn new(range: Range, now: Timestamp) -> Self {
        let (length, width) = range.lengths();
        Self { from: now - length, to: now, width }
    }

    /// When the bucket of `at` begins.
    pub fn of(self, at: Timestamp) -> Timestamp {
        Timestamp(at.0.div_euclid(self.width).saturating_mul(self.width))
    }

    fn starts(self) -> impl Iterator<Item = Timestamp> {
        let first = self.of(self.from);
        (0..).map(move |n| first + n * self.width).take_while(move |start| *start < self.to)
    }

    /// The part of a bucket that is in the chart.
    fn shown(self, start: Timestamp) -> (Timestamp, Timestamp) {
        (start.max(self.from), (start + self.width).min(self.to))
    }

    /// Adds the points where the line breaks.
    fn series(self, points: &BTreeMap<Timestamp, LatencyPoint>, spans: Vec<Span>) -> LatencySeries {
        let gap = |start| {
            let (first, last) = self.shown(start);
            let middle = first + last.since(first) / 2;
            let broken = spans.iter().any(|span| span.from <= middle && middle < span.to);
            broken.then_some(LatencyPoint { at: start, p50_ms: None, p95_ms: None, max_ms: None })
        };
        let points = self
            .starts()
            .filter_map(|start| points.get(&start).copied().or_else(|| gap(start)))
            .map(|point| LatencyPoint { at: point.at.max(self.from), ..point })
            .collect();
        LatencySeries { from: self.from, to: self.to, points, spans }
    }
}

fn point_of_times(at: Timestamp, mut times: Vec<f64>) -> LatencyPoint {
    times.sort_by(f64::total_cmp);
    LatencyPoint {
        at,
        p50_ms: quantile(&times, 0.5),
        p95_ms: quantile(&times, 0.95),
        max_ms: times.last().copied(),
    }
}

fn point_of_sum(at: Timestamp, sum: &Rollup) -> Option<LatencyPoint> {
    let percentile = |q| sum.good.quantile(q).map(to_the_microsecond);
    (sum.good.count() > 0).then(|| LatencyPoint {
        at,
        p50_ms: percentile(0.5),
        p95_ms: percentile(0.95),
        max_ms: sum.good.max(),
    })
}

fn spans_of_samples(samples: &[Sample], from: Timestamp, to: Timestamp) -> Vec<Span> {
    let mut spans = Spans::default();
    let mut seen = from;
    for (n, sample) in samples.iter().enumerate() {
        let next = samples.get(n + 1).map_or(to, |next| next.at);
        let until = sample.hold.until(sample.at, next).min(to);
        spans.push(seen, sample.at, SpanKind::Unobserved);
        if sample.status == Status::Unhealthy {
            spans.push(sample.at.max(from), until, SpanKind::Unhealthy);
        }
        seen = seen.max(until);
    }
    spans.push(seen, to, SpanKind::Unobserved);
    spans.0
}

fn unseen(from: Timestamp, to: Timestamp) -> Vec<Span> {
    vec![Span { from, to, what: SpanKind::Unobserved }]
}

/// Spans in the order they come; one that goes on where the last of its kind
/// ended makes that one longer.
#[derive(Debug, Default)]
struct Spans(Vec<Span>);

impl Spans {
    fn push(&mut self, from: Timestamp, to: Timestamp, what: SpanKind) {
        if from >= to {
            return;
        }
        match self.0.last_mut() {
            Some(last) if last.what == what && last.to >= from => last.to = last.to.max(to),
            _ => self.0.push(Span { from, to, what }),
        }
    }
}
