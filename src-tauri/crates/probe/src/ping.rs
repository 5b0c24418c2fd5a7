//! `check = "ping"`: a host answers ICMP echo requests.

mod packet;
mod socket;
mod trips;

use std::hash::BuildHasher;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use health::{Measurement, Thresholds};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until};

use self::packet::Token;
use self::trips::Trips;
use crate::failure::Failure;
use crate::field::{
    Field, FieldError, FieldType, Form, Parsed, Section, Step, Values, duration, mistake, number,
    whole,
};
use crate::net::describe_io;
use crate::server::Server;
use crate::trace::{Phase, Seconds, Trace};
use crate::{Checking, Context, Probe, net};

pub(crate) const LABEL: &str = "Ping";
pub(crate) const HELP: &str =
    "Sends echo requests to a host; looks at loss, round trip and jitter.";
pub(crate) const EXAMPLE: &str = r#"host = "router.internal"
count = 5
max_loss = 40"#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::OTHER;

const COUNT: u16 = 3;
const INTERVAL: Duration = Duration::from_millis(200);
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
const MAX_LOSS: f64 = 50.0;
const WARN_LOSS: f64 = 0.0;
const PERCENT: FieldType = FieldType::Number { min: 0.0, max: 100.0 };

pub(crate) const FIELDS: &[Field] = &[
    net::HOST,
    Field::optional(
        "count",
        "Pings",
        "How many echo requests are sent.",
        FieldType::Integer { min: 1, max: 20 },
    )
    .or("3")
    .within(Section::Request),
    Field::optional(
        "interval",
        "Pause",
        "Time from one request to the next, 100 ms at least.",
        FieldType::Duration,
    )
    .or("200ms")
    .within(Section::Request),
    Field::optional(
        "max_loss",
        "Greatest loss",
        "Unhealthy when more of the requests stay unanswered; always when all do.",
        PERCENT,
    )
    .or("50")
    .of("%")
    .within(Section::Expect),
    Field::optional(
        "warn_loss",
        "Warn of loss",
        "Degraded when more of the requests stay unanswered.",
        PERCENT,
    )
    .or("0")
    .of("%")
    .within(Section::Expect),
    Field::optional(
        "max_jitter",
        "Warn of jitter",
        "Degraded when one round trip differs more from the next, on average.",
        FieldType::Duration,
    )
    .within(Section::Expect),
    net::FAMILY,
];

#[derive(Debug)]
struct PingProbe {
    server: Server,
    count: u16,
    interval: Duration,
    max_loss: f64,
    warn_loss: f64,
    max_jitter: Option<Duration>,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    Ok(Box::new(PingProbe::new(&Form::new(FIELDS, values)?)?))
}

impl PingProbe {
    fn new(form: &Form<'_>) -> Parsed<Self> {
        let interval = form.or("interval", INTERVAL, duration)?;
        if interval < SHORTEST_INTERVAL {
            let mistake = mistake("the pause is too short", "use 100ms or more");
            return Err(vec![mistake.within(Step::Key("interval".to_owned()))]);
        }
        Ok(Self {
            server: Server::in_the_clear(form, 0)?,
            count: form.or("count", COUNT, whole)?,
            interval,
            max_loss: form.or("max_loss", MAX_LOSS, number)?,
            warn_loss: form.or("warn_loss", WARN_LOSS, number)?,
            max_jitter: form.optional("max_jitter", duration)?,
        })
    }

    async fn ping(&self, timeout: Duration, trace: &Trace) -> Result<String, Failure> {
        let began = Instant::now();
        let span = self.interval * u32::from(self.count - 1);
        let patience = patience(timeout);
        if span >= patience {
            return Err(Failure::NoAnswer(format!(
                "{} pings, one every {}, take longer than the time-out of {}: lower `count` or \
                 `interval`, or raise `timeout`",
                self.count,
                Seconds(self.interval),
                Seconds(timeout)
            )));
        }
        let address = net::address(trace, &self.server.host, self.server.family).await?;
        if self.server.host.parse::<IpAddr>().is_err() {
            trace.measure(milliseconds("lookup", began.elapsed()));
        }
        let socket = socket::open(address, trace)?;
        trace.enter(Phase::Waiting);
        let mut exchange = Exchange {
            socket,
            address,
            token: token(),
            trips: Trips::default(),
            error: None,
            errors: 0,
        };
        exchange.run(self.count, self.interval, began + patience).await;
        self.judge(&exchange, trace)
    }

    /// 1. Without any reply there was no answer.
    /// 2. More loss than `max_loss` is unhealthy.
    /// 3. More than `warn_loss`, or more jitter than `max_jitter`, is degraded.
    fn judge(&self, exchange: &Exchange, trace: &Trace) -> Result<String, Failure> {
        let trips = &exchange.trips;
        let (count, answers, loss) = (trips.count(), trips.answers(), trips.loss());
        trace.measure(Measurement {
            degraded_at: Some(self.warn_loss),
            unhealthy_at: Some(self.max_loss),
            ..Measurement::new("loss", loss, "%")
        });
        let endpoint = trace.endpoint();
        let Some(mean) = trips.mean() else {
            return Err(Failure::NoAnswer(match &exchange.error {
                Some(error) => describe_io(error, &endpoint),
                None if count == 1 => format!("no reply to a ping ({endpoint})"),
                None => format!("no reply to {count} pings ({endpoint})"),
            }));
        };
        trace.answered_in(mean);
        self.measure(trips, mean, trace);
        if loss > self.max_loss {
            return Err(Failure::Unexpected(format!(
                "{loss:.0} % of {count} pings were lost, more than {} % ({endpoint})",
                self.max_loss
            )));
        }
        if loss > self.warn_loss {
            trace.warn(format!("{loss:.0} % were lost"));
        }
        if let Some((jitter, most)) = trips.jitter().zip(self.max_jitter)
            && jitter > most
        {
            let (jitter, most) = (in_milliseconds(jitter), in_milliseconds(most));
            trace.warn(format!("the jitter is {jitter} ms, above {most} ms"));
        }
        let mean = in_milliseconds(mean);
        Ok(format!("{answers} of {count} pings answered, in {mean} ms on average"))
    }

    fn measure(&self, trips: &Trips, mean: Duration, trace: &Trace) {
        if let Some(jitter) = trips.jitter() {
            trace.measure(Measurement {
                degraded_at: self.max_jitter.map(in_milliseconds),
                ..milliseconds("jitter", jitter)
            });
        }
        trace.measure(milliseconds("rtt min", trips.min().unwrap_or(mean)));
        trace.measure(milliseconds("rtt mean", mean));
        trace.measure(milliseconds("rtt max", trips.max().unwrap_or(mean)));
    }
}

/// How long replies are waited for: all are counted before the check is cut
/// off.
fn patience(timeout: Duration) -> Duration {
    timeout.mul_f64(0.95)
}

/// Whole microseconds, in milliseconds.
fn in_milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

fn milliseconds(name: &str, time: Duration) -> Measurement {
    Measurement::new(name, in_milliseconds(time), "ms")
}

/// Something that nobody else sends.
fn token() -> Token {
    let [mut token, second] = [(); 2].map(|()| {
        let random = std::hash::RandomState::new().hash_one(());
        u128::from(random).to_be_bytes()
    });
    token[..8].copy_from_slice(&second[8..]);
    token
}

/// Requests and replies of one check.
struct Exchange {
    socket: UdpSocket,
    address: IpAddr,
    token: Token,
    trips: Trips,
    /// Why the last request was not sent, or not delivered.
    error: Option<io::Error>,
    errors: u16,
}

impl Exchange {
    /// Sends `count` requests, one every `interval`, and takes replies until
    /// there is one to each, at most until `deadline`, or until the socket has
    /// failed more often than was asked.
    async fn run(&mut self, count: u16, interval: Duration, deadline: Instant) {
        let mut buffer = vec![0; 2048];
        let mut next = Instant::now();
        let mut sequence = 0;
        while (sequence < count || !self.trips.all_answered()) && self.errors <= count {
            tokio::select! {
                received = self.socket.recv(&mut buffer) => self.received(received, &buffer),
                () = sleep_until(next), if sequence < count => {
                    self.send(sequence).await;
                    sequence += 1;
                    next += interval;
                }
                () = sleep_until(deadline) => break,
            }
        }
    }

    async fn send(&mut self, sequence: u16) {
        let packet = packet::request(self.address, &self.token, sequence);
        self.trips.sent(Instant::now());
        if let Err(error) = self.socket.send(&packet).await {
            self.error = Some(error);
        }
    }

    fn received(&mut self, received: io::Result<usize>, buffer: &[u8]) {
        match received {
            Ok(length) => {
                let now = Instant::now();
                if let Some(sequence) = packet::reply(self.address, &self.token, &buffer[..length])
                {
                    self.trips.answered(sequence, now);
                }
            }
            Err(error) => {
                self.error = Some(error);
                self.errors += 1;
            }
        }
    }
}

impl Probe for PingProbe {
    fn check<'a>(&'a self, timeout: Duration, _: &'a Context) -> Checking<'a> {
        let check = move |trace: Arc<Trace>| async move { self.ping(timeout, &trace).await };
        Box::pin(self.server.observe(timeout, check))
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
