//! Servers that say what a script tells them, and what is said to them.

use std::fmt::Write;
use std::future::Future;
use std::time::Duration;

use health::{Observation, Outcome};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::loopback::Server;
use crate::{Context, FieldError, Probe, Values};

/// Never reached by what answers.
pub(crate) const PATIENT: Duration = Duration::from_secs(30);

/// A server that tells what it hears.
pub(crate) struct Scripted {
    pub(crate) port: u16,
    _server: Server,
    heard: mpsc::UnboundedReceiver<String>,
}

impl Scripted {
    /// Says `greeting`, then in answer to each line what belongs to the first
    /// beginning that fits; hangs up where none does.
    pub(crate) async fn lines(
        greeting: impl AsRef<[u8]>,
        answers: &'static [(&'static str, &'static str)],
    ) -> Self {
        let greeting = greeting.as_ref().to_owned();
        Self::serving(move |stream, tell| {
            let greeting = greeting.clone();
            async move {
                let (reader, mut writer) = stream.into_split();
                let mut lines = BufReader::new(reader).lines();
                let mut answer = Some(greeting.as_slice());
                while let Some(bytes) = answer {
                    if writer.write_all(bytes).await.is_err() {
                        break;
                    }
                    let Ok(Some(line)) = lines.next_line().await else { break };
                    let fits = answers.iter().find(|(start, _)| line.starts_with(start));
                    answer = fits.map(|(_, answer)| answer.as_bytes());
                    let _ = tell.send(line);
                }
            }
        })
        .await
    }

    /// Does as `serve` does.
    pub(crate) async fn serving<F>(
        serve: impl Fn(TcpStream, mpsc::UnboundedSender<String>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (tell, heard) = mpsc::unbounded_channel();
        let server = Server::new(move |stream| serve(stream, tell.clone())).await;
        Self { port: server.port, _server: server, heard }
    }

    /// What was said to it so far, by a check that has ended.
    pub(crate) fn heard(&mut self) -> String {
        let mut heard = String::new();
        while let Ok(line) = self.heard.try_recv() {
            writeln!(heard, "{line}").expect("written");
        }
        heard
    }

    /// Checks it once.
    pub(crate) async fn check(&self, make: Make, keys: Value) -> Observation {
        let mut keys = keys;
        keys["host"] = "127.0.0.1".into();
        keys["port"] = self.port.into();
        let probe = make(keys.as_object().expect("a table")).unwrap_or_else(|m| panic!("{m:?}"));
        probe.check(PATIENT, &Context::default()).await
    }

    /// Asserts that a check of it fails so: `HERE` is its address.
    pub(crate) async fn fails(&self, make: Make, keys: Value, message: &str) {
        let seen = self.check(make, keys).await;
        let here = format!("127.0.0.1:{}", self.port);
        let expected = Outcome::Unhealthy(message.replace("HERE", &here));
        assert_eq!(seen.outcome, expected);
        assert!(seen.evidence.body.is_none_or(|body| body.len() < 16 * 1024));
    }
}

/// Makes the probe of a kind.
pub(crate) type Make = fn(&Values) -> Result<Box<dyn Probe>, Vec<FieldError>>;

/// The mistakes in `keys`, each with its key.
pub(crate) fn mistakes(make: Make, keys: Value) -> Vec<String> {
    let found = make(keys.as_object().expect("a table")).err().expect("mistakes");
    let text = |mistake: FieldError| format!("{:?}: {}", mistake.path, mistake.message);
    found.into_iter().map(text).map(|text| text.replace("Key(\"", "").replace("\")", "")).collect()
}
