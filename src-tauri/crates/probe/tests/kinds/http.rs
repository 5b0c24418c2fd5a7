//! `check = "http"` against nginx.

use serde_json::json;

use crate::servers::nginx::Nginx;
use crate::trial::{Trial, Wrong, observe, seen};

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
            message: "expected status 200-299, got 401 Unauthorized",
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
    let observation = observe("http", &keys, std::time::Duration::from_secs(60)).await;
    assert_eq!(seen(&observation), health::Outcome::Healthy("200 OK".to_owned()));
    assert!(observation.phases.tls.is_some());
}
