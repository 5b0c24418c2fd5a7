//! `check = "tcp"`: something accepts a connection.

use std::sync::Arc;
use std::time::Duration;

use health::Thresholds;

use crate::failure::Failure;
use crate::field::{Field, FieldError, Form, Values};
use crate::net;
use crate::server::Server;
use crate::trace::Trace;
use crate::{Checking, Context, Probe};

pub(crate) const LABEL: &str = "TCP port";
pub(crate) const HELP: &str =
    "Connects to a port: databases, caches, brokers, anything that listens.";
pub(crate) const EXAMPLE: &str = r#"host = "db.internal"
port = 5432"#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::OTHER;

pub(crate) const FIELDS: &[Field] = &[
    net::HOST,
    Field::required("port", "Port", "The port it listens on.", net::PORT),
    net::FAMILY,
];

#[derive(Debug)]
struct TcpProbe {
    server: Server,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    Ok(Box::new(TcpProbe { server: Server::in_the_clear(&form, 0)? }))
}

impl TcpProbe {
    async fn connect(&self, trace: &Arc<Trace>) -> Result<String, Failure> {
        let stream = self.server.connect(trace).await?;
        let peer = stream.peer_addr().map_err(|error| Failure::io(&error, trace))?;
        Ok(format!("connected to {peer}"))
    }
}

impl Probe for TcpProbe {
    fn check<'a>(&'a self, timeout: Duration, _: &'a Context) -> Checking<'a> {
        Box::pin(
            self.server.observe(timeout, move |trace| async move { self.connect(&trace).await }),
        )
    }

    fn target(&self) -> String {
        self.server.endpoint()
    }

    fn host(&self) -> &str {
        &self.server.host
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use health::Outcome;
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn tcp(host: &str, port: u16) -> Box<dyn Probe> {
        let values = json!({"host": host, "port": port});
        probe(values.as_object().expect("a table")).expect("valid")
    }

    async fn listener() -> (TcpListener, u16) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        (listener, port)
    }

    #[tokio::test]
    async fn connects() {
        let (_listener, port) = listener().await;
        let seen = tcp("127.0.0.1", port).check(TIMEOUT, &Context::default()).await;
        assert_eq!(seen.outcome, Outcome::Healthy(format!("connected to 127.0.0.1:{port}")));
        assert_eq!(seen.address, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(seen.response_time.is_some());
    }

    #[tokio::test]
    async fn finds_the_family_that_listens() {
        let (_listener, port) = listener().await;
        let seen = tcp("localhost", port).check(TIMEOUT, &Context::default()).await;
        assert_eq!(seen.outcome, Outcome::Healthy(format!("connected to 127.0.0.1:{port}")));
    }

    #[tokio::test]
    async fn says_that_the_connection_was_refused() {
        let (listener, port) = listener().await;
        drop(listener);
        let seen = tcp("127.0.0.1", port).check(TIMEOUT, &Context::default()).await;
        assert_eq!(
            seen.outcome,
            Outcome::Unhealthy(format!("connection refused (127.0.0.1:{port})"))
        );
        assert_eq!(seen.response_time, None);
        assert_eq!(seen.address, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }

    #[test]
    fn names_its_target() {
        assert_eq!(tcp("::1", 80).target(), "[::1]:80");
        assert_eq!(tcp("::1", 80).host(), "::1");
        assert_eq!(tcp("DB.internal", 80).target(), "db.internal:80");
    }

    #[test]
    fn every_mistake_is_found_at_once() {
        let values = json!({"host": "http://db", "port": 0});
        let mistakes = probe(values.as_object().expect("a table")).err().expect("mistakes");
        let messages: Vec<_> = mistakes.iter().map(|m| m.message.as_str()).collect();
        assert_eq!(messages, ["`http://db` is a URL", "port 0 is out of range"]);
    }
}
