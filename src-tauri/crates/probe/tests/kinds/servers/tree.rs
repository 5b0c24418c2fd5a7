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

    /// Sends a signal to all, and to those that came meanwhile.
    pub fn signal(&self, signal: Signal) {
        let mut told = Vec::new();
        loop {
            let new: Vec<_> = self.alive().into_iter().filter(|id| !told.contains(id)).collect();
            if new.is_empty() {
                return;
            }
            for id in new {
                send(id, signal);
                told.push(id);
            }
        }
    }

    /// Kills all and waits until none is left. They are stopped first, so
    /// that none starts another unseen; `reap` waits for the first of them.
    pub fn kill(&self, mut reap: impl FnMut()) {
        let mut left = self.alive();
        while !left.is_empty() {
            self.signal(Signal::STOP);
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
            Some((id, Process { parent, group, alive: !matches!(state, "Z" | "X") }))
        })
        .collect()
}
