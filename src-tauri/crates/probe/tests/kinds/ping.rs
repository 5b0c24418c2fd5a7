//! `check = "ping"` in networks of the tests' own, which need no permission
//! and have hosts that lose and delay as told.

use std::time::Duration;

use health::{Observation, Outcome};
use serde_json::{Value, json};

use crate::network::{Host, Permit, inside, tell};
use crate::trial::observe;

const PATIENT: Duration = Duration::from_secs(30);
/// Enough for three pings, and soon over.
const SHORT: Duration = Duration::from_secs(1);

async fn ping(keys: Value, timeout: Duration) -> Observation {
    let mut keys = keys;
    keys.as_object_mut().expect("a table").entry("host").or_insert(json!("127.0.0.1"));
    observe("ping", &keys, timeout).await
}

fn measured(seen: &Observation, name: &str) -> f64 {
    let found = seen.measurements.iter().find(|measured| measured.name == name);
    found.unwrap_or_else(|| panic!("no {name}: {seen:?}")).value
}

fn fails(seen: &Observation, situation: &str, message: &str) {
    assert_eq!(seen.outcome, Outcome::Unhealthy(message.to_owned()), "{situation}");
    tell("ping", situation, message);
}

/// All replies came, and the response time is their mean.
fn is_well(seen: &Observation) {
    let message = seen.outcome.message();
    assert!(matches!(seen.outcome, Outcome::Healthy(_)), "{message}");
    assert!(message.starts_with("3 of 3 pings answered, in "), "{message}");
    assert!(measured(seen, "loss").abs() < 1e-9);
    let mean = measured(seen, "rtt mean");
    assert!(measured(seen, "rtt min") <= mean && mean <= measured(seen, "rtt max"));
    let took = seen.response_time.expect("it answered").as_secs_f64() * 1000.0;
    assert!((took - mean).abs() < 0.001 + 1e-9, "{took} ms, but {mean} ms");
    assert!((took - seen.phases.total()).abs() < 1.0);
    assert!(measured(seen, "jitter") >= 0.0);
}

#[tokio::test]
async fn with_a_raw_socket() {
    if !inside("ping::with_a_raw_socket", Permit::Raw) {
        return;
    }
    is_well(&ping(json!({}), PATIENT).await);
    is_well(&ping(json!({"host": "::1"}), PATIENT).await);
}

#[tokio::test]
async fn with_a_datagram_socket() {
    if !inside("ping::with_a_datagram_socket", Permit::Datagram) {
        return;
    }
    let named = ping(json!({"host": "localhost"}), PATIENT).await;
    is_well(&named);
    assert!(measured(&named, "lookup") >= 0.0);
    is_well(&ping(json!({}), PATIENT).await);
    is_well(&ping(json!({"host": "::1"}), PATIENT).await);
}

#[tokio::test]
async fn without_permission() {
    if !inside("ping::without_permission", Permit::Nothing) {
        return;
    }
    let program = std::env::current_exe().expect("it runs");
    let message = |program: &str| {
        format!(
            "ping is not permitted: allow it with `sysctl -w \
             net.ipv4.ping_group_range=\"0 2147483647\"` or `setcap cap_net_raw+ep {program}`"
        )
    };
    for host in ["127.0.0.1", "::1"] {
        let seen = ping(json!({"host": host}), PATIENT).await;
        let expected = message(program.to_str().expect("a plain name"));
        assert_eq!(seen.outcome, Outcome::Unhealthy(expected));
    }
    tell("ping", "not permitted", &message("/path/of/pilotlight"));
}

#[tokio::test]
async fn with_a_host_that_loses_some() {
    if !inside("ping::with_a_host_that_loses_some", Permit::Raw) {
        return;
    }
    let _host = Host::answering(|sequence| (sequence != 1).then_some(Duration::ZERO));
    for (keys, start, end) in [
        (json!({}), "2 of 3 pings answered, in ", " ms on average, but 33 % were lost"),
        (json!({"warn_loss": 40}), "2 of 3 pings answered, in ", " ms on average"),
    ] {
        let seen = ping(keys, SHORT).await;
        let message = seen.outcome.message();
        assert!(message.starts_with(start) && message.ends_with(end), "{message}");
        assert_eq!(matches!(seen.outcome, Outcome::Degraded(_)), end.contains("lost"));
        assert!((measured(&seen, "loss") - 100.0 / 3.0).abs() < 0.01);
    }
    let seen = ping(json!({"max_loss": 30}), SHORT).await;
    fails(&seen, "too many are lost", "33 % of 3 pings were lost, more than 30 % (127.0.0.1)");
    assert!(seen.response_time.is_some());
}

#[tokio::test]
async fn with_a_host_that_is_silent() {
    if !inside("ping::with_a_host_that_is_silent", Permit::Raw) {
        return;
    }
    let _host = Host::answering(|_| None);
    let seen = ping(json!({"max_loss": 100}), SHORT).await;
    fails(&seen, "no replies", "no reply to 3 pings (127.0.0.1)");
    assert_eq!(seen.response_time, None);
    assert!((measured(&seen, "loss") - 100.0).abs() < 1e-9);
    let seen = ping(json!({"count": 1}), SHORT).await;
    fails(&seen, "no reply", "no reply to a ping (127.0.0.1)");
    let seen = ping(json!({"host": "192.0.2.1"}), SHORT).await;
    fails(&seen, "no route", "network unreachable (192.0.2.1)");
    let seen = ping(json!({"count": 20}), SHORT).await;
    let message = "20 pings, one every 200 ms, take longer than the time-out of 1 s: lower `count` \
                   or `interval`, or raise `timeout`";
    fails(&seen, "time-out is too short", message);
}

#[tokio::test]
async fn with_a_host_that_delays() {
    if !inside("ping::with_a_host_that_delays", Permit::Raw) {
        return;
    }
    let late = Duration::from_millis(120);
    let _host =
        Host::answering(move |sequence| Some(if sequence == 1 { late } else { Duration::ZERO }));
    let seen = ping(json!({"max_jitter": "10ms"}), PATIENT).await;
    let message = seen.outcome.message();
    assert!(matches!(seen.outcome, Outcome::Degraded(_)), "{message}");
    assert!(message.contains(" ms on average, but the jitter is "), "{message}");
    assert!(message.ends_with(" ms, above 10 ms"), "{message}");
    assert!(measured(&seen, "rtt max") >= 120.0);
    assert!(measured(&seen, "rtt mean") >= 40.0);
}
