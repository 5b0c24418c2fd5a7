//! Why a request got no response, in plain words.

use std::io;

use rustls::AlertDescription;

use super::client::Version;
use crate::failure::{Failure, cause, causes, describe, is_not_http2, located};
use crate::net::describe_io;
use crate::text::clean;
use crate::trace::Trace;

/// The request, in that version of HTTP, ended with `error`: the most telling
/// of its causes.
pub(super) fn of(error: &reqwest::Error, version: Version, trace: &Trace) -> Failure {
    let known = describe_proxy(error, trace)
        .or_else(|| (version == Version::Http2).then(|| describe_http2(error, trace)).flatten())
        .or_else(|| describe(error, trace))
        .or_else(|| cause::<hyper::Error>(error).and_then(|http| describe_http(http, trace)));
    known.map_or_else(|| Failure::of(error, trace, "request failed"), Failure::NoAnswer)
}

fn describe_http(error: &hyper::Error, trace: &Trace) -> Option<String> {
    let endpoint = trace.endpoint();
    if error.is_parse() {
        let reason = clean(&error.to_string());
        Some(format!("the answer of {endpoint} is not valid HTTP: {reason}"))
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        let closed = io::ErrorKind::UnexpectedEof.into();
        Some(located(describe_io(&closed, &endpoint), trace))
    } else {
        None
    }
}

/// The proxy did not do what it should. The library has no public types for
/// that, so its words have to do.
fn describe_proxy(error: &reqwest::Error, trace: &Trace) -> Option<String> {
    trace.proxy()?;
    let said: Vec<_> = causes(error).map(ToString::to_string).collect();
    let (proxy, server) = (trace.endpoint(), trace.server());
    let says = |words: &str| said.iter().any(|said| said.contains(words));
    if says("proxy authorization required") {
        Some(format!("{proxy} refused the login: write user and password into `proxy`"))
    } else if says("credentials not accepted") {
        Some(format!("{proxy} refused the login: check user and password in `proxy`"))
    } else if says("tunnel error: unsuccessful") {
        Some(format!("{proxy} does not connect to {server}"))
    } else if describe(error, trace).is_some() {
        None
    } else {
        let reason = said.iter().find_map(|said| said.strip_prefix("SOCKS error: "))?;
        Some(format!("{proxy} does not connect to {server}: {}", clean(reason)))
    }
}

/// The server does not speak HTTP/2 when nothing else will do.
fn describe_http2(error: &reqwest::Error, trace: &Trace) -> Option<String> {
    let refused = matches!(
        cause::<rustls::Error>(error),
        Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol))
    );
    (refused || is_not_http2(error))
        .then(|| format!("{} did not answer in HTTP/2: check `http_version`", trace.endpoint()))
}
