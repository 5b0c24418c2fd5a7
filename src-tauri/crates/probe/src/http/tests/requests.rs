use super::*;

/// Keeps what is asked, and answers `200 OK`.
async fn listening() -> (Server, mpsc::UnboundedReceiver<(Vec<String>, String)>) {
    let (sent, requests) = mpsc::unbounded_channel();
    let server = Server::new(move |stream| {
        let sent = sent.clone();
        async move {
            let mut stream = BufReader::new(stream);
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await.expect("a line");
                if line.trim_end().is_empty() {
                    break;
                }
                lines.push(line.trim_end().to_owned());
            }
            let length = lines.iter().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
            stream.read_exact(&mut body).await.expect("a body");
            let body = String::from_utf8(body).expect("text");
            sent.send((lines, body)).expect("the test listens");
            let answer = response("200 OK", "");
            stream.write_all(answer.as_bytes()).await.expect("sent");
        }
    })
    .await;
    (server, requests)
}

#[tokio::test]
async fn placeholders_differ_from_check_to_check() {
    let (server, mut requests) = listening().await;
    let url = format!("{}p?bust={{{{random}}}}&at={{{{timestamp}}}}", server.url());
    let keys = json!({
        "method": "POST",
        "headers": {"X-Id": "<{{uuid}}>", "X-Plain": "ü"},
        "body": "{{uuid}} {{random}} {{timestamp}} {{",
    });
    let probe = http(&with_url(&url, keys));
    assert!(probe.target().ends_with("/p?…"), "{}", probe.target());
    let mut seen = Vec::new();
    for _ in 0..2 {
        assert_eq!(probe.check(PATIENT, &Context::default()).await.outcome, ok("200 OK"));
        let (lines, body) = requests.recv().await.expect("a request");
        let fields: Vec<_> = body.split(' ').map(str::to_owned).collect();
        let [uuid, random, timestamp, rest] = fields.as_slice() else {
            panic!("{body}");
        };
        assert_eq!(lines[0], format!("POST /p?bust={random}&at={timestamp} HTTP/1.1"));
        assert!(lines.contains(&format!("x-id: <{uuid}>")), "{lines:?}");
        assert!(lines.contains(&"x-plain: ü".to_owned()), "{lines:?}");
        assert!(timestamp.parse::<u64>().expect("a number") > 1_700_000_000);
        assert_eq!(rest, "{{");
        seen.push((uuid.clone(), random.clone()));
    }
    assert!(seen[0].0 != seen[1].0 && seen[0].1 != seen[1].1, "{seen:?}");
}

#[test]
fn placeholders_that_are_mistakes() {
    for (keys, path, message) in [
        (json!({"url": "http://a/?x={{uid}}"}), vec!["url"], "`{{uid}}` is not a placeholder"),
        (
            json!({"url": "http://a/{{uuid}}?x=1"}),
            vec!["url"],
            "placeholders stand in the query of the URL only",
        ),
        (
            json!({"url": "http://a/", "headers": {"X-A": "{{}}"}}),
            vec!["headers", "x-a"],
            "`{{}}` is not a placeholder",
        ),
        (
            json!({"url": "http://a/", "body": "{{ uuid }}"}),
            vec!["body"],
            "`{{uuid}}` is not a placeholder",
        ),
    ] {
        let found = HttpProbe::new(keys.as_object().expect("a table")).expect_err("a mistake");
        assert_eq!(found[0].message, message);
        let path: Vec<_> = path.into_iter().map(|key| Step::Key(key.to_owned())).collect();
        assert_eq!(found[0].path, path);
    }
    let body = json!({"url": "http://a/", "body": r#"{"a":{"b":{}}} {{open"#});
    assert!(HttpProbe::new(body.as_object().expect("a table")).is_ok());
}

#[tokio::test]
async fn only_a_body_takes_time_to_send() {
    let (server, mut requests) = listening().await;
    let body = "x".repeat(3 << 20);
    for (keys, sends) in [
        (json!({}), false),
        (json!({"method": "POST", "body": ""}), false),
        (json!({"method": "POST", "body": "small"}), true),
        (json!({"method": "PUT", "body": body}), true),
    ] {
        let length = keys["body"].as_str().map(str::len);
        let seen = check(&server, keys).await;
        assert_eq!(seen.outcome, ok("200 OK"));
        assert_eq!(seen.phases.send.is_some(), sends);
        let took = seen.response_time.expect("it answered").as_secs_f64() * 1000.0;
        assert!((took - seen.phases.total()).abs() < 1.0, "{took} ms, but {:?}", seen.phases);
        let (lines, body) = requests.recv().await.expect("a request");
        assert_eq!(body.len(), length.unwrap_or(0));
        let framed = |line: &String| line.starts_with("transfer-encoding");
        assert!(!lines.iter().any(framed), "{lines:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_take_the_body() {
    let server = Server::new(|mut stream| async move {
        let mut start = [0; 16];
        stream.read_exact(&mut start).await.expect("a request");
        std::future::pending::<()>().await;
    })
    .await;
    let keys = json!({"method": "POST", "body": "x".repeat(32 << 20)});
    let seen = http(&with_url(&server.url(), keys)).check(SHORT, &Context::default()).await;
    let message =
        format!("timed out after 300 ms, sending the request (127.0.0.1:{})", server.port);
    assert_eq!(seen.outcome, failed(message));
    assert!(seen.phases.send.is_some());
}

#[tokio::test]
async fn headers_of_the_response() {
    let server = Server::answering(
        "HTTP/1.1 200 OK\r\nX-Cache: MISS\r\nX-Cache: HIT\r\nCache-Control: no-store\r\n\
         Set-Cookie: id=hidden\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    for (name, value, expected) in [
        ("X-Cache", "HIT", ok("200 OK")),
        ("x-cache", "/^M/", ok("200 OK")),
        ("content-length", "0", ok("200 OK")),
        ("cache-control", "/^no-(store|cache)$/", ok("200 OK")),
        ("X-Cache", "hit", failed("expected header x-cache to be \"hit\", got \"MISS\"")),
        (
            "Cache-Control",
            "/public/",
            failed("expected header cache-control to be /public/, got \"no-store\""),
        ),
        ("X-None", "", failed("expected header x-none to be \"\", but it is missing")),
        ("set-cookie", "x", failed("expected header set-cookie to be \"x\", got \"…\"")),
    ] {
        let seen = check(&server, json!({"expect_header": {name: value}})).await;
        assert_eq!(seen.outcome, expected);
        assert!(seen.response_time.is_some());
    }
    for (name, value, message) in [
        ("a b", "x", "`a b` is not a header name"),
        ("a", "/(/", "not a regular expression: unclosed group"),
    ] {
        let values = json!({"url": "http://a/", "expect_header": {name: value}});
        let found = HttpProbe::new(values.as_object().expect("a table")).expect_err("a mistake");
        assert_eq!(found[0].message, message);
        let path = ["expect_header", name].map(|key| Step::Key(key.to_owned()));
        assert_eq!(found[0].path, path);
    }
}

#[tokio::test]
async fn text_that_must_not_be_there() {
    let server = Server::answering(response("200 OK", "an Error\n")).await;
    let seen = check(&server, json!({"expect_no_text": "Error"})).await;
    assert_eq!(seen.outcome, failed("unexpected text \"Error\" found"));
    assert_eq!(seen.evidence.body.as_deref(), Some("an Error\n"));
    assert_eq!(check(&server, json!({"expect_no_text": "error"})).await.outcome, ok("200 OK"));
    let values = json!({"url": "http://a/", "method": "HEAD", "expect_no_text": "x"});
    let found = HttpProbe::new(values.as_object().expect("a table")).expect_err("a mistake");
    assert_eq!(found[0].path, [Step::Key("expect_no_text".to_owned())]);
}

#[tokio::test]
async fn a_server_without_http2() {
    let server = Server::answering(response("400 Bad Request", "")).await;
    let message =
        format!("127.0.0.1:{} did not answer in HTTP/2: check `http_version`", server.port);
    assert_eq!(check(&server, json!({"http_version": "2"})).await.outcome, failed(message));
    let seen = check(&server, json!({"http_version": "1.1", "expect_status": [400]})).await;
    assert_eq!(seen.outcome, ok("400 Bad Request"));

    let authority = Authority::new("Authority");
    let server = authority.serve(certificate_for("localhost")).await;
    let keys = json!({"http_version": "2", "ip_version": "4"});
    let seen = check_tls(&server, &authority, keys).await;
    let message =
        format!("127.0.0.1:{} did not answer in HTTP/2: check `http_version`", server.port);
    assert_eq!(seen.outcome, failed(message));
}

#[tokio::test]
async fn addresses_of_one_family() {
    let server = Server::answering(response("503 X", "")).await;
    let url = format!("http://localhost:{}/", server.port);
    let seen = http(&with_url(&url, json!({"ip_version": "4"})));
    let seen = seen.check(PATIENT, &Context::default()).await;
    assert_eq!(seen.evidence.addresses, ["127.0.0.1"]);
    assert_eq!(seen.address, Some(Ipv4Addr::LOCALHOST.into()));
    let values = json!({"url": "http://127.0.0.1/", "ip_version": "6"});
    let found = HttpProbe::new(values.as_object().expect("a table")).expect_err("a mistake");
    assert_eq!(found[0].message, "127.0.0.1 has no IPv6 address");
    assert_eq!(found[0].path, [Step::Key("ip_version".to_owned())]);
}

#[tokio::test]
async fn a_server_with_http2_that_refuses() {
    // Settings, an agreement to ours, and GOAWAY with the code ENHANCE_YOUR_CALM.
    let server = Server::answering(
        b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0\
          \0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0b"
            .to_vec(),
    )
    .await;
    let seen = check(&server, json!({"http_version": "2"})).await;
    let message = seen.outcome.failure("refused");
    assert!(!message.contains("did not answer in HTTP/2"), "{message}");
    assert!(message.contains(&format!("127.0.0.1:{}", server.port)), "{message}");
}
