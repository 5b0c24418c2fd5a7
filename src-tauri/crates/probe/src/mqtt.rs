//! `check = "mqtt"`: a broker takes a message and hands it out again.
//!
//! MQTT 3.1.1 (OASIS Standard, 29 October 2014).

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use health::Thresholds;
use mqttbytes::v4::{
    Connect, ConnectReturnCode, Disconnect, Packet, PubAck, Publish, Subscribe, SubscribeReasonCode,
};
use mqttbytes::{Error, QoS};

use crate::broker::{self, MOST_OTHERS, Nonsense, RoundTrip, Taken, unique};
use crate::dialogue::Dialogue;
use crate::failure::Failure;
use crate::field::{
    Field, FieldError, FieldType, Form, Parsed, Section, Values, boolean, line, mistake_at,
};
use crate::server::Server;
use crate::text::clean;
use crate::trace::Trace;
use crate::{Checking, Context, Probe, net, tls};

pub(crate) const LABEL: &str = "MQTT";
pub(crate) const HELP: &str = "Logs in to an MQTT broker and sends itself a message.";
pub(crate) const EXAMPLE: &str = r#"host = "mqtt.internal"
port = 8883
tls = true
user = "monitor"
password = "keyring:mqtt-password""#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::OTHER;

pub(crate) const FIELDS: &[Field] = &[
    net::HOST,
    Field::optional("port", "Port", "The port it listens on; with TLS usually 8883.", net::PORT)
        .or("1883"),
    broker::USER,
    broker::PASSWORD,
    Field::optional(
        "client_id",
        "Client id",
        "The name of the connection; a new one each time, unless the broker wants a certain one.",
        FieldType::Text,
    )
    .within(Section::Login),
    broker::ROUNDTRIP,
    Field::optional(
        "topic",
        "Topic",
        "Where the message is sent to; a new one under pilotlight/check, unless set.",
        FieldType::Text,
    )
    .within(Section::Request),
    tls::ENCRYPT,
    tls::VERIFY,
    tls::CA_FILE,
    tls::CERT_FILE,
    tls::KEY_FILE,
    tls::WARN_DAYS,
    net::FAMILY,
];

const USUAL_PORT: u16 = 1883;
/// The length of a text is sent in two bytes (section 1.5.3).
const LONGEST_TEXT: usize = 65535;
/// The longest packet that is read.
const LONGEST_PACKET: usize = 64 * 1024;
/// Seconds after which the broker may miss us.
const KEEP_ALIVE: u16 = 60;
const SUBSCRIBE_ID: u16 = 1;
const PUBLISH_ID: u16 = 2;

#[derive(Debug)]
struct MqttProbe {
    server: Server,
    user: Option<String>,
    password: Option<String>,
    client_id: Option<String>,
    roundtrip: bool,
    topic: Option<String>,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    let text = |key| broker::no_longer_than(LONGEST_TEXT, key, form.optional(key, line)?);
    let (user, password) = (text("user")?, text("password")?);
    if password.is_some() && user.is_none() {
        return Err(mistake_at(
            "user",
            "`user` is missing",
            "MQTT knows no password without a user",
        ));
    }
    Ok(Box::new(MqttProbe {
        server: Server::read(&form, USUAL_PORT)?,
        user,
        password,
        client_id: text("client_id")?,
        roundtrip: form.or("roundtrip", true, boolean)?,
        topic: text("topic")?.map(one_topic).transpose()?,
    }))
}

/// What can be published to (section 4.7).
fn one_topic(topic: String) -> Parsed<String> {
    if topic.contains(['#', '+', '\0']) {
        let message = format!("`{}` is not one topic", clean(&topic));
        return Err(mistake_at("topic", message, "write it without `#` and `+`: app/check"));
    }
    Ok(topic)
}

impl MqttProbe {
    async fn run(&self, trace: &Arc<Trace>) -> Result<String, Failure> {
        let mut broker = Dialogue::open(&self.server, trace).await?.speaking("MQTT");
        trace.step("logging in");
        self.log_in(&mut broker, trace).await?;
        let seen = if self.roundtrip {
            self.round_trip(&mut broker, trace).await?;
            "own message came back"
        } else {
            "logged in"
        };
        let goodbye = encoded(|packet| Disconnect.write(packet))?;
        broker.leave(&goodbye).await;
        Ok(seen.to_owned())
    }

    async fn log_in(&self, broker: &mut Dialogue, trace: &Trace) -> Result<(), Failure> {
        // More than 23 letters and digits need not be taken (section 3.1.3.1).
        let id = self.client_id.clone().unwrap_or_else(|| format!("pilotlight{}", unique()));
        let mut connect = Connect::new(id.as_str());
        connect.keep_alive = KEEP_ALIVE;
        if let Some(user) = &self.user {
            connect.set_login(user.as_str(), self.password.as_deref().unwrap_or_default());
        }
        broker.send(&encoded(|packet| connect.write(packet))?).await?;
        match broker.receive(first_packet).await? {
            Packet::ConnAck(answer) => match self.refusal(answer.code, &id, &trace.endpoint()) {
                None => Ok(()),
                Some(reason) => Err(Failure::Unexpected(reason)),
            },
            _ => Err(broker.failure(Nonsense::Foreign)),
        }
    }

    /// Section 3.2.2.3.
    fn refusal(&self, code: ConnectReturnCode, id: &str, endpoint: &str) -> Option<String> {
        use ConnectReturnCode as Code;
        Some(match code {
            Code::Success => return None,
            Code::BadUserNamePassword | Code::NotAuthorized if self.user.is_none() => {
                format!("login needed ({endpoint}): set `user` and `password`")
            }
            Code::BadUserNamePassword => {
                format!("login refused ({endpoint}): check `user` and `password`")
            }
            Code::NotAuthorized => format!(
                "login refused ({endpoint}): check `user` and `password`, and whether the user \
                 may connect"
            ),
            Code::BadClientId => {
                format!("client id `{}` refused ({endpoint}): set another `client_id`", clean(id))
            }
            Code::ServiceUnavailable => {
                format!("the broker says that it is unavailable ({endpoint})")
            }
            Code::RefusedProtocolVersion => {
                format!("the broker does not speak MQTT 3.1.1 ({endpoint})")
            }
        })
    }

    async fn round_trip(&self, broker: &mut Dialogue, trace: &Trace) -> Result<(), Failure> {
        let topic = self.topic.clone().unwrap_or_else(|| format!("pilotlight/check/{}", unique()));
        trace.step("subscribing");
        subscribe(broker, &topic, trace).await?;

        trace.step("publishing");
        let own = unique();
        let mut publish = Publish::new(&topic, QoS::AtLeastOnce, own.as_str());
        publish.pkid = PUBLISH_ID;
        let mut under_way = Some(RoundTrip::begin());
        let mut accepted = false;
        broker.send(&encoded(|packet| publish.write(packet))?).await?;
        for _ in 0..MOST_OTHERS {
            match broker.receive(packet).await? {
                Packet::PubAck(ack) if ack.pkid == PUBLISH_ID => {
                    trace.step("waiting for its own message, which the broker accepted");
                    accepted = true;
                }
                Packet::Publish(message) => {
                    acknowledge(broker, &message).await?;
                    if message.topic == topic
                        && message.payload == own.as_bytes()
                        && let Some(message) = under_way.take()
                    {
                        message.end(trace);
                    }
                }
                _ => {}
            }
            if accepted && under_way.is_none() {
                return Ok(());
            }
        }
        Err(Failure::Unexpected(format!(
            "own message not among the first {MOST_OTHERS} of `{}` ({}): use a `topic` with fewer",
            clean(&topic),
            trace.endpoint()
        )))
    }
}

async fn subscribe(broker: &mut Dialogue, topic: &str, trace: &Trace) -> Result<(), Failure> {
    let mut subscribe = Subscribe::new(topic, QoS::AtLeastOnce);
    subscribe.pkid = SUBSCRIBE_ID;
    broker.send(&encoded(|packet| subscribe.write(packet))?).await?;
    for _ in 0..MOST_OTHERS {
        match broker.receive(packet).await? {
            Packet::SubAck(ack) if ack.pkid == SUBSCRIBE_ID => {
                return if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                    Err(Failure::Unexpected(format!(
                        "subscription to `{}` refused ({}): allow it to `user`, or set another \
                         `topic`",
                        clean(topic),
                        trace.endpoint()
                    )))
                } else {
                    Ok(())
                };
            }
            // What the topic retains may come first.
            Packet::Publish(message) => acknowledge(broker, &message).await?,
            _ => {}
        }
    }
    Err(broker.failure(Nonsense::Refused("subscription not confirmed".to_owned())))
}

async fn acknowledge(broker: &mut Dialogue, message: &Publish) -> Result<(), Failure> {
    if message.qos == QoS::AtLeastOnce {
        broker.send(&encoded(|packet| PubAck::new(message.pkid).write(packet))?).await?;
    }
    Ok(())
}

fn encoded(write: impl FnOnce(&mut BytesMut) -> Result<usize, Error>) -> Result<BytesMut, Failure> {
    let mut packet = BytesMut::new();
    match write(&mut packet) {
        Ok(_) => Ok(packet),
        Err(error) => Err(Failure::NoAnswer(format!("the packet cannot be written: {error:?}"))),
    }
}

/// What answers a login begins like no other packet (section 3.2.1).
fn first_packet(bytes: &[u8]) -> Taken<Packet> {
    const CONNACK: u8 = 0x20;
    if bytes.first().is_some_and(|first| *first != CONNACK) {
        return Err(Nonsense::Foreign);
    }
    packet(bytes)
}

fn packet(bytes: &[u8]) -> Taken<Packet> {
    let read = || {
        let length = mqttbytes::check(bytes.iter(), LONGEST_PACKET)?.frame_length();
        let packet = mqttbytes::v4::read(&mut BytesMut::from(&bytes[..length]), LONGEST_PACKET)?;
        Ok((packet, length))
    };
    match read() {
        Ok(taken) => Ok(Some(taken)),
        Err(Error::InsufficientBytes(_)) => Ok(None),
        Err(Error::InvalidConnectReturnCode(code)) => {
            Err(Nonsense::Refused(format!("login refused with code {code}")))
        }
        Err(Error::PayloadSizeLimitExceeded(bytes)) => {
            Err(Nonsense::Refused(format!("the broker sent a packet of {bytes} bytes")))
        }
        Err(_) => Err(Nonsense::Foreign),
    }
}

impl Probe for MqttProbe {
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
