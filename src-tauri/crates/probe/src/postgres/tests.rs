use health::Outcome;
use serde_json::{Value, json};

use super::*;
use crate::database::fake::{Then, server};

const TIMEOUT: Duration = Duration::from_secs(10);

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
    [&[kind], &length[..], body].concat()
}

fn error(severity: &str, code: &str, text: &str) -> Vec<u8> {
    message(b'E', format!("S{severity}\0V{severity}\0C{code}\0M{text}\0\0").as_bytes())
}

fn authentication(kind: u8, more: &[u8]) -> Vec<u8> {
    message(b'R', &[&[0, 0, 0, kind], more].concat())
}

fn row(values: &[&str]) -> Vec<u8> {
    let mut body = u16::try_from(values.len()).expect("few").to_be_bytes().to_vec();
    for value in values {
        body.extend(u32::try_from(value.len()).expect("short").to_be_bytes());
        body.extend(value.bytes());
    }
    message(b'D', &body)
}

fn ready() -> Vec<u8> {
    message(b'Z', b"T")
}

/// A server that lets anybody in and answers so.
fn welcome(answers: &[Vec<u8>]) -> Vec<u8> {
    [
        message(b'N', b"SNOTICE\0\0"),
        authentication(0, b""),
        message(b'S', b"server_version\x0016.4 (Debian)\0"),
        message(b'K', &[0; 8]),
        ready(),
        // The answer to BEGIN.
        message(b'C', b"BEGIN\0"),
        ready(),
        answers.concat(),
    ]
    .concat()
}

/// What is said of a server that says so; its port is left out.
async fn seen_with(parts: &[&[u8]], then: Then, more: Value) -> Outcome {
    let port = server(parts, then).await;
    let mut values = json!({
        "host": "127.0.0.1", "port": port, "user": "app", "password": "secret", "verify_tls": false
    });
    let table = values.as_object_mut().expect("a table");
    table.extend(more.as_object().expect("a table").clone());
    let observation = probe(table).expect("valid").check(TIMEOUT, &Context::default()).await;
    let message = observation.outcome.message();
    let message = message.replace(&format!("127.0.0.1:{port}"), "AT");
    match observation.outcome {
        Outcome::Healthy(_) => Outcome::Healthy(message),
        _ => Outcome::Unhealthy(message),
    }
}

async fn seen(said: &[u8], then: Then) -> Outcome {
    seen_with(&[said], then, json!({})).await
}

fn unhealthy(message: &str) -> Outcome {
    Outcome::Unhealthy(message.to_owned())
}

const NOT_SPOKEN: &str = "AT does not speak PostgreSQL: check `port` and `tls`";

#[tokio::test]
async fn what_is_no_postgres_is_told_apart() {
    let closed = "connection closed by AT, logging in";
    for (said, message) in [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), NOT_SPOKEN),
        (b"\x15\x03\x01\0\x02\x02\x46".to_vec(), "AT speaks TLS only: set `tls = true`"),
        (b"R\0\0\0\x03".to_vec(), NOT_SPOKEN),
        (b"R\0\0\0\x04".to_vec(), NOT_SPOKEN),
        (b"?\0\0\0\x04".to_vec(), NOT_SPOKEN),
        (message(b'R', &[0, 0, 0, 99]), NOT_SPOKEN),
        (message(b'R', &[0, 0, 0, 5]), NOT_SPOKEN),
        (message(b'R', &[0, 0, 0, 0, 1]), NOT_SPOKEN),
        (ready(), NOT_SPOKEN),
        (authentication(10, b"SCRAM-SHA-256"), NOT_SPOKEN),
        (b"".to_vec(), closed),
        (b"R\0\0".to_vec(), closed),
        (b"R\0\0\0\x08\0".to_vec(), closed),
        (b"E\0\0\xff\xffx".to_vec(), closed),
    ] {
        assert_eq!(seen(&said, Then::Close).await, unhealthy(message), "{said:?}");
    }
}

#[tokio::test]
async fn a_login_that_is_not_one_fails() {
    let unsupported = "it wants a kind of login that is not supported (AT): let the user in by \
                       `scram-sha-256` in pg_hba.conf there";
    for (parts, expected) in [
        (vec![authentication(7, b"")], unsupported),
        (vec![authentication(9, b"")], unsupported),
        (vec![authentication(10, b"SCRAM-SHA-256-PLUS\0\0")], unsupported),
        (vec![authentication(10, b"\0")], unsupported),
        // Whoever is let in before the server has proven itself.
        (vec![authentication(10, b"SCRAM-SHA-256\0\0"), authentication(0, b"")], NOT_SPOKEN),
        (
            vec![authentication(10, b"SCRAM-SHA-256\0\0"), authentication(11, b"r=x,s=eA==,i=1")],
            NOT_SPOKEN,
        ),
        (vec![authentication(5, b"salt"), authentication(5, b"salt")], NOT_SPOKEN),
        (vec![authentication(3, b""), authentication(3, b"")], NOT_SPOKEN),
    ] {
        // The server speaks when it has heard who logs in.
        let parts: Vec<_> = [&b""[..]].into_iter().chain(parts.iter().map(Vec::as_slice)).collect();
        let seen = seen_with(&parts, Then::Close, json!({})).await;
        assert_eq!(seen, unhealthy(expected), "{parts:?}");
    }
}

#[tokio::test]
async fn tls_is_not_given_up() {
    let no_tls = "no TLS on this server (AT): turn `ssl` on there, or `tls` off";
    for (said, message) in [
        (&b"N"[..], no_tls),
        (b"E", NOT_SPOKEN),
        // What comes in the clear behind the yes could be anybody's.
        (b"SR\0\0\0\x08\0\0\0\0", NOT_SPOKEN),
        (b"HTTP/1.1 400", NOT_SPOKEN),
        (b"", "connection closed by AT, asking for TLS"),
    ] {
        let seen = seen_with(&[said], Then::Close, json!({"tls": true})).await;
        assert_eq!(seen, unhealthy(message), "{said:?}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let too_long = unhealthy("the answer is too long (AT): ask for one value");
    assert_eq!(seen(&welcome(&[b"D\x7f\xff\xff\xff".to_vec()]), Then::Close).await, too_long);
    assert_eq!(seen(b"N\xff\xff\xff\xff", Then::Close).await, too_long);
    assert_eq!(seen(b"Z\xff\xff\xff\xff", Then::Close).await, unhealthy(NOT_SPOKEN));
    // As notices, before the login.
    assert_eq!(seen(&message(b'N', b"\0"), Then::Repeat).await, too_long);
}

#[tokio::test]
async fn servers_that_know_less_will_do() {
    let unknown = error("ERROR", "42883", "function pg_is_in_recovery() does not exist");
    let answer = [row(&["1"]), ready(), unknown, ready(), ready()];
    let seen_well = seen(&welcome(&answer), Then::Close).await;
    assert_eq!(seen_well, Outcome::Healthy("1, PostgreSQL 16.4".to_owned()));
    let wanted = json!({"role": "primary"});
    let seen_badly = seen_with(&[&welcome(&answer)], Then::Close, wanted.clone()).await;
    let message =
        "the query failed (AT): function pg_is_in_recovery() does not exist; check `query`";
    assert_eq!(seen_badly, unhealthy(message));
    let answer = [row(&["1"]), ready(), ready(), ready()];
    let seen_nothing = seen_with(&[&welcome(&answer)], Then::Close, wanted).await;
    let message = "expected a primary, found neither primary nor standby (AT)";
    assert_eq!(seen_nothing, unhealthy(message));
}

#[tokio::test]
async fn answers_that_lie_are_refused() {
    for (answer, expected) in [
        (message(b'D', b"\0\x01\x7f\xff\xff\xffx"), NOT_SPOKEN),
        (message(b'D', b"\xff\xff"), NOT_SPOKEN),
        (
            error("FATAL", "57P01", "terminating connection\u{1b}"),
            "the server ended the connection (AT): terminating connection\\u{1b}",
        ),
        (
            [error("ERROR", "42501", "denied"), ready(), ready(), ready()].concat(),
            "denied (AT): grant it to `app`",
        ),
        (
            // A row, and then an error.
            [row(&["1"]), error("ERROR", "22012", "no"), ready(), ready(), ready()].concat(),
            "the query failed (AT): no; check `query`",
        ),
        ([row(&[]), ready(), ready(), ready()].concat(), "the query found nothing (AT)"),
        (b"E\0\0\0\x05C".to_vec(), "connection closed by AT, waiting for the answer to the query"),
    ] {
        let outcome = seen(&welcome(std::slice::from_ref(&answer)), Then::Close).await;
        assert_eq!(outcome, unhealthy(expected), "{answer:?}");
    }
}

#[tokio::test]
async fn errors_in_plain_words() {
    for (code, text, expected) in [
        ("28P01", "x", "login refused (AT): check `user` and `password`"),
        ("28000", "role \"app\" does not exist", "login refused (AT): role \"app\" does not exist"),
        (
            "28000",
            "no pg_hba.conf entry for host",
            "pg_hba.conf does not let `app` into `app` (AT): \
             add an entry there, or set `tls = true`",
        ),
        ("3D000", "x", "database `app` does not exist (AT): check `database`"),
        (
            "57P03",
            "the database system is starting up",
            "not ready for connections (AT): the database system is starting up",
        ),
        (
            "53300",
            "sorry, too many clients already",
            "sorry, too many clients already (AT): raise the limit there, or close some",
        ),
        ("57P02", "crash", "the server ended the connection (AT): crash"),
        ("08P01", "no such user\n", "it failed (AT): no such user (SQLSTATE 08P01)"),
        ("", "", "it failed (AT):  (SQLSTATE )"),
    ] {
        let said = error("FATAL", code, text);
        assert_eq!(seen(&said, Then::Close).await, unhealthy(expected), "{code}");
    }
}

#[test]
fn names_its_target_and_finds_mistakes() {
    let values = json!({"host": "db", "user": "app", "query": "SELECT\n1"});
    let made = probe(values.as_object().expect("a table")).expect("valid");
    assert_eq!((made.target().as_str(), made.host()), ("db:5432/app", "db"));
    let values = json!({"host": "db", "user": "a\0b"});
    let mistakes = probe(values.as_object().expect("a table")).err().expect("a mistake");
    assert_eq!(mistakes[0].message, "the text has a NUL character");
    let values = json!({"host": "db", "user": "app", "query": "x".repeat(65_537)});
    let mistakes = probe(values.as_object().expect("a table")).err().expect("a mistake");
    assert_eq!(mistakes[0].message, "the text is too long");
    let values = json!({"host": "db", "role": "replica"});
    let mistakes = probe(values.as_object().expect("a table")).err().expect("mistakes");
    let messages: Vec<_> = mistakes.iter().map(|m| m.message.as_str()).collect();
    assert_eq!(messages, ["`user` is missing", "`replica` is not one of the choices"]);
}
