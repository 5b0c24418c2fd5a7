//! What a response must be.

use regex::Regex;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::evidence;
use crate::field::{
    FieldError, Form, Parsed, StatusRange, Step, line, mistake, regex, status_ranges, variables,
};
use crate::json::{self, Assertion};
use crate::text::clean;
use crate::trace::Trace;

const MAX_BODY_BYTES: usize = 1 << 20;
const LITTLE: usize = 16 * 1024;

/// What a response must be. All of it must hold.
#[derive(Debug)]
pub(super) struct Expectations {
    status: Vec<StatusRange>,
    headers: Vec<(HeaderName, HeaderTest)>,
    text: Option<String>,
    no_text: Option<String>,
    regex: Option<Regex>,
    json: Vec<Assertion>,
}

/// What the value of a header must be.
#[derive(Debug)]
enum HeaderTest {
    Is(String),
    Matches(Regex),
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
    pub(super) fn read(form: &Form<'_>) -> Parsed<Self> {
        let all = |value: &Value| json::assertions(value, json::OPERATORS);
        Ok(Self {
            status: form.or("expect_status", vec![StatusRange::SUCCESS], status_ranges)?,
            headers: form.or("expect_header", Vec::new(), header_tests)?,
            text: form.optional("expect_text", line)?.map(str::to_owned),
            no_text: form.optional("expect_no_text", line)?.map(str::to_owned),
            regex: form.optional("expect_regex", regex)?,
            json: form.or("expect_json", Vec::new(), all)?,
        })
    }

    /// `Err` is the key of an expectation that needs a body.
    pub(super) fn without_body(&self) -> Result<(), &'static str> {
        if self.text.is_some() {
            Err("expect_text")
        } else if self.no_text.is_some() {
            Err("expect_no_text")
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
        let remedy = if status == StatusCode::UNAUTHORIZED { ": check the login" } else { "" };
        Err(format!("expected status {expected}, got {}{remedy}", status_line(status)))
    }

    /// Of a header that comes several times, one value is enough.
    pub(super) fn judge_headers(&self, headers: &HeaderMap) -> Result<(), String> {
        self.headers.iter().try_for_each(|(name, test)| test.judge(name, headers))
    }

    /// Whether all that is expected of the body takes one pass over little.
    pub(super) fn are_judged_quickly(&self, body: &Body) -> bool {
        let straight = self.regex.is_none() && self.json.iter().all(Assertion::looks_straight);
        self.without_body().is_ok() || straight && body.bytes.len() <= LITTLE
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
        if let Some(unexpected) = self.no_text.as_ref().filter(|text_| text.contains(*text_)) {
            return Err(format!("unexpected text \"{}\" found", clean(unexpected)));
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

impl HeaderTest {
    fn holds(&self, value: &HeaderValue) -> bool {
        let value = String::from_utf8_lossy(value.as_bytes());
        match self {
            Self::Is(expected) => value == *expected,
            Self::Matches(regex) => regex.is_match(&value),
        }
    }

    fn judge(&self, name: &HeaderName, headers: &HeaderMap) -> Result<(), String> {
        let expected = match self {
            Self::Is(expected) => format!("\"{}\"", clean(expected)),
            Self::Matches(regex) => format!("/{}/", clean(regex.as_str())),
        };
        let mut values = headers.get_all(name).iter().peekable();
        let Some(first) = values.peek().copied() else {
            return Err(format!("expected header {name} to be {expected}, but it is missing"));
        };
        if values.any(|value| self.holds(value)) {
            return Ok(());
        }
        let got = evidence::shown_value(name, first);
        Err(format!("expected header {name} to be {expected}, got \"{got}\""))
    }
}

fn header_tests(value: &Value) -> Parsed<Vec<(HeaderName, HeaderTest)>> {
    let mut mistakes: Vec<FieldError> = Vec::new();
    let mut tests = Vec::new();
    for (name, value) in variables(value)? {
        match header_test(&name, value) {
            Ok(test) => tests.push(test),
            Err(found) => {
                mistakes.extend(found.into_iter().map(|m| m.within(Step::Key(name.clone()))));
            }
        }
    }
    if mistakes.is_empty() { Ok(tests) } else { Err(mistakes) }
}

fn header_test(name: &str, value: String) -> Parsed<(HeaderName, HeaderTest)> {
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        let message = format!("`{}` is not a header name", clean(name));
        vec![mistake(message, "use letters, digits and `-`: X-Api-Key")]
    })?;
    let pattern = value.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    let test = match pattern {
        Some(pattern) => HeaderTest::Matches(regex(&pattern.into())?),
        None => HeaderTest::Is(value),
    };
    Ok((header, test))
}

/// Names the proxy that may have answered for the server: not in TLS, where it
/// only passes on.
pub(super) fn through_proxy(unexpected: String, response: &Response, trace: &Trace) -> String {
    if trace.proxy().is_none() || response.url().scheme() == "https" {
        return unexpected;
    }
    let proxy = trace.endpoint();
    if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        return format!("{proxy} refused the login: write user and password into `proxy`");
    }
    format!("{unexpected}, through {proxy}")
}

/// `503 Service Unavailable`, from the standard's words, not the server's.
pub(crate) fn status_line(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}
