//! What the kinds that ask a database for a value have in common.

pub(crate) mod dialogue;

use std::borrow::Cow;

use serde_json::Value;

use self::dialogue::LONGEST_MESSAGE;
use crate::failure::Failure;
use crate::field::{Field, FieldType, Parsed, Section, line, mistake};
use crate::text::clean;
use crate::trace::Trace;

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
