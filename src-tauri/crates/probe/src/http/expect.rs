use regex::Regex;
use reqwest::StatusCode;

use crate::field::StatusRange;
use crate::json::Assertion;
use crate::text::clean;

const MAX_BODY_BYTES: usize = 1 << 20;

/// What a response must be. All of it must hold.
#[derive(Debug)]
pub(super) struct Expectations {
    pub(super) status: Vec<StatusRange>,
    pub(super) text: Option<String>,
    pub(super) regex: Option<Regex>,
    pub(super) json: Vec<Assertion>,
}

/// As much of a response's body as is looked at.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    cut: bool,
}

impl Body {
    /// Adds what fits.
    pub(super) fn push(&mut self, chunk: &[u8]) {
        let room = MAX_BODY_BYTES - self.bytes.len();
        self.cut = chunk.len() > room;
        self.bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }

    /// Whether there is more than is looked at.
    pub(super) fn is_full(&self) -> bool {
        self.cut
    }
}

impl Expectations {
    /// `Err` is the key of an expectation that needs a body.
    pub(super) fn without_body(&self) -> Result<(), &'static str> {
        if self.text.is_some() {
            Err("expect_text")
        } else if self.regex.is_some() {
            Err("expect_regex")
        } else if self.json.is_empty() {
            Ok(())
        } else {
            Err("expect_json")
        }
    }

    pub(super) fn judge_status(&self, status: StatusCode) -> Result<(), String> {
        if self.status.iter().any(|range| range.contains(status.as_u16())) {
            return Ok(());
        }
        let expected: Vec<_> = self.status.iter().map(ToString::to_string).collect();
        let expected = clean(&expected.join(", "));
        Err(format!("expected status {expected}, got {}", status_line(status)))
    }

    /// The body is read as UTF-8; what is not UTF-8 in it matches nothing.
    pub(super) fn judge_body(&self, body: &Body) -> Result<(), String> {
        let text = String::from_utf8_lossy(&body.bytes);
        let within = if body.cut { " in the first 1 MiB" } else { "" };
        if let Some(expected) = self.text.as_ref().filter(|expected| !text.contains(*expected)) {
            return Err(format!("expected text \"{}\" not found{within}", clean(expected)));
        }
        if let Some(regex) = self.regex.as_ref().filter(|regex| !regex.is_match(&text)) {
            let pattern = clean(regex.as_str());
            return Err(format!("expected pattern /{pattern}/ not found{within}"));
        }
        self.judge_json(body)
    }

    fn judge_json(&self, body: &Body) -> Result<(), String> {
        if self.json.is_empty() {
            return Ok(());
        }
        if body.cut {
            return Err("the response is larger than 1 MiB, too large for expect_json".to_owned());
        }
        let document = serde_json::from_slice(&body.bytes)
            .map_err(|error| format!("the response is not JSON: {}", clean(&error.to_string())))?;
        self.json.iter().try_for_each(|assertion| assertion.judge(&document))
    }
}

/// `503 Service Unavailable`, from the standard's words, not the server's.
pub(crate) fn status_line(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}
