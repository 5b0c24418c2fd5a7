//! `check = "http"` against nginx.

use health::Outcome;
use serde_json::json;

use crate::authority::Authority;
use crate::servers::free_ports;
use crate::servers::nginx::Nginx;
use crate::servers::proxy::Proxy;
use crate::trial::{PATIENT, SHORT, Trial, Wrong, fails, observe, seen};

#[tokio::test]
async fn http() {
    let mut nginx = Nginx::start("");
    let login = "Basic cmVhZGVyOm5naW54LXNlY3JldA==";
    let trial = Trial {
        kind: "http",
        port: nginx.server.port(),
        keys: &|port| {
            json!({
                "url": format!("http://127.0.0.1:{port}/private/"),
                "headers": {"Authorization": login},
                "expect_text": "secret",
            })
        },
        healthy: "200 OK",
        wrong_credentials: &[Wrong {
            situation: "wrong password",
            keys: json!({"headers": {"Authorization": "Basic d3Jvbmc6d3Jvbmc="}}),
            message: "expected status 200-299, got 401 Unauthorized: check the login",
        }],
        wrong_expectation: &[Wrong {
            situation: "text not in the response",
            keys: json!({"expect_text": "else"}),
            message: "expected text \"else\" not found",
        }],
        hanging: "timed out after 300 ms, waiting for the response (127.0.0.1:PORT)",
        stopped: "connection refused (127.0.0.1:PORT)",
    };
    trial.run(&mut nginx.server).await;
}

#[tokio::test]
async fn https_with_a_client_certificate() {
    let nginx = Nginx::start("");
    let client = nginx.authority.client();
    let keys = json!({
        "url": format!("https://localhost:{}/", nginx.mutual_port),
        "ca_file": nginx.authority.ca_file(),
        "cert_file": client.cert_file,
        "key_file": client.key_file,
    });
    let observation = observe("http", &keys, PATIENT).await;
    assert_eq!(seen(&observation), Outcome::Healthy("200 OK".to_owned()));
    assert!(observation.phases.tls.is_some());
}

#[tokio::test]
async fn http_logs_in() {
    let nginx = Nginx::start("");
    let url = format!("http://127.0.0.1:{}/private/", nginx.server.port());
    let keys = json!({"url": url, "user": Nginx::USER, "password": Nginx::PASSWORD});
    let observation = observe("http", &keys, PATIENT).await;
    assert_eq!(seen(&observation), Outcome::Healthy("200 OK".to_owned()));
}

#[tokio::test]
async fn http_fetches_a_token() {
    let nginx = Nginx::start(
        "location /token { if ($http_authorization != \"Basic YXBwOnNlY3JldA==\") \
           { return 401 '{\"error\": \"invalid_client\"}'; }\n\
           return 200 '{\"access_token\": \"t0ken\", \"token_type\": \"bearer\"}'; }\n\
         location /api { if ($http_authorization != \"Bearer t0ken\") { return 401; }\n\
           return 200 fine; }",
    );
    let origin = format!("http://127.0.0.1:{}", nginx.server.port());
    let keys = |secret: &str| {
        json!({
            "url": format!("{origin}/api"), "oauth_token_url": format!("{origin}/token"),
            "oauth_client_id": "app", "oauth_client_secret": secret,
        })
    };
    let observation = observe("http", &keys("secret"), PATIENT).await;
    assert_eq!(seen(&observation), Outcome::Healthy("200 OK".to_owned()));
    let message = "no token: the token endpoint 127.0.0.1:PORT answered 401 Unauthorized, \
                   invalid_client: check `oauth_client_id` and `oauth_client_secret`";
    fails("http", "wrong OAuth2 client secret", &keys("wrong"), PATIENT, message).await;
}

#[tokio::test]
async fn https_without_a_client_certificate() {
    let nginx = Nginx::start("");
    let keys = json!({
        "url": format!("https://localhost:{}/", nginx.mutual_port),
        "ca_file": nginx.authority.ca_file(),
    });
    let message = "expected status 200-299, got 400 Bad Request";
    fails("http", "no client certificate", &keys, PATIENT, message).await;
    let body = observe("http", &keys, PATIENT).await.evidence.body.expect("a page");
    assert!(body.contains("No required SSL certificate was sent"), "{body}");
}

#[tokio::test]
async fn https_with_bad_certificates() {
    let authority = Authority::new();
    let ca_file = authority.ca_file();
    for (identity, situation, message) in [
        (
            authority.self_signed(),
            "self-signed certificate",
            "certificate is self-signed: to trust it, name it in `ca_file` (127.0.0.1:PORT)",
        ),
        (
            authority.server(&["elsewhere.test"]),
            "certificate of another host",
            "certificate is for elsewhere.test, not 127.0.0.1 (127.0.0.1:PORT)",
        ),
        (
            authority.expired(),
            "expired certificate",
            "certificate expired 23 hours ago (127.0.0.1:PORT)",
        ),
    ] {
        let nginx = Nginx::certified("", Authority::new(), &identity);
        let url = format!("https://127.0.0.1:{}/", nginx.https_port);
        let keys = json!({"url": url, "ca_file": ca_file});
        fails("http", situation, &keys, PATIENT, message).await;
    }
    let nginx = Nginx::certified("", Authority::new(), &authority.expiring_in(3));
    let url = format!("https://127.0.0.1:{}/", nginx.https_port);
    let observation = observe("http", &json!({"url": url, "ca_file": ca_file}), PATIENT).await;
    let message = "200 OK, but its certificate expires in 3 days";
    assert_eq!(seen(&observation), Outcome::Degraded(message.to_owned()));
    let keys = json!({"url": url, "ca_file": ca_file, "cert_warn_days": 3});
    let observation = observe("http", &keys, PATIENT).await;
    assert_eq!(seen(&observation), Outcome::Healthy("200 OK".to_owned()));
}

#[tokio::test]
async fn http_versions() {
    let [prior] = free_ports::<1>();
    let nginx = Nginx::start(&format!("listen 127.0.0.1:{prior} http2;"));
    let plain = format!("http://127.0.0.1:{}/", nginx.server.port());
    let tls = format!("https://127.0.0.1:{}/", nginx.https_port);
    let old = format!("https://127.0.0.1:{}/", nginx.mutual_port);
    let prior = format!("http://127.0.0.1:{prior}/");
    let keys = |url: &str, version: &str| json!({"url": url, "http_version": version, "ca_file": nginx.authority.ca_file()});
    for (url, version, spoken) in [
        (&tls, "any", "HTTP/2.0"),
        (&tls, "2", "HTTP/2.0"),
        (&tls, "1.1", "HTTP/1.1"),
        (&plain, "any", "HTTP/1.1"),
        (&prior, "2", "HTTP/2.0"),
    ] {
        let observation = observe("http", &keys(url, version), PATIENT).await;
        assert_eq!(seen(&observation), Outcome::Healthy("200 OK".to_owned()), "{url} {version}");
        assert_eq!(observation.metadata["http_version"], spoken, "{url} {version}");
    }
    let message = "127.0.0.1:PORT did not answer in HTTP/2: check `http_version`";
    fails("http", "no HTTP/2", &keys(&plain, "2"), PATIENT, message).await;
    fails("http", "no HTTP/2 in TLS", &keys(&old, "2"), PATIENT, message).await;
}

#[tokio::test]
async fn http_through_a_proxy() {
    let nginx = Nginx::start("");
    let mut proxy = Proxy::start();
    let plain = format!("http://127.0.0.1:{}/", nginx.server.port());
    let tls = format!("https://127.0.0.1:{}/", nginx.https_port);
    let ca_file = nginx.authority.ca_file();
    let through = |url: &str, login: &str, proxy: &Proxy| {
        let proxy = format!("http://{login}127.0.0.1:{}", proxy.server.port());
        json!({"url": url, "proxy": proxy, "ca_file": ca_file, "expect_text": "fine"})
    };
    for url in [&plain, &tls] {
        let observation = observe("http", &through(url, "", &proxy), PATIENT).await;
        assert_eq!(seen(&observation), Outcome::Healthy("200 OK".to_owned()), "{url}");
        let took = observation.response_time.expect("it answered").as_secs_f64() * 1000.0;
        assert!((took - observation.phases.total()).abs() < 1.0, "{:?}", observation.phases);
    }
    let guarded = Proxy::guarded();
    let login = format!("{}:{}@", Proxy::USER, Proxy::PASSWORD);
    for url in [&plain, &tls] {
        let observation = observe("http", &through(url, &login, &guarded), PATIENT).await;
        assert_eq!(seen(&observation), Outcome::Healthy("200 OK".to_owned()), "{url}");
        let message = "the proxy 127.0.0.1:PORT refused the login: write user and password into \
                       `proxy`";
        fails("http", "proxy wants a login", &through(url, "", &guarded), PATIENT, message).await;
    }
    proxy.server.hang();
    let message = "timed out after 300 ms, connecting to the proxy 127.0.0.1:PORT";
    fails("http", "proxy hangs", &through(&tls, "", &proxy), SHORT, message).await;
    proxy.server.stop();
    let message = "connection refused (the proxy 127.0.0.1:PORT)";
    fails("http", "proxy stopped", &through(&plain, "", &proxy), PATIENT, message).await;
}
