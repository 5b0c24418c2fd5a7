//! How far a check has come.

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use health::{Metadata, Observation};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::text::clean;

/// What a check is waiting for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// For the addresses of this host.
    LookingUp(String),
    /// For a connection to this endpoint.
    Connecting(String),
    /// For the end of the TLS handshake.
    Handshake,
    /// For the first of an answer.
    Waiting,
    /// For the rest of an answer.
    Reading,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LookingUp(host) => write!(f, "looking up {host}"),
            Self::Connecting(endpoint) => write!(f, "connecting to {endpoint}"),
            Self::Handshake => f.write_str("in the TLS handshake"),
            Self::Waiting => f.write_str("waiting for the response"),
            Self::Reading => f.write_str("reading the response"),
        }
    }
}

/// Why a check failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There was no answer, or not all of it.
    NoAnswer(String),
    /// There was one, but not as expected.
    Unexpected(String),
}

/// How far one check has come, known even when it is cut off.
#[derive(Debug)]
pub(crate) struct Trace(watch::Sender<Progress>);

#[derive(Debug)]
struct Progress {
    phase: Phase,
    endpoint: String,
    address: Option<IpAddr>,
    metadata: Metadata,
}

impl Trace {
    /// At the start of a check of `endpoint`.
    pub(crate) fn new(endpoint: String) -> Self {
        Self(watch::Sender::new(Progress {
            phase: Phase::Waiting,
            endpoint,
            address: None,
            metadata: Metadata::new(),
        }))
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.0.send_modify(|progress| progress.phase = phase);
    }

    pub(crate) fn phase(&self) -> Phase {
        self.0.borrow().phase.clone()
    }

    /// What the check talks to, for people.
    pub(crate) fn endpoint(&self) -> String {
        self.0.borrow().endpoint.clone()
    }

    /// Goes on at another endpoint, over a connection that there may be already.
    pub(crate) fn head_for(&self, endpoint: String) {
        self.0.send_modify(|progress| {
            progress.phase = Phase::Waiting;
            progress.endpoint = endpoint;
            progress.address = None;
        });
    }

    /// Connects to any of `addresses`, for people `endpoint`.
    pub(crate) fn connect_to(&self, addresses: &[IpAddr], endpoint: String) {
        self.0.send_modify(|progress| {
            progress.phase = Phase::Connecting(endpoint.clone());
            progress.endpoint = endpoint;
            progress.address = match addresses {
                [address] => Some(*address),
                _ => None,
            };
        });
    }

    /// The other end of the connection.
    pub(crate) fn connected(&self, peer: Option<SocketAddr>) {
        self.0.send_modify(|progress| {
            progress.address = peer.map(|peer| peer.ip()).or(progress.address);
        });
    }

    pub(crate) fn note(&self, key: &str, value: impl fmt::Display) {
        let value = clean(&value.to_string());
        self.0.send_modify(|progress| {
            progress.metadata.insert(key.to_owned(), value);
        });
    }

    /// Does `check` and says what it saw, within `timeout`.
    pub(crate) async fn observe(
        &self,
        timeout: Duration,
        check: impl Future<Output = Result<String, Failure>>,
    ) -> Observation {
        let started = Instant::now();
        let seen = tokio::time::timeout(timeout, check).await;
        let took = started.elapsed();
        let (outcome, response_time) = match seen {
            Ok(Ok(message)) => (Ok(message), Some(took)),
            Ok(Err(Failure::Unexpected(message))) => (Err(message), Some(took)),
            Ok(Err(Failure::NoAnswer(message))) => (Err(message), None),
            Err(_elapsed) => {
                let timeout = Seconds(timeout);
                (Err(format!("timed out after {timeout}, {}", self.phase())), None)
            }
        };
        let progress = self.0.borrow();
        Observation {
            response_time,
            outcome,
            address: progress.address,
            metadata: progress.metadata.clone(),
        }
    }
}

/// A duration for people: `5 s`, `1.5 s`, `500 ms`.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_secs(1) {
            write!(f, "{} ms", self.0.as_millis())
        } else {
            write!(f, "{} s", self.0.as_millis() as f64 / 1000.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[test]
    fn durations_for_people() {
        for (ms, text) in
            [(1, "1 ms"), (999, "999 ms"), (1000, "1 s"), (1500, "1.5 s"), (60_000, "60 s")]
        {
            assert_eq!(Seconds(Duration::from_millis(ms)).to_string(), text);
        }
    }

    #[tokio::test]
    async fn a_timeout_says_what_was_waited_for_and_keeps_what_was_seen() {
        let trace = Trace::new("db:5432".to_owned());
        let address = IpAddr::from([10, 0, 0, 5]);
        let seen = trace.observe(Duration::from_millis(5), async {
            trace.note("tries", "1\n2");
            trace.connect_to(&[address], "10.0.0.5:5432".to_owned());
            pending().await
        });
        let seen = seen.await;
        let message = "timed out after 5 ms, connecting to 10.0.0.5:5432";
        assert_eq!(seen.outcome, Err(message.to_owned()));
        assert_eq!(seen.response_time, None);
        assert_eq!(seen.address, Some(address));
        assert_eq!(seen.metadata["tries"], "1\\n2");
    }
}
