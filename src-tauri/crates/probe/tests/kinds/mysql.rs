//! `check = "mysql"` against `MariaDB`.

use std::time::Duration;

use health::Outcome;
use serde_json::{Value, json};

use crate::servers::mariadb::MariaDb;
use crate::trial::{Trial, Wrong, changed, fails, observe, seen};

const TIMEOUT: Duration = Duration::from_secs(60);
const FAILED_JOBS: &str = "SELECT count(*) FROM jobs WHERE state = 'failed'";

fn keys(port: u16) -> Value {
    json!({
        "host": "127.0.0.1",
        "port": port,
        "user": MariaDb::USER,
        "password": MariaDb::PASSWORD,
        "database": MariaDb::DATABASE,
    })
}

/// `MariaDB 10.11.14`
fn version(mariadb: &MariaDb) -> String {
    let version = mariadb.query("SELECT version()");
    format!("MariaDB {}", version.split('-').next().expect("a version"))
}

#[tokio::test]
async fn mysql() {
    let mut mariadb = MariaDb::start();
    mariadb.query("CREATE USER empty@'127.0.0.1'");
    let healthy = format!("1, {}", version(&mariadb));
    let wrong = |situation, keys, message| Wrong { situation, keys, message };
    let trial = Trial {
        kind: "mysql",
        port: mariadb.server.port(),
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
                "login refused (127.0.0.1:PORT): check `user` and `password`",
            ),
            wrong(
                "not let into the database",
                json!({"database": "mysql"}),
                "`app` may not use database `mysql` (127.0.0.1:PORT): grant it there",
            ),
            wrong(
                "no such database",
                json!({"user": "root", "password": MariaDb::ROOT_PASSWORD, "database": "nope"}),
                "database `nope` does not exist (127.0.0.1:PORT): check `database`",
            ),
        ],
        wrong_expectation: &[
            wrong("another value", json!({"expect": "0"}), "expected \"0\", got \"1\""),
            wrong(
                "no row",
                json!({"query": "SELECT 1 FROM jobs WHERE false", "expect": null}),
                "the query found nothing (127.0.0.1:PORT)",
            ),
            wrong(
                "NULL, value expected",
                json!({"query": "SELECT NULL"}),
                "expected \"1\", but the query found nothing (127.0.0.1:PORT)",
            ),
            wrong(
                "a statement without rows",
                json!({"query": "DO 1"}),
                "expected \"1\", but the query found nothing (127.0.0.1:PORT)",
            ),
            wrong(
                "no such table",
                json!({"query": "SELECT * FROM nope"}),
                "the query failed (127.0.0.1:PORT): Table 'app.nope' doesn't exist; check `query`",
            ),
            wrong(
                "no permission",
                json!({"query": "SELECT * FROM mysql.user"}),
                "SELECT command denied to user 'app'@'127.0.0.1' for table `mysql`.`user` \
                 (127.0.0.1:PORT): grant it to `app`",
            ),
            wrong(
                "a query that writes",
                json!({"query": "DELETE FROM jobs"}),
                "the query wants to write, and checks only read (127.0.0.1:PORT): \
                 Cannot execute statement in a READ ONLY transaction",
            ),
            wrong(
                "a query that makes a table",
                json!({"query": "CREATE TABLE more (id int)"}),
                "the query wants to write, and checks only read (127.0.0.1:PORT): \
                 Cannot execute statement in a READ ONLY transaction",
            ),
            wrong(
                "no database chosen",
                json!({"database": null}),
                "the query needs a database (127.0.0.1:PORT): set `database`",
            ),
            wrong(
                "more than one value",
                json!({"query": "SELECT repeat('x', 100000)"}),
                "the answer is too long (127.0.0.1:PORT): ask for one value",
            ),
            wrong(
                "far more than one value",
                json!({"query": "SELECT repeat('x', 1000) FROM seq_1_to_10000"}),
                "the answer is too long (127.0.0.1:PORT): ask for one value",
            ),
        ],
        hanging: "timed out after 300 ms, waiting for the greeting (127.0.0.1:PORT)",
        stopped: "connection refused (127.0.0.1:PORT)",
    };
    trial.run(&mut mariadb.server).await;
}

#[tokio::test]
async fn mysql_gives_any_value_as_text() {
    let mariadb = MariaDb::start();
    mariadb.query("CREATE USER empty@'127.0.0.1'");
    let version = version(&mariadb);
    for (query, expect) in [
        ("SELECT true", "1"),
        ("SELECT 1.50", "1.50"),
        ("SELECT id, state FROM jobs ORDER BY id DESC", "3"),
        ("SELECT date('2024-01-01')", "2024-01-01"),
        ("SELECT 'grün ✓'", "grün ✓"),
        ("SELECT repeat('x', 300)", &"x".repeat(300)),
    ] {
        let asked = json!({"query": query, "expect": expect});
        let keys = changed(keys(mariadb.server.port()), &asked);
        let observation = observe("mysql", &keys, TIMEOUT).await;
        let shown = if expect.len() > 200 { "x".repeat(200) + "…" } else { expect.to_owned() };
        let healthy = Outcome::Healthy(format!("{shown}, {version}"));
        assert_eq!(observation.outcome, healthy, "{query}");
        assert_eq!(format!("MariaDB {}", observation.metadata["server_version"]), version);
    }
    let nameless = json!({"host": "127.0.0.1", "port": mariadb.server.port(), "user": "empty"});
    let observation = observe("mysql", &nameless, TIMEOUT).await;
    assert_eq!(observation.outcome, Outcome::Healthy(format!("1, {version}")));
    let log = mariadb.server.log_tail();
    assert!(!log.contains("user: 'app'"), "{log}");
}

#[tokio::test]
async fn mysql_in_tls() {
    let mariadb = MariaDb::start();
    let port = mariadb.server.port();
    let tls = changed(
        keys(port),
        &json!({"host": "localhost", "ip_version": "4", "tls": true, "ca_file": mariadb.authority.ca_file()}),
    );
    let observation = observe("mysql", &tls, TIMEOUT).await;
    assert_eq!(seen(&observation), Outcome::Healthy(format!("1, {}", version(&mariadb))));
    assert!(observation.phases.tls.is_some());

    let unknown = changed(tls.clone(), &json!({"ca_file": null}));
    fails(
        "mysql",
        "unknown CA",
        &unknown,
        TIMEOUT,
        "certificate is from an unknown issuer: to trust it, name its CA in `ca_file` \
         (127.0.0.1:PORT)",
    )
    .await;
}

#[tokio::test]
async fn mysql_says_which_login_it_does_not_know() {
    let mariadb = MariaDb::start();
    mariadb.query(
        "INSTALL SONAME 'auth_ed25519'; \
         CREATE USER ed@'127.0.0.1' IDENTIFIED VIA ed25519 USING PASSWORD('secret')",
    );
    let ed = json!({"user": "ed", "password": "secret", "database": "app"});
    fails(
        "mysql",
        "a login that is not supported",
        &changed(keys(mariadb.server.port()), &ed),
        TIMEOUT,
        "the login by `client_ed25519` is not supported (127.0.0.1:PORT): identify the user by \
         `caching_sha2_password` or `mysql_native_password`",
    )
    .await;
}
