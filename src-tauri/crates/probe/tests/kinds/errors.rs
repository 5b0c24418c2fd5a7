//! docs/errors.md: what each kind of check says when something is wrong, as
//! the tests have seen it against real servers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

#[allow(clippy::disallowed_types, reason = "held while a file is rewritten, by tests only")]
static WRITING: std::sync::Mutex<()> = std::sync::Mutex::new(());

const HEAD: &str = "\
# What Pilotlight says when something is wrong

Every message below was seen by a test that did it to a real server. `make errors` writes this table anew.

| Check | Situation | Message |
|---|---|---|
";

type Table = BTreeMap<(String, String), String>;

/// Asserts that docs/errors.md says exactly this, ports and temporary paths
/// aside; with `PILOTLIGHT_WRITE_ERRORS` set, makes it say so.
pub fn documented(kind: &str, situation: &str, message: &str) {
    if std::env::var_os("PILOTLIGHT_WRITE_ERRORS").is_some() {
        document_in(&file(), kind, situation, message);
    } else {
        assert_documented_in(&file(), kind, situation, message);
    }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/errors.md")
}

fn document_in(file: &Path, kind: &str, situation: &str, message: &str) {
    let _held = WRITING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut table = parse(&fs::read_to_string(file).unwrap_or_default());
    table.insert((kind.to_owned(), situation.to_owned()), steady(message));
    fs::write(file, print(&table)).expect("docs/errors.md is written");
}

fn assert_documented_in(file: &Path, kind: &str, situation: &str, message: &str) {
    let table = parse(&fs::read_to_string(file).expect("docs/errors.md is there"));
    let there = table.get(&(kind.to_owned(), situation.to_owned()));
    assert_eq!(
        there,
        Some(&steady(message)),
        "docs/errors.md on {kind}, {situation}; `make errors` writes it anew"
    );
}

/// The message without what differs between runs: ports, temporary
/// directories, dates, keys.
pub fn steady(message: &str) -> String {
    static CHANGES: LazyLock<[(Regex, &str); 5]> = LazyLock::new(|| {
        let temp = std::env::temp_dir();
        let temp = regex::escape(temp.to_str().expect("a plain name").trim_end_matches('/'));
        [
            (r"(127\.0\.0\.1|localhost|\[::1\]):\d+".to_owned(), "$1:PORT"),
            (format!(r"{temp}/[\w.-]+"), "DIR"),
            (r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?(\.\d+)?Z?)?".to_owned(), "DATE"),
            (r"SHA256:[A-Za-z0-9+/]+=*".to_owned(), "SHA256:FINGERPRINT"),
            (r"\b([0-9A-Fa-f]{2}:){19,}[0-9A-Fa-f]{2}\b".to_owned(), "FINGERPRINT"),
        ]
        .map(|(pattern, by)| (Regex::new(&pattern).expect("valid"), by))
    });
    CHANGES.iter().fold(message.to_owned(), |text, (pattern, by)| {
        pattern.replace_all(&text, *by).into_owned()
    })
}

fn parse(text: &str) -> Table {
    let rows = text.lines().skip_while(|line| *line != "|---|---|---|").skip(1);
    rows.filter_map(|line| {
        let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let mut cells = line.splitn(3, " | ").map(|cell| cell.replace(r"\|", "|"));
        Some(((cells.next()?, cells.next()?), cells.next()?))
    })
    .collect()
}

fn print(table: &Table) -> String {
    let cell = |text: &str| text.replace('|', r"\|");
    table.iter().fold(HEAD.to_owned(), |page, ((kind, situation), message)| {
        page + &format!("| {} | {} | {} |\n", cell(kind), cell(situation), cell(message))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_between_runs_is_left_out() {
        let temp = std::env::temp_dir();
        for (message, expected) in [
            ("connection refused (127.0.0.1:40123)", "connection refused (127.0.0.1:PORT)"),
            ("no answer from [::1]:1 within 300 ms", "no answer from [::1]:PORT within 300 ms"),
            (&format!("cannot read {}/.tmpX1/ca.pem", temp.display()), "cannot read DIR/ca.pem"),
            ("expired on 2026-11-21 10:00", "expired on DATE"),
            ("key SHA256:aGVsbG8/+x is not", "key SHA256:FINGERPRINT is not"),
            ("version 7.0.15, 4 replicas", "version 7.0.15, 4 replicas"),
        ] {
            assert_eq!(steady(message), expected);
        }
    }

    #[test]
    fn rows_are_kept_sorted_and_checked() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("errors.md");
        document_in(&file, "tcp", "stopped", "refused (127.0.0.1:5)");
        document_in(&file, "tcp", "hanging", "old");
        document_in(&file, "redis", "stopped", "a | b");
        document_in(&file, "tcp", "hanging", "no answer");
        let page = fs::read_to_string(&file).expect("written");
        let rows = "| redis | stopped | a \\| b |\n\
                    | tcp | hanging | no answer |\n\
                    | tcp | stopped | refused (127.0.0.1:PORT) |\n";
        assert_eq!(page, format!("{HEAD}{rows}"));
        assert_documented_in(&file, "redis", "stopped", "a | b");
        assert_documented_in(&file, "tcp", "stopped", "refused (127.0.0.1:77)");
    }

    #[test]
    #[should_panic(expected = "docs/errors.md on tcp, stopped")]
    fn another_message_is_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("errors.md");
        document_in(&file, "tcp", "stopped", "refused");
        assert_documented_in(&file, "tcp", "stopped", "gone");
    }

    #[test]
    #[should_panic(expected = "docs/errors.md on tcp, hanging")]
    fn a_missing_row_is_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("errors.md");
        document_in(&file, "tcp", "stopped", "refused");
        assert_documented_in(&file, "tcp", "hanging", "refused");
    }
}
