//! `check = "exec"` with real Nagios plugins, and with programs that do what
//! programs should not.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use health::{Measurement, Observation, Outcome};
use probe::{Context, Kind};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::servers::nginx::Nginx;
use crate::trial::{fails, observe, seen};

const PATIENT: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

/// Copies a file by another process: one that this process has open for
/// writing, while another test starts a program, cannot be run.
pub fn copy(from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) {
    crate::servers::run(Command::new("cp").arg(from).arg(to));
}

fn plugin(name: &str, arguments: &[&str]) -> Value {
    let program = format!("/usr/lib/nagios/plugins/{name}");
    let command: Vec<_> = [program.as_str()].into_iter().chain(arguments.iter().copied()).collect();
    json!({ "command": command })
}

fn sh(script: &str) -> Value {
    json!({"command": ["sh", "-c", script]})
}

async fn ran(script: &str) -> Observation {
    observe("exec", &sh(script), PATIENT).await
}

fn measured<'o>(seen: &'o Observation, name: &str) -> &'o Measurement {
    let found = seen.measurements.iter().find(|figure| figure.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {seen:?}"))
}

#[tokio::test]
async fn plugins_that_ask_a_server() {
    let mut nginx = Nginx::start("");
    let port = nginx.server.port().to_string();
    let http = plugin("check_http", &["-H", "127.0.0.1", "-p", &port]);
    let well = observe("exec", &http, PATIENT).await;
    assert!(
        matches!(&well.outcome, Outcome::Healthy(text) if text.starts_with("HTTP OK: ")),
        "{well:?}"
    );
    let took = measured(&well, "time");
    assert_eq!((took.unit.as_str(), took.degraded_at), ("s", None));
    assert_eq!(measured(&well, "size").unit, "B");
    assert!(well.metadata["perf_time"].ends_with(" s"), "{well:?}");
    let response_time = well.response_time.expect("it ended").as_secs_f64();
    assert!(took.value <= response_time, "{well:?}");
    assert!(well.phases.is_empty(), "a program keeps them to itself: {well:?}");

    let missing = plugin("check_http", &["-H", "127.0.0.1", "-p", &port, "-s", "else"]);
    let missing = observe("exec", &missing, PATIENT).await;
    assert!(
        matches!(&missing.outcome, Outcome::Unhealthy(text) if text.starts_with("HTTP CRITICAL")),
        "{missing:?}"
    );
    let tcp = plugin("check_tcp", &["-H", "127.0.0.1", "-p", &port, "-w", "50", "-c", "60"]);
    let tcp = observe("exec", &tcp, PATIENT).await;
    assert!(
        matches!(&tcp.outcome, Outcome::Healthy(text) if text.starts_with("TCP OK")),
        "{tcp:?}"
    );
    let took = measured(&tcp, "time");
    assert_eq!((took.degraded_at, took.unhealthy_at), (Some(50.0), Some(60.0)));

    nginx.server.stop();
    let refused = "connect to address 127.0.0.1 and port PORT: Connection refused";
    let refused = refused.replace("PORT", &port);
    let stopped = observe("exec", &http, PATIENT).await;
    assert_eq!(stopped.outcome, Outcome::Unhealthy(refused.clone()));
    let body = stopped.evidence.body.expect("it printed something");
    assert!(body.starts_with(&refused) && body.contains("HTTP CRITICAL"), "{body}");
}

#[tokio::test]
async fn plugins_that_look_at_this_machine() {
    let load = plugin("check_load", &["-w", "1000,1000,1000", "-c", "2000,2000,2000"]);
    let load = observe("exec", &load, PATIENT).await;
    assert!(matches!(load.outcome, Outcome::Healthy(_)), "{load:?}");
    let minute = measured(&load, "load1");
    assert_eq!((minute.degraded_at, minute.unhealthy_at), (Some(1000.0), Some(2000.0)));
    assert_eq!(load.measurements.len(), 3);

    // Never reached, always reached.
    let disk = plugin("check_disk", &["-w", "0%", "-c", "0%", "-p", "/"]);
    let disk = observe("exec", &disk, PATIENT).await;
    assert!(matches!(disk.outcome, Outcome::Healthy(_)), "{disk:?}");
    let used = measured(&disk, "/");
    assert!(used.unit == "B" && used.value > 1e6, "{disk:?}");
    let full = plugin("check_disk", &["-w", "100%", "-c", "0%", "-p", "/"]);
    let full = observe("exec", &full, PATIENT).await;
    assert!(matches!(full.outcome, Outcome::Degraded(_)), "{full:?}");

    let unknown = plugin("check_disk", &["-p", "/"]);
    let message = "DISK UNKNOWN: Must set a threshold value before using -p";
    fails("exec", "a plugin's \"unknown\"", &unknown, PATIENT, message).await;
}

#[tokio::test]
async fn the_exit_code_decides() {
    let healthy = ran("echo fine; echo aside >&2").await;
    assert_eq!(healthy.outcome, Outcome::Healthy("fine".to_owned()));
    let degraded = ran("echo aside >&2; exit 1").await;
    assert_eq!(degraded.outcome, Outcome::Degraded("aside".to_owned()));
    for (situation, script, message) in [
        ("the program says so", "echo it is down; exit 2", "it is down"),
        ("no output", "exit 2", "exit code 2, no output"),
        ("exit code 3", "echo no idea; exit 3", "unknown (exit code 3): no idea"),
        ("another exit code", "echo what; exit 42", "exit code 42: what"),
        ("ended by a signal", "echo what; kill -TERM $$", "ended by signal 15 (SIGTERM): what"),
    ] {
        fails("exec", situation, &sh(script), PATIENT, message).await;
    }
}

#[tokio::test]
async fn programs_that_cannot_run() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("a plain name").to_owned();
    let write = |name: &str, text: &str, mode: u32| {
        let (draft, file) = (path("draft"), path(name));
        fs::write(&draft, text).expect("written");
        copy(&draft, &file);
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("permitted");
        file
    };
    let nobodys = write("plain", "#!/bin/sh\n", 0o644);
    let orphan = write("orphan", "#!/no/such/interpreter\n", 0o755);
    let garbage = write("garbage", "neither script nor program\n", 0o755);
    for (situation, keys, message) in [
        (
            "no such program",
            json!({"command": ["no-such-program"]}),
            "no program `no-such-program` in PATH: write its full path in `command`".to_owned(),
        ),
        (
            "program and arguments in one text",
            json!({"command": "no-such-program --all"}),
            "no program is called `no-such-program --all`: write each argument as a text of its \
             own"
            .to_owned(),
        ),
        (
            "no such file",
            json!({"command": [path("none")]}),
            format!("program `{}` does not exist: check `command`", path("none")),
        ),
        (
            "not executable",
            json!({"command": [nobodys]}),
            format!("not allowed to run `{nobodys}`: make it executable for this user"),
        ),
        (
            "a folder",
            json!({"command": [dir.path()]}),
            format!("`{}` is a folder, not a program: check `command`", dir.path().display()),
        ),
        (
            "no interpreter",
            json!({"command": [orphan]}),
            format!("`{orphan}` needs a program that does not exist: see its first line"),
        ),
        (
            "not a program",
            json!({"command": [garbage]}),
            format!(
                "`{garbage}` is not a program for this system: a script names its interpreter in \
                 the first line, #!/bin/sh"
            ),
        ),
        (
            "no such folder",
            json!({"command": ["true"], "directory": path("none")}),
            format!("the folder `{}` does not exist: check `directory`", path("none")),
        ),
    ] {
        let told = crate::errors::steady(&message);
        fails("exec", situation, &keys, PATIENT, &told).await;
        let seen = observe("exec", &keys, PATIENT).await;
        assert_eq!(seen.outcome, Outcome::Unhealthy(message));
        assert_eq!(seen.response_time, None);
    }
}

#[tokio::test]
async fn it_runs_where_and_with_what_it_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path().canonicalize().expect("there");
    let script = dir.join("script");
    copy("/bin/pwd", &script);
    let keys = json!({"command": ["./script"], "directory": dir});
    let seen = observe("exec", &keys, PATIENT).await;
    assert_eq!(seen.outcome, Outcome::Healthy(dir.to_str().expect("plain").to_owned()));

    let keys = json!({"command": ["env"], "environment": {"OWN": "1", "HOME": "/elsewhere"}});
    let probe = Kind::Exec.probe(keys.as_object().expect("a table")).expect("right");
    let plain = probe.check(PATIENT, &Context::default()).await;
    assert!(matches!(plain.outcome, Outcome::Healthy(_)), "{plain:?}");
    // All of it is evidence of a failure.
    let keys = json!({
        "command": ["sh", "-c", "env; exit 2"],
        "environment": {"OWN": "1", "HOME": "/elsewhere"},
    });
    let body = observe("exec", &keys, PATIENT).await.evidence.body.expect("it printed");
    let names: BTreeSet<_> =
        body.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert!(body.contains("OWN=1\n") && body.contains("HOME=/elsewhere\n"), "{body}");
    assert!(names.contains("PATH"), "{body}");
    // This test has variables from cargo; the shell adds its own.
    assert!(std::env::vars().any(|(name, _)| name.starts_with("CARGO")));
    let known = "OWN PATH HOME USER LOGNAME LANG LC_ALL LC_CTYPE TZ TMPDIR PWD OLDPWD SHLVL _";
    let known = known.split(' ').collect();
    assert!(names.is_subset(&known), "{names:?}");
}

#[tokio::test]
async fn it_has_no_input_and_no_terminal() {
    let keys = json!({"command": ["cat"]});
    let empty = observe("exec", &keys, PATIENT).await;
    assert_eq!(empty.outcome, Outcome::Healthy("exit code 0, no output".to_owned()));
    let seen = ran("test -t 0 || test -t 1 || test -t 2 || echo none").await;
    assert_eq!(seen.outcome, Outcome::Healthy("none".to_owned()));
}

#[tokio::test]
async fn output_is_bounded_and_never_in_the_way() {
    // More than pipes hold, on both, without an end of line.
    let flood =
        "head -c 3000000 /dev/zero | tr '\\0' e >&2; head -c 3000000 /dev/zero | tr '\\0' o";
    let seen = ran(&format!("{flood}; exit 2")).await;
    assert_eq!(seen.outcome, Outcome::Unhealthy(format!("{}…", "o".repeat(200))));
    assert!(seen.evidence.body.expect("it printed").len() < 3000);

    let endless = observe("exec", &sh("exec yes"), SHORT).await;
    let message = "timed out after 300 ms, running sh".to_owned();
    assert_eq!(endless.outcome, Outcome::Unhealthy(message));
    assert_eq!(endless.response_time, None);
    assert!(endless.evidence.body.expect("it printed").starts_with("y\ny\n"));

    let binary = ran(r"printf '\000\377\033[31m | \000=1 a=\377 b=2'; exit 2").await;
    let message = "\\u{0}\u{fffd}\\u{1b}[31m".to_owned();
    assert_eq!(binary.outcome, Outcome::Unhealthy(message));
    let names: Vec<_> = binary.measurements.iter().map(|figure| &figure.name).collect();
    assert_eq!(names, ["\\u{0}", "b"]);
}

/// A script whose processes are known by a variable.
struct Marked {
    keys: Value,
    mark: String,
}

impl Marked {
    fn new(script: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let mark = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut keys = sh(script);
        keys["environment"] = json!({"PILOTLIGHT_TEST_EXEC": mark});
        Self { keys, mark: format!("PILOTLIGHT_TEST_EXEC={mark}\0") }
    }

    /// Those that are alive.
    fn alive(&self) -> Vec<i32> {
        let ids = fs::read_dir("/proc").expect("processes").flatten();
        let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        ids.filter(|id| {
            let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment.windows(self.mark.len()).any(|part| part == self.mark.as_bytes())
        })
        .collect()
    }

    async fn until(&self, count: usize) -> Vec<i32> {
        let deadline = Instant::now() + PATIENT;
        loop {
            let alive = self.alive();
            if alive.len() == count {
                return alive;
            }
            assert!(Instant::now() < deadline, "{count} expected, {alive:?} there");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Asserts that none is left, and the program itself not even as a zombie.
    async fn are_gone(&self, were: &[i32]) {
        self.until(0).await;
        let own = format!(" {} ", std::process::id());
        let deadline = Instant::now() + PATIENT;
        let unreaped = |id: &&i32| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            // `1 (sh) Z parent ...`
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest[1..].starts_with(&own))
        };
        while let Some(id) = were.iter().find(unreaped) {
            assert!(Instant::now() < deadline, "{id} was not waited for");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Scripts of two processes, each harder to end than the one before.
const STUBBORN: [&str; 3] = [
    "sleep 600 & sleep 600; true",
    "trap '' TERM INT HUP; sh -c 'while :; do sleep 600; done' & while :; do wait; done",
    "sleep 600 & exec >&- 2>&-; wait",
];

#[tokio::test]
async fn a_time_out_ends_all_it_started() {
    for script in STUBBORN {
        // Long enough that all were there, however slow the machine is.
        let mut time = SHORT;
        loop {
            let marked = Marked::new(script);
            let check = observe("exec", &marked.keys, time);
            let watched = timeout(PATIENT, async {
                let mut most = Vec::new();
                tokio::pin!(check);
                loop {
                    tokio::select! {
                        seen = &mut check => return (seen, most),
                        () = sleep(Duration::from_millis(5)) => {}
                    }
                    let alive = marked.alive();
                    if alive.len() > most.len() {
                        most = alive;
                    }
                }
            });
            let (observation, most) = watched.await.expect("it times out");
            assert!(
                matches!(&observation.outcome, Outcome::Unhealthy(m) if m.starts_with("timed out"))
            );
            marked.are_gone(&most).await;
            if most.len() >= 2 {
                break;
            }
            time *= 2;
        }
    }
    let hanging = sh("exec sleep 600");
    let message = "timed out after 300 ms, running sh";
    fails("exec", "the program hangs", &hanging, SHORT, message).await;
}

#[tokio::test]
async fn a_check_that_is_dropped_ends_all_it_started() {
    for script in STUBBORN {
        let marked = Marked::new(script);
        let keys = marked.keys.clone();
        let checking = tokio::spawn(async move { observe("exec", &keys, PATIENT).await });
        while marked.alive().len() < 2 {
            sleep(Duration::from_millis(5)).await;
        }
        let were = marked.alive();
        checking.abort();
        assert!(checking.await.expect_err("aborted").is_cancelled());
        marked.are_gone(&were).await;
    }
}

#[tokio::test]
async fn what_a_program_leaves_behind_is_ended_and_not_waited_for() {
    let marked = Marked::new("sleep 600 & echo fine");
    let seen = observe("exec", &marked.keys, PATIENT).await;
    assert_eq!(seen.outcome, Outcome::Healthy("fine".to_owned()));
    marked.are_gone(&[]).await;
}

#[tokio::test]
async fn who_leaves_the_group_does_not_hold_the_check_up() {
    let marked = Marked::new("setsid sleep 600 & echo fine");
    let observation = observe("exec", &marked.keys, PATIENT).await;
    assert_eq!(seen(&observation), Outcome::Healthy("fine".to_owned()));
    for id in marked.alive() {
        // It may not have left yet, and be gone.
        let _ = kill_process(Pid::from_raw(id).expect("an id"), Signal::KILL);
    }
    marked.until(0).await;
}

#[tokio::test]
async fn many_runs_leave_nothing() {
    let marked = Marked::new("echo $$");
    let probe = Kind::Exec.probe(marked.keys.as_object().expect("a table")).expect("right");
    let mut were = Vec::new();
    for _ in 0..20 {
        let seen = probe.check(PATIENT, &Context::default()).await;
        were.push(seen.outcome.message().parse().expect("a process id"));
    }
    marked.are_gone(&were).await;
}
