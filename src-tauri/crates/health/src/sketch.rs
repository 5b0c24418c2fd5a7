use std::collections::BTreeMap;

/// Relative accuracy of every quantile.
const ACCURACY: f64 = 0.01;
/// Ratio of neighbouring bucket borders, (1 + accuracy) / (1 - accuracy).
const GAMMA: f64 = (1.0 + ACCURACY) / (1.0 - ACCURACY);
/// 1 µs: nothing answers faster.
const SHORTEST_MS: f64 = 0.001;
/// 1 day: nobody waits longer.
const LONGEST_MS: f64 = 86_400_000.0;
/// More than the buckets between the shortest and the longest latency (1,260).
const BUCKETS: u64 = 1_300;
const FORMAT: u8 = 1;

/// Latencies as counts in logarithmic buckets: any quantile within 1 %, merged
/// by adding the counts, never more than 1,300 buckets.
///
/// Source: Masson, Rim, Lee: "DDSketch: A fast and fully-mergeable quantile
/// sketch with relative-error guarantees", VLDB 2019. Bucket i holds
/// latencies in (gamma^(i-1), gamma^i] and answers 2 gamma^i / (gamma + 1).
/// Latencies are clamped to 1 µs ... 1 day.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LatencySketch {
    buckets: BTreeMap<u16, u64>,
    count: u64,
    range: Option<(f64, f64)>,
}

/// The bytes are no sketch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a latency sketch")]
pub struct InvalidSketch;

impl LatencySketch {
    /// Takes one latency in milliseconds; what is not a number is ignored.
    pub fn add(&mut self, ms: f64) {
        if ms.is_nan() {
            return;
        }
        let ms = ms.clamp(SHORTEST_MS, LONGEST_MS);
        *self.buckets.entry(bucket(ms)).or_default() += 1;
        self.count += 1;
        self.widen(ms, ms);
    }

    /// Adds everything `other` has seen.
    pub fn merge(&mut self, other: &Self) {
        for (index, count) in &other.buckets {
            let own = self.buckets.entry(*index).or_default();
            *own = own.saturating_add(*count);
        }
        self.count = self.count.saturating_add(other.count);
        if let Some((min, max)) = other.range {
            self.widen(min, max);
        }
    }

    /// How many latencies it has seen.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The shortest latency in milliseconds, exact.
    pub fn min(&self) -> Option<f64> {
        self.range.map(|(min, _)| min)
    }

    /// The longest latency in milliseconds, exact.
    pub fn max(&self) -> Option<f64> {
        self.range.map(|(_, max)| max)
    }

    /// Element floor(q n) of the n sorted latencies in milliseconds, within
    /// 1 %; `None` without any. `q` outside 0 ... 1 counts as the nearer end.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped to 0 ..= count
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let (min, max) = self.range?;
        let rank = (q.clamp(0.0, 1.0) * self.count as f64).floor() as u64;
        let rank = rank.min(self.count - 1);
        let mut below = 0_u64;
        let index = self.buckets.iter().find_map(|(index, count)| {
            below = below.saturating_add(*count);
            (below > rank).then_some(*index)
        })?;
        Some(middle(index).clamp(min, max))
    }

    /// A compact form: some 2 bytes a bucket in use, nothing for an empty one.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        let Some((min, max)) = self.range else {
            return bytes;
        };
        bytes.extend(min.to_le_bytes());
        bytes.extend(max.to_le_bytes());
        let mut previous = 0;
        for (index, count) in &self.buckets {
            put_varint(&mut bytes, u64::from(*index - previous));
            put_varint(&mut bytes, *count);
            previous = *index;
        }
        bytes
    }

    /// Reads what [`LatencySketch::to_bytes`] wrote.
    ///
    /// # Errors
    /// When `bytes` is anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidSketch> {
        let (format, mut rest) = bytes.split_first().ok_or(InvalidSketch)?;
        if *format != FORMAT {
            return Err(InvalidSketch);
        }
        if rest.is_empty() {
            return Ok(Self::default());
        }
        let (min, max) = (take_f64(&mut rest)?, take_f64(&mut rest)?);
        let allowed = SHORTEST_MS..=LONGEST_MS;
        if !(allowed.contains(&min) && allowed.contains(&max) && min <= max) || rest.is_empty() {
            return Err(InvalidSketch);
        }
        let mut sketch = Self { range: Some((min, max)), ..Self::default() };
        let mut index = 0_u64;
        while !rest.is_empty() {
            let step = take_varint(&mut rest)?;
            let count = take_varint(&mut rest)?;
            index =
                index.checked_add(step).filter(|index| *index < BUCKETS).ok_or(InvalidSketch)?;
            let repeated = step == 0 && !sketch.buckets.is_empty();
            if repeated || count == 0 {
                return Err(InvalidSketch);
            }
            sketch.count = sketch.count.checked_add(count).ok_or(InvalidSketch)?;
            sketch.buckets.insert(u16::try_from(index).map_err(|_| InvalidSketch)?, count);
        }
        Ok(sketch)
    }

    fn widen(&mut self, min: f64, max: f64) {
        let (low, high) = self.range.unwrap_or((min, max));
        self.range = Some((low.min(min), high.max(max)));
    }
}

/// `ms` lies between the shortest and the longest latency.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 ..= 1,260
fn bucket(ms: f64) -> u16 {
    ((ms / SHORTEST_MS).ln() / GAMMA.ln()).ceil().max(0.0) as u16
}

fn middle(index: u16) -> f64 {
    SHORTEST_MS * 2.0 * GAMMA.powi(i32::from(index)) / (GAMMA + 1.0)
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push((value & 0x7f) as u8);
}

fn take_varint(rest: &mut &[u8]) -> Result<u64, InvalidSketch> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first().ok_or(InvalidSketch)?;
        *rest = tail;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return Err(InvalidSketch);
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(InvalidSketch)
}

fn take_f64(rest: &mut &[u8]) -> Result<f64, InvalidSketch> {
    let (bytes, tail) = rest.split_first_chunk::<8>().ok_or(InvalidSketch)?;
    *rest = tail;
    Ok(f64::from_le_bytes(*bytes))
}

#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sketch_of(latencies: &[f64]) -> LatencySketch {
        let mut sketch = LatencySketch::default();
        for ms in latencies {
            sketch.add(*ms);
        }
        sketch
    }

    #[test]
    fn nothing_seen_has_no_quantile() {
        let empty = LatencySketch::default();
        assert_eq!(empty.quantile(0.5), None);
        assert_eq!(LatencySketch::from_bytes(&empty.to_bytes()), Ok(empty));
    }

    #[test]
    fn a_single_latency_is_exact() {
        assert_eq!(sketch_of(&[43.9]).quantile(0.95), Some(43.9));
    }

    #[test]
    fn hostile_values_stay_in_bounds() {
        let sketch = sketch_of(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 1e300]);
        assert_eq!(sketch.count(), 5);
        assert_eq!((sketch.min(), sketch.max()), (Some(SHORTEST_MS), Some(LONGEST_MS)));
        assert!(u64::from(bucket(LONGEST_MS)) < BUCKETS);
        assert_eq!(LatencySketch::from_bytes(&sketch.to_bytes()), Ok(sketch));
    }

    #[test]
    fn an_hour_of_results_takes_few_bytes() {
        let latencies: Vec<_> = (0..120).map(|i| 40.0 + f64::from(i * 7 % 50)).collect();
        assert!(sketch_of(&latencies).to_bytes().len() < 120);
    }

    #[test]
    fn garbage_is_rejected() {
        let good = sketch_of(&[1.0, 2.0, 3.0]).to_bytes();
        for bad in [&b""[..], b"\x02", b"\x01\x00", &good[..17], &good[..good.len() - 1]] {
            assert_eq!(LatencySketch::from_bytes(bad), Err(InvalidSketch), "{bad:?}");
        }
        let endless = [&good[..17], &[0xff; 11]].concat();
        assert_eq!(LatencySketch::from_bytes(&endless), Err(InvalidSketch));
        let out_of_range = [&good[..17], &[0xff, 0x7f, 1]].concat();
        assert_eq!(LatencySketch::from_bytes(&out_of_range), Err(InvalidSketch));
    }

    fn latency() -> impl Strategy<Value = f64> {
        (SHORTEST_MS.ln()..LONGEST_MS.ln()).prop_map(f64::exp)
    }

    proptest! {
        #[test]
        fn quantiles_are_within_one_percent(
            mut latencies in prop::collection::vec(latency(), 1..400),
            q in 0.0..=1.0_f64,
        ) {
            let sketch = sketch_of(&latencies);
            latencies.sort_by(f64::total_cmp);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let rank = ((q * latencies.len() as f64) as usize).min(latencies.len() - 1);
            let (exact, found) = (latencies[rank], sketch.quantile(q).unwrap_or(f64::NAN));
            prop_assert!((found - exact).abs() <= exact * (ACCURACY + 1e-9), "{found} for {exact}");
        }

        #[test]
        fn merging_is_adding_all(
            left in prop::collection::vec(latency(), 0..100),
            right in prop::collection::vec(latency(), 0..100),
        ) {
            let mut merged = sketch_of(&left);
            merged.merge(&sketch_of(&right));
            prop_assert_eq!(merged, sketch_of(&[left, right].concat()));
        }

        #[test]
        fn bytes_round_trip(latencies in prop::collection::vec(latency(), 0..200)) {
            let sketch = sketch_of(&latencies);
            prop_assert_eq!(LatencySketch::from_bytes(&sketch.to_bytes()), Ok(sketch));
        }

        #[test]
        fn any_bytes_are_read_or_rejected(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(sketch) = LatencySketch::from_bytes(&bytes) {
                prop_assert_eq!(sketch.quantile(0.5).is_some(), sketch.count() > 0);
            }
        }
    }
}
