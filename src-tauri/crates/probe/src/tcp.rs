//! `check = "tcp"`: something accepts a connection, and answers as expected.

use std::sync::Arc;
use std::time::Duration;

use health::Thresholds;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::answer::{self, Expected, MAX_ANSWER_BYTES, shown};
use crate::failure::Failure;
use crate::field::{Field, FieldError, Form, Values, escaped};
use crate::server::Server;
use crate::stream::Stream;
use crate::trace::Trace;
use crate::{Checking, Context, Probe, net, tls};

pub(crate) const LABEL: &str = "TCP port";
pub(crate) const HELP: &str =
    "Connects to a port, and looks at the greeting or an answer: anything that listens.";
pub(crate) const EXAMPLE: &str = r#"host = "cache.internal"
port = 6379
send = 'PING\r\n'
expect = "+PONG""#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::OTHER;

pub(crate) const FIELDS: &[Field] = &[
    net::HOST,
    Field::required("port", "Port", "The port it listens on.", net::PORT),
    answer::SEND,
    answer::EXPECT,
    answer::EXPECT_REGEX,
    tls::ENCRYPT,
    tls::VERIFY,
    tls::CA_FILE,
    tls::CERT_FILE,
    tls::KEY_FILE,
    tls::WARN_DAYS,
    net::FAMILY,
];

#[derive(Debug)]
struct TcpProbe {
    server: Server,
    send: Option<Vec<u8>>,
    expected: Expected,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    Ok(Box::new(TcpProbe {
        server: Server::read(&form, 0)?,
        send: form.optional("send", escaped)?,
        expected: Expected::read(&form)?,
    }))
}

impl TcpProbe {
    /// Connects, says what is to be said, and waits for what is expected. An
    /// answer that nothing is expected of is not waited for.
    async fn talk(&self, trace: &Arc<Trace>) -> Result<String, Failure> {
        let stream = self.server.connect(trace).await?;
        let peer = stream.peer_addr().map_err(|error| Failure::io(&error, trace))?;
        let mut stream = self.server.secure(trace, stream).await?;
        if let Some(bytes) = &self.send {
            let sent = async {
                stream.write_all(bytes).await?;
                stream.flush().await
            };
            sent.await.map_err(|error| Failure::io(&error, trace))?;
        }
        if self.expected.is_nothing() {
            return Ok(format!("connected to {peer}"));
        }
        let answer = self.listen(&mut stream, trace).await?;
        Ok(format!("got {} from {peer}", shown(&answer)))
    }

    /// Reads until all that is expected has come.
    async fn listen(&self, stream: &mut impl Stream, trace: &Trace) -> Result<Vec<u8>, Failure> {
        let mut answer = Vec::new();
        let mut chunk = vec![0; 4096];
        while let Some(missing) = self.expected.missing(&answer) {
            trace.step(match answer.as_slice() {
                [] => format!("expecting {missing}"),
                _ => format!("expecting {missing}, got {}", shown(&answer)),
            });
            let room = chunk.len().min(MAX_ANSWER_BYTES - answer.len());
            let read = stream.read(&mut chunk[..room]).await;
            let length = read.map_err(|error| Failure::io(&error, trace))?;
            if length == 0 {
                return Err(fell_short(&missing, &answer, trace));
            }
            answer.extend_from_slice(&chunk[..length]);
            trace.saw_body(&answer);
        }
        Ok(answer)
    }
}

/// What is expected is not in all that came.
fn fell_short(missing: &str, answer: &[u8], trace: &Trace) -> Failure {
    let endpoint = trace.endpoint();
    match answer.len() {
        0 => Failure::NoAnswer(format!("connection closed by {endpoint}, expecting {missing}")),
        MAX_ANSWER_BYTES => Failure::Unexpected(format!(
            "expected {missing} in the first 64 KiB, got {} ({endpoint})",
            shown(answer)
        )),
        _ => Failure::Unexpected(format!("expected {missing}, got {} ({endpoint})", shown(answer))),
    }
}

impl Probe for TcpProbe {
    fn check<'a>(&'a self, timeout: Duration, _: &'a Context) -> Checking<'a> {
        Box::pin(self.server.observe(timeout, move |trace| async move { self.talk(&trace).await }))
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
    use std::net::{IpAddr, Ipv4Addr};

    use health::{Observation, Outcome};
    use serde_json::{Value, json};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn tcp(host: &str, port: u16) -> Box<dyn Probe> {
        let values = json!({"host": host, "port": port});
        probe(values.as_object().expect("a table")).expect("valid")
    }

    async fn listener() -> (TcpListener, u16) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        (listener, port)
    }

    #[tokio::test]
    async fn connects() {
        let (_listener, port) = listener().await;
        let seen = tcp("127.0.0.1", port).check(TIMEOUT, &Context::default()).await;
        assert_eq!(seen.outcome, Outcome::Healthy(format!("connected to 127.0.0.1:{port}")));
        assert_eq!(seen.address, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(seen.response_time.is_some());
    }

    #[tokio::test]
    async fn finds_the_family_that_listens() {
        let (_listener, port) = listener().await;
        let seen = tcp("localhost", port).check(TIMEOUT, &Context::default()).await;
        assert_eq!(seen.outcome, Outcome::Healthy(format!("connected to 127.0.0.1:{port}")));
    }

    #[tokio::test]
    async fn says_that_the_connection_was_refused() {
        let (listener, port) = listener().await;
        drop(listener);
        let seen = tcp("127.0.0.1", port).check(TIMEOUT, &Context::default()).await;
        assert_eq!(
            seen.outcome,
            Outcome::Unhealthy(format!("connection refused (127.0.0.1:{port})"))
        );
        assert_eq!(seen.response_time, None);
        assert_eq!(seen.address, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }

    #[test]
    fn names_its_target() {
        assert_eq!(tcp("::1", 80).target(), "[::1]:80");
        assert_eq!(tcp("::1", 80).host(), "::1");
        assert_eq!(tcp("DB.internal", 80).target(), "db.internal:80");
    }

    /// A server that reads and writes as `serve` does, once.
    async fn talking<S>(serve: impl FnOnce(TcpStream) -> S + Send + 'static) -> u16
    where
        S: Future<Output = ()> + Send + 'static,
    {
        let (listener, port) = listener().await;
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            serve(stream).await;
        });
        port
    }

    async fn check(keys: Value, timeout: Duration) -> (Observation, String) {
        let probe = probe(keys.as_object().expect("a table")).expect("valid");
        let seen = probe.check(timeout, &Context::default()).await;
        let message = seen.outcome.message().replace(&keys["port"].to_string(), "PORT");
        (seen, message)
    }

    #[tokio::test]
    async fn what_is_expected_may_come_in_pieces() {
        let port = talking(async |mut stream| {
            let mut question = [0; 3];
            stream.read_exact(&mut question).await.expect("a question");
            assert_eq!(&question, b"\0\r\n");
            for byte in b"one\r\ntwo" {
                stream.write_all(&[*byte]).await.expect("sent");
                stream.flush().await.expect("sent");
                tokio::task::yield_now().await;
            }
            // Stays open: nothing more is waited for.
            let _ = stream.read(&mut question).await;
        })
        .await;
        let keys = json!({
            "host": "127.0.0.1",
            "port": port,
            "send": "\\x00\r\\n",
            "expect": r"one\r\ntwo",
            "expect_regex": "(?m)^two$",
        });
        let (seen, message) = check(keys, TIMEOUT).await;
        assert_eq!(seen.outcome, Outcome::Healthy(format!("got \"one\" from 127.0.0.1:{port}")));
        assert_eq!(message, "got \"one\" from 127.0.0.1:PORT");
        assert!(seen.phases.send.is_some() && seen.phases.wait.is_some());
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut() {
        let port =
            talking(async |mut stream| while stream.write_all(&[b'x'; 5000]).await.is_ok() {})
                .await;
        let keys = json!({"host": "127.0.0.1", "port": port, "expect": "y"});
        let (seen, message) = check(keys, TIMEOUT).await;
        let got = "x".repeat(200);
        let expected =
            format!("expected \"y\" in the first 64 KiB, got \"{got}…\" (127.0.0.1:PORT)");
        assert_eq!(message, expected);
        assert!(seen.response_time.is_some());
        assert_eq!(seen.evidence.body.map(|body| body.chars().count()), Some(2049));
    }

    #[tokio::test]
    async fn a_closed_connection_is_told() {
        for (answer, expected) in [
            ("", "connection closed by 127.0.0.1:PORT, expecting \"220\""),
            ("\u{1b}[2Jhi", "expected \"220\", got 6 bytes: 1b 5b 32 4a 68 69 (127.0.0.1:PORT)"),
            ("554 no\r\nbye", "expected \"220\", got \"554 no\" (127.0.0.1:PORT)"),
        ] {
            let port = talking(move |mut stream| async move {
                stream.write_all(answer.as_bytes()).await.expect("sent");
            })
            .await;
            let keys = json!({"host": "127.0.0.1", "port": port, "expect": "220"});
            let (seen, message) = check(keys, TIMEOUT).await;
            assert_eq!(message, expected);
            assert_eq!(seen.response_time.is_some(), !answer.is_empty());
        }
    }

    #[tokio::test]
    async fn without_expectation_nothing_is_waited_for() {
        let (_listener, port) = listener().await;
        let keys = json!({"host": "127.0.0.1", "port": port, "send": "hello"});
        let (_, message) = check(keys, TIMEOUT).await;
        assert_eq!(message, "connected to 127.0.0.1:PORT");
    }

    #[test]
    fn escapes_are_checked() {
        let values = json!({"host": "db", "port": 1, "send": r"\q", "expect": ""});
        let mistakes = probe(values.as_object().expect("a table")).err().expect("mistakes");
        assert_eq!(mistakes[0].message, r"`\q` stands for nothing");
        assert_eq!(mistakes[0].path, [crate::Step::Key("send".to_owned())]);
    }

    #[test]
    fn every_mistake_is_found_at_once() {
        let values = json!({"host": "http://db", "port": 0});
        let mistakes = probe(values.as_object().expect("a table")).err().expect("mistakes");
        let messages: Vec<_> = mistakes.iter().map(|m| m.message.as_str()).collect();
        assert_eq!(messages, ["`http://db` is a URL", "port 0 is out of range"]);
    }
}
