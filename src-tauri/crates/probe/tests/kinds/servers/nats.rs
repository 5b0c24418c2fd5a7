use super::home::run;
use super::{Home, Server, talk};
use crate::authority::{Authority, LOOPBACK};

/// NATS, with its monitoring over HTTP.
pub struct Nats {
    /// The process.
    pub server: Server,
    /// The port of `/healthz` and `/varz`.
    pub http_port: u16,
    /// Who certified it, where it wants TLS.
    pub authority: Authority,
}

impl Nats {
    /// Who may connect.
    pub const USER: &str = "app";
    /// The user's.
    pub const PASSWORD: &str = "nats-secret";
    /// What is as good as a user, where tokens are wanted.
    pub const TOKEN: &str = "nats-token";

    /// One that wants user and password.
    pub fn start() -> Self {
        Self::with(&password())
    }

    /// One that wants a token.
    pub fn token() -> Self {
        Self::with(&format!("authorization {{ token: \"{}\" }}\n", Self::TOKEN))
    }

    /// One that wants TLS, user and password.
    pub fn tls() -> Self {
        let files = "cert_file: \"server.pem\", key_file: \"server.key\"";
        Self::with(&format!("{}tls {{ {files}, timeout: 10 }}\n", password()))
    }

    /// One whose user may publish and subscribe under `app` only.
    pub fn closed() -> Self {
        let (user, password) = (Self::USER, Self::PASSWORD);
        let permissions = "{ publish: \"app.>\", subscribe: \"app.>\" }";
        Self::with(&format!(
            "authorization {{ users: [ {{ user: \"{user}\", password: \"{password}\", \
             permissions: {permissions} }} ] }}\n"
        ))
    }

    /// `2.9.10`
    pub fn version(&self) -> String {
        let said = run(self.server.home().command("nats-server").arg("--version"));
        let version = said.trim().rsplit_once('v').map(|(_, version)| version.to_owned());
        version.unwrap_or_else(|| panic!("no version in {said}"))
    }

    fn with(more: &str) -> Self {
        let authority = Authority::new();
        let home = Home::new();
        home.identity(&authority.server(LOOPBACK));
        let (server, [_, http_port]) = Server::start(
            home,
            |home, [port, http_port]| {
                let config = format!(
                    "listen: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:{http_port}\"\n{more}"
                );
                let mut command = home.command("nats-server");
                command.arg("-c").arg(home.write("nats.conf", &config));
                command
            },
            |_, [port, _]| talk::answers(port, "", "INFO {"),
        );
        Self { server, http_port, authority }
    }
}

fn password() -> String {
    let (user, password) = (Nats::USER, Nats::PASSWORD);
    format!("authorization {{ user: \"{user}\", password: \"{password}\" }}\n")
}

fn connect(keys: &str) -> String {
    format!("CONNECT {{\"verbose\":false,{keys}}}\r\nPING\r\n")
}

fn as_user(password: &str) -> String {
    connect(&format!("\"user\":\"{}\",\"pass\":\"{password}\"", Nats::USER))
}

#[test]
fn nats_answers_hangs_and_stops() {
    let mut nats = Nats::start();
    let port = nats.server.port();
    assert!(talk::answers(port, as_user("wrong"), "-ERR 'Authorization Violation'"));
    let health = "GET /healthz HTTP/1.0\r\n\r\n";
    assert!(talk::answers(nats.http_port, health, "{\"status\":\"ok\"}"));
    super::obeys(&mut nats.server, || talk::answers(port, as_user(Nats::PASSWORD), "PONG"));
}

#[test]
fn nats_takes_tokens() {
    let nats = Nats::token();
    let token = |token: &str| connect(&format!("\"auth_token\":\"{token}\""));
    assert!(talk::answers(nats.server.port(), token(Nats::TOKEN), "PONG"));
    assert!(talk::answers(nats.server.port(), token("wrong"), "-ERR"));
}

#[test]
fn nats_speaks_tls() {
    let nats = Nats::tls();
    let mut stream = talk::plain(nats.server.port()).expect("connected");
    talk::say(&mut stream, "", "\"tls_required\":true").expect("it says so");
    let mut stream = talk::encrypt(stream, &nats.authority.der()).expect("trusted");
    talk::say(&mut stream, as_user(Nats::PASSWORD), "PONG").expect("logged in");
}
