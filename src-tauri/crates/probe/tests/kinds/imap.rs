//! `check = "imap"` against Dovecot.

use std::time::Duration;

use health::{Measurement, Outcome};
use serde_json::json;

use crate::servers::dovecot::Dovecot;
use crate::trial::{Trial, Wrong, observe, seen};

const PATIENT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn imap() {
    let mut dovecot = Dovecot::start();
    let ca = dovecot.authority.ca_file();
    let trial = Trial {
        kind: "imap",
        port: dovecot.server.port(),
        keys: &|port| {
            json!({
                "host": "127.0.0.1",
                "port": port,
                "security": "starttls",
                "ca_file": ca,
                "user": Dovecot::USER,
                "password": Dovecot::PASSWORD,
                "mailbox": "INBOX",
            })
        },
        healthy: "IMAP4rev1, logged in, 0 messages in INBOX",
        wrong_credentials: &[Wrong {
            situation: "wrong password",
            keys: json!({"password": "wrong"}),
            message: "login refused (127.0.0.1:PORT): check `user` and `password` (NO \
                      [AUTHENTICATIONFAILED] Authentication failed.)",
        }],
        wrong_expectation: &[
            Wrong {
                situation: "mailbox does not exist",
                keys: json!({"mailbox": "Entwürfe"}),
                message: "mailbox `Entwürfe` cannot be opened (127.0.0.1:PORT): check `mailbox` \
                          (NO Mailbox doesn't exist: Entwürfe)",
            },
            Wrong {
                situation: "unknown CA",
                keys: json!({"ca_file": null}),
                message: "certificate is from an unknown issuer: to trust it, name its CA in \
                          `ca_file` (127.0.0.1:PORT)",
            },
        ],
        hanging: "timed out after 300 ms, waiting for the greeting (127.0.0.1:PORT)",
        stopped: "connection refused (127.0.0.1:PORT)",
    };
    trial.run(&mut dovecot.server).await;
}

#[tokio::test]
async fn imap_in_tls_and_in_the_clear() {
    let dovecot = Dovecot::start();
    let ca = dovecot.authority.ca_file();
    for keys in [
        json!({"port": dovecot.imaps_port, "security": "tls", "ca_file": ca}),
        json!({"port": dovecot.server.port()}),
    ] {
        let mut keys = keys;
        keys["host"] = "127.0.0.1".into();
        let well = observe("imap", &keys, PATIENT).await;
        assert_eq!(seen(&well), Outcome::Healthy("IMAP4rev1".to_owned()));
        assert!(well.measurements.is_empty());

        keys["user"] = Dovecot::USER.into();
        keys["password"] = Dovecot::PASSWORD.into();
        keys["mailbox"] = "INBOX".into();
        let well = observe("imap", &keys, PATIENT).await;
        let message = "IMAP4rev1, logged in, 0 messages in INBOX";
        assert_eq!(seen(&well), Outcome::Healthy(message.to_owned()));
        assert_eq!(well.measurements, [Measurement::new("messages", 0.0, "")]);
    }
}
