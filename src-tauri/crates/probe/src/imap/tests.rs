use health::Outcome;
use serde_json::{Value, json};

use super::*;
use crate::dialogue::tests::{Scripted, mistakes};

const GREETING: &str = "* OK ready\r\n";
const CAPABILITY: (&str, &str) =
    ("a1 CAPABILITY", "* CAPABILITY IMAP4rev1 SASL-IR\r\na1 OK done\r\n");

fn login() -> Value {
    json!({"user": "me", "password": "gr\"ün", "mailbox": "INBOX"})
}

#[tokio::test]
async fn texts_that_cannot_be_quoted_go_as_literals() {
    const ANSWERS: &[(&str, &str)] = &[
        CAPABILITY,
        ("a2 LOGIN \"me\" {6}", "+ go on\r\n"),
        ("gr\"ün", "* OK hello\r\na2 OK in\r\n"),
        (
            "a3 EXAMINE \"INBOX\"",
            "* FLAGS (x)\r\n* 17 EXISTS\r\n* LIST () {5}\r\na\r\nb\r and\r\na3 OK [READ-ONLY] x\r\n",
        ),
    ];
    let server = Scripted::lines(GREETING, ANSWERS).await;
    let well = server.check(probe, login()).await;
    let message = "IMAP4rev1, logged in, 17 messages in INBOX";
    assert_eq!(well.outcome, Outcome::Healthy(message.to_owned()));
    assert_eq!(well.measurements, [Measurement::new("messages", 17.0, "")]);
    assert_eq!(well.metadata["capabilities"], "IMAP4rev1 SASL-IR");
}

#[tokio::test]
async fn a_login_by_plain() {
    const ANSWERS: &[(&str, &str)] = &[
        ("a1", "* CAPABILITY IMAP4rev2 AUTH=PLAIN\r\na1 OK done\r\n"),
        ("a2 AUTHENTICATE PLAIN", "+ \r\n"),
        ("AG1lAGdyIsO8bg==", "a2 OK in\r\n"),
    ];
    let server = Scripted::lines(GREETING, ANSWERS).await;
    let well = server.check(probe, json!({"user": "me", "password": "gr\"ün"})).await;
    assert_eq!(well.outcome, Outcome::Healthy("IMAP4rev2, logged in".to_owned()));
}

#[tokio::test]
async fn a_secret_is_not_repeated() {
    const ECHO: &[(&str, &str)] = &[
        ("a1", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\na1 OK done\r\n"),
        ("a2 AUTHENTICATE PLAIN", "+ \r\n"),
        ("AG1lAGE=", "a2 BAD what is AG1lAGE=?\r\n"),
    ];
    let server = Scripted::lines(GREETING, ECHO).await;
    let message = "login refused (HERE): check `user` and `password` (BAD what is …?)";
    server.fails(probe, json!({"user": "me", "password": "a"}), message).await;
}

#[tokio::test]
async fn refusals_in_plain_words() {
    const DISABLED: (&str, &str) = ("a1", "* CAPABILITY IMAP4rev1 LOGINDISABLED\r\na1 OK done\r\n");
    const LITERAL: (&str, &str) = ("a2 LOGIN", "+ go on\r\n");
    for (greeting, answers, message) in [
        (
            "* BYE too many connections\r\n",
            &[][..],
            "connection refused (HERE): the server says \"too many connections\"",
        ),
        (
            GREETING,
            &[DISABLED],
            "login refused (HERE): the server wants it encrypted: set `security`",
        ),
        (
            GREETING,
            &[CAPABILITY, ("a2 LOGIN", "a2 NO [PRIVACYREQUIRED] no\r\n")],
            "login refused (HERE): the server wants it encrypted: set `security` (NO \
             [PRIVACYREQUIRED] no)",
        ),
        (
            GREETING,
            &[CAPABILITY, LITERAL, ("gr", "a2 NO no\r\n")],
            "login refused (HERE): check `user` and `password` (NO no)",
        ),
        (
            GREETING,
            &[CAPABILITY, LITERAL, ("gr", "* BYE idle\r\n")],
            "the server hangs up (HERE): \"idle\"",
        ),
        (
            GREETING,
            &[CAPABILITY, LITERAL, ("gr", "a2 OK in\r\n"), ("a3", "a3 OK nothing\r\n")],
            "expected the number of messages, got \"OK nothing\" (HERE)",
        ),
    ] {
        let server = Scripted::lines(greeting, answers).await;
        server.fails(probe, login(), message).await;
    }
    let server = Scripted::lines(GREETING, &[("s STARTTLS", "s BAD what?\r\n")]).await;
    let message = "HERE refuses to encrypt (STARTTLS): what?";
    server.fails(probe, json!({"security": "starttls"}), message).await;
}

#[tokio::test]
async fn servers_that_misbehave() {
    for (greeting, message) in [
        ("220 mx.test ESMTP\r\n", "expected an IMAP greeting, got \"220 mx.test ESMTP\" (HERE)"),
        ("* NO\r\n", "expected an IMAP greeting, got \"* NO\" (HERE)"),
    ] {
        let server = Scripted::lines(greeting, &[]).await;
        server.fails(probe, json!({}), message).await;
    }
    for (answer, message) in [
        ("a1 MAYBE\r\n", "expected OK or NO, got \"a1 MAYBE\" (HERE)"),
        ("a7 OK\r\n", "expected an IMAP response, got \"a7 OK\" (HERE)"),
        ("+ more\r\n", "expected an answer, got \"+\" (HERE)"),
        ("a1 OK\r\n", "expected capabilities, got \"OK\" (HERE)"),
        ("* CAPABILITY POP\r\na1 OK\r\n", "expected IMAP4rev1, got \"POP\" (HERE)"),
        ("* X {99999999999999}\r\n", "an answer of more than 256 KiB (HERE)"),
    ] {
        let server = Scripted::serving(move |mut stream, _| async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let _ = stream.write_all(format!("{GREETING}{answer}").as_bytes()).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
        server.await.fails(probe, json!({}), message).await;
    }
    let endless = "* OK and so on\r\n".repeat(100_000);
    let server = Scripted::lines(endless, &[("a1", "")]).await;
    server.fails(probe, json!({}), "an answer of more than 256 KiB (HERE)").await;
}

#[test]
fn mistakes_in_the_keys() {
    let keys = json!({"host": "mx", "mailbox": "INBOX"});
    assert_eq!(mistakes(probe, keys), ["[mailbox]: a mailbox needs a login"]);
    let keys = json!({"host": "mx", "user": "me", "password": "x"});
    assert_eq!(mistakes(probe, keys), ["[security]: the password would be sent unencrypted"]);
}
