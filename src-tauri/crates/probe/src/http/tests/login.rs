use super::*;

/// A request: its first line, its headers, and its body.
#[derive(Debug)]
struct Asked {
    lines: Vec<String>,
    body: String,
}

impl Asked {
    fn authorization(&self) -> Option<&str> {
        self.lines.iter().find_map(|line| line.strip_prefix("authorization: "))
    }
}

/// Answers the requests in their order, the last answer again and again.
async fn answering(answers: Vec<String>) -> (Server, mpsc::UnboundedReceiver<Asked>) {
    let (sent, requests) = mpsc::unbounded_channel();
    let number = Arc::new(AtomicUsize::new(0));
    let answers = Arc::new(answers);
    let server = Server::new(move |mut stream| {
        let (sent, answers) = (sent.clone(), answers.clone());
        let number = number.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
        async move {
            sent.send(read_all(&mut stream).await).expect("the test listens");
            stream.write_all(answers[number].as_bytes()).await.expect("sent");
        }
    })
    .await;
    (server, requests)
}

async fn read_all(stream: &mut TcpStream) -> Asked {
    let mut stream = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.expect("a line");
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        lines.push(line.to_owned());
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.expect("a body");
    Asked { lines, body: String::from_utf8(body).expect("text") }
}

fn token(name: &str, more: &str) -> String {
    let body = format!(r#"{{"access_token": "{name}", "token_type": "Bearer"{more}}}"#);
    response("200 OK", &body)
}

fn oauth(service: &Server, issuer: &Server) -> Value {
    json!({
        "url": service.url(),
        "oauth_token_url": format!("{}token", issuer.url()),
        "oauth_client_id": "monitor:1",
        "oauth_client_secret": "s3cret/+",
        "oauth_scope": "read health",
    })
}

async fn once(probe: &HttpProbe) -> Observation {
    probe.check(PATIENT, &Context::default()).await
}

#[tokio::test]
async fn user_and_password_or_a_token() {
    let (server, mut requests) = answering(vec![response("200 OK", "")]).await;
    for (keys, expected) in [
        (json!({"user": "user", "password": "secret"}), "Basic dXNlcjpzZWNyZXQ="),
        (json!({"user": "user"}), "Basic dXNlcjo="),
        (json!({"bearer_token": "abc"}), "Bearer abc"),
    ] {
        assert_eq!(check(&server, keys).await.outcome, ok("200 OK"));
        let asked = requests.recv().await.expect("a request");
        assert_eq!(asked.authorization(), Some(expected));
    }
}

#[tokio::test]
async fn a_login_stays_at_its_origin() {
    let (goal, mut requests) = answering(vec![response("200 OK", "")]).await;
    let server = Server::answering(redirect(302, &goal.url())).await;
    for keys in [json!({"user": "user", "password": "secret"}), json!({"bearer_token": "abc"})] {
        assert_eq!(check(&server, keys).await.outcome, ok("200 OK"));
        let asked = requests.recv().await.expect("a request");
        assert_eq!(asked.authorization(), None);
    }
}

#[tokio::test]
async fn what_the_server_repeats_of_a_login_is_taken_out() {
    let body = "you sent Basic dXNlcjpzZWNyZXQ= and Bearer t0k3n-of-mine";
    let server = Server::answering(response("403 Forbidden", body)).await;
    let seen = check(&server, json!({"user": "user", "password": "secret"})).await;
    assert_eq!(seen.evidence.body.as_deref(), Some("you sent Basic *** and Bearer t0k3n-of-mine"));
    let seen = check(&server, json!({"bearer_token": "t0k3n-of-mine"})).await;
    assert_eq!(
        seen.evidence.body.as_deref(),
        Some("you sent Basic dXNlcjpzZWNyZXQ= and Bearer ***")
    );
}

#[tokio::test]
async fn a_token_is_fetched_and_kept() {
    let (service, mut asked) = answering(vec![response("200 OK", "")]).await;
    let (issuer, mut fetched) = answering(vec![token("first", r#", "expires_in": 100"#)]).await;
    let probe = http(&oauth(&service, &issuer));
    for _ in 0..2 {
        assert_eq!(once(&probe).await.outcome, ok("200 OK"));
        let asked = asked.recv().await.expect("a request");
        assert_eq!(asked.authorization(), Some("Bearer first"));
    }
    let request = fetched.recv().await.expect("a request");
    assert_eq!(request.lines[0], "POST /token HTTP/1.1");
    assert_eq!(request.body, "grant_type=client_credentials&scope=read+health");
    // `monitor%3A1:s3cret%2F%2B`
    assert_eq!(request.authorization(), Some("Basic bW9uaXRvciUzQTE6czNjcmV0JTJGJTJC"));
    let form = "content-type: application/x-www-form-urlencoded".to_owned();
    assert!(request.lines.contains(&form), "{request:?}");
    assert!(fetched.try_recv().is_err(), "one token did for both");
}

#[tokio::test]
async fn a_token_is_fetched_anew_before_it_expires() {
    for (more, after, tokens) in [
        (r#", "expires_in": 100"#, 69, 1),
        (r#", "expires_in": 100"#, 71, 2),
        (r#", "expires_in": "20""#, 9, 1),
        (r#", "expires_in": "20""#, 11, 2),
        (r#", "expires_in": 0"#, 0, 2),
        (r#", "expires_in": 18446744073709551615"#, 1000, 1),
        ("", 1_000_000, 1),
    ] {
        let (service, _asked) = answering(vec![response("200 OK", "")]).await;
        let (issuer, mut fetched) = answering(vec![token("t", more)]).await;
        let probe = http(&oauth(&service, &issuer));
        assert_eq!(once(&probe).await.outcome, ok("200 OK"));
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(after)).await;
        tokio::time::resume();
        assert_eq!(once(&probe).await.outcome, ok("200 OK"));
        let mut count = 0;
        while fetched.try_recv().is_ok() {
            count += 1;
        }
        assert_eq!(count, tokens, "{more}, {after} s later");
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_fetched_anew() {
    let fine = response("200 OK", "");
    let refused = response("401 Unauthorized", "");
    let (service, mut asked) = answering(vec![fine.clone(), refused, fine]).await;
    let (issuer, _fetched) = answering(vec![token("first", ""), token("second", "")]).await;
    let probe = http(&oauth(&service, &issuer));
    assert_eq!(once(&probe).await.outcome, ok("200 OK"));
    let seen = once(&probe).await;
    assert_eq!(seen.outcome, ok("200 OK"));
    let took = seen.response_time.expect("it answered").as_secs_f64() * 1000.0;
    assert!((took - seen.phases.total()).abs() < 1.0, "{took} ms, but {:?}", seen.phases);
    for expected in ["Bearer first", "Bearer first", "Bearer second"] {
        let asked = asked.recv().await.expect("a request");
        assert_eq!(asked.authorization(), Some(expected));
    }
}

#[tokio::test]
async fn a_new_token_that_is_refused_is_not_tried_again_at_once() {
    let (service, mut asked) = answering(vec![response("401 Unauthorized", "")]).await;
    let (issuer, mut fetched) = answering(vec![token("t", "")]).await;
    let probe = http(&oauth(&service, &issuer));
    for _ in 0..2 {
        let message = "expected status 200-299, got 401 Unauthorized: check the login";
        assert_eq!(once(&probe).await.outcome, failed(message));
        assert!(asked.try_recv().is_ok() && asked.try_recv().is_err(), "one request a check");
        assert!(fetched.try_recv().is_ok() && fetched.try_recv().is_err(), "one token a check");
    }
}

#[tokio::test]
async fn token_endpoints_that_fail() {
    let (service, mut asked) = answering(vec![response("200 OK", "")]).await;
    for (answer, reason) in [
        (
            response("401 Unauthorized", r#"{"error": "invalid_client"}"#),
            "answered 401 Unauthorized, invalid_client: check `oauth_client_id` and \
             `oauth_client_secret`",
        ),
        (
            response("400 Bad Request", r#"{"error": "invalid_scope"}"#),
            "answered 400 Bad Request, invalid_scope: check `oauth_scope`",
        ),
        (
            response("400 Bad Request", r#"{"error": "You sent s3cret/+!"}"#),
            "answered 400 Bad Request",
        ),
        (response("503 X", "<html>"), "answered 503 Service Unavailable"),
        (redirect(302, "/login"), "answered 302 Found"),
        (response("200 OK", "<html>"), "answered 200 OK without a token"),
        (response("200 OK", r#"{"access_token": ""}"#), "answered 200 OK without a token"),
        (response("200 OK", r#"{"access_token": "a\nb"}"#), "answered 200 OK without a token"),
        (
            response("200 OK", r#"{"access_token": "a", "token_type": "mac"}"#),
            "gives tokens of the type `mac`, not bearer",
        ),
        (response("200 OK", &" ".repeat(70_000)), "sent more than 64 KiB"),
    ] {
        let issuer = Server::answering(answer).await;
        let seen = once(&http(&oauth(&service, &issuer))).await;
        let endpoint = format!("127.0.0.1:{}", issuer.port);
        let message = seen.outcome.message().replace(&endpoint, "ISSUER");
        let reason = format!("the token endpoint ISSUER {reason}");
        assert!(message == format!("no token: {reason}"), "{message}");
        assert_eq!(seen.response_time, None);
        let seen = format!("{seen:?}");
        assert!(!seen.contains("s3cret") && !seen.contains("czNjcmV0"), "{seen}");
    }
    assert!(asked.try_recv().is_err(), "the service was not asked");
}

#[tokio::test]
async fn token_endpoints_that_do_not_answer() {
    let (service, _asked) = answering(vec![response("200 OK", "")]).await;
    let closing = Server::new(|mut stream| async move {
        read_request(&mut stream).await;
    })
    .await;
    let seen = once(&http(&oauth(&service, &closing))).await;
    let message =
        format!("no token: connection closed by 127.0.0.1:{}, fetching a token", closing.port);
    assert_eq!(seen.outcome, failed(message));

    let mute = Server::new(|mut stream| async move {
        read_request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let seen = http(&oauth(&service, &mute)).check(SHORT, &Context::default()).await;
    let message = format!("timed out after 300 ms, fetching a token (127.0.0.1:{})", mute.port);
    assert_eq!(seen.outcome, failed(message));
}

#[tokio::test]
async fn a_hanging_service_is_not_called_the_token_endpoint() {
    let service = Server::new(|mut stream| async move {
        read_request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let (issuer, _fetched) = answering(vec![token("t", "")]).await;
    let seen =
        http(&oauth(&service, &issuer)).check(Duration::from_secs(1), &Context::default()).await;
    let message =
        format!("timed out after 1 s, waiting for the response (127.0.0.1:{})", service.port);
    assert_eq!(seen.outcome, failed(message));
}

#[tokio::test]
async fn what_the_server_repeats_of_a_token_is_taken_out() {
    let body = r#"{"you": "f3tch3d-token"}"#;
    let (service, _asked) = answering(vec![response("500 X", body)]).await;
    let (issuer, _fetched) = answering(vec![token("f3tch3d-token", "")]).await;
    let seen = once(&http(&oauth(&service, &issuer))).await;
    assert_eq!(seen.evidence.body.as_deref(), Some(r#"{"you": "***"}"#));
}

#[test]
fn mistakes() {
    for (keys, key, message) in [
        (
            json!({"user": "a", "bearer_token": "b"}),
            "bearer_token",
            "more than one way to log in: `user` and `bearer_token`",
        ),
        (
            json!({"user": "a", "headers": {"authorization": "b"}}),
            "user",
            "more than one way to log in: `headers` and `user`",
        ),
        (
            json!({"url": "http://me:pw@a/", "bearer_token": "b"}),
            "bearer_token",
            "more than one way to log in: `url` and `bearer_token`",
        ),
        (
            json!({"bearer_token": "b", "oauth_token_url": "http://a/"}),
            "oauth_token_url",
            "more than one way to log in: `bearer_token` and `oauth_token_url`",
        ),
        (json!({"password": "b"}), "user", "`user` is missing"),
        (json!({"user": "a:b"}), "user", "a user name cannot hold `:`"),
        (
            json!({"bearer_token": "a\u{7}"}),
            "bearer_token",
            "`bearer_token` has characters that a header cannot hold",
        ),
        (json!({"oauth_scope": "x"}), "oauth_token_url", "`oauth_token_url` is missing"),
        (
            json!({"oauth_token_url": "http://a/"}),
            "oauth_client_id",
            "`oauth_client_id` is missing",
        ),
        (
            json!({"oauth_token_url": "http://a/", "oauth_client_id": "x"}),
            "oauth_client_secret",
            "`oauth_client_secret` is missing",
        ),
        (json!({"oauth_token_url": "http://me:pw@a/"}), "oauth_token_url", "the URL holds a login"),
    ] {
        let mut values = json!({"url": "http://a/"});
        values.as_object_mut().expect("a table").extend(keys.as_object().expect("keys").clone());
        let found = HttpProbe::new(values.as_object().expect("a table")).expect_err("a mistake");
        assert_eq!(found[0].message, message);
        assert_eq!(found[0].path, [Step::Key(key.to_owned())], "{message}");
    }
}
