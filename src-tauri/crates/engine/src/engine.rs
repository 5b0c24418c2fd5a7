use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use health::{Event, IncidentId, Pause, Saved, ServiceId, Timestamp};
use history::{Bar, Writer};
use probe::Report;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::check::Limits;
use crate::clock::Clock;
use crate::snapshot::Snapshot;
use crate::surroundings::Surroundings;
use crate::target::Target;
use crate::watcher::{Arrived, Watcher};

/// Events a slow listener may lag behind before it loses the oldest.
const EVENTS: usize = 4096;
/// Reports that wait for the watcher; whoever brings more waits himself.
const REPORTS: usize = 64;

/// What the engine watches, and how.
#[derive(Clone)]
pub struct Plan {
    /// Every service, in the order they are shown.
    pub targets: Vec<Target>,
    /// How many checks at once.
    pub limits: Limits,
    /// `host:port` that answer whenever this machine is online.
    pub connectivity_targets: Vec<String>,
}

impl From<&config::Config> for Plan {
    fn from(config: &config::Config) -> Self {
        Self {
            targets: config.services.iter().map(Target::from).collect(),
            limits: Limits::from(&config.settings),
            connectivity_targets: config.settings.connectivity_targets.clone(),
        }
    }
}

/// What is known from before.
#[derive(Debug, Default)]
pub struct Past {
    /// The judgement of each service as it was saved.
    pub saved: BTreeMap<ServiceId, Saved>,
    /// The last results of each service, oldest first.
    pub bars: BTreeMap<ServiceId, VecDeque<Bar>>,
    /// The last report of each service that reports in.
    pub reports: BTreeMap<ServiceId, Arrived>,
    /// Everything was paused.
    pub pause_all: Option<Pause>,
    /// The number of the next incident.
    pub next_incident: IncidentId,
}

/// What the watcher is asked to do.
pub(crate) enum Command {
    CheckNow(Option<ServiceId>),
    Pause(Option<ServiceId>, Option<Pause>),
    Mute(ServiceId, Option<Timestamp>),
    Listen(Result<(), String>),
    Replan(Plan),
    Stop(oneshot::Sender<()>),
}

/// The running engine, as everyone else sees it. Cheap to clone; checking goes
/// on until [`Engine::stop`] or until the last clone is gone.
#[derive(Clone)]
pub struct Engine {
    commands: mpsc::UnboundedSender<Command>,
    reports: mpsc::Sender<(ServiceId, Report)>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    events: broadcast::Sender<Event>,
    clock: Clock,
}

impl Engine {
    /// Starts checking; the receiver misses nothing from the first moment on.
    /// Must be called within a tokio runtime.
    pub fn start(
        plan: Plan,
        past: Past,
        writer: Writer,
        surroundings: Surroundings,
    ) -> (Self, broadcast::Receiver<Event>) {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (reports, arriving) = mpsc::channel(REPORTS);
        let (events, from_the_start) = broadcast::channel(EVENTS);
        let clock = surroundings.clock.clone();
        let watcher = Watcher::new(plan, past, writer, surroundings, events.clone());
        let snapshot = watcher.snapshot();
        tokio::spawn(watcher.run(inbox, arriving));
        (Self { commands, reports, snapshot, events, clock }, from_the_start)
    }

    /// Everything as it stands, now and on every change.
    pub fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    /// Everything that happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Checks one service, or all, now.
    pub fn check_now(&self, id: Option<ServiceId>) {
        self.send(Command::CheckNow(id));
    }

    /// Pauses one service, or all; without `lasting`, until resumed.
    pub fn pause(&self, id: Option<ServiceId>, lasting: Option<Duration>) {
        let until = lasting.map(|lasting| self.clock.now() + lasting);
        self.send(Command::Pause(id, Some(Pause { until })));
    }

    /// Resumes one service, or all.
    pub fn resume(&self, id: Option<ServiceId>) {
        self.send(Command::Pause(id, None));
    }

    /// Silences a service for a while; without `lasting`, lets it speak again.
    pub fn mute(&self, id: ServiceId, lasting: Option<Duration>) {
        let until = lasting.map(|lasting| self.clock.now() + lasting);
        self.send(Command::Mute(id, until));
    }

    /// From now on reports can come in, or they cannot and why. Before, nobody
    /// is late.
    pub fn listen(&self, listening: Result<(), String>) {
        self.send(Command::Listen(listening));
    }

    /// Hands over what a service reported of itself, as soon as there is time
    /// for it.
    pub async fn report(&self, id: ServiceId, report: Report) {
        // The engine is gone only while the app ends: nothing is left to do.
        let _ = self.reports.send((id, report)).await;
    }

    /// Goes on with another plan; services that are in both are not disturbed.
    pub fn replan(&self, plan: Plan) {
        self.send(Command::Replan(plan));
    }

    /// Ends checking, when all that was judged is with the history.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        self.send(Command::Stop(done));
        // An error means that it had stopped before.
        let _ = stopped.await;
    }

    fn send(&self, command: Command) {
        // The engine is gone only while the app ends: nothing is left to do.
        let _ = self.commands.send(command);
    }
}
