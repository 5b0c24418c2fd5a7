//! What keeps a command from doing its work, as the person who gave it sees it.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use crate::output::remark;

/// The exit code of a usage or config error.
const USAGE: u8 = 3;

/// One line saying what is wrong, one saying what to do about it.
#[derive(Debug)]
pub struct Failure {
    message: String,
    help: String,
}

impl Failure {
    /// A mistake in what was asked, or in what it was asked of.
    pub fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }

    /// Says so on stderr.
    pub(crate) fn report(&self) -> ExitCode {
        remark(&self.to_string());
        ExitCode::from(USAGE)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, "\n help: {}", self.help) }
    }
}

impl Error for Failure {}

/// As one sentence, for the window.
impl From<Failure> for String {
    fn from(failure: Failure) -> Self {
        let Failure { message, help } = failure;
        if help.is_empty() { message } else { format!("{message}: {help}") }
    }
}

impl From<history::OpenError> for Failure {
    fn from(error: history::OpenError) -> Self {
        Self::usage(error.to_string(), error.help())
    }
}
