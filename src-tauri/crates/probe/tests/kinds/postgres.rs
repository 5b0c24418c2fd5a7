//! `check = "postgres"` against PostgreSQL.

use std::time::Duration;

use health::Outcome;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::servers::postgres::Postgres;
use crate::trial::{Trial, Wrong, changed, fails, observe, seen};

const TIMEOUT: Duration = Duration::from_secs(60);
const FAILED_JOBS: &str = "SELECT count(*) FROM jobs WHERE state = 'failed'";

fn keys(port: u16) -> Value {
    json!({
        "host": "127.0.0.1",
        "port": port,
        "user": Postgres::USER,
        "password": Postgres::PASSWORD,
        "database": Postgres::DATABASE,
    })
}

/// `PostgreSQL 15.14`
fn version(postgres: &Postgres) -> String {
    let version = postgres.query("postgres", &["SHOW server_version"]);
    format!("PostgreSQL {}", version.split_whitespace().next().expect("a version"))
}

/// Changes the server's settings and waits until new connections have them.
fn reload(postgres: &Postgres) {
    let loaded = || postgres.query("postgres", &["SELECT pg_conf_load_time()"]);
    let before = loaded();
    postgres.query("postgres", &["SELECT pg_reload_conf()"]);
    let deadline = Instant::now() + TIMEOUT;
    while loaded() == before {
        assert!(Instant::now() < deadline, "it does not reload");
    }
}

#[tokio::test]
async fn postgres() {
    let mut postgres = Postgres::start();
    let healthy = format!("1, {}, primary", version(&postgres));
    let wrong = |situation, keys, message| Wrong { situation, keys, message };
    let trial = Trial {
        kind: "postgres",
        port: postgres.server.port(),
        keys: &|port| changed(keys(port), &json!({"query": FAILED_JOBS, "expect": "1"})),
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
                "login needs a password (127.0.0.1:PORT): set `password`",
            ),
            wrong(
                "not in pg_hba.conf",
                json!({"database": Postgres::CLOSED_DATABASE}),
                "pg_hba.conf does not let `app` into `vault` (127.0.0.1:PORT): \
                 add an entry there, or set `tls = true`",
            ),
        ],
        wrong_expectation: &[
            wrong("another value", json!({"expect": "0"}), "expected \"0\", got \"1\""),
            wrong(
                "no row",
                json!({"query": "SELECT 1 WHERE false", "expect": null}),
                "the query found nothing (127.0.0.1:PORT)",
            ),
            wrong(
                "NULL, value expected",
                json!({"query": "SELECT NULL"}),
                "expected \"1\", but the query found nothing (127.0.0.1:PORT)",
            ),
            wrong(
                "no such database",
                json!({"database": "nope"}),
                "database `nope` does not exist (127.0.0.1:PORT): check `database`",
            ),
            wrong(
                "no such table",
                json!({"query": "TABLE nope"}),
                "the query failed (127.0.0.1:PORT): relation \"nope\" does not exist; \
                 check `query`",
            ),
            wrong(
                "no permission",
                json!({"query": "SELECT passwd FROM pg_shadow"}),
                "permission denied for view pg_shadow (127.0.0.1:PORT): grant it to `app`",
            ),
            wrong(
                "a query that writes",
                json!({"query": "DELETE FROM jobs"}),
                "the query wants to write, and checks only read (127.0.0.1:PORT): \
                 cannot execute DELETE in a read-only transaction",
            ),
            wrong(
                "an error after the value",
                json!({"query": "SELECT 1 / (3 - id) FROM jobs"}),
                "the query failed (127.0.0.1:PORT): division by zero; check `query`",
            ),
            wrong(
                "more than one value",
                json!({"query": "SELECT repeat('x', 100000)"}),
                "the answer is too long (127.0.0.1:PORT): ask for one value",
            ),
            wrong(
                "far more than one value",
                json!({"query": "SELECT repeat('x', 1000) FROM generate_series(1, 10000)"}),
                "the answer is too long (127.0.0.1:PORT): ask for one value",
            ),
            wrong(
                "a primary instead of a standby",
                json!({"role": "standby"}),
                "expected a standby, found a primary (127.0.0.1:PORT)",
            ),
        ],
        hanging: "timed out after 300 ms, logging in (127.0.0.1:PORT)",
        stopped: "connection refused (127.0.0.1:PORT)",
    };
    trial.run(&mut postgres.server).await;
}

#[tokio::test]
async fn postgres_gives_any_value_as_text() {
    let postgres = Postgres::start();
    let version = version(&postgres);
    for (query, expect) in [
        ("SELECT true", "t"),
        ("SELECT 1.50::numeric", "1.50"),
        ("SELECT ARRAY[1, 2]", "{1,2}"),
        ("SELECT '{\"a\": 1}'::jsonb", "{\"a\": 1}"),
        ("SELECT id, state FROM jobs ORDER BY id DESC", "3"),
        (
            "SET LOCAL timezone = 'UTC'; SELECT '2024-01-01 00:00:00Z'::timestamptz::date",
            "2024-01-01",
        ),
    ] {
        let asked = json!({"query": query, "expect": expect});
        let keys = changed(keys(postgres.server.port()), &asked);
        let observation = observe("postgres", &keys, TIMEOUT).await;
        let healthy = Outcome::Healthy(format!("{expect}, {version}, primary"));
        assert_eq!(observation.outcome, healthy, "{query}");
        assert_eq!(format!("PostgreSQL {}", observation.metadata["server_version"]), version);
    }
    let log = postgres.server.log_tail();
    assert!(!log.contains("unexpected EOF"), "{log}");
}

#[tokio::test]
async fn postgres_lets_in_by_other_proofs() {
    let postgres = Postgres::start();
    let port = postgres.server.port();
    let version = version(&postgres);
    postgres.query(
        "postgres",
        &[
            "SET password_encryption = 'md5'",
            &format!("ALTER ROLE app PASSWORD '{}'", Postgres::PASSWORD),
        ],
    );
    for method in ["md5", "password", "trust"] {
        let hba = format!(
            "host all app 127.0.0.1/32 {method}\nhost all all 127.0.0.1/32 scram-sha-256\n"
        );
        postgres.server.home().write("data/pg_hba.conf", &hba);
        reload(&postgres);
        let observation = observe("postgres", &keys(port), TIMEOUT).await;
        let healthy = Outcome::Healthy(format!("1, {version}, primary"));
        assert_eq!(observation.outcome, healthy, "{method}");
        if method != "trust" {
            fails(
                "postgres",
                "wrong password",
                &changed(keys(port), &json!({"password": "wrong"})),
                TIMEOUT,
                "login refused (127.0.0.1:PORT): check `user` and `password`",
            )
            .await;
        }
    }
    postgres.query("postgres", &["ALTER ROLE app CONNECTION LIMIT 0"]);
    fails(
        "postgres",
        "too many connections",
        &keys(port),
        TIMEOUT,
        "too many connections for role \"app\" (127.0.0.1:PORT): raise the limit there, \
         or close some",
    )
    .await;
}

#[tokio::test]
async fn postgres_says_how_it_replicates() {
    let primary = Postgres::start();
    let standby = Postgres::standby(&primary);
    let version = version(&primary);
    let of_standby = changed(
        keys(standby.server.port()),
        &json!({"role": "standby", "query": FAILED_JOBS, "expect": "1"}),
    );
    let observation = observe("postgres", &of_standby, TIMEOUT).await;
    assert_eq!(seen(&observation), Outcome::Healthy(format!("1, {version}, standby")));
    assert_eq!(observation.metadata["role"], "standby");
    assert_eq!(observation.metadata["replication"], "streaming");
    let measured = observation.measurements.iter().map(|m| (m.name.as_str(), m.unit.as_str()));
    assert_eq!(measured.collect::<Vec<_>>(), [("replication lag", "s")]);
    fails(
        "postgres",
        "a standby instead of a primary",
        &changed(of_standby, &json!({"role": "primary"})),
        TIMEOUT,
        "expected a primary, found a standby (127.0.0.1:PORT)",
    )
    .await;
}

#[tokio::test]
async fn postgres_in_tls() {
    let postgres = Postgres::start();
    let port = postgres.server.port();
    let tls = changed(
        keys(port),
        &json!({"host": "localhost", "ip_version": "4", "tls": true, "ca_file": postgres.authority.ca_file()}),
    );
    let observation = observe("postgres", &tls, TIMEOUT).await;
    let healthy = format!("1, {}, primary", version(&postgres));
    assert_eq!(seen(&observation), Outcome::Healthy(healthy));
    assert!(observation.phases.tls.is_some());

    let unknown = changed(tls.clone(), &json!({"ca_file": null}));
    fails(
        "postgres",
        "unknown CA",
        &unknown,
        TIMEOUT,
        "certificate is from an unknown issuer: to trust it, name its CA in `ca_file` \
         (127.0.0.1:PORT)",
    )
    .await;
    fails(
        "postgres",
        "not in pg_hba.conf, in TLS",
        &changed(tls.clone(), &json!({"database": Postgres::CLOSED_DATABASE})),
        TIMEOUT,
        "pg_hba.conf does not let `app` into `vault` (127.0.0.1:PORT): add an entry there",
    )
    .await;
}
