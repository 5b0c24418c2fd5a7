//! What is said to a server, and what its answer must hold, where the
//! protocol is the person's own.

use std::fmt::Write;

use regex::Regex;

use crate::field::{Field, FieldType, Form, Parsed, Section, escaped, regex};
use crate::text::clean;

/// The bytes to say, where there is nothing to say unless the key is there.
pub(crate) const SEND: Field = Field::optional(
    "send",
    "Send",
    r"What is said first: text, with \r, \n, \t, \xNN and \\.",
    FieldType::Multiline,
)
.within(Section::Request);

pub(crate) const EXPECT: Field = Field::optional(
    "expect",
    "Expected text",
    r"Text that the first 64 KiB of the answer contain, with \r, \n, \t, \xNN and \\.",
    FieldType::Multiline,
)
.within(Section::Expect);

pub(crate) const EXPECT_REGEX: Field = Field::optional(
    "expect_regex",
    "Expected pattern",
    "Regular expression that the first 64 KiB of the answer match.",
    FieldType::Regex,
)
.within(Section::Expect);

/// As much of an answer as is looked at.
pub(crate) const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What an answer must hold. All of it must be there.
#[derive(Debug)]
pub(crate) struct Expected {
    text: Option<Vec<u8>>,
    regex: Option<Regex>,
}

impl Expected {
    /// Reads [`EXPECT`] and [`EXPECT_REGEX`].
    pub(crate) fn read(form: &Form<'_>) -> Parsed<Self> {
        Ok(Self {
            text: form.optional("expect", escaped)?,
            regex: form.optional("expect_regex", regex)?,
        })
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.text.is_none() && self.regex.is_none()
    }

    /// What `answer` has not got, for people: `"+PONG"`, `/^220 /`.
    pub(crate) fn missing(&self, answer: &[u8]) -> Option<String> {
        let text = self.text.as_ref();
        if let Some(text) =
            text.filter(|text| !answer.windows(text.len()).any(|part| part == *text))
        {
            return Some(shown(text));
        }
        let regex = self.regex.as_ref();
        regex
            .filter(|regex| !regex.is_match(&String::from_utf8_lossy(answer)))
            .map(|regex| format!("/{}/", clean(regex.as_str())))
    }
}

const BYTES_SHOWN: usize = 8;

/// Bytes for people: the first line in quotes where they are text, else how
/// many they are and how they begin.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let line = std::str::from_utf8(bytes).ok().and_then(|text| {
        let printable = text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace());
        text.trim().lines().next().filter(|_| printable)
    });
    if let Some(line) = line {
        return format!("\"{}\"", clean(line));
    }
    let mut text = format!("{} bytes", bytes.len());
    for (place, byte) in bytes.iter().take(BYTES_SHOWN).enumerate() {
        text.push_str(if place == 0 { ": " } else { " " });
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    if bytes.len() > BYTES_SHOWN {
        text.push_str(" …");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_for_people() {
        for (bytes, text) in [
            (b"+PONG\r\n".as_slice(), "\"+PONG\""),
            (b"220 mail ESMTP\r\n250 more", "\"220 mail ESMTP\""),
            (b"", "0 bytes"),
            (b"\0\xff", "2 bytes: 00 ff"),
            (b"\r\n", "2 bytes: 0d 0a"),
            (b"\x1c\0\0\0\0\0\0\0\0", "9 bytes: 1c 00 00 00 00 00 00 00 …"),
        ] {
            assert_eq!(shown(bytes), text);
        }
    }

    #[test]
    fn all_that_is_expected_must_be_there() {
        let expected = |text: Option<&[u8]>, regex: Option<&str>| Expected {
            text: text.map(<[u8]>::to_vec),
            regex: regex.map(|regex| Regex::new(regex).expect("valid")),
        };
        let both = expected(Some(b"b\0c"), Some("^a"));
        assert_eq!(both.missing(b"ab\0c"), None);
        assert_eq!(both.missing(b"abc"), Some("3 bytes: 62 00 63".to_owned()));
        assert_eq!(both.missing(b"xb\0c"), Some("/^a/".to_owned()));
        assert_eq!(both.missing(b""), Some("3 bytes: 62 00 63".to_owned()));
        assert!(expected(None, None).is_nothing());
        assert!(!both.is_nothing());
    }
}
