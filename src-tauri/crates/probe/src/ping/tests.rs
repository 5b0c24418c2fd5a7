use std::net::Ipv4Addr;

use health::Outcome;
use serde_json::{Value, json};

use super::*;

fn made(keys: &Value) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    probe(keys.as_object().expect("a table"))
}

#[test]
fn a_short_pause_is_a_mistake() {
    let mistakes = made(&json!({"host": "db", "interval": "99ms"})).err().expect("a mistake");
    assert_eq!(mistakes[0].message, "the pause is too short");
    assert_eq!(mistakes[0].path, [Step::Key("interval".to_owned())]);
    assert!(made(&json!({"host": "db", "interval": "100ms"})).is_ok());
    assert!(made(&json!({"host": "db", "count": 21})).is_err());
}

#[test]
fn a_host_has_no_port() {
    let probe = made(&json!({"host": "::1"})).expect("valid");
    assert_eq!((probe.target().as_str(), probe.host()), ("::1", "::1"));
}

#[tokio::test]
async fn pings_that_do_not_fit_are_not_sent() {
    let probe = made(&json!({"host": "db.invalid", "count": 4})).expect("valid");
    let seen = probe.check(Duration::from_millis(600), &Context::default()).await;
    let message = "4 pings, one every 200 ms, take longer than the time-out of 600 ms: lower \
                   `count` or `interval`, or raise `timeout`";
    assert_eq!(seen.outcome, Outcome::Unhealthy(message.to_owned()));
}

#[test]
fn tokens_differ() {
    let (one, other) = (token(), token());
    assert_ne!(one[..8], other[..8]);
    assert_ne!(one[8..], other[8..]);
}

/// The other end reads nothing, as if it were not there.
async fn exchange() -> (Exchange, UdpSocket) {
    let other = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    socket.connect(other.local_addr().expect("bound")).await.expect("connected");
    let exchange = Exchange {
        socket,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        token: token(),
        trips: Trips::default(),
        error: None,
        errors: 0,
    };
    (exchange, other)
}

#[tokio::test]
async fn what_the_socket_says_is_kept() {
    let (mut exchange, other) = exchange().await;
    drop(other);
    let deadline = Instant::now() + Duration::from_millis(50);
    exchange.run(2, Duration::from_millis(1), deadline).await;
    assert_eq!(exchange.trips.answers(), 0);
    let error = exchange.error.expect("refused");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn replies_are_waited_for_until_the_deadline() {
    let (mut exchange, _other) = exchange().await;
    let deadline = Instant::now() + Duration::from_millis(20);
    exchange.run(3, Duration::from_millis(1), deadline).await;
    assert_eq!((exchange.trips.count(), exchange.trips.answers()), (3, 0));
    assert!(Instant::now() >= deadline);
}
