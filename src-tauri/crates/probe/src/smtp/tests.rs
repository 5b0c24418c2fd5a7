use health::Outcome;
use serde_json::{Value, json};

use super::*;
use crate::dialogue::tests::{Scripted, mistakes};

const EHLO: (&str, &str) = ("EHLO", "250-mx.test hello\r\n250-SIZE 1000\r\n250 AUTH=LOGIN\r\n");

fn login() -> Value {
    json!({"user": "me", "password": "geheim"})
}

#[tokio::test]
async fn the_dialogue_is_as_the_rfc_has_it() {
    let mut server = Scripted::lines("220-mx.test ESMTP\r\n220 ready\n", &[EHLO]).await;
    let well = server.check(probe, json!({})).await;
    assert_eq!(well.outcome, Outcome::Healthy("greeted by mx.test".to_owned()));
    assert_eq!(well.metadata["extensions"], "SIZE 1000, AUTH=LOGIN");
    assert_eq!(well.metadata["greeting"], "mx.test ESMTP ready");
    assert!(server.heard().starts_with("EHLO [127.0.0.1]\n"));
    server.check(probe, json!({"ehlo_name": "monitor.test"})).await;
    assert!(server.heard().contains("EHLO monitor.test\n"));
}

#[tokio::test]
async fn a_login_in_two_steps() {
    const ANSWERS: &[(&str, &str)] = &[
        EHLO,
        ("AUTH LOGIN", "334 VXNlcm5hbWU6\r\n"),
        ("bWU=", "334 UGFzc3dvcmQ6\r\n"),
        ("Z2VoZWlt", "235 welcome\r\n"),
    ];
    let server = Scripted::lines("220 mx.test\r\n", ANSWERS).await;
    let well = server.check(probe, login()).await;
    assert_eq!(well.outcome, Outcome::Healthy("greeted by mx.test, logged in".to_owned()));
}

#[tokio::test]
async fn replies_in_plain_words() {
    const NO_AUTH: &[(&str, &str)] = &[("EHLO", "250 mx.test\r\n")];
    const OTHER_AUTH: &[(&str, &str)] = &[("EHLO", "250-mx.test\r\n250 AUTH GSSAPI\r\n")];
    const TEMPORARY: &[(&str, &str)] =
        &[EHLO, ("AUTH", "454 4.7.0 Temporary authentication failure\r\n")];
    const ODD: &[(&str, &str)] = &[EHLO, ("AUTH", "599 odd\x1b\r\n")];
    for (greeting, answers, keys, message) in [
        (
            "421 too busy\r\n",
            &[][..],
            json!({}),
            "connection refused (HERE): the server is not available now (421 too busy)",
        ),
        (
            "554 no\r\n",
            &[],
            json!({}),
            "connection refused (HERE): the server serves no mail here, or not to this machine \
             (554 no)",
        ),
        (
            "220 x\r\n",
            &[("EHLO", "502 what?\r\n")],
            json!({}),
            "EHLO refused (HERE): the server does not know the command (502 what?)",
        ),
        ("220 x\r\n", NO_AUTH, login(), "HERE offers no login here: check `port` and `security`"),
        ("220 x\r\n", OTHER_AUTH, login(), "HERE offers no login by PLAIN or LOGIN"),
        (
            "220 x\r\n",
            TEMPORARY,
            login(),
            "login refused (HERE): the server cannot do it for the moment (454 4.7.0 Temporary \
             authentication failure)",
        ),
        ("220 x\r\n", ODD, login(), "login refused (HERE): 599 odd\\u{1b}"),
        (
            "220 x\r\n",
            NO_AUTH,
            json!({"expect_capability": "SIZE"}),
            "expected the extension \"SIZE\", got \"\" (HERE)",
        ),
        (
            "220 x\r\n",
            &[EHLO, ("STARTTLS", "454 TLS not available\r\n")],
            json!({"security": "starttls"}),
            "HERE refuses to encrypt (STARTTLS): 454 TLS not available",
        ),
    ] {
        let server = Scripted::lines(greeting, answers).await;
        server.fails(probe, keys, message).await;
    }
}

#[tokio::test]
async fn servers_that_misbehave() {
    let endless_line = vec![b'2'; 1 << 20];
    let endless_reply = b"220-and so on\r\n".repeat(10_000);
    for (greeting, message) in [
        (&b"SSH-2.0-OpenSSH\r\n"[..], "expected an SMTP greeting, got \"SSH-2.0-OpenSSH\" (HERE)"),
        (b"\r\n", "expected an SMTP greeting, got \"\" (HERE)"),
        (b"\xff\xfe\0\n", "expected an SMTP greeting, got \"\u{fffd}\u{fffd}\\u{0}\" (HERE)"),
        (b"220-a\r\n250 b\r\n", "expected more of the reply 220, got \"250 b\" (HERE)"),
        (&endless_line, "the server sends a line of more than 8 KiB (HERE)"),
        (&endless_reply, "a reply of more than 100 lines (HERE)"),
    ] {
        let server = Scripted::lines(greeting, &[]).await;
        server.fails(probe, json!({}), message).await;
    }
    let server = Scripted::serving(|stream, _| async move { drop(stream) }).await;
    let message = "connection closed by HERE, waiting for the greeting";
    server.fails(probe, json!({}), message).await;
}

#[tokio::test]
async fn a_secret_is_not_repeated() {
    const ECHO: &[(&str, &str)] =
        &[("EHLO", "250-x\r\n250 AUTH PLAIN\r\n"), ("AUTH", "500 what is AG1lAGdlaGVpbQ==?\r\n")];
    let server = Scripted::lines("220 x\r\n", ECHO).await;
    let message = "login refused (HERE): the server does not know the command (500 what is …?)";
    server.fails(probe, login(), message).await;
    let seen = server.check(probe, login()).await;
    let evidence = seen.evidence.body.expect("evidence");
    assert_eq!(evidence, "220 x\n250-x\n250 AUTH PLAIN\n");
}

/// CVE-2011-0411: what comes with the consent would count as said in TLS.
#[tokio::test]
async fn nothing_may_come_with_the_consent_to_tls() {
    const INJECTING: &[(&str, &str)] =
        &[EHLO, ("STARTTLS", "220 go ahead\r\n250-mx.test\r\n250 AUTH PLAIN\r\n")];
    let server = Scripted::lines("220 mx.test\r\n", INJECTING).await;
    let keys = json!({"security": "starttls", "verify_tls": false});
    let message =
        "data came unasked before encryption (HERE): somebody on the way may have added it";
    server.fails(probe, keys, message).await;
}

#[test]
fn the_port_follows_the_encryption() {
    for (security, target) in [("none", "mx:25"), ("starttls", "mx:587"), ("tls", "mx:465")] {
        let keys = json!({"host": "mx", "security": security});
        let probe = probe(keys.as_object().expect("a table")).expect("valid");
        assert_eq!(probe.target(), target);
        assert_eq!(probe.host(), "mx");
    }
}

#[test]
fn mistakes_in_the_keys() {
    for (keys, mistake) in [
        (json!({"host": "mx", "user": "me"}), "[password]: `password` is missing"),
        (json!({"host": "mx", "password": "x"}), "[user]: `user` is missing"),
        (
            json!({"host": "mx", "user": "me", "password": "x"}),
            "[security]: the password would be sent unencrypted",
        ),
        (
            json!({"host": "localhost", "user": "m\0", "password": "x"}),
            "[user]: no login can hold a NUL character",
        ),
        (json!({"host": "mx", "ehlo_name": "a b"}), "[ehlo_name]: `a b` is not a name for EHLO"),
    ] {
        assert_eq!(mistakes(probe, keys), [mistake]);
    }
}

#[test]
fn addresses_as_names() {
    let literal = |text: &str| literal(Some(text.parse().expect("an address")));
    assert_eq!(literal("10.0.0.5"), "[10.0.0.5]");
    assert_eq!(literal("::ffff:10.0.0.5"), "[10.0.0.5]");
    assert_eq!(literal("2001:db8::1"), "[IPv6:2001:db8::1]");
}

#[test]
fn offers_with_their_words() {
    for (offer, expected, is_there) in [
        ("AUTH LOGIN PLAIN", "auth plain", true),
        ("AUTH LOGIN PLAIN", "AUTH", true),
        ("AUTH LOGIN", "AUTH PLAIN", false),
        ("SIZE 1000", "SIZE 1000", true),
        ("8BITMIME", "SIZE", false),
        ("", "SIZE", false),
        ("SIZE", "", false),
    ] {
        assert_eq!(offered(offer, expected), is_there, "{offer}, {expected}");
    }
}
