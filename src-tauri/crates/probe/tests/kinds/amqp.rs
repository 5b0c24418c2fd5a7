//! `check = "amqp"` against `RabbitMQ`.

use std::time::Duration;

use health::Outcome;
use serde_json::{Value, json};

use crate::servers::rabbitmq::RabbitMq;
use crate::trial::{Trial, Wrong, changed, fails, observe, seen};

const PATIENT: Duration = Duration::from_secs(60);

fn keys(port: u16) -> Value {
    let (user, password) = (RabbitMq::USER, RabbitMq::PASSWORD);
    json!({"host": "127.0.0.1", "port": port, "user": user, "password": password})
}

#[tokio::test]
async fn amqp() {
    let mut rabbitmq = RabbitMq::start();
    let port = rabbitmq.server.port();
    let product = format!("RabbitMQ {}", RabbitMq::version());
    rabbitmq.fill("jobs", 3);
    rabbitmq.add_vhost("other");

    let well = observe("amqp", &keys(port), PATIENT).await;
    assert_eq!(well.metadata["server_product"], "RabbitMQ");
    assert_eq!(well.metadata["server_version"], RabbitMq::version());
    let [measured] = &well.measurements[..] else { panic!("{:?}", well.measurements) };
    assert_eq!((measured.name.as_str(), measured.unit.as_str()), ("round trip", "ms"));
    let well = observe("amqp", &changed(keys(port), &json!({"roundtrip": false})), PATIENT).await;
    assert_eq!(seen(&well), Outcome::Healthy(format!("logged in, {product}")));

    let encrypted = changed(keys(rabbitmq.tls_port), &json!({"tls": true}));
    let trusted = json!({"ca_file": rabbitmq.authority.ca_file()});
    let well = observe("amqp", &changed(encrypted.clone(), &trusted), PATIENT).await;
    assert_eq!(seen(&well), Outcome::Healthy(format!("own message came back, {product}")));
    assert!(well.phases.tls.is_some());
    let message = "certificate is from an unknown issuer: to trust it, name its CA in `ca_file` \
                   (127.0.0.1:PORT)";
    fails("amqp", "unknown CA", &encrypted, PATIENT, message).await;
    let message = "127.0.0.1:PORT answered in TLS: set `tls = true`";
    fails("amqp", "server wants TLS", &keys(rabbitmq.tls_port), PATIENT, message).await;

    let trial = Trial {
        kind: "amqp",
        port,
        keys: &|port| changed(keys(port), &json!({"queue": "jobs", "max_messages": 3})),
        healthy: &format!("own message came back, 3 messages and 0 consumers in `jobs`, {product}"),
        wrong_credentials: &[
            Wrong {
                situation: "wrong password",
                keys: json!({"password": "wrong"}),
                message: "login refused (127.0.0.1:PORT): check `user` and `password`",
            },
            Wrong {
                situation: "no such virtual host",
                keys: json!({"vhost": "nope"}),
                message: "virtual host `nope` does not exist (127.0.0.1:PORT): check `vhost`",
            },
            Wrong {
                situation: "virtual host not permitted",
                keys: json!({"vhost": "other"}),
                message: "virtual host `other` refused (127.0.0.1:PORT): check `vhost`, and \
                          whether `app` may use it",
            },
        ],
        wrong_expectation: &[
            Wrong {
                situation: "no such queue",
                keys: json!({"queue": "nope"}),
                message: "queue `nope` does not exist (127.0.0.1:PORT): check `queue` and `vhost`",
            },
            Wrong {
                situation: "too many messages",
                keys: json!({"max_messages": 2}),
                message: "queue `jobs` has 3 messages, more than 2 (127.0.0.1:PORT)",
            },
            Wrong {
                situation: "too few consumers",
                keys: json!({"min_consumers": 1}),
                message: "queue `jobs` has 0 consumers, fewer than 1 (127.0.0.1:PORT)",
            },
        ],
        hanging: "timed out after 300 ms, waiting for its greeting (127.0.0.1:PORT)",
        stopped: "connection refused (127.0.0.1:PORT)",
    };
    trial.run(&mut rabbitmq.server).await;
}

#[tokio::test]
async fn amqp_under_an_alarm() {
    let rabbitmq = RabbitMq::low_on_disk();
    let message = "the broker takes no messages, low on disk (127.0.0.1:PORT): make room, or raise \
                   its limit";
    fails("amqp", "resource alarm", &keys(rabbitmq.server.port()), PATIENT, message).await;
}
