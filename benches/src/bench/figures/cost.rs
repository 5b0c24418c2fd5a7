use std::time::Duration;

use tokio::time::sleep;

use crate::bench::failure::Outcome;
use crate::bench::numbers::median;
use crate::bench::peers::{Kind, Peer, SHORTFALL};
use crate::bench::process::Window;
use crate::bench::program::{Check, Config, Watching};
use crate::bench::report::Line;
use crate::bench::servers::Exporter;
use crate::bench::stage::Stage;

pub(super) const HOW_HTTP: &str = "500 services every 1 s, a new connection for each check, \
    against 500 requests a second by each peer: a bare `reqwest` loop (one client, no kept \
    connections, the body not read), a loop over plain sockets, and blackbox_exporter asked for 500 \
    probes a second, of which only its own process counts. CPU of a window after a warm-up, by the \
    checks of that window; the peers take turns, five times, and medians count: of the costs, and of \
    the ratios within a round. The loops have two threads, as Pilotlight has.";
pub(super) const HOW_TCP: &str = "as HTTP; the peer connects and closes 500 times a second.";

const SERVICES: usize = 500;
const EVERY: Duration = Duration::from_secs(1);
const RATE: f64 = 500.0;
/// At most, of reqwest's.
const OF_REQWEST: f64 = 1.5;
/// At most, of the exporter's.
const OF_EXPORTER: f64 = 1.0 / 2.5;
/// At most, of the bare connections'.
const OF_CONNECT: f64 = 3.0;

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    Pilotlight(Check),
    Loop(Kind),
    Exporter,
}

/// The CPU of one HTTP check beside its peers.
pub(super) async fn http(stage: &Stage) -> Outcome<Vec<Line>> {
    let contenders = [
        Contender::Pilotlight(Check::Http),
        Contender::Loop(Kind::Reqwest),
        Contender::Exporter,
        Contender::Loop(Kind::Socket),
    ];
    let [own, reqwest, exporter, socket] = contest(stage, contenders).await?;
    let measured = own.text();
    Ok(vec![
        Line::new("one HTTP check beside a bare reqwest loop", &measured)
            .target("≤ 1.5 × reqwest", own.ratio_to(&reqwest) <= OF_REQWEST)
            .beside(own.beside("reqwest", &reqwest)),
        Line::new("one HTTP check beside blackbox_exporter", &measured)
            .target("≤ 0.4 × blackbox_exporter", own.ratio_to(&exporter) <= OF_EXPORTER)
            .beside(own.beside("blackbox_exporter", &exporter)),
        Line::new("one HTTP check beside a loop over plain sockets", &measured)
            .beside(own.beside("sockets", &socket)),
    ])
}

/// The CPU of one TCP check beside bare connections.
pub(super) async fn tcp(stage: &Stage) -> Outcome<Vec<Line>> {
    let contenders = [Contender::Pilotlight(Check::Tcp), Contender::Loop(Kind::Connect)];
    let [own, connect] = contest(stage, contenders).await?;
    Ok(vec![
        Line::new("one TCP check beside a bare connect loop", own.text())
            .target("≤ 3 × connect", own.ratio_to(&connect) <= OF_CONNECT)
            .beside(own.beside("connect", &connect)),
    ])
}

/// What one contender cost in each round, in CPU microseconds.
#[derive(Debug)]
struct Rounds(Vec<f64>);

impl Rounds {
    fn text(&self) -> String {
        format!("{:.0} µs", median(&self.0))
    }

    /// The median of the rounds' ratios: what two cost one after the other is
    /// compared, as a machine may be slower in one round than in another.
    fn ratio_to(&self, other: &Self) -> f64 {
        let ratios = self.0.iter().zip(&other.0).map(|(own, theirs)| own / theirs);
        median(&ratios.collect::<Vec<_>>())
    }

    fn beside(&self, name: &str, other: &Self) -> String {
        format!("{name} {}: {:.2} ×", other.text(), self.ratio_to(other))
    }
}

/// Measures all in turn, some rounds of it.
async fn contest<const N: usize>(
    stage: &Stage,
    contenders: [Contender; N],
) -> Outcome<[Rounds; N]> {
    let rounds = stage.pace.pick(5, 1);
    let mut costs = [const { Rounds(Vec::new()) }; N];
    for round in 1..=rounds {
        for (contender, costs) in contenders.iter().zip(&mut costs) {
            let us = cost_of(stage, *contender).await?;
            stage.say(&format!("  round {round} of {rounds}: {contender:?} {us:.0} µs"));
            costs.0.push(us);
        }
    }
    Ok(costs)
}

async fn cost_of(stage: &Stage, contender: Contender) -> Outcome<f64> {
    let length = stage.pace.seconds(9, 8);
    let settle = Duration::from_secs(3);
    match contender {
        Contender::Pilotlight(check) => {
            let config = Config::fleet(stage, check, SERVICES, EVERY);
            let cost = cost_of_checks(stage, &config, settle, length).await?;
            cost.at_rate(RATE)
        }
        Contender::Loop(kind) => {
            let targets = match kind {
                Kind::Socket | Kind::Connect => stage.nginx.addresses(),
                Kind::Reqwest | Kind::Exporter => stage.nginx.urls(),
            };
            let mut peer = Peer::start(stage, kind, RATE, &targets)?;
            sleep(settle).await;
            let (window, count) = peer.window(length).await?;
            Ok(window.us_each(count))
        }
        Contender::Exporter => {
            let mut exporter = Exporter::start(stage.folder()).await?;
            let urls = stage.nginx.urls();
            let targets: Vec<String> = urls.iter().map(|url| exporter.probe_of(url)).collect();
            let mut asking = Peer::start(stage, Kind::Exporter, RATE, &targets)?;
            sleep(settle).await;
            let (probing, asked) =
                tokio::join!(exporter.process.window(length), asking.window(length));
            Ok(probing?.us_each(asked?.1))
        }
    }
}

/// What checks cost in a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub window: Window,
    /// The checks that began in it.
    pub checks: u64,
}

impl Cost {
    /// CPU microseconds a check.
    pub fn us(&self) -> f64 {
        self.window.us_each(self.checks)
    }

    /// Checks a second.
    pub fn rate(&self) -> f64 {
        self.checks as f64 / self.window.seconds()
    }

    /// CPU microseconds a check, if there were about as many as there should
    /// be: what was not done cost nothing.
    fn at_rate(&self, rate: f64) -> Outcome<f64> {
        if self.rate() < rate * SHORTFALL {
            return Err(
                format!("it reached {:.0} of {rate:.0} checks a second", self.rate()).into()
            );
        }
        Ok(self.us())
    }
}

/// Lets Pilotlight watch, and measures what its checks cost after `settle`.
pub(super) async fn cost_of_checks(
    stage: &Stage,
    config: &Config,
    settle: Duration,
    length: Duration,
) -> Outcome<Cost> {
    let mut watching = Watching::start(stage, config)?;
    sleep(settle).await;
    let window = watching.process.window(length).await?;
    let watched = watching.stop().await?;
    let checks = watched.history.count(window.from, window.until)?;
    let bad = watched.history.not_healthy(window.from, window.until)?;
    if bad > 0 {
        return Err(format!("{bad} of {checks} checks failed, though nginx was well").into());
    }
    Ok(Cost { window, checks })
}
