use std::ops::Range;

use probe::{FieldError, Step};

use crate::problem::Problem;

/// A mistake in a table of keys, or something worth knowing about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// From the table to the place; empty for the table itself.
    pub(crate) path: Vec<Step>,
    /// Whether it is about the key, not its value.
    pub(crate) on_key: bool,
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Finding {
    pub(crate) fn at(path: Vec<Step>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { path, on_key: false, message: message.into(), help: help.into() }
    }

    pub(crate) fn value(key: &str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::at(vec![Step::Key(key.to_owned())], message, help)
    }

    pub(crate) fn key(key: &str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { on_key: true, ..Self::value(key, message, help) }
    }

    pub(crate) fn whole(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::at(Vec::new(), message, help)
    }

    /// The key of the table that it is in.
    pub(crate) fn top_key(&self) -> Option<&str> {
        match self.path.first() {
            Some(Step::Key(key)) => Some(key),
            Some(Step::Index(_)) | None => None,
        }
    }
}

impl From<FieldError> for Finding {
    fn from(error: FieldError) -> Self {
        Self::at(error.path, error.message, error.help)
    }
}

/// `expect_json[0].path`
pub(crate) fn path_text(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.extend([".", key]),
            Step::Index(index) => text.extend(["[", &index.to_string(), "]"]),
        }
    }
    text
}

/// The text of a config file, and where its lines begin.
pub(crate) struct Source<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { text, line_starts: std::iter::once(0).chain(after_newlines).collect() }
    }

    /// Line from 1, column in characters from 1.
    pub(crate) fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let line_start = self.line_starts[line - 1];
        let before = self.text.get(line_start..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    pub(crate) fn problem(
        &self,
        span: Range<usize>,
        service: Option<String>,
        finding: Finding,
    ) -> Problem {
        let (line, column) = self.position(span.start);
        let field = path_text(&finding.path);
        Problem { line, column, service, field, message: finding.message, help: finding.help, span }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_one_and_in_characters() {
        let source = Source::new("a\nöb = 1\n");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(1), (1, 2));
        assert_eq!(source.position(4), (2, 2));
        assert_eq!(source.position(99), (3, 1));
    }

    #[test]
    fn paths_read_like_code() {
        let path =
            [Step::Key("expect_json".to_owned()), Step::Index(0), Step::Key("path".to_owned())];
        assert_eq!(path_text(&path), "expect_json[0].path");
    }
}
