use std::fmt;
use std::ops::Range;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
};
use serde::Serialize;

/// Something wrong with config.toml, or (among warnings) worth knowing: where,
/// what, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The id of the service it is in.
    pub service: Option<String>,
    /// The key from the table it is in: `url`, `expect_json[0].path`; empty
    /// for the whole.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: String,
    /// The bytes of the text it is about.
    #[serde(skip)]
    pub span: Range<usize>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, " ({})", self.help) }
    }
}

/// A config.toml that cannot be used: everything that is wrong with it.
///
/// Displays as one line a problem, `file:line:column: message (help)`.
#[derive(Clone, thiserror::Error)]
#[error("{}", self.lines().join("\n"))]
pub struct Invalid {
    source_name: String,
    text: String,
    problems: Vec<Problem>,
}

impl fmt::Debug for Invalid {
    /// Without the text: people write passwords into it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invalid")
            .field("source_name", &self.source_name)
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

impl Invalid {
    pub(crate) fn new(source_name: &str, text: &str, problems: Vec<Problem>) -> Self {
        Self { source_name: source_name.to_owned(), text: text.to_owned(), problems }
    }

    /// In the order of the text, never empty.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// One line a problem: `file:line:column: message (help)`.
    pub fn lines(&self) -> Vec<String> {
        self.problems.iter().map(|problem| format!("{}:{problem}", self.source_name)).collect()
    }

    /// For a terminal: every problem beneath the lines it is about.
    pub fn render(&self, colour: bool) -> String {
        let theme =
            if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_links(false);
        let text = NamedSource::new(&self.source_name, self.text.clone());
        let mut out = String::new();
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                out.push('\n');
            }
            let written = handler.render_report(&mut out, &Report { problem, text: &text });
            // The handler fails only where the writer does, and a string does not.
            debug_assert!(written.is_ok());
        }
        out
    }
}

/// One problem with the text it is about, as miette wants them.
#[derive(Debug, thiserror::Error)]
#[error("{}", problem.message)]
struct Report<'a> {
    problem: &'a Problem,
    text: &'a NamedSource<String>,
}

impl Diagnostic for Report<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.problem.help.is_empty())
            .then(|| Box::new(&self.problem.help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(LabeledSpan::underline(self.problem.span.clone()))))
    }
}
