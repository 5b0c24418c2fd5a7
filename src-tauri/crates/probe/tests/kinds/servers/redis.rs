use super::{Home, Server, talk};
use crate::authority::{Authority, LOOPBACK, text};

/// Redis with a password for everybody and an ACL user who may read keys that
/// start with `app:`, of which there is `app:greeting`.
pub struct Redis {
    /// The process.
    pub server: Server,
    /// The port that speaks TLS.
    pub tls_port: u16,
    /// Who certified it.
    pub authority: Authority,
}

impl Redis {
    /// Of the user `default`.
    pub const PASSWORD: &str = "redis-secret";
    /// The ACL user.
    pub const USER: &str = "reader";
    /// Of the ACL user.
    pub const USER_PASSWORD: &str = "reader-secret";

    /// One on its own.
    pub fn start() -> Self {
        Self::with("")
    }

    /// A replica of `master`, in sync.
    pub fn replica(master: &Self) -> Self {
        let replica = Self::with(&format!(
            "replicaof 127.0.0.1 {}\nmasterauth {}\n",
            master.server.port(),
            Self::PASSWORD
        ));
        super::eventually("it is in sync", &replica.server, || {
            replica.answers("INFO replication\r\n", "master_link_status:up")
        });
        replica
    }

    /// Whether `command` is answered so.
    pub fn answers(&self, command: &str, expected: &str) -> bool {
        talk::answers(self.server.port(), login(command), expected)
    }

    fn with(more: &str) -> Self {
        let authority = Authority::new();
        let home = Home::new();
        home.identity(&authority.server(LOOPBACK));
        let ca = text(&authority.ca_file()).to_owned();
        let (server, [_, tls_port]) = Server::start(
            home,
            |home, [port, tls_port]| {
                let config = format!(
                    "bind 127.0.0.1\nport {port}\ntls-port {tls_port}\ndir {dir}\nsave \"\"\n\
                     tls-cert-file {dir}/server.pem\ntls-key-file {dir}/server.key\n\
                     tls-ca-cert-file {ca}\ntls-auth-clients no\n\
                     repl-diskless-sync-delay 0\nrequirepass {password}\n\
                     user {user} on >{user_password} ~app:* +@read +ping\n{more}",
                    dir = home.text(),
                    password = Self::PASSWORD,
                    user = Self::USER,
                    user_password = Self::USER_PASSWORD,
                );
                let mut command = home.command("redis-server");
                command.arg(home.write("redis.conf", &config));
                command
            },
            |_, [port, _]| talk::answers(port, login("PING\r\n"), "+PONG"),
        );
        let redis = Self { server, tls_port, authority };
        if more.is_empty() {
            assert!(redis.answers("SET app:greeting hello\r\nPING\r\n", "+PONG"));
        }
        redis
    }
}

fn login(command: &str) -> String {
    format!("AUTH {}\r\n{command}", Redis::PASSWORD)
}

#[test]
fn redis_answers_hangs_and_stops() {
    let mut redis = Redis::start();
    let port = redis.server.port();
    let as_user = format!("AUTH {} {}\r\n", Redis::USER, Redis::USER_PASSWORD);
    assert!(talk::answers(port, as_user.clone() + "GET app:greeting\r\n", "hello"));
    assert!(talk::answers(port, as_user + "GET other\r\n", "-NOPERM"));
    assert!(talk::answers(port, "PING\r\n", "-NOAUTH"));
    assert!(talk::answers_tls(redis.tls_port, &redis.authority.der(), login("PING\r\n"), "+PONG"));
    let stranger = Authority::new();
    assert!(!talk::answers_tls(redis.tls_port, &stranger.der(), login("PING\r\n"), "+PONG"));
    super::obeys(&mut redis.server, || talk::answers(port, login("PING\r\n"), "+PONG"));
}

#[test]
fn redis_has_a_replica() {
    let master = Redis::start();
    let replica = Redis::replica(&master);
    assert!(replica.answers("ROLE\r\n", "slave"));
    super::eventually("it has the data", &replica.server, || {
        replica.answers("GET app:greeting\r\n", "hello")
    });
}
