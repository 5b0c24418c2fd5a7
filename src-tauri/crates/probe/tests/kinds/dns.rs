//! `check = "dns"` against BIND, as name server and as resolver.

use std::net::Ipv4Addr;
use std::time::Duration;

use health::Outcome;
use serde_json::{Value, json};
use tokio::net::UdpSocket;

use crate::network::{Permit, inside, name_resolver};
use crate::relay::refused_port;
use crate::servers::bind::Bind;
use crate::trial::{Trial, Wrong, fails, observe, seen};

const PATIENT: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

#[tokio::test]
async fn a_name_server() {
    let mut bind = Bind::start();
    let trial = Trial {
        kind: "dns",
        port: bind.server.port(),
        keys: &|port| {
            json!({
                "lookup": "WWW.example.test",
                "resolver": address(port),
                "expect": ["192.0.2.10"],
            })
        },
        healthy: "192.0.2.10",
        wrong_credentials: &[],
        wrong_expectation: &[
            Wrong {
                situation: "other answer",
                keys: json!({"expect": "192.0.2.11"}),
                message: "expected 192.0.2.11, got 192.0.2.10 (127.0.0.1:PORT)",
            },
            Wrong {
                situation: "one of several missing",
                keys: json!({"lookup": "many.example.test", "expect": ["192.0.2.20", "192.0.2.99"]}),
                message: "expected 192.0.2.99, got 192.0.2.20, 192.0.2.21 (127.0.0.1:PORT)",
            },
            Wrong {
                situation: "none of several",
                keys: json!({"match": "any", "expect": ["192.0.2.98", "192.0.2.99"]}),
                message: "expected one of 192.0.2.98, 192.0.2.99, got 192.0.2.10 (127.0.0.1:PORT)",
            },
            Wrong {
                situation: "more than exactly expected",
                keys: json!({"lookup": "many.example.test", "match": "exact", "expect": ["192.0.2.20"]}),
                message: "expected exactly 192.0.2.20, got 192.0.2.20, 192.0.2.21 (127.0.0.1:PORT)",
            },
            Wrong {
                situation: "too few answers",
                keys: json!({"min_answers": 2}),
                message: "expected at least 2 A records, got 1 (127.0.0.1:PORT)",
            },
            Wrong {
                situation: "no such name",
                keys: json!({"lookup": "none.example.test"}),
                message: "`none.example.test` does not exist (NXDOMAIN from 127.0.0.1:PORT)",
            },
            Wrong {
                situation: "no such record",
                keys: json!({"record": "MX", "expect": null}),
                message: "`www.example.test` has no MX record (127.0.0.1:PORT)",
            },
            Wrong {
                situation: "zone cannot be served",
                keys: json!({"lookup": "www.broken.test"}),
                message: "the resolver failed to look up `www.broken.test` (SERVFAIL from \
                          127.0.0.1:PORT)",
            },
            Wrong {
                situation: "not for this client",
                keys: json!({"lookup": "elsewhere.invalid"}),
                message: "the resolver refuses to look up `elsewhere.invalid` (REFUSED from \
                          127.0.0.1:PORT): it serves other names or clients",
            },
            Wrong {
                situation: "resolver does not validate",
                keys: json!({"dnssec": true}),
                message: "the answer for `www.example.test` is not validated: its zone is not \
                          signed, or the resolver does not validate (127.0.0.1:PORT)",
            },
        ],
        hanging: "timed out after 300 ms, waiting for the response (127.0.0.1:PORT)",
        stopped: "connection refused (127.0.0.1:PORT)",
    };
    trial.run(&mut bind.server).await;
}

#[tokio::test]
async fn every_record() {
    let bind = Bind::start();
    for (name, record, expect, message) in [
        ("www.example.test", "AAAA", json!("2001:0db8::0010"), "2001:db8::10"),
        ("alias.example.test", "CNAME", json!("WWW.example.test."), "www.example.test"),
        ("alias.example.test", "A", json!("192.0.2.10"), "192.0.2.10"),
        (
            "example.test",
            "MX",
            json!(["20 backup.example.test", "10 mail.example.test."]),
            "10 mail.example.test, 20 backup.example.test",
        ),
        ("example.test", "TXT", json!("v=spf1 mx -all"), "v=spf1 mx -all"),
        ("example.test", "NS", json!("ns2.example.test"), "ns1.example.test, ns2.example.test"),
        (
            "_sip._tcp.example.test",
            "SRV",
            json!("10 60 5060 www.example.test"),
            "10 60 5060 www.example.test",
        ),
        ("example.test", "CAA", json!("0 issue ca.example.test"), "0 issue \"ca.example.test\""),
        ("192.0.2.10", "PTR", json!("www.example.test"), "www.example.test"),
    ] {
        let keys = json!({
            "lookup": name,
            "record": record,
            "resolver": address(bind.server.port()),
            "expect": expect,
        });
        let found = observe("dns", &keys, PATIENT).await;
        assert_eq!(found.outcome, Outcome::Healthy(message.to_owned()), "{name} {record}");
        assert_eq!(found.metadata["ttl"], "300");
        assert_eq!(found.metadata["answers"], message);
        let phases = found.phases;
        assert!(phases.send.is_some() && phases.wait.is_some() && phases.connect.is_none());
    }
}

#[tokio::test]
async fn every_transport() {
    let bind = Bind::start();
    let ca = bind.authority.ca_file();
    let keys = |transport: &str, resolver: String| {
        json!({
            "lookup": "www.example.test",
            "transport": transport,
            "resolver": resolver,
            "ca_file": ca,
            "expect": "192.0.2.10",
        })
    };
    let tcp = keys("tcp", address(bind.server.port()));
    let tls = keys("tls", format!("localhost:{}", bind.tls_port));
    let https = keys("https", format!("localhost:{}", bind.https_port));
    let in_full = keys("https", format!("https://127.0.0.1:{}/dns-query", bind.https_port));
    for (keys, encrypted) in [(&tcp, false), (&tls, true), (&https, true), (&in_full, true)] {
        let found = observe("dns", keys, PATIENT).await;
        assert_eq!(found.outcome, Outcome::Healthy("192.0.2.10".to_owned()), "{keys}");
        assert!(found.phases.connect.is_some() && found.phases.wait.is_some(), "{keys}");
        assert_eq!(found.phases.tls.is_some(), encrypted, "{keys}");
        let took = found.response_time.expect("it answered").as_secs_f64() * 1000.0;
        assert!((took - found.phases.total()).abs() < 1.0);
    }

    for (transport, keys) in [("TLS", &tls), ("HTTPS", &https)] {
        let mut keys = keys.clone();
        keys.as_object_mut().expect("a table").remove("ca_file");
        let message = "certificate is from an unknown issuer: to trust it, name its CA in \
                       `ca_file` (127.0.0.1:PORT)";
        fails("dns", &format!("unknown authority, {transport}"), &keys, PATIENT, message).await;
    }

    let elsewhere = keys("https", format!("https://localhost:{}/else", bind.https_port));
    let message = "the resolver answered 404 Not Found (127.0.0.1:PORT): check `resolver`";
    fails("dns", "no DNS at that URL", &elsewhere, PATIENT, message).await;

    let plain = keys("tls", address(bind.server.port()));
    let message = "timed out after 300 ms, in the TLS handshake (127.0.0.1:PORT)";
    fails("dns", "no TLS on this port", &plain, SHORT, message).await;

    for transport in ["tcp", "tls", "https"] {
        let keys = keys(transport, address(refused_port()));
        let situation = format!("resolver stopped, {transport}");
        fails("dns", &situation, &keys, PATIENT, "connection refused (127.0.0.1:PORT)").await;
    }

    bind.server.hang();
    for (transport, keys, message) in [
        ("tcp", &tcp, "timed out after 300 ms, waiting for the response (127.0.0.1:PORT)"),
        ("tls", &tls, "timed out after 300 ms, in the TLS handshake (127.0.0.1:PORT)"),
        ("https", &https, "timed out after 300 ms, in the TLS handshake (127.0.0.1:PORT)"),
    ] {
        fails("dns", &format!("resolver hangs, {transport}"), keys, SHORT, message).await;
    }
}

#[tokio::test]
async fn a_resolver_that_validates() {
    let bind = Bind::start();
    let keys = |name: &str| -> Value {
        json!({"lookup": name, "resolver": address(bind.resolver.port()), "dnssec": true})
    };
    let signed = observe("dns", &keys("www.example.test"), PATIENT).await;
    assert_eq!(seen(&signed), Outcome::Healthy("192.0.2.10, validated".to_owned()));
    assert_eq!(signed.metadata["dnssec"], "validated");

    let message = "the answer for `www.plain.test` is not validated: its zone is not signed, or \
                   the resolver does not validate (127.0.0.1:PORT)";
    fails("dns", "zone is not signed", &keys("www.plain.test"), PATIENT, message).await;

    let message = "the resolver failed to look up `www.bogus.test` (SERVFAIL from \
                   127.0.0.1:PORT): its signatures may be wrong";
    fails("dns", "wrong signature", &keys("www.bogus.test"), PATIENT, message).await;
}

/// Passes a question that comes to the usual port on to `port`, and the answer
/// back.
async fn pass_one_on(listener: UdpSocket, port: u16) {
    let mut buffer = [0; 2000];
    let (length, from) = listener.recv_from(&mut buffer).await.expect("a question");
    let upstream = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    upstream.send_to(&buffer[..length], (Ipv4Addr::LOCALHOST, port)).await.expect("sent");
    let length = upstream.recv(&mut buffer).await.expect("an answer");
    listener.send_to(&buffer[..length], from).await.expect("sent");
}

#[tokio::test]
async fn the_resolver_of_this_machine() {
    if !inside("dns::the_resolver_of_this_machine", Permit::Raw) {
        return;
    }
    let keys = json!({"lookup": "www.example.test"});
    let resolver = Ipv4Addr::new(127, 0, 0, 53);
    name_resolver(resolver);
    let seen = observe("dns", &keys, PATIENT).await;
    assert_eq!(seen.outcome, Outcome::Unhealthy("connection refused (127.0.0.53:53)".to_owned()));

    let bind = Bind::start();
    let listener = UdpSocket::bind((resolver, 53)).await.expect("its own network");
    let passing = tokio::spawn(pass_one_on(listener, bind.server.port()));
    let seen = observe("dns", &keys, PATIENT).await;
    assert_eq!(seen.outcome, Outcome::Healthy("192.0.2.10".to_owned()));
    assert_eq!(seen.address, None, "where the resolver is says nothing of the name");
    assert_eq!(seen.metadata["reached"], "127.0.0.53");
    passing.await.expect("it answered");
}
