use std::path::PathBuf;
use std::process::Command;

use super::home::run;
use super::{Home, Server};
use crate::authority::{Authority, LOOPBACK};

/// PostgreSQL with TLS and passwords (SCRAM-SHA-256). The database `app` has
/// the table `jobs (id, state)` with three rows, one of them `failed`; into
/// the database `vault` the user is not let.
pub struct Postgres {
    /// The process.
    pub server: Server,
    /// Who certified it.
    pub authority: Authority,
}

impl Postgres {
    /// Who owns `app`.
    pub const USER: &str = "app";
    /// The user's.
    pub const PASSWORD: &str = "postgres-secret";
    /// The superuser.
    pub const ADMIN: &str = "postgres";
    /// The superuser's.
    pub const ADMIN_PASSWORD: &str = "admin-secret";
    /// Where the user may go.
    pub const DATABASE: &str = "app";
    /// Where `pg_hba.conf` does not let the user in.
    pub const CLOSED_DATABASE: &str = "vault";

    /// A primary.
    pub fn start() -> Self {
        let home = Home::new();
        let password = home.write("password", Self::ADMIN_PASSWORD);
        run(home
            .command(program("initdb"))
            .args(["-D", "data", "-U", Self::ADMIN, "-A", "scram-sha-256", "-E", "UTF8"])
            .args(["--no-sync", "--no-instructions", "--pwfile"])
            .arg(password));
        let user = Self::USER;
        let hba = format!(
            "host replication {admin} 127.0.0.1/32 scram-sha-256\n\
             host all {admin} 127.0.0.1/32 scram-sha-256\n\
             host {closed} {user} 127.0.0.1/32 reject\n\
             host all all 127.0.0.1/32 scram-sha-256\n",
            admin = Self::ADMIN,
            closed = Self::CLOSED_DATABASE,
        );
        home.write("data/pg_hba.conf", &hba);
        let postgres = Self::serve(home);
        postgres.query(
            "postgres",
            &[
                &format!("CREATE ROLE {user} LOGIN PASSWORD '{}'", Self::PASSWORD),
                &format!("CREATE DATABASE {} OWNER {user}", Self::DATABASE),
                &format!("CREATE DATABASE {}", Self::CLOSED_DATABASE),
            ],
        );
        postgres.query(
            Self::DATABASE,
            &[
                &format!("SET ROLE {user}"),
                "CREATE TABLE jobs (id int PRIMARY KEY, state text NOT NULL)",
                "INSERT INTO jobs VALUES (1, 'done'), (2, 'done'), (3, 'failed')",
            ],
        );
        postgres
    }

    /// A standby that follows `primary`.
    pub fn standby(primary: &Self) -> Self {
        let home = Home::new();
        run(home
            .command(program("pg_basebackup"))
            .env("PGPASSWORD", Self::ADMIN_PASSWORD)
            .args(["-h", "127.0.0.1", "-U", Self::ADMIN, "-D", "data", "-R", "--no-sync"])
            .args(["-c", "fast", "-p", &primary.server.port().to_string()]));
        let standby = Self::serve(home);
        super::eventually("it follows", &standby.server, || {
            let rows = standby.psql(Self::DATABASE).args(["-c", "TABLE jobs"]).output();
            rows.is_ok_and(|output| output.status.success())
        });
        standby
    }

    /// Asks as superuser; what psql prints without headings.
    pub fn query(&self, database: &str, statements: &[&str]) -> String {
        let mut psql = self.psql(database);
        for statement in statements {
            psql.args(["-c", statement]);
        }
        run(&mut psql)
    }

    fn psql(&self, database: &str) -> Command {
        psql(self.server.home(), self.server.port(), database)
    }

    fn serve(home: Home) -> Self {
        let authority = Authority::new();
        home.identity(&authority.server(LOOPBACK));
        let (server, [_]) = Server::start(
            home,
            |home, [port]| {
                let mut command = home.command(program("postgres"));
                command.args(["-D", "data", "-p", &port.to_string(), "-k", home.text()]);
                for setting in [
                    "listen_addresses=127.0.0.1",
                    "ssl=on",
                    "fsync=off",
                    "lc_messages=C",
                    "max_connections=20",
                    "shared_buffers=16MB",
                    "logging_collector=off",
                ] {
                    command.args(["-c", setting]);
                }
                let cert = format!("ssl_cert_file={}/server.pem", home.text());
                let key = format!("ssl_key_file={}/server.key", home.text());
                command.args(["-c", &cert, "-c", &key]);
                command
            },
            |home, [port]| {
                let answer = psql(home, port, "postgres").args(["-c", "SELECT 1"]).output();
                answer.is_ok_and(|output| output.status.success())
            },
        );
        Self { server, authority }
    }
}

fn psql(home: &Home, port: u16, database: &str) -> Command {
    let mut command = home.command(program("psql"));
    command
        .env("PGPASSWORD", Postgres::ADMIN_PASSWORD)
        .env("PGCONNECT_TIMEOUT", "2")
        .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"])
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", Postgres::ADMIN, "-d", database]);
    command
}

/// Debian keeps the programs of each version in a directory of its own.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> = versions
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::talk;

    /// The first bytes of a connection: may it be encrypted? `S` says yes.
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

    #[test]
    fn postgres_answers_hangs_and_stops() {
        let mut postgres = Postgres::start();
        let port = postgres.server.port();
        let failed = "SELECT count(*) FROM jobs WHERE state = 'failed'";
        assert_eq!(postgres.query(Postgres::DATABASE, &[failed]), "1\n");
        let as_user = |database: &str, password: &str| {
            postgres
                .server
                .home()
                .command(program("psql"))
                .env("PGPASSWORD", password)
                .env("PGSSLMODE", "verify-full")
                .env("PGSSLROOTCERT", postgres.authority.ca_file())
                .args(["-h", "localhost", "-p", &port.to_string(), "-U", Postgres::USER])
                .args(["-d", database, "-c", "TABLE jobs"])
                .output()
                .expect("it runs")
        };
        let welcome = as_user(Postgres::DATABASE, Postgres::PASSWORD);
        assert!(welcome.status.success(), "{}", String::from_utf8_lossy(&welcome.stderr));
        let denied = as_user(Postgres::DATABASE, "wrong");
        assert!(String::from_utf8_lossy(&denied.stderr).contains("password authentication failed"));
        let rejected = as_user(Postgres::CLOSED_DATABASE, Postgres::PASSWORD);
        assert!(String::from_utf8_lossy(&rejected.stderr).contains("pg_hba.conf rejects"));
        crate::servers::obeys(&mut postgres.server, || talk::answers(port, SSL_REQUEST, "S"));
    }

    #[test]
    fn postgres_has_a_standby() {
        let primary = Postgres::start();
        let standby = Postgres::standby(&primary);
        assert_eq!(primary.query("app", &["SELECT pg_is_in_recovery()"]), "f\n");
        assert_eq!(standby.query("app", &["SELECT pg_is_in_recovery()"]), "t\n");
        assert_eq!(standby.query("app", &["SELECT count(*) FROM jobs"]), "3\n");
    }
}
