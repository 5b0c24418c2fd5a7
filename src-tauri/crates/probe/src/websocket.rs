//! `check = "websocket"`: a WebSocket opens, and says what is expected (RFC 6455).

mod failure;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use health::Thresholds;
use regex::Regex;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use serde_json::Value;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

use crate::failure::Failure;
use crate::field::{
    Field, FieldError, FieldType, Form, Parsed, Section, Values, header_map, line, mistake,
    mistake_at, regex, text, url,
};
use crate::http::login::{self, Credentials};
use crate::http::without_secrets;
use crate::server::Server;
use crate::stream::{Stream, Traced};
use crate::text::clean;
use crate::trace::Trace;
use crate::{Checking, Context, Probe, net, tls};

pub(crate) const LABEL: &str = "WebSocket";
pub(crate) const HELP: &str = "Opens a WebSocket, says something and looks at what comes back.";
pub(crate) const EXAMPLE: &str = r#"url = "wss://api.example.com/feed"
bearer_token = "keyring:api-token"
send = '{"type": "ping"}'
expect = "pong""#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::HTTP;

const SCHEMES: &[&str] = &["ws", "wss"];
/// How much of what the server says is looked at, frame headers included.
const MOST_BYTES: usize = 64 * 1024;
/// How long the server may take to close its side: the answer is known already.
const CLOSING: Duration = Duration::from_secs(1);

pub(crate) const FIELDS: &[Field] = &[
    Field::required(
        "url",
        "URL",
        "The address to connect to, in full: ws:// or wss://.",
        FieldType::Url { schemes: SCHEMES },
    ),
    login::USER,
    login::PASSWORD,
    login::BEARER_TOKEN,
    Field::optional(
        "headers",
        "Headers",
        "Sent along with the request to upgrade.",
        FieldType::Headers,
    )
    .within(Section::Request),
    Field::optional(
        "subprotocol",
        "Subprotocol",
        "What is spoken over the WebSocket (Sec-WebSocket-Protocol); the server must agree to it.",
        FieldType::Text,
    )
    .within(Section::Request),
    Field::optional(
        "send",
        "Send",
        "Text message to send; the server must answer with a message.",
        FieldType::Multiline,
    )
    .within(Section::Request),
    Field::optional(
        "expect",
        "Expected text",
        "Text that one of the first messages contains, of which 64 KiB in all are read.",
        FieldType::Text,
    )
    .within(Section::Expect),
    Field::optional(
        "expect_regex",
        "Expected pattern",
        "Regular expression that the same message matches.",
        FieldType::Regex,
    )
    .within(Section::Expect),
    tls::VERIFY,
    tls::CA_FILE,
    tls::CERT_FILE,
    tls::KEY_FILE,
    tls::WARN_DAYS,
    net::FAMILY,
];

type Socket = WebSocketStream<Traced<Box<dyn Stream>>>;

#[derive(Debug)]
struct WebSocketProbe {
    server: Server,
    url: Url,
    headers: HeaderMap,
    login: Option<Credentials>,
    send: Option<String>,
    expected: Expected,
}

/// What one message must be. Without any, every message will do.
#[derive(Debug)]
struct Expected {
    text: Option<String>,
    regex: Option<Regex>,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    let mut url = form.required("url", |value| url(value, SCHEMES))?;
    let mut headers = form.or("headers", HeaderMap::new(), header_map)?;
    let login = login::read(&form, &url, &headers)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(mistake_at(
            "url",
            "the URL holds a login",
            "write it under `user` and `password`",
        ));
    }
    url.set_fragment(None);
    if let Some(name) = form.optional("subprotocol", subprotocol)? {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, name);
    }
    Ok(Box::new(WebSocketProbe {
        server: Server::behind(&form, &url, url.scheme() == "wss", &[b"http/1.1"])?,
        url,
        headers,
        login,
        send: form.optional("send", text)?.map(str::to_owned),
        expected: Expected {
            text: form.optional("expect", line)?.map(str::to_owned),
            regex: form.optional("expect_regex", regex)?,
        },
    }))
}

/// A token (RFC 9110, section 5.6.2), as a header's name is one.
fn subprotocol(value: &Value) -> Parsed<HeaderValue> {
    let name = line(value)?;
    let value =
        HeaderName::from_bytes(name.as_bytes()).ok().and_then(|_| HeaderValue::from_str(name).ok());
    value.ok_or_else(|| {
        vec![mistake(
            format!("`{}` is not a subprotocol", clean(name)),
            "write one name, without spaces and commas: graphql-transport-ws",
        )]
    })
}

impl WebSocketProbe {
    /// 1. The upgrade must succeed.
    /// 2. Without `send` and expectations, that is enough.
    /// 3. Else a message must come that fulfils all expectations; with `send`
    ///    alone, any.
    /// 4. Then the WebSocket is closed; a server that does not close its side
    ///    is left.
    async fn run(&self, trace: &Arc<Trace>) -> Result<String, Failure> {
        let stream = self.server.open(trace).await?;
        trace.step("opening the WebSocket");
        let opened = client_async_with_config(self.request(trace)?, stream, Some(limits())).await;
        let (mut socket, response) =
            opened.map_err(|error| failure::of_upgrade(&error, &self.headers, trace))?;
        if let Some(agreed) = response.headers().get(SEC_WEBSOCKET_PROTOCOL) {
            trace.note("subprotocol", String::from_utf8_lossy(agreed.as_bytes()));
        }
        let seen = self.talk(&mut socket, trace).await?;
        trace.step("closing the WebSocket");
        // Whatever comes of it, the question has been answered.
        let _ = tokio::time::timeout(CLOSING, close(&mut socket)).await;
        Ok(seen)
    }

    fn request(&self, trace: &Trace) -> Result<Request, Failure> {
        let mut request = self.url.as_str().into_client_request().map_err(|error| {
            Failure::of(&error, trace, "the request to upgrade cannot be written")
        })?;
        request.headers_mut().extend(self.headers.clone());
        if let Some(login) = &self.login {
            login.add_to(request.headers_mut(), trace);
        }
        Ok(request)
    }

    async fn talk(&self, socket: &mut Socket, trace: &Trace) -> Result<String, Failure> {
        if let Some(question) = &self.send {
            trace.step("sending a message");
            let sent = socket.send(Message::text(question.clone())).await;
            sent.map_err(|error| failure::of(&error, trace))?;
        } else if self.expected.is_anything() {
            return Ok("connected".to_owned());
        }
        trace.step("waiting for a message");
        self.listen(socket, trace).await
    }

    async fn listen(&self, socket: &mut Socket, trace: &Trace) -> Result<String, Failure> {
        let mut room = MOST_BYTES;
        let mut heard = 0;
        loop {
            let message = match socket.next().await {
                Some(Ok(message)) => message,
                Some(Err(Error::Capacity(_))) => return Err(self.not_found(heard, trace)),
                Some(Err(error)) => return Err(failure::of(&error, trace)),
                None => return Err(failure::of(&Error::ConnectionClosed, trace)),
            };
            // Two bytes are the least that a frame's header takes.
            let Some(left) = room.checked_sub(message.len() + 2) else {
                return Err(self.not_found(heard, trace));
            };
            room = left;
            let bytes = match message {
                Message::Text(text) => text.into(),
                Message::Binary(bytes) => bytes,
                Message::Close(reason) => return Err(failure::closed(reason.as_ref(), trace)),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            heard += 1;
            trace.saw_body(&bytes);
            let text = String::from_utf8_lossy(&bytes);
            if self.expected.fulfilled_by(&text) {
                trace.note("messages", heard);
                return Ok(format!("got \"{}\"", clean(&text)));
            }
            trace.step("waiting for the expected message, after others");
        }
    }

    fn not_found(&self, heard: u32, trace: &Trace) -> Failure {
        let endpoint = trace.endpoint();
        let wanted = self.expected.wanted();
        let heard = if heard == 1 { "1 message".to_owned() } else { format!("{heard} messages") };
        Failure::Unexpected(format!("{wanted} not found in the first 64 KiB, {heard} ({endpoint})"))
    }
}

impl Expected {
    const fn is_anything(&self) -> bool {
        self.text.is_none() && self.regex.is_none()
    }

    fn fulfilled_by(&self, message: &str) -> bool {
        self.text.as_ref().is_none_or(|text| message.contains(text))
            && self.regex.as_ref().is_none_or(|regex| regex.is_match(message))
    }

    fn wanted(&self) -> String {
        let text = self.text.as_ref().map(|text| format!("expected text \"{}\"", clean(text)));
        let pattern = self
            .regex
            .as_ref()
            .map(|regex| format!("expected pattern /{}/", clean(regex.as_str())));
        match (text, pattern) {
            (Some(text), Some(pattern)) => format!("{text} with {pattern}"),
            (Some(wanted), None) | (None, Some(wanted)) => wanted,
            (None, None) => "an answer".to_owned(),
        }
    }
}

/// Everything the server sends is bounded.
fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4096)
        .max_message_size(Some(MOST_BYTES))
        .max_frame_size(Some(MOST_BYTES))
}

/// Says goodbye, and waits until the server has (RFC 6455, section 7.1.2).
async fn close(socket: &mut Socket) -> Result<(), Error> {
    socket.close(None).await?;
    while let Some(message) = socket.next().await {
        message?;
    }
    Ok(())
}

impl Probe for WebSocketProbe {
    fn check<'a>(&'a self, timeout: Duration, _: &'a Context) -> Checking<'a> {
        Box::pin(self.server.observe(timeout, move |trace| async move { self.run(&trace).await }))
    }

    fn target(&self) -> String {
        without_secrets(&self.url)
    }

    fn host(&self) -> &str {
        &self.server.host
    }
}
