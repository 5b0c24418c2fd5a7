//! `check = "mqtt"` against Mosquitto.

use std::time::Duration;

use health::Outcome;
use serde_json::{Value, json};

use crate::servers::mosquitto::Mosquitto;
use crate::trial::{Trial, Wrong, changed, fails, observe, seen};

const PATIENT: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);
const HEALTHY: &str = "own message came back";

fn keys(port: u16) -> Value {
    json!({
        "host": "127.0.0.1",
        "port": port,
        "user": Mosquitto::USER,
        "password": Mosquitto::PASSWORD,
    })
}

#[tokio::test]
async fn mqtt() {
    let mut mosquitto = Mosquitto::start();
    let port = mosquitto.server.port();

    let well = observe("mqtt", &changed(keys(port), &json!({"topic": "app/check"})), PATIENT).await;
    assert_eq!(seen(&well), Outcome::Healthy(HEALTHY.to_owned()));
    let [measured] = &well.measurements[..] else { panic!("{:?}", well.measurements) };
    assert_eq!((measured.name.as_str(), measured.unit.as_str()), ("round trip", "ms"));
    assert!(measured.value > 0.0);

    let closed = changed(keys(port), &json!({"topic": "closed/door"}));
    let message = "timed out after 300 ms, waiting for its own message, which the broker accepted \
                   (127.0.0.1:PORT)";
    fails("mqtt", "message not delivered", &closed, SHORT, message).await;
    let login_only = changed(closed, &json!({"roundtrip": false, "client_id": "me"}));
    let well = observe("mqtt", &login_only, PATIENT).await;
    assert_eq!(seen(&well), Outcome::Healthy("logged in".to_owned()));
    assert_eq!(well.measurements, []);

    let refused = "login refused (127.0.0.1:PORT): check `user` and `password`, and whether the \
                   user may connect";
    let trial = Trial {
        kind: "mqtt",
        port,
        keys: &keys,
        healthy: HEALTHY,
        wrong_credentials: &[
            Wrong {
                situation: "wrong password",
                keys: json!({"password": "wrong"}),
                message: refused,
            },
            Wrong { situation: "unknown user", keys: json!({"user": "nobody"}), message: refused },
            Wrong {
                situation: "no user",
                keys: json!({"user": null, "password": null}),
                message: "login needed (127.0.0.1:PORT): set `user` and `password`",
            },
        ],
        wrong_expectation: &[],
        hanging: "timed out after 300 ms, logging in (127.0.0.1:PORT)",
        stopped: "connection refused (127.0.0.1:PORT)",
    };
    trial.run(&mut mosquitto.server).await;
}

#[tokio::test]
async fn mqtts() {
    let mosquitto = Mosquitto::start();
    let encrypted = changed(keys(mosquitto.tls_port), &json!({"tls": true}));
    let trusted = json!({"ca_file": mosquitto.authority.ca_file()});
    let well = observe("mqtt", &changed(encrypted.clone(), &trusted), PATIENT).await;
    assert_eq!(seen(&well), Outcome::Healthy(HEALTHY.to_owned()));
    assert!(well.phases.tls.is_some());

    let message = "certificate is from an unknown issuer: to trust it, name its CA in `ca_file` \
                   (127.0.0.1:PORT)";
    fails("mqtt", "unknown CA", &encrypted, PATIENT, message).await;
}
