use std::time::Duration;

use crate::text::clean;

const MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// The text is no duration that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    /// It does not read as one.
    #[error("`{0}` is not a duration")]
    NotADuration(String),
    /// It is zero.
    #[error("`{0}` is no time at all")]
    Zero(String),
    /// It is longer than a year.
    #[error("`{0}` is longer than 365 days")]
    TooLong(String),
}

impl InvalidDuration {
    /// What would be right.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::NotADuration(_) => "write a number and a unit: 500ms, 10s, 3m, 1h 30m, 1d",
            Self::Zero(_) => "use a duration above zero: 500ms, 10s, 3m",
            Self::TooLong(_) => "use at most 365d",
        }
    }
}

/// Reads `500ms`, `15s`, `3m`, `1h`, `1d`, `1.5s`, `1m 30s`: numbers with a
/// unit each, added up. Above zero, at most 365 days.
///
/// # Errors
/// When `text` is anything else.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    let nanos = nanos(text).ok_or_else(|| InvalidDuration::NotADuration(clean(text)))?;
    match u64::try_from(nanos).map(Duration::from_nanos) {
        Ok(Duration::ZERO) => Err(InvalidDuration::Zero(clean(text))),
        Ok(duration) if duration <= MAX => Ok(duration),
        Ok(_) | Err(_) => Err(InvalidDuration::TooLong(clean(text))),
    }
}

fn nanos(text: &str) -> Option<u128> {
    let mut rest = text.trim();
    let mut total = 0u128;
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |c| !c.is_ascii_digit() && c != '.');
        let (unit, after) = split_where(after.trim_start(), |c| !c.is_ascii_alphabetic());
        total = total.saturating_add(multiply(number, unit_nanos(unit)?)?);
        rest = after.trim_start();
    }
    (!text.trim().is_empty()).then_some(total)
}

fn split_where(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// `1` or `1.5`, but not `1.`, `.5` or `1.2.3`, times `unit`.
fn multiply(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    // What does not fit is too long in any unit.
    let whole = whole.parse::<u128>().unwrap_or(u128::MAX);
    let fraction = format!("{fraction:0<9.9}").parse::<u128>().ok()?;
    let part = fraction * unit / 1_000_000_000;
    Some(whole.saturating_mul(unit).saturating_add(part))
}

const fn unit_nanos(unit: &str) -> Option<u128> {
    Some(match unit.as_bytes() {
        b"ms" => 1_000_000,
        b"s" => 1_000_000_000,
        b"m" => 60 * 1_000_000_000,
        b"h" => 3600 * 1_000_000_000,
        b"d" => 24 * 3600 * 1_000_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_numbers_with_units() {
        for (text, ms) in [
            ("500ms", 500),
            ("15s", 15_000),
            ("15 s", 15_000),
            ("3m", 180_000),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
            ("365d", 365 * 86_400_000),
            ("1.5s", 1500),
            ("0.25s", 250),
            ("1m 30s", 90_000),
            ("1m30s", 90_000),
            (" 1h 1m 1s 1ms ", 3_661_001),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text:?}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        use InvalidDuration::{NotADuration, TooLong, Zero};
        for text in [
            "",
            " ",
            "10",
            "s",
            "10 parsecs",
            "-5s",
            "1e3s",
            "1.s",
            ".5s",
            "1.2.3s",
            "5S",
            "1s,2s",
            "inf s",
            "NaNs",
            "1s 2",
            "١s",
        ] {
            let expected = NotADuration(text.trim().to_owned());
            assert_eq!(parse_duration(text), Err(expected), "{text:?}");
        }
        for text in ["0s", "0ms", "0m 0s", "0.0000000001ms"] {
            assert_eq!(parse_duration(text), Err(Zero(text.to_owned())));
        }
        let huge = format!("{}d", "9".repeat(400));
        for text in ["366d", "8761h", "365d 1ms", huge.as_str()] {
            assert_eq!(parse_duration(text), Err(TooLong(clean(text))));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".*") {
            if let Ok(duration) = parse_duration(&text) {
                prop_assert!(duration > Duration::ZERO);
                prop_assert!(duration <= MAX);
            }
        }

        #[test]
        fn whole_milliseconds_are_exact(ms in 1u64..=365 * 86_400_000) {
            prop_assert_eq!(parse_duration(&format!("{ms}ms")), Ok(Duration::from_millis(ms)));
        }
    }
}
