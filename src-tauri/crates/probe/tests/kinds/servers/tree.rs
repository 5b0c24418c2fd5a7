//! All processes of a server, also those that left its process group or lost
//! their parent.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Pid, Signal, kill_process};

use super::pause;

const MARK: &str = "PILOTLIGHT_TEST_SERVER";

/// A process and all that came of it, known by
/// 1. their parents,
/// 2. their process group,
/// 3. a mark in their environment.
pub struct Tree {
    root: i32,
    mark: String,
}

/// A command whose processes will be known.
pub struct Marked(String);

impl Marked {
    /// The processes of the started command.
    pub fn of(self, child: &Child) -> Tree {
        Tree { root: i32::try_from(child.id()).expect("a process id"), mark: self.0 }
    }
}

struct Process {
    parent: i32,
    group: i32,
    alive: bool,
}

impl Tree {
    /// Marks a command before it is started.
    pub fn mark(command: &mut Command) -> Marked {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let id = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        command.env(MARK, &id);
        Marked(format!("{MARK}={id}\0"))
    }

    /// Those that are alive.
    pub fn alive(&self) -> Vec<i32> {
        let all = processes();
        let mut found: Vec<i32> = all
            .iter()
            .filter(|(id, process)| {
                **id == self.root || process.group == self.root || self.marked(**id)
            })
            .map(|(id, _)| *id)
            .collect();
        let mut next = 0;
        while let Some(parent) = found.get(next).copied() {
            let children = all.iter().filter(|(_, process)| process.parent == parent);
            let new: Vec<i32> =
                children.map(|(id, _)| *id).filter(|id| !found.contains(id)).collect();
            found.extend(new);
            next += 1;
        }
        found.retain(|id| all[id].alive);
        found
    }

    /// Stops all where they stand, those that come meanwhile too. When this
    /// returns, none of their threads runs.
    pub fn freeze(&self) {
        loop {
            let mut running = self.alive();
            running.retain(|id| runs(*id));
            if running.is_empty() {
                return;
            }
            for id in running {
                send(id, Signal::STOP);
            }
            pause();
        }
    }

    /// Lets all go on.
    pub fn thaw(&self) {
        for id in self.alive() {
            send(id, Signal::CONT);
        }
    }

    /// Kills all and waits until none is left. They are stopped first, so
    /// that none starts another unseen; `reap` waits for the first of them.
    pub fn kill(&self, mut reap: impl FnMut()) {
        let mut left = self.alive();
        while !left.is_empty() {
            self.freeze();
            left = self.alive();
            for id in &left {
                send(*id, Signal::KILL);
            }
            reap();
            while {
                let all = processes();
                left.retain(|id| all.get(id).is_some_and(|process| process.alive));
                !left.is_empty()
            } {
                pause();
                reap();
            }
            left = self.alive();
        }
    }

    fn marked(&self, id: i32) -> bool {
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment.windows(self.mark.len()).any(|part| part == self.mark.as_bytes())
    }
}

fn send(id: i32, signal: Signal) {
    if let Some(id) = Pid::from_raw(id) {
        // It may have ended by itself.
        let _ = kill_process(id, signal);
    }
}

/// Whether one of its threads could still do something. One that waits in the
/// kernel (D) stops before it comes back, or waits for another that is stopped.
fn runs(id: i32) -> bool {
    threads(id).iter().any(|state| !matches!(state, 'T' | 't' | 'D' | 'Z' | 'X'))
}

/// Whether it is there, and holds its ports: the first thread may end before
/// the others.
fn lives(id: i32) -> bool {
    threads(id).iter().any(|state| !matches!(state, 'Z' | 'X'))
}

/// The states of its threads.
fn threads(id: i32) -> Vec<char> {
    let threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok())
        .filter_map(|stat| stat.rsplit_once(") ")?.1.chars().next())
        .collect()
}

fn processes() -> BTreeMap<i32, Process> {
    let entries = fs::read_dir("/proc").expect("a list of processes").flatten();
    entries
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // `1 (name, maybe with spaces) S parent group ...`
            let mut fields = stat.rsplit_once(") ")?.1.split(' ');
            let state = fields.next()?;
            let parent = fields.next()?.parse().ok()?;
            let group = fields.next()?.parse().ok()?;
            Some((id, Process { parent, group, alive: !matches!(state, "Z" | "X") || lives(id) }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use crate::servers::{Home, Server};

    /// A shell script that has begun when there is a file `begun`.
    fn script(text: &str) -> Server {
        let (server, [_]) = Server::start(
            Home::new(),
            |home, [_]| {
                let mut command = home.command("sh");
                command.args(["-c", text]);
                command
            },
            |home, [_]| home.join("begun").exists(),
        );
        server
    }

    #[test]
    fn who_left_the_group_and_the_parent_is_ended_too() {
        // One in a session of its own, whose parent is gone.
        let mut server = script("(setsid sh -c 'touch begun; exec sleep 600' &); exec sleep 600");
        crate::servers::eventually("all are there", &server, || server.processes() == 2);
        server.stop();
        assert_eq!(server.processes.tree.alive(), [] as [i32; 0]);
    }

    #[test]
    fn who_lost_its_first_process_is_ended_too() {
        let mut server = script("(setsid sh -c 'touch begun; exec sleep 600' &); exec sleep 600");
        super::send(server.processes.tree.root, super::Signal::KILL);
        crate::servers::eventually("one is left", &server, || server.processes() == 1);
        server.stop();
        assert_eq!(server.processes.tree.alive(), [] as [i32; 0]);
    }

    #[test]
    fn a_port_that_is_taken_meanwhile_is_changed() {
        let thief = Cell::new(None);
        let (server, [port]) = Server::start(
            Home::new(),
            |home, [port]| {
                if let Some((taken, listener)) = thief.take() {
                    thief.set(Some((taken, listener)));
                } else {
                    let listener = std::net::TcpListener::bind(("127.0.0.1", port));
                    thief.set(Some((port, listener.expect("it was free"))));
                }
                let mut command = home.command("redis-server");
                command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
                command
            },
            |_, [port]| crate::servers::talk::answers(port, "PING\r\n", "+PONG"),
        );
        let (taken, _listener) = thief.take().expect("taken");
        assert_ne!(port, taken);
        assert_eq!(server.port(), port);
    }

    #[test]
    #[should_panic(expected = "no such thing")]
    fn who_ends_at_once_is_told_with_its_log() {
        script("echo no such thing >&2; exit 3");
    }
}
