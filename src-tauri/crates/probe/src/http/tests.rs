mod evidence;
mod login;
mod proxy;
mod requests;

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use health::{Observation, Outcome};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::loopback::{Server, read_request};

/// Long enough to never be reached by what answers.
const PATIENT: Duration = Duration::from_secs(30);
/// For what never answers.
const SHORT: Duration = Duration::from_millis(300);

impl Server {
    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

fn response(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn http(values: &Value) -> HttpProbe {
    HttpProbe::new(values.as_object().expect("a table")).expect("valid")
}

/// Checks `server` with further keys.
async fn check(server: &Server, keys: Value) -> Observation {
    http(&with_url(&server.url(), keys)).check(PATIENT, &Context::default()).await
}

fn with_url(url: &str, mut keys: Value) -> Value {
    keys["url"] = url.into();
    keys
}

trait Expected {
    fn failure(self, what: &str) -> String;
}

impl Expected for Outcome {
    fn failure(self, what: &str) -> String {
        match self {
            Self::Unhealthy(message) => message,
            other => panic!("{what}: {other:?}"),
        }
    }
}

fn ok(message: &str) -> Outcome {
    Outcome::Healthy(message.to_owned())
}

fn failed(message: impl Into<String>) -> Outcome {
    Outcome::Unhealthy(message.into())
}

#[tokio::test]
async fn a_good_response() {
    let server = Server::answering(response("200 OK", "fine")).await;
    let seen = check(&server, json!({"expect_text": "fine"})).await;
    assert_eq!(seen.outcome, ok("200 OK"));
    assert!(seen.response_time.is_some());
    assert_eq!(seen.address, Some(Ipv4Addr::LOCALHOST.into()));
    let metadata: Vec<_> = seen.metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        metadata,
        [
            ("body_bytes", "4"),
            ("content_type", "text/plain"),
            ("http_status", "200"),
            ("http_version", "HTTP/1.1"),
        ]
    );
}

#[tokio::test]
async fn what_is_sent() {
    let (sent, mut requests) = mpsc::unbounded_channel();
    let server = Server::new(move |mut stream| {
        let sent = sent.clone();
        async move {
            let mut request = read_request(&mut stream).await;
            request.sort();
            sent.send(request).expect("the test listens");
            stream.write_all(response("204 No Content", "").as_bytes()).await.expect("sent");
        }
    })
    .await;
    let url = format!("http://user:secret@127.0.0.1:{}/path?q=1#part", server.port);
    let keys = json!({"method": "PUT", "body": "12345", "headers": {"X-Key": "ü"}});
    let seen = http(&with_url(&url, keys)).check(PATIENT, &Context::default()).await;
    assert_eq!(seen.outcome, ok("204 No Content"));
    let request = requests.recv().await.expect("a request");
    assert_eq!(
        request,
        [
            "PUT /path?q=1 HTTP/1.1".to_owned(),
            "accept: */*".to_owned(),
            "authorization: Basic dXNlcjpzZWNyZXQ=".to_owned(),
            "content-length: 5".to_owned(),
            format!("host: 127.0.0.1:{}", server.port),
            concat!("user-agent: Pilotlight/", env!("CARGO_PKG_VERSION")).to_owned(),
            "x-key: ü".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_refused_connection() {
    let server = Server::answering("").await;
    let (url, port) = (server.url(), server.port);
    drop(server);
    // The port is closed once the task is gone, not when it is told to go.
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let seen = http(&json!({"url": url})).check(PATIENT, &Context::default()).await;
    assert_eq!(seen.outcome, failed(format!("connection refused (127.0.0.1:{port})")));
    assert_eq!(seen.response_time, None);
    assert_eq!(seen.address, Some(Ipv4Addr::LOCALHOST.into()));
}

#[tokio::test]
async fn a_name_that_cannot_be() {
    // Longer than a label may be, so no name server is asked.
    let host = format!("{}.invalid", "x".repeat(70));
    let seen =
        http(&json!({"url": format!("http://{host}/")})).check(PATIENT, &Context::default()).await;
    let message = seen.outcome.failure("no such host");
    assert!(message.contains(&host), "{message}");
}

#[tokio::test]
async fn a_server_that_never_answers() {
    let server = Server::new(|mut stream| async move {
        read_request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let seen = http(&json!({"url": server.url()})).check(SHORT, &Context::default()).await;
    let message =
        format!("timed out after 300 ms, waiting for the response (127.0.0.1:{})", server.port);
    assert_eq!(seen.outcome, failed(message));
    assert_eq!(seen.response_time, None);
}

#[tokio::test]
async fn a_server_that_never_begins_tls() {
    let server = Server::new(|stream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let url = format!("https://127.0.0.1:{}/", server.port);
    let seen =
        http(&json!({"url": url, "verify_tls": false})).check(SHORT, &Context::default()).await;
    let endpoint = format!("127.0.0.1:{}", server.port);
    let message = format!("timed out after 300 ms, in the TLS handshake ({endpoint})");
    assert_eq!(seen.outcome, failed(message));
}

#[tokio::test]
async fn a_body_that_never_ends() {
    let server = Server::new(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("sent");
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    assert_eq!(check(&server, json!({})).await.outcome, ok("200 OK"));
    assert_eq!(check(&server, json!({"expect_text": "xx"})).await.outcome, ok("200 OK"));
    for (keys, message) in [
        (json!({"expect_text": "y"}), "expected text \"y\" not found in the first 1 MiB"),
        (json!({"expect_regex": "^y"}), "expected pattern /^y/ not found in the first 1 MiB"),
        (
            json!({"expect_json": [{"path": "$.a", "exists": true}]}),
            "the response is larger than 1 MiB, too large for expect_json",
        ),
    ] {
        let seen = check(&server, keys).await;
        assert_eq!(seen.outcome, failed(message));
        assert_eq!(seen.metadata["body_bytes"], "1048576");
        assert!(seen.response_time.is_some());
    }
}

#[tokio::test]
async fn a_body_that_stalls() {
    let server = Server::new(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await.expect("sent");
        std::future::pending::<()>().await;
    })
    .await;
    let values = with_url(&server.url(), json!({"expect_text": "whole"}));
    let seen = http(&values).check(SHORT, &Context::default()).await;
    let message =
        format!("timed out after 300 ms, reading the response (127.0.0.1:{})", server.port);
    assert_eq!(seen.outcome, failed(message));
    assert_eq!(seen.metadata["http_status"], "200");
}

#[tokio::test]
async fn headers_that_never_end() {
    let server = Server::new(|mut stream| async move {
        read_request(&mut stream).await;
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").await;
        while sent.is_ok() {
            sent = stream.write_all(&[b'x'; 4096]).await;
        }
    })
    .await;
    let message = format!(
        "the answer of 127.0.0.1:{} is not valid HTTP: message head is too large",
        server.port
    );
    assert_eq!(check(&server, json!({})).await.outcome, failed(message));
}

#[tokio::test]
async fn connections_that_break() {
    let closing = Server::new(|mut stream| async move {
        read_request(&mut stream).await;
    })
    .await;
    let endpoint = format!("127.0.0.1:{}", closing.port);
    let message = format!("connection closed by {endpoint}, waiting for the response");
    assert_eq!(check(&closing, json!({})).await.outcome, failed(message));

    let resetting = Server::new(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await.expect("sent");
        stream.set_zero_linger().expect("a socket");
    })
    .await;
    let seen = check(&resetting, json!({"expect_text": "whole"})).await;
    let endpoint = format!("127.0.0.1:{}", resetting.port);
    let message = format!("connection reset by {endpoint}, reading the response");
    assert_eq!(seen.outcome, failed(message));

    let cut = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await;
    let seen = check(&cut, json!({"expect_text": "half"})).await;
    let endpoint = format!("127.0.0.1:{}", cut.port);
    let message = format!("connection closed by {endpoint}, reading the response");
    assert_eq!(seen.outcome, failed(message));
    assert_eq!(seen.response_time, None);
}

#[tokio::test]
async fn answers_that_are_not_http() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "\0\0\0\u{1b}[31m\r\n\r\n",
        "HTTP/1.1 999999 X\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
    ] {
        let server = Server::answering(garbage).await;
        let message = check(&server, json!({})).await.outcome.failure(garbage);
        let start = format!("the answer of 127.0.0.1:{} is not valid HTTP: ", server.port);
        assert!(message.starts_with(&start), "{garbage:?}: {message}");
    }
    let server = Server::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n\u{1b}",
    )
    .await;
    let message = check(&server, json!({"expect_text": "x"})).await.outcome.failure("garbage");
    assert!(message.ends_with(", reading the response"), "{message}");
    assert!(!message.contains(char::is_control), "{message:?}");
}

#[tokio::test]
async fn statuses() {
    let server = Server::answering(response("503 All is well", "")).await;
    let seen = check(&server, json!({})).await;
    assert_eq!(seen.outcome, failed("expected status 200-299, got 503 Service Unavailable"));
    assert!(seen.response_time.is_some());
    let seen = check(&server, json!({"expect_status": [200, "300-399"]})).await;
    assert_eq!(seen.outcome, failed("expected status 200, 300-399, got 503 Service Unavailable"));
    let seen = check(&server, json!({"expect_status": ["500-599"]})).await;
    assert_eq!(seen.outcome, ok("503 Service Unavailable"));

    let odd = Server::answering(response("799 Odd", "")).await;
    assert_eq!(check(&odd, json!({})).await.outcome, failed("expected status 200-299, got 799"));
}

#[tokio::test]
async fn text_and_patterns() {
    let server = Server::answering(response("200 OK", "state: ok\nü")).await;
    for (keys, expected) in [
        (json!({"expect_text": "ok\u{0}"}), failed("expected text \"ok\\u{0}\" not found")),
        (json!({"expect_text": "OK"}), failed("expected text \"OK\" not found")),
        (json!({"expect_text": "ü"}), ok("200 OK")),
        (json!({"expect_regex": "^state: (ok|fine)\n"}), ok("200 OK")),
        (json!({"expect_regex": "^ok"}), failed("expected pattern /^ok/ not found")),
        (
            json!({"expect_text": "ok", "expect_regex": "bad"}),
            failed("expected pattern /bad/ not found"),
        ),
    ] {
        assert_eq!(check(&server, keys).await.outcome, expected);
    }
}

#[tokio::test]
async fn a_body_that_is_not_utf8() {
    let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Type: \xff\xfe\x80\r\n\r\n".to_vec();
    bytes.extend(b"\xff\xfeok\xc3");
    let server = Server::answering(bytes).await;
    let seen = check(&server, json!({"expect_text": "ok"})).await;
    assert_eq!(seen.outcome, ok("200 OK"));
    assert_eq!(seen.metadata["content_type"], "\u{fffd}\u{fffd}\u{fffd}");
    let seen = check(&server, json!({"expect_json": [{"path": "$", "exists": true}]})).await;
    assert_eq!(seen.outcome, failed("the response is not JSON: expected value at line 1 column 1"));
}

#[tokio::test]
async fn json() {
    let server =
        Server::answering(response("200 OK", r#"{"status": "degraded", "up": [1, 2]}"#)).await;
    for (assertion, expected) in [
        (json!({"path": "$.status", "equals": "degraded"}), ok("200 OK")),
        (
            json!({"path": "$.status", "equals": "ok"}),
            failed("expected $.status to equal \"ok\", got \"degraded\""),
        ),
        (json!({"path": "$.gone", "equals": "ok"}), failed("$.gone is missing")),
        (json!({"path": "$.gone", "exists": false}), ok("200 OK")),
        (
            json!({"path": "$.up[*]", "less_than": 2}),
            failed("expected $.up[*] to be less than 2, got 2"),
        ),
    ] {
        let seen = check(&server, json!({"expect_json": [assertion]})).await;
        assert_eq!(seen.outcome, expected);
    }
    let deep = Server::answering(response("200 OK", &"[".repeat(500_000))).await;
    let seen = check(&deep, json!({"expect_json": [{"path": "$", "exists": true}]})).await;
    assert_eq!(
        seen.outcome,
        failed("the response is not JSON: recursion limit exceeded at line 1 column 128")
    );
}

fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

#[tokio::test]
async fn redirects_that_never_end() {
    let asked = Arc::new(AtomicUsize::new(0));
    let server = Server::new({
        let asked = asked.clone();
        move |mut stream| {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            async move {
                read_request(&mut stream).await;
                let answer = redirect(302, &format!("/{number}"));
                stream.write_all(answer.as_bytes()).await.expect("sent");
            }
        }
    })
    .await;
    let seen = check(&server, json!({})).await;
    assert_eq!(seen.outcome, failed("too many redirects (more than 5)"));
    assert_eq!(asked.load(Ordering::Relaxed), 6);
    let seen = check(&server, json!({"max_redirects": 0})).await;
    assert_eq!(seen.outcome, failed("expected status 200-299, got 302 Found"));
    let seen = check(&server, json!({"expect_status": [302]})).await;
    assert_eq!(seen.outcome, ok("302 Found"));
}

#[tokio::test]
async fn redirects_elsewhere() {
    let (sent, mut requests) = mpsc::unbounded_channel();
    let goal = Server::new(move |mut stream| {
        let sent = sent.clone();
        async move {
            sent.send(read_request(&mut stream).await).expect("the test listens");
            stream.write_all(response("200 OK", "").as_bytes()).await.expect("sent");
        }
    })
    .await;
    let location = format!("http://chosen:by-server@127.0.0.1:{}/goal?token=1#x", goal.port);
    for (status, method, body) in
        [(301, "GET", "12345"), (303, "GET", "12345"), (307, "POST", ""), (308, "POST", "")]
    {
        let server = Server::answering(redirect(status, &location)).await;
        let keys = json!({
            "url": format!("http://user:secret@127.0.0.1:{}/", server.port),
            "method": "POST",
            "headers": {"X-Api-Key": "secret"},
        });
        let keys = with_body(keys, body);
        let seen = http(&keys).check(PATIENT, &Context::default()).await;
        assert_eq!(seen.outcome, ok("200 OK"));
        assert_eq!(seen.metadata["redirects"], "1");
        let shown = format!("http://127.0.0.1:{}/goal?…", goal.port);
        assert_eq!(seen.metadata["redirected_to"], shown);
        let request = requests.recv().await.expect("a request");
        assert_eq!(request[0], format!("{method} /goal?token=1 HTTP/1.1"));
        assert!(!request.contains(&"content-length: 5".to_owned()), "{request:?}");
        let secret =
            |line: &String| line.starts_with("x-api-key") || line.starts_with("authorization");
        assert!(!request.iter().any(secret), "{request:?}");
    }
}

fn with_body(mut keys: Value, body: &str) -> Value {
    if !body.is_empty() {
        keys["body"] = body.into();
    }
    keys
}

#[tokio::test]
async fn a_body_does_not_follow_to_another_origin() {
    for status in [307, 308] {
        let server = Server::answering(redirect(status, "https://elsewhere.test/x?y=1")).await;
        let keys = json!({"method": "POST", "body": "secret"});
        let message = "redirected to https://elsewhere.test/x?…, which the request's body is not \
                       for: check `url`";
        assert_eq!(check(&server, keys).await.outcome, failed(message));
    }
}

#[tokio::test]
async fn redirects_to_nowhere() {
    for (location, message) in [
        ("ftp://example.com/x?y", "redirected to ftp://example.com/x?…, which is not HTTP"),
        ("http://", "redirected to something that is not a URL: empty host"),
        ("http://[", "redirected to something that is not a URL: invalid IPv6 address"),
    ] {
        let server = Server::answering(redirect(302, location)).await;
        assert_eq!(check(&server, json!({})).await.outcome, failed(message));
    }
    let server = Server::answering("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n").await;
    let seen = check(&server, json!({})).await;
    assert_eq!(seen.outcome, failed("expected status 200-299, got 302 Found"));
    for location in
        ["\u{7f}", "//", "http://a:b:c", "https:////\\", "http://%00/", &"x".repeat(100_000)]
    {
        let server = Server::answering(redirect(302, location)).await;
        let message = check(&server, json!({})).await.outcome.failure(location);
        assert!(
            message.chars().count() < 500 && !message.contains(char::is_control),
            "{message:?}"
        );
    }
}

#[tokio::test]
async fn connections_are_new_unless_reuse_is_asked_for() {
    let accepted = Arc::new(AtomicUsize::new(0));
    let server = Server::new({
        let accepted = accepted.clone();
        move |mut stream| {
            accepted.fetch_add(1, Ordering::Relaxed);
            async move {
                while !read_request(&mut stream).await.is_empty() {
                    if stream.write_all(response("200 OK", "x").as_bytes()).await.is_err() {
                        break;
                    }
                }
            }
        }
    })
    .await;
    for (keys, connections) in [(json!({}), 3), (json!({"reuse_connection": true}), 1)] {
        accepted.store(0, Ordering::Relaxed);
        let probe = http(&with_url(&server.url(), keys));
        for _ in 0..3 {
            assert_eq!(probe.check(PATIENT, &Context::default()).await.outcome, ok("200 OK"));
        }
        assert_eq!(accepted.load(Ordering::Relaxed), connections);
    }
}

/// Signs certificates, and is trusted by whoever is given its `root`.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    root: NamedTempFile,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let root = NamedTempFile::new().expect("a file");
        std::fs::write(&root, issuer.pem()).expect("written");
        Self { issuer, root }
    }

    async fn serve(&self, params: CertificateParams) -> Server {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        serve_tls(certificate.der().clone(), &key).await
    }
}

async fn serve_tls(certificate: CertificateDer<'static>, key: &KeyPair) -> Server {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Server::new(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                read_request(&mut stream).await;
                answer(&mut stream).await;
            }
        }
    })
    .await
}

async fn answer(stream: &mut (impl AsyncWrite + Unpin)) {
    stream.write_all(response("200 OK", "secure").as_bytes()).await.expect("sent");
    stream.shutdown().await.expect("closed");
}

fn certificate_for(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).expect("a name")
}

async fn check_tls(server: &Server, trusted: &Authority, mut keys: Value) -> Observation {
    let url = format!("https://localhost:{}/", server.port);
    keys["ca_file"] = trusted.root.path().to_str().expect("a path").into();
    http(&with_url(&url, keys)).check(PATIENT, &Context::default()).await
}

#[tokio::test]
async fn a_good_certificate() {
    let authority = Authority::new("Authority");
    let server = authority.serve(certificate_for("localhost")).await;
    let seen = check_tls(&server, &authority, json!({"expect_text": "secure"})).await;
    assert_eq!(seen.outcome, ok("200 OK"));
    let days: i64 = seen.metadata["certificate_days_left"].parse().expect("a number");
    assert!(days > 365_000, "{days}");
}

#[tokio::test]
async fn bad_certificates() {
    let authority = Authority::new("Authority");
    let stranger = Authority::new("Stranger");
    let mut expired = certificate_for("localhost");
    expired.not_before = date_time_ymd(2000, 1, 1);
    expired.not_after = date_time_ymd(2001, 1, 1);
    let mut early = certificate_for("localhost");
    early.not_before = date_time_ymd(4000, 1, 1);
    let other = certificate_for("other.example.com");
    for (server, start) in [
        (authority.serve(expired).await, "certificate expired 9"),
        (authority.serve(early).await, "certificate becomes valid in 7"),
        (authority.serve(other).await, "certificate is for other.example.com, not localhost"),
        (
            stranger.serve(certificate_for("localhost")).await,
            "certificate is from an unknown issuer",
        ),
    ] {
        let seen = check_tls(&server, &authority, json!({})).await;
        let message = seen.outcome.failure(start);
        assert!(message.starts_with(start), "{message}");
        assert_eq!(seen.response_time, None);
        assert!(seen.metadata.contains_key("certificate_days_left"));
        let seen = check_tls(&server, &authority, json!({"verify_tls": false})).await;
        assert_eq!(seen.outcome, ok("200 OK"));
    }
}

#[tokio::test]
async fn certificates_that_vouch_for_themselves() {
    let mut authority = certificate_for("localhost");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    for params in [certificate_for("localhost"), authority] {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let server = serve_tls(certificate.der().clone(), &key).await;
        let seen = check_tls(&server, &Authority::new("Authority"), json!({})).await;
        let message = format!(
            "certificate is self-signed: to trust it, name it in `ca_file` (127.0.0.1:{})",
            server.port
        );
        assert_eq!(seen.outcome, failed(message));
    }
}

#[tokio::test]
async fn servers_that_do_not_speak_tls() {
    let server = Server::answering("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let seen = check_tls(&server, &Authority::new("Authority"), json!({})).await;
    let message = seen.outcome.failure("no TLS");
    assert!(message.contains("did not answer in TLS"), "{message}");

    let closing = Server::new(|mut stream| async move {
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await.expect("a hello");
    })
    .await;
    let seen = check_tls(&closing, &Authority::new("Authority"), json!({})).await;
    let message = seen.outcome.failure("no TLS");
    assert!(message.contains(", in the TLS handshake"), "{message}");
}

#[test]
fn the_target_has_no_secrets() {
    let probe = http(&json!({"url": "https://user:secret@API.example.com/health?token=secret#x"}));
    assert_eq!(probe.target(), "https://api.example.com/health?…");
    assert_eq!(probe.host(), "api.example.com");
    let probe = http(&json!({"url": "http://[::1]:8080"}));
    assert_eq!(probe.target(), "http://[::1]:8080/");
    assert_eq!(probe.host(), "::1");
}

#[test]
fn head_has_no_body_to_expect_anything_of() {
    let values = json!({"url": "http://a/", "method": "HEAD", "expect_regex": "x"});
    let mistakes = HttpProbe::new(values.as_object().expect("a table")).expect_err("a mistake");
    assert_eq!(mistakes[0].message, "a HEAD request gets no body");
    assert_eq!(mistakes[0].path, [Step::Key("expect_regex".to_owned())]);
}
