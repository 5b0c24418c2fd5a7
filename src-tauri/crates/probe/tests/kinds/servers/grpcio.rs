use super::{Home, Server, talk};
use crate::authority::{Authority, LOOPBACK};

/// A server of Python's `grpcio` with the standard health service, in the
/// clear and in TLS. The server and `shop.v1.Orders` are serving,
/// `shop.v1.Returns` is not; more it does not know.
pub struct Grpcio {
    /// The process.
    pub server: Server,
    /// The port for TLS.
    pub tls_port: u16,
    /// Who certified it.
    pub authority: Authority,
}

/// Its two messages are but one field each: the name, and 1 or 2.
const PROGRAM: &str = r#"
import sys
from concurrent import futures
import grpc

HEALTH = {"": 1, "shop.v1.Orders": 1, "shop.v1.Returns": 2}

def check(request, context):
    service = request[2:].decode()
    if service not in HEALTH:
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return bytes([8, HEALTH[service]])

def read(name):
    with open(name, "rb") as file:
        return file.read()

def plain(value):
    return value

port, tls_port = sys.argv[1:]
check = grpc.unary_unary_rpc_method_handler(check, plain, plain)
service = grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check})
server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
server.add_generic_rpc_handlers((service,))
server.add_insecure_port("127.0.0.1:" + port)
identity = [(read("server.key"), read("server.pem"))]
server.add_secure_port("127.0.0.1:" + tls_port, grpc.ssl_server_credentials(identity))
server.start()
server.wait_for_termination()
"#;

/// How an HTTP/2 client begins (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// The server agrees to the client's settings.
const AGREED: &str = "\0\0\0\u{4}\u{1}\0\0\0\0";

impl Grpcio {
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
                command
            },
            |_, ports| {
                talk::answers(ports[0], PREFACE, AGREED) && ports.into_iter().all(super::listens)
            },
        );
        Self { server, tls_port, authority }
    }
}

#[test]
fn grpcio_answers_hangs_and_stops() {
    let mut grpcio = Grpcio::start();
    let port = grpcio.server.port();
    super::obeys(&mut grpcio.server, || talk::answers(port, PREFACE, AGREED));
}
