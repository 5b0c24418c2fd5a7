//! A network of a test's own: the test runs itself again inside of one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use crate::errors::documented;

const INSIDE: &str = "PILOTLIGHT_TEST_INSIDE";
/// Goes before what the outer test is told.
const MARK: &str = "\u{1}";

/// How ping is permitted there.
#[derive(Debug, Clone, Copy)]
pub enum Permit {
    /// Raw sockets, and no datagram sockets for ICMP.
    Raw,
    /// The other way round.
    Datagram,
    /// Neither.
    Nothing,
}

impl Permit {
    /// A shell's commands that see to it, and then run the test.
    fn script(self) -> &'static str {
        match self {
            Self::Raw => "ip link set lo up && exec \"$@\"",
            Self::Datagram => {
                "ip link set lo up && echo '0 0' > /proc/sys/net/ipv4/ping_group_range && \
                 exec setpriv --inh-caps=-net_raw --bounding-set=-net_raw \"$@\""
            }
            Self::Nothing => {
                "ip link set lo up && \
                 exec setpriv --inh-caps=-net_raw --bounding-set=-net_raw \"$@\""
            }
        }
    }
}

/// Whether this is the test inside of its own network. Outside, runs it there,
/// asserts that it succeeds, and documents what it told.
pub fn inside(test: &str, permit: Permit) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let mut command = Command::new("unshare");
    if !rustix::process::getuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let output = command
        .args(["--net", "--mount", "sh", "-c", permit.script(), "sh"])
        .arg(std::env::current_exe().expect("it runs"))
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare is there");
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{told}\n{errors}");
    for line in told.lines().filter_map(|line| line.split_once(MARK)) {
        let parts: Vec<_> = line.1.split(MARK).collect();
        let [kind, situation, message] = parts.as_slice() else { panic!("{line:?}") };
        documented(kind, situation, message);
    }
    false
}

/// Makes that address the resolver of this machine, for this process.
pub fn name_resolver(address: Ipv4Addr) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(&file, format!("nameserver {address}\n")).expect("written");
    let mut mount = Command::new("mount");
    mount.arg("--bind").arg(file.path()).arg("/etc/resolv.conf");
    assert!(mount.status().expect("mount is there").success());
}

/// Has it documented outside: one process alone writes there.
pub fn tell(kind: &str, situation: &str, message: &str) {
    println!("{MARK}{kind}{MARK}{situation}{MARK}{message}");
}

/// Answers pings to 127.0.0.1 in place of the system, with a raw socket.
pub struct Host(JoinHandle<()>);

impl Host {
    /// Answers the request of each number after that time, or not at all.
    pub fn answering(delay: impl Fn(u16) -> Option<Duration> + Send + 'static) -> Self {
        std::fs::write("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1").expect("its own network");
        let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).expect("permitted");
        raw.set_nonblocking(true).expect("a socket");
        let socket = Arc::new(UdpSocket::from_std(raw.into()).expect("a socket"));
        Self(tokio::spawn(async move {
            let mut packet = [0; 2048];
            loop {
                let length = socket.recv(&mut packet).await.expect("a packet");
                // After the IPv4 header, which has no options here.
                let message = &packet[20..length];
                if message[0] != 8 {
                    continue;
                }
                let sequence = u16::from_be_bytes([message[6], message[7]]);
                if let Some(delay) = delay(sequence) {
                    let (socket, reply) = (socket.clone(), reply(message));
                    tokio::spawn(async move {
                        tokio::time::sleep(delay).await;
                        let to = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
                        socket.send_to(&reply, to).await.expect("sent");
                    });
                }
            }
        }))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The same with another type; the checksum makes up for it (RFC 1624).
fn reply(request: &[u8]) -> Vec<u8> {
    let mut reply = request.to_vec();
    reply[0] = 0;
    let sum = u32::from(u16::from_be_bytes([reply[2], reply[3]])) + 0x0800;
    let sum = u16::try_from((sum & 0xffff) + (sum >> 16)).expect("folded");
    reply[2..4].copy_from_slice(&sum.to_be_bytes());
    reply
}
