//! A talk in lines with a server that nobody has to trust: SMTP, IMAP, POP3.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

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
const CHUNK: usize = 4 * 1024;

/// A connection on which both sides take turns.
pub(crate) struct Dialogue {
    stream: Traced<Box<dyn Stream>>,
    trace: Arc<Trace>,
    /// This end of the connection.
    local: Option<IpAddr>,
    /// What has come and was not read yet.
    ahead: Vec<u8>,
    kept: Vec<u8>,
    /// What is not to be repeated.
    secrets: Vec<String>,
}

impl Dialogue {
    /// Connects, in TLS where the server speaks it from the start.
    pub(crate) async fn open(server: &Server, trace: &Arc<Trace>) -> Result<Self, Failure> {
        let stream = server.connect(trace).await?;
        let local = stream.local_addr().ok().map(|address| address.ip());
        let stream = server.secure(trace, stream).await?;
        Ok(Self::over(stream, local, trace))
    }

    fn over(stream: Traced<Box<dyn Stream>>, local: Option<IpAddr>, trace: &Arc<Trace>) -> Self {
        let (trace, secrets) = (trace.clone(), Vec::new());
        Self { stream, trace, local, ahead: Vec::new(), kept: Vec::new(), secrets }
    }

    /// Encrypts the rest, with `host`.
    pub(crate) async fn encrypt(self, tls: &Tls, host: &str) -> Result<Self, Failure> {
        let (trace, local) = (self.trace.clone(), self.local);
        let stream = tls.handshake(&trace, host, self.end()?).await?;
        Ok(Self::over(Traced::new(Box::new(stream), &trace), local, &trace))
    }

    /// The connection, once all that was said on it has been heard: what comes
    /// unasked before encryption would else count as said under it, whoever
    /// said it (CVE-2011-0411).
    pub(crate) fn end(self) -> Result<Box<dyn Stream>, Failure> {
        if self.ahead.is_empty() {
            return Ok(self.stream.into_inner());
        }
        Err(Failure::Unexpected(format!(
            "data came unasked before encryption ({}): somebody on the way may have added it",
            self.trace.endpoint()
        )))
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
        let mut looked_at = 0;
        loop {
            let new = &self.ahead[looked_at..];
            if let Some(place) = new.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.ahead.drain(..=looked_at + place).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                let line = String::from_utf8_lossy(&line).into_owned();
                return Ok(self
                    .secrets
                    .iter()
                    .fold(line, |line, secret| line.replace(secret, "…")));
            }
            looked_at = self.ahead.len();
            if looked_at > MAX_LINE {
                return Err(Failure::Unexpected(format!(
                    "the server sends a line of more than {} KiB ({})",
                    MAX_LINE / 1024,
                    self.trace.endpoint()
                )));
            }
            self.read_on().await?;
        }
    }

    /// The next `count` bytes. The caller bounds them.
    pub(crate) async fn exactly(&mut self, count: usize) -> Result<Vec<u8>, Failure> {
        while self.ahead.len() < count {
            self.read_on().await?;
        }
        Ok(self.ahead.drain(..count).collect())
    }

    async fn read_on(&mut self) -> Result<(), Failure> {
        let mut chunk = [0; CHUNK];
        let read = self.stream.read(&mut chunk).await.and_then(|count| match count {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => Ok(&chunk[..count]),
        });
        let bytes = read.map_err(|error| Failure::io(&error, &self.trace))?;
        self.ahead.extend_from_slice(bytes);
        if self.secrets.is_empty() {
            self.kept.extend_from_slice(&bytes[..bytes.len().min(MAX_KEPT - self.kept.len())]);
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

#[cfg(test)]
pub(crate) mod tests;
