//! Commands and responses of IMAP (RFC 3501).

use std::fmt;

use crate::dialogue::Dialogue;
use crate::failure::Failure;
use crate::text::clean;

/// The most that may come in answer to a command, literals included.
const MAX_BYTES: usize = 256 * 1024;

/// What came of a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    /// `OK`, `NO` or `BAD`.
    status: String,
    /// What follows the status.
    pub(super) text: String,
    /// What came before it, without the stars.
    pub(super) untagged: Vec<String>,
}

impl Response {
    /// Sends a command and hears what comes of it.
    pub(super) async fn to(
        dialogue: &mut Dialogue,
        tag: &str,
        command: &str,
    ) -> Result<Self, Failure> {
        dialogue.say(&format!("{tag} {command}")).await?;
        match hear(dialogue, tag).await? {
            Heard::Response(response) => Ok(response),
            Heard::GoOn => Err(dialogue.not("an answer", "+")),
        }
    }

    pub(super) fn is_ok(&self) -> bool {
        self.status == "OK"
    }

    /// `AUTHENTICATIONFAILED` of `NO [AUTHENTICATIONFAILED] …` (RFC 5530).
    pub(super) fn code(&self) -> Option<String> {
        let (code, _) = self.text.strip_prefix('[')?.split_once(']')?;
        code.split_ascii_whitespace().next().map(str::to_ascii_uppercase)
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, clean(without_time(&self.text)))
    }
}

/// Dovecot ends with how long it took, which would make every message another:
/// `Mailbox doesn't exist: x (0.001 + 0.000 secs).`
fn without_time(text: &str) -> &str {
    match text.strip_suffix(" secs).").and_then(|text| text.rsplit_once(" (")) {
        Some((text, _)) => text,
        None => text,
    }
}

enum Heard {
    Response(Response),
    /// The server wants the rest of the command.
    GoOn,
}

async fn hear(dialogue: &mut Dialogue, tag: &str) -> Result<Heard, Failure> {
    let mut untagged = Vec::new();
    let mut left = MAX_BYTES;
    loop {
        let line = whole_line(dialogue, &mut left).await?;
        let (first, rest) = line.split_once(' ').unwrap_or((&line, ""));
        if first == "*" {
            let (word, text) = rest.split_once(' ').unwrap_or((rest, ""));
            if word.eq_ignore_ascii_case("BYE") {
                return Err(Failure::Unexpected(format!(
                    "the server hangs up ({}): \"{}\"",
                    dialogue.trace().endpoint(),
                    clean(text)
                )));
            }
            untagged.push(rest.to_owned());
        } else if first == "+" {
            return Ok(Heard::GoOn);
        } else if first == tag {
            let (status, text) = rest.split_once(' ').unwrap_or((rest, ""));
            let status = status.to_ascii_uppercase();
            if !["OK", "NO", "BAD"].contains(&status.as_str()) {
                return Err(dialogue.not("OK or NO", &line));
            }
            return Ok(Heard::Response(Response { status, text: text.to_owned(), untagged }));
        } else {
            return Err(dialogue.not("an IMAP response", &line));
        }
    }
}

/// A line of at most `left` bytes, without the literals in it: `{3}`, and three
/// bytes after its end.
async fn whole_line(dialogue: &mut Dialogue, left: &mut usize) -> Result<String, Failure> {
    let mut line = String::new();
    loop {
        let part = dialogue.line().await?;
        spend(left, part.len() + 1, dialogue)?;
        line.push_str(&part);
        let Some(length) = literal(&part) else { return Ok(line) };
        spend(left, length, dialogue)?;
        dialogue.exactly(length).await?;
        line.truncate(line.rfind('{').unwrap_or_default());
    }
}

fn spend(left: &mut usize, bytes: usize, dialogue: &Dialogue) -> Result<(), Failure> {
    let Some(rest) = left.checked_sub(bytes) else {
        let (limit, endpoint) = (MAX_BYTES / 1024, dialogue.trace().endpoint());
        return Err(Failure::Unexpected(format!(
            "an answer of more than {limit} KiB ({endpoint})"
        )));
    };
    *left = rest;
    Ok(())
}

fn literal(line: &str) -> Option<usize> {
    let (_, length) = line.strip_suffix('}')?.rsplit_once('{')?;
    if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(length.parse().unwrap_or(usize::MAX));
    }
    None
}

/// Command after command, each with a tag of its own.
pub(super) struct Talk {
    pub(super) dialogue: Dialogue,
    said: u32,
}

impl Talk {
    pub(super) fn new(dialogue: Dialogue) -> Self {
        Self { dialogue, said: 0 }
    }

    fn tag(&mut self) -> String {
        self.said += 1;
        format!("a{}", self.said)
    }

    /// A command in one line.
    pub(super) async fn ask(&mut self, command: &str) -> Result<Response, Failure> {
        let tag = self.tag();
        Response::to(&mut self.dialogue, &tag, command).await
    }

    /// A command with texts, each as the server can tell it from the rest:
    /// quoted, or as a literal, for which the server has to be ready.
    pub(super) async fn ask_of(
        &mut self,
        command: &str,
        texts: &[&str],
    ) -> Result<Response, Failure> {
        let tag = self.tag();
        let mut line = format!("{tag} {command}");
        for text in texts {
            line.push(' ');
            if let Some(quoted) = quoted(text) {
                line.push_str(&quoted);
                continue;
            }
            line = format!("{line}{{{}}}", text.len());
            self.dialogue.say(&line).await?;
            match hear(&mut self.dialogue, &tag).await? {
                Heard::GoOn => (*text).clone_into(&mut line),
                Heard::Response(response) => return Ok(response),
            }
        }
        self.dialogue.say(&line).await?;
        match hear(&mut self.dialogue, &tag).await? {
            Heard::Response(response) => Ok(response),
            Heard::GoOn => Err(self.dialogue.not("an answer", "+")),
        }
    }

    pub(super) async fn log_in(&mut self, user: &str, password: &str) -> Result<Response, Failure> {
        self.ask_of("LOGIN", &[user, password]).await
    }

    /// Section 6.2.2, with the message of SASL's PLAIN in base64.
    pub(super) async fn authenticate_plain(&mut self, message: &str) -> Result<Response, Failure> {
        let tag = self.tag();
        self.dialogue.say(&format!("{tag} AUTHENTICATE PLAIN")).await?;
        match hear(&mut self.dialogue, &tag).await? {
            Heard::GoOn => {}
            Heard::Response(response) => return Ok(response),
        }
        self.dialogue.say(message).await?;
        match hear(&mut self.dialogue, &tag).await? {
            Heard::Response(response) => Ok(response),
            Heard::GoOn => Err(self.dialogue.not("an answer to the login", "+")),
        }
    }
}

/// As a quoted string, which holds printable ASCII only.
fn quoted(text: &str) -> Option<String> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return None;
    }
    let escaped = text.replace('\\', r"\\").replace('"', r#"\""#);
    Some(format!("\"{escaped}\""))
}

/// A mailbox's name as IMAP has it (RFC 3501, section 5.1.3): printable ASCII
/// is itself, `&` is `&-`, the rest is UTF-16 in a base64 of its own.
pub(super) fn modified_utf7(name: &str) -> String {
    let mut encoded = String::new();
    let mut foreign = Vec::new();
    for c in name.chars() {
        if c == ' ' || c.is_ascii_graphic() {
            shift(&mut foreign, &mut encoded);
            encoded.push(c);
            if c == '&' {
                encoded.push('-');
            }
        } else {
            foreign.extend(c.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    shift(&mut foreign, &mut encoded);
    encoded
}

fn shift(foreign: &mut Vec<u8>, encoded: &mut String) {
    use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
    if !foreign.is_empty() {
        let base64 = BASE64_STANDARD_NO_PAD.encode(foreign.as_slice()).replace('/', ",");
        encoded.extend(["&", &base64, "-"]);
        foreign.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_mailboxes() {
        for (name, encoded) in [
            ("INBOX", "INBOX"),
            ("Tom & Jerry", "Tom &- Jerry"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("😀", "&2D3eAA-"),
        ] {
            assert_eq!(modified_utf7(name), encoded);
        }
    }

    #[test]
    fn texts_are_quoted_where_they_can_be() {
        assert_eq!(quoted("app").as_deref(), Some("\"app\""));
        assert_eq!(quoted(r#"a "b\"#).as_deref(), Some(r#""a \"b\\""#));
        for text in ["grün", "a\tb", "\u{7f}"] {
            assert_eq!(quoted(text), None, "{text}");
        }
    }

    #[test]
    fn the_same_failure_reads_the_same() {
        assert_eq!(without_time("No such mailbox (0.001 + 0.000 secs)."), "No such mailbox");
        assert_eq!(without_time("No such mailbox (x)."), "No such mailbox (x).");
    }

    #[test]
    fn literals_at_the_end_of_a_line() {
        assert_eq!(literal("* LIST () \"/\" {12}"), Some(12));
        assert_eq!(literal("{99999999999999999999999}"), Some(usize::MAX));
        for line in ["{12} x", "{}", "12}", "{-1}", "{1x}", ""] {
            assert_eq!(literal(line), None, "{line}");
        }
    }
}
