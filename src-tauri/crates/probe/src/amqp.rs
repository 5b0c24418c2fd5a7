//! `check = "amqp"`: a broker takes a message and hands it out again.
//!
//! AMQP 0-9-1 (amqp.org, 13 November 2008) as `RabbitMQ` speaks it.

mod frame;
mod queue;
mod session;

use std::sync::Arc;
use std::time::Duration;

use health::Thresholds;

use crate::broker::{self, RoundTrip, unique};
use crate::failure::Failure;
use crate::field::{
    Field, FieldError, FieldType, Form, Section, Values, boolean, line, mistake_at, text, whole,
};
use crate::server::Server;
use crate::text::clean;
use crate::trace::Trace;
use crate::{Checking, Context, Probe, net, tls};
use frame::{Id, LONGEST, Method, content, entry};
use queue::{Queue, declare};
use session::{ACCESS_REFUSED, INVALID_PATH, NOT_ALLOWED, Refusal, Session};

pub(crate) const LABEL: &str = "RabbitMQ (AMQP)";
pub(crate) const HELP: &str =
    "Logs in to RabbitMQ or another AMQP 0-9-1 broker, sends itself a message, counts a queue.";
pub(crate) const EXAMPLE: &str = r#"host = "rabbitmq.internal"
user = "monitor"
password = "keyring:rabbitmq-password"
queue = "orders"
max_messages = 1000
min_consumers = 1"#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::OTHER;

pub(crate) const FIELDS: &[Field] = &[
    net::HOST,
    Field::optional("port", "Port", "The port it listens on; with TLS usually 5671.", net::PORT)
        .or("5672"),
    Field::optional(
        "vhost",
        "Virtual host",
        "The part of the broker that is logged in to.",
        FieldType::Text,
    )
    .or("/"),
    Field::optional("user", "User", "The name to log in with.", FieldType::Text)
        .or("guest")
        .within(Section::Login),
    Field::optional(
        "password",
        "Password",
        "The user's password; a new broker has guest with the password guest.",
        FieldType::Secret,
    )
    .or("guest")
    .within(Section::Login),
    broker::ROUNDTRIP,
    Field::optional(
        "queue",
        "Queue",
        "A queue that must be there, and whose messages and consumers are counted.",
        FieldType::Text,
    )
    .within(Section::Request),
    Field::optional(
        "max_messages",
        "Most messages",
        "How many messages may wait in the queue.",
        FieldType::Integer { min: 0, max: u32::MAX as i64 },
    )
    .of("messages")
    .within(Section::Expect),
    Field::optional(
        "min_consumers",
        "Fewest consumers",
        "How many consumers the queue must have.",
        FieldType::Integer { min: 0, max: u32::MAX as i64 },
    )
    .of("consumers")
    .within(Section::Expect),
    tls::ENCRYPT,
    tls::VERIFY,
    tls::CA_FILE,
    tls::CERT_FILE,
    tls::KEY_FILE,
    tls::WARN_DAYS,
    net::FAMILY,
];

const USUAL_PORT: u16 = 5672;
/// The length of a name is sent in one byte.
const LONGEST_NAME: usize = 255;
const PROTOCOL_HEADER: &[u8] = b"AMQP\0\0\x09\x01";
/// Of what concerns the connection itself.
const CONNECTION: u16 = 0;
const CHANNEL: u16 = 1;

const START: Id = (10, 10);
const START_OK: Id = (10, 11);
const TUNE: Id = (10, 30);
const TUNE_OK: Id = (10, 31);
const OPEN: Id = (10, 40);
const OPEN_OK: Id = (10, 41);
const CLOSE: Id = (10, 50);
const CLOSE_OK: Id = (10, 51);
const CHANNEL_OPEN: Id = (20, 10);
const CHANNEL_OPEN_OK: Id = (20, 11);
const CONSUME: Id = (60, 20);
const CONSUME_OK: Id = (60, 21);
const PUBLISH: Id = (60, 40);
const DELIVER: Id = (60, 60);

/// Bits of `basic.consume` and `basic.publish`.
const NO_ACK_AND_EXCLUSIVE: u8 = 2 | 4;
const MANDATORY: u8 = 1;
const SUCCESS: u16 = 200;

#[derive(Debug)]
struct AmqpProbe {
    server: Server,
    vhost: String,
    user: String,
    password: String,
    roundtrip: bool,
    queue: Option<Queue>,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    let name = |key| broker::no_longer_than(LONGEST_NAME, key, form.optional(key, line)?);
    let max_messages = form.optional("max_messages", whole)?;
    let min_consumers = form.optional("min_consumers", whole)?;
    let queue = match name("queue")? {
        Some(name) => Some(Queue { name, max_messages, min_consumers }),
        None if max_messages.or(min_consumers).is_some() => {
            return Err(mistake_at(
                "queue",
                "`queue` is missing",
                "name the queue that has the limit",
            ));
        }
        None => None,
    };
    Ok(Box::new(AmqpProbe {
        server: Server::read(&form, USUAL_PORT)?,
        vhost: name("vhost")?.unwrap_or_else(|| "/".to_owned()),
        user: form.or("user", "guest", text)?.to_owned(),
        password: form.or("password", "guest", text)?.to_owned(),
        roundtrip: form.or("roundtrip", true, boolean)?,
        queue,
    }))
}

impl AmqpProbe {
    async fn run(&self, trace: &Arc<Trace>) -> Result<String, Failure> {
        let mut session = Session::open(&self.server, trace).await?;
        trace.step("waiting for its greeting");
        let product = self.greet(&mut session, trace).await?;
        trace.step("logging in");
        self.log_in(&mut session, trace).await?;
        trace.step("opening the virtual host");
        self.open(&mut session, trace).await?;
        let mut seen = "logged in".to_owned();
        if self.roundtrip {
            let came = round_trip(&mut session, trace).await;
            came.map_err(|refusal| self.not_permitted(refusal, trace))?;
            "own message came back".clone_into(&mut seen);
        }
        if let Some(queue) = &self.queue {
            trace.step("counting the queue");
            let counted = queue.count(&mut session, trace, &self.user).await?;
            seen = format!("{seen}, {counted}");
        }
        trace.step("closing the connection");
        let close = Method::new(CLOSE).short(SUCCESS).short_text("").short(0).short(0);
        let closed = session.ask(&close.on(CONNECTION), CLOSE_OK).await;
        closed.map_err(|refusal| refusal.in_words(trace, |_, _| None))?;
        session.hang_up().await;
        Ok(format!("{seen}, {product}"))
    }

    /// Hears who is there: product and version.
    async fn greet(&self, session: &mut Session, trace: &Trace) -> Result<String, Failure> {
        let start = session.ask(PROTOCOL_HEADER, START).await;
        let mut start = start.map_err(|refusal| refusal.in_words(trace, |_, _| None))?;
        let _version = start.short();
        let properties = start.texts().ok_or_else(|| session.foreign())?;
        let property = |wanted: &str| {
            properties.iter().find(|(name, _)| name == wanted).map(|(_, text)| clean(text))
        };
        for (name, key) in [
            ("product", "server_product"),
            ("version", "server_version"),
            ("cluster_name", "cluster_name"),
        ] {
            if let Some(text) = property(name) {
                trace.note(key, text);
            }
        }
        let mechanisms = start.long_text().ok_or_else(|| session.foreign())?;
        if !mechanisms.split_ascii_whitespace().any(|mechanism| mechanism == "PLAIN") {
            return Err(Failure::Unexpected(format!(
                "the broker takes no password ({}): it offers {}, not PLAIN",
                trace.endpoint(),
                clean(&mechanisms)
            )));
        }
        let product = property("product").unwrap_or_else(|| "unknown product".to_owned());
        Ok(property("version").map_or(product.clone(), |version| format!("{product} {version}")))
    }

    async fn log_in(&self, session: &mut Session, trace: &Trace) -> Result<(), Failure> {
        let secret = format!("\0{}\0{}", self.user, self.password);
        let start_ok = Method::new(START_OK)
            .table(&client_properties())
            .short_text("PLAIN")
            .long_bytes(secret.as_bytes())
            .short_text("en_US");
        let tune = session.ask(&start_ok.on(CONNECTION), TUNE).await;
        let mut tune = tune.map_err(|refusal| {
            refusal.in_words(trace, |code, _| {
                (code == ACCESS_REFUSED).then(|| {
                    format!("login refused ({}): check `user` and `password`", trace.endpoint())
                })
            })
        })?;
        let channels = tune.short();
        let (Some(_), Some(longest)) = (channels, tune.long()) else {
            return Err(session.foreign());
        };
        let longest = if longest == 0 { LONGEST } else { longest.min(LONGEST) };
        let heartbeat = 0;
        let tune_ok = Method::new(TUNE_OK).short(CHANNEL).long(longest).short(heartbeat);
        session.send(&tune_ok.on(CONNECTION)).await
    }

    async fn open(&self, session: &mut Session, trace: &Trace) -> Result<(), Failure> {
        let open = Method::new(OPEN).short_text(&self.vhost).short_text("").octet(0);
        let opened = session.ask(&open.on(CONNECTION), OPEN_OK).await;
        opened.map_err(|refusal| {
            refusal.in_words(trace, |code, text| self.vhost_refused(code, text, &trace.endpoint()))
        })?;
        let open = Method::new(CHANNEL_OPEN).short_text("");
        let opened = session.ask(&open.on(CHANNEL), CHANNEL_OPEN_OK).await;
        opened.map(drop).map_err(|refusal| refusal.in_words(trace, |_, _| None))
    }

    /// The reply code is the same for all reasons; the text is `RabbitMQ`'s.
    fn vhost_refused(&self, code: u16, text: &str, endpoint: &str) -> Option<String> {
        let (vhost, user) = (clean(&self.vhost), clean(&self.user));
        if ![NOT_ALLOWED, INVALID_PATH, ACCESS_REFUSED].contains(&code) || text.contains("limit") {
            return None;
        }
        Some(if text.contains("not found") {
            format!("virtual host `{vhost}` does not exist ({endpoint}): check `vhost`")
        } else {
            format!(
                "virtual host `{vhost}` refused ({endpoint}): check `vhost`, and whether `{user}` \
                 may use it"
            )
        })
    }

    fn not_permitted(&self, refusal: Refusal, trace: &Trace) -> Failure {
        refusal.in_words(trace, |code, _| {
            (code == ACCESS_REFUSED).then(|| {
                format!(
                    "own message not permitted ({}): allow `{}` to configure, write and read \
                     `amq.*`",
                    trace.endpoint(),
                    clean(&self.user)
                )
            })
        })
    }
}

/// Who we are, and what we understand: that a login is refused and that no
/// messages are taken is said in a method.
fn client_properties() -> Vec<Vec<u8>> {
    let yes = |name| entry(name, b't', |value| value.octet(1));
    let capabilities = [yes("authentication_failure_close"), yes("connection.blocked")];
    let text = |name, text: &'static str| entry(name, b'S', |m| m.long_bytes(text.as_bytes()));
    vec![
        text("product", "Pilotlight"),
        text("version", env!("CARGO_PKG_VERSION")),
        entry("capabilities", b'F', |value| value.table(&capabilities)),
    ]
}

async fn round_trip(session: &mut Session, trace: &Trace) -> Result<(), Refusal> {
    trace.step("making a queue of its own");
    let queue = declare(session, "", queue::OWN).await?.name;
    let consume = Method::new(CONSUME)
        .short(0)
        .short_text(&queue)
        .short_text("")
        .octet(NO_ACK_AND_EXCLUSIVE)
        .table(&[]);
    session.ask(&consume.on(CHANNEL), CONSUME_OK).await?;

    trace.step("waiting for its own message");
    let own = unique();
    let publish = Method::new(PUBLISH).short(0).short_text("").short_text(&queue).octet(MANDATORY);
    let under_way = RoundTrip::begin();
    let (class, _) = PUBLISH;
    session.send(&[publish.on(CHANNEL), content(CHANNEL, class, own.as_bytes())].concat()).await?;
    if session.message(DELIVER).await? != own.as_bytes() {
        let other = "the broker delivered another message than its own";
        return Err(Failure::Unexpected(format!("{other} ({})", trace.endpoint())).into());
    }
    under_way.end(trace);
    Ok(())
}

impl Probe for AmqpProbe {
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
