//! What a plugin prints, as the Nagios Plugin Development Guidelines have it
//! ("Plugin Output for Nagios", "Performance data", "Threshold and Ranges").

use health::Measurement;

use crate::text::clean;

/// Figures that are kept of one output.
const MAX_FIGURES: usize = 32;
const MAX_LABEL_CHARS: usize = 64;
const MAX_UNIT_CHARS: usize = 8;

/// The text for people and the performance data:
/// 1. On the first line, text up to `|`, then data.
/// 2. Then lines of text up to the next `|`; all after that is data.
pub(super) fn split(output: &str) -> (String, String) {
    let (first, rest) = output.split_once('\n').unwrap_or((output, ""));
    let (first, data) = first.split_once('|').unwrap_or((first, ""));
    let (long, more) = rest.split_once('|').unwrap_or((rest, ""));
    (format!("{first}\n{long}"), format!("{data}\n{more}"))
}

/// Every figure in the data, the first of a label: `'label'=value[UOM];[warn];
/// [crit];[min];[max]`, separated by spaces. What is not in that form, and
/// values that are not known (`U`), are left out.
pub(super) fn figures(data: &str) -> Vec<Measurement> {
    let mut figures: Vec<Measurement> = Vec::new();
    let mut rest = data.trim_start();
    while !rest.is_empty() && figures.len() < MAX_FIGURES {
        let (label, after) = label(rest);
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let (word, after) = after.split_at(end);
        if let Some(figure) = label.zip(word.strip_prefix('=')).and_then(|(l, w)| figure(l, w))
            && !figures.iter().any(|known| known.name == figure.name)
        {
            figures.push(figure);
        }
        rest = after.trim_start();
    }
    figures
}

/// The label at the beginning, and what comes after it; it is quoted if it has
/// spaces, and a quote in it is doubled.
fn label(text: &str) -> (Option<String>, &str) {
    let Some(quoted) = text.strip_prefix('\'') else {
        let end = text.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(text.len());
        let (label, rest) = text.split_at(end);
        return (named(label), rest);
    };
    let mut from = 0;
    while let Some(found) = quoted[from..].find('\'') {
        let end = from + found;
        match quoted[end + 1..].strip_prefix('\'') {
            Some(_) => from = end + 2,
            None => return (named(&quoted[..end].replace("''", "'")), &quoted[end + 1..]),
        }
    }
    // It does not end: nothing after it can be told apart.
    (None, "")
}

fn named(label: &str) -> Option<String> {
    let label: String = clean(label).chars().take(MAX_LABEL_CHARS).collect();
    (!label.is_empty()).then_some(label)
}

fn figure(label: String, word: &str) -> Option<Measurement> {
    let mut parts = word.split(';');
    let (value, unit) = number(parts.next()?)?;
    let (unit, factor) = normal(unit)?;
    let mut limit = || Some(above(parts.next()?)? * factor).filter(|limit| limit.is_finite());
    let (degraded_at, unhealthy_at) = (limit(), limit());
    let value = value * factor;
    let figure = Measurement { degraded_at, unhealthy_at, ..Measurement::new(label, value, unit) };
    value.is_finite().then_some(figure)
}

/// The number at the beginning and what follows it.
fn number(text: &str) -> Option<(f64, &str)> {
    let is_exponent = |at: usize| {
        let rest = text[at + 1..].trim_start_matches(['+', '-']);
        rest.starts_with(|c: char| c.is_ascii_digit())
    };
    let end = text.char_indices().find(|&(at, c)| match c {
        '0'..='9' | '.' => false,
        '+' | '-' => at > 0 && !text[..at].ends_with(['e', 'E']),
        'e' | 'E' => !is_exponent(at),
        _ => true,
    });
    let (number, rest) = text.split_at(end.map_or(text.len(), |(at, _)| at));
    let number: f64 = number.parse().ok()?;
    number.is_finite().then_some((number, rest))
}

/// A unit as charts have it, and by what values are multiplied. `KB` and the
/// like are powers of 1024, as the Monitoring Plugins count.
fn normal(unit: &str) -> Option<(&str, f64)> {
    let (unit, factor) = match unit {
        "us" => ("ms", 1e-3),
        "ns" => ("ms", 1e-6),
        "KB" | "kB" | "KiB" => ("B", 1024.0),
        "MB" | "MiB" => ("B", 1024.0 * 1024.0),
        "GB" | "GiB" => ("B", 1024.0 * 1024.0 * 1024.0),
        "TB" | "TiB" => ("B", 1024.0 * 1024.0 * 1024.0 * 1024.0),
        "PB" | "PiB" => ("B", 1024.0 * 1024.0 * 1024.0 * 1024.0 * 1024.0),
        other => (other, 1.0),
    };
    // Anything else is no unit, but a number in a form that is not known.
    let is_unit = |c: char| c.is_alphabetic() || matches!(c, '%' | '°' | '/' | '_');
    (unit.chars().count() <= MAX_UNIT_CHARS && unit.chars().all(is_unit)).then_some((unit, factor))
}

/// From where on a range of good values, `[@][start:]end`, is left upwards:
/// 1. `10`, `5:10` and `~:10` at the end.
/// 2. `@10:`, which is bad from there on, at the start.
/// 3. `10:` and other ranges turned round never.
fn above(range: &str) -> Option<f64> {
    let bound = |text: &str| text.parse::<f64>().ok().filter(|bound| bound.is_finite());
    if let Some(bad) = range.strip_prefix('@') {
        let (start, end) = bad.split_once(':')?;
        return if end.is_empty() { bound(start) } else { None };
    }
    let (start, end) = range.split_once(':').unwrap_or(("0", range));
    let end = bound(end)?;
    let is_range = start == "~" || bound(start).is_some_and(|start| start <= end);
    is_range.then_some(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Name, value, unit and limits as text.
    fn told(data: &str) -> Vec<String> {
        let limit = |limit: Option<f64>| limit.map_or("-".to_owned(), |limit| limit.to_string());
        let figures = figures(data).into_iter().map(|f| {
            let (degraded, unhealthy) = (limit(f.degraded_at), limit(f.unhealthy_at));
            format!("{}={}{} {degraded} {unhealthy}", f.name, f.value, f.unit)
        });
        figures.collect()
    }

    #[test]
    fn figures_in_every_form() {
        for (data, expected) in [
            ("", &[][..]),
            ("time=0.002s;;;0.000 size=612B;;;0", &["time=0.002s - -", "size=612B - -"]),
            ("load1=0.5;5;10;0;", &["load1=0.5 5 10"]),
            ("rta=12.5ms;100;500 pl=0%;20;60", &["rta=12.5ms 100 500", "pl=0% 20 60"]),
            ("'/var log'=3MB;4;5;0;6", &["/var log=3145728B 4194304 5242880"]),
            ("'it''s'=1 'a=b'=2", &["it's=1 - -", "a=b=2 - -"]),
            ("''''=1", &["'=1 - -"]),
            ("x=1500us;2000", &["x=1.5ms 2 -"]),
            ("packets=42c", &["packets=42c - -"]),
            ("t=21.5°C w=3kWh", &["t=21.5°C - -", "w=3kWh - -"]),
            (
                "n=-1.5 p=+2 e=1e3 f=2.5E-1s",
                &["n=-1.5 - -", "p=2 - -", "e=1000 - -", "f=0.25s - -"],
            ),
            ("a=1;10:20;~:30", &["a=1 20 30"]),
            ("a=1;@10:20;@30:", &["a=1 - 30"]),
            ("a=1;10:;5:", &["a=1 - -"]),
            ("a=1;20:10;x", &["a=1 - -"]),
            ("a=U;1;2 b=2", &["b=2 - -"]),
            ("a b=2 c= =4 d=x e=5", &["b=2 - -", "e=5 - -"]),
            ("a=1,5s b=1.2.3 c=--1 d=1;nan;inf", &["d=1 - -"]),
            ("a=1 a=2", &["a=1 - -"]),
            ("a=1 'never ends=2 b=3", &["a=1 - -"]),
            ("a=1e999 b=1e308KB c=1averylongunit", &[]),
            ("  a=1\t\r\nb=2\n", &["a=1 - -", "b=2 - -"]),
            ("''=1 'x\u{1b}'=2", &["x\\u{1b}=2 - -"]),
        ] {
            assert_eq!(told(data), expected, "{data}");
        }
    }

    #[test]
    fn figures_are_bounded() {
        let many = (0..100).fold(String::new(), |data, n| data + &format!("f{n}={n} "));
        assert_eq!(figures(&many).len(), MAX_FIGURES);
        let long = format!("{}=1", "x".repeat(10_000));
        assert_eq!(figures(&long)[0].name.len(), MAX_LABEL_CHARS);
    }

    #[test]
    fn text_and_data_are_told_apart() {
        for (output, text, data) in [
            ("", "\n", "\n"),
            ("OK - fine", "OK - fine\n", "\n"),
            ("OK | a=1", "OK \n", " a=1\n"),
            ("OK | a=1\nmore\nand more | b=2\nc=3\n", "OK \nmore\nand more ", " a=1\n b=2\nc=3\n"),
            ("OK\nmore | b=2\nc=3", "OK\nmore ", "\n b=2\nc=3"),
        ] {
            assert_eq!(split(output), (text.to_owned(), data.to_owned()), "{output}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_printed_is_read(output in any::<String>()) {
            let (_, data) = split(&output);
            for figure in figures(&data).into_iter().chain(figures(&output)) {
                prop_assert!(figure.value.is_finite());
            }
        }

        #[test]
        fn whatever_looks_like_data_is_read(
            data in "([ '=;:@~|]|[0-9.]{1,4}|[+\\-eEU]|ms|us|KB|%|°|\u{1b}|é|\n){0,40}"
        ) {
            for figure in figures(&data) {
                prop_assert!(figure.value.is_finite());
                prop_assert!(!figure.name.is_empty());
            }
        }

        #[test]
        fn what_is_well_formed_comes_back(label in "[a-z' ]{0,6}[a-z]", value in -1e9..1e9f64) {
            let data = format!("'{}'={value}s;1;2", label.replace('\'', "''"));
            let label = label.trim();
            prop_assert_eq!(told(&data), [format!("{label}={value}s 1 2")]);
        }
    }
}
