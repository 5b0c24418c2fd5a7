//! The servers of Debian's packages, in the folder of the run and on free
//! loopback ports.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::failure::{Explain, Outcome};
use super::ports;
use super::process::guard::Files;
use super::process::{Process, Talk, Terms};

const PATIENCE: Duration = Duration::from_secs(20);
const TERMS: Terms = Terms { talk: Talk::Nothing, files: Files::Many };
/// nginx listens on as many ports: checks that close their connection leave
/// their own port taken for a minute, but only towards one of these.
const NGINX_PORTS: usize = 8;

/// An nginx that answers every request with 200 and a short body.
#[derive(Debug)]
pub(crate) struct Nginx {
    ports: Vec<u16>,
    _process: Process,
}

impl Nginx {
    /// Starts one and waits until it answers.
    pub async fn start(folder: &Path) -> Outcome<Self> {
        let ports = ports::free(NGINX_PORTS)?;
        let config = folder.join("nginx.conf");
        let written = fs::write(&config, nginx_config(folder, &ports));
        written.explain("the temporary folder cannot be written")?;
        // Where users who are not root have no path to it.
        let name = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
        let mut command = Command::new(name);
        command.arg("-p").arg(folder).args(["-e", "stderr", "-c"]).arg(config);
        let process = started("nginx", "nginx-light", &command, folder, ports[0]).await?;
        Ok(Self { ports, _process: process })
    }

    /// The port that the n-th service asks.
    pub fn port(&self, n: usize) -> u16 {
        self.ports[n % self.ports.len()]
    }

    /// Every address of it, as `host:port`.
    pub fn addresses(&self) -> Vec<String> {
        self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect()
    }

    /// Every address of it, as a URL.
    pub fn urls(&self) -> Vec<String> {
        self.addresses().into_iter().map(|address| format!("http://{address}/")).collect()
    }
}

/// One process: with a master it would be two, and one more to lose.
fn nginx_config(folder: &Path, ports: &[u16]) -> String {
    let folder = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}/{kind};\n"))
        .concat();
    let listen: String = ports.iter().fold(String::new(), |listen, port| {
        listen + &format!("listen 127.0.0.1:{port} backlog=4096;\n")
    });
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log stderr;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\naccess_log off;\n{temporary}\
         server {{\n{listen}\
         location / {{ default_type text/plain; return 200 \"fine\\n\"; }}\n}}\n}}\n"
    )
}

/// Prometheus' `blackbox_exporter`, with its plainest HTTP module.
#[derive(Debug)]
pub(crate) struct Exporter {
    /// The process that probes.
    pub process: Process,
    port: u16,
}

impl Exporter {
    /// The command of Debian's package.
    pub const COMMAND: &str = "prometheus-blackbox-exporter";

    /// Starts one and waits until it answers.
    pub async fn start(folder: &Path) -> Outcome<Self> {
        let port = ports::free(1)?[0];
        let config = folder.join("blackbox.yml");
        let module = "modules:\n  http_2xx:\n    prober: http\n    timeout: 5s\n    http:\n      \
                      preferred_ip_protocol: ip4\n";
        fs::write(&config, module).explain("the temporary folder cannot be written")?;
        let mut command = Command::new(Self::COMMAND);
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let process = started("blackbox_exporter", Self::COMMAND, &command, folder, port).await?;
        Ok(Self { process, port })
    }

    /// Where to ask it for a probe of `url`.
    pub fn probe_of(&self, url: &str) -> String {
        format!("http://127.0.0.1:{}/probe?module=http_2xx&target={url}", self.port)
    }
}

async fn started(
    name: &str,
    package: &str,
    command: &Command,
    folder: &Path,
    port: u16,
) -> Outcome<Process> {
    let mut process = Process::start(name, command, TERMS, folder)?;
    let deadline = Instant::now() + PATIENCE;
    while !answers(port) {
        process.lives().explain(&format!(
            "{name} does not start: install the package {package}. It said: {}",
            process.last_words()
        ))?;
        if Instant::now() > deadline {
            let said = process.last_words();
            return Err(format!("{name} does not answer on port {port}. It said: {said}").into());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(process)
}

fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(head.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}
