use std::fmt;

/// What kept a figure from being measured, as a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure(String);

pub(crate) type Outcome<T> = Result<T, Failure>;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Failure {
    fn from(sentence: String) -> Self {
        Self(sentence)
    }
}

impl From<&str> for Failure {
    fn from(sentence: &str) -> Self {
        Self(sentence.to_owned())
    }
}

/// Puts a sentence before what went wrong.
pub(crate) trait Explain<T> {
    /// `sentence` says what was wanted and what to do; the error's own words
    /// follow in parentheses.
    fn explain(self, sentence: &str) -> Outcome<T>;
}

impl<T, E: fmt::Display> Explain<T> for Result<T, E> {
    fn explain(self, sentence: &str) -> Outcome<T> {
        self.map_err(|error| Failure(format!("{sentence} ({error})")))
    }
}
