use std::sync::Arc;
use std::time::Duration;

use health::{Pause, ServiceId};
use history::Writer;
use probe::Report;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::driver::{Ask, Driver};
use crate::feed::{Feed, Listener};
use crate::past::Past;
use crate::plan::Plan;
use crate::snapshot::Snapshot;
use crate::surroundings::Surroundings;
use crate::watcher::Command;

/// Reports that wait for their turn; whoever brings more waits himself.
const REPORTS: usize = 64;

/// The running engine, as everyone else sees it. Cheap to clone; checking goes
/// on until [`Engine::stop`] or until the last clone is gone.
#[derive(Clone)]
pub struct Engine {
    asks: mpsc::UnboundedSender<Ask>,
    reports: mpsc::Sender<(ServiceId, Report)>,
    /// One for all clones: nobody looks through it but after the end.
    snapshots: Arc<watch::Receiver<Arc<Snapshot>>>,
    feed: Feed,
    clock: Clock,
}

impl Engine {
    /// Starts checking; the listener misses nothing from the first moment on.
    /// Must be called within a tokio runtime.
    pub fn start(
        plan: Plan,
        past: Past,
        writer: Writer,
        surroundings: Surroundings,
    ) -> (Self, Listener) {
        let (asks, asked) = mpsc::unbounded_channel();
        let (reports, arriving) = mpsc::channel(REPORTS);
        let feed = Feed::default();
        let listener = feed.listen();
        let clock = surroundings.clock.clone();
        let tell = asks.downgrade();
        writer.watch_problem(move |problem| {
            if let Some(asks) = tell.upgrade() {
                // The engine is gone only while the app ends.
                let _ = asks.send(Ask::Storage(problem.cloned()));
            }
        });
        let (driver, snapshots) = Driver::new(plan, past, writer, surroundings, feed.clone());
        tokio::spawn(driver.run(asked, arriving));
        (Self { asks, reports, snapshots: Arc::new(snapshots), feed, clock }, listener)
    }

    /// Everything as it stands now. Once the engine has stopped, as it was then.
    pub async fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots().await.borrow().clone()
    }

    /// Everything as it stands, now and on every change, at most ten times a
    /// second. Made only while somebody looks.
    pub async fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        let (reply, look) = oneshot::channel();
        self.send(Ask::Look(reply));
        look.await.unwrap_or_else(|_| self.snapshots.as_ref().clone())
    }

    /// Hears everything that happens from now on.
    pub fn listen(&self) -> Listener {
        self.feed.listen()
    }

    /// Checks one service, or all, now.
    pub fn check_now(&self, id: Option<ServiceId>) {
        self.tell(Command::CheckNow(id));
    }

    /// Pauses one service, or all; without `lasting`, until resumed.
    pub fn pause(&self, id: Option<ServiceId>, lasting: Option<Duration>) {
        let until = lasting.map(|lasting| self.clock.now() + lasting);
        self.tell(Command::Pause(id, Some(Pause { until })));
    }

    /// Resumes one service, or all.
    pub fn resume(&self, id: Option<ServiceId>) {
        self.tell(Command::Pause(id, None));
    }

    /// Silences a service for a while; without `lasting`, lets it speak again.
    pub fn mute(&self, id: ServiceId, lasting: Option<Duration>) {
        let until = lasting.map(|lasting| self.clock.now() + lasting);
        self.tell(Command::Mute(id, until));
    }

    /// From now on reports can come in, or they cannot and why. Before, nobody
    /// is late.
    pub fn expect_reports(&self, listening: Result<(), String>) {
        self.tell(Command::Listen(listening));
    }

    /// Hands over what a service reported of itself, as soon as there is time
    /// for it.
    pub async fn report(&self, id: ServiceId, report: Report) {
        // The engine is gone only while the app ends: nothing is left to do.
        let _ = self.reports.send((id, report)).await;
    }

    /// Goes on with another plan; services that are in both are not disturbed.
    pub fn replan(&self, plan: Plan) {
        self.tell(Command::Replan(plan));
    }

    /// Ends checking, when all that was judged is with the history.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        self.send(Ask::Stop(done));
        // An error means that it had stopped before.
        let _ = stopped.await;
    }

    fn tell(&self, command: Command) {
        self.send(Ask::Do(command));
    }

    fn send(&self, ask: Ask) {
        // The engine is gone only while the app ends: nothing is left to do.
        let _ = self.asks.send(ask);
    }
}
