//! One question and its answer, over each transport.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use hickory_proto::op::Message;
use reqwest::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::spawn_blocking;
use url::Url;

use super::question::Question;
use crate::failure::Failure;
use crate::http::get::{Getter, Got};
use crate::http::status_line;
use crate::server::Server;
use crate::text::clean;
use crate::trace::Trace;
use crate::udp;

/// The longest message (RFC 1035, section 4.2.2).
const MAX_MESSAGE: usize = 65535;
/// RFC 8484, section 6.
const MEDIA_TYPE: &str = "application/dns-message";
const HEADER: usize = 12;

impl Question {
    /// Datagrams that do not answer the question are passed over: they may be
    /// anybody's. An answer that is too long is asked for again over TCP.
    pub(super) async fn over_udp(
        &self,
        server: &Server,
        trace: &Arc<Trace>,
    ) -> Result<Message, Failure> {
        let id = rand::random();
        let socket = udp::open(server, trace).await?;
        udp::send(&socket, &self.bytes(id)?, trace).await?;
        let mut buffer = vec![0; MAX_MESSAGE];
        loop {
            let datagram = udp::receive(&socket, &mut buffer, trace).await?;
            if !is_response(datagram, id) {
                trace.step("what came was no answer to the question");
                continue;
            }
            if is_truncated(datagram) {
                trace.note("truncated", "asked again over TCP");
                return self.over_tcp(server, trace).await.map_err(after_truncation);
            }
            let message = decoded(datagram, trace).await?;
            if self.is_answered_by(&message) {
                return Ok(message);
            }
            trace.step("what came was no answer to the question");
        }
    }

    /// Over TCP or TLS.
    pub(super) async fn over_tcp(
        &self,
        server: &Server,
        trace: &Arc<Trace>,
    ) -> Result<Message, Failure> {
        let id = rand::random();
        let mut stream = server.open(trace).await?;
        let message = self.bytes(id)?;
        // One write: some servers take the length alone for all there is.
        let length = u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes();
        let exchange = async {
            stream.write_all(&[&length, message.as_slice()].concat()).await?;
            stream.flush().await?;
            let mut answer = vec![0; usize::from(stream.read_u16().await?)];
            stream.read_exact(&mut answer).await?;
            Ok(answer)
        };
        let answer = exchange.await.map_err(|error| Failure::io(&error, trace))?;
        self.only_answer(&answer, id, trace).await
    }

    pub(super) async fn over_https(
        &self,
        url: &Url,
        getter: &Getter,
        trace: &Arc<Trace>,
    ) -> Result<Message, Failure> {
        // The same question is the same URL, for caches (RFC 8484, section 4.1).
        let id = 0;
        let mut url = url.clone();
        url.query_pairs_mut().append_pair("dns", &BASE64URL_NOPAD.encode(&self.bytes(id)?));
        let Got { status, media_type, body } =
            getter.get(url, MEDIA_TYPE, MAX_MESSAGE, trace).await?;
        let endpoint = trace.endpoint();
        if status != StatusCode::OK {
            let status = status_line(status);
            return Err(Failure::Unexpected(format!(
                "the resolver answered {status} ({endpoint}): check `resolver`"
            )));
        }
        if !media_type.starts_with(MEDIA_TYPE.as_bytes()) {
            return Err(Failure::Unexpected(format!(
                "the resolver did not answer in DNS ({endpoint}): check `resolver`"
            )));
        }
        if body.len() > MAX_MESSAGE {
            return Err(not_dns("it is too long", trace));
        }
        self.only_answer(&body, id, trace).await
    }

    fn bytes(&self, id: u16) -> Result<Vec<u8>, Failure> {
        self.message(id).map_err(|error| {
            Failure::NoAnswer(format!(
                "the question cannot be written: {}",
                clean(&error.to_string())
            ))
        })
    }

    /// Where nobody else can have sent it.
    async fn only_answer(&self, bytes: &[u8], id: u16, trace: &Trace) -> Result<Message, Failure> {
        if bytes.len() < HEADER {
            return Err(not_dns("it is too short", trace));
        }
        let message = decoded(bytes, trace).await?;
        if !is_response(bytes, id) || !self.is_answered_by(&message) {
            let endpoint = trace.endpoint();
            return Err(Failure::Unexpected(format!(
                "the resolver answered another question ({endpoint})"
            )));
        }
        if is_truncated(bytes) {
            let endpoint = trace.endpoint();
            return Err(Failure::Unexpected(format!(
                "the resolver cut the answer off, though not over UDP ({endpoint})"
            )));
        }
        Ok(message)
    }
}

fn after_truncation(failure: Failure) -> Failure {
    let tell = |message| format!("the answer is too long for UDP, and over TCP: {message}");
    match failure {
        Failure::NoAnswer(message) => Failure::NoAnswer(tell(message)),
        Failure::Unexpected(message) => Failure::Unexpected(tell(message)),
    }
}

/// Whether that is a response (QR) with that id: RFC 1035, section 4.1.1.
fn is_response(message: &[u8], id: u16) -> bool {
    message.len() >= HEADER && message.starts_with(&id.to_be_bytes()) && message[2] & 0x80 != 0
}

fn is_truncated(message: &[u8]) -> bool {
    message.get(2).is_some_and(|flags| flags & 0x02 != 0)
}

/// Off the asynchronous threads: names that are made a maze of pointers take
/// long enough to hold up other checks.
async fn decoded(bytes: &[u8], trace: &Trace) -> Result<Message, Failure> {
    let bytes = bytes.to_vec();
    let decoded = spawn_blocking(move || Message::from_vec(&bytes).map_err(|e| e.to_string()));
    let decoded = decoded.await.unwrap_or_else(|stopped| Err(stopped.to_string()));
    decoded.map_err(|reason| not_dns(&reason, trace))
}

fn not_dns(reason: &str, trace: &Trace) -> Failure {
    let (reason, endpoint) = (clean(reason), trace.endpoint());
    Failure::Unexpected(format!("the answer is not valid DNS: {reason} ({endpoint})"))
}
