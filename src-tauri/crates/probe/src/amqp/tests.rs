use serde_json::json;

use super::queue::DECLARE_OK;
use super::*;
use crate::Kind;
use crate::broker::tests::{Then, check, fails, mistakes};

const NO_AMQP: &str = "127.0.0.1:PORT did not answer in AMQP: does it speak AMQP on this port?";

fn start(mechanisms: &str) -> Vec<u8> {
    let text = |name, text: &'static str| entry(name, b'S', |m| m.long_bytes(text.as_bytes()));
    Method::new(START)
        .octet(0)
        .octet(9)
        .table(&[text("product", "RabbitMQ"), text("version", "3.12.1")])
        .long_bytes(mechanisms.as_bytes())
        .long_bytes(b"en_US")
        .on(CONNECTION)
}

fn close(code: u16, text: &str) -> Vec<u8> {
    Method::new(CLOSE).short(code).short_text(text).short(0).short(0).on(CONNECTION)
}

/// All up to the round trip.
fn logged_in() -> Vec<u8> {
    [
        start("AMQPLAIN PLAIN"),
        Method::new(TUNE).short(2047).long(131_072).short(60).on(CONNECTION),
        Method::new(OPEN_OK).short_text("").on(CONNECTION),
        Method::new(CHANNEL_OPEN_OK).long_bytes(b"").on(CHANNEL),
    ]
    .concat()
}

/// All up to the message.
fn published() -> Vec<u8> {
    [
        logged_in(),
        Method::new(DECLARE_OK).short_text("amq.gen-1").long(0).long(0).on(CHANNEL),
        Method::new(CONSUME_OK).short_text("tag").on(CHANNEL),
    ]
    .concat()
}

fn counted(messages: u32, consumers: u32) -> Vec<u8> {
    let ok = Method::new(DECLARE_OK).short_text("jobs").long(messages).long(consumers);
    let closed = Method::new(CLOSE_OK).on(CONNECTION);
    [logged_in(), ok.on(CHANNEL), closed].concat()
}

#[test]
fn mistakes_between_keys() {
    for (keys, expected) in [
        (json!({"host": "mq", "max_messages": 1}), "`queue` is missing"),
        (json!({"host": "mq", "min_consumers": 1}), "`queue` is missing"),
        (json!({"host": "mq", "vhost": "x".repeat(256)}), "the text is too long"),
        (json!({"host": "mq", "queue": "x".repeat(256)}), "the text is too long"),
    ] {
        assert_eq!(mistakes(Kind::Amqp, &keys), [expected]);
    }
}

#[tokio::test]
async fn a_queue_is_counted() {
    let keys = json!({"roundtrip": false, "queue": "jobs", "max_messages": 3, "min_consumers": 1});
    let seen = check(Kind::Amqp, keys.clone(), &counted(3, 1), Then::HangUp).await;
    let message = "logged in, 3 messages and 1 consumer in `jobs`, RabbitMQ 3.12.1";
    assert_eq!(seen.outcome, health::Outcome::Healthy(message.to_owned()));
    let measured: Vec<_> =
        seen.measurements.iter().map(|m| (m.name.as_str(), m.value, m.unhealthy_at)).collect();
    assert_eq!(measured, [("messages", 3.0, Some(4.0)), ("consumers", 1.0, None)]);
    assert_eq!(seen.metadata["server_product"], "RabbitMQ");
    assert_eq!(seen.metadata["server_version"], "3.12.1");

    let full = "queue `jobs` has 4 messages, more than 3 (127.0.0.1:PORT)";
    fails(Kind::Amqp, keys.clone(), &counted(4, 1), Then::HangUp, full).await;
    let idle = "queue `jobs` has 0 consumers, fewer than 1 (127.0.0.1:PORT)";
    fails(Kind::Amqp, keys, &counted(3, 0), Then::HangUp, idle).await;
}

#[tokio::test]
async fn refusals_in_plain_words() {
    let refused = |code, text: &str| [start("PLAIN"), close(code, text)].concat();
    let tuned = Method::new(TUNE).short(0).long(0).short(0).on(CONNECTION);
    let vhost = |code, text: &str| [start("PLAIN"), tuned.clone(), close(code, text)].concat();
    let channel_closed = Method::new((20, 40)).short(403).short_text("ACCESS_REFUSED").short(0);
    let no_queue = [logged_in(), channel_closed.short(0).on(CHANNEL)].concat();
    for (words, expected) in [
        (
            refused(403, "ACCESS_REFUSED"),
            "login refused (127.0.0.1:PORT): check `user` and `password`",
        ),
        (
            refused(541, "INTERNAL_ERROR - odd"),
            "the broker refuses: INTERNAL_ERROR - odd (127.0.0.1:PORT)",
        ),
        (
            vhost(530, "NOT_ALLOWED - vhost app not found"),
            "virtual host `app` does not exist (127.0.0.1:PORT): check `vhost`",
        ),
        (
            vhost(530, "NOT_ALLOWED - access to vhost 'app' refused for user 'guest'"),
            "virtual host `app` refused (127.0.0.1:PORT): check `vhost`, and whether `guest` may \
             use it",
        ),
        (
            vhost(530, "NOT_ALLOWED - connection limit (1) is reached"),
            "the broker refuses: NOT_ALLOWED - connection limit (1) is reached (127.0.0.1:PORT)",
        ),
        (
            no_queue,
            "own message not permitted (127.0.0.1:PORT): allow `guest` to configure, write and \
             read `amq.*`",
        ),
        (
            start("EXTERNAL"),
            "the broker takes no password (127.0.0.1:PORT): it offers EXTERNAL, not PLAIN",
        ),
    ] {
        fails(Kind::Amqp, json!({"vhost": "app"}), &words, Then::HangUp, expected).await;
    }
}

#[tokio::test]
async fn what_does_not_come_back_is_told() {
    let message = "timed out after 300 ms, waiting for its own message (127.0.0.1:PORT)";
    fails(Kind::Amqp, json!({}), &published(), Then::Listen, message).await;

    let blocked = Method::new((10, 60)).short_text("low on disk").on(CONNECTION);
    let words = [published(), blocked].concat();
    let message = "the broker takes no messages, low on disk (127.0.0.1:PORT): make room, or raise \
                   its limit";
    fails(Kind::Amqp, json!({}), &words, Then::Listen, message).await;

    let returned = Method::new((60, 50)).short(312).short_text("NO_ROUTE").on(CHANNEL);
    let words = [published(), returned].concat();
    let message = "own message came back undelivered (127.0.0.1:PORT)";
    fails(Kind::Amqp, json!({}), &words, Then::Listen, message).await;

    let delivered = Method::new(DELIVER).short_text("tag").on(CHANNEL);
    let words = [published(), delivered, content(CHANNEL, 60, b"other")].concat();
    let message = "the broker delivered another message than its own (127.0.0.1:PORT)";
    fails(Kind::Amqp, json!({}), &words, Then::Listen, message).await;
}

#[tokio::test]
async fn what_is_no_amqp_is_told() {
    let heartbeat = b"\x08\0\0\0\0\0\0\xce";
    for words in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\x01\0\0\0\0\0\x04\0\x0a\0\x0a\xce"] {
        fails(Kind::Amqp, json!({}), words, Then::HangUp, NO_AMQP).await;
    }
    fails(Kind::Amqp, json!({}), b"", Then::Repeat(heartbeat), NO_AMQP).await;
    let delivered = Method::new(DELIVER).short_text("tag").on(CHANNEL);
    let words = [published(), delivered].concat();
    fails(Kind::Amqp, json!({}), &words, Then::Repeat(heartbeat), NO_AMQP).await;

    let message = "the broker sent a frame of 65537 bytes (127.0.0.1:PORT)";
    let words = b"\x01\0\0\0\x01\0\x01";
    fails(Kind::Amqp, json!({}), words, Then::Repeat(b"xxxxxxxx"), message).await;
    let message = "the broker speaks AMQP 1-0-0, not 0-9-1 (127.0.0.1:PORT)";
    fails(Kind::Amqp, json!({}), b"AMQP\0\x01\0\0", Then::HangUp, message).await;
    let message = "timed out after 300 ms, waiting for its greeting (127.0.0.1:PORT)";
    fails(Kind::Amqp, json!({}), b"", Then::Listen, message).await;
}
