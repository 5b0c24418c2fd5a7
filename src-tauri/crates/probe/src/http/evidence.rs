//! What is kept of a response should the check fail.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::text::clean;
use crate::trace::{Phase, Trace};

const MOST_HEADERS: usize = 40;
const MOST_BYTES: usize = 2048;
/// What a failed response may add to its check: the failure is known already.
const PATIENCE: Duration = Duration::from_secs(1);

/// Parts of the names of headers whose values may let somebody in.
const SECRET_NAMES: [&str; 8] =
    ["cookie", "auth", "token", "secret", "key", "session", "csrf", "password"];

/// Headers with URLs, whose queries may be secrets too.
const LEADING_ON: [&str; 4] = ["location", "content-location", "link", "refresh"];

/// The headers as text; the values of those that may be secret are left out.
pub(crate) fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let shown = headers.iter().take(MOST_HEADERS);
    shown.map(|(name, value)| (name.to_string(), shown_value(name, value))).collect()
}

/// The value of one header as text, unless it may be secret.
pub(super) fn shown_value(name: &HeaderName, value: &HeaderValue) -> String {
    if SECRET_NAMES.iter().any(|secret| name.as_str().contains(secret)) {
        return "…".to_owned();
    }
    let value = String::from_utf8_lossy(value.as_bytes());
    match value.split_once('?') {
        Some((url, _)) if LEADING_ON.contains(&name.as_str()) => clean(&format!("{url}?…")),
        _ => clean(&value),
    }
}

/// Keeps the beginning of the body, as far as it comes soon.
pub(super) async fn keep_body(response: &mut Response, trace: &Trace) {
    trace.enter(Phase::Receiving);
    let mut body = Vec::new();
    let reading = async {
        while body.len() <= MOST_BYTES {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) | Err(_) => break,
            }
        }
    };
    // What has come by then will do.
    let _ = tokio::time::timeout(PATIENCE, reading).await;
    if !body.is_empty() {
        trace.saw_body(&body);
    }
}
