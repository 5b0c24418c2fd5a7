use super::{Home, Server, talk};

/// Tinyproxy: an HTTP proxy with CONNECT.
pub struct Proxy {
    /// The process.
    pub server: Server,
}

impl Proxy {
    /// Who may use it, where that matters.
    pub const USER: &str = "app";
    /// The user's.
    pub const PASSWORD: &str = "proxy-secret";

    /// One for everybody.
    pub fn start() -> Self {
        Self::with("")
    }

    /// One that wants user and password.
    pub fn guarded() -> Self {
        Self::with(&format!("BasicAuth {} {}\n", Self::USER, Self::PASSWORD))
    }

    fn with(more: &str) -> Self {
        let (server, [_]) = Server::start(
            Home::new(),
            |home, [port]| {
                let config = format!("Listen 127.0.0.1\nPort {port}\nMaxClients 20\n{more}");
                let mut command = home.command("tinyproxy");
                command.args(["-d", "-c"]).arg(home.write("tinyproxy.conf", &config));
                command
            },
            |_, [port]| talk::answers(port, "GET / HTTP/1.0\r\n\r\n", "HTTP/1."),
        );
        Self { server }
    }
}

#[test]
fn a_proxy_passes_on_hangs_and_stops() {
    let nginx = super::nginx::Nginx::start("");
    let mut proxy = Proxy::start();
    let port = proxy.server.port();
    let get = format!("GET http://127.0.0.1:{}/ HTTP/1.0\r\n\r\n", nginx.server.port());
    let connect = format!("CONNECT 127.0.0.1:{} HTTP/1.0\r\n\r\n", nginx.https_port);
    let mut tunnel = talk::plain(port).expect("connected");
    talk::say(&mut tunnel, connect, "200 ").expect("a tunnel");
    let mut tunnel = talk::encrypt(tunnel, &nginx.authority.der()).expect("trusted");
    talk::say(&mut tunnel, "GET / HTTP/1.0\r\n\r\n", "fine").expect("an answer");
    super::obeys(&mut proxy.server, || talk::answers(port, get.as_str(), "fine"));
}

#[test]
fn a_guarded_proxy_wants_a_password() {
    let nginx = super::nginx::Nginx::start("");
    let proxy = Proxy::guarded();
    let get = |header: &str| {
        format!("GET http://127.0.0.1:{}/ HTTP/1.0\r\n{header}\r\n", nginx.server.port())
    };
    let password = "Proxy-Authorization: Basic YXBwOnByb3h5LXNlY3JldA==\r\n";
    assert!(talk::answers(proxy.server.port(), get(password), "fine"));
    assert!(talk::answers(proxy.server.port(), get(""), "407 "));
}
