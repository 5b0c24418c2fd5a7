//! What every kind of check has to get right against a real server.

use std::time::Duration;

use health::{Observation, Outcome};
use probe::{Context, Kind};
use serde_json::Value;

use crate::errors::{documented, steady};
use crate::relay::Relay;
use crate::servers::Server;

/// Never reached by what answers.
pub const PATIENT: Duration = Duration::from_secs(60);
/// For what never answers.
pub const SHORT: Duration = Duration::from_millis(300);
/// By how much an answer of a slow server is late.
const DELAY: Duration = Duration::from_millis(150);

/// A kind of check against its real server. In messages, ports and the like
/// are as docs/errors.md has them: `127.0.0.1:PORT`.
pub struct Trial<'a> {
    /// The kind, as in config.toml.
    pub kind: &'a str,
    /// The port that is checked, on 127.0.0.1.
    pub port: u16,
    /// The kind's keys, for whatever port.
    pub keys: &'a dyn Fn(u16) -> Value,
    /// What it says when all is well.
    pub healthy: &'a str,
    /// Nothing, where there are no credentials.
    pub wrong_credentials: &'a [Wrong<'a>],
    /// What the server does not fulfil.
    pub wrong_expectation: &'a [Wrong<'a>],
    /// What it says of a server that accepts and does not answer.
    pub hanging: &'a str,
    /// What it says when nobody listens.
    pub stopped: &'a str,
}

/// A mistake in the keys that only the server can tell.
pub struct Wrong<'a> {
    /// What is wrong, as docs/errors.md calls it: `wrong password`.
    pub situation: &'a str,
    /// The keys that differ; null leaves a key out.
    pub keys: Value,
    /// What the check says.
    pub message: &'a str,
}

impl Trial<'_> {
    /// Against the server:
    /// 1. all is well, and the phases are the whole response time,
    /// 2. wrong credentials fail,
    /// 3. wrong expectations fail,
    /// 4. a slow answer is waited for, and measured,
    /// 5. a hanging server times out, and the message says what was awaited,
    /// 6. the server is well again when it goes on,
    /// 7. a stopped server fails, and the message says where.
    ///
    /// All failures are in docs/errors.md. In the end the server is stopped.
    pub async fn run(&self, server: &mut Server) {
        let keys = (self.keys)(self.port);
        self.is_well(&keys).await;

        for wrong in self.wrong_credentials.iter().chain(self.wrong_expectation) {
            let keys = changed(keys.clone(), &wrong.keys);
            fails(self.kind, wrong.situation, &keys, PATIENT, wrong.message).await;
        }

        let relay = Relay::new(self.port, DELAY).await;
        let slow = observe(self.kind, &(self.keys)(relay.port()), PATIENT).await;
        assert_eq!(seen(&slow), Outcome::Healthy(self.healthy.to_owned()), "slow");
        let took = slow.response_time.expect("it answered");
        assert!(took >= DELAY, "an answer {DELAY:?} late took {took:?}");
        drop(relay);

        server.hang();
        fails(self.kind, "server hangs", &keys, SHORT, self.hanging).await;
        server.resume();
        self.is_well(&keys).await;

        server.stop();
        fails(self.kind, "server stopped", &keys, PATIENT, self.stopped).await;
    }

    async fn is_well(&self, keys: &Value) {
        let well = observe(self.kind, keys, PATIENT).await;
        assert_eq!(seen(&well), Outcome::Healthy(self.healthy.to_owned()), "{well:?}");
        let took = well.response_time.expect("it answered").as_secs_f64() * 1000.0;
        let phases = well.phases.total();
        assert!((took - phases).abs() < 1.0, "{took} ms, but {:?}", well.phases);
        assert!(well.address.is_some_and(|address| address.is_loopback()), "{well:?}");
    }
}

/// Does a check once.
pub async fn observe(kind: &str, keys: &Value, timeout: Duration) -> Observation {
    let kind = Kind::from_name(kind).unwrap_or_else(|| panic!("no check is called {kind}"));
    let keys = keys.as_object().expect("a table");
    let probe = kind.probe(keys).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    probe.check(timeout, &Context::default()).await
}

/// Asserts that a check says so, and that docs/errors.md does.
pub async fn fails(kind: &str, situation: &str, keys: &Value, timeout: Duration, message: &str) {
    let observation = observe(kind, keys, timeout).await;
    let expected = Outcome::Unhealthy(message.to_owned());
    assert_eq!(seen(&observation), expected, "{kind}, {situation}");
    documented(kind, situation, observation.outcome.message());
}

/// The outcome without what differs between runs.
pub fn seen(observation: &Observation) -> Outcome {
    let make = match observation.outcome {
        Outcome::Healthy(_) => Outcome::Healthy,
        Outcome::Degraded(_) => Outcome::Degraded,
        Outcome::Unhealthy(_) => Outcome::Unhealthy,
        Outcome::Unknown(_) => Outcome::Unknown,
    };
    make(steady(observation.outcome.message()))
}

/// `keys` with `changes`, where null takes a key away.
pub fn changed(mut keys: Value, changes: &Value) -> Value {
    let table = keys.as_object_mut().expect("a table");
    for (key, value) in changes.as_object().expect("a table") {
        if value.is_null() {
            table.remove(key);
        } else {
            table.insert(key.clone(), value.clone());
        }
    }
    keys
}
