//! A talk with a server that nobody has to trust, in lines or in messages.

#[cfg(any(
    feature = "amqp",
    feature = "mqtt",
    feature = "mysql",
    feature = "nats",
    feature = "postgres",
    feature = "redis"
))]
pub(crate) mod messages;
#[cfg(test)]
pub(crate) mod tests;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::failure::Failure;
use crate::server::Server;
use crate::stream::{Stream, Traced};
use crate::text::clean;
use crate::tls::Tls;
use crate::trace::Trace;

/// The longest line that is read. SMTP allows 512 bytes (RFC 5321, section
/// 4.5.3.1.5), IMAP 8192 (RFC 7162, section 4).
const MAX_LINE: usize = 8 * 1024;
/// What is kept of all that the server says, should the check fail.
const MAX_KEPT: usize = 4 * 1024;
/// How much is read at once.
const CHUNK: usize = 8 * 1024;

/// What was found at the beginning of what came and how many bytes it takes,
/// or nothing if there is more of it to come.
pub(crate) type Found<T, E> = Result<Option<(T, usize)>, E>;

/// A connection on which both sides take turns.
pub(crate) struct Dialogue {
    stream: Traced<Box<dyn Stream>>,
    trace: Arc<Trace>,
    /// This end of the connection.
    local: Option<IpAddr>,
    /// What has come and was not read yet.
    ahead: BytesMut,
    /// How much has come.
    heard: usize,
    kept: Vec<u8>,
    /// What is not to be repeated.
    secrets: Vec<String>,
    /// The protocol that is spoken in messages.
    protocol: Option<&'static str>,
}

impl Dialogue {
    /// Connects, in TLS where the server speaks it from the start.
    pub(crate) async fn open(server: &Server, trace: &Arc<Trace>) -> Result<Self, Failure> {
        let dialogue = Self::plain(server, trace).await?;
        match &server.tls {
            None => Ok(dialogue),
            Some(tls) => dialogue.encrypt(tls, &server.host).await,
        }
    }

    /// Connects, in the clear for now.
    pub(crate) async fn plain(server: &Server, trace: &Arc<Trace>) -> Result<Self, Failure> {
        let stream = server.connect(trace).await?;
        let local = stream.local_addr().ok().map(|address| address.ip());
        Ok(Self::over(Traced::new(Box::new(stream), trace), local, trace))
    }

    fn over(stream: Traced<Box<dyn Stream>>, local: Option<IpAddr>, trace: &Arc<Trace>) -> Self {
        Self {
            stream,
            trace: trace.clone(),
            local,
            ahead: BytesMut::new(),
            heard: 0,
            kept: Vec::new(),
            secrets: Vec::new(),
            protocol: None,
        }
    }

    /// Encrypts the rest, with `host`.
    pub(crate) async fn encrypt(self, tls: &Tls, host: &str) -> Result<Self, Failure> {
        let (trace, local, protocol) = (self.trace.clone(), self.local, self.protocol);
        let stream = tls.handshake(&trace, host, self.end()?).await?;
        Ok(Self { protocol, ..Self::over(Traced::new(Box::new(stream), &trace), local, &trace) })
    }

    /// The connection, once all that was said on it has been heard: what comes
    /// unasked before encryption would else count as said under it, whoever
    /// said it (CVE-2011-0411).
    pub(crate) fn end(self) -> Result<Box<dyn Stream>, Failure> {
        if self.is_quiet() {
            return Ok(self.stream.into_inner());
        }
        Err(Failure::Unexpected(format!(
            "data came unasked before encryption ({}): somebody on the way may have added it",
            self.trace.endpoint()
        )))
    }

    /// How many bytes have come.
    #[cfg(any(feature = "mysql", feature = "postgres", feature = "redis"))]
    pub(crate) fn heard(&self) -> usize {
        self.heard
    }

    /// Whether all that has come was read.
    pub(crate) fn is_quiet(&self) -> bool {
        self.ahead.is_empty()
    }

    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// This end's address.
    pub(crate) fn local(&self) -> Option<IpAddr> {
        self.local
    }

    /// Says what the talk is about from now on: "logging in".
    pub(crate) fn step(&self, step: &'static str) {
        self.trace.step(step);
    }

    /// From now on `base64`, which holds a secret, is left out of lines, for
    /// servers that repeat what they do not understand; the secret itself is
    /// taken out of every text later. What comes is not kept as evidence any
    /// more.
    pub(crate) fn hide(&mut self, base64: String) {
        self.secrets.push(base64);
    }

    /// A line without its end. Bytes that are no UTF-8 are replaced.
    pub(crate) async fn line(&mut self) -> Result<String, Failure> {
        let Ok(line) = self.find(line).await? else {
            return Err(Failure::Unexpected(format!(
                "the server sends a line of more than {} KiB ({})",
                MAX_LINE / 1024,
                self.trace.endpoint()
            )));
        };
        Ok(self.secrets.iter().fold(line, |line, secret| line.replace(secret, "…")))
    }

    /// The next `count` bytes. The caller bounds them.
    pub(crate) async fn exactly(&mut self, count: usize) -> Result<Vec<u8>, Failure> {
        while self.ahead.len() < count {
            self.read_on().await?;
        }
        Ok(self.ahead.split_to(count).to_vec())
    }

    /// What `look` finds at the beginning of what comes. It must refuse what
    /// grows too large.
    pub(crate) async fn find<T, E>(
        &mut self,
        look: fn(&[u8]) -> Found<T, E>,
    ) -> Result<Result<T, E>, Failure> {
        loop {
            match look(&self.ahead) {
                Ok(Some((found, length))) => {
                    self.ahead.advance(length);
                    return Ok(Ok(found));
                }
                Ok(None) => {}
                Err(refused) => return Ok(Err(refused)),
            }
            self.read_on().await?;
        }
    }

    async fn read_on(&mut self) -> Result<(), Failure> {
        self.ahead.reserve(CHUNK);
        let read = self.stream.read_buf(&mut self.ahead).await.and_then(|count| match count {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => Ok(count),
        });
        let count = read.map_err(|error| Failure::io(&error, &self.trace))?;
        self.heard += count;
        // Messages are evidence only where they are not understood.
        if self.protocol.is_none() && self.secrets.is_empty() {
            let new = &self.ahead[self.ahead.len() - count..];
            self.kept.extend_from_slice(&new[..count.min(MAX_KEPT - self.kept.len())]);
            self.trace.saw_body(&self.kept);
        }
        Ok(())
    }

    /// Sends a line.
    pub(crate) async fn say(&mut self, line: &str) -> Result<(), Failure> {
        self.send(format!("{line}\r\n").as_bytes()).await
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| Failure::io(&error, &self.trace))
    }

    /// Takes its leave. The check has come to its end, whatever the server
    /// says to that.
    pub(crate) async fn leave(mut self, farewell: &[u8]) {
        if self.send(farewell).await.is_ok() {
            let _ = self.stream.shutdown().await;
        }
    }

    /// The server said something else than it had to: `got` instead of `what`.
    pub(crate) fn not(&self, what: &str, got: &str) -> Failure {
        Failure::Unexpected(format!(
            "expected {what}, got \"{}\" ({})",
            clean(got),
            self.trace.endpoint()
        ))
    }
}

/// The first line, or that it is too long.
fn line(bytes: &[u8]) -> Found<String, ()> {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => {
            let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
            Ok(Some((String::from_utf8_lossy(line).into_owned(), end + 1)))
        }
        None if bytes.len() > MAX_LINE => Err(()),
        None => Ok(None),
    }
}
