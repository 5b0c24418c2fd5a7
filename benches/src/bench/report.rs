//! The table: on the terminal, and as docs/measured.md.

use std::fmt::Write;
use std::time::Duration;

use super::failure::Outcome;
use super::figures::Figure;
use super::machine;
use super::stage::{Pace, Stage};

/// One line of the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    what: String,
    target: String,
    measured: String,
    beside: String,
    holds: Option<bool>,
}

impl Line {
    /// What was measured, and what came of it.
    pub fn new(what: impl Into<String>, measured: impl Into<String>) -> Self {
        let (what, measured) = (what.into(), measured.into());
        Self { what, target: String::new(), measured, beside: String::new(), holds: None }
    }

    /// What it is to be, and whether it is.
    #[must_use]
    pub fn target(self, target: impl Into<String>, holds: bool) -> Self {
        Self { target: target.into(), holds: Some(holds), ..self }
    }

    /// What it comes to beside a peer of the same run.
    #[must_use]
    pub fn beside(self, beside: impl Into<String>) -> Self {
        Self { beside: beside.into(), ..self }
    }

    const fn verdict(&self) -> &'static str {
        match self.holds {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
        }
    }

    fn cells(&self) -> [&str; 5] {
        [&self.what, &self.target, &self.measured, &self.beside, self.verdict()]
    }
}

const HEADS: [&str; 5] = ["figure", "target", "measured", "beside its peer", "holds"];

/// All lines of a run.
#[derive(Debug)]
pub(crate) struct Report {
    machine: String,
    versions: String,
    began: jiff::Zoned,
    took: Duration,
    pace: Pace,
    measured: Vec<(Figure, Vec<Line>)>,
    is_complete: bool,
}

impl Report {
    /// One without lines.
    pub fn begin(stage: &Stage) -> Self {
        Self {
            machine: machine::machine(),
            versions: machine::versions(&stage.program),
            began: jiff::Zoned::now(),
            took: Duration::ZERO,
            pace: stage.pace,
            measured: Vec::new(),
            is_complete: true,
        }
    }

    /// What came of a figure: its lines, or why there are none.
    pub fn add(&mut self, stage: &Stage, figure: Figure, outcome: Outcome<Vec<Line>>) {
        let lines = outcome.unwrap_or_else(|failure| {
            self.is_complete = false;
            let not_measured = format!("not measured: {failure}");
            vec![Line::new(figure.about(), not_measured).target("", false)]
        });
        for line in &lines {
            stage.say(&format!("  {}", in_a_line(line)));
        }
        self.measured.push((figure, lines));
        self.took = stage.elapsed();
    }

    /// Every figure was measured, whether or not it is as it should be.
    pub const fn is_complete(&self) -> bool {
        self.is_complete
    }

    fn lines(&self) -> impl Iterator<Item = &Line> {
        self.measured.iter().flat_map(|(_, lines)| lines)
    }

    /// How many lines have a target, and how many hold theirs.
    fn score(&self) -> String {
        let verdicts: Vec<bool> = self.lines().filter_map(|line| line.holds).collect();
        let hold = verdicts.iter().filter(|holds| **holds).count();
        format!("{hold} of {} targets hold", verdicts.len())
    }

    /// The table in columns.
    pub fn for_terminal(&self) -> String {
        let plain = |cell: &str| cell.replace("**", "");
        let rows = std::iter::once(HEADS).chain(self.lines().map(Line::cells));
        let rows: Vec<[String; 5]> = rows.map(|row| row.map(plain)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let widths: [usize; 5] = std::array::from_fn(|column| width(column).unwrap_or(0));
        let mut text = String::new();
        for row in rows {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            text += cells.collect::<Vec<_>>().join("  ").trim_end();
            text.push('\n');
        }
        text + "\n" + &self.score() + ".\n"
    }

    /// All of it, for docs/measured.md.
    pub fn markdown(&self) -> String {
        let minutes = self.took.as_secs().div_ceil(60);
        let quick = self.pace.pick("", " It was a quick run: short windows, less exact figures.");
        let mut text = format!(
            "# What Pilotlight costs\n\n\
             Written by `make bench` on {}, in one run of {minutes} min on one machine: {}.{quick}\n\n\
             - machine: {}\n- versions: {}\n\n",
            self.began.strftime("%Y-%m-%d"),
            self.score(),
            self.machine,
            self.versions
        );
        let mut row = |cells: [&str; 5]| {
            // A String takes everything.
            let _ =
                writeln!(text, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
        };
        row(HEADS);
        row(["---"; 5]);
        self.lines().for_each(|line| row(line.cells()));
        text += "\n## How\n\n\
                 The released program runs headless as a process of its own, with a config and a data folder \
                 of its own, and asks servers on loopback only. CPU is that of the whole process, user and \
                 system, with all its threads. Checks are counted in its history. Peers are measured in the \
                 same way in the same run.\n\n";
        for (figure, _) in &self.measured {
            let _ = writeln!(text, "- **{}**: {}", figure.about(), figure.how());
        }
        text
    }
}

fn in_a_line(line: &Line) -> String {
    let Line { what, target, measured, beside, .. } = line;
    let extra = |label: &str, text: &str| {
        if text.is_empty() { String::new() } else { format!("; {label}{text}") }
    };
    let verdict = line.verdict().replace("**", "");
    let verdict = if verdict.is_empty() { verdict } else { format!(" -> {verdict}") };
    format!("{what}: {measured}{}{}{verdict}", extra("", beside), extra("target ", target))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            machine: "a machine".to_owned(),
            versions: "pilotlight 1".to_owned(),
            began: jiff::Zoned::default(),
            took: Duration::from_secs(61),
            pace: Pace::Full,
            measured: vec![(
                Figure::Http,
                vec![
                    Line::new("one HTTP check", "300 µs").target("<= 1.5 x", true).beside("1.2 x"),
                    Line::new("one more", "9").target("<= 2", false),
                    Line::new("for information", "5 | 6"),
                ],
            )],
            is_complete: true,
        }
    }

    #[test]
    fn the_file_has_a_row_a_line() {
        let text = report().markdown();
        assert!(
            text.contains("in one run of 2 min on one machine: 1 of 2 targets hold."),
            "{text}"
        );
        assert!(text.contains("| one HTTP check | <= 1.5 x | 300 µs | 1.2 x | yes |\n"), "{text}");
        assert!(text.contains("| one more | <= 2 | 9 |  | **no** |\n"), "{text}");
        assert!(text.contains("| for information |  | 5 \\| 6 |  |  |\n"), "{text}");
    }

    #[test]
    fn columns_of_the_terminal_are_aligned() {
        let text = report().for_terminal();
        let at = |line: &str, word: &str| line.split(word).next().map(|s| s.chars().count());
        let mut lines = text.lines();
        let head = lines.next().expect("a head");
        let first = lines.next().expect("a line");
        assert_eq!(at(head, "measured"), at(first, "300"));
        assert!(!text.contains("**"));
    }
}
