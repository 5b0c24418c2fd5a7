use serde_json::json;

use super::*;
use crate::Kind;
use crate::broker::tests::{Then, check, fails, mistakes};

const INFO: &str = "INFO {\"version\":\"2.9.10\",\"jetstream\":true}\r\n";
const NO_NATS: &str = "127.0.0.1:PORT did not answer in NATS: does it speak NATS on this port?";

#[test]
fn one_way_to_log_in() {
    for (keys, expected) in [
        (json!({"host": "db", "password": "x"}), "`user` is missing"),
        (json!({"host": "db", "user": "x", "token": "x"}), "there is a user beside the token"),
        (json!({"host": "db", "password": "x", "token": "x"}), "there is a user beside the token"),
    ] {
        assert_eq!(mistakes(Kind::Nats, &keys), [expected]);
    }
}

#[tokio::test]
async fn what_it_says_is_kept() {
    let seen = check(Kind::Nats, json!({}), INFO.as_bytes(), Then::HangUp).await;
    assert_eq!(seen.metadata["server_version"], "2.9.10");
    assert_eq!(seen.metadata["jetstream"], "yes");
    assert_eq!(seen.outcome.message(), "connection closed by 127.0.0.1:PORT, logging in");
}

#[tokio::test]
async fn what_is_no_nats_is_told() {
    for words in ["HTTP/1.1 400 Bad Request\r\n\r\n", "INFO nonsense\r\n", "PONG\r\n"] {
        fails(Kind::Nats, json!({}), words.as_bytes(), Then::HangUp, NO_NATS).await;
    }
    fails(Kind::Nats, json!({}), b"", Then::Repeat(b"xxxxxxxx"), NO_NATS).await;
    fails(Kind::Nats, json!({}), b"INFO ", Then::Repeat(b"xxxxxxxx"), NO_NATS).await;
}

#[tokio::test]
async fn what_comes_before_tls_is_refused() {
    let words = b"INFO {\"tls_required\":true}\r\nPONG\r\n";
    let message = "the server sent more than its greeting before TLS (127.0.0.1:PORT): somebody \
                   may be in between";
    fails(Kind::Nats, json!({"tls": true}), words, Then::HangUp, message).await;
}

#[tokio::test]
async fn a_refusal_may_come_without_a_greeting() {
    let message = "the server takes no more connections (127.0.0.1:PORT): raise its limit";
    let words = b"-ERR 'maximum connections exceeded'\r\n";
    fails(Kind::Nats, json!({}), words, Then::HangUp, message).await;
}

#[tokio::test]
async fn a_mute_server_is_not_waited_for() {
    let message = "timed out after 300 ms, waiting for its greeting (127.0.0.1:PORT)";
    fails(Kind::Nats, json!({}), b"", Then::Listen, message).await;
    let message = "timed out after 300 ms, logging in (127.0.0.1:PORT)";
    fails(Kind::Nats, json!({}), INFO.as_bytes(), Then::Listen, message).await;
}

#[tokio::test]
async fn what_does_not_come_back_is_told() {
    let words = format!("{INFO}PONG\r\n");
    let message = "timed out after 300 ms, waiting for its own message (127.0.0.1:PORT)";
    fails(Kind::Nats, json!({}), words.as_bytes(), Then::Listen, message).await;
    let message = "own message not delivered (127.0.0.1:PORT)";
    fails(Kind::Nats, json!({}), words.as_bytes(), Then::Repeat(b"PING\r\n"), message).await;
    let words = format!("{words}MSG other 1 2\r\nhi\r\n");
    let message = "the server delivered another message than its own (127.0.0.1:PORT)";
    fails(Kind::Nats, json!({}), words.as_bytes(), Then::HangUp, message).await;
}

#[test]
fn refusals_in_plain_words() {
    let keys = json!({"host": "db"});
    let server = || {
        let form = Form::new(FIELDS, keys.as_object().expect("a table")).expect("valid");
        Server::read(&form, USUAL_PORT).expect("valid")
    };
    let refusal = |login, reason: &str| {
        NatsProbe { server: server(), login, roundtrip: true }.refusal(reason, "db:4222")
    };
    let user = || Login::Password { user: "app".to_owned(), password: "x".to_owned() };
    for (login, reason, expected) in [
        (
            Login::None,
            "Authorization Violation",
            "login needed (db:4222): set `user` and `password`, or `token`",
        ),
        (user(), "Authorization Violation", "login refused (db:4222): check `user` and `password`"),
        (
            Login::Token("x".to_owned()),
            "Authorization Violation",
            "login refused (db:4222): check `token`",
        ),
        (
            user(),
            "User Authentication Expired",
            "the login has expired (db:4222): renew it on the server",
        ),
        (
            user(),
            "maximum connections exceeded",
            "the server takes no more connections (db:4222): raise its limit",
        ),
        (
            user(),
            "Permissions Violation for Subscription to \"_INBOX.1\"",
            "own message not permitted (db:4222): allow the user to publish and subscribe to \
             `_INBOX.>`",
        ),
        (user(), "Odd\n", "the server refuses: Odd (db:4222)"),
    ] {
        assert_eq!(refusal(login, reason), expected);
    }
}
