//! `check = "grpc"` against Python's `grpcio`.

use health::Outcome;
use serde_json::json;

use crate::servers::grpcio::Grpcio;
use crate::servers::nginx::Nginx;
use crate::trial::{PATIENT, Trial, Wrong, fails, observe, seen};

#[tokio::test]
async fn grpc() {
    let mut grpcio = Grpcio::start();
    let trial = Trial {
        kind: "grpc",
        port: grpcio.server.port(),
        keys: &|port| json!({"host": "127.0.0.1", "port": port, "service": "shop.v1.Orders"}),
        healthy: "service `shop.v1.Orders` is serving",
        wrong_credentials: &[],
        wrong_expectation: &[
            Wrong {
                situation: "service is not serving",
                keys: json!({"service": "shop.v1.Returns"}),
                message: "service `shop.v1.Returns` is not serving (127.0.0.1:PORT)",
            },
            Wrong {
                situation: "no such service",
                keys: json!({"service": "shop.v1.Gone"}),
                message: "the server knows no service `shop.v1.Gone` (127.0.0.1:PORT): check \
                          `service`",
            },
        ],
        hanging: "timed out after 300 ms, asking for its health (127.0.0.1:PORT)",
        stopped: "connection refused (127.0.0.1:PORT)",
    };
    trial.run(&mut grpcio.server).await;
}

#[tokio::test]
async fn grpc_in_tls() {
    let grpcio = Grpcio::start();
    let keys = json!({
        "host": "127.0.0.1", "port": grpcio.tls_port, "tls": true,
        "ca_file": grpcio.authority.ca_file(),
    });
    let observation = observe("grpc", &keys, PATIENT).await;
    assert_eq!(seen(&observation), Outcome::Healthy("the server is serving".to_owned()));
    assert!(observation.phases.tls.is_some());
    let keys = json!({"host": "127.0.0.1", "port": grpcio.tls_port, "tls": true});
    let message = "certificate is from an unknown issuer: to trust it, name its CA in `ca_file` \
                   (127.0.0.1:PORT)";
    fails("grpc", "unknown CA", &keys, PATIENT, message).await;
    let keys = json!({"host": "127.0.0.1", "port": grpcio.server.port(), "tls": true});
    let message = "127.0.0.1:PORT did not answer in TLS: does it speak TLS on this port?";
    fails("grpc", "TLS where there is none", &keys, PATIENT, message).await;
}

#[tokio::test]
async fn grpc_at_a_web_server() {
    let nginx = Nginx::start("");
    let keys = json!({
        "host": "127.0.0.1", "port": nginx.https_port, "tls": true,
        "ca_file": nginx.authority.ca_file(),
    });
    let message = "the server answered in HTTP, not in gRPC (127.0.0.1:PORT): 200 OK, text/plain";
    fails("grpc", "a web server", &keys, PATIENT, message).await;
}
