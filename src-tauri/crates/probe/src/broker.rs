//! What the kinds that check a message broker have in common.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use health::Measurement;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::FieldError;
use crate::failure::Failure;
use crate::field::{Field, FieldType, Parsed, Section, Step, mistake};
use crate::stream::Stream;
use crate::trace::Trace;

/// Whether a message goes there and back.
pub(crate) const ROUNDTRIP: Field = Field::optional(
    "roundtrip",
    "Round trip",
    "Sends itself a message, which finds a broker that accepts but does not deliver.",
    FieldType::Boolean,
)
.or("true")
.within(Section::Request);

/// How much of what was not asked for is let pass: a thousand messages.
pub(crate) const MOST_OTHERS: usize = 1000;

/// How much is read at once.
const CHUNK: usize = 8 * 1024;

/// Twelve hexadecimal digits that no other check has.
pub(crate) fn unique() -> String {
    // Its keys are random, and other ones each time.
    format!("{:012x}", RandomState::new().build_hasher().finish() >> 16)
}

/// A mistake in the value of `key` that its type alone does not tell.
pub(crate) fn wrong<T>(key: &str, message: impl Into<String>, help: &str) -> Parsed<T> {
    Err(vec![within(key, message, help)])
}

fn within(key: &str, message: impl Into<String>, help: &str) -> FieldError {
    mistake(message, help).within(Step::Key(key.to_owned()))
}

/// The text of `key`, where the protocol can say it in `most` bytes.
#[cfg(any(feature = "amqp", feature = "mqtt"))]
pub(crate) fn no_longer_than(most: usize, key: &str, text: Option<&str>) -> Parsed<Option<String>> {
    match text {
        Some(text) if text.len() > most => {
            wrong(key, "the text is too long", &format!("the protocol has room for {most} bytes"))
        }
        text => Ok(text.map(str::to_owned)),
    }
}

/// A message that is under way to its sender.
pub(crate) struct RoundTrip(Instant);

impl RoundTrip {
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }

    /// Notes how long it took, in milliseconds.
    pub(crate) fn end(self, trace: &Trace) {
        let ms = self.0.elapsed().as_micros() as f64 / 1000.0;
        trace.measure(Measurement::new("round trip", ms, "ms"));
    }
}

/// What a server sent that is no message of its protocol.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Nonsense {
    /// It speaks something else.
    Foreign,
    /// It says this, which cannot be gone on with.
    Refused(String),
}

/// A message and how many bytes it takes, or nothing if there is more of it
/// to come.
pub(crate) type Taken<T> = Result<Option<(T, usize)>, Nonsense>;

/// A conversation in messages.
pub(crate) struct Dialogue<S> {
    protocol: &'static str,
    stream: S,
    /// What came and nobody has looked at yet.
    unread: Vec<u8>,
    trace: Arc<Trace>,
}

impl<S: Stream> Dialogue<S> {
    pub(crate) fn new(protocol: &'static str, stream: S, trace: &Arc<Trace>) -> Self {
        Self { protocol, stream, unread: Vec::new(), trace: trace.clone() }
    }

    /// One that goes on in another way, after what came already.
    #[cfg(feature = "nats")]
    pub(crate) fn resumed(
        protocol: &'static str,
        stream: S,
        trace: &Arc<Trace>,
        unread: Vec<u8>,
    ) -> Self {
        Self { unread, ..Self::new(protocol, stream, trace) }
    }

    /// What came and nobody has looked at yet.
    #[cfg(feature = "nats")]
    pub(crate) fn into_unread(self) -> Vec<u8> {
        self.unread
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| Failure::io(&error, &self.trace))
    }

    /// The next message, as `take` finds it at the beginning of what came.
    /// It must refuse what grows too large.
    pub(crate) async fn receive<T>(&mut self, take: fn(&[u8]) -> Taken<T>) -> Result<T, Failure> {
        loop {
            if let Some((message, length)) = take(&self.unread).map_err(|n| self.failure(n))? {
                self.unread.drain(..length);
                return Ok(message);
            }
            self.unread.reserve(CHUNK);
            let read = self.stream.read_buf(&mut self.unread).await;
            if read.map_err(|error| Failure::io(&error, &self.trace))? == 0 {
                let end = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                return Err(Failure::io(&end, &self.trace));
            }
        }
    }

    /// Says goodbye; what is still said then is of no interest.
    pub(crate) async fn hang_up(mut self, goodbye: &[u8]) {
        let _ = self.stream.write_all(goodbye).await;
        let _ = self.stream.shutdown().await;
    }

    /// The server did answer, but so that there is no going on.
    pub(crate) fn failure(&self, nonsense: Nonsense) -> Failure {
        let (protocol, endpoint) = (self.protocol, self.trace.endpoint());
        if !self.unread.is_empty() {
            self.trace.saw_body(&self.unread);
        }
        Failure::Unexpected(match nonsense {
            Nonsense::Refused(reason) => format!("{reason} ({endpoint})"),
            Nonsense::Foreign if is_tls_alert(&self.unread) => {
                format!("{endpoint} answered in TLS: set `tls = true`")
            }
            Nonsense::Foreign => format!(
                "{endpoint} did not answer in {protocol}: does it speak {protocol} on this port?"
            ),
        })
    }
}

/// What a server that expects TLS says to anything else (RFC 8446, section
/// 5.1): record type 21, version 3.
fn is_tls_alert(bytes: &[u8]) -> bool {
    bytes.starts_with(&[21, 3])
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use health::Observation;
    use serde_json::Value;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::{Context, Kind};

    /// What never answers is not waited for any longer.
    const SHORT: Duration = Duration::from_millis(300);
    const PATIENT: Duration = Duration::from_secs(60);

    /// How a server behaves that has said all it has to say.
    #[derive(Debug, Clone, Copy)]
    pub(crate) enum Then {
        HangUp,
        Listen,
        /// Says this over and over.
        Repeat(&'static [u8]),
    }

    /// Does a check once, of a server that says `words` whatever it is told;
    /// gives back what the check saw, with `PORT` for the server's.
    pub(crate) async fn check(kind: Kind, keys: Value, words: &[u8], then: Then) -> Observation {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let words = words.to_vec();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            say(stream, &words, then).await;
        });
        let mut values = keys.as_object().expect("a table").clone();
        values.insert("host".to_owned(), "127.0.0.1".into());
        values.insert("port".to_owned(), port.into());
        let probe = kind.probe(&values).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let timeout = if matches!(then, Then::Listen) { SHORT } else { PATIENT };
        let mut seen = probe.check(timeout, &Context::default()).await;
        server.abort();
        let message = seen.outcome.message().replace(&port.to_string(), "PORT");
        seen.outcome = match seen.outcome {
            health::Outcome::Healthy(_) => health::Outcome::Healthy(message),
            health::Outcome::Degraded(_) => health::Outcome::Degraded(message),
            health::Outcome::Unhealthy(_) => health::Outcome::Unhealthy(message),
            health::Outcome::Unknown(_) => health::Outcome::Unknown(message),
        };
        seen
    }

    async fn say(stream: TcpStream, words: &[u8], then: Then) {
        let (mut from, mut to) = stream.into_split();
        // The client may leave in the middle.
        let _ = to.write_all(words).await;
        match then {
            Then::HangUp => drop(to.shutdown().await),
            Then::Listen => {}
            Then::Repeat(word) => while to.write_all(word).await.is_ok() {},
        }
        let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    }

    /// Asserts what a check says of such a server.
    pub(crate) async fn fails(kind: Kind, keys: Value, words: &[u8], then: Then, message: &str) {
        let seen = check(kind, keys, words, then).await;
        let expected = health::Outcome::Unhealthy(message.to_owned());
        assert_eq!(seen.outcome, expected, "{:?}", String::from_utf8_lossy(words));
    }

    /// The mistakes in these values.
    pub(crate) fn mistakes(kind: Kind, keys: &Value) -> Vec<String> {
        let found = kind.probe(keys.as_object().expect("a table")).err().expect("mistakes");
        found.into_iter().map(|mistake| mistake.message).collect()
    }

    #[test]
    fn no_two_are_the_same() {
        let (one, other) = (unique(), unique());
        assert_ne!(one, other);
        assert!(one.len() == 12 && one.bytes().all(|b| b.is_ascii_hexdigit()), "{one}");
    }
}
