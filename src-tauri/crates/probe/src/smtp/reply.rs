//! What a mail server answers (RFC 5321, section 4.2).

use std::fmt;

use crate::dialogue::Dialogue;
use crate::failure::Failure;
use crate::text::clean;

/// The most lines that one reply may have.
const MAX_LINES: usize = 100;

/// A reply, of all its lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    /// Without the code. Never none.
    pub(super) lines: Vec<String>,
}

impl Reply {
    /// Says `line` and hears the reply.
    pub(super) async fn to(dialogue: &mut Dialogue, line: &str) -> Result<Self, Failure> {
        dialogue.say(line).await?;
        Self::read(dialogue, "an SMTP reply").await
    }

    /// Hears a reply, which is to be `what`.
    pub(super) async fn read(dialogue: &mut Dialogue, what: &str) -> Result<Self, Failure> {
        let mut reply: Option<Self> = None;
        for _ in 0..MAX_LINES {
            let line = dialogue.line().await?;
            let Some((code, is_last, text)) = parse(&line) else {
                return Err(dialogue.not(what, &line));
            };
            let reply = reply.get_or_insert_with(|| Self { code, lines: Vec::new() });
            if code != reply.code {
                return Err(dialogue.not(&format!("more of the reply {}", reply.code), &line));
            }
            reply.lines.push(text.to_owned());
            if is_last {
                return Ok(Self { code, lines: std::mem::take(&mut reply.lines) });
            }
        }
        let endpoint = dialogue.trace().endpoint();
        Err(Failure::Unexpected(format!("a reply of more than {MAX_LINES} lines ({endpoint})")))
    }

    /// All lines as one.
    pub(super) fn text(&self) -> String {
        self.lines.join(" ")
    }

    /// That the server refuses `what`: why, and what can be done.
    pub(super) fn refuses(&self, dialogue: &Dialogue, what: &str) -> Failure {
        let endpoint = dialogue.trace().endpoint();
        Failure::Unexpected(match meaning(self.code) {
            Some(meaning) => format!("{what} refused ({endpoint}): {meaning} ({self})"),
            None => format!("{what} refused ({endpoint}): {self}"),
        })
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = clean(&self.text());
        write!(f, "{} {text}", self.code)
    }
}

/// `250-SIZE 1000` goes on after it, `250 HELP` does not.
fn parse(line: &str) -> Option<(u16, bool, &str)> {
    let (code, rest) = line.split_at_checked(3)?;
    if !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let code = code.parse().ok().filter(|code| (200..600).contains(code))?;
    match rest.as_bytes().first() {
        None | Some(b' ') => Some((code, true, rest.trim())),
        Some(b'-') => Some((code, false, rest[1..].trim())),
        Some(_) => None,
    }
}

/// The codes of RFC 5321, 4954, 7504 and 7817 in plain words.
fn meaning(code: u16) -> Option<&'static str> {
    Some(match code {
        421 => "the server is not available now",
        432 => "the user has to change the password first",
        451 => "the server has an error",
        452 => "the server has no room left",
        454 => "the server cannot do it for the moment",
        500 | 502 => "the server does not know the command",
        501 => "the server does not accept what was sent",
        503 => "the server did not expect it now",
        504 => "the server does not offer it so",
        521 | 556 => "the server takes no mail",
        530 | 538 => "the server wants it encrypted: set `security`",
        534 => "the server does not let the user log in so",
        535 => "check `user` and `password`",
        550 | 553 => "the server does not accept this machine",
        554 => "the server serves no mail here, or not to this machine",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_reply() {
        assert_eq!(parse("250-SIZE 1000"), Some((250, false, "SIZE 1000")));
        assert_eq!(parse("250 HELP"), Some((250, true, "HELP")));
        assert_eq!(parse("220"), Some((220, true, "")));
        for line in ["", "2", "25é", "é250 x", "+22 x", "250x", "099 x", "SSH-2.0-x", "650 x"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
