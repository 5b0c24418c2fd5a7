//! `check = "smtp"` against Exim.

use std::time::Duration;

use health::Outcome;
use serde_json::json;

use crate::servers::smtp::Smtp;
use crate::trial::{Trial, Wrong, fails, observe, seen};

const PATIENT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn smtp() {
    let mut smtp = Smtp::start();
    let ca = smtp.authority.ca_file();
    let trial = Trial {
        kind: "smtp",
        port: smtp.server.port(),
        keys: &|port| {
            json!({
                "host": "127.0.0.1",
                "port": port,
                "security": "starttls",
                "ca_file": ca,
                "user": Smtp::USER,
                "password": Smtp::PASSWORD,
                "expect_capability": ["size", "AUTH LOGIN"],
            })
        },
        healthy: "greeted by mail.example.test, logged in",
        wrong_credentials: &[Wrong {
            situation: "wrong password",
            keys: json!({"password": "wrong"}),
            message: "login refused (127.0.0.1:PORT): check `user` and `password` (535 Incorrect \
                      authentication data)",
        }],
        wrong_expectation: &[
            Wrong {
                situation: "extension not offered",
                keys: json!({"expect_capability": ["AUTH SCRAM-SHA-256"]}),
                message: "expected the extension \"AUTH SCRAM-SHA-256\", got \"AUTH PLAIN LOGIN\" \
                          (127.0.0.1:PORT)",
            },
            Wrong {
                situation: "unknown CA",
                keys: json!({"ca_file": null}),
                message: "certificate is from an unknown issuer: to trust it, name its CA in \
                          `ca_file` (127.0.0.1:PORT)",
            },
            Wrong {
                situation: "TLS from the start, on a port without",
                keys: json!({"security": "tls"}),
                message: "127.0.0.1:PORT did not answer in TLS: does it speak TLS on this port?",
            },
        ],
        hanging: "timed out after 300 ms, waiting for the greeting (127.0.0.1:PORT)",
        stopped: "connection refused (127.0.0.1:PORT)",
    };
    trial.run(&mut smtp.server).await;
}

#[tokio::test]
async fn smtp_in_tls_and_in_the_clear() {
    let smtp = Smtp::start();
    let ca = smtp.authority.ca_file();
    for (keys, message) in [
        (
            json!({"port": smtp.tls_port, "security": "tls", "ca_file": ca}),
            "greeted by mail.example.test",
        ),
        (
            json!({"port": smtp.server.port(), "ehlo_name": "monitor.example.test"}),
            "greeted by mail.example.test",
        ),
        (
            json!({"port": smtp.server.port(), "user": Smtp::USER, "password": Smtp::PASSWORD}),
            "greeted by mail.example.test, logged in",
        ),
    ] {
        let mut keys = keys;
        keys["host"] = "127.0.0.1".into();
        let well = observe("smtp", &keys, PATIENT).await;
        assert_eq!(seen(&well), Outcome::Healthy(message.to_owned()));
        assert_eq!(well.phases.tls.is_some(), keys["security"] == "tls");
        assert!(well.metadata["extensions"].contains("PIPELINING"), "{well:?}");
    }
    let keys = json!({"host": "127.0.0.1", "port": smtp.tls_port});
    let message = "timed out after 300 ms, waiting for the greeting (127.0.0.1:PORT)";
    let situation = "in the clear, on a port with TLS";
    fails("smtp", situation, &keys, Duration::from_millis(300), message).await;
}
