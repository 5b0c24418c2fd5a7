//! What can be observed, and what follows when that changes.

use std::collections::BTreeSet;
use std::time::Duration;

use health::Event;
use tokio::time::Instant;

use super::Watcher;
use crate::sight::Sight;
use crate::sleep::Power;

/// How long the network may take to come back after a sleep.
const SETTLE: Duration = Duration::from_secs(5);
/// How often an absent network is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long a proof that the internet answers stands.
const PROOF: Duration = Duration::from_secs(5);
/// After a time without sight, checks start again spread over this.
const AFRESH: Duration = Duration::from_secs(2);

/// What is known of the internet, and the question under way.
#[derive(Default)]
pub(super) struct Connectivity {
    pub(super) proven: Option<Instant>,
    pub(super) question: Option<tokio::task::JoinHandle<bool>>,
    pub(super) ask_again: Option<Instant>,
}

impl Watcher {
    pub(super) fn internet_is_proven(&self) -> bool {
        self.connectivity.proven.is_some_and(|at| at.elapsed() < PROOF)
    }

    pub(super) fn ask_internet(&mut self) {
        if self.connectivity.question.is_none() {
            let question = (self.surroundings.internet_answers)(self.connectivity_targets.clone());
            self.connectivity.question = Some(tokio::spawn(question));
        }
    }

    pub(super) fn look_for_network(&mut self) {
        self.connectivity.ask_again = Some(Instant::now() + LOOK_AGAIN);
        let up = (self.surroundings.interface_is_up)();
        match self.sight {
            _ if !up => self.see(Sight::NoNetwork),
            Sight::JustWoke => self.see(Sight::Clear),
            Sight::NoNetwork => self.see(Sight::NoInternet),
            Sight::NoInternet | Sight::Clear | Sight::Asleep => {}
        }
        if up {
            self.ask_internet();
        }
    }

    pub(super) fn answered(&mut self, online: bool) {
        self.connectivity.question = None;
        let suspects = std::mem::take(&mut self.suspects);
        if online {
            self.connectivity.proven = Some(Instant::now());
            self.see(Sight::Clear);
            for finished in suspects {
                self.judge(finished);
            }
        } else if self.internet_is_proven() {
            // A service answered meanwhile: only the targets are blocked here.
            for finished in suspects {
                self.judge(finished);
            }
        } else {
            self.see(Sight::NoInternet);
        }
    }

    /// Changes what can be observed. What comes into sight is checked afresh.
    pub(super) fn see(&mut self, sight: Sight) {
        let before = std::mem::replace(&mut self.sight, sight);
        if before == sight {
            return;
        }
        self.stale = true;
        tracing::info!(?before, ?sight, "what can be observed changed");
        self.connectivity.ask_again = match sight {
            Sight::Clear | Sight::Asleep => None,
            Sight::JustWoke => Some(Instant::now() + SETTLE),
            Sight::NoInternet | Sight::NoNetwork => Some(Instant::now() + LOOK_AGAIN),
        };
        let at = self.surroundings.clock.now();
        let online = sight == Sight::Clear;
        let reason = sight.reason().unwrap_or("online").to_owned();
        let (mut lost, mut found) = (BTreeSet::new(), Vec::new());
        for id in self.targets.keys() {
            let reach = self.reach(id);
            match (before.hides(reach), sight.hides(reach)) {
                (false, true) => _ = lost.insert(id.clone()),
                (true, false) => found.push(id.clone()),
                _ => {}
            }
        }
        let mut events = vec![Event::ConnectivityChanged { at, online, reason }];
        events.extend(self.fleet.lose_sight(&lost, at));
        self.suspects.retain(|suspect| !lost.contains(&suspect.id));
        self.apply(events);
        let start = Instant::now();
        let gap = AFRESH / u32::try_from(found.len().max(1)).unwrap_or(u32::MAX);
        for (n, id) in (0..).zip(&found) {
            self.schedule.hasten(id, start + gap * n);
        }
    }

    pub(super) fn notice_sleep(&mut self, planned: Option<Instant>) {
        if self.sleep.slept(self.surroundings.clock.now(), Instant::now(), planned) {
            self.wake();
        }
    }

    pub(super) fn power(&mut self, power: Power) {
        match power {
            Power::Sleeping => {
                self.checks.abandon();
                self.see(Sight::Asleep);
            }
            Power::Awake => self.wake(),
        }
    }

    /// Drops what was under way and waits until the network answers, at most
    /// [`SETTLE`].
    fn wake(&mut self) {
        self.checks.abandon();
        self.suspects.clear();
        self.connectivity.proven = None;
        if let Some(question) = self.connectivity.question.take() {
            question.abort();
        }
        self.see(Sight::JustWoke);
        self.ask_internet();
    }
}
