//! `check = "udp"` against BIND.

use serde_json::json;

use crate::servers::bind::Bind;
use crate::trial::{Trial, Wrong};

/// The addresses of www.example.test, asked for in DNS (RFC 1035, section 4).
const QUESTION: &str = r"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x04test\x00\x00\x01\x00\x01";

#[tokio::test]
async fn udp() {
    let mut bind = Bind::start();
    let trial = Trial {
        kind: "udp",
        port: bind.server.port(),
        keys: &|port| {
            json!({
                "host": "127.0.0.1",
                "port": port,
                "send": QUESTION,
                "expect": r"\xc0\x00\x02\x0a",
                "expect_regex": "^\u{12}4",
            })
        },
        healthy: "got 50 bytes: 12 34 85 00 00 01 00 01 … from 127.0.0.1:PORT",
        wrong_credentials: &[],
        wrong_expectation: &[
            Wrong {
                situation: "text not in the reply",
                keys: json!({"expect": r"\x7f\x00\x00\x01"}),
                message: "expected 4 bytes: 7f 00 00 01, got 50 bytes: 12 34 85 00 00 01 00 01 … \
                          (127.0.0.1:PORT)",
            },
            Wrong {
                situation: "pattern not in the reply",
                keys: json!({"expect_regex": "^nothing"}),
                message: "expected /^nothing/, got 50 bytes: 12 34 85 00 00 01 00 01 … \
                          (127.0.0.1:PORT)",
            },
        ],
        hanging: "timed out after 300 ms, no reply (127.0.0.1:PORT)",
        stopped: "connection refused (127.0.0.1:PORT)",
    };
    trial.run(&mut bind.server).await;
}
