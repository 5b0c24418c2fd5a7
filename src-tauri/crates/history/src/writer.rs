use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use health::{CheckResult, Evidence, Hold, Incident, Millis, ServiceId, Timestamp};
use rusqlite::{Connection, ErrorCode};

use crate::ledger::{Entry, Ledger};
use crate::options::Options;
use crate::upkeep;

/// Results wait this long for company, so that a busy app writes once a second.
const COMMIT_EVERY: Duration = Duration::from_millis(800);
const UPKEEP_EVERY: Duration = Duration::from_secs(3_600);
const LONGEST_WAIT: Millis = 3_600_000;
/// Leaves the start to the app, and a report being imported in one piece: once
/// results were removed, later ones of their quarter of an hour may be repeats.
const FIRST_UPKEEP: Duration = Duration::from_secs(60);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);
/// Beyond, the oldest results are dropped: some 40 MB.
const LONGEST_QUEUE: usize = 100_000;
/// Beyond, results wait without their evidence: some 50 MB.
const EVIDENCE_WAITING: usize = 10_000;

/// Held for pushing to and taking from the queue only, never while the disk is
/// at work: whoever records a result does not wait.
#[allow(clippy::disallowed_types)]
type Mutex<T> = std::sync::Mutex<T>;

/// Why what was recorded is not written yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What the database says, one line.
    pub message: String,
    /// What a person can do about it, one line.
    pub help: &'static str,
}

impl Problem {
    pub(crate) fn closed() -> Self {
        Self { message: "the history is closed".to_owned(), help: "start the app again" }
    }

    fn of(error: &rusqlite::Error) -> Self {
        let help = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => "make room on the disk of the data folder",
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "close what has history.db open"
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                "start the app again: it sets the file aside and begins a new history"
            }
            _ => "check the disk and the permissions of the data folder",
        };
        Self { message: error.to_string(), help }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

type Done = Box<dyn FnOnce(Result<(), Problem>) + Send>;
type Watcher = Arc<dyn Fn(Option<&Problem>) + Send + Sync>;

/// Records into a history. Cheap to clone; no call waits for the disk, except
/// [`Writer::flush_and_wait`].
///
/// What cannot be written (disk full) is kept and tried again, and
/// [`Writer::problem`] says so; beyond 10,000 waiting entries results
/// lose their evidence, and beyond 100,000 the oldest are dropped.
#[derive(Clone)]
pub struct Writer {
    shared: Arc<Shared>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Entry>,
    /// Told when everything queued before was written, or could not be.
    waiting: Vec<Done>,
    retain: VecDeque<(Timestamp, Done)>,
    watchers: Vec<Watcher>,
    problem: Option<Problem>,
    dropped: u64,
    /// Do not wait for company.
    urgent: bool,
    /// The thread waits for something to do, and has to be woken for it.
    idle: bool,
    life: Life,
}

/// `Open => Closing => Closed`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Life {
    #[default]
    Open,
    /// What is queued is still written.
    Closing,
    Closed,
}

impl Queue {
    fn is_idle(&self) -> bool {
        self.entries.is_empty()
            && self.waiting.is_empty()
            && self.retain.is_empty()
            && self.life == Life::Open
    }

    fn push(&mut self, mut entry: Entry) {
        if self.life == Life::Closed {
            return;
        }
        if let Entry::Result { result, .. } = &mut entry
            && self.entries.len() >= EVIDENCE_WAITING
            && !result.evidence.is_empty()
        {
            Arc::make_mut(result).evidence = Evidence::default();
        }
        self.entries.push_back(entry);
        if self.entries.len() > LONGEST_QUEUE {
            let oldest = self.entries.iter().position(|e| matches!(e, Entry::Result { .. }));
            if oldest.and_then(|at| self.entries.remove(at)).is_some() {
                self.dropped += 1;
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    pub(crate) fn spawn(
        conn: Connection,
        options: Options,
    ) -> std::io::Result<(Self, JoinHandle<Result<(), Problem>>)> {
        let shared = Arc::new(Shared::default());
        let thread = Thread {
            shared: Shutter(shared.clone()),
            ledger: Ledger::new(conn, options.zone.clone()),
            next_upkeep: (options.clock)() + FIRST_UPKEEP,
            upkeep: None,
            retry: FIRST_RETRY,
            wrote: false,
            options,
        };
        let thread = thread::Builder::new().name("history".to_owned()).spawn(|| thread.run())?;
        Ok((Self { shared }, thread))
    }

    /// Records one observed result; committed within a second. A service's
    /// second result of the same millisecond changes nothing.
    pub fn record(&self, service: ServiceId, result: impl Into<Arc<CheckResult>>, hold: Hold) {
        let result = result.into();
        self.push(Entry::Result { service, result, hold });
    }

    /// Records an incident as it is now, in place of what was recorded under
    /// its id; committed at once.
    pub fn save_incident(&self, incident: Incident) {
        self.save_incident_then(incident, |_| {});
    }

    /// [`Writer::save_incident`]; `done` is called on the writer's thread when
    /// it is committed, or at the first failure to: the incident is kept and
    /// tried again, but nobody has to wait for a full disk.
    pub fn save_incident_then(
        &self,
        incident: Incident,
        done: impl FnOnce(Result<(), Problem>) + Send + 'static,
    ) {
        self.urgent(|queue| queue.push(Entry::Incident(Box::new(incident))), done);
    }

    /// Remembers `value` under `key`, in place of what was there.
    pub fn save_state(&self, key: &str, value: &serde_json::Value) {
        self.push(Entry::State { key: key.to_owned(), json: value.to_string() });
    }

    /// The thread is woken where it waits for anything to do at all. While it
    /// waits for company, who comes later would only wake it for nothing.
    fn push(&self, entry: Entry) {
        let mut queue = self.shared.lock();
        queue.push(entry);
        let wake = std::mem::take(&mut queue.idle);
        drop(queue);
        if wake {
            self.shared.changed.notify_one();
        }
    }

    /// Calls `done` on the writer's thread when everything recorded before is
    /// committed, or at the first failure to.
    pub fn flush(&self, done: impl FnOnce(Result<(), Problem>) + Send + 'static) {
        self.urgent(|_| {}, done);
    }

    /// Waits until everything recorded before is committed. Whoever records
    /// more than 10,000 results at once calls it every 10,000.
    ///
    /// # Errors
    /// When it could not be committed; it is kept and tried again.
    pub fn flush_and_wait(&self) -> Result<(), Problem> {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.flush(move |result| drop(sender.send(result)));
        receiver.recv().unwrap_or_else(|_| Err(Problem::closed()))
    }

    /// Folds and removes what is old by `now`, now; it happens by itself a
    /// minute after the start and every hour. `done` as in [`Writer::flush`].
    pub fn retain(&self, now: Timestamp, done: impl FnOnce(Result<(), Problem>) + Send + 'static) {
        let mut queue = self.shared.lock();
        if queue.life == Life::Closed {
            drop(queue);
            return done(Err(Problem::closed()));
        }
        queue.retain.push_back((now, Box::new(done)));
        queue.urgent = true;
        drop(queue);
        self.shared.changed.notify_one();
    }

    /// Why what was recorded is not written yet; `None` when all is well.
    pub fn problem(&self) -> Option<Problem> {
        self.shared.lock().problem.clone()
    }

    /// Calls `watcher` on the writer's thread whenever [`Writer::problem`]
    /// changes, and on this one at once if there is one. It must not call the
    /// writer: the queue is locked meanwhile, so that no change is told out of
    /// turn.
    pub fn watch_problem(&self, watcher: impl Fn(Option<&Problem>) + Send + Sync + 'static) {
        let mut queue = self.shared.lock();
        if let Some(problem) = &queue.problem {
            watcher(Some(problem));
        }
        queue.watchers.push(Arc::new(watcher));
    }

    pub(crate) fn close(&self) {
        let mut queue = self.shared.lock();
        queue.life = Life::Closing;
        queue.urgent = true;
        drop(queue);
        self.shared.changed.notify_one();
    }

    fn urgent(
        &self,
        push: impl FnOnce(&mut Queue),
        done: impl FnOnce(Result<(), Problem>) + Send + 'static,
    ) {
        let mut queue = self.shared.lock();
        if queue.life == Life::Closed {
            drop(queue);
            return done(Err(Problem::closed()));
        }
        push(&mut queue);
        queue.waiting.push(Box::new(done));
        queue.urgent = true;
        drop(queue);
        self.shared.changed.notify_one();
    }
}

/// Tells whoever still waits that nothing will be written any more, however
/// the thread ends.
struct Shutter(Arc<Shared>);

impl Drop for Shutter {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.life = Life::Closed;
        let retain = std::mem::take(&mut queue.retain).into_iter().map(|(_, done)| done);
        let left: Vec<_> = std::mem::take(&mut queue.waiting).into_iter().chain(retain).collect();
        drop(queue);
        for done in left {
            done(Err(Problem::closed()));
        }
    }
}

struct Thread {
    shared: Shutter,
    ledger: Ledger,
    options: Options,
    next_upkeep: Timestamp,
    upkeep: Option<Upkeep>,
    retry: Duration,
    /// The last time there was something to write.
    wrote: bool,
}

struct Upkeep {
    now: Timestamp,
    done: Option<Done>,
}

struct Taken {
    entries: Vec<Entry>,
    waiting: Vec<Done>,
    closing: bool,
}

impl Thread {
    fn run(mut self) -> Result<(), Problem> {
        loop {
            self.plan_upkeep();
            let Taken { entries, waiting, closing } = self.take();
            self.wrote = !entries.is_empty();
            let written = self.write(entries);
            for done in waiting {
                done(written.clone());
            }
            if closing {
                return written;
            }
            self.step_upkeep();
        }
    }

    /// Waits for something to do: entries and company for them, or the time
    /// for upkeep.
    fn take(&self) -> Taken {
        let until_upkeep = self.next_upkeep.since((self.options.clock)());
        let until_upkeep = Duration::from_millis(u64::try_from(until_upkeep).unwrap_or(0));
        let mut queue = self.shared.0.lock();
        if self.upkeep.is_none() {
            // After a batch the next entry is taken to be on its way: to go to
            // sleep until it comes would mean to be woken twice for each batch.
            if !(self.wrote && queue.problem.is_none()) {
                queue.idle = true;
                queue = self.wait(queue, until_upkeep.min(UPKEEP_EVERY), Queue::is_idle);
                queue.idle = false;
            }
            let patience = if queue.problem.is_some() { self.retry } else { COMMIT_EVERY };
            if self.wrote || !queue.entries.is_empty() {
                queue = self.wait(queue, patience, |queue| !queue.urgent);
            }
        }
        queue.urgent = false;
        Taken {
            entries: std::mem::take(&mut queue.entries).into(),
            waiting: std::mem::take(&mut queue.waiting),
            closing: queue.life != Life::Open,
        }
    }

    fn wait<'a>(
        &self,
        queue: MutexGuard<'a, Queue>,
        at_most: Duration,
        quiet: impl Fn(&Queue) -> bool,
    ) -> MutexGuard<'a, Queue> {
        let waited = self.shared.0.changed.wait_timeout_while(queue, at_most, |queue| quiet(queue));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// On failure the entries go back to the head of the queue.
    fn write(&mut self, entries: Vec<Entry>) -> Result<(), Problem> {
        let written = self.ledger.write(&entries).map_err(|error| Problem::of(&error));
        if written.is_err() {
            let mut queue = self.shared.0.lock();
            let newer = std::mem::replace(&mut queue.entries, entries.into());
            for entry in newer {
                queue.push(entry);
            }
        } else if entries.is_empty() {
            return Ok(());
        }
        self.retry = match &written {
            Ok(()) => FIRST_RETRY,
            Err(_) => (self.retry * 2).min(LAST_RETRY),
        };
        self.report(written.as_ref().err());
        written
    }

    fn report(&self, problem: Option<&Problem>) {
        let mut queue = self.shared.0.lock();
        if queue.problem.as_ref() == problem {
            return;
        }
        queue.problem = problem.cloned();
        let (watchers, dropped) = (queue.watchers.clone(), queue.dropped);
        drop(queue);
        if let Some(problem) = problem {
            tracing::error!(%problem, "the history cannot be written");
        } else {
            tracing::info!(dropped, "the history is written again");
        }
        for watcher in watchers {
            watcher(problem);
        }
    }

    fn plan_upkeep(&mut self) {
        if self.upkeep.is_some() {
            return;
        }
        let now = (self.options.clock)();
        let wait = self.next_upkeep.since(now);
        let clock_was_set_back = wait > LONGEST_WAIT;
        if let Some((now, done)) = self.shared.0.lock().retain.pop_front() {
            self.upkeep = Some(Upkeep { now, done: Some(done) });
        } else if wait <= 0 || clock_was_set_back {
            self.upkeep = Some(Upkeep { now, done: None });
            self.next_upkeep = now + UPKEEP_EVERY;
        }
    }

    /// One small part, so that results never wait long.
    fn step_upkeep(&mut self) {
        let Some(Upkeep { now, done }) = self.upkeep.take() else {
            return;
        };
        let Options { keep, zone, .. } = &self.options;
        match upkeep::step(self.ledger.connection(), *keep, zone, now) {
            Ok(true) => self.upkeep = Some(Upkeep { now, done }),
            Ok(false) => tell(done, Ok(())),
            Err(error) => {
                tracing::warn!(%error, "old results were not tidied up");
                tell(done, Err(Problem::of(&error)));
            }
        }
    }
}

fn tell(done: Option<Done>, result: Result<(), Problem>) {
    if let Some(done) = done {
        done(result);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc::{Receiver, channel};

    use health::Status;

    use super::*;
    use crate::open::open_writable;
    use crate::{Keep, Reader, Zone};

    const WAIT: Duration = Duration::from_secs(20);

    fn options() -> Options {
        let clock = Arc::new(|| Timestamp(0));
        Options { keep: Keep::FOREVER, zone: Zone::utc(), clock }
    }

    fn service() -> ServiceId {
        ServiceId::new("api").expect("an id")
    }

    fn record(writer: &Writer, n: i64) {
        let message = format!("{n:0>2000}");
        let result = CheckResult::new(Timestamp(n), Status::Healthy, Some(1.0), message);
        writer.record(service(), result, Hold::from_ms(10));
    }

    fn problems(writer: &Writer) -> Receiver<Option<Problem>> {
        let (sender, receiver) = channel();
        writer.watch_problem(move |problem| drop(sender.send(problem.cloned())));
        receiver
    }

    /// A history on a disk that is full but for some pages.
    fn on_a_small_disk(folder: &Path) -> (Writer, JoinHandle<Result<(), Problem>>, Connection) {
        let (conn, _) = open_writable(folder, Timestamp(0)).expect("a new history");
        conn.execute_batch(
            "CREATE TABLE ballast (bytes BLOB); INSERT INTO ballast VALUES (zeroblob(2000000));",
        )
        .expect("ballast");
        let pages: i64 = conn.query_row("PRAGMA page_count", [], |row| row.get(0)).expect("pages");
        conn.pragma_update(None, "max_page_count", pages + 2).expect("a limit");
        let other = Connection::open(folder.join("history.db")).expect("another connection");
        let (writer, thread) = Writer::spawn(conn, options()).expect("a thread");
        (writer, thread, other)
    }

    #[test]
    fn a_full_disk_is_a_problem_until_there_is_room_and_nothing_is_lost() {
        let folder = tempfile::tempdir().expect("a folder");
        let (writer, thread, other) = on_a_small_disk(folder.path());
        let problems = problems(&writer);
        for n in 0..100 {
            record(&writer, n);
        }
        let failed = writer.flush_and_wait().expect_err("a full disk");
        assert!(failed.message.contains("full"), "{failed}");
        assert_eq!(problems.recv_timeout(WAIT), Ok(Some(failed.clone())));
        assert_eq!(writer.problem(), Some(failed));

        other.execute_batch("DELETE FROM ballast").expect("room");
        assert_eq!(problems.recv_timeout(WAIT), Ok(None), "it tries again by itself");
        writer.close();
        assert_eq!(thread.join().expect("no panic"), Ok(()));
        let reader = Reader::open(folder.path()).expect("a history");
        assert_eq!(reader.results(&service(), 1000).expect("results").len(), 100);
    }

    #[test]
    fn too_many_waiting_results_push_out_the_oldest() {
        let mut queue = Queue::default();
        queue.push(Entry::State { key: "kept".to_owned(), json: "1".to_owned() });
        let result = |n| Entry::Result {
            service: service(),
            result: Arc::new(CheckResult::new(Timestamp(n), Status::Healthy, None, "")),
            hold: Hold::from_ms(0),
        };
        for n in 0..100_010 {
            queue.push(result(n));
        }
        assert_eq!((queue.entries.len(), queue.dropped), (LONGEST_QUEUE, 11));
        assert!(matches!(queue.entries[0], Entry::State { .. }));
        assert!(
            matches!(&queue.entries[1], Entry::Result { result, .. } if result.at == Timestamp(11))
        );
    }

    #[test]
    fn many_waiting_results_come_without_evidence() {
        let mut queue = Queue::default();
        for n in 0..10_010 {
            let mut result = CheckResult::new(Timestamp(n), Status::Unhealthy, None, "");
            result.evidence.addresses = vec!["::1".to_owned()];
            let (result, hold) = (Arc::new(result), Hold::from_ms(0));
            queue.push(Entry::Result { service: service(), result, hold });
        }
        let with_evidence = |entry: &&Entry| match entry {
            Entry::Result { result, .. } => !result.evidence.is_empty(),
            Entry::Incident(_) | Entry::State { .. } => false,
        };
        assert_eq!(queue.entries.iter().filter(with_evidence).count(), EVIDENCE_WAITING);
        assert_eq!(queue.entries.len(), 10_010);
    }

    #[test]
    fn after_the_end_nothing_is_taken_and_everybody_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let (conn, _) = open_writable(folder.path(), Timestamp(0)).expect("a new history");
        let (writer, thread) = Writer::spawn(conn, options()).expect("a thread");
        writer.close();
        assert_eq!(thread.join().expect("no panic"), Ok(()));
        record(&writer, 1);
        assert_eq!(writer.flush_and_wait(), Err(Problem::closed()));
        let (sender, told) = channel();
        writer.retain(Timestamp(0), move |result| drop(sender.send(result)));
        assert_eq!(told.recv_timeout(WAIT), Ok(Err(Problem::closed())));
    }
}
