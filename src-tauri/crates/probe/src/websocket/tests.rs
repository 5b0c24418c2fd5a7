use health::{Observation, Outcome};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::*;
use crate::loopback::Server;

const PATIENT: Duration = Duration::from_secs(30);
/// For what never answers, after what does.
const SHORT: Duration = Duration::from_secs(1);

impl Server {
    /// Opens the WebSocket as it should, then does what it wants.
    async fn opening<F>(
        talk: impl Fn(WebSocketStream<TcpStream>) -> F + Copy + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::new(move |stream| async move {
            if let Ok(socket) = accept_async(stream).await {
                talk(socket).await;
            }
        })
        .await
    }

    async fn check_within(&self, timeout: Duration, mut keys: Value) -> Observation {
        keys["url"] = format!("ws://127.0.0.1:{}/feed?key=1", self.port).into();
        let probe = probe(keys.as_object().expect("a table")).expect("valid");
        let mut seen = probe.check(timeout, &Context::default()).await;
        if let Outcome::Unhealthy(message) = &mut seen.outcome {
            *message = message.replace(&self.port.to_string(), "PORT");
        }
        seen
    }

    async fn check(&self, keys: Value) -> Outcome {
        self.check_within(PATIENT, keys).await.outcome
    }
}

fn ok(message: &str) -> Outcome {
    Outcome::Healthy(message.to_owned())
}

fn failed(message: &str) -> Outcome {
    Outcome::Unhealthy(message.to_owned())
}

async fn echo(mut socket: WebSocketStream<TcpStream>) {
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            break;
        }
    }
}

#[tokio::test]
async fn it_opens_talks_and_closes() {
    let host = Server::opening(echo).await;
    assert_eq!(host.check(json!({})).await, ok("connected"));
    assert_eq!(host.check(json!({"send": "hello"})).await, ok("got \"hello\""));
    let keys = json!({"send": "hello", "expect": "ell", "expect_regex": "^h"});
    let seen = host.check_within(PATIENT, keys).await;
    assert_eq!(seen.outcome, ok("got \"hello\""));
    assert_eq!(seen.metadata["messages"], "1");
    let phases = seen.phases;
    assert!(phases.send.is_some() && phases.wait.is_some() && phases.receive.is_some());
}

#[tokio::test]
async fn the_server_gets_a_closing_frame() {
    let (closed, mut closings) = tokio::sync::mpsc::unbounded_channel();
    let host = Server::new(move |stream| {
        let closed = closed.clone();
        async move {
            let mut socket = accept_async(stream).await.expect("a WebSocket");
            let last = socket.next().await;
            let goodbye = matches!(last, Some(Ok(Message::Close(_))));
            closed.send(goodbye).expect("the test listens");
            let _ = socket.next().await;
        }
    })
    .await;
    assert_eq!(host.check(json!({})).await, ok("connected"));
    assert_eq!(closings.recv().await, Some(true));
}

#[tokio::test]
async fn a_server_that_does_not_close_its_side_is_left() {
    let host = Server::opening(|socket| async move {
        let _open = socket;
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(host.check(json!({})).await, ok("connected"));
}

#[tokio::test]
async fn messages_until_one_is_as_expected() {
    let host = Server::opening(|mut socket| async move {
        for message in ["one", "two"] {
            socket.send(Message::text(message)).await.expect("sent");
        }
        socket.send(Message::Ping("x".into())).await.expect("sent");
        socket.send(Message::binary(b"thr\xffee".to_vec())).await.expect("sent");
        echo(socket).await;
    })
    .await;
    assert_eq!(host.check(json!({"expect": "two"})).await, ok("got \"two\""));
    assert_eq!(host.check(json!({"expect_regex": "^thr.ee$"})).await, ok("got \"thr\u{fffd}ee\""));
    let seen = host.check_within(SHORT, json!({"expect": "four"})).await;
    assert_eq!(
        seen.outcome,
        failed(
            "timed out after 1 s, waiting for the expected message, after others \
             (127.0.0.1:PORT)"
        )
    );
    assert_eq!(seen.evidence.body.as_deref(), Some("thr\u{fffd}ee"));
}

#[tokio::test]
async fn a_server_that_says_nothing() {
    let host = Server::opening(echo).await;
    let seen = host.check_within(SHORT, json!({"expect": "x"})).await;
    assert_eq!(seen.outcome, failed("timed out after 1 s, waiting for a message (127.0.0.1:PORT)"));
    assert_eq!(seen.response_time, None);
}

#[tokio::test]
async fn a_server_that_never_stops_talking() {
    let host = Server::opening(|mut socket| async move {
        while socket.send(Message::text("x".repeat(1022))).await.is_ok() {}
    })
    .await;
    assert_eq!(
        host.check(json!({"expect": "y"})).await,
        failed("expected text \"y\" not found in the first 64 KiB, 64 messages (127.0.0.1:PORT)")
    );
    let empty = Server::opening(|mut socket| async move {
        while socket.send(Message::Ping("".into())).await.is_ok() {}
    })
    .await;
    assert_eq!(
        empty.check(json!({"expect_regex": "y"})).await,
        failed("expected pattern /y/ not found in the first 64 KiB, 0 messages (127.0.0.1:PORT)")
    );
}

#[tokio::test]
async fn messages_that_are_too_long() {
    let long = Server::opening(|mut socket| async move {
        let _ = socket.send(Message::text("x".repeat(1 << 20))).await;
        echo(socket).await;
    })
    .await;
    assert_eq!(
        long.check(json!({"expect": "x", "expect_regex": "^y"})).await,
        failed(
            "expected text \"x\" with expected pattern /^y/ not found in the first 64 KiB, \
             0 messages (127.0.0.1:PORT)"
        )
    );
    // A frame of 2^63 - 1 bytes, of which none comes.
    let lying = Server::opening(|mut socket| async move {
        let frame = b"\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff";
        socket.get_mut().write_all(frame).await.expect("sent");
        echo(socket).await;
    })
    .await;
    assert_eq!(
        lying.check(json!({"send": "x"})).await,
        failed("an answer not found in the first 64 KiB, 0 messages (127.0.0.1:PORT)")
    );
}

#[tokio::test]
async fn connections_that_break() {
    let closing = Server::opening(|mut socket| async move {
        let reason = CloseFrame { code: CloseCode::Policy, reason: "not\nyou".into() };
        let _ = socket.close(Some(reason)).await;
        echo(socket).await;
    })
    .await;
    assert_eq!(
        closing.check(json!({"expect": "x"})).await,
        failed(
            "the server closed the WebSocket (127.0.0.1:PORT) with code 1008, \"not\\nyou\", \
             waiting for a message"
        )
    );
    let silent = Server::opening(|mut socket| async move {
        let _ = socket.close(None).await;
        echo(socket).await;
    })
    .await;
    assert_eq!(
        silent.check(json!({"expect": "x"})).await,
        failed(
            "the server closed the WebSocket (127.0.0.1:PORT) without a reason, \
             waiting for a message"
        )
    );
    let gone = Server::opening(|socket| async move { drop(socket) }).await;
    assert_eq!(
        gone.check(json!({"expect": "x"})).await,
        failed("connection closed by 127.0.0.1:PORT, waiting for a message")
    );
    let garbage = Server::opening(|mut socket| async move {
        socket.get_mut().write_all(b"\xff\0").await.expect("sent");
        echo(socket).await;
    })
    .await;
    let outcome = garbage.check(json!({"expect": "x"})).await;
    let start = "the answer of 127.0.0.1:PORT is not a valid WebSocket: ";
    assert!(outcome.message().starts_with(start), "{outcome:?}");
}

#[tokio::test]
async fn upgrades_that_are_refused() {
    for (answer, message) in [
        (
            "HTTP/1.1 403 No\r\nX-Token: hidden\r\nContent-Length: 6\r\n\r\ngo off",
            "upgrade refused with 403 Forbidden (127.0.0.1:PORT): check the login",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "upgrade refused with 200 OK (127.0.0.1:PORT): it speaks HTTP there, but no WebSocket",
        ),
        (
            "HTTP/1.1 301 Moved\r\nLocation: /new\r\n\r\n",
            "upgrade refused with 301 Moved Permanently (127.0.0.1:PORT): it redirects, name the \
             new address in `url`",
        ),
        (
            "HTTP/1.1 404 Not Found\r\n\r\n",
            "upgrade refused with 404 Not Found (127.0.0.1:PORT): check the path of `url`",
        ),
        (
            "HTTP/1.1 503 X\r\n\r\n",
            "upgrade refused with 503 Service Unavailable (127.0.0.1:PORT): look at the server's \
             log",
        ),
        (
            "HTTP/1.1 426 X\r\n\r\n",
            "upgrade refused with 426 Upgrade Required (127.0.0.1:PORT): check `url`, `headers` \
             and `subprotocol`",
        ),
        ("", "connection closed by 127.0.0.1:PORT, opening the WebSocket"),
    ] {
        let host = Server::answering(answer).await;
        let seen = host.check_within(PATIENT, json!({})).await;
        assert_eq!(seen.outcome, failed(message), "{answer:?}");
        assert_eq!(seen.response_time.is_some(), !answer.is_empty());
        if answer.contains("403") {
            assert!(seen.evidence.headers.contains(&("x-token".to_owned(), "…".to_owned())));
            assert_eq!(seen.evidence.body.as_deref(), Some("go off"));
        }
    }
}

#[tokio::test]
async fn answers_that_are_no_upgrade() {
    for answer in [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "HTTP/1.1 101 X\r\n\r\n",
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
         Sec-WebSocket-Accept: x\r\n\r\n",
    ] {
        let outcome = Server::answering(answer).await.check(json!({})).await;
        let message = outcome.message();
        let start = "the answer of 127.0.0.1:PORT is not a valid WebSocket: ";
        assert!(message.starts_with(start), "{answer:?}: {message}");
        assert!(message.ends_with(", opening the WebSocket"), "{answer:?}: {message}");
    }
    let endless = Server::new(|mut stream| async move {
        let mut sent = stream.write_all(b"HTTP/1.1 101 X\r\nX: ").await;
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
        while sent.is_ok() {
            sent = stream.write_all(&[b'x'; 4096]).await;
        }
    })
    .await;
    let outcome = endless.check(json!({})).await;
    assert!(outcome.message().contains("Attack attempt detected"), "{outcome:?}");
}

#[tokio::test]
async fn what_is_sent() {
    let (sent, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let host = Server::new(move |stream| {
        let sent = sent.clone();
        async move {
            let mut request = Vec::new();
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if line.is_empty() {
                    break;
                }
                request.push(line.to_lowercase());
            }
            sent.send(request).expect("the test listens");
        }
    })
    .await;
    let keys = json!({
        "user": "user", "password": "secret", "subprotocol": "Chat.v2",
        "headers": {"Origin": "https://a.example"},
    });
    host.check(keys).await;
    let request = requests.recv().await.expect("a request");
    assert_eq!(request[0], "get /feed?key=1 http/1.1");
    for line in [
        &format!("host: 127.0.0.1:{}", host.port),
        "authorization: basic dxnlcjpzzwnyzxq=",
        "origin: https://a.example",
        "sec-websocket-protocol: chat.v2",
    ] {
        assert!(request.iter().any(|sent| sent == line), "{line}: {request:?}");
    }
    assert!(!request.iter().any(|line| line.contains("extensions")), "{request:?}");
}

#[tokio::test]
async fn subprotocols() {
    let host = Server::opening(echo).await;
    assert_eq!(
        host.check(json!({"subprotocol": "chat"})).await,
        failed(
            "the server does not agree to the subprotocol `chat` (127.0.0.1:PORT): \
             check `subprotocol`"
        )
    );
}

#[test]
fn mistakes_and_target() {
    for (keys, key, message) in [
        (json!({"url": "https://a/"}), "url", "the URL has the scheme `https`"),
        (json!({"url": "ws://me:x@a/"}), "url", "the URL holds a login"),
        (
            json!({"url": "ws://a/", "subprotocol": "a, b"}),
            "subprotocol",
            "`a, b` is not a subprotocol",
        ),
        (
            json!({"url": "ws://a/", "user": "x", "bearer_token": "y"}),
            "bearer_token",
            "more than one way to log in: `user` and `bearer_token`",
        ),
    ] {
        let mistakes = probe(keys.as_object().expect("a table")).err().expect("a mistake");
        assert_eq!(mistakes[0].message, message);
        assert_eq!(mistakes[0].path, [crate::Step::Key(key.to_owned())]);
    }
    let probe =
        |url: &str| probe(json!({"url": url}).as_object().expect("a table")).expect("valid");
    assert_eq!(
        probe("wss://API.example.com/feed?key=1#x").target(),
        "wss://api.example.com/feed?…"
    );
    assert_eq!(probe("ws://[::1]:80/").host(), "::1");
}
