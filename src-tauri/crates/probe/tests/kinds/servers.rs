//! Real servers, each started for one test in a temporary directory and on
//! free loopback ports, and gone with it.

mod home;
mod ports;
mod talk;
mod tree;

pub mod bind;
pub mod dovecot;
pub mod grpcio;
pub mod mariadb;
pub mod mosquitto;
pub mod nats;
pub mod nginx;
pub mod postgres;
pub mod proxy;
pub mod rabbitmq;
pub mod redis;
pub mod smtp;
pub mod sshd;
pub mod websockets;

use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command};
use std::time::Duration;

use tokio::time::Instant;

pub use home::{Home, mode, run};
pub use ports::free_ports;
use tree::Tree;

/// How long a server has to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server with all its processes. Dropping it ends them.
pub struct Server {
    processes: Processes,
    home: Home,
    port: u16,
}

struct Processes {
    child: Child,
    tree: Tree,
    ended: bool,
}

impl Server {
    /// Starts a server in `home` on `N` free ports, the first of which is its
    /// main one, and waits until `answers`. `command` writes what the server
    /// needs and says how to run it in the foreground. When somebody takes a
    /// port meanwhile, it starts over with others.
    pub fn start<const N: usize>(
        home: Home,
        command: impl Fn(&Home, [u16; N]) -> Command,
        answers: impl Fn(&Home, [u16; N]) -> bool,
    ) -> (Self, [u16; N]) {
        let deadline = Instant::now() + PATIENCE;
        'ports: loop {
            let ports = free_ports::<N>();
            let mut command = command(&home, ports);
            let mut processes = Processes::start(&home, &mut command);
            loop {
                let answered = talk::impatiently(|| answers(&home, ports));
                if let Some(status) = processes.child.try_wait().expect("a child") {
                    let log = home.log_tail();
                    assert!(
                        taken(&log) && Instant::now() < deadline,
                        "{command:?} ended, {status}:\n{log}"
                    );
                    continue 'ports;
                }
                if answered {
                    return (Self { processes, home, port: ports[0] }, ports);
                }
                assert!(
                    Instant::now() < deadline,
                    "{command:?} does not answer:\n{}",
                    home.log_tail()
                );
                pause();
            }
        }
    }

    /// Its main port, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its files are.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// What it wrote to its log last.
    pub fn log_tail(&self) -> String {
        self.home.log_tail()
    }

    /// Ends it with all its processes; its ports refuse connections then.
    pub fn stop(&mut self) {
        self.processes.end();
    }

    /// Stops all its processes where they stand: it accepts, and says nothing.
    pub fn hang(&self) {
        self.processes.tree.freeze();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.processes.tree.thaw();
    }

    /// How many processes it has.
    pub fn processes(&self) -> usize {
        if self.processes.ended { 0 } else { self.processes.tree.alive().len() }
    }
}

impl Processes {
    fn start(home: &Home, command: &mut Command) -> Self {
        let mark = Tree::mark(command);
        let child = home.spawn(command);
        Self { tree: mark.of(&child), child, ended: false }
    }

    fn end(&mut self) {
        if !self.ended {
            self.tree.kill(|| {
                let _ = self.child.try_wait();
            });
            let _ = self.child.wait();
            self.ended = true;
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether somebody listens there.
pub fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn taken(log: &str) -> bool {
    let log = log.to_lowercase();
    ["in use", "eaddrinuse", "already bound", "could not bind"]
        .iter()
        .any(|words| log.contains(words))
}

/// Between two looks at what no signal is given for.
fn pause() {
    #[allow(clippy::disallowed_methods, reason = "outside the runtime: before and after a test")]
    std::thread::sleep(Duration::from_millis(10));
}

/// Looks until it is so.
fn eventually(what: &str, server: &Server, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !talk::impatiently(&is_so) {
        assert!(Instant::now() < deadline, "{what}:\n{}", server.log_tail());
        pause();
    }
}

/// What each server is held to: `answers` is true of the running server and
/// false of one that hangs or is stopped.
fn obeys(server: &mut Server, answers: impl Fn() -> bool) {
    eventually("it answers", server, &answers);
    let running = server.processes();
    assert!(running > 0);
    server.hang();
    assert!(!talk::impatiently(&answers), "it hangs");
    assert!(listens(server.port()), "and still accepts");
    server.resume();
    eventually("it goes on", server, &answers);
    server.stop();
    assert!(!listens(server.port()), "its port refuses");
    assert!(!answers(), "it is gone");
    assert_eq!(server.processes.tree.alive(), [] as [i32; 0]);
}
