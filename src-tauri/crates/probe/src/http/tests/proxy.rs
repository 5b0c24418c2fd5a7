use super::*;

async fn through(proxy: &str, url: &str, mut keys: Value) -> Observation {
    keys["proxy"] = proxy.into();
    http(&with_url(url, keys)).check(PATIENT, &Context::default()).await
}

#[tokio::test]
async fn a_proxy_is_asked_instead() {
    let (sent, mut requests) = mpsc::unbounded_channel();
    let proxy = Server::new(move |mut stream| {
        let sent = sent.clone();
        async move {
            sent.send(read_request(&mut stream).await).expect("the test listens");
            stream.write_all(response("200 OK", "").as_bytes()).await.expect("sent");
        }
    })
    .await;
    let address = format!("http://me:pw@127.0.0.1:{}", proxy.port);
    let seen = through(&address, "http://service.invalid/path?q=1", json!({})).await;
    assert_eq!(seen.outcome, ok("200 OK"));
    let request = requests.recv().await.expect("a request");
    assert_eq!(request[0], "GET http://service.invalid/path?q=1 HTTP/1.1");
    assert!(request.contains(&"proxy-authorization: Basic bWU6cHc=".to_owned()), "{request:?}");

    // This machine too, where it is asked for.
    let seen = through(&address, "http://127.0.0.1:1/", json!({})).await;
    assert_eq!(seen.outcome, ok("200 OK"));
    assert_eq!(requests.recv().await.expect("a request")[0], "GET http://127.0.0.1:1/ HTTP/1.1");
}

#[tokio::test]
async fn proxies_that_fail_are_named() {
    let refusing = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        listener.local_addr().expect("bound").port()
    };
    let guarded = Server::answering(response("407 Proxy Authentication Required", "")).await;
    let blocking = Server::answering(response("403 Forbidden", "")).await;
    let closing = Server::new(|mut stream| async move {
        read_request(&mut stream).await;
    })
    .await;
    let (plain, tls) = ("http://service.invalid/", "https://service.invalid/");
    for (port, url, message) in [
        (refusing, plain, "connection refused (the proxy 127.0.0.1:PORT)"),
        (refusing, tls, "connection refused (the proxy 127.0.0.1:PORT)"),
        (
            guarded.port,
            plain,
            "the proxy 127.0.0.1:PORT refused the login: write user and password into `proxy`",
        ),
        (
            guarded.port,
            tls,
            "the proxy 127.0.0.1:PORT refused the login: write user and password into `proxy`",
        ),
        (
            blocking.port,
            plain,
            "expected status 200-299, got 403 Forbidden, through the proxy 127.0.0.1:PORT",
        ),
        (blocking.port, tls, "the proxy 127.0.0.1:PORT does not connect to service.invalid:443"),
        (
            closing.port,
            plain,
            "connection closed by the proxy 127.0.0.1:PORT, waiting for the response",
        ),
    ] {
        let address = format!("http://me:pw@127.0.0.1:{port}");
        let seen = through(&address, url, json!({})).await;
        let told = format!("{seen:?}");
        assert!(!told.contains("pw@") && !told.contains("bWU6cHc="), "{told}");
        let seen = seen.outcome.failure(message).replace(&port.to_string(), "PORT");
        assert_eq!(seen, message);
    }
    let host = format!("{}.invalid", "x".repeat(70));
    let seen = through(&format!("http://{host}:3128"), plain, json!({})).await;
    let message = seen.outcome.failure("no such host");
    assert!(message.contains(&host), "{message}");
}

#[tokio::test]
async fn a_proxy_that_hangs_is_named() {
    let mute = Server::new(|mut stream| async move {
        read_request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let address = format!("http://localhost:{}", mute.port);
    for (url, doing) in [
        ("http://service.invalid/", "waiting for the response (the proxy 127.0.0.1:PORT)"),
        ("https://service.invalid/", "connecting to the proxy 127.0.0.1:PORT"),
    ] {
        let keys = with_url(url, json!({"proxy": address, "ip_version": "4"}));
        let seen = http(&keys).check(Duration::from_secs(1), &Context::default()).await;
        let message = seen.outcome.failure(doing).replace(&mute.port.to_string(), "PORT");
        assert_eq!(message, format!("timed out after 1 s, {doing}"));
    }
}

#[tokio::test]
async fn a_proxy_that_is_spoken_to_in_tls() {
    let authority = Authority::new("Authority");
    let proxy = authority.serve(certificate_for("localhost")).await;
    let address = format!("https://localhost:{}", proxy.port);
    let ca_file = authority.root.path().to_str().expect("a path").to_owned();
    let keys = json!({"ca_file": ca_file, "expect_text": "secure"});
    let seen = through(&address, "http://service.invalid/", keys).await;
    assert_eq!(seen.outcome, ok("200 OK"));
    assert!(seen.phases.tls.is_some());
    let seen = through(&address, "http://service.invalid/", json!({})).await;
    let message = seen.outcome.failure("an unknown issuer");
    assert!(message.starts_with("certificate is from an unknown issuer"), "{message}");
    assert!(message.contains("(the proxy "), "{message}");
}

/// Passes on to wherever it is told (RFC 1928), if that is an IPv4 address.
async fn socks() -> Server {
    Server::new(|mut client| async move {
        let mut greeting = [0; 2];
        client.read_exact(&mut greeting).await.expect("a greeting");
        let mut methods = vec![0; usize::from(greeting[1])];
        client.read_exact(&mut methods).await.expect("methods");
        client.write_all(&[5, 0]).await.expect("sent");
        let mut target = [0; 10];
        client.read_exact(&mut target).await.expect("a target");
        let [5, 1, 0, 1, a, b, c, d, high, low] = target else {
            panic!("{target:?}");
        };
        let address = (Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low]));
        let Ok(mut server) = TcpStream::connect(address).await else {
            client.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]).await.expect("sent");
            return;
        };
        client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 1]).await.expect("sent");
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    })
    .await
}

#[tokio::test]
async fn a_socks_proxy() {
    let proxy = socks().await;
    let address = format!("socks5://127.0.0.1:{}", proxy.port);
    let server = Server::answering(response("200 OK", "fine")).await;
    let url = format!("http://localhost:{}/", server.port);
    let keys = json!({"expect_text": "fine", "ip_version": "4"});
    assert_eq!(through(&address, &url, keys).await.outcome, ok("200 OK"));

    let authority = Authority::new("Authority");
    let server = authority.serve(certificate_for("localhost")).await;
    let ca_file = authority.root.path().to_str().expect("a path").to_owned();
    let url = format!("https://localhost:{}/", server.port);
    let keys = json!({"ca_file": ca_file, "ip_version": "4"});
    assert_eq!(through(&address, &url, keys).await.outcome, ok("200 OK"));

    let seen = through(&address, "http://127.0.0.1:1/", json!({})).await;
    let message = seen.outcome.failure("refused").replace(&proxy.port.to_string(), "PORT");
    assert_eq!(
        message,
        "the proxy 127.0.0.1:PORT does not connect to 127.0.0.1:1: connection refused"
    );
}

#[tokio::test]
async fn a_certificate_behind_a_proxy_is_the_servers() {
    let proxy = socks().await;
    let authority = Authority::new("Authority");
    let server = authority.serve(certificate_for("other.example.com")).await;
    let ca_file = authority.root.path().to_str().expect("a path").to_owned();
    let address = format!("socks5h://127.0.0.1:{}", proxy.port);
    let url = format!("https://127.0.0.1:{}/", server.port);
    let seen = through(&address, &url, json!({"ca_file": ca_file})).await;
    let endpoint = format!("127.0.0.1:{}", server.port);
    let message = format!("certificate is for other.example.com, not 127.0.0.1 ({endpoint})");
    assert_eq!(seen.outcome, failed(message));
}

#[tokio::test]
async fn none_is_none() {
    let server = Server::answering(response("200 OK", "")).await;
    assert_eq!(check(&server, json!({"proxy": "none"})).await.outcome, ok("200 OK"));
}

#[test]
fn mistakes() {
    for (proxy, message) in [
        ("direct", "the URL has no scheme"),
        ("ftp://a", "the URL has the scheme `ftp`"),
        ("http://", "the URL has no host"),
    ] {
        let values = json!({"url": "http://a/", "proxy": proxy});
        let found = HttpProbe::new(values.as_object().expect("a table")).expect_err("a mistake");
        assert_eq!(found[0].message, message);
        assert_eq!(found[0].path, [Step::Key("proxy".to_owned())]);
    }
}
