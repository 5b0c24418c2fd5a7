//! A conversation in methods.

use std::sync::Arc;

use super::frame::{Arguments, Frame, Id, LONGEST, frame};
use crate::broker::{MOST_OTHERS, Nonsense};
use crate::dialogue::Dialogue;
use crate::failure::Failure;
use crate::server::Server;
use crate::text::clean;
use crate::trace::Trace;

const CONNECTION_CLOSE: Id = (10, 50);
const BLOCKED: Id = (10, 60);
const CHANNEL_CLOSE: Id = (20, 40);
const RETURN: Id = (60, 50);

/// Reply codes (specification, section 1.2).
pub(super) const ACCESS_REFUSED: u16 = 403;
pub(super) const INVALID_PATH: u16 = 402;
pub(super) const NOT_FOUND: u16 = 404;
pub(super) const NOT_ALLOWED: u16 = 530;

/// Why what was asked for did not come.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The broker closed connection or channel, with a reply code and a text.
    Closed(u16, String),
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Refusal {
    /// In the words of `known`, where it knows the reply code.
    pub(super) fn in_words(
        self,
        trace: &Trace,
        known: impl FnOnce(u16, &str) -> Option<String>,
    ) -> Failure {
        match self {
            Self::Failed(failure) => failure,
            Self::Closed(code, text) => {
                Failure::Unexpected(known(code, &text).unwrap_or_else(|| {
                    format!("the broker refuses: {} ({})", clean(&text), trace.endpoint())
                }))
            }
        }
    }
}

/// A connection with one channel.
pub(super) struct Session {
    dialogue: Dialogue,
    trace: Arc<Trace>,
}

impl Session {
    pub(super) async fn open(server: &Server, trace: &Arc<Trace>) -> Result<Self, Failure> {
        let dialogue = Dialogue::open(server, trace).await?.speaking("AMQP");
        Ok(Self { dialogue, trace: trace.clone() })
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.dialogue.send(bytes).await
    }

    /// Sends `bytes` and gives the arguments of the method that answers.
    pub(super) async fn ask(&mut self, bytes: &[u8], answer: Id) -> Result<Arguments, Refusal> {
        self.send(bytes).await?;
        self.method(answer).await
    }

    /// The arguments of the next method of that id.
    async fn method(&mut self, wanted: Id) -> Result<Arguments, Refusal> {
        for _ in 0..MOST_OTHERS {
            if let Frame::Method(id, arguments) = self.dialogue.receive(frame).await? {
                if id == wanted {
                    return Ok(arguments);
                }
                self.listen(id, arguments)?;
            }
        }
        Err(self.foreign().into())
    }

    /// The message that is delivered next, of at most [`LONGEST`] bytes.
    pub(super) async fn message(&mut self, deliver: Id) -> Result<Vec<u8>, Refusal> {
        self.method(deliver).await?;
        let mut body = Vec::new();
        let mut length = None;
        for _ in 0..MOST_OTHERS {
            match self.dialogue.receive(frame).await? {
                Frame::Header(bytes) if bytes > LONGEST.into() => {
                    let reason = format!("the broker delivered a message of {bytes} bytes");
                    return Err(self.dialogue.failure(Nonsense::Refused(reason)).into());
                }
                Frame::Header(bytes) => length = Some(bytes),
                Frame::Body(part) => body.extend(part),
                Frame::Method(id, arguments) => self.listen(id, arguments)?,
                Frame::Heartbeat => {}
            }
            if length.is_some_and(|length| body.len() as u64 >= length) {
                return Ok(body);
            }
        }
        Err(self.foreign().into())
    }

    /// What a broker may say at any time, and that ends the check.
    fn listen(&self, id: Id, mut arguments: Arguments) -> Result<(), Refusal> {
        let mut reason = || arguments.short_text().unwrap_or_default();
        match id {
            CONNECTION_CLOSE | CHANNEL_CLOSE => {
                let code = arguments.short().ok_or_else(|| self.foreign())?;
                Err(Refusal::Closed(code, arguments.short_text().unwrap_or_default()))
            }
            BLOCKED => Err(unexpected(format!(
                "the broker takes no messages, {} ({}): make room, or raise its limit",
                clean(&reason()),
                self.trace.endpoint()
            ))),
            RETURN => Err(unexpected(format!(
                "own message came back undelivered ({})",
                self.trace.endpoint()
            ))),
            _ => Ok(()),
        }
    }

    /// The broker speaks something else.
    pub(super) fn foreign(&self) -> Failure {
        self.dialogue.failure(Nonsense::Foreign)
    }

    /// The connection is closed in agreement; only the line is left to cut.
    pub(super) async fn hang_up(self) {
        self.dialogue.leave(b"").await;
    }
}

fn unexpected(message: String) -> Refusal {
    Failure::Unexpected(message).into()
}
