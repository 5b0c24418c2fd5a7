//! What Pilotlight is compared with: plain loops that ask at a steady rate,
//! each in a process of its own, so that it is measured in the same way.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{ChildStdin, ChildStdout, Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::{Client, Url};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};

use super::failure::{Explain, Failure, Outcome};
use super::process::guard::Files;
use super::process::{Process, Talk, Terms, Window};
use super::stage::Stage;

/// How long the slowest answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How much of its rate has to be reached. What a request costs is counted by
/// those that were answered, so what a busy machine leaves undone changes little.
pub(crate) const SHORTFALL: f64 = 0.5;

/// Beyond, it waits for an answer before it asks again.
const MOST_AT_ONCE: usize = 256;

/// What a peer does with each target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Requests it with reqwest over a connection of its own, and reads the
    /// head of the answer.
    Reqwest,
    /// The same over a plain TCP stream, by hand.
    Socket,
    /// Connects to it, no more.
    Connect,
    /// Requests it with reqwest over connections that are kept, and reads the
    /// body: asks an exporter for probes.
    Exporter,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Reqwest => "reqwest",
            Self::Socket => "socket",
            Self::Connect => "connect",
            Self::Exporter => "exporter",
        }
    }
}

/// What a peer asks, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What it does.
    kind: Kind,
    /// How often a second.
    #[arg(long)]
    rate: f64,
    /// Whom it asks, in turn: URLs, or addresses where it only connects.
    #[arg(long = "target", required = true)]
    targets: Vec<String>,
}

/// A running peer.
#[derive(Debug)]
pub(crate) struct Peer {
    process: Process,
    rate: f64,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts one.
    pub fn start(stage: &Stage, kind: Kind, rate: f64, targets: &[String]) -> Outcome<Self> {
        let own = std::env::current_exe().explain("the benchmark does not find itself")?;
        let mut command = Command::new(own);
        command.args(["peer", kind.name(), "--rate", &rate.to_string()]);
        for target in targets {
            command.args(["--target", target]);
        }
        let terms = Terms { talk: Talk::Both, files: Files::AsUsual };
        let name = format!("the peer `{}`", kind.name());
        let mut process = Process::start(&name, &command, terms, stage.folder())?;
        let ask = process.stdin()?;
        let answers = BufReader::new(process.stdout()?);
        Ok(Self { process, rate, ask, answers })
    }

    /// What it uses in a window, and how much it asks in it.
    pub async fn window(&mut self, length: Duration) -> Outcome<(Window, u64)> {
        let before = self.answered()?;
        let window = self.process.window(length).await?;
        let count = self.answered()? - before;
        if (count as f64) < self.rate * window.seconds() * SHORTFALL {
            let rate = count as f64 / window.seconds();
            return Err(format!(
                "a peer reached {rate:.0} of {:.0} a second: this machine is too busy",
                self.rate
            )
            .into());
        }
        Ok((window, count))
    }

    /// How many answers it has had.
    fn answered(&mut self) -> Outcome<u64> {
        const LOST: &str = "a peer does not say how far it is";
        self.ask.write_all(b"\n").explain(LOST)?;
        let mut line = String::new();
        self.answers.read_line(&mut line).explain(LOST)?;
        let numbers = line.trim().split_once(' ').ok_or_else(|| Failure::from(LOST))?;
        let failed: u64 = numbers.1.parse().explain(LOST)?;
        if failed > 0 {
            let said = self.process.last_words();
            return Err(format!("{failed} requests of a peer failed. It said: {said}").into());
        }
        numbers.0.parse().explain(LOST)
    }
}

/// How a peer fares.
#[derive(Debug, Default)]
struct Tally {
    answered: AtomicU64,
    failed: AtomicU64,
}

/// Is a peer, until standard input ends. Each line of it is answered with how
/// many requests were answered and how many failed.
pub(crate) fn run(arguments: &Arguments) -> Outcome<ExitCode> {
    let asker = Arc::new(Asker::new(arguments.kind, &arguments.targets)?);
    // As many threads as Pilotlight has.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .explain("no threads to be had: end other programs")?;
    let tally = Arc::new(Tally::default());
    let every = Duration::from_secs_f64(1.0 / arguments.rate);
    runtime.spawn(pace(asker, every, tally.clone()));
    for line in std::io::stdin().lock().lines() {
        line.explain("standard input cannot be read")?;
        let answered = tally.answered.load(Ordering::Relaxed);
        println!("{answered} {}", tally.failed.load(Ordering::Relaxed));
    }
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

/// Asks every so often, whether or not the last answer has come.
async fn pace(asker: Arc<Asker>, every: Duration, tally: Arc<Tally>) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let room = Arc::new(Semaphore::new(MOST_AT_ONCE));
    for n in 0.. {
        ticks.tick().await;
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let (asker, tally) = (asker.clone(), tally.clone());
        tokio::spawn(async move {
            tally.count(asker.ask(n).await);
            drop(place);
        });
    }
}

impl Tally {
    /// Counts one answer; the first failure is told.
    fn count(&self, answer: Outcome<()>) {
        let count = if answer.is_ok() { &self.answered } else { &self.failed };
        if count.fetch_add(1, Ordering::Relaxed) == 0
            && let Err(failure) = answer
        {
            eprintln!("{failure}");
        }
    }
}

#[derive(Debug)]
enum Asker {
    Reqwest(Client, Vec<Url>),
    Socket(Vec<(SocketAddr, Vec<u8>)>),
    Connect(Vec<SocketAddr>),
    Exporter(Client, Vec<Url>),
}

impl Asker {
    fn new(kind: Kind, targets: &[String]) -> Outcome<Self> {
        let urls = || -> Outcome<Vec<Url>> {
            targets.iter().map(|target| target.parse().explain(target)).collect()
        };
        let addresses = || -> Outcome<Vec<SocketAddr>> {
            targets.iter().map(|target| target.parse().explain(target)).collect()
        };
        Ok(match kind {
            Kind::Reqwest => Self::Reqwest(client(0)?, urls()?),
            Kind::Exporter => Self::Exporter(client(usize::MAX)?, urls()?),
            Kind::Connect => Self::Connect(addresses()?),
            Kind::Socket => {
                let request = |address: SocketAddr| {
                    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n");
                    (address, request.into_bytes())
                };
                Self::Socket(addresses()?.into_iter().map(request).collect())
            }
        })
    }

    /// Asks the n-th time; an error unless the answer is good.
    async fn ask(&self, n: usize) -> Outcome<()> {
        match self {
            Self::Reqwest(client, urls) => {
                let response = client.get(urls[n % urls.len()].clone()).send().await;
                good(response.explain("no answer")?.status().is_success())
            }
            Self::Exporter(client, urls) => {
                let response = client.get(urls[n % urls.len()].clone()).send().await;
                let text = response.explain("no answer")?.text().await.explain("no body")?;
                good(text.contains("\nprobe_success 1\n"))
            }
            Self::Socket(targets) => {
                let (address, request) = &targets[n % targets.len()];
                good(head(*address, request).await.explain("no answer")?)
            }
            Self::Connect(addresses) => {
                let connected = TcpStream::connect(addresses[n % addresses.len()]).await;
                connected.map(drop).explain("no connection")
            }
        }
    }
}

fn good(answer: bool) -> Outcome<()> {
    if answer { Ok(()) } else { Err("a bad answer".into()) }
}

/// Sends a request and reads the head of the answer: whether it is 200.
async fn head(address: SocketAddr, request: &[u8]) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut answer = [0; 1_024];
    let mut length = 0;
    while !answer[..length].windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let more = stream.read(&mut answer[length..]).await?;
        if more == 0 {
            return Ok(false);
        }
        length += more;
    }
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}

/// A client as plain as it gets. `idle` connections to a host are kept.
fn client(idle: usize) -> Outcome<Client> {
    // Whoever is first wins, and both are the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .no_proxy()
        .timeout(TIMEOUT)
        .pool_max_idle_per_host(idle)
        .build()
        .explain("reqwest cannot be set up")
}
