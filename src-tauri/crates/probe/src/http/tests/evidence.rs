use super::*;

#[tokio::test]
async fn an_error_page_and_its_headers_are_kept() {
    let page = format!("<h1>down</h1>\r\n{}", "x".repeat(5000));
    let server = Server::answering(format!(
        "HTTP/1.1 503 X\r\nContent-Length: {}\r\nRetry-After: 120\r\nSet-Cookie: id=hidden\r\n\
         X-Api-Token: hidden\r\nX-Odd: a\tb\r\n\r\n{page}",
        page.len()
    ))
    .await;
    let seen = check(&server, json!({})).await;
    let body = seen.evidence.body.as_deref().expect("a body");
    assert!(body.starts_with("<h1>down</h1>\nxxx"), "{body}");
    // Two KiB, less a carriage return, and a mark that there was more.
    assert_eq!(body.chars().count(), 2048);
    assert!(body.ends_with('…'));
    let headers: Vec<_> =
        seen.evidence.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        headers,
        [
            ("content-length", "5015"),
            ("retry-after", "120"),
            ("set-cookie", "…"),
            ("x-api-token", "…"),
            ("x-odd", "a\\tb"),
        ]
    );
    assert_eq!(seen.evidence.addresses, ["127.0.0.1"]);
    assert!(!format!("{seen:?}").contains("hidden"));
}

#[tokio::test]
async fn a_page_that_stalls_is_kept_as_far_as_it_came() {
    let server = Server::new(|mut stream| async move {
        read_request(&mut stream).await;
        let half = b"HTTP/1.1 500 X\r\nContent-Length: 9\r\n\r\nhalf";
        stream.write_all(half).await.expect("sent");
        std::future::pending::<()>().await;
    })
    .await;
    let seen = check(&server, json!({})).await;
    assert_eq!(seen.outcome, failed("expected status 200-299, got 500 Internal Server Error"));
    assert_eq!(seen.evidence.body.as_deref(), Some("half"));
}

#[tokio::test]
async fn success_leaves_none() {
    let server = Server::answering(response("200 OK", "fine")).await;
    let seen = check(&server, json!({"expect_text": "fine"})).await;
    assert!(seen.evidence.is_empty(), "{:?}", seen.evidence);
}

#[tokio::test]
async fn a_certificate_that_is_refused_is_kept() {
    let stranger = Authority::new("Stranger");
    let server = stranger.serve(certificate_for("localhost")).await;
    let seen = check_tls(&server, &Authority::new("Authority"), json!({"ip_version": "4"})).await;
    assert!(matches!(seen.outcome, Outcome::Unhealthy(_)), "{:?}", seen.outcome);
    let chain = &seen.evidence.certificates;
    assert_eq!(chain.len(), 1, "{chain:?}");
    assert!(chain[0].issuer.contains("Stranger"), "{chain:?}");
    assert!(chain[0].not_after > chain[0].not_before);
    assert_eq!(seen.evidence.addresses, ["127.0.0.1"]);
    assert_eq!(seen.evidence.body, None);
}
