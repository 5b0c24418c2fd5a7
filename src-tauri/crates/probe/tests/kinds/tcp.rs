//! `check = "tcp"` against Redis and Exim.

use std::time::Duration;

use health::Outcome;
use serde_json::json;

use crate::servers::redis::Redis;
use crate::servers::smtp::Smtp;
use crate::trial::{Trial, Wrong, fails, observe, seen};

const PATIENT: Duration = Duration::from_secs(60);
/// Enough for an answer, and soon over.
const SHORT: Duration = Duration::from_secs(1);

fn login(password: &str) -> String {
    format!(r"AUTH {password}\r\nPING\r\nQUIT\r\n")
}

#[tokio::test]
async fn a_dialogue() {
    let mut redis = Redis::start();
    let trial = Trial {
        kind: "tcp",
        port: redis.server.port(),
        keys: &|port| {
            json!({
                "host": "127.0.0.1",
                "port": port,
                "send": login(Redis::PASSWORD),
                "expect": r"+PONG\r\n",
            })
        },
        healthy: "got \"+OK\" from 127.0.0.1:PORT",
        wrong_credentials: &[Wrong {
            situation: "wrong password",
            keys: json!({"send": login("wrong")}),
            message: "expected \"+PONG\", got \"-WRONGPASS invalid username-password pair or user \
                      is disabled.\" (127.0.0.1:PORT)",
        }],
        wrong_expectation: &[
            Wrong {
                situation: "text not in the answer",
                keys: json!({"expect": "+PANG"}),
                message: "expected \"+PANG\", got \"+OK\" (127.0.0.1:PORT)",
            },
            Wrong {
                situation: "pattern not in the answer",
                keys: json!({"expect_regex": "PONG.PONG"}),
                message: "expected /PONG.PONG/, got \"+OK\" (127.0.0.1:PORT)",
            },
        ],
        hanging: "timed out after 300 ms, expecting \"+PONG\" (127.0.0.1:PORT)",
        stopped: "connection refused (127.0.0.1:PORT)",
    };
    trial.run(&mut redis.server).await;
}

#[tokio::test]
async fn an_answer_that_is_another_is_told_when_time_is_up() {
    let redis = Redis::start();
    let port = redis.server.port();
    let keys = json!({"host": "127.0.0.1", "port": port, "send": r"PING\r\n", "expect": "+PONG"});
    let message = "timed out after 1 s, expecting \"+PONG\", got \"-NOAUTH Authentication \
                   required.\" (127.0.0.1:PORT)";
    fails("tcp", "another answer", &keys, SHORT, message).await;
    let seen = observe("tcp", &keys, SHORT).await;
    assert_eq!(seen.evidence.body.as_deref(), Some("-NOAUTH Authentication required.\n"));
}

#[tokio::test]
async fn a_greeting() {
    let smtp = Smtp::start();
    let mut keys = json!({
        "host": "localhost",
        "port": smtp.server.port(),
        "expect_regex": r"^220 mail\.example\.test ESMTP",
    });
    let found = observe("tcp", &keys, PATIENT).await;
    let message = found.outcome.message().to_owned();
    assert!(matches!(&found.outcome, Outcome::Healthy(_)), "{message}");
    assert!(message.starts_with("got \"220 mail.example.test ESMTP Exim"), "{message}");

    keys["tls"] = json!(true);
    let message = "127.0.0.1:PORT did not answer in TLS: does it speak TLS on this port?";
    fails("tcp", "TLS with a server that has none", &keys, PATIENT, message).await;
}

#[tokio::test]
async fn over_tls() {
    let redis = Redis::start();
    let mut keys = json!({
        "host": "localhost",
        "port": redis.tls_port,
        "send": login(Redis::PASSWORD),
        "expect": "+PONG",
        "tls": true,
        "ca_file": redis.authority.ca_file(),
    });
    let well = observe("tcp", &keys, PATIENT).await;
    assert_eq!(seen(&well), Outcome::Healthy("got \"+OK\" from 127.0.0.1:PORT".to_owned()));
    assert!(well.phases.tls.is_some());

    keys.as_object_mut().expect("a table").remove("ca_file");
    let message = "certificate is from an unknown issuer: to trust it, name its CA in `ca_file` \
                   (127.0.0.1:PORT)";
    fails("tcp", "unknown authority", &keys, PATIENT, message).await;
}
