use super::home::run;
use super::{Home, Server, talk};
use crate::authority::{Authority, LOOPBACK};

/// `MariaDB` with TLS. The database `app` has the table `jobs (id, state)` with
/// three rows, one of them `failed`.
pub struct MariaDb {
    /// The process.
    pub server: Server,
    /// Who certified it.
    pub authority: Authority,
}

impl MariaDb {
    /// Who may do all in `app`, and nothing elsewhere.
    pub const USER: &str = "app";
    /// The user's.
    pub const PASSWORD: &str = "mariadb-secret";
    /// Of `root`.
    pub const ROOT_PASSWORD: &str = "root-secret";
    /// Where the user may go.
    pub const DATABASE: &str = "app";

    /// Starts one.
    pub fn start() -> Self {
        let authority = Authority::new();
        let home = Home::new();
        home.identity(&authority.server(LOOPBACK));
        run(home
            .command("mariadb-install-db")
            .args(["--no-defaults", "--skip-test-db", "--skip-name-resolve"])
            .arg(format!("--datadir={}", home.join("data").display()))
            .args(["--auth-root-authentication-method=normal", "--innodb-log-file-size=4M"]));
        let init = format!(
            "DELETE FROM mysql.global_priv WHERE User = 'root' AND Host <> 'localhost';\n\
             FLUSH PRIVILEGES;\n\
             ALTER USER root@localhost IDENTIFIED BY '{root}';\n\
             CREATE USER root@'127.0.0.1' IDENTIFIED BY '{root}';\n\
             GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n\
             CREATE DATABASE {database};\n\
             CREATE TABLE {database}.jobs (id int PRIMARY KEY, state text NOT NULL);\n\
             INSERT INTO {database}.jobs VALUES (1, 'done'), (2, 'done'), (3, 'failed');\n\
             CREATE USER {user}@'127.0.0.1' IDENTIFIED BY '{password}';\n\
             GRANT ALL ON {database}.* TO {user}@'127.0.0.1';\n",
            root = Self::ROOT_PASSWORD,
            database = Self::DATABASE,
            user = Self::USER,
            password = Self::PASSWORD,
        );
        home.write("init.sql", &init);
        let (server, [_]) = Server::start(
            home,
            |home, [port]| {
                let dir = home.text();
                let mut command = home.command("mariadbd");
                command.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"]);
                if home.ids().0 == 0 {
                    command.arg("--user=root");
                }
                command
                    .args(["--innodb-buffer-pool-size=8M", "--innodb-flush-log-at-trx-commit=0"])
                    .args(["--innodb-log-file-size=4M", "--performance-schema=off"])
                    .arg(format!("--datadir={dir}/data"))
                    .arg(format!("--socket={dir}/socket"))
                    .arg(format!("--pid-file={dir}/pid"))
                    .arg(format!("--init-file={dir}/init.sql"))
                    .arg(format!("--ssl-cert={dir}/server.pem"))
                    .arg(format!("--ssl-key={dir}/server.key"))
                    .arg(format!("--port={port}"));
                command
            },
            // The greeting comes after init.sql is done.
            |_, [port]| greets(port),
        );
        Self { server, authority }
    }

    /// Asks as `root`; what the client prints without headings.
    pub fn query(&self, statements: &str) -> String {
        run(self
            .server
            .home()
            .command("mariadb")
            .args(["--no-defaults", "-h", "127.0.0.1", "-u", "root", "-N", "-B", "-e", statements])
            .arg(format!("--password={}", Self::ROOT_PASSWORD))
            .arg(format!("--port={}", self.server.port())))
    }
}

fn greets(port: u16) -> bool {
    talk::answers(port, "", "mysql_native_password")
}

#[test]
fn mariadb_answers_hangs_and_stops() {
    let mut mariadb = MariaDb::start();
    let port = mariadb.server.port();
    let query = |user: &str, password: &str, statement: &str| {
        mariadb
            .server
            .home()
            .command("mariadb")
            .args(["--no-defaults", "-h", "127.0.0.1", "-P", &port.to_string(), "-N", "-B"])
            .args(["--ssl-verify-server-cert", "-u", user, "-e", statement, "app"])
            .arg(format!("--password={password}"))
            .arg(format!("--ssl-ca={}", mariadb.authority.ca_file().display()))
            .output()
            .expect("it runs")
    };
    let failed = "SELECT count(*) FROM jobs WHERE state = 'failed'";
    let welcome = query(MariaDb::USER, MariaDb::PASSWORD, failed);
    assert_eq!(String::from_utf8_lossy(&welcome.stdout), "1\n", "{welcome:?}");
    let root = query("root", MariaDb::ROOT_PASSWORD, "SELECT count(*) FROM mysql.user");
    assert!(root.status.success(), "{root:?}");
    let denied = query(MariaDb::USER, "wrong", failed);
    assert!(String::from_utf8_lossy(&denied.stderr).contains("Access denied"), "{denied:?}");
    super::obeys(&mut mariadb.server, || greets(port));
}
