//! `check = "udp"`: a datagram gets a reply.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use health::Thresholds;
use tokio::net::UdpSocket;

use crate::answer::{self, Expected, MAX_ANSWER_BYTES, shown};
use crate::failure::Failure;
use crate::field::{Field, FieldError, Form, Values, escaped};
use crate::net::describe_io;
use crate::server::Server;
use crate::trace::{Phase, Trace};
use crate::{Checking, Context, Probe, net};

pub(crate) const LABEL: &str = "UDP port";
pub(crate) const HELP: &str =
    "Sends a datagram and waits for a reply: game servers, time servers, anything over UDP.";
pub(crate) const EXAMPLE: &str = r#"host = "game.example.com"
port = 27015
send = '\xff\xff\xff\xffTSource Engine Query\x00'
expect = '\xff\xff\xff\xff'"#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::OTHER;

pub(crate) const FIELDS: &[Field] = &[
    net::HOST,
    Field::required("port", "Port", "The port it listens on.", net::PORT),
    Field { required: true, ..answer::SEND },
    answer::EXPECT,
    answer::EXPECT_REGEX,
    net::FAMILY,
];

#[derive(Debug)]
struct UdpProbe {
    server: Server,
    send: Vec<u8>,
    expected: Expected,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    Ok(Box::new(UdpProbe {
        server: Server::in_the_clear(&form, 0)?,
        send: form.required("send", escaped)?,
        expected: Expected::read(&form)?,
    }))
}

impl UdpProbe {
    async fn ask(&self, trace: &Trace) -> Result<String, Failure> {
        let socket = open(&self.server, trace).await?;
        send(&socket, &self.send, trace).await?;
        trace.step("no reply");
        let mut buffer = vec![0; MAX_ANSWER_BYTES];
        let reply = receive(&socket, &mut buffer, trace).await?;
        trace.saw_body(reply);
        let endpoint = trace.endpoint();
        match self.expected.missing(reply) {
            None => Ok(format!("got {} from {endpoint}", shown(reply))),
            Some(missing) => {
                let got = shown(reply);
                Err(Failure::Unexpected(format!("expected {missing}, got {got} ({endpoint})")))
            }
        }
    }
}

/// A socket that hears the server alone, and of its refusals.
pub(crate) async fn open(server: &Server, trace: &Trace) -> Result<UdpSocket, Failure> {
    let address = net::address(trace, &server.host, server.family).await?;
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = async {
        let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
        socket.connect(SocketAddr::new(address, server.port)).await?;
        Ok(socket)
    };
    socket.await.map_err(|error| failure(&error, trace))
}

pub(crate) async fn send(
    socket: &UdpSocket,
    datagram: &[u8],
    trace: &Trace,
) -> Result<(), Failure> {
    trace.enter(Phase::Sending);
    let sent = socket.send(datagram).await;
    trace.enter(Phase::Waiting);
    match sent {
        Ok(_) => Ok(()),
        Err(error) => Err(failure(&error, trace)),
    }
}

/// The next datagram that comes from the server.
pub(crate) async fn receive<'b>(
    socket: &UdpSocket,
    buffer: &'b mut [u8],
    trace: &Trace,
) -> Result<&'b [u8], Failure> {
    let length = socket.recv(buffer).await.map_err(|error| failure(&error, trace))?;
    Ok(&buffer[..length])
}

/// A closed port is told by the system of its host (RFC 1122, section 4.1.3.1).
fn failure(error: &io::Error, trace: &Trace) -> Failure {
    Failure::NoAnswer(describe_io(error, &trace.endpoint()))
}

impl Probe for UdpProbe {
    fn check<'a>(&'a self, timeout: Duration, _: &'a Context) -> Checking<'a> {
        let check = move |trace: Arc<Trace>| async move { self.ask(&trace).await };
        Box::pin(self.server.observe(timeout, check))
    }

    fn target(&self) -> String {
        self.server.endpoint()
    }

    fn host(&self) -> &str {
        &self.server.host
    }
}

#[cfg(test)]
mod tests {
    use health::{Observation, Outcome};
    use serde_json::{Value, json};

    use super::*;

    const PATIENT: Duration = Duration::from_secs(10);

    async fn check(keys: Value, timeout: Duration) -> (Observation, String) {
        let probe = probe(keys.as_object().expect("a table")).expect("valid");
        let seen = probe.check(timeout, &Context::default()).await;
        let message = seen.outcome.message().replace(&keys["port"].to_string(), "PORT");
        (seen, message)
    }

    async fn bound(address: IpAddr) -> (UdpSocket, u16) {
        let socket = UdpSocket::bind(SocketAddr::new(address, 0)).await.expect("a free port");
        let port = socket.local_addr().expect("bound").port();
        (socket, port)
    }

    /// Replies with the datagram, in capitals.
    fn shouting(socket: UdpSocket) {
        tokio::spawn(async move {
            let mut buffer = [0; 100];
            let (length, from) = socket.recv_from(&mut buffer).await.expect("a datagram");
            buffer.make_ascii_uppercase();
            // Another's is not taken for the reply.
            let (stranger, _) = bound(from.ip()).await;
            stranger.send_to(b"STRANGE", from).await.expect("sent");
            socket.send_to(&buffer[..length], from).await.expect("sent");
        });
    }

    #[tokio::test]
    async fn any_reply_will_do() {
        for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let (socket, port) = bound(address).await;
            shouting(socket);
            let keys = json!({"host": address.to_string(), "port": port, "send": r"hi\x21"});
            let (seen, _) = check(keys, PATIENT).await;
            let endpoint = SocketAddr::new(address, port);
            assert_eq!(seen.outcome, Outcome::Healthy(format!("got \"HI!\" from {endpoint}")));
            let phases = seen.phases;
            assert!(phases.dns.is_some() && phases.send.is_some() && phases.wait.is_some());
            assert_eq!((phases.connect, phases.receive), (None, None));
        }
    }

    #[tokio::test]
    async fn another_reply_is_shown_and_kept() {
        let (socket, port) = bound(Ipv4Addr::LOCALHOST.into()).await;
        shouting(socket);
        let keys = json!({"host": "127.0.0.1", "port": port, "send": "hi", "expect": "hi"});
        let (seen, message) = check(keys, PATIENT).await;
        assert_eq!(message, "expected \"hi\", got \"HI\" (127.0.0.1:PORT)");
        assert_eq!(seen.evidence.body.as_deref(), Some("HI"));
        assert!(seen.response_time.is_some());
    }

    #[tokio::test]
    async fn silence_and_closed_ports_are_told() {
        let (socket, port) = bound(Ipv4Addr::LOCALHOST.into()).await;
        let keys = json!({"host": "127.0.0.1", "port": port, "send": "hi"});
        let (seen, message) = check(keys.clone(), Duration::from_millis(50)).await;
        assert_eq!(message, "timed out after 50 ms, no reply (127.0.0.1:PORT)");
        assert_eq!(seen.response_time, None);
        drop(socket);
        let (_, message) = check(keys, PATIENT).await;
        assert_eq!(message, "connection refused (127.0.0.1:PORT)");
    }

    #[test]
    fn something_must_be_sent() {
        let values = json!({"host": "db", "port": 1});
        let mistakes = probe(values.as_object().expect("a table")).err().expect("a mistake");
        assert_eq!(mistakes[0].message, "`send` is missing");
    }
}
