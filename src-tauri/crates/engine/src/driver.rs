//! The half of the engine that acts: carries the watcher's effects out through
//! one queue, and tells it what came of them.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use health::{Moment, ServiceId};
use history::{Problem, Writer};
use probe::Report;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::check::{Checks, Finished, at_once};
use crate::feed::Feed;
use crate::past::Past;
use crate::plan::Plan;
use crate::power;
use crate::snapshot::Snapshot;
use crate::surroundings::Surroundings;
use crate::watcher::{Command, Effect, Input, Watcher};

/// Snapshots are at least this far apart, however much happens.
const SNAPSHOTS_APART: Duration = Duration::from_millis(100);
/// Finished checks that are taken in one go.
const BATCH: usize = 64;

/// What others ask of the driver.
pub(crate) enum Ask {
    Do(Command),
    /// Somebody wants to see everything as it stands.
    Look(oneshot::Sender<watch::Receiver<Arc<Snapshot>>>),
    /// Why results can not be stored, if it is so.
    Storage(Option<Problem>),
    Stop(oneshot::Sender<()>),
}

pub(crate) struct Driver {
    started: Instant,
    watcher: Watcher,
    checks: Checks,
    finished: mpsc::UnboundedReceiver<Finished>,
    writer: Writer,
    feed: Feed,
    surroundings: Surroundings,
    /// Whether the internet answers, while that is being asked.
    question: Option<JoinHandle<bool>>,
    published: watch::Sender<Arc<Snapshot>>,
    published_at: Option<Instant>,
}

impl Driver {
    /// And what it publishes.
    pub fn new(
        plan: Plan,
        past: Past,
        writer: Writer,
        surroundings: Surroundings,
        feed: Feed,
    ) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        let (checks, finished) = Checks::new();
        let now = Moment { wall: surroundings.clock.now(), running: Duration::ZERO };
        let mut watcher = Watcher::new(plan, past, now);
        let (published, snapshots) = watch::channel(Arc::new(watcher.snapshot(now)));
        let driver = Self {
            started: Instant::now(),
            watcher,
            checks,
            finished,
            writer,
            feed,
            surroundings,
            question: None,
            published,
            published_at: None,
        };
        (driver, snapshots)
    }

    /// Does its work until it is told to stop. Reports come last: whoever sends
    /// many of them holds up nothing else.
    pub async fn run(
        mut self,
        mut asked: mpsc::UnboundedReceiver<Ask>,
        mut reports: mpsc::Receiver<(ServiceId, Report)>,
    ) {
        let mut power = power::watch();
        let mut batch = Vec::with_capacity(BATCH);
        let mut alarm = pin!(sleep_until(self.started));
        loop {
            let wake_at = self.next_wake();
            if alarm.deadline() != wake_at {
                alarm.as_mut().reset(wake_at);
            }
            tokio::select! {
                biased;
                ask = asked.recv() => match ask {
                    Some(Ask::Do(command)) => self.act([Input::Command(command)]),
                    Some(Ask::Look(reply)) => self.show(reply),
                    Some(Ask::Storage(problem)) => {
                        let problem = problem.map(|problem| format!("{problem}: {}", problem.help));
                        self.act([Input::Storage(problem)]);
                    }
                    Some(Ask::Stop(done)) => {
                        self.stop();
                        let _ = done.send(());
                        return;
                    }
                    None => return self.stop(),
                },
                Some(power) = power.recv() => self.act([Input::Power(power)]),
                answers = answer(&mut self.question) => {
                    self.question = None;
                    self.act([Input::Internet(answers)]);
                }
                _ = self.finished.recv_many(&mut batch, BATCH) => {
                    for finished in &batch {
                        self.checks.finished(finished.run);
                    }
                    self.act(batch.drain(..).map(Input::Finished));
                }
                () = &mut alarm => {}
                Some((id, report)) = reports.recv() => self.act([Input::Report(id, report)]),
            }
            // Also while so much comes back that the alarm is never waited for.
            let now = self.now();
            if self.watcher.wake_at(now) <= now.running {
                self.act([Input::Time]);
            }
            self.publish();
        }
    }

    fn now(&self) -> Moment {
        Moment { wall: self.surroundings.clock.now(), running: self.started.elapsed() }
    }

    fn next_wake(&mut self) -> Instant {
        let now = self.now();
        let wake_at = self.started + self.watcher.wake_at(now);
        match self.publish_at() {
            Some(publish_at) => wake_at.min(publish_at),
            None => wake_at,
        }
    }

    /// Follows inputs, and what comes of them, to the end.
    fn act(&mut self, inputs: impl IntoIterator<Item = Input>) {
        let mut inputs: VecDeque<_> = inputs.into_iter().collect();
        loop {
            let quiet = || self.watcher.has_derived().then_some(Input::Quiet);
            let Some(input) = inputs.pop_front().or_else(quiet) else { return };
            let now = self.now();
            for effect in self.watcher.handle(input, now) {
                inputs.extend(self.carry_out(effect));
            }
        }
    }

    /// Does it; what is known at once because of it.
    fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Start(run) => self.checks.start(run),
            Effect::Derive(run, context) => {
                return Some(Input::Finished(at_once(&run, &context)));
            }
            Effect::Cancel(run) => self.checks.cancel(run),
            Effect::CancelAll => self.checks.cancel_all(),
            Effect::Record { service, result, hold } => self.writer.record(service, result, hold),
            Effect::Save(change) => change.save(&self.writer),
            Effect::SaveIncident(incident) => self.writer.save_incident(incident),
            Effect::Tell(event) => self.feed.tell(&event),
            Effect::Announce { after, notices } => {
                let feed = self.feed.clone();
                let announce = move || notices.iter().for_each(|notice| feed.tell(notice));
                match after {
                    Some(incident) => self.writer.save_incident_then(incident, move |_| announce()),
                    // Its incident may still be on its way there.
                    None => self.writer.flush(move |_| announce()),
                }
            }
            Effect::AskInterfaces => {
                return Some(Input::Interfaces((self.surroundings.interface_is_up)()));
            }
            Effect::AskInternet(targets) => {
                let question = tokio::spawn((self.surroundings.internet_answers)(targets));
                if let Some(void) = self.question.replace(question) {
                    void.abort();
                }
            }
        }
        None
    }

    /// Gives somebody a look at everything as it is now.
    fn show(&mut self, reply: oneshot::Sender<watch::Receiver<Arc<Snapshot>>>) {
        if self.watcher.is_stale() {
            self.publish_now();
        }
        // Who asked may have gone meanwhile.
        let _ = reply.send(self.published.subscribe());
    }

    fn publish(&mut self) {
        if self.publish_at().is_some_and(|at| at <= Instant::now()) {
            self.publish_now();
        }
    }

    /// When there is something new for those who look, if anybody does: the
    /// engine itself holds on to one.
    fn publish_at(&self) -> Option<Instant> {
        let wanted = self.watcher.is_stale() && self.published.receiver_count() > 1;
        wanted.then(|| self.published_at.map_or(self.started, |at| at + SNAPSHOTS_APART))
    }

    fn publish_now(&mut self) {
        let now = self.now();
        self.published.send_replace(Arc::new(self.watcher.snapshot(now)));
        self.published_at = Some(Instant::now());
    }

    fn stop(&mut self) {
        for effect in self.watcher.stop() {
            self.carry_out(effect);
        }
        if self.watcher.is_stale() {
            self.publish_now();
        }
        // After what waits to be announced.
        let feed = self.feed.clone();
        self.writer.flush(move |_| feed.end());
    }
}

/// The answer to the question under way; pending for ever without one.
async fn answer(question: &mut Option<JoinHandle<bool>>) -> bool {
    match question {
        // A question that crashed says nothing against the services' failures.
        Some(question) => question.await.unwrap_or(true),
        None => std::future::pending().await,
    }
}
