use health::Outcome;
use serde_json::{Value, json};

use super::*;
use crate::database::fake::{Then, server};
use login::Greeting;

const TIMEOUT: Duration = Duration::from_secs(10);
const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
const EOF: &[u8] = &[0xfe, 0, 0, 2, 0];

fn packet(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_le_bytes();
    [&length[..3], &[1], payload].concat()
}

fn packets(payloads: &[&[u8]]) -> Vec<u8> {
    payloads.iter().flat_map(|payload| packet(payload)).collect()
}

fn greeting_by(plugin: &str, capabilities: u32) -> Vec<u8> {
    let flags = capabilities.to_le_bytes();
    let mut payload = b"\x0a8.4.3-commercial\0".to_vec();
    payload.extend([1, 0, 0, 0]);
    payload.extend(b"abcdefgh\0");
    payload.extend([flags[0], flags[1], 45, 2, 0, flags[2], flags[3], 21]);
    payload.extend([0; 10]);
    payload.extend(b"ijklmnopqrst\0");
    payload.extend(plugin.bytes());
    payload.push(0);
    payload
}

fn greeting() -> Vec<u8> {
    packet(&greeting_by("caching_sha2_password", 0x00ff_f7ff))
}

/// What a server of one value says to a query.
fn value(row: &[u8]) -> Vec<u8> {
    packets(&[&[1], b"a column", EOF, row, EOF])
}

/// What is said of a server that says so; its port is left out.
async fn seen_with(parts: &[&[u8]], then: Then, more: Value) -> Outcome {
    let port = server(parts, then).await;
    let mut values = json!({
        "host": "127.0.0.1", "port": port, "user": "app", "password": "secret", "database": "shop"
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

async fn seen(parts: &[&[u8]], then: Then) -> Outcome {
    seen_with(parts, then, json!({})).await
}

fn unhealthy(message: &str) -> Outcome {
    Outcome::Unhealthy(message.to_owned())
}

const NOT_SPOKEN: &str = "AT does not speak MySQL: check `port` and `tls`";

#[tokio::test]
async fn a_value_is_found() {
    for row in [&b"\x0242"[..], b"\x0242\x05other"] {
        let parts = [greeting(), packets(&[&[1, 3], OK]), packet(OK), value(row)];
        let parts: Vec<_> = parts.iter().map(Vec::as_slice).collect();
        let well = Outcome::Healthy("42, MySQL 8.4.3".to_owned());
        assert_eq!(seen(&parts, Then::Close).await, well);
    }
    // Asked for another proof first.
    let other = packet(b"\xfemysql_native_password\0abcdefghijklmnopqrst\0");
    let parts = [greeting(), other, packet(OK), packet(OK), value(b"\x011")];
    let parts: Vec<_> = parts.iter().map(Vec::as_slice).collect();
    let well = Outcome::Healthy("1, MySQL 8.4.3".to_owned());
    assert_eq!(seen(&parts, Then::Close).await, well);
}

#[tokio::test]
async fn what_is_no_mysql_is_told_apart() {
    let closed = "connection closed by AT, waiting for the greeting";
    let cut = |length: usize| packet(&greeting_by("x", 0x00ff_ffff)[..length]);
    for (said, message) in [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), NOT_SPOKEN),
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), NOT_SPOKEN),
        (packet(b""), NOT_SPOKEN),
        (packet(b"\x09old"), NOT_SPOKEN),
        (packet(b"\x0a8.4.3"), NOT_SPOKEN),
        (cut(30), NOT_SPOKEN),
        (cut(50), NOT_SPOKEN),
        (packet(&greeting_by("x", 0)), NOT_SPOKEN),
        // More than a greeting, unasked.
        ([greeting(), packet(OK)].concat(), NOT_SPOKEN),
        (b"".to_vec(), closed),
        (b"\x10\0".to_vec(), closed),
        (b"\x10\0\0\0\x0a".to_vec(), closed),
    ] {
        assert_eq!(seen(&[&said], Then::Close).await, unhealthy(message), "{said:?}");
    }
}

#[tokio::test]
async fn passwords_are_not_sent_in_the_clear() {
    let needs = |plugin| format!("the login by `{plugin}` needs TLS (AT): set `tls = true`");
    for (said, message) in [
        (packet(&[1, 4]), needs("caching_sha2_password")),
        (packet(b"\xfesha256_password\0abcdefghijklmnopqrst\0"), needs("sha256_password")),
        (packet(b"\xfemysql_clear_password\0"), needs("mysql_clear_password")),
        (
            packet(b"\xfe"),
            "the login by `mysql_old_password` is not supported (AT): identify the user by \
             `caching_sha2_password` or `mysql_native_password`"
                .to_owned(),
        ),
        (
            packet(b"\xfe\x1b\0"),
            "the login by `\\u{1b}` is not supported (AT): identify the user by \
             `caching_sha2_password` or `mysql_native_password`"
                .to_owned(),
        ),
        (packet(&[1, 5]), NOT_SPOKEN.to_owned()),
        (packet(&[2]), NOT_SPOKEN.to_owned()),
        (packet(&[]), NOT_SPOKEN.to_owned()),
    ] {
        let outcome = seen(&[&greeting(), &said], Then::Close).await;
        assert_eq!(outcome, unhealthy(&message), "{said:?}");
    }
    let without = packet(&greeting_by("mysql_native_password", 0x00ff_f7ff));
    let outcome = seen_with(&[&without], Then::Close, json!({"tls": true})).await;
    let message = "no TLS on this server (AT): give it a certificate, or turn `tls` off";
    assert_eq!(outcome, unhealthy(message));
}

#[tokio::test]
async fn what_goes_on_without_end_is_cut_off() {
    let hello = greeting();
    let login = packet(OK);
    let begun: [&[u8]; 3] = [&hello, &login, &login];
    let after = |answer: Vec<u8>, then| async move {
        let parts: Vec<_> = begun.into_iter().chain([answer.as_slice()]).collect();
        seen(&parts, then).await
    };
    let too_long = unhealthy("the answer is too long (AT): ask for one value");
    assert_eq!(after(b"\xff\xff\xff\x01".to_vec(), Then::Close).await, too_long);
    assert_eq!(
        after(packet(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff"), Then::Repeat).await,
        too_long
    );
    assert_eq!(
        after(value(b"\x0242"), Then::Repeat).await,
        Outcome::Healthy("42, MySQL 8.4.3".to_owned())
    );
    let rounds = seen(&[&hello, &packet(&[1, 3])], Then::Repeat).await;
    assert_eq!(rounds, unhealthy(NOT_SPOKEN));
}

#[tokio::test]
async fn answers_that_lie_are_refused() {
    let (hello, ok) = (greeting(), packet(OK));
    for (answer, message) in [
        (
            packets(&[b"\xfb/etc/passwd"]),
            "the server wants a file of this machine, and does not get it (AT)",
        ),
        (value(b"\xfb"), "the query found nothing (AT)"),
        (value(b"\xfd\xff\xff\xff"), NOT_SPOKEN),
        (value(b"\x0542"), NOT_SPOKEN),
        (packets(&[&[1], b"a column", b"another"]), NOT_SPOKEN),
        (packets(&[&[1], b""]), NOT_SPOKEN),
        (packets(&[b"\xfe\x01"]), NOT_SPOKEN),
        (
            packets(&[&[1], b"a column", EOF, b"\x0242", b"\xff\x29\x04#42000no"]),
            "it failed (AT): no (error 1065)",
        ),
        (
            packets(&[&[1], b"a column", EOF]),
            "connection closed by AT, waiting for the answer to the query",
        ),
    ] {
        let outcome = seen(&[&hello, &ok, &ok, &answer], Then::Close).await;
        assert_eq!(outcome, unhealthy(message), "{answer:?}");
    }
}

#[tokio::test]
async fn errors_in_plain_words() {
    for (code, message) in [
        (1040_u16, "too many connections (AT): raise `max_connections` there"),
        (1044, "`app` may not use database `shop` (AT): grant it there"),
        (1045, "login refused (AT): check `user` and `password`"),
        (1698, "login refused (AT): check `user` and `password`"),
        (1049, "database `shop` does not exist (AT): check `database`"),
        (1129, "it blocks this machine after too many errors (AT): run `FLUSH HOSTS` there"),
        (1130, "it takes no connections from this machine (AT): create a user for it"),
        (1203, "too many connections of `app` (AT): text\\u{1b}"),
        (3159, "it wants TLS (AT): set `tls = true`"),
        (9999, "it failed (AT): text\\u{1b} (error 9999)"),
    ] {
        let code = code.to_le_bytes();
        // Before and after the protocol is agreed on.
        for text in ["text\x1b", "#08004text\x1b"] {
            let said = packet(&[&[0xff], &code[..], text.as_bytes()].concat());
            assert_eq!(seen(&[&said], Then::Close).await, unhealthy(message), "{code:?}");
            let outcome = seen(&[&greeting(), &said], Then::Close).await;
            assert_eq!(outcome, unhealthy(message), "{code:?}");
        }
    }
    for cut in [&b"\xff"[..], b"\xff\x10", b"\xff\x10\x27#080"] {
        let outcome = seen(&[&packet(cut)], Then::Close).await;
        assert!(outcome.message().starts_with("it failed (AT): "), "{outcome:?}");
    }
}

#[test]
fn passwords_are_proven() {
    // The scramble of `secret` as other clients compute it.
    let salt = [10, 47, 74, 111, 75, 73, 34, 48, 88, 76, 114, 74, 37, 13, 3, 80, 82, 2, 23, 21];
    let login = |password: &str| Login {
        user: "app".to_owned(),
        password: password.to_owned(),
        database: None,
        tls: false,
    };
    let proof = [
        244, 144, 231, 111, 102, 217, 216, 102, 101, 206, 84, 217, 140, 120, 208, 172, 254, 47,
        176, 176, 139, 66, 61, 168, 7, 20, 72, 115, 211, 11, 49, 44,
    ];
    let answer = |plugin, password| login::answer(plugin, &salt, &login(password));
    assert_eq!(answer("caching_sha2_password", "secret"), Ok(Some(proof.to_vec())));
    assert_eq!(answer("caching_sha2_password", ""), Ok(Some(Vec::new())));
    assert_eq!(
        answer("mysql_native_password", "").map(|proof| proof.map(|p| p.len())),
        Ok(Some(0))
    );
    assert_eq!(
        answer("mysql_native_password", "x").map(|proof| proof.map(|p| p.len())),
        Ok(Some(20))
    );
    assert_eq!(answer("sha256_password", "secret"), Err(()));
    assert_eq!(answer("parsec", "secret"), Ok(None));
    let tls = Login { tls: true, ..login("secret") };
    let clear = login::answer("mysql_clear_password", &salt, &tls);
    assert_eq!(clear, Ok(Some(b"secret\0".to_vec())));
}

#[test]
fn versions_are_told() {
    let server = |version: &str| {
        let mut greeting = Greeting::read(&greeting_by("x", 0x00ff_ffff)).expect("a greeting");
        version.clone_into(&mut greeting.version);
        greeting.server()
    };
    for (version, name, number) in [
        ("5.5.5-10.11.6-MariaDB-0+deb12u1", "MariaDB", "10.11.6"),
        ("11.8.3-MariaDB", "MariaDB", "11.8.3"),
        ("8.4.3", "MySQL", "8.4.3"),
        ("8.0.36-28.1", "MySQL", "8.0.36"),
        ("\u{1b}", "MySQL", "\\u{1b}"),
    ] {
        assert_eq!(server(version), (name, number.to_owned()));
    }
}

#[test]
fn names_its_target() {
    let values = json!({"host": "db", "user": "app"});
    let made = probe(values.as_object().expect("a table")).expect("valid");
    assert_eq!((made.target().as_str(), made.host()), ("db:3306", "db"));
    let values = json!({"host": "db", "user": "app", "database": "shop"});
    let made = probe(values.as_object().expect("a table")).expect("valid");
    assert_eq!(made.target(), "db:3306/shop");
}
