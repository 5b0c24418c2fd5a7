//! Why a request got no response, in plain words.

use std::io;

use crate::failure::{Failure, cause, describe, located};
use crate::net::describe_io;
use crate::text::clean;
use crate::trace::Trace;

/// The request ended with `error`: the most telling of its causes.
pub(crate) fn of(error: &reqwest::Error, trace: &Trace) -> Failure {
    let known = describe(error, trace)
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
