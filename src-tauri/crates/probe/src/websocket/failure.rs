//! Why a WebSocket did not open or broke, in plain words.

use std::io;

use reqwest::header::{HeaderMap, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::Response;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::failure::Failure;
use crate::http::{evidence, status_line};
use crate::text::clean;
use crate::trace::Trace;

/// The upgrade that was asked for with `headers` ended with `error`.
pub(super) fn of_upgrade(error: &Error, headers: &HeaderMap, trace: &Trace) -> Failure {
    match error {
        Error::Http(response) => refused(response, trace),
        Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => {
            let asked = headers.get(SEC_WEBSOCKET_PROTOCOL);
            no_agreement(
                asked.map(|name| String::from_utf8_lossy(name.as_bytes())).as_deref(),
                trace,
            )
        }
        error => of(error, trace),
    }
}

fn no_agreement(subprotocol: Option<&str>, trace: &Trace) -> Failure {
    let endpoint = trace.endpoint();
    Failure::Unexpected(match subprotocol {
        Some(name) => format!(
            "the server does not agree to the subprotocol `{}` ({endpoint}): check `subprotocol`",
            clean(name)
        ),
        None => {
            format!("the server insists on a subprotocol ({endpoint}): name it in `subprotocol`")
        }
    })
}

/// The server answered the request to upgrade in plain HTTP.
fn refused(response: &Response<Option<Vec<u8>>>, trace: &Trace) -> Failure {
    trace.note("http_status", response.status().as_u16());
    let headers = response.headers().clone();
    trace.saw_headers(move || evidence::headers(&headers));
    if let Some(body) = response.body().as_ref().filter(|body| !body.is_empty()) {
        trace.saw_body(body);
    }
    let remedy = match response.status().as_u16() {
        401 | 403 => "check the login",
        200..=299 => "it speaks HTTP there, but no WebSocket",
        300..=399 => "it redirects, name the new address in `url`",
        404 => "check the path of `url`",
        500.. => "look at the server's log",
        _ => "check `url`, `headers` and `subprotocol`",
    };
    let (status, endpoint) = (status_line(response.status()), trace.endpoint());
    Failure::Unexpected(format!("upgrade refused with {status} ({endpoint}): {remedy}"))
}

/// The connection ended with `error`.
pub(super) fn of(error: &Error, trace: &Trace) -> Failure {
    match error {
        Error::Io(error) => Failure::io(error, trace),
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(
            ProtocolError::HandshakeIncomplete | ProtocolError::ResetWithoutClosingHandshake,
        ) => Failure::io(&io::ErrorKind::UnexpectedEof.into(), trace),
        error => {
            let (endpoint, reason) = (trace.endpoint(), clean(&error.to_string()));
            let doing = trace.doing();
            Failure::NoAnswer(format!(
                "the answer of {endpoint} is not a valid WebSocket: {reason}, {doing}"
            ))
        }
    }
}

/// The server closed the WebSocket before it said what is expected.
pub(super) fn closed(reason: Option<&CloseFrame>, trace: &Trace) -> Failure {
    let (endpoint, doing) = (trace.endpoint(), trace.doing());
    Failure::Unexpected(match reason {
        Some(frame) if frame.reason.is_empty() => {
            format!(
                "the server closed the WebSocket ({endpoint}) with code {}, {doing}",
                frame.code
            )
        }
        Some(frame) => {
            let reason = clean(&frame.reason);
            format!(
                "the server closed the WebSocket ({endpoint}) with code {}, \"{reason}\", {doing}",
                frame.code
            )
        }
        None => format!("the server closed the WebSocket ({endpoint}) without a reason, {doing}"),
    })
}
