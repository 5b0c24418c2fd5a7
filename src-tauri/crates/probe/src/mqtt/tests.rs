use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::Kind;
use crate::broker::tests::{Then, fails, mistakes};

const ACCEPTED: &[u8] = b"\x20\x02\0\0";
const SUBSCRIBED: &[u8] = b"\x90\x03\0\x01\x01";
const NO_MQTT: &str = "127.0.0.1:PORT did not answer in MQTT: does it speak MQTT on this port?";

#[test]
fn mistakes_between_keys() {
    for (keys, expected) in [
        (json!({"host": "db", "password": "x"}), "`user` is missing"),
        (json!({"host": "db", "topic": "app/#"}), "`app/#` is not one topic"),
        (json!({"host": "db", "topic": "x".repeat(65_536)}), "the text is too long"),
        (json!({"host": "db", "user": "x".repeat(65_536)}), "the text is too long"),
    ] {
        assert_eq!(mistakes(Kind::Mqtt, &keys), [expected]);
    }
}

#[tokio::test]
async fn refusals_in_plain_words() {
    let user = json!({"user": "app", "password": "x", "client_id": "me"});
    for (code, keys, expected) in [
        (1, json!({}), "the broker does not speak MQTT 3.1.1 (127.0.0.1:PORT)"),
        (2, user.clone(), "client id `me` refused (127.0.0.1:PORT): set another `client_id`"),
        (3, json!({}), "the broker says that it is unavailable (127.0.0.1:PORT)"),
        (4, json!({}), "login needed (127.0.0.1:PORT): set `user` and `password`"),
        (4, user.clone(), "login refused (127.0.0.1:PORT): check `user` and `password`"),
        (5, json!({}), "login needed (127.0.0.1:PORT): set `user` and `password`"),
        (
            5,
            user,
            "login refused (127.0.0.1:PORT): check `user` and `password`, and whether the user \
             may connect",
        ),
        (134, json!({}), "login refused with code 134 (127.0.0.1:PORT)"),
    ] {
        fails(Kind::Mqtt, keys, &[0x20, 2, 0, code], Then::HangUp, expected).await;
    }
}

#[tokio::test]
async fn a_refused_subscription_is_told() {
    let words = [ACCEPTED, b"\x90\x03\0\x01\x80"].concat();
    let message = "subscription to `app/check` refused (127.0.0.1:PORT): allow it to `user`, or \
                   set another `topic`";
    fails(Kind::Mqtt, json!({"topic": "app/check"}), &words, Then::HangUp, message).await;
}

#[tokio::test]
async fn what_does_not_come_back_is_told() {
    let keys = json!({"topic": "t"});
    let others = [ACCEPTED, b"\x30\x04\0\x01ta", SUBSCRIBED, b"\x32\x06\0\x01t\0\x09a"].concat();
    let message = "timed out after 300 ms, publishing (127.0.0.1:PORT)";
    fails(Kind::Mqtt, keys.clone(), &others, Then::Listen, message).await;
    let accepted = [&others, &b"\x40\x02\0\x02"[..]].concat();
    let message = "timed out after 300 ms, waiting for its own message, which the broker accepted \
                   (127.0.0.1:PORT)";
    fails(Kind::Mqtt, keys.clone(), &accepted, Then::Listen, message).await;
    let message = "own message not among the first 1000 of `t` (127.0.0.1:PORT): use a `topic` \
                   with fewer";
    fails(Kind::Mqtt, keys.clone(), &accepted, Then::Repeat(b"\x30\x04\0\x01ta"), message).await;
    let message = "connection closed by 127.0.0.1:PORT, waiting for its own message, which the \
                   broker accepted";
    fails(Kind::Mqtt, keys, &accepted, Then::HangUp, message).await;
}

#[tokio::test]
async fn what_is_no_mqtt_is_told() {
    for words in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"\x20\xff\xff\xff\xff\x01",
        b"\x20\0",
        b"\x20\x01\0",
        b"\xd0\0",
    ] {
        fails(Kind::Mqtt, json!({}), words, Then::HangUp, NO_MQTT).await;
    }
    let message = "the broker sent a packet of 268435455 bytes (127.0.0.1:PORT)";
    let words = b"\x20\xff\xff\xff\x7f";
    fails(Kind::Mqtt, json!({}), words, Then::Repeat(b"xxxxxxxx"), message).await;
    let message = "127.0.0.1:PORT answered in TLS: set `tls = true`";
    fails(Kind::Mqtt, json!({}), b"\x15\x03\x01\0\x02\x02\x46", Then::HangUp, message).await;
    let message = "connection closed by 127.0.0.1:PORT, logging in";
    fails(Kind::Mqtt, json!({}), b"\x20\x02", Then::HangUp, message).await;
    let message = "timed out after 300 ms, logging in (127.0.0.1:PORT)";
    fails(Kind::Mqtt, json!({}), b"\x20", Then::Listen, message).await;
}

proptest! {
    #[test]
    fn anything_is_answered(
        first: u8,
        rest in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let length = u8::try_from(rest.len()).expect("short");
        for bytes in [[&[first, length], &rest[..]].concat(), [&[first], &rest[..]].concat()] {
            if let Ok(Some((_, length))) = packet(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
