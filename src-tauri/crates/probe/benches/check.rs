//! What a check costs in CPU, beside what the same thing costs bare: a request
//! of reqwest over a new connection, a connect, a handshake. Prints tables.
//!
//! The server is this program once more, as a process whose time is not
//! counted. All take turns in short rounds, so that what else the machine does
//! falls on all of them; a ratio is the median of those within a round. Of a
//! kind that arguments name one of, only what they name is measured:
//! `cargo bench -p probe --bench check -- Steady "one worker"`.

use std::error::Error;
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use probe::{Context, Kind, Probe};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::interval;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Every connection leaves a port behind that rests for a while.
const PORTS: usize = 16;
const TLS_PORTS: usize = 4;
const ROUNDS: usize = 9;
const CHECKS: u32 = 500;
const AT_ONCE: usize = 4;
const BURST: u32 = 10;
const EVERY: Duration = Duration::from_millis(2);
const TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: application/json\r\n\
                        Content-Length: 15\r\nConnection: keep-alive\r\n\r\n{\"status\":\"ok\"}";
const SERVE: &str = "serve";
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";

fn main() -> Result<(), Box<dyn Error>> {
    // What is bare here takes the process's own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if std::env::args().any(|argument| argument == SERVE) {
        return serve();
    }
    let server = Server::start()?;
    for (flavour, runtime) in wanted(runtimes()?, |(flavour, _)| (*flavour).to_owned()) {
        let paces = [Pace::Crowded, Pace::Steady, Pace::Bursts];
        for pace in wanted(paces, |pace| format!("{pace:?}")) {
            println!("\n{flavour}, {pace:?}");
            measure(&runtime, pace, &server)?;
        }
    }
    Ok(())
}

/// Those of a kind that arguments name, or all.
fn wanted<T>(all: impl IntoIterator<Item = T>, name: impl Fn(&T) -> String) -> Vec<T> {
    let is_named = |one: &T| std::env::args().any(|argument| argument == name(one));
    let (named, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_named);
    if named.is_empty() { others } else { named }
}

/// How checks follow each other.
#[derive(Debug, Clone, Copy)]
enum Pace {
    /// One at once after the other, a few at a time.
    Crowded,
    /// One after the other in time: in between there is nothing to do.
    Steady,
    /// As many in the same time, but several at once.
    Bursts,
}

fn runtimes() -> Result<[(&'static str, Runtime); 3], Box<dyn Error>> {
    let workers = |count| Builder::new_multi_thread().worker_threads(count).enable_all().build();
    let alone = Builder::new_current_thread().enable_all().build()?;
    Ok([("two workers", workers(2)?), ("one worker", workers(1)?), ("current thread", alone)])
}

type Doing = Pin<Box<dyn Future<Output = ()> + Send>>;
type Once = Box<dyn Fn(usize) -> Doing + Send + Sync>;

/// Something to measure: does it once, at one of the server's ports.
struct Subject {
    name: &'static str,
    /// What it is held against.
    peer: &'static str,
    once: Once,
}

impl Subject {
    fn new<O, D>(name: &'static str, peer: &'static str, once: O) -> Self
    where
        O: Fn(usize) -> D + Send + Sync + 'static,
        D: Future<Output = ()> + Send + 'static,
    {
        Self { name, peer, once: Box::new(move |n| Box::pin(once(n))) }
    }

    fn check(
        name: &'static str,
        peer: &'static str,
        ports: &[u16],
        kind: Kind,
        keys: impl Fn(u16) -> Value,
    ) -> Result<Self, Box<dyn Error>> {
        let probes: Vec<Arc<dyn Probe>> = ports
            .iter()
            .map(|port| {
                let keys = keys(*port);
                let probe = kind.probe(keys.as_object().ok_or("no table")?);
                Ok(probe.map_err(|mistakes| mistakes[0].message.clone())?.into())
            })
            .collect::<Result<_, Box<dyn Error>>>()?;
        Ok(Self::new(name, peer, move |n| {
            let probe = probes[n % probes.len()].clone();
            async move {
                let seen = probe.check(TIMEOUT, &Context::default()).await;
                assert!(seen.response_time.is_some(), "{seen:?}");
            }
        }))
    }
}

fn subjects(server: &Server) -> Result<Vec<Arc<Subject>>, Box<dyn Error>> {
    let (ports, tls_ports) = server.ports.split_at(PORTS);
    let connector = TlsConnector::from(Arc::new(server.trusted()?));
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build()?;
    let url = |port: u16| format!("http://127.0.0.1:{port}/health");
    let addresses: Vec<_> =
        ports.iter().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, *port))).collect();
    let urls: Vec<_> = ports.iter().map(|port| url(*port)).collect();
    let subjects = [
        Subject::new("bare reqwest", "bare reqwest", move |n| {
            let request = client.get(&urls[n % urls.len()]);
            async move { assert!(request.send().await.expect("a response").status().is_success()) }
        }),
        Subject::check(
            "http",
            "bare reqwest",
            ports,
            Kind::Http,
            |port| json!({"url": url(port)}),
        )?,
        Subject::check("http, its JSON judged", "bare reqwest", ports, Kind::Http, |port| {
            let expected = json!([{"path": "$.status", "equals": "ok"}]);
            json!({"url": url(port), "headers": {"X-Api-Key": "x"}, "expect_json": expected})
        })?,
        Subject::new("bare connect", "bare connect", move |n| {
            let connecting = TcpStream::connect(addresses[n % addresses.len()]);
            async move { drop(connecting.await.expect("a connection")) }
        }),
        Subject::check(
            "tcp",
            "bare connect",
            ports,
            Kind::Tcp,
            |port| json!({"host": "127.0.0.1", "port": port}),
        )?,
        Subject::new("bare TLS", "bare TLS", {
            let ports = tls_ports.to_vec();
            move |n| {
                let port = ports[n % ports.len()];
                let connector = connector.clone();
                async move {
                    let connecting = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
                    let name = ServerName::from(IpAddr::from(Ipv4Addr::LOCALHOST));
                    let stream = connecting.await.expect("a connection");
                    drop(connector.connect(name, stream).await.expect("a handshake"));
                }
            }
        }),
        Subject::check(
            "tls",
            "bare TLS",
            tls_ports,
            Kind::Tls,
            |port| json!({"host": "127.0.0.1", "port": port, "ca_file": server.certificate()}),
        )?,
        Subject::new("nothing", "nothing", |_| async {}),
    ];
    Ok(subjects.into_iter().map(Arc::new).collect())
}

fn measure(runtime: &Runtime, pace: Pace, server: &Server) -> Result<(), Box<dyn Error>> {
    let subjects = wanted(subjects(server)?, |subject| subject.name.to_owned());
    let mut rounds: Vec<Vec<f64>> = Vec::new();
    for _ in 0..=ROUNDS {
        let mut times = Vec::new();
        for subject in &subjects {
            // A task, as the app's engine is one.
            times.push(runtime.block_on(runtime.spawn(microseconds(subject.clone(), pace)))?);
        }
        rounds.push(times);
    }
    // The first warms up.
    let rounds = &rounds[1..];
    for (row, subject) in subjects.iter().enumerate() {
        let time = median(rounds.iter().map(|round| round[row]));
        let peer = subjects.iter().position(|other| other.name == subject.peer);
        let ratio = peer.map(|peer| median(rounds.iter().map(|round| round[row] / round[peer])));
        let ratio = ratio.map(|ratio| format!("{ratio:6.2} ×")).unwrap_or_default();
        println!("{:24} {time:7.1} µs {ratio}", subject.name);
    }
    Ok(())
}

/// CPU time of one, of many.
async fn microseconds(subject: Arc<Subject>, pace: Pace) -> f64 {
    let before = cpu_time();
    let mut doing = JoinSet::new();
    let (mut steady, mut bursts) = (interval(EVERY), interval(EVERY * BURST));
    for n in 0..CHECKS {
        match pace {
            Pace::Steady => drop(steady.tick().await),
            Pace::Bursts if n % BURST == 0 => drop(bursts.tick().await),
            Pace::Crowded if doing.len() == AT_ONCE => drop(doing.join_next().await),
            Pace::Crowded | Pace::Bursts => {}
        }
        doing.spawn((subject.once)(n as usize));
        while doing.try_join_next().is_some() {}
    }
    while let Some(done) = doing.join_next().await {
        done.expect("no panic");
    }
    cpu_time().saturating_sub(before).as_secs_f64() * 1e6 / f64::from(CHECKS)
}

#[cfg(unix)]
fn cpu_time() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    spent.try_into().expect("a positive time")
}

/// Where there is no such clock at hand: the time of day.
#[cfg(not(unix))]
fn cpu_time() -> Duration {
    static START: std::sync::LazyLock<tokio::time::Instant> =
        std::sync::LazyLock::new(tokio::time::Instant::now);
    START.elapsed()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// This program as a server, until it is dropped.
struct Server {
    process: Child,
    /// Those in the clear first.
    ports: Vec<u16>,
    /// With its certificate and its key.
    folder: TempDir,
}

impl Server {
    fn start() -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        std::fs::write(folder.path().join(CERTIFICATE), own.cert.pem())?;
        std::fs::write(folder.path().join(KEY), own.signing_key.serialize_pem())?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(SERVE).current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let mut told = String::new();
        let output = process.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut told)?;
        let ports = told.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { process, ports, folder })
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join(CERTIFICATE)
    }

    /// A client that trusts it, and shakes hands in full every time.
    fn trusted(&self) -> Result<ClientConfig, Box<dyn Error>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.certificate())?)?;
        let mut config =
            ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its input ends with this.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn serve() -> Result<(), Box<dyn Error>> {
    let certificate = CertificateDer::from_pem_file(CERTIFICATE)?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::from_pem_file(KEY)?)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut ports = Vec::new();
        for place in 0..PORTS + TLS_PORTS {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            ports.push(listener.local_addr()?.port().to_string());
            let acceptor = (place >= PORTS).then(|| acceptor.clone());
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    match acceptor.clone() {
                        None => tokio::spawn(answer(stream)),
                        Some(acceptor) => tokio::spawn(async move {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                answer(stream).await;
                            }
                        }),
                    };
                }
            });
        }
        println!("{}", ports.join(" "));
        // Until whoever started it ends.
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
        Ok(())
    })
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut request = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut request).await {
        if request.ends_with(b"\r\n\r\n") {
            request.clear();
            if stream.write_all(ANSWER).await.is_err() {
                break;
            }
        }
    }
}
