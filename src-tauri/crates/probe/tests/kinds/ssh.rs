//! `check = "ssh"` against OpenSSH.

use std::time::Duration;

use health::Outcome;
use serde_json::json;

use crate::servers::sshd::Sshd;
use crate::trial::{Trial, Wrong, fails, observe};

const PATIENT: Duration = Duration::from_secs(60);
const OTHER_KEY: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[tokio::test]
async fn ssh() {
    let mut sshd = Sshd::start();
    let (ed25519, port) = (sshd.ed25519.clone(), sshd.server.port());
    let well = observe("ssh", &json!({"host": "127.0.0.1", "port": port}), PATIENT).await;
    let software = well.metadata["software"].clone();
    assert!(software.starts_with("OpenSSH_"), "{software}");
    let trial = Trial {
        kind: "ssh",
        port,
        keys: &|port| json!({"host": "127.0.0.1", "port": port, "fingerprint": ed25519}),
        healthy: &format!("{software}, host key as expected (ssh-ed25519)"),
        wrong_credentials: &[],
        wrong_expectation: &[Wrong {
            situation: "another host key",
            keys: json!({"fingerprint": OTHER_KEY}),
            message: "host key changed (127.0.0.1:PORT): expected SHA256:FINGERPRINT, got \
                      SHA256:FINGERPRINT (ssh-ed25519); only if the change was meant, write the \
                      new one in `fingerprint`",
        }],
        hanging: "timed out after 300 ms, waiting for the banner (127.0.0.1:PORT)",
        stopped: "connection refused (127.0.0.1:PORT)",
    };
    trial.run(&mut sshd.server).await;
}

#[tokio::test]
async fn any_host_key_can_be_pinned() {
    let sshd = Sshd::start();
    let keys = json!({"host": "127.0.0.1", "port": sshd.server.port()});
    let any = observe("ssh", &keys, PATIENT).await;
    let software = any.metadata["software"].clone();
    assert_eq!(any.outcome, Outcome::Healthy(software.clone()));
    assert_eq!(any.metadata["host_key"], sshd.ed25519);
    assert_eq!(any.metadata["host_key_type"], "ssh-ed25519");

    let mut keys = keys;
    for (pinned, key_type) in [(&sshd.ecdsa, "ecdsa-sha2-nistp256"), (&sshd.rsa, "ssh-rsa")] {
        keys["fingerprint"] = pinned.clone().into();
        let seen = observe("ssh", &keys, PATIENT).await;
        let message = format!("{software}, host key as expected ({key_type})");
        assert_eq!(seen.outcome, Outcome::Healthy(message));
        assert_eq!(&seen.metadata["host_key"], pinned);
        assert_eq!(seen.metadata["host_key_type"], key_type);
    }

    keys["fingerprint"] = OTHER_KEY.into();
    let changed = observe("ssh", &keys, PATIENT).await;
    let expected = format!("expected {OTHER_KEY}, got {} (ssh-ed25519)", sshd.ed25519);
    assert!(changed.outcome.message().contains(&expected), "{changed:?}");
    assert!(changed.response_time.is_some());
}

#[tokio::test]
async fn every_method_of_the_exchange() {
    for (more, key_type) in [
        ("KexAlgorithms ecdh-sha2-nistp256", "ssh-ed25519"),
        ("KexAlgorithms ecdh-sha2-nistp384", "ssh-ed25519"),
        ("KexAlgorithms curve25519-sha256@libssh.org", "ssh-ed25519"),
        ("HostKeyAlgorithms rsa-sha2-256", "ssh-rsa"),
    ] {
        let sshd = Sshd::with(more);
        let keys = json!({"host": "127.0.0.1", "port": sshd.server.port()});
        let seen = observe("ssh", &keys, PATIENT).await;
        assert_eq!(seen.metadata["host_key_type"], key_type, "{more}");
    }
    let old = Sshd::with("KexAlgorithms diffie-hellman-group14-sha256");
    let keys = json!({"host": "127.0.0.1", "port": old.server.port(), "fingerprint": old.ed25519});
    let message = "host key cannot be verified (127.0.0.1:PORT): the server offers old methods or \
                   a short key only";
    fails("ssh", "server with old methods only", &keys, PATIENT, message).await;
}
