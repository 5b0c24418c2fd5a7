//! How far a check has come, and where its time went.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use health::{Evidence, Measurement, Metadata, Observation, Outcome, Phases};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::net;
use crate::text::{beginning, cleaned, excerpt};
use crate::tls::Chain;

/// What a check is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Waiting for the addresses of a host.
    LookingUp,
    /// Waiting for a connection.
    Connecting,
    /// Waiting for the end of the TLS handshake.
    Handshake,
    /// Handing over what it has to say.
    Sending,
    /// Waiting for the first of an answer.
    Waiting,
    /// Waiting for the rest of an answer.
    Receiving,
}

impl Phase {
    fn spent(self, phases: &mut Phases) -> &mut Option<f64> {
        match self {
            Self::LookingUp => &mut phases.dns,
            Self::Connecting => &mut phases.connect,
            Self::Handshake => &mut phases.tls,
            Self::Sending => &mut phases.send,
            Self::Waiting => &mut phases.wait,
            Self::Receiving => &mut phases.receive,
        }
    }
}

const SHORTEST_SECRET: usize = 8;

/// What stands between a check and its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
    /// Whether the proxy is spoken to in TLS itself.
    pub(crate) encrypted: bool,
}

/// How far one check has come, known even when it is cut off.
///
/// Behind a lock, not a message away: it is one check's alone, never shared
/// with another, and nobody holds it for longer than a few assignments. Texts
/// are made of it only where they are wanted, which is on failure.
pub(crate) struct Trace(Mutex<Progress>);

struct Progress {
    phase: Option<Phase>,
    /// When the phase began; before the first, the check.
    since: Instant,
    phases: Phases,
    /// What the dialogue is about: "logging in".
    step: Option<Cow<'static, str>>,
    /// What is checked; `host` may be a resolver or a redirect's goal.
    checked: Arc<str>,
    host: Arc<str>,
    port: u16,
    /// Whose addresses are looked up.
    sought: Arc<str>,
    endpoint: Endpoint,
    proxy: Option<Proxy>,
    /// What nobody may read, in whatever the server sends back.
    secrets: Vec<Arc<str>>,
    addresses: Vec<IpAddr>,
    address: Option<IpAddr>,
    chain: Option<Arc<Chain>>,
    /// As much as is kept of what the server sent.
    body: Option<Vec<u8>>,
    headers: Option<Headers>,
    metadata: Metadata,
    measurements: Vec<Measurement>,
    warnings: Vec<String>,
    /// How long an answer takes, where that is not how long the check does.
    typical: Option<Duration>,
}

/// What makes a response's headers text.
type Headers = Box<dyn FnOnce() -> Vec<(String, String)> + Send>;

/// What is talked to: what its name stands for, once that is one address.
struct Endpoint {
    name: Arc<str>,
    address: Option<IpAddr>,
    port: u16,
    is_proxy: bool,
}

tokio::task_local! {
    /// The check that the running task does, for hooks of libraries, which are
    /// shared by all checks.
    static CURRENT: Arc<Trace>;
}

/// Does `tell` with the running task's check. A connection that is completed
/// for a later check has none.
pub(crate) fn with_current(tell: impl FnOnce(&Trace)) {
    // Nobody is waiting for what would be told.
    let _ = CURRENT.try_with(|trace| tell(trace));
}

impl Trace {
    /// At the start of a check of `port` on `host`.
    pub(crate) fn new(host: &str, port: u16) -> Self {
        let host: Arc<str> = host.into();
        Self(Mutex::new(Progress {
            phase: None,
            since: Instant::now(),
            phases: Phases::default(),
            step: None,
            checked: host.clone(),
            sought: host.clone(),
            endpoint: Endpoint::named(host.clone(), port),
            host,
            port,
            proxy: None,
            secrets: Vec::new(),
            addresses: Vec::new(),
            address: None,
            chain: None,
            body: None,
            headers: None,
            metadata: Metadata::new(),
            measurements: Vec::new(),
            warnings: Vec::new(),
            typical: None,
        }))
    }

    /// Does `check`, a check of `port` on `host`, and says what it saw, within
    /// `timeout`.
    pub(crate) async fn observe<C>(
        host: &str,
        port: u16,
        timeout: Duration,
        check: impl FnOnce(Arc<Self>) -> C,
    ) -> Observation
    where
        C: Future<Output = Result<String, Failure>>,
    {
        let trace = Arc::new(Self::new(host, port));
        // Stays where it is: a check is kilobytes large.
        let checking = pin!(check(trace.clone()));
        let checking = CURRENT.scope(trace.clone(), checking);
        let seen = tokio::time::timeout(timeout, checking).await;
        let seen = seen.unwrap_or_else(|_elapsed| {
            let waited = format!("timed out after {}, {}", Seconds(timeout), trace.doing());
            Err(Failure::NoAnswer(if trace.is_connecting() {
                waited
            } else {
                format!("{waited} ({})", trace.endpoint())
            }))
        });
        trace.0.lock().conclude(seen)
    }

    /// Ends the phase under way and begins this one.
    pub(crate) fn enter(&self, phase: Phase) {
        let mut progress = self.0.lock();
        if progress.phase != Some(phase) {
            progress.enter(phase);
        }
    }

    /// Begins to look up the addresses of `name`: the server, or a proxy on the
    /// way there.
    pub(crate) fn look_up(&self, name: &str) {
        let mut progress = self.0.lock();
        if progress.phase != Some(Phase::LookingUp) || *progress.sought != *name {
            progress.sought = progress.shared(name);
            progress.enter(Phase::LookingUp);
        }
    }

    /// Whether that is the phase under way.
    pub(crate) fn is_in(&self, phase: Phase) -> bool {
        self.0.lock().phase == Some(phase)
    }

    /// Says what the dialogue is about from now on: "logging in".
    pub(crate) fn step(&self, step: impl Into<Cow<'static, str>>) {
        self.0.lock().step = Some(step.into());
    }

    /// What is being done, to go on "timed out, …".
    pub(crate) fn doing(&self) -> String {
        let progress = self.0.lock();
        match (progress.phase, &progress.step) {
            (Some(Phase::LookingUp), _) => format!("looking up {}", progress.sought),
            (Some(Phase::Connecting), _) => format!("connecting to {}", progress.endpoint),
            (Some(Phase::Handshake), _) => "in the TLS handshake".to_owned(),
            (_, Some(step)) => step.clone().into_owned(),
            (Some(Phase::Sending), None) => "sending the request".to_owned(),
            (Some(Phase::Receiving), None) => "reading the response".to_owned(),
            (Some(Phase::Waiting) | None, None) => "waiting for the response".to_owned(),
        }
    }

    /// Where `doing` goes without saying: the connection was not there yet.
    pub(crate) fn is_connecting(&self) -> bool {
        matches!(self.0.lock().phase, None | Some(Phase::LookingUp | Phase::Connecting))
    }

    /// What the check talks to, for people.
    pub(crate) fn endpoint(&self) -> String {
        self.0.lock().endpoint.to_string()
    }

    /// What the check is about, for people, whatever stands before it.
    pub(crate) fn server(&self) -> String {
        let progress = self.0.lock();
        net::endpoint(&progress.host, progress.port)
    }

    /// The host that the check talks to, as the config or a redirect names it.
    pub(crate) fn host(&self) -> Arc<str> {
        self.0.lock().host.clone()
    }

    /// Goes on at another server, over a connection that there may be already.
    pub(crate) fn head_for(&self, host: &str, port: u16) {
        let mut progress = self.0.lock();
        progress.host = progress.shared(host);
        progress.port = port;
        progress.endpoint = Endpoint::named(progress.host.clone(), port);
        progress.proxy = None;
        progress.step = None;
        progress.address = None;
        progress.chain = None;
        progress.headers = None;
    }

    /// Goes there through `proxy`.
    pub(crate) fn pass_through(&self, proxy: Proxy) {
        let mut progress = self.0.lock();
        progress.endpoint = proxy.endpoint(&[]);
        progress.proxy = Some(proxy);
    }

    /// The proxy that is talked to, as long as it understands what is said.
    pub(crate) fn proxy(&self) -> Option<Proxy> {
        self.0.lock().proxy.clone()
    }

    /// Connects to any of `addresses`, which `name` stands for: the server, or
    /// a proxy on the way there.
    pub(crate) fn connect_to(&self, name: &str, addresses: &[IpAddr]) {
        let mut progress = self.0.lock();
        progress.aim_at(name, addresses);
        progress.enter(Phase::Connecting);
    }

    /// The same where there is no connection: the phase goes on.
    pub(crate) fn aim_at(&self, name: &str, addresses: &[IpAddr]) {
        self.0.lock().aim_at(name, addresses);
    }

    /// Connects to the server, or the proxy on the way there, if it needs no
    /// lookup, being an address.
    pub(crate) fn connect_unless_named(&self) {
        let mut progress = self.0.lock();
        let next = progress.proxy.as_ref().map_or(&progress.host, |proxy| &proxy.host).clone();
        if let Ok(address) = next.parse() {
            progress.aim_at(&next, &[address]);
            progress.enter(Phase::Connecting);
        }
    }

    /// Begins a TLS handshake: with the proxy if that is encrypted, then with
    /// the server behind it.
    pub(crate) fn shake_hands(&self) {
        let mut progress = self.0.lock();
        progress.proxy = match progress.proxy.take() {
            Some(proxy) if proxy.encrypted => Some(Proxy { encrypted: false, ..proxy }),
            Some(_) => {
                progress.endpoint = Endpoint::named(progress.host.clone(), progress.port);
                None
            }
            None => None,
        };
        progress.enter(Phase::Handshake);
    }

    /// Takes `secret` out of everything that is told of the check. What is too
    /// short for a secret would take ordinary words along, and stays.
    pub(crate) fn conceal(&self, secret: &Arc<str>) {
        if secret.len() >= SHORTEST_SECRET {
            self.0.lock().secrets.push(secret.clone());
        }
    }

    /// The other end of the connection.
    pub(crate) fn connected(&self, peer: Option<SocketAddr>) {
        let mut progress = self.0.lock();
        progress.address = peer.map(|peer| peer.ip()).or(progress.address);
    }

    /// The server has to prove to be `host` from now on.
    pub(crate) fn expect_host(&self, host: &str) {
        let mut progress = self.0.lock();
        progress.host = progress.shared(host);
    }

    /// What the server's certificates say.
    pub(crate) fn certificates(&self) -> Option<Arc<Chain>> {
        self.0.lock().chain.clone()
    }

    pub(crate) fn saw_certificates(&self, chain: Chain) {
        self.note("certificate_days_left", chain.days_left());
        self.0.lock().chain = Some(Arc::new(chain));
    }

    /// Keeps the beginning of what the server sent, should the check fail.
    pub(crate) fn saw_body(&self, body: &[u8]) {
        self.0.lock().body = Some(beginning(body).to_vec());
    }

    /// Keeps the response's headers, should the check fail: then `tell` makes
    /// them text.
    pub(crate) fn saw_headers(
        &self,
        tell: impl FnOnce() -> Vec<(String, String)> + Send + 'static,
    ) {
        self.0.lock().headers = Some(Box::new(tell));
    }

    pub(crate) fn note(&self, key: &str, value: impl fmt::Display) {
        let value = cleaned(value.to_string());
        self.0.lock().metadata.insert(key.to_owned(), value);
    }

    /// Adds a number worth a chart.
    pub(crate) fn measure(&self, measurement: Measurement) {
        self.0.lock().measurements.push(measurement);
    }

    /// Makes `time` the response time of an answer, and all of it the wait for
    /// it, however long the check takes: where it asks several times.
    #[cfg(any(test, feature = "ping"))]
    pub(crate) fn answered_in(&self, time: Duration) {
        self.0.lock().typical = Some(time);
    }

    /// Makes a check that succeeds degraded: "200 OK, but `warning`".
    pub(crate) fn warn(&self, warning: String) {
        self.0.lock().warnings.push(warning);
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trace").finish_non_exhaustive()
    }
}

impl Progress {
    fn enter(&mut self, phase: Phase) {
        let now = Instant::now();
        if let Some(ended) = self.phase.replace(phase) {
            add(ended.spent(&mut self.phases), now - self.since);
            self.since = now;
        }
    }

    /// `name`, which is mostly that of the host.
    fn shared(&self, name: &str) -> Arc<str> {
        if *self.host == *name { self.host.clone() } else { name.into() }
    }

    fn aim_at(&mut self, name: &str, addresses: &[IpAddr]) {
        match &self.proxy {
            Some(proxy) if *proxy.host == *name => self.endpoint = proxy.endpoint(addresses),
            // The proxy is told the server's address.
            Some(_) => {}
            None => {
                let named = Endpoint::named(self.shared(name), self.port);
                self.endpoint = Endpoint { address: only(addresses), ..named };
            }
        }
        self.address = only(addresses);
        self.addresses = addresses.to_vec();
    }

    fn conclude(&mut self, seen: Result<String, Failure>) -> Observation {
        let mut took = self.close();
        let (outcome, answered) = match seen {
            Ok(message) => (self.success(message), true),
            Err(Failure::Unexpected(message)) => (Outcome::Unhealthy(message), true),
            Err(Failure::NoAnswer(message)) => (Outcome::Unhealthy(message), false),
        };
        let failed = matches!(outcome, Outcome::Unhealthy(_));
        if let Some(time) = self.typical.filter(|_| answered) {
            self.phases = Phases::default();
            add(&mut self.phases.wait, time);
            took = time;
        }
        let mut observation = Observation {
            response_time: answered.then_some(took),
            outcome,
            address: self.own_address(),
            phases: self.phases,
            metadata: std::mem::take(&mut self.metadata),
            measurements: std::mem::take(&mut self.measurements),
            evidence: if failed { self.evidence() } else { Evidence::default() },
        };
        self.take_secrets_out_of(&mut observation);
        observation
    }

    fn take_secrets_out_of(&self, seen: &mut Observation) {
        let (Outcome::Healthy(message)
        | Outcome::Degraded(message)
        | Outcome::Unhealthy(message)
        | Outcome::Unknown(message)) = &mut seen.outcome;
        let texts = seen.metadata.values_mut().chain(seen.evidence.texts_mut());
        for text in std::iter::once(message).chain(texts) {
            for secret in &self.secrets {
                if text.contains(&**secret) {
                    *text = text.replace(&**secret, "***");
                }
            }
        }
    }

    /// Ends the last phase; the whole time of the check, which is exactly the
    /// sum of its phases.
    fn close(&mut self) -> Duration {
        let last = self.phase.take().unwrap_or(Phase::Waiting);
        add(last.spent(&mut self.phases), self.since.elapsed());
        Duration::from_secs_f64(self.phases.total() / 1000.0)
    }

    /// The address of what is checked; that of a resolver, a proxy or a
    /// redirect's goal says nothing about where the service is.
    fn own_address(&mut self) -> Option<IpAddr> {
        if self.host == self.checked && self.proxy.is_none() {
            return self.address;
        }
        if let Some(other) = self.address {
            self.metadata.insert("reached".to_owned(), other.to_string());
        }
        None
    }

    fn success(&self, message: String) -> Outcome {
        if self.warnings.is_empty() {
            Outcome::Healthy(message)
        } else {
            Outcome::Degraded(format!("{message}, but {}", self.warnings.join(", ")))
        }
    }

    fn evidence(&mut self) -> Evidence {
        Evidence {
            body: self.body.take().map(|body| excerpt(&body)),
            headers: self.headers.take().map(|tell| tell()).unwrap_or_default(),
            certificates: self.chain.take().map(|c| c.certificates.clone()).unwrap_or_default(),
            addresses: self.addresses.iter().map(IpAddr::to_string).collect(),
        }
    }
}

impl Proxy {
    fn endpoint(&self, addresses: &[IpAddr]) -> Endpoint {
        let named = Endpoint::named(self.host.clone(), self.port);
        Endpoint { address: only(addresses), is_proxy: true, ..named }
    }
}

impl Endpoint {
    const fn named(name: Arc<str>, port: u16) -> Self {
        Self { name, address: None, port, is_proxy: false }
    }
}

impl fmt::Display for Endpoint {
    /// `10.0.0.5:5432`, `the proxy 10.0.0.1:3128`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_proxy {
            f.write_str("the proxy ")?;
        }
        let host = self.address.map_or_else(|| self.name.to_string(), |only| only.to_string());
        f.write_str(&net::endpoint(&host, self.port))
    }
}

/// The address, where there is no other.
fn only(addresses: &[IpAddr]) -> Option<IpAddr> {
    match addresses {
        [address] => Some(*address),
        _ => None,
    }
}

/// Whole microseconds: more digits would be noise.
fn add(spent: &mut Option<f64>, time: Duration) {
    let us = (spent.unwrap_or(0.0) * 1000.0).round() + time.as_micros() as f64;
    *spent = Some(us / 1000.0);
}

/// A duration for people: `5 s`, `1.5 s`, `500 ms`.
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_secs(1) {
            write!(f, "{} ms", self.0.as_millis())
        } else {
            write!(f, "{} s", self.0.as_millis() as f64 / 1000.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;

    #[test]
    fn durations_for_people() {
        for (ms, text) in
            [(1, "1 ms"), (999, "999 ms"), (1000, "1 s"), (1500, "1.5 s"), (60_000, "60 s")]
        {
            assert_eq!(Seconds(Duration::from_millis(ms)).to_string(), text);
        }
    }

    #[tokio::test]
    async fn a_timeout_says_what_was_waited_for_and_keeps_what_was_seen() {
        let address = IpAddr::from([10, 0, 0, 5]);
        let seen = Trace::observe("db", 5432, Duration::from_millis(5), |trace| async move {
            trace.note("tries", "1\n2");
            trace.connect_to("db", &[address]);
            pending().await
        });
        let seen = seen.await;
        let message = "timed out after 5 ms, connecting to 10.0.0.5:5432";
        assert_eq!(seen.outcome, Outcome::Unhealthy(message.to_owned()));
        assert_eq!(seen.response_time, None);
        assert_eq!(seen.address, Some(address));
        assert_eq!(seen.metadata["tries"], "1\\n2");
        assert_eq!(seen.evidence.addresses, ["10.0.0.5"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_phases_are_the_whole_time() {
        let ms = Duration::from_millis;
        let seen = Trace::observe("db", 5432, ms(1000), |trace| async move {
            sleep(ms(1)).await;
            trace.look_up("db");
            sleep(ms(2)).await;
            trace.connect_to("db", &[IpAddr::from([10, 0, 0, 5])]);
            sleep(ms(4)).await;
            trace.enter(Phase::Waiting);
            sleep(ms(8)).await;
            trace.enter(Phase::Receiving);
            sleep(ms(16)).await;
            trace.enter(Phase::Waiting);
            sleep(ms(32)).await;
            Ok("fine".to_owned())
        });
        let seen = seen.await;
        let Phases { dns, connect, tls, send, wait, receive } = seen.phases;
        assert_eq!((dns, connect, tls, send), (Some(3.0), Some(4.0), None, None));
        assert_eq!((wait, receive), (Some(40.0), Some(16.0)));
        assert_eq!(seen.response_time, Some(ms(63)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_asks_several_times_has_a_typical_response_time() {
        let ms = Duration::from_millis;
        let ask = |answer: fn() -> Result<String, Failure>| {
            Trace::observe("db", 0, ms(1000), move |trace| async move {
                trace.look_up("db");
                sleep(ms(5)).await;
                trace.enter(Phase::Waiting);
                sleep(ms(600)).await;
                trace.answered_in(ms(2));
                answer()
            })
        };
        let seen = ask(|| Err(Failure::Unexpected("slow".to_owned()))).await;
        assert_eq!(seen.response_time, Some(ms(2)));
        assert_eq!(seen.phases, Phases { wait: Some(2.0), ..Phases::default() });
        let failed = ask(|| Err(Failure::NoAnswer("gone".to_owned()))).await;
        assert_eq!(failed.response_time, None);
        assert_eq!((failed.phases.dns, failed.phases.wait), (Some(5.0), Some(600.0)));
    }

    #[tokio::test]
    async fn a_warning_makes_it_degraded() {
        let seen = Trace::observe("db", 5432, Duration::from_secs(1), |trace| async move {
            trace.warn("its certificate expires in 3 days".to_owned());
            Ok("200 OK".to_owned())
        });
        let message = "200 OK, but its certificate expires in 3 days".to_owned();
        assert_eq!(seen.await.outcome, Outcome::Degraded(message));
    }
}
