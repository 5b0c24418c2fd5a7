//! `check = "process"` on processes of this machine.

use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use health::Outcome;
use probe::{Context, Kind};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::trial::{fails, observe};

const PATIENT: Duration = Duration::from_secs(60);

/// A program nobody else has, and its processes; gone in the end.
struct Program {
    file: PathBuf,
    running: Vec<Child>,
    _dir: TempDir,
}

impl Program {
    /// A copy of that program.
    fn new(name: &str, original: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join(name);
        crate::exec::copy(original, &file);
        Self { file, running: Vec::new(), _dir: dir }
    }

    fn start(&mut self, arguments: &[&str]) {
        let mut command = Command::new(&self.file);
        self.running.push(command.args(arguments).spawn().expect("it starts"));
    }

    fn pids(&self) -> String {
        let mut ids: Vec<_> = self.running.iter().map(Child::id).collect();
        ids.sort_unstable();
        ids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
    }

    fn stop(&mut self) {
        for mut child in self.running.drain(..) {
            child.kill().expect("it is ours");
            child.wait().expect("it ends");
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn outcome(keys: Value) -> Outcome {
    observe("process", &keys, PATIENT).await.outcome
}

#[tokio::test]
async fn processes_by_name() {
    // Longer than what Linux keeps of a name.
    let name = "pilotlight-test-sleeper";
    let mut program = Program::new(name, "/bin/sleep");
    let keys = json!({"program": name, "min_count": 2});
    fails("process", "it does not run", &keys, PATIENT, &format!("no process is called `{name}`"))
        .await;
    program.start(&["600"]);
    fails("process", "too few run", &keys, PATIENT, &format!("1 of `{name}`, at least 2 expected"))
        .await;
    program.start(&["601"]);
    let well = observe("process", &keys, PATIENT).await;
    assert!(
        matches!(&well.outcome, Outcome::Healthy(text) if text.starts_with("2 running, 0.0 % CPU, ")),
        "{well:?}"
    );
    assert_eq!(well.metadata["pids"], program.pids());
    let [count, cpu, memory] = &well.measurements[..] else { panic!("{well:?}") };
    assert_eq!((count.value, cpu.unit.as_str(), memory.unit.as_str()), (2.0, "%", "B"));
    assert!(memory.value > 100_000.0, "{well:?}");
    let many = json!({"program": name, "max_count": 1});
    fails("process", "too many run", &many, PATIENT, &format!("2 of `{name}`, at most 1 expected"))
        .await;
    let greedy = json!({"program": name, "max_memory": "1 KiB"});
    assert!(
        matches!(outcome(greedy).await, Outcome::Degraded(text) if text.ends_with(", but more than 1 KiB memory"))
    );
    // Not a part of the name, and not those whose name is longer.
    assert!(matches!(
        outcome(json!({"program": "pilotlight-test-sleepe"})).await,
        Outcome::Unhealthy(_)
    ));

    program.stop();
    assert_eq!(
        outcome(json!({"program": name})).await,
        Outcome::Unhealthy(format!("no process is called `{name}`"))
    );
    assert_eq!(
        outcome(json!({"program": name, "min_count": 0, "max_count": 0})).await,
        Outcome::Healthy("none runs".to_owned())
    );
}

#[tokio::test]
async fn who_has_ended_is_not_counted_though_still_listed() {
    let name = "pl-test-zombie";
    let mut program = Program::new(name, "/bin/sleep");
    program.start(&["600"]);
    let id = rustix::process::Pid::from_child(&program.running[0]);
    rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("it is ours");
    // Ended, and not waited for.
    let stat = format!("/proc/{}/stat", program.running[0].id());
    while !std::fs::read_to_string(&stat).expect("listed").contains(") Z ") {
        tokio::task::yield_now().await;
    }
    let message = format!("no process is called `{name}`");
    assert_eq!(outcome(json!({"program": name})).await, Outcome::Unhealthy(message));
}

#[tokio::test]
async fn processes_by_command_line() {
    let mut program = Program::new("pl-test-patterns", "/bin/sleep");
    program.start(&["600.25"]);
    program.start(&["600.75"]);
    let found = outcome(json!({"pattern": r"pl-test-patterns 600\.7\d$", "max_count": 1})).await;
    assert!(matches!(found, Outcome::Healthy(_)), "{found:?}");
    let none = json!({"pattern": r"pl-test-patterns 600\.8\d$"});
    let message = r"no command line matches `pl-test-patterns 600\.8\d$`";
    fails("process", "no command line matches", &none, PATIENT, message).await;
}

#[tokio::test]
async fn a_pattern_never_finds_the_one_who_looks() {
    // This test's own command line is like no other.
    let own = std::env::args().next().expect("a name");
    let keys =
        json!({"pattern": format!("^{}", regex::escape(&own)), "min_count": 0, "max_count": 0});
    assert_eq!(outcome(keys).await, Outcome::Healthy("none runs".to_owned()));
}

#[tokio::test]
async fn a_busy_one() {
    let name = "pl-test-busy";
    let mut program = Program::new(name, "/bin/sh");
    program.start(&["-c", "while :; do :; done"]);
    let keys = json!({"program": name, "max_cpu": 0});
    let probe = Kind::Process.probe(keys.as_object().expect("a table")).expect("right");
    let seen = async || probe.check(PATIENT, &Context::default()).await;
    // Since its start, then since the look before.
    for _ in 0..2 {
        let mut busy = seen().await;
        while busy.measurements[1].value == 0.0 {
            busy = seen().await;
        }
        assert!(
            matches!(&busy.outcome, Outcome::Degraded(text) if text.ends_with(", but more than 0 % CPU")),
            "{busy:?}"
        );
    }
}
