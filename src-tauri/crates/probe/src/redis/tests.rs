use health::Outcome;
use serde_json::{Value, json};

use super::*;
use crate::database::fake::{Then, server};

const TIMEOUT: Duration = Duration::from_secs(10);
const HELLO: &str = "*6\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n\
                     $4\r\nrole\r\n$6\r\nmaster\r\n";

/// What is said of a server that says so; its port is left out.
async fn seen(said: &str, then: Then, more: Value) -> Outcome {
    let port = server(&[said.as_bytes()], then).await;
    let mut values = json!({"host": "127.0.0.1", "port": port});
    let table = values.as_object_mut().expect("a table");
    table.extend(more.as_object().expect("a table").clone());
    let observation = probe(table).expect("valid").check(TIMEOUT, &Context::default()).await;
    let steady = |message: &str| message.replace(&format!("127.0.0.1:{port}"), "AT");
    match observation.outcome {
        Outcome::Healthy(message) => Outcome::Healthy(steady(&message)),
        outcome => Outcome::Unhealthy(steady(outcome.message())),
    }
}

fn unhealthy(message: &str) -> Outcome {
    Outcome::Unhealthy(message.to_owned())
}

fn healthy(message: &str) -> Outcome {
    Outcome::Healthy(message.to_owned())
}

#[tokio::test]
async fn what_is_no_redis_is_told_apart() {
    let no_redis = "AT does not speak Redis: check `port` and `tls`";
    for (said, then, message) in [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", Then::Close, no_redis),
        ("220 mail.example.com ESMTP\r\n", Then::Close, no_redis),
        ("\n", Then::Close, no_redis),
        ("\r\n", Then::Close, no_redis),
        ("x", Then::Repeat, no_redis),
        ("+fine\r\n", Then::Close, no_redis),
        ("*x\r\n", Then::Close, no_redis),
        ("*99999999999999999999\r\n", Then::Close, no_redis),
        ("*1\r\n$3\r\nabcde\r\n", Then::Close, no_redis),
        ("\x15\x03\x01\0\x02\x02\x46", Then::Close, "AT speaks TLS only: set `tls = true`"),
        ("", Then::Close, "connection closed by AT, waiting for the first reply"),
        ("*1\r\n$300\r\nabc", Then::Close, "connection closed by AT, waiting for the first reply"),
        ("*1\r\n", Then::Close, "connection closed by AT, waiting for the first reply"),
    ] {
        assert_eq!(seen(said, then, json!({})).await, unhealthy(message), "{said}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let too_long = unhealthy("the answer is too long (AT): ask for one value");
    for said in ["$99999999\r\n", "$9223372036854775807\r\n", "$65534\r\n"] {
        let said = format!("{HELLO}{said}");
        assert_eq!(seen(&said, Then::Close, json!({})).await, too_long, "{said}");
    }
    // Said again and again, each is a list in a list.
    for said in ["*1\r\n", "*9223372036854775807\r\n", "*1000000000000\r\n:1\r\n"] {
        assert_eq!(seen(said, Then::Repeat, json!({})).await, too_long, "{said}");
    }
}

#[tokio::test]
async fn refusals_in_plain_words() {
    for (said, message) in [
        (
            "-DENIED Redis is running in protected mode because ...\r\n",
            "it takes connections of its own machine only (AT): set a password there, \
             or `protected-mode no`",
        ),
        (
            "-ERR max number of clients reached\r\n",
            "too many clients (AT): raise `maxclients` there",
        ),
        (
            "-NOAUTH HELLO must be called with the client already authenticated\r\n",
            "login required (AT): set `password`",
        ),
        ("*0\r\n-LOADING Redis is loading\r\n-ERR\r\n", "still loading its data (AT)"),
        (
            "*0\r\n-MASTERDOWN Link with MASTER is down\r\n-ERR\r\n",
            "the link to its primary is down, and it serves no stale data (AT)",
        ),
        (
            "*0\r\n-MISCONF cannot save \x1b[31m\r\n-ERR\r\n",
            "PING failed (AT): MISCONF cannot save \\u{1b}[31m",
        ),
        ("*0\r\n-\r\n-ERR\r\n", "PING failed (AT): "),
    ] {
        assert_eq!(seen(said, Then::Close, json!({})).await, unhealthy(message), "{said}");
    }
    let password = || json!({"password": "secret"});
    for (said, message) in [
        ("-ERR invalid password\r\n", "login refused (AT): check `user` and `password`"),
        (
            "-ERR AUTH <password> called without any password configured for the default user.\r\n",
            "it wants no password (AT): leave `password` out, or set `user`",
        ),
        (
            "-ERR Client sent AUTH, but no password is set\r\n",
            "it wants no password (AT): leave `password` out, or set `user`",
        ),
        ("$-1\r\n", "AT does not speak Redis: check `port` and `tls`"),
    ] {
        assert_eq!(seen(said, Then::Close, password()).await, unhealthy(message), "{said}");
    }
}

#[tokio::test]
async fn servers_that_say_less_of_themselves_will_do() {
    let old = "-ERR unknown command `HELLO`, with args beginning with: `2`, \r\n+PONG\r\n";
    let info = "role:master\r\nconnected_slaves:0\r\nmaster_repl_offset:0\r\n";
    let info = format!("${}\r\n{info}\r\n", info.len());
    for (said, message) in [
        (format!("{HELLO}+PONG\r\n"), "PONG, Redis 7.2.4, primary"),
        (format!("{old}{info}"), "PONG, primary"),
        (format!("{old}-NOPERM\r\n"), "PONG"),
        (format!("*0\r\n+PONG\r\n{info}"), "PONG, primary"),
        ("*0\r\n+PONG\r\n$2\r\nhi\r\n".to_owned(), "PONG"),
        (format!("{HELLO}$0\r\n\r\n"), "\"\", Redis 7.2.4, primary"),
    ] {
        assert_eq!(seen(&said, Then::Close, json!({})).await, healthy(message), "{said}");
    }
    let said = format!("{old}$2\r\nhi\r\n");
    let primary = seen(&said, Then::Close, json!({"role": "primary"})).await;
    let message = "INFO replication failed (AT): it says nothing of its role";
    assert_eq!(primary, unhealthy(message));
}

#[test]
fn replication_is_read() {
    let info = "# Replication\r\nrole:master\r\nconnected_slaves:2\r\n\
                slave0:ip=10.0.0.2,port=6379,state=online,offset=90,lag=0\r\n\
                slave1:ip=10.0.0.3,port=6379,state=online,offset=70,lag=1\r\n\
                slave_expires:offset=0\r\nmaster_repl_offset:100\r\n";
    assert_eq!(
        Replication::read(info),
        Some(Replication::Primary { replicas: 2.0, lag: Some(30.0) })
    );
    let info = "role:slave\r\nmaster_host:db\r\nmaster_port:6379\r\nmaster_link_status:down\r\n\
                master_last_io_seconds_ago:-1\r\nslave_read_repl_offset:12\r\n\
                slave_repl_offset:10\r\n";
    let replica = Replication::Replica {
        primary: "db:6379".to_owned(),
        up: false,
        lag: Some(2.0),
        silent_for: None,
    };
    assert_eq!(Replication::read(info), Some(replica));
    for info in ["", "role:slave\r\n", "role:sentinel\r\n", "role", "role:master\r\n"] {
        assert_eq!(Replication::read(info), None, "{info}");
    }
}

#[test]
fn commands_are_framed() {
    let mut bytes = Vec::new();
    session::question(&["GET", "grün \r\n"], &mut bytes);
    assert_eq!(bytes, "*2\r\n$3\r\nGET\r\n$8\r\ngrün \r\n\r\n".as_bytes());
}

#[test]
fn a_user_needs_no_password() {
    for (more, login) in [
        (json!({}), vec![]),
        (json!({"password": "secret"}), vec!["AUTH", "secret"]),
        (json!({"user": "app"}), vec!["AUTH", "app", ""]),
        (json!({"user": "app", "password": "secret"}), vec!["AUTH", "app", "secret"]),
    ] {
        let mut values = json!({"host": "db"});
        let table = values.as_object_mut().expect("a table");
        table.extend(more.as_object().expect("a table").clone());
        let form = Form::new(FIELDS, table).expect("valid");
        assert_eq!(read_login(&form).expect("valid"), login);
    }
}
