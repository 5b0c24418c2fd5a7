use std::time::Duration;

/// The candidate that was probably meant by `word`.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let tolerated = match word.chars().count() {
        0..=3 => 1,
        4..=8 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word.to_lowercase(), candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// "`a`, `b`, `c`"; beyond a dozen it says how many more.
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.len().checked_sub(SHOWN) {
        None | Some(0) => words.join(", "),
        Some(more) => format!("{} and {more} more", words[..SHOWN].join(", ")),
    }
}

/// A duration as people write it: "500 ms", "1.5 s", "3 min", "1 h 30 min".
pub(crate) fn duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    let (days, hours, minutes) = (ms / 86_400_000, ms / 3_600_000 % 24, ms / 60_000 % 60);
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{} s", duration.as_millis() as f64 / 1000.0),
        _ if !ms.is_multiple_of(60_000) => {
            format!("{} min {} s", ms / 60_000, (ms % 60_000) as f64 / 1000.0)
        }
        _ => [(days, "d"), (hours, "h"), (minutes, "min")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, unit)| format!("{count} {unit}"))
            .collect::<Vec<_>>()
            .join(" "),
    }
}

/// A duration as config.toml has it: "500ms", "90s", "3m", "1h".
pub(crate) fn notation(duration: Duration) -> String {
    match duration.as_millis() {
        ms if !ms.is_multiple_of(1000) => format!("{ms}ms"),
        ms if !ms.is_multiple_of(60_000) => format!("{}s", ms / 1000),
        ms if !ms.is_multiple_of(3_600_000) => format!("{}m", ms / 60_000),
        ms => format!("{}h", ms / 3_600_000),
    }
}

/// An id made from a name: "API Gateway" -> "api-gateway".
pub(crate) fn slug(name: &str) -> String {
    let dashed: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .collect();
    dashed.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let keys = ["timeout", "tier", "every", "url"];
        assert_eq!(nearest("tiemout", keys), Some("timeout"));
        assert_eq!(nearest("URL", keys), Some("url"));
        assert_eq!(nearest("banana", keys), None);
    }

    #[test]
    fn durations_read_well() {
        let cases = [
            (500, "500 ms"),
            (1500, "1.5 s"),
            (60_000, "1 min"),
            (90_000, "1 min 30 s"),
            (5_400_000, "1 h 30 min"),
            (604_800_000, "7 d"),
        ];
        for (ms, text) in cases {
            assert_eq!(duration(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn durations_are_written_short() {
        for (ms, text) in
            [(500, "500ms"), (1500, "1500ms"), (90_000, "90s"), (180_000, "3m"), (3_600_000, "1h")]
        {
            assert_eq!(notation(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn a_slug_is_an_id() {
        assert_eq!(slug("API Gateway (eu)"), "api-gateway-eu");
        assert_eq!(slug("ä"), "");
    }

    #[test]
    fn long_lists_are_cut() {
        let words: Vec<String> = (0..14).map(|n| n.to_string()).collect();
        assert!(list(words.iter().map(String::as_str)).ends_with("`11` and 2 more"));
    }
}
