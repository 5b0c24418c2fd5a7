use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use health::ServiceId;
use regex::{Regex, RegexBuilder};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use url::{Host, Url};

use super::{FieldError, Step};
use crate::duration::parse_duration;
use crate::size::Size;
use crate::text::clean;

pub(crate) type Parsed<T> = Result<T, Vec<FieldError>>;

/// What a compiled regular expression may take in memory.
const MAX_REGEX_BYTES: usize = 1 << 20;

const STATUS_HELP: &str = "use numbers and ranges from 100 to 599: [\"200-299\", 301]";

/// Headers that frame the request: the client writes them, and a second
/// opinion would break it.
const FRAMING_HEADERS: [&str; 7] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// A mistake in the value itself.
pub(crate) fn mistake(message: impl Into<String>, help: impl Into<String>) -> FieldError {
    FieldError { path: Vec::new(), message: message.into(), help: help.into() }
}

/// One in the value of `key` that its type alone does not tell.
pub(crate) fn mistake_at(
    key: &str,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Vec<FieldError> {
    vec![mistake(message, help).within(Step::Key(key.to_owned()))]
}

fn one<T>(message: impl Into<String>, help: impl Into<String>) -> Parsed<T> {
    Err(vec![mistake(message, help)])
}

fn wrong_type<T>(value: &Value, wanted: &str, help: &str) -> Parsed<T> {
    one(format!("expected {wanted}, found {}", kind(value)), help)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

pub(crate) fn text(value: &Value) -> Parsed<&str> {
    match value {
        Value::String(text) => Ok(text),
        _ => wrong_type(value, "a text", "put it in quotes: \"…\""),
    }
}

pub(crate) fn line(value: &Value) -> Parsed<&str> {
    let text = text(value)?;
    if text.is_empty() {
        return one("the text is empty", "write something, or leave the key out");
    }
    if text.contains(['\n', '\r']) {
        return one("the text has several lines", "write it in one line");
    }
    Ok(text)
}

/// A number within a range, whole or not.
pub(super) fn number_within(value: &Value, key: &str, min: f64, max: f64) -> Parsed<f64> {
    let number = number(value)?;
    if (min..=max).contains(&number) {
        return Ok(number);
    }
    one(format!("{key} {number} is out of range"), format!("use a number from {min} to {max}"))
}

/// Reads a number whose range has been checked.
pub(crate) fn number(value: &Value) -> Parsed<f64> {
    value
        .as_f64()
        .map_or_else(|| wrong_type(value, "a number", "write a number, without quotes"), Ok)
}

/// The shortest secret that is not guessed while somebody watches.
const SHORTEST_TOKEN: usize = 16;

pub(crate) fn token(value: &Value) -> Parsed<&str> {
    let token = line(value)?;
    // A reference to a secret is checked when it is resolved.
    if !token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b)) {
        return one(
            "the token has characters that a URL cannot hold",
            "use letters, digits, `-` and `_`",
        );
    }
    if token.len() < SHORTEST_TOKEN {
        return one(
            format!("the token has {} characters, which is too few", token.len()),
            format!("use at least {SHORTEST_TOKEN}: whoever knows it can report"),
        );
    }
    Ok(token)
}

/// A path; `~/` is the home folder.
pub(crate) fn file(value: &Value) -> Parsed<PathBuf> {
    let path = line(value)?;
    let path = match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    };
    if path.is_absolute() {
        return Ok(path);
    }
    one(
        format!("`{}` is not a full path", clean(&path.to_string_lossy())),
        "write it from the root on: /etc/ssl/ca.pem",
    )
}

/// Texts in their order; a single one may stand alone.
pub(crate) fn list(value: &Value) -> Parsed<Vec<String>> {
    match value {
        Value::Array(items) if items.is_empty() => {
            one("the list is empty", "write at least one text, or leave the key out")
        }
        Value::Array(items) => each(items, |item| text(item).map(str::to_owned)),
        Value::String(_) => Ok(vec![line(value)?.to_owned()]),
        _ => wrong_type(value, "a list", "write texts in brackets: [\"one\", \"two\"]"),
    }
}

/// Environment variables. A value is never repeated: it may be a secret.
pub(crate) fn variables(value: &Value) -> Parsed<Vec<(String, String)>> {
    let Value::Object(table) = value else {
        return wrong_type(value, "a table", "write { NAME = \"value\" }");
    };
    let mut variables = Vec::new();
    let mut mistakes = Vec::new();
    for (name, value) in table {
        let named = if name.is_empty() || name.contains(['=', '\0']) {
            one(format!("`{}` is not a variable's name", clean(name)), "use letters and `_`")
        } else {
            text(value)
        };
        match named {
            Ok(value) => variables.push((name.clone(), value.to_owned())),
            Err(found) => {
                mistakes.extend(found.into_iter().map(|m| m.within(Step::Key(name.clone()))));
            }
        }
    }
    if mistakes.is_empty() { Ok(variables) } else { Err(mistakes) }
}

pub(crate) fn boolean(value: &Value) -> Parsed<bool> {
    match value {
        Value::Bool(boolean) => Ok(*boolean),
        _ => wrong_type(value, "true or false", "write true or false, without quotes"),
    }
}

pub(super) fn integer(value: &Value, key: &str, min: i64, max: i64) -> Parsed<i64> {
    let help = format!("use a number from {min} to {max}");
    let Value::Number(number) = value else {
        return wrong_type(value, "a whole number", &help);
    };
    match number.as_i64() {
        Some(integer) if (min..=max).contains(&integer) => Ok(integer),
        None if !number.is_u64() => one(format!("{number} is not a whole number"), help),
        _ => one(format!("{key} {number} is out of range"), help),
    }
}

/// Reads a whole number whose range has been checked.
pub(crate) fn whole<T: TryFrom<i64>>(value: &Value) -> Parsed<T> {
    match value.as_i64().map(T::try_from) {
        Some(Ok(number)) => Ok(number),
        _ => wrong_type(value, "a whole number", "write a number"),
    }
}

pub(crate) fn duration(value: &Value) -> Parsed<Duration> {
    match value {
        Value::String(text) => {
            parse_duration(text).map_err(|e| vec![mistake(e.to_string(), e.help())])
        }
        _ => {
            wrong_type(value, "a duration", "write a text with a unit: \"500ms\", \"10s\", \"3m\"")
        }
    }
}

/// A size, or where `percent` a share of the whole, with or without its sign.
pub(super) fn size_or(value: &Value, percent: bool) -> Parsed<Size> {
    let help = if percent {
        "write a share or a size: \"10%\", \"500 MB\", \"20 GiB\""
    } else {
        "write a number and a unit: \"500 MB\", \"20 GiB\""
    };
    let (shown, size) = match value {
        Value::String(text) => (clean(text), Size::parse(text)),
        Value::Number(number) if percent => {
            (number.to_string(), number.as_f64().and_then(Size::percent))
        }
        _ => return wrong_type(value, "a size", help),
    };
    match size {
        Some(Size::Percent(_)) if !percent => one(format!("`{shown}` is not a size"), help),
        Some(size) => Ok(size),
        None => one(format!("`{shown}` is not a size"), help),
    }
}

/// Reads a size whose kind has been checked.
pub(crate) fn size(value: &Value) -> Parsed<Size> {
    size_or(value, true)
}

pub(super) fn choice<'v>(value: &'v Value, of: &[&str]) -> Parsed<&'v str> {
    let help = format!("use one of {}", of.join(", "));
    match value {
        Value::String(text) if of.contains(&text.as_str()) => Ok(text),
        Value::String(text) => one(format!("`{}` is not one of the choices", clean(text)), help),
        _ => wrong_type(value, "a text", &help),
    }
}

pub(crate) fn regex(value: &Value) -> Parsed<Regex> {
    RegexBuilder::new(text(value)?)
        .size_limit(MAX_REGEX_BYTES)
        .dfa_size_limit(MAX_REGEX_BYTES)
        .build()
        .or_else(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                one("the regular expression is too large", "use fewer or smaller repetitions")
            }
            error => one(
                format!("not a regular expression: {}", regex_reason(&error)),
                "in TOML, write it in single quotes: '^ok\\s*$'",
            ),
        })
}

/// The last line is the reason; those before it draw the place.
fn regex_reason(error: &regex::Error) -> String {
    let message = error.to_string();
    let reason = message.lines().last().unwrap_or_default();
    clean(reason.trim_start_matches("error: "))
}

/// Reads an absolute URL. The text is never repeated: it may hold a password.
pub(crate) fn url(value: &Value, schemes: &[&str]) -> Parsed<Url> {
    let example =
        format!("write it in full: {}://example.com/health", schemes.last().unwrap_or(&"https"));
    let url = match Url::parse(text(value)?) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            return one("the URL has no scheme", example);
        }
        Err(url::ParseError::EmptyHost) => return one("the URL has no host", example),
        Err(error) => return one(format!("not a URL: {error}"), example),
    };
    if !schemes.contains(&url.scheme()) {
        return one(
            format!("the URL has the scheme `{}`", clean(url.scheme())),
            format!("use {}", schemes.join(" or ")),
        );
    }
    if url.host_str().is_none_or(str::is_empty) {
        return one("the URL has no host", example);
    }
    if url.port() == Some(0) {
        return one("port 0 is out of range", "use a number from 1 to 65535");
    }
    Ok(url)
}

/// Reads a host name or an address, as it is given to a resolver: without
/// brackets, international names in their ASCII form.
pub(crate) fn host_name(value: &Value) -> Parsed<String> {
    const HELP: &str = "write a name or an address: db.internal, 10.0.0.5, ::1";
    let text = text(value)?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    if text.is_empty() {
        return one("the host is empty", HELP);
    }
    match Host::parse(text) {
        Ok(Host::Domain(name)) => Ok(name),
        Ok(Host::Ipv4(address)) => Ok(address.to_string()),
        Ok(Host::Ipv6(address)) => Ok(address.to_string()),
        Err(_) if text.contains("://") => one(
            format!("`{}` is a URL", clean(text)),
            "write the host alone, without scheme and path",
        ),
        Err(_) if is_host_and_port(text) => one(
            format!("`{}` has a port", clean(text)),
            "write the host alone, and the port under `port`",
        ),
        Err(error) => one(format!("`{}` is not a host: {error}", clean(text)), HELP),
    }
}

fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| Host::parse(host).is_ok() && port.parse::<u16>().is_ok())
}

/// Statuses from the first to the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusRange(RangeInclusive<u16>);

impl StatusRange {
    /// The statuses of success, 200 to 299.
    pub(crate) const SUCCESS: Self = Self(200..=299);

    pub(crate) fn contains(&self, status: u16) -> bool {
        self.0.contains(&status)
    }

    fn parse(text: &str) -> Parsed<Self> {
        let status = |part: &str| match part.trim().parse::<u16>() {
            Ok(status @ 100..=599) => Ok(status),
            Ok(status) => one(format!("status {status} is out of range"), STATUS_HELP),
            Err(_) => one(format!("`{}` is not a status", clean(text)), STATUS_HELP),
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (status(first)?, status(last)?);
        if first > last {
            return one(
                format!("the range {first}-{last} is the wrong way round"),
                format!("write \"{last}-{first}\""),
            );
        }
        Ok(Self(first..=last))
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.0.start(), self.0.end());
        if first == last { write!(f, "{first}") } else { write!(f, "{first}-{last}") }
    }
}

/// Reads a list of statuses and ranges, or a single one.
pub(crate) fn status_ranges(value: &Value) -> Parsed<Vec<StatusRange>> {
    match value {
        Value::Array(items) if items.is_empty() => one("no status is expected", STATUS_HELP),
        Value::Array(items) => each(items, status_range),
        single => Ok(vec![status_range(single)?]),
    }
}

fn status_range(value: &Value) -> Parsed<StatusRange> {
    match value {
        Value::Number(status) => StatusRange::parse(&status.to_string()),
        Value::String(text) => StatusRange::parse(text),
        _ => wrong_type(value, "a status", STATUS_HELP),
    }
}

/// Reads all items, or gives all mistakes with their index.
pub(crate) fn each<T>(items: &[Value], read: impl Fn(&Value) -> Parsed<T>) -> Parsed<Vec<T>> {
    let mut mistakes = Vec::new();
    let mut parsed = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match read(item) {
            Ok(value) => parsed.push(value),
            Err(found) => {
                mistakes.extend(found.into_iter().map(|m| m.within(Step::Index(index))));
            }
        }
    }
    if mistakes.is_empty() { Ok(parsed) } else { Err(mistakes) }
}

/// Reads a table of headers. A value is never repeated: it may be a secret.
pub(crate) fn header_map(value: &Value) -> Parsed<HeaderMap> {
    let Value::Object(table) = value else {
        return wrong_type(value, "a table", "write { \"X-Key\" = \"value\" }");
    };
    let mut headers = HeaderMap::new();
    let mut mistakes = Vec::new();
    for (name, value) in table {
        match header(name, value) {
            Ok((name, value)) => {
                headers.insert(name, value);
            }
            Err(found) => {
                let step = || Step::Key(name.clone());
                mistakes.extend(found.into_iter().map(|m| m.within(step())));
            }
        }
    }
    if mistakes.is_empty() { Ok(headers) } else { Err(mistakes) }
}

fn header(name: &str, value: &Value) -> Parsed<(HeaderName, HeaderValue)> {
    let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
        return one(
            format!("`{}` is not a header name", clean(name)),
            "use letters, digits and `-`: X-Api-Key",
        );
    };
    if FRAMING_HEADERS.contains(&parsed.as_str()) {
        return one(
            format!("`{parsed}` cannot be set"),
            "leave it out, it is written to fit the request",
        );
    }
    let mut value = HeaderValue::from_str(text(value)?).or_else(|_| {
        one(
            format!("the value of `{parsed}` has characters that a header cannot hold"),
            "write it in one line, without control characters",
        )
    })?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

pub(crate) fn services(value: &Value) -> Parsed<Vec<ServiceId>> {
    let Value::Array(items) = value else {
        return wrong_type(value, "a list", "write the ids of services: [\"db\", \"auth\"]");
    };
    each(items, |item| {
        ServiceId::new(text(item)?).or_else(|_| {
            one(
                format!("`{}` is not a service id", clean(text(item)?)),
                "use lower-case letters, digits and `-`",
            )
        })
    })
}
