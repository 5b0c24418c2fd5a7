use std::fmt;

/// An amount of space, of its own or as a share of a whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Size {
    /// So many bytes.
    Bytes(u64),
    /// So many percent of the whole, 0 to 100.
    Percent(f64),
}

/// Factors of the units, in bytes: those with an `i` are powers of 1024
/// (IEC 80000-13), the others of 1000.
const UNITS: [(&str, f64); 11] = [
    ("B", 1.0),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("PB", 1e15),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
    ("PiB", 1_125_899_906_842_624.0),
];

impl Size {
    /// Reads `20 GiB`, `500MB`, `10%`; nothing else has a meaning.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let number: f64 = number.parse().ok()?;
        let unit = unit.trim_start();
        if unit == "%" {
            return Self::percent(number);
        }
        let (_, factor) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
        let bytes = (number * factor).round();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and below 2^64"
        )]
        (bytes < 1.8e19).then_some(Self::Bytes(bytes as u64))
    }

    /// A share, if it is one.
    pub(crate) fn percent(number: f64) -> Option<Self> {
        (0.0..=100.0).contains(&number).then_some(Self::Percent(number))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => Bytes(*bytes).fmt(f),
            Self::Percent(percent) => write!(f, "{percent} %"),
        }
    }
}

/// Bytes for people, in the greatest fitting power of 1024: `1.5 GiB`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
        let mut amount = self.0 as f64;
        let mut name = 0;
        // What would be rounded to 1024 is one of the next.
        while amount >= 1023.5 && name + 1 < NAMES.len() {
            amount /= 1024.0;
            name += 1;
        }
        let tenths = (amount * 10.0).round() / 10.0;
        let amount = if tenths < 10.0 { tenths } else { amount.round() };
        write!(f, "{amount} {}", NAMES[name])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, size) in [
            ("10%", Some(Size::Percent(10.0))),
            ("2.5 %", Some(Size::Percent(2.5))),
            ("100.1%", None),
            ("512 B", Some(Size::Bytes(512))),
            ("500MB", Some(Size::Bytes(500_000_000))),
            ("1.5 gib", Some(Size::Bytes(1_610_612_736))),
            (" 20 GiB ", Some(Size::Bytes(21_474_836_480))),
            ("10000 PiB", Some(Size::Bytes(11_258_999_068_426_240_000))),
            ("20000 PiB", None),
            ("20G", None),
            ("20", None),
            ("GiB", None),
            ("-1 GB", None),
            ("1e3 GB", None),
            ("1.2.3 GB", None),
            (".", None),
            ("", None),
        ] {
            assert_eq!(Size::parse(text), size, "{text}");
        }
    }

    #[test]
    fn bytes_for_people() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (10_700, "10 KiB"),
            (1_048_575, "1 MiB"),
            (21_474_836_480, "20 GiB"),
            (u64::MAX, "16384 PiB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }
}
