//! Processes that are measured: started, read from /proc, and gone at the end.

pub(crate) mod guard;

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use super::failure::{Explain, Failure, Outcome};

/// How long a process may take to end when asked.
const PATIENCE: Duration = Duration::from_secs(10);
/// `USER_HZ`, the unit of /proc/PID/stat on every Linux.
const TICKS_A_SECOND: u64 = 100;

/// A running process. It and all it started are gone when this is dropped, and
/// when the benchmark ends in any other way.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    pid: Pid,
    said: PathBuf,
}

/// On what terms a process runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// What it and the benchmark say to each other.
    pub talk: Talk,
    /// How many files it may open.
    pub files: guard::Files,
}

/// What a process and the benchmark say to each other; the rest goes to, and
/// comes from, /dev/null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Talk {
    /// Nothing.
    Nothing,
    /// The process says something on standard output.
    Output,
    /// And is told something on standard input.
    Both,
}

/// What a process has in memory, in MB (10⁶ bytes).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Memory {
    /// All of it.
    pub resident: f64,
    /// What is its own, and no part of a file.
    pub anonymous: f64,
}

/// What a process used between two readings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// The moment of the first, in milliseconds since the Unix epoch.
    pub from: i64,
    /// The moment of the second.
    pub until: i64,
    /// The CPU time between them.
    pub cpu: Duration,
}

impl Window {
    /// Its length.
    pub fn seconds(&self) -> f64 {
        (self.until - self.from) as f64 / 1e3
    }

    /// CPU time as a share of one core, in percent.
    pub fn percent(&self) -> f64 {
        self.cpu.as_secs_f64() / self.seconds() * 100.0
    }

    /// CPU time for each of `count`, in microseconds.
    pub fn us_each(&self, count: u64) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / count as f64
    }
}

impl Process {
    /// Starts `command` under a guard. What it says on standard error goes to
    /// a file in `folder`.
    pub fn start(name: &str, command: &Command, terms: Terms, folder: &Path) -> Outcome<Self> {
        let said = folder.join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(&said);
        let log = log.explain("the temporary folder cannot be written: make room in it")?;
        let mut guarded = guard::around(command, terms.files)?;
        let end = |wanted| if wanted { Stdio::piped() } else { Stdio::null() };
        guarded.stdin(end(terms.talk == Talk::Both)).stdout(end(terms.talk != Talk::Nothing));
        guarded.stderr(log).process_group(0);
        let child = guarded.spawn().explain(&format!("{name} cannot be started"))?;
        let pid = Pid::from_raw(child.id().cast_signed());
        Ok(Self { name: name.to_owned(), child, pid, said })
    }

    /// Its standard output, where it was asked to be piped.
    pub fn stdout(&mut self) -> Outcome<ChildStdout> {
        self.child.stdout.take().ok_or_else(|| Failure::from("its output is not piped"))
    }

    /// Its standard input, where it was asked to be piped.
    pub fn stdin(&mut self) -> Outcome<ChildStdin> {
        self.child.stdin.take().ok_or_else(|| Failure::from("its input is not piped"))
    }

    /// That it still runs; else how it ended, and what it said last.
    pub fn lives(&mut self) -> Outcome<()> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.ended(status)),
            Err(error) => Err(self.lost(&error)),
        }
    }

    fn ended(&self, status: ExitStatus) -> Failure {
        let said = self.last_words();
        format!("{} ended too soon, with {status}. It said: {said}", self.name).into()
    }

    fn lost(&self, error: &std::io::Error) -> Failure {
        format!("{} cannot be waited for ({error})", self.name).into()
    }

    /// What it said last on standard error.
    pub fn last_words(&self) -> String {
        let said = fs::read_to_string(&self.said).unwrap_or_default();
        let lines: Vec<&str> = said.lines().rev().take(5).collect();
        if lines.is_empty() {
            return "nothing".to_owned();
        }
        lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
    }

    /// CPU time so far: of all its threads, those that have ended too, and of
    /// its children that have ended.
    pub fn cpu(&self) -> Outcome<Duration> {
        let own = clock_getcpuclockid(self.pid).and_then(clock_gettime);
        let own = own.explain(&format!("{} is gone", self.name))?;
        Ok(Duration::from(own) + self.cpu_of_children()?)
    }

    fn cpu_of_children(&self) -> Outcome<Duration> {
        let stat = self.read("stat")?;
        // The name in parentheses may hold anything; what follows are numbers.
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let field = |n: usize| after_name.split_whitespace().nth(n)?.parse::<u64>().ok();
        // Fields 16 and 17 of proc(5), counted from 3 on.
        let ticks = field(13).unwrap_or(0) + field(14).unwrap_or(0);
        Ok(Duration::from_millis(ticks * 1_000 / TICKS_A_SECOND))
    }

    /// What it has in memory.
    pub fn memory(&self) -> Outcome<Memory> {
        let status = self.read("status")?;
        let mb = |key: &str| number_after(&status, key).unwrap_or(0) as f64 * 1_024.0 / 1e6;
        Ok(Memory { resident: mb("VmRSS:"), anonymous: mb("RssAnon:") })
    }

    /// How often its threads went to sleep by themselves, which is how often
    /// they were woken.
    pub fn wake_ups(&self) -> Outcome<u64> {
        let tasks = fs::read_dir(self.proc("task")).explain(&format!("{} is gone", self.name))?;
        let of_task = |task: std::io::Result<fs::DirEntry>| {
            // A thread may end between two looks.
            let status = fs::read_to_string(task.ok()?.path().join("status")).ok()?;
            number_after(&status, "\nvoluntary_ctxt_switches:")
        };
        Ok(tasks.filter_map(of_task).sum())
    }

    /// Lets it run for `length` and reads what it used.
    pub async fn window(&mut self, length: Duration) -> Outcome<Window> {
        let (from, before) = (now(), self.cpu()?);
        sleep(length).await;
        self.lives()?;
        let (until, after) = (now(), self.cpu()?);
        Ok(Window { from, until, cpu: after.saturating_sub(before) })
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Outcome<()> {
        kill(self.pid, signal).explain(&format!("{} cannot be sent {signal}", self.name))
    }

    /// Waits until it has ended by itself, and well.
    pub async fn finish(mut self) -> Outcome<()> {
        loop {
            match self.child.try_wait() {
                Ok(None) => sleep(Duration::from_millis(20)).await,
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(self.ended(status)),
                Err(error) => return Err(self.lost(&error)),
            }
        }
    }

    /// Asks it to end, and makes it end where it does not.
    pub async fn stop(mut self) {
        let _ = self.signal(Signal::SIGTERM);
        let deadline = Instant::now() + PATIENCE;
        while self.lives().is_ok() && Instant::now() < deadline {
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn proc(&self, file: &str) -> PathBuf {
        Path::new("/proc").join(self.pid.to_string()).join(file)
    }

    fn read(&self, file: &str) -> Outcome<String> {
        fs::read_to_string(self.proc(file)).explain(&format!("{} is gone", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its children may be there when it is not; all may be gone already.
        let _ = killpg(self.pid, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn number_after(text: &str, key: &str) -> Option<u64> {
    let (_, rest) = text.split_once(key)?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_their_key() {
        let status =
            "VmRSS:\t  1024 kB\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(number_after(status, "VmRSS:"), Some(1024));
        assert_eq!(number_after(status, "\nvoluntary_ctxt_switches:"), Some(7));
        assert_eq!(number_after(status, "RssAnon:"), None);
    }

    #[test]
    fn a_window_is_a_share_of_a_core_and_a_cost_each() {
        let window = Window { from: 1_000, until: 3_000, cpu: Duration::from_millis(500) };
        assert!((window.percent() - 25.0).abs() < 1e-9);
        assert!((window.us_each(1_000) - 500.0).abs() < 1e-9);
    }
}
