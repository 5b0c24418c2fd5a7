//! `check = "websocket"` against Python's `websockets`.

use health::Outcome;
use serde_json::json;

use crate::servers::nginx::Nginx;
use crate::servers::websockets::WebSockets;
use crate::trial::{PATIENT, Trial, Wrong, fails, observe, seen};

#[tokio::test]
async fn websocket() {
    let mut sockets = WebSockets::start();
    let trial = Trial {
        kind: "websocket",
        port: sockets.server.port(),
        keys: &|port| {
            json!({
                "url": format!("ws://127.0.0.1:{port}/private/feed"),
                "user": WebSockets::USER,
                "password": WebSockets::PASSWORD,
                "subprotocol": "chat",
                "send": "hello",
                "expect": "ell",
            })
        },
        healthy: "got \"hello\"",
        wrong_credentials: &[
            Wrong {
                situation: "wrong password",
                keys: json!({"password": "wrong"}),
                message: "upgrade refused with 401 Unauthorized (127.0.0.1:PORT): check the login",
            },
            Wrong {
                situation: "no login",
                keys: json!({"user": null, "password": null}),
                message: "upgrade refused with 401 Unauthorized (127.0.0.1:PORT): check the login",
            },
        ],
        wrong_expectation: &[
            Wrong {
                situation: "the server closes the WebSocket first",
                keys: json!({"send": "bye", "expect": "more"}),
                message: "the server closed the WebSocket (127.0.0.1:PORT) with code 4000, \"you \
                          said bye\", waiting for the expected message, after others",
            },
            Wrong {
                situation: "subprotocol the server does not speak",
                keys: json!({"subprotocol": "mail"}),
                message: "the server does not agree to the subprotocol `mail` (127.0.0.1:PORT): \
                          check `subprotocol`",
            },
        ],
        hanging: "timed out after 300 ms, opening the WebSocket (127.0.0.1:PORT)",
        stopped: "connection refused (127.0.0.1:PORT)",
    };
    trial.run(&mut sockets.server).await;
}

#[tokio::test]
async fn websocket_in_tls() {
    let sockets = WebSockets::start();
    let url = format!("wss://127.0.0.1:{}/", sockets.tls_port);
    let keys = json!({"url": url, "ca_file": sockets.authority.ca_file(), "send": "a"});
    let observation = observe("websocket", &keys, PATIENT).await;
    assert_eq!(seen(&observation), Outcome::Healthy("got \"a\"".to_owned()));
    assert!(observation.phases.tls.is_some());
    let message = "certificate is from an unknown issuer: to trust it, name its CA in `ca_file` \
                   (127.0.0.1:PORT)";
    fails("websocket", "unknown CA", &json!({"url": url}), PATIENT, message).await;
}

#[tokio::test]
async fn websocket_at_a_web_server() {
    let nginx = Nginx::start("location /gone { return 404; }");
    let url = |path: &str| json!({"url": format!("ws://127.0.0.1:{}{path}", nginx.server.port())});
    for (path, situation, message) in [
        (
            "/",
            "a page, and no WebSocket",
            "upgrade refused with 200 OK (127.0.0.1:PORT): it speaks HTTP there, but no WebSocket",
        ),
        (
            "/gone",
            "no such path",
            "upgrade refused with 404 Not Found (127.0.0.1:PORT): check the path of `url`",
        ),
    ] {
        fails("websocket", situation, &url(path), PATIENT, message).await;
    }
}
