//! What the kinds that ask a database for a value have in common.

#[cfg(test)]
pub(crate) mod fake;

use std::borrow::Cow;

use serde_json::Value;

use crate::dialogue::Dialogue;
use crate::dialogue::messages::is_tls_alert;
use crate::failure::Failure;
use crate::field::{Field, FieldType, Parsed, Section, line, mistake};
use crate::text::clean;
use crate::trace::Trace;

/// What one message may take.
pub(crate) const LONGEST_MESSAGE: usize = 64 * 1024;

/// What a server may send in one check.
const LONGEST_DIALOGUE: usize = 1024 * 1024;

/// Who asks, where the protocol wants a name.
pub(crate) const USER: Field =
    Field::required("user", "User", "The name it logs in by.", FieldType::Text)
        .within(Section::Login);

pub(crate) const PASSWORD: Field = Field::optional(
    "password",
    "Password",
    "The user's password; without it, none is sent.",
    FieldType::Secret,
)
.within(Section::Login);

pub(crate) const QUERY: Field = Field::optional(
    "query",
    "Query",
    "SQL for a value, in a read-only transaction; fails when it gives no row, or NULL.",
    FieldType::Multiline,
)
.or("SELECT 1")
.within(Section::Request);

pub(crate) const EXPECT: Field = Field::optional(
    "expect",
    "Expected value",
    "The first column of the first row must be exactly this, as text.",
    FieldType::Text,
)
.within(Section::Expect);

/// Reads a text for a protocol in which NUL ends texts.
pub(crate) fn name(value: &Value) -> Parsed<&str> {
    sendable(line(value)?)
}

/// The same, in several lines.
pub(crate) fn statement(value: &Value) -> Parsed<&str> {
    sendable(crate::field::text(value)?)
}

fn sendable(text: &str) -> Parsed<&str> {
    if text.contains('\0') {
        return Err(vec![mistake("the text has a NUL character", "leave it out")]);
    }
    if text.len() > LONGEST_MESSAGE {
        return Err(vec![mistake("the text is too long", "use at most 64 KiB")]);
    }
    Ok(text)
}

impl Dialogue {
    /// Exactly that many bytes, of which there may be 64 KiB.
    pub(crate) async fn read(&mut self, length: usize) -> Result<Vec<u8>, Failure> {
        if length > LONGEST_MESSAGE || self.heard() > LONGEST_DIALOGUE {
            return Err(self.too_long());
        }
        self.exactly(length).await
    }

    /// The same, in an array.
    pub(crate) async fn read_array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.read(N).await?);
        Ok(bytes)
    }

    /// The server says more than is listened to.
    pub(crate) fn too_long(&self) -> Failure {
        Failure::Unexpected(format!(
            "the answer is too long ({}): ask for one value",
            self.trace().endpoint()
        ))
    }

    /// The server does not keep to the protocol.
    pub(crate) fn not_understood(&self, answer: &[u8]) -> Failure {
        self.trace().saw_body(answer);
        let (endpoint, protocol) = (self.trace().endpoint(), self.protocol());
        Failure::Unexpected(if is_tls_alert(answer) {
            format!("{endpoint} speaks TLS only: set `tls = true`")
        } else {
            format!("{endpoint} does not speak {protocol}: check `port` and `tls`")
        })
    }
}

/// The value that was asked for, for people, if it is as expected.
pub(crate) fn judge(
    value: Option<&str>,
    expected: Option<&str>,
    asked: &str,
    trace: &Trace,
) -> Result<String, Failure> {
    let Some(value) = value else {
        let found = format!("{asked} found nothing ({})", trace.endpoint());
        return Err(Failure::Unexpected(match expected {
            Some(expected) => format!("expected \"{}\", but {found}", clean(expected)),
            None => found,
        }));
    };
    match expected {
        Some(expected) if expected != value => {
            trace.saw_body(value.as_bytes());
            let (expected, value) = (clean(expected), clean(value));
            Err(Failure::Unexpected(format!("expected \"{expected}\", got \"{value}\"")))
        }
        _ => Ok(shown(value).into_owned()),
    }
}

fn shown(value: &str) -> Cow<'_, str> {
    match clean(value) {
        empty if empty.is_empty() => Cow::Borrowed("\"\""),
        value => Cow::Owned(value),
    }
}
