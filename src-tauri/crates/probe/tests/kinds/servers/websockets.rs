use super::{Home, Server, talk};
use crate::authority::{Authority, LOOPBACK};

/// A server of Python's `websockets`, in the clear and in TLS. It repeats each
/// message, closes after `bye`, and speaks the subprotocol `chat` too. Paths
/// that begin with `/private` want user and password.
pub struct WebSockets {
    /// The process.
    pub server: Server,
    /// The port for TLS.
    pub tls_port: u16,
    /// Who certified it.
    pub authority: Authority,
}

const PROGRAM: &str = r#"
import asyncio, base64, http, ssl, sys
from websockets.legacy.server import serve

port, tls_port, user, password = sys.argv[1:]
login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

async def repeat(socket, path=None):
    async for message in socket:
        await socket.send(message)
        if message == "bye":
            await socket.close(4000, "you said bye")

async def guard(path, headers):
    if path.startswith("/private") and headers.get("Authorization") != login:
        return http.HTTPStatus.UNAUTHORIZED, [], b"who are you?"

async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("server.pem", "server.key")
    more = dict(process_request=guard, subprotocols=["chat"])
    async with serve(repeat, "127.0.0.1", int(port), **more):
        async with serve(repeat, "127.0.0.1", int(tls_port), ssl=context, **more):
            await asyncio.Future()

asyncio.run(main())
"#;

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// What that key is answered with (RFC 6455, section 1.3).
const ACCEPTED: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

impl WebSockets {
    /// Who may see `/private`.
    pub const USER: &str = "listener";
    /// The user's.
    pub const PASSWORD: &str = "websocket-secret";

    /// Starts one.
    pub fn start() -> Self {
        let authority = Authority::new();
        let home = Home::new();
        home.identity(&authority.server(LOOPBACK));
        let (server, [_, tls_port]) = Server::start(
            home,
            |home, ports| {
                let mut command = home.command("/usr/bin/python3");
                command.arg(home.write("server.py", PROGRAM)).args(ports.map(|p| p.to_string()));
                command.args([Self::USER, Self::PASSWORD]);
                command
            },
            |_, ports| ports.into_iter().all(super::listens),
        );
        Self { server, tls_port, authority }
    }
}

#[test]
fn websockets_answer_hang_and_stop() {
    let mut sockets = WebSockets::start();
    let port = sockets.server.port();
    assert!(talk::answers_tls(sockets.tls_port, &sockets.authority.der(), UPGRADE, ACCEPTED));
    assert!(talk::answers(port, UPGRADE.replace("GET /", "GET /private"), " 401 "));
    super::obeys(&mut sockets.server, || talk::answers(port, UPGRADE, ACCEPTED));
}
