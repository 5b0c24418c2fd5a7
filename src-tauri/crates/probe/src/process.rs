//! `check = "process"`: whether a program runs on this machine, and what it
//! takes.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use health::{Measurement, Thresholds};
use regex::Regex;
use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};
use tokio::time::Instant;

use crate::aside::Aside;
use crate::failure::Failure;
use crate::field::{
    Field, FieldError, FieldType, Form, Section, Values, line, mistake_at, number, regex, size,
    whole,
};
use crate::size::{Bytes, Size};
use crate::text::clean;
use crate::trace::Trace;
use crate::{Checking, Context, Probe};

pub(crate) const LABEL: &str = "Process";
pub(crate) const HELP: &str =
    "Looks whether a program runs on this machine, how often, and what it takes.";
pub(crate) const EXAMPLE: &str = r#"program = "nginx"
max_memory = "2 GiB""#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds { degraded_above: None, ..Thresholds::OTHER };

const COUNT: FieldType = FieldType::Integer { min: 0, max: 100_000 };

pub(crate) const FIELDS: &[Field] = &[
    Field::optional(
        "program",
        "Program",
        "The name of the program's file, exactly: nginx, postgres, python3.",
        FieldType::Text,
    ),
    Field::optional(
        "pattern",
        "Pattern",
        "Instead of a program: found in the command line, program and arguments with spaces between.",
        FieldType::Regex,
    ),
    Field::optional("min_count", "At least", "Fewer are unhealthy.", COUNT)
        .of("processes")
        .or("1")
        .within(Section::Expect),
    Field::optional("max_count", "At most", "More are unhealthy.", COUNT)
        .of("processes")
        .within(Section::Expect),
    Field::optional(
        "max_cpu",
        "CPU at most",
        "More, all together, is degraded: on average since the last check, and since its start of \
         a process that is new; 100 is one core.",
        FieldType::Number { min: 0.0, max: 1_000_000.0 },
    )
    .of("%")
    .within(Section::Expect),
    Field::optional(
        "max_memory",
        "Memory at most",
        "More resident memory, all together, is degraded: 500 MB, 2 GiB. What processes share \
         counts for each.",
        FieldType::Size { percent: false },
    )
    .within(Section::Expect),
];

/// Of whom the numbers are told.
const PIDS_SHOWN: usize = 10;
/// What Linux keeps of a name, in bytes (`TASK_COMM_LEN` in proc(5)).
const SHORT_NAME: usize = 15;

/// Which processes are meant.
#[derive(Debug, Clone)]
enum Wanted {
    Name(String),
    Pattern(Regex),
}

#[derive(Debug)]
struct Process {
    wanted: Wanted,
    limits: Limits,
    looking: Aside<Before>,
}

#[derive(Debug, Clone, PartialEq)]
struct Limits {
    min_count: usize,
    max_count: Option<usize>,
    /// In percent of a core.
    max_cpu: Option<f64>,
    /// In bytes.
    max_memory: Option<u64>,
}

/// What the last look saw.
#[derive(Debug, Default)]
struct Before {
    at: Option<Instant>,
    /// CPU time in milliseconds of each process, by number and start.
    cpu_time: HashMap<(Pid, u64), u64>,
}

/// The processes that were found, all together.
#[derive(Debug, Clone, PartialEq, Default)]
struct Found {
    pids: Vec<u32>,
    /// In percent of a core.
    cpu: f64,
    /// In bytes.
    memory: u64,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    let name = form.optional("program", line)?.map(str::to_owned);
    let wanted = match (name, form.optional("pattern", regex)?) {
        (Some(name), None) => Wanted::Name(name),
        (None, Some(pattern)) => Wanted::Pattern(pattern),
        (None, None) => {
            return Err(mistake_at(
                "program",
                "`program` is missing",
                "add `program`, or `pattern`",
            ));
        }
        (Some(_), Some(_)) => {
            return Err(mistake_at("pattern", "there is a `program` too", "leave one of them out"));
        }
    };
    let max_memory = match form.optional("max_memory", size)? {
        Some(Size::Bytes(bytes)) => Some(bytes),
        Some(Size::Percent(_)) | None => None,
    };
    let limits = Limits {
        min_count: form.or("min_count", 1, whole)?,
        max_count: form.optional("max_count", whole)?,
        max_cpu: form.optional("max_cpu", number)?,
        max_memory,
    };
    if let Some(max) = limits.max_count.filter(|max| *max < limits.min_count) {
        let message = format!("at most {max} are never at least {}", limits.min_count);
        return Err(mistake_at("max_count", message, "set it to `min_count` or above"));
    }
    Ok(Box::new(Process { wanted, limits, looking: Aside::default() }))
}

impl Wanted {
    /// Whether `process` is one of them. Those that have ended and are only
    /// still listed are not, nor is this very process by a pattern, which may
    /// stand in its own command line.
    fn is(&self, process: &sysinfo::Process) -> bool {
        if matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead) {
            return false;
        }
        let words = process.cmd();
        match self {
            Self::Name(name) => is_called(name, process.name(), process.exe(), words),
            Self::Pattern(pattern) => {
                let line = words.join(OsStr::new(" "));
                process.pid().as_u32() != std::process::id()
                    && !line.is_empty()
                    && pattern.is_match(&line.to_string_lossy())
            }
        }
    }

    /// "nginx", to be named in a message.
    fn shown(&self) -> String {
        match self {
            Self::Name(name) => clean(name),
            Self::Pattern(pattern) => clean(pattern.as_str()),
        }
    }
}

/// Whether a process has that name:
/// 1. its file's, or its first word's, which is all that others may see;
/// 2. the system's name for it, which is a script's too, but cut on Linux: then
///    its second word, the script, must have the name.
fn is_called(name: &str, short: &OsStr, exe: Option<&Path>, words: &[impl AsRef<OsStr>]) -> bool {
    let word = |index: usize| words.get(index).and_then(|word| Path::new(word).file_name());
    let is = |found: Option<&OsStr>| found.is_some_and(|found| is_same(name, found));
    if is(exe.and_then(Path::file_name)) || is(word(0)) || is(Some(short)) {
        return true;
    }
    let is_cut = short.len() == SHORT_NAME
        && name.len() > SHORT_NAME
        && name.as_bytes().starts_with(short.as_encoded_bytes());
    is_cut && is(word(1))
}

fn is_same(name: &str, found: &OsStr) -> bool {
    if cfg!(windows) {
        let found = found.to_string_lossy().to_lowercase();
        let name = name.to_lowercase();
        found == name || found.strip_suffix(".exe") == Some(&name)
    } else {
        found == name
    }
}

/// Looks at all processes, and closely at those that are wanted.
fn look(wanted: &Wanted, before: &mut Before) -> Found {
    let mut system = System::new();
    let all = ProcessRefreshKind::nothing()
        .without_tasks()
        .with_exe(UpdateKind::Always)
        .with_cmd(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, all);
    let processes = system.processes().values().filter(|process| wanted.is(process));
    let mut pids: Vec<Pid> = processes.map(sysinfo::Process::pid).collect();
    pids.sort_unstable();
    let closely = ProcessRefreshKind::nothing().without_tasks().with_cpu().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&pids), true, closely);

    let now = Instant::now();
    let since = before.at.map(|at| (now - at).as_secs_f64() * 1000.0);
    let mut cpu_time = HashMap::new();
    let mut found = Found::default();
    for process in pids.iter().filter_map(|pid| system.process(*pid)) {
        let (key, spent) = ((process.pid(), process.start_time()), process.accumulated_cpu_time());
        let known = before.cpu_time.get(&key).copied().zip(since);
        found.pids.push(process.pid().as_u32());
        found.memory += process.memory();
        found.cpu += load(spent, known, process.run_time());
        cpu_time.insert(key, spent);
    }
    *before = Before { at: Some(now), cpu_time };
    found
}

/// The load of a process in percent of a core: from the CPU time it had
/// `spent` in a look some milliseconds ago, or, if there is none, since its
/// start some whole seconds ago.
fn load(spent: u64, before: Option<(u64, f64)>, run_time: u64) -> f64 {
    let (spent, over) = match before {
        Some((before, ago)) => (spent.saturating_sub(before), ago),
        None => (spent, run_time as f64 * 1000.0),
    };
    // CPU time is counted in steps of 10 ms: over less it would be noise.
    spent as f64 * 100.0 / over.max(1000.0)
}

impl Process {
    async fn run(&self, trace: &Trace) -> Result<String, Failure> {
        trace.step("looking at the processes");
        let wanted = self.wanted.clone();
        let found = self.looking.run(move |before| look(&wanted, before)).await;
        let found = found.map_err(Failure::NoAnswer)?;
        self.limits.judge(&self.wanted, &found, trace).map_err(Failure::Unexpected)
    }
}

impl Limits {
    /// Holds what was found against the limits.
    ///
    /// 1. Fewer than `min_count`, or more than `max_count`, is a failure.
    /// 2. More CPU or memory is a warning.
    fn judge(&self, wanted: &Wanted, found: &Found, trace: &Trace) -> Result<String, String> {
        let count = found.pids.len();
        let shown = wanted.shown();
        let limit =
            |limit: Option<f64>, measurement| Measurement { degraded_at: limit, ..measurement };
        let cpu = Measurement::new("cpu", (found.cpu * 10.0).round() / 10.0, "%");
        let memory = Measurement::new("memory", found.memory as f64, "B");
        trace.measure(Measurement::new("processes", count as f64, ""));
        trace.measure(limit(self.max_cpu, cpu));
        trace.measure(limit(self.max_memory.map(|bytes| bytes as f64), memory));
        if count > 0 {
            trace.note("pids", pids(&found.pids));
        }
        if count < self.min_count {
            return Err(match (count, wanted) {
                (0, Wanted::Name(_)) => format!("no process is called `{shown}`"),
                (0, Wanted::Pattern(_)) => format!("no command line matches `{shown}`"),
                _ => format!("{count} of `{shown}`, at least {} expected", self.min_count),
            });
        }
        if let Some(max) = self.max_count.filter(|max| count > *max) {
            return Err(format!("{count} of `{shown}`, at most {max} expected"));
        }
        if let Some(max) = self.max_cpu.filter(|max| found.cpu > *max) {
            trace.warn(format!("more than {max} % CPU"));
        }
        if let Some(max) = self.max_memory.filter(|max| found.memory > *max) {
            trace.warn(format!("more than {} memory", Bytes(max)));
        }
        Ok(match count {
            0 => "none runs".to_owned(),
            _ => format!("{count} running, {:.1} % CPU, {}", found.cpu, Bytes(found.memory)),
        })
    }
}

fn pids(pids: &[u32]) -> String {
    let shown = pids.iter().take(PIDS_SHOWN).map(u32::to_string).collect::<Vec<_>>().join(", ");
    match pids.len().saturating_sub(PIDS_SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl Probe for Process {
    fn check<'a>(&'a self, timeout: Duration, _: &'a Context) -> Checking<'a> {
        let run = move |trace: Arc<Trace>| async move { self.run(&trace).await };
        Box::pin(Trace::observe(self.host(), 0, timeout, run))
    }

    fn target(&self) -> String {
        self.wanted.shown()
    }

    fn host(&self) -> &'static str {
        "localhost"
    }
}

#[cfg(test)]
mod tests {
    use health::{Observation, Outcome};
    use serde_json::json;

    use super::*;

    const MIB: u64 = 1 << 20;

    async fn judged(limits: Limits, found: Found) -> Observation {
        let judging = Trace::observe("localhost", 0, Duration::from_secs(60), |trace| async move {
            let wanted = Wanted::Name("nginx".to_owned());
            limits.judge(&wanted, &found, &trace).map_err(Failure::Unexpected)
        });
        judging.await
    }

    fn found(count: u32, cpu: f64, mib: u64) -> Found {
        Found { pids: (1..=count).collect(), cpu, memory: mib * MIB }
    }

    const ANY: Limits = Limits { min_count: 1, max_count: None, max_cpu: None, max_memory: None };

    #[tokio::test]
    async fn what_is_found_is_held_against_the_limits() {
        let two = Limits { min_count: 2, max_count: Some(3), ..ANY };
        let thrifty = Limits { max_cpu: Some(50.0), max_memory: Some(10 * MIB), ..ANY };
        let none = Limits { min_count: 0, max_count: Some(0), ..ANY };
        for (limits, found, outcome) in [
            (&ANY, found(1, 0.26, 5), Ok("1 running, 0.3 % CPU, 5 MiB")),
            (&ANY, found(0, 0.0, 0), Err("no process is called `nginx`")),
            (&two, found(1, 0.0, 5), Err("1 of `nginx`, at least 2 expected")),
            (&two, found(3, 0.0, 5), Ok("3 running, 0.0 % CPU, 5 MiB")),
            (&two, found(4, 0.0, 5), Err("4 of `nginx`, at most 3 expected")),
            (&thrifty, found(1, 50.0, 10), Ok("1 running, 50.0 % CPU, 10 MiB")),
            (&none, found(0, 0.0, 0), Ok("none runs")),
            (&none, found(1, 0.0, 1), Err("1 of `nginx`, at most 0 expected")),
        ] {
            let outcome = match outcome {
                Ok(message) => Outcome::Healthy(message.to_owned()),
                Err(message) => Outcome::Unhealthy(message.to_owned()),
            };
            assert_eq!(judged(limits.clone(), found).await.outcome, outcome);
        }
        let seen = judged(thrifty, found(2, 170.0, 2000)).await;
        let message =
            "2 running, 170.0 % CPU, 2 GiB, but more than 50 % CPU, more than 10 MiB memory";
        assert_eq!(seen.outcome, Outcome::Degraded(message.to_owned()));
        let told = seen.measurements.iter().map(|m| (m.name.as_str(), m.value, m.degraded_at));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                ("processes", 2.0, None),
                ("cpu", 170.0, Some(50.0)),
                ("memory", 2_097_152_000.0, Some(10_485_760.0)),
            ]
        );
        assert_eq!(seen.metadata["pids"], "1, 2");
    }

    #[test]
    fn numbers_of_many_are_counted() {
        assert_eq!(pids(&(1..=12).collect::<Vec<_>>()), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more");
    }

    #[test]
    fn load_is_since_the_last_look_or_the_start() {
        for (spent, before, run_time, percent) in [
            (5000, None, 10, 50.0),
            (500, None, 0, 50.0),
            (5000, Some((1000, 2000.0)), 10, 200.0),
            (5000, Some((6000, 2000.0)), 10, 0.0),
            (5010, Some((5000, 0.0)), 10, 1.0),
        ] {
            assert!((load(spent, before, run_time) - percent).abs() < 1e-9);
        }
    }

    #[cfg(unix)]
    #[test]
    fn names() {
        let is = |name, short: &str, exe: Option<&str>, words: &[&str]| {
            is_called(name, OsStr::new(short), exe.map(Path::new), words)
        };
        assert!(is("nginx", "nginx", Some("/usr/sbin/nginx"), &["nginx: worker process"]));
        assert!(is("nginx", "nginx", None, &["nginx: worker process"]));
        assert!(!is("nginx", "nginx-debug", None, &["nginx-debug", "nginx"]));
        assert!(!is("ginx", "nginx", Some("/usr/sbin/nginx"), &[]));
        // A script is called as its interpreter, and as itself.
        let script = ["/usr/bin/python3", "/opt/a-rather-long-name.py"];
        assert!(is("python3", "a-rather-long-n", Some("/usr/bin/python3"), &script));
        assert!(is("a-rather-long-name.py", "a-rather-long-n", None, &script));
        assert!(!is("a-rather-long-nose.py", "a-rather-long-n", None, &script));
        assert!(is("a-rather-long-name", "a-rather-long-n", None, &["/opt/a-rather-long-name"]));
        assert!(is("kworker/0:1", "kworker/0:1", None, &[]));
    }

    #[test]
    fn mistakes() {
        for (values, message) in [
            (json!({}), "`program` is missing"),
            (json!({"program": "a", "pattern": "b"}), "there is a `program` too"),
            (
                json!({"program": "a", "min_count": 2, "max_count": 1}),
                "at most 1 are never at least 2",
            ),
            (json!({"program": "a", "max_memory": "10%"}), "`10%` is not a size"),
            (json!({"pattern": "("}), "not a regular expression: unclosed group"),
        ] {
            let found = probe(values.as_object().expect("a table")).err().expect("a mistake");
            assert_eq!(found[0].message, message);
        }
    }
}
