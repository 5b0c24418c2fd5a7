//! `check = "nats"`: a server takes a message and hands it out again.
//!
//! The text protocol is in docs.nats.io, "Client Protocol".

mod message;

use std::sync::Arc;
use std::time::Duration;

use health::Thresholds;
use serde_json::{Value, json};

use crate::broker::{self, MOST_OTHERS, Nonsense, RoundTrip, unique};
use crate::dialogue::Dialogue;
use crate::failure::Failure;
use crate::field::{
    Field, FieldError, FieldType, Form, Section, Values, boolean, line, mistake_at,
};
use crate::server::Server;
use crate::text::clean;
use crate::trace::Trace;
use crate::{Checking, Context, Probe, net, tls};
use message::{Message, message};

pub(crate) const LABEL: &str = "NATS";
pub(crate) const HELP: &str = "Logs in to a NATS server and sends itself a message.";
pub(crate) const EXAMPLE: &str = r#"host = "nats.internal"
user = "monitor"
password = "keyring:nats-password""#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::OTHER;

pub(crate) const FIELDS: &[Field] = &[
    net::HOST,
    net::port("4222"),
    broker::USER,
    broker::PASSWORD,
    Field::optional("token", "Token", "What to log in with instead of a user.", FieldType::Secret)
        .within(Section::Login),
    broker::ROUNDTRIP,
    tls::ENCRYPT,
    tls::VERIFY,
    tls::CA_FILE,
    tls::CERT_FILE,
    tls::KEY_FILE,
    tls::WARN_DAYS,
    net::FAMILY,
];

const USUAL_PORT: u16 = 4222;

#[derive(Debug)]
struct NatsProbe {
    server: Server,
    login: Login,
    roundtrip: bool,
}

#[derive(Debug)]
enum Login {
    None,
    Password { user: String, password: String },
    Token(String),
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    let text = |key| form.optional(key, line).map(|text| text.map(str::to_owned));
    let login = match (text("user")?, text("password")?, text("token")?) {
        (None, None, None) => Login::None,
        (None, None, Some(token)) => Login::Token(token),
        (Some(user), password, None) => {
            Login::Password { user, password: password.unwrap_or_default() }
        }
        (None, Some(_), None) => {
            return Err(mistake_at("user", "`user` is missing", "a password needs a user"));
        }
        (_, _, Some(_)) => {
            let help = "log in with either `user` and `password` or `token`";
            return Err(mistake_at("token", "there is a user beside the token", help));
        }
    };
    Ok(Box::new(NatsProbe {
        server: Server::read(&form, USUAL_PORT)?,
        login,
        roundtrip: form.or("roundtrip", true, boolean)?,
    }))
}

impl NatsProbe {
    async fn run(&self, trace: &Arc<Trace>) -> Result<String, Failure> {
        let (mut server, info) = self.greet(trace).await?;
        trace.step("logging in");
        self.log_in(&mut server, trace).await?;
        let version = clean(info.text("version").unwrap_or("of an unknown version"));
        if !self.roundtrip {
            server.leave(b"").await;
            return Ok(format!("logged in, NATS {version}"));
        }
        trace.step("waiting for its own message");
        self.round_trip(&mut server, trace).await?;
        server.leave(b"").await;
        Ok(format!("own message came back, NATS {version}"))
    }

    /// Connects and hears who is there; only then comes TLS.
    async fn greet(&self, trace: &Arc<Trace>) -> Result<(Dialogue, Info), Failure> {
        let mut plain = Dialogue::plain(&self.server, trace).await?.speaking("NATS");
        trace.step("waiting for its greeting");
        let Message::Info(info) = self.next(&mut plain, trace).await? else {
            return Err(plain.failure(Nonsense::Foreign));
        };
        let info = Info(info);
        info.note(trace);
        let server = match &self.server.tls {
            None if info.is("tls_required") => {
                return Err(refused("the server wants TLS", trace, "set `tls = true`"));
            }
            None => plain,
            Some(_) if !info.is("tls_required") && !info.is("tls_available") => {
                return Err(refused("the server offers no TLS", trace, "set it up there"));
            }
            Some(_) if !plain.is_quiet() => {
                let what = "the server sent more than its greeting before TLS";
                return Err(refused(what, trace, "somebody may be in between"));
            }
            Some(tls) => plain.encrypt(tls, &self.server.host).await?,
        };
        Ok((server, info))
    }

    async fn log_in(&self, server: &mut Dialogue, trace: &Trace) -> Result<(), Failure> {
        let mut options = json!({
            "verbose": false,
            "pedantic": false,
            "tls_required": self.server.tls.is_some(),
            "name": "Pilotlight",
            "lang": "rust",
            "version": env!("CARGO_PKG_VERSION"),
            "protocol": 1,
            "echo": true,
        });
        match &self.login {
            Login::None => {}
            Login::Password { user, password } => {
                options["user"] = json!(user);
                options["pass"] = json!(password);
            }
            Login::Token(token) => options["auth_token"] = json!(token),
        }
        server.send(format!("CONNECT {options}\r\nPING\r\n").as_bytes()).await?;
        for _ in 0..MOST_OTHERS {
            match self.next(server, trace).await? {
                Message::Pong => return Ok(()),
                Message::Delivered { .. } => return Err(server.failure(Nonsense::Foreign)),
                _ => {}
            }
        }
        Err(server.failure(Nonsense::Refused("login not confirmed".to_owned())))
    }

    async fn round_trip(&self, server: &mut Dialogue, trace: &Trace) -> Result<(), Failure> {
        let (inbox, own) = (format!("_INBOX.{}", unique()), unique());
        let length = own.len();
        let under_way = RoundTrip::begin();
        let both = format!("SUB {inbox} 1\r\nPUB {inbox} {length}\r\n{own}\r\n");
        server.send(both.as_bytes()).await?;
        for _ in 0..MOST_OTHERS {
            match self.next(server, trace).await? {
                Message::Delivered { subject, payload }
                    if subject == inbox && payload == own.as_bytes() =>
                {
                    under_way.end(trace);
                    return Ok(());
                }
                Message::Delivered { .. } => {
                    let other = "the server delivered another message than its own";
                    return Err(server.failure(Nonsense::Refused(other.to_owned())));
                }
                _ => {}
            }
        }
        Err(server.failure(Nonsense::Refused("own message not delivered".to_owned())))
    }

    /// The next message that is no refusal. Whether we are there is answered.
    async fn next(&self, server: &mut Dialogue, trace: &Trace) -> Result<Message, Failure> {
        let message = server.receive(message).await?;
        match &message {
            Message::Refused(reason) => {
                let reason = self.refusal(reason, &trace.endpoint());
                return Err(Failure::Unexpected(reason));
            }
            Message::Ping => server.send(b"PONG\r\n").await?,
            _ => {}
        }
        Ok(message)
    }

    fn refusal(&self, reason: &str, endpoint: &str) -> String {
        let lower = reason.to_ascii_lowercase();
        let says = |words: &str| lower.contains(words);
        if says("authorization violation") {
            match &self.login {
                Login::None => {
                    format!("login needed ({endpoint}): set `user` and `password`, or `token`")
                }
                Login::Password { .. } => {
                    format!("login refused ({endpoint}): check `user` and `password`")
                }
                Login::Token(_) => format!("login refused ({endpoint}): check `token`"),
            }
        } else if says("authentication expired") {
            format!("the login has expired ({endpoint}): renew it on the server")
        } else if says("permissions violation") {
            format!(
                "own message not permitted ({endpoint}): allow the user to publish and subscribe \
                 to `_INBOX.>`"
            )
        } else if says("maximum connections") || says("maximum account active connections") {
            format!("the server takes no more connections ({endpoint}): raise its limit")
        } else {
            format!("the server refuses: {} ({endpoint})", clean(reason))
        }
    }
}

fn refused(what: &str, trace: &Trace, remedy: &str) -> Failure {
    Failure::Unexpected(format!("{what} ({}): {remedy}", trace.endpoint()))
}

/// What a server says of itself.
struct Info(Value);

impl Info {
    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }

    fn is(&self, key: &str) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    fn note(&self, trace: &Trace) {
        for (key, name) in [("version", "server_version"), ("server_name", "server_name")] {
            if let Some(text) = self.text(key) {
                trace.note(name, text);
            }
        }
        trace.note("jetstream", if self.is("jetstream") { "yes" } else { "no" });
    }
}

impl Probe for NatsProbe {
    fn check<'a>(&'a self, timeout: Duration, _: &'a Context) -> Checking<'a> {
        Box::pin(self.server.observe(timeout, move |trace| async move { self.run(&trace).await }))
    }

    fn target(&self) -> String {
        self.server.endpoint()
    }

    fn host(&self) -> &str {
        &self.server.host
    }
}

#[cfg(test)]
mod tests;
