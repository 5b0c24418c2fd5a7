//! What the kinds that check a message broker have in common.

use std::hash::{BuildHasher, Hasher, RandomState};

use health::Measurement;
use tokio::time::Instant;

use crate::dialogue::messages::is_tls_alert;
use crate::dialogue::{Dialogue, Found};
use crate::failure::Failure;
use crate::field::{Field, FieldType, Section};
#[cfg(any(feature = "amqp", feature = "mqtt"))]
use crate::field::{Parsed, mistake_at};
use crate::trace::Trace;

/// Who logs in, where nobody has to.
#[cfg(any(feature = "mqtt", feature = "nats"))]
pub(crate) const USER: Field =
    Field::optional("user", "User", "The name to log in with.", FieldType::Text)
        .within(Section::Login);

#[cfg(any(feature = "mqtt", feature = "nats"))]
pub(crate) const PASSWORD: Field =
    Field::optional("password", "Password", "The user's password.", FieldType::Secret)
        .within(Section::Login);

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

/// Twelve hexadecimal digits that no other check has.
pub(crate) fn unique() -> String {
    // Its keys are random, and other ones each time.
    format!("{:012x}", RandomState::new().build_hasher().finish() >> 16)
}

/// The text of `key`, where the protocol can say it in `most` bytes.
#[cfg(any(feature = "amqp", feature = "mqtt"))]
pub(crate) fn no_longer_than(most: usize, key: &str, text: Option<&str>) -> Parsed<Option<String>> {
    match text {
        Some(text) if text.len() > most => Err(mistake_at(
            key,
            "the text is too long",
            format!("the protocol has room for {most} bytes"),
        )),
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

/// A message, as it is found at the beginning of what came.
pub(crate) type Taken<T> = Found<T, Nonsense>;

impl Dialogue {
    /// The next message, as `take` finds it. It must refuse what grows too
    /// large.
    pub(crate) async fn receive<T>(&mut self, take: fn(&[u8]) -> Taken<T>) -> Result<T, Failure> {
        self.find(take).await?.map_err(|nonsense| self.failure(nonsense))
    }

    /// The server did answer, but so that there is no going on.
    pub(crate) fn failure(&self, nonsense: Nonsense) -> Failure {
        let (protocol, endpoint) = (self.protocol(), self.trace().endpoint());
        if !self.is_quiet() {
            self.trace().saw_body(self.ahead());
        }
        Failure::Unexpected(match nonsense {
            Nonsense::Refused(reason) => format!("{reason} ({endpoint})"),
            Nonsense::Foreign if is_tls_alert(self.ahead()) => {
                format!("{endpoint} answered in TLS: set `tls = true`")
            }
            Nonsense::Foreign => format!(
                "{endpoint} did not answer in {protocol}: does it speak {protocol} on this port?"
            ),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use health::Observation;
    use serde_json::Value;
    use tokio::io::AsyncWriteExt;
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
