use crate::time::Millis;

/// A duration for people, its two largest units: `4 min 12 s`, `3 h 41 min`.
pub fn humanize(ms: Millis) -> String {
    let seconds = (ms.max(0) + 500) / 1000;
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    let parts = match (days, hours, minutes) {
        (0, 0, 0) => [(rest, "s"), (0, "")],
        (0, 0, _) => [(minutes, "min"), (rest, "s")],
        (0, _, _) => [(hours, "h"), (minutes, "min")],
        _ => [(days, "d"), (hours, "h")],
    };
    let [(first, unit), second] = parts;
    match second {
        (0, _) => format!("{first} {unit}"),
        (more, smaller) => format!("{first} {unit} {more} {smaller}"),
    }
}

/// "1 service", "5 services"
pub(crate) fn services(count: usize) -> String {
    if count == 1 { "1 service".to_owned() } else { format!("{count} services") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        let texts = [0, 999, 12_000, 60_000, 252_000, 13_260_000, 90_000_000, -5].map(humanize);
        assert_eq!(
            texts,
            ["0 s", "1 s", "12 s", "1 min", "4 min 12 s", "3 h 41 min", "1 d 1 h", "0 s"]
        );
    }
}
