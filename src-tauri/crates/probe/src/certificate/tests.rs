use serde_json::json;

use super::*;
use crate::dialogue::tests::{Scripted, mistakes};

fn greeting_of_mysql(capabilities: u16) -> Vec<u8> {
    let mut greeting = b"\x0a8.0.36\0".to_vec();
    greeting.extend([1; 13]);
    greeting.extend(capabilities.to_le_bytes());
    greeting.extend([0; 20]);
    let mut packet = vec![u8::try_from(greeting.len()).expect("short"), 0, 0, 0];
    packet.extend(greeting);
    packet
}

async fn saying(bytes: impl Into<Vec<u8>>) -> Scripted {
    let bytes = bytes.into();
    Scripted::serving(move |mut stream, _| {
        let bytes = bytes.clone();
        async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let _ = stream.write_all(&bytes).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
    .await
}

#[tokio::test]
async fn servers_that_refuse_to_encrypt() {
    let too_many = b"\x17\0\0\0\xff\x10\x04Too many connections".to_vec();
    for (protocol, said, message) in [
        (
            "smtp",
            b"220 x\r\n250 x\r\n502 no\r\n".to_vec(),
            "HERE refuses to encrypt (STARTTLS): 502 no",
        ),
        ("imap", b"* OK x\r\ns NO no\r\n".to_vec(), "HERE refuses to encrypt (STARTTLS): no"),
        ("pop3", b"+OK x\r\n-ERR no\r\n".to_vec(), "HERE refuses to encrypt (STLS): no"),
        ("postgres", b"N".to_vec(), "HERE refuses to encrypt (SSLRequest): it has `ssl = off`"),
        (
            "postgres",
            b"E\0\0".to_vec(),
            "HERE refuses to encrypt (SSLRequest): it answers with an error",
        ),
        (
            "mysql",
            greeting_of_mysql(0xf7ff),
            "HERE refuses to encrypt (SSLRequest): it has no certificate set up",
        ),
        ("mysql", too_many, "HERE refuses connections: Too many connections"),
    ] {
        let server = saying(said).await;
        server.fails(probe, json!({"starttls": protocol}), message).await;
    }
}

#[tokio::test]
async fn servers_that_speak_something_else() {
    for (protocol, said, message) in [
        ("smtp", "* OK x\r\n", "expected an SMTP greeting, got \"* OK x\" (HERE)"),
        ("imap", "+OK x\r\n", "expected an IMAP greeting, got \"+OK x\" (HERE)"),
        ("pop3", "* OK x\r\n", "expected a POP3 greeting, got \"* OK x\" (HERE)"),
        ("pop3", "+OK x\r\nwhat\r\n", "expected an answer to STLS, got \"what\" (HERE)"),
        ("postgres", "X", "expected an answer of PostgreSQL, got \"X\" (HERE)"),
        ("mysql", "SSH-2.0", "expected a MySQL greeting, got \"SSH-\" (HERE)"),
        ("mysql", "\x02\0\0\0\x09x", "expected a MySQL greeting, got \"x\" (HERE)"),
        ("mysql", "\0\0\0\0", "expected a MySQL greeting, got \"\\u{0}\\u{0}\\u{0}\\u{0}\" (HERE)"),
        ("mysql", "\x04\0\0\0\x0aabc", "expected a MySQL greeting, got \"abc\" (HERE)"),
    ] {
        let server = saying(said).await;
        server.fails(probe, json!({"starttls": protocol}), message).await;
    }
}

/// CVE-2021-23222 and CVE-2011-0411.
#[tokio::test]
async fn nothing_may_come_with_the_consent() {
    let mut mysql = greeting_of_mysql(0xffff);
    mysql.extend(b"more");
    for (protocol, said) in [
        ("smtp", b"220 x\r\n250 x\r\n220 yes\r\nmore".to_vec()),
        ("imap", b"* OK x\r\ns OK yes\r\nmore".to_vec()),
        ("pop3", b"+OK x\r\n+OK yes\r\nmore".to_vec()),
        ("postgres", b"Smore".to_vec()),
        ("mysql", mysql),
    ] {
        let server = saying(said).await;
        let keys = json!({"starttls": protocol, "verify_tls": false});
        let message =
            "data came unasked before encryption (HERE): somebody on the way may have added it";
        server.fails(probe, keys, message).await;
    }
}

#[test]
fn the_port_follows_the_protocol() {
    for (starttls, target) in [
        ("none", "db:443"),
        ("smtp", "db:25"),
        ("imap", "db:143"),
        ("pop3", "db:110"),
        ("postgres", "db:5432"),
        ("mysql", "db:3306"),
    ] {
        let keys = json!({"host": "db", "starttls": starttls});
        let probe = probe(keys.as_object().expect("a table")).expect("valid");
        assert_eq!(probe.target(), target);
        assert_eq!(probe.host(), "db");
    }
}

#[test]
fn fingerprints_as_openssl_prints_them() {
    let hex = "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:\
               F0:F1:F2:F3:F4:F5:F6:F7:F8:F9:FA:FB:FC:FD:FE:FF";
    let bare = hex.replace(':', "").to_lowercase();
    for text in [hex, &bare, &format!("sha256 Fingerprint={hex}")] {
        let read = fingerprint(&json!(text)).expect("a fingerprint");
        assert_eq!(read.hex(), hex);
    }
    for text in ["", "00:01", &format!("{hex}:00"), &hex.replace('F', "G"), &bare[1..]] {
        let keys = json!({"host": "db", "fingerprint": text});
        let found = mistakes(probe, keys);
        let expected = match text {
            "" => "[fingerprint]: the text is empty".to_owned(),
            text => format!("[fingerprint]: `{text}` is not a SHA-256 fingerprint"),
        };
        assert_eq!(found, [expected]);
    }
}

#[test]
fn days_as_iso_dates() {
    assert_eq!(date(0), "1970-01-01");
    assert_eq!(date(1_804_000_000), "2027-03-02");
    assert_eq!(date(i64::MAX), "never");
}
