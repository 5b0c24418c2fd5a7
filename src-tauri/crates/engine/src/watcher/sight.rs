//! What can be observed, and what follows when that changes.

use std::collections::BTreeSet;
use std::time::Duration;

use health::{Event, ServiceId, ServiceStatus};
use tokio::time::Instant;

use super::{Judgeable, Watcher};
use crate::reach::Reach;
use crate::sight::Sight;
use crate::sleep::Power;

/// How long the network may take to come back after a sleep.
const SETTLE: Duration = Duration::from_secs(5);
/// How often an absent network is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long a proof that the internet answers stands.
const PROOF: Duration = Duration::from_secs(5);
/// Time awake (the clock stands still in sleep) after which a sleep that was
/// announced is taken to be over.
const OVERSLEPT: Duration = Duration::from_secs(60);
/// Services asked whether only the connectivity targets are blocked.
const WITNESSES: usize = 3;
/// After a time without sight, checks start again spread over this.
const AFRESH: Duration = Duration::from_secs(2);

/// What is known of the internet, and the question under way.
#[derive(Default)]
pub(super) struct Connectivity {
    pub(super) proven: Option<Instant>,
    pub(super) question: Option<tokio::task::JoinHandle<bool>>,
    pub(super) ask_again: Option<Instant>,
    /// The connectivity targets did not answer the failures that wait.
    denied: bool,
    /// Services whose answer would show that only the targets are blocked.
    pub(super) witnesses: BTreeSet<ServiceId>,
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

    /// A failure of a public service, before it is known whether the internet
    /// is there.
    pub(super) fn suspect(&mut self, finished: Judgeable) {
        self.connectivity.witnesses.remove(&finished.id);
        let asking = !self.connectivity.witnesses.is_empty();
        self.suspects.push(finished);
        if self.connectivity.question.is_some() || asking {
            return;
        }
        if self.connectivity.denied {
            self.see(Sight::NoInternet);
        } else {
            self.ask_internet();
        }
    }

    /// The internet is there: the failures that waited for that are the
    /// services' own.
    pub(super) fn judge_suspects(&mut self) {
        self.connectivity.witnesses.clear();
        self.connectivity.denied = false;
        for finished in std::mem::take(&mut self.suspects) {
            self.judge(finished);
        }
    }

    pub(super) fn look_for_network(&mut self) {
        self.connectivity.ask_again = Some(Instant::now() + LOOK_AGAIN);
        let up = (self.surroundings.interface_is_up)();
        match self.sight {
            // Nobody says good morning when logind has gone.
            Sight::Asleep => return self.wake(),
            _ if !up => self.see(Sight::NoNetwork),
            Sight::JustWoke => self.see(Sight::Clear),
            Sight::NoNetwork => self.see(Sight::NoInternet),
            Sight::NoInternet | Sight::Clear => {}
        }
        if up {
            self.ask_internet();
        }
    }

    /// What the connectivity targets say:
    ///
    /// 1. Asleep, or just awake without an answer yet: nothing follows.
    /// 2. They answer, or a public service has: the internet is there.
    /// 3. They do not: they may be blocked here. Public services that were well
    ///    are looked at; if any answers, rule 2 holds.
    /// 4. If none does, the internet is not there.
    pub(super) fn answered(&mut self, online: bool) {
        self.connectivity.question = None;
        if self.sight == Sight::Asleep || (self.sight == Sight::JustWoke && !online) {
            return;
        }
        if online {
            self.connectivity.proven = Some(Instant::now());
            self.see(Sight::Clear);
            self.judge_suspects();
        } else if self.internet_is_proven() {
            self.judge_suspects();
        } else if !self.call_witnesses() {
            self.see(Sight::NoInternet);
        }
    }

    /// Looks at public services that were well; false when there is none.
    fn call_witnesses(&mut self) -> bool {
        if self.sight != Sight::Clear {
            return false;
        }
        let well = |id: &&ServiceId| {
            let state = self.fleet.service(id);
            self.reach(id) == Reach::Public
                && state.is_some_and(|s| s.status == ServiceStatus::Healthy && !s.is_failing())
                && !self.suspects.iter().any(|suspect| suspect.id == **id)
        };
        let witnesses: BTreeSet<_> =
            self.targets.keys().filter(well).take(WITNESSES).cloned().collect();
        for id in &witnesses {
            self.check(id);
        }
        self.connectivity.denied = true;
        self.connectivity.witnesses = witnesses;
        !self.connectivity.witnesses.is_empty()
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
            Sight::Clear => None,
            Sight::Asleep => Some(Instant::now() + OVERSLEPT),
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
        self.connectivity.witnesses.clear();
        self.connectivity.denied = false;
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
                self.forget_questions();
                self.see(Sight::Asleep);
            }
            Power::Awake => self.wake(),
        }
    }

    /// Drops what was under way and waits until the network answers, at most
    /// [`SETTLE`].
    fn wake(&mut self) {
        self.forget_questions();
        self.see(Sight::JustWoke);
        self.ask_internet();
    }

    fn forget_questions(&mut self) {
        self.checks.abandon();
        self.reports.slept_until(Instant::now());
        self.suspects.clear();
        self.connectivity.proven = None;
        if let Some(question) = self.connectivity.question.take() {
            question.abort();
        }
    }
}
