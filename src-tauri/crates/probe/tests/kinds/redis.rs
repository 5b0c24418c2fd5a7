//! `check = "redis"` against Redis.

use std::time::Duration;

use health::Outcome;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::servers::redis::Redis;
use crate::trial::{Trial, Wrong, changed, fails, observe, seen};

const TIMEOUT: Duration = Duration::from_secs(60);

fn keys(port: u16) -> Value {
    json!({"host": "127.0.0.1", "port": port, "password": Redis::PASSWORD})
}

/// `Redis 7.0.15`
fn version(redis: &Redis) -> String {
    let output = redis.server.home().command("redis-server").arg("--version").output();
    let printed = String::from_utf8(output.expect("it runs").stdout).expect("text");
    let version = printed.split(' ').find_map(|word| word.strip_prefix("v="));
    format!("Redis {}", version.expect("a version"))
}

#[tokio::test]
async fn redis() {
    let mut redis = Redis::start();
    let healthy = format!("PONG, {}, primary", version(&redis));
    let wrong = |situation, keys, message| Wrong { situation, keys, message };
    let trial = Trial {
        kind: "redis",
        port: redis.server.port(),
        keys: &keys,
        healthy: &healthy,
        wrong_credentials: &[
            wrong(
                "wrong password",
                json!({"password": "wrong"}),
                "login refused (127.0.0.1:PORT): check `user` and `password`",
            ),
            wrong(
                "unknown user",
                json!({"user": "nobody"}),
                "login refused (127.0.0.1:PORT): check `user` and `password`",
            ),
            wrong(
                "no password",
                json!({"password": null}),
                "login required (127.0.0.1:PORT): set `password`",
            ),
        ],
        wrong_expectation: &[
            wrong(
                "another reply",
                json!({"command": ["ECHO", "41"], "expect": "42"}),
                "expected \"42\", got \"41\"",
            ),
            wrong(
                "no such key",
                json!({"command": ["GET", "nope"]}),
                "GET nope found nothing (127.0.0.1:PORT)",
            ),
            wrong(
                "no such key, value expected",
                json!({"command": ["GET", "nope"], "expect": "42"}),
                "expected \"42\", but GET nope found nothing (127.0.0.1:PORT)",
            ),
            wrong(
                "an empty list",
                json!({"command": ["LRANGE", "nope", "0", "-1"]}),
                "LRANGE nope 0 -1 found nothing (127.0.0.1:PORT)",
            ),
            wrong(
                "no such database",
                json!({"database": 99}),
                "database 99 does not exist (127.0.0.1:PORT): check `database`",
            ),
            wrong(
                "a wrong command",
                json!({"command": ["GET"]}),
                "GET failed (127.0.0.1:PORT): ERR wrong number of arguments for 'get' command",
            ),
            wrong(
                "a primary instead of a replica",
                json!({"role": "replica"}),
                "expected a replica, found a primary (127.0.0.1:PORT)",
            ),
        ],
        hanging: "timed out after 300 ms, logging in (127.0.0.1:PORT)",
        stopped: "connection refused (127.0.0.1:PORT)",
    };
    trial.run(&mut redis.server).await;
}

#[tokio::test]
async fn redis_lets_a_user_see_what_it_may() {
    let redis = Redis::start();
    let user = json!({"user": Redis::USER, "password": Redis::USER_PASSWORD});
    let keys = changed(keys(redis.server.port()), &user);
    let version = version(&redis);
    for (command, expect, message) in [
        (json!(["GET", "app:greeting"]), "hello", "hello"),
        (json!(["STRLEN", "app:greeting"]), "5", "5"),
        (json!(["MGET", "app:greeting", "app:nope"]), "hello (nil)", "hello (nil)"),
    ] {
        let keys = changed(keys.clone(), &json!({"command": command, "expect": expect}));
        let observation = observe("redis", &keys, TIMEOUT).await;
        let expected = Outcome::Healthy(format!("{message}, {version}, primary"));
        assert_eq!(seen(&observation), expected);
        assert_eq!(format!("Redis {}", observation.metadata["server_version"]), version);
    }
    for (situation, more, message) in [
        (
            "no permission for a key",
            json!({"command": ["GET", "other"]}),
            "GET other is not permitted (127.0.0.1:PORT): extend the user's ACL",
        ),
        (
            "no permission to see the role",
            json!({"role": "primary"}),
            "INFO replication is not permitted (127.0.0.1:PORT): extend the user's ACL",
        ),
    ] {
        fails("redis", situation, &changed(keys.clone(), &more), TIMEOUT, message).await;
    }
}

#[tokio::test]
async fn redis_says_how_it_replicates() {
    let mut primary = Redis::start();
    let replica = Redis::replica(&primary);
    let version = version(&primary);
    let of_primary = changed(keys(primary.server.port()), &json!({"role": "primary"}));
    let of_replica = changed(keys(replica.server.port()), &json!({"role": "replica"}));
    let read = changed(
        of_replica.clone(),
        &json!({"command": ["GET", "app:greeting"], "expect": "hello", "database": 0}),
    );

    let observation = observe("redis", &of_primary, TIMEOUT).await;
    assert_eq!(seen(&observation), Outcome::Healthy(format!("PONG, {version}, primary")));
    let measured = observation.measurements.iter().map(|m| (m.name.as_str(), m.unit.as_str()));
    assert_eq!(measured.collect::<Vec<_>>(), [("replicas", ""), ("replication lag", "B")]);
    assert!((observation.measurements[0].value - 1.0).abs() < f64::EPSILON);

    let observation = observe("redis", &read, TIMEOUT).await;
    assert_eq!(seen(&observation), Outcome::Healthy(format!("hello, {version}, replica")));
    assert_eq!(observation.metadata["role"], "replica");
    assert_eq!(observation.metadata["primary"], format!("127.0.0.1:{}", primary.server.port()));
    let silence = observation.measurements.iter().find(|m| m.name == "silence of the primary");
    assert_eq!(silence.expect("measured").unit, "s");

    fails(
        "redis",
        "a replica instead of a primary",
        &changed(of_replica.clone(), &json!({"role": "primary"})),
        TIMEOUT,
        "expected a primary, found a replica of 127.0.0.1:PORT (127.0.0.1:PORT)",
    )
    .await;

    primary.server.stop();
    let deadline = Instant::now() + TIMEOUT;
    while !replica.answers("INFO replication\r\nPING\r\n", "master_link_status:down") {
        assert!(Instant::now() < deadline, "it does not notice");
    }
    fails(
        "redis",
        "a replica without its primary",
        &of_replica,
        TIMEOUT,
        "the link to its primary 127.0.0.1:PORT is down (127.0.0.1:PORT)",
    )
    .await;
    let any = changed(of_replica, &json!({"role": "any"}));
    let degraded =
        format!("PONG, {version}, replica, but the link to its primary 127.0.0.1:PORT is down");
    assert_eq!(seen(&observe("redis", &any, TIMEOUT).await), Outcome::Degraded(degraded));
}

#[tokio::test]
async fn redis_in_tls() {
    let redis = Redis::start();
    let plain = keys(redis.server.port());
    let tls = changed(
        keys(redis.tls_port),
        &json!({"host": "localhost", "tls": true, "ip_version": "4", "ca_file": redis.authority.ca_file()}),
    );
    let observation = observe("redis", &tls, TIMEOUT).await;
    let healthy = format!("PONG, {}, primary", version(&redis));
    assert_eq!(seen(&observation), Outcome::Healthy(healthy));
    assert!(observation.phases.tls.is_some());

    let unknown = changed(tls.clone(), &json!({"ca_file": null}));
    fails(
        "redis",
        "unknown CA",
        &unknown,
        TIMEOUT,
        "certificate is from an unknown issuer: to trust it, name its CA in `ca_file` \
         (127.0.0.1:PORT)",
    )
    .await;
    fails(
        "redis",
        "TLS where there is none",
        &changed(plain, &json!({"tls": true})),
        Duration::from_millis(300),
        "timed out after 300 ms, in the TLS handshake (127.0.0.1:PORT)",
    )
    .await;
    fails(
        "redis",
        "no TLS where there is nothing else",
        &keys(redis.tls_port),
        TIMEOUT,
        "connection reset by 127.0.0.1:PORT, logging in",
    )
    .await;
}
