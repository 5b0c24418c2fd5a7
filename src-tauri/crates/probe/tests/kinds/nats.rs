//! `check = "nats"` against nats-server.

use std::time::Duration;

use health::Outcome;
use serde_json::{Value, json};

use crate::servers::nats::Nats;
use crate::trial::{Trial, Wrong, changed, fails, observe, seen};

const PATIENT: Duration = Duration::from_secs(60);

fn keys(port: u16) -> Value {
    let (user, password) = (Nats::USER, Nats::PASSWORD);
    json!({"host": "127.0.0.1", "port": port, "user": user, "password": password})
}

#[tokio::test]
async fn nats() {
    let mut nats = Nats::start();
    let port = nats.server.port();
    let version = nats.version();

    let well = observe("nats", &keys(port), PATIENT).await;
    assert_eq!(well.metadata["server_version"], version);
    assert_eq!(well.metadata["jetstream"], "no");
    let [measured] = &well.measurements[..] else { panic!("{:?}", well.measurements) };
    assert_eq!((measured.name.as_str(), measured.unit.as_str()), ("round trip", "ms"));
    let well = observe("nats", &changed(keys(port), &json!({"roundtrip": false})), PATIENT).await;
    assert_eq!(seen(&well), Outcome::Healthy(format!("logged in, NATS {version}")));
    assert_eq!(well.measurements, []);

    let no_tls = changed(keys(port), &json!({"tls": true}));
    let message = "the server offers no TLS (127.0.0.1:PORT): set it up there";
    fails("nats", "server without TLS", &no_tls, PATIENT, message).await;

    let trial = Trial {
        kind: "nats",
        port,
        keys: &keys,
        healthy: &format!("own message came back, NATS {version}"),
        wrong_credentials: &[
            Wrong {
                situation: "wrong password",
                keys: json!({"password": "wrong"}),
                message: "login refused (127.0.0.1:PORT): check `user` and `password`",
            },
            Wrong {
                situation: "no user",
                keys: json!({"user": null, "password": null}),
                message: "login needed (127.0.0.1:PORT): set `user` and `password`, or `token`",
            },
        ],
        wrong_expectation: &[],
        hanging: "timed out after 300 ms, waiting for its greeting (127.0.0.1:PORT)",
        stopped: "connection refused (127.0.0.1:PORT)",
    };
    trial.run(&mut nats.server).await;
}

#[tokio::test]
async fn nats_with_a_token() {
    let nats = Nats::token();
    let keys = |token| json!({"host": "127.0.0.1", "port": nats.server.port(), "token": token});
    let well = observe("nats", &keys(Nats::TOKEN), PATIENT).await;
    let healthy = format!("own message came back, NATS {}", nats.version());
    assert_eq!(seen(&well), Outcome::Healthy(healthy));
    let message = "login refused (127.0.0.1:PORT): check `token`";
    fails("nats", "wrong token", &keys("wrong"), PATIENT, message).await;
}

#[tokio::test]
async fn nats_without_permissions() {
    let nats = Nats::closed();
    let message = "own message not permitted (127.0.0.1:PORT): allow the user to publish and \
                   subscribe to `_INBOX.>`";
    fails("nats", "inbox not permitted", &keys(nats.server.port()), PATIENT, message).await;
}

#[tokio::test]
async fn nats_over_tls() {
    let nats = Nats::tls();
    let plain = keys(nats.server.port());
    let encrypted = changed(plain.clone(), &json!({"tls": true}));
    let trusted = json!({"ca_file": nats.authority.ca_file()});
    let well = observe("nats", &changed(encrypted.clone(), &trusted), PATIENT).await;
    let healthy = format!("own message came back, NATS {}", nats.version());
    assert_eq!(seen(&well), Outcome::Healthy(healthy));
    assert!(well.phases.tls.is_some());

    let message = "certificate is from an unknown issuer: to trust it, name its CA in `ca_file` \
                   (127.0.0.1:PORT)";
    fails("nats", "unknown CA", &encrypted, PATIENT, message).await;
    let message = "the server wants TLS (127.0.0.1:PORT): set `tls = true`";
    fails("nats", "server wants TLS", &plain, PATIENT, message).await;
}
