//! The command line as scripts see it: output, exit codes, and what it says
//! when something is wrong.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src-tauri/crates/health/tests/vectors");

/// One Pilotlight with folders of its own.
struct Home {
    folder: TempDir,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn with_config(text: &str) -> Self {
        let home = Self::new();
        fs::write(home.config(), text).expect("written");
        home
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pilotlight"));
        command
            .args(arguments)
            .arg("--config")
            .arg(self.config())
            .arg("--data-dir")
            .arg(self.data_dir())
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("started")
    }

    /// Runs it into a pipe that nobody reads from any more.
    fn run_unread(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdout(closed_pipe()).output().expect("started")
    }

    fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut stdin = child.stdin.take().expect("piped");
        let input = input.to_owned();
        let feed = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().expect("ended");
        // A program that stopped reading has its reasons, which it printed.
        let _ = feed.join().expect("fed");
        output
    }
}

/// The end to write to of a pipe whose reader is gone.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// One JSON value a line.
fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", stderr(output));
    stdout(output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn vectors(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(Path::new(VECTORS).join(file)).expect("the vectors");
    serde_json::from_str(&text).expect("JSON")
}

/// The outcome of a usage or config error: one clear line, one line of help.
#[track_caller]
fn assert_refused(output: &Output, message: &str, help: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(message), "{said}");
    assert!(said.contains(help), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

fn tcp_service(id: &str, port: u16) -> String {
    format!("[[service]]\nid = \"{id}\"\ncheck = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\n")
}

/// A port of loopback that refuses connections as long as the value lives.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port()
}

#[test]
fn check_reports_every_service_and_its_exit_code_is_the_worst() {
    let open = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = open.local_addr().expect("bound").port();
    let closed = closed_port();
    let config = tcp_service("up", port)
        + "name = \"B\"\n"
        + &tcp_service("down", closed)
        + "name = \"A\"\n";
    let home = Home::with_config(&config);

    let all = home.run(&["check", "--json"]);
    assert_eq!(all.status.code(), Some(2));
    let report = json_of(&all);
    assert_eq!(report["overall"], "unhealthy");
    assert!(report["checked_at"].as_f64().expect("a number") > 1.7e9);
    let services = report["services"].as_array().expect("a list");
    let names: Vec<_> = services.iter().map(|s| s["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["A", "B"], "by name");
    assert_eq!(services[0]["message"], format!("connection refused (127.0.0.1:{closed})"));
    assert_eq!(services[0]["response_time_ms"], Value::Null);
    assert_eq!(services[1]["id"], "up");
    let ms = services[1]["response_time_ms"].as_f64().expect("a number");
    assert!((ms * 10.0 - (ms * 10.0).round()).abs() < 1e-9, "one decimal: {ms}");

    let one = home.run(&["check", "up", "--json"]);
    assert_eq!(one.status.code(), Some(0));
    assert_eq!(json_of(&one)["services"].as_array().expect("a list").len(), 1);
    let people = home.run(&["check"]);
    assert!(stdout(&people).contains("unhealthy A"), "{}", stdout(&people));
    assert_refused(
        &home.run(&["check", "nobody"]),
        "there is no service `nobody`",
        "checks them all",
    );
}

#[test]
fn replay_classic_prints_what_the_flap_vectors_say() {
    for (n, case) in vectors("flap.json").iter().enumerate() {
        let raw = case["raw"].as_array().expect("a list");
        let reports: String = (1_760_000_000..)
            .zip(raw)
            .map(|(at, status)| {
                let service = json!({"id": "s", "name": "s", "status": status});
                json!({"checked_at": at, "services": [service]}).to_string() + "\n"
            })
            .collect();
        let stable_count = case["stable_count"].to_string();
        let answers =
            lines(&Home::new().run_with_input(
                &["replay", "--classic", "--stable-count", &stable_count],
                &reports,
            ));
        let stable: Vec<_> = answers.iter().map(|answer| answer["stable"]["s"].clone()).collect();
        assert_eq!(&stable, case["stable"].as_array().expect("a list"), "case {n}");
    }
}

#[test]
fn replay_classic_prints_what_the_incident_vectors_say() {
    for (n, case) in vectors("incident.json").iter().enumerate() {
        let steps = case["steps"].as_array().expect("a list");
        let reports: String = steps
            .iter()
            .map(|step| {
                let statuses = step["status"].as_object().expect("a map");
                let services: Vec<_> = statuses
                    .iter()
                    .map(|(name, status)| json!({"name": name, "status": status}))
                    .collect();
                json!({"checked_at": step["checked_at"], "services": services}).to_string() + "\n"
            })
            .collect();
        let threshold = case["threshold"].to_string();
        let answers = lines(
            &Home::new()
                .run_with_input(&["replay", "--classic", "--fail-after", &threshold], &reports),
        );
        assert_eq!(answers.len(), steps.len());
        for (answer, step) in answers.iter().zip(steps) {
            let new: Vec<_> = answer["new_incidents"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|incident| incident["service"].clone())
                .collect();
            assert_eq!(&new, step["new"].as_array().expect("a list"), "case {n}");
            assert_eq!(answer["resolved_incidents"], step["resolved"], "case {n}");
            let active: Vec<_> = answer["active_incidents"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|i| json!({"service": i["service"], "checks_failed": i["checks_failed"]}))
                .collect();
            assert_eq!(&active, step["active"].as_array().expect("a list"), "case {n}");
        }
    }
}

#[test]
fn replay_tells_what_the_apps_judge_would_have_told() {
    let statuses =
        ["healthy", "unhealthy", "unhealthy", "unhealthy", "unhealthy", "healthy", "healthy"];
    let reports: String = (0..)
        .zip(statuses)
        .map(|(n, status)| {
            let service = json!({"name": "API Gateway", "status": status});
            json!({"checked_at": 1_760_000_000 + n * 30, "services": [service]}).to_string() + "\n"
        })
        .collect();
    let answers = lines(&Home::new().run_with_input(&["replay"], &reports));
    assert_eq!(answers[2]["stable"]["API Gateway"], "healthy");
    assert_eq!(
        answers[3]["new_incidents"],
        json!([{"service": "API Gateway", "started": 1_760_000_030.0}])
    );
    assert_eq!(
        answers[4]["active_incidents"],
        json!([{"service": "API Gateway", "duration_min": 1.5, "checks_failed": 4}])
    );
    assert_eq!(
        answers[6]["resolved_incidents"],
        json!([{"service": "API Gateway", "duration_min": 2.5}])
    );
}

/// `check --json` reports for a case of sla.json or daily.json: the checks of
/// each day, spread over it, up to now.
fn reports(input: &Value, now: i64) -> String {
    let today = now - now.rem_euclid(86_400);
    let mut all = BTreeMap::new();
    for day in input.as_array().expect("a list") {
        let start = today - day["days_ago"].as_i64().expect("a number") * 86_400;
        let length = (now - start).min(86_400);
        let checks = day["checks"].as_array().expect("a list");
        let count = i64::try_from(checks.len()).expect("few");
        for (n, check) in (0..).zip(checks) {
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            let at = start as f64 + length as f64 * f64::from(n) / count as f64;
            let service = json!({"id": "s", "status": check[0], "response_time_ms": check[1]});
            let at_ms = format!("{:.0}", at * 1000.0);
            all.insert(at_ms, json!({"checked_at": at, "services": [service]}).to_string() + "\n");
        }
    }
    all.into_values().collect()
}

fn now_seconds() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the program under test reads the clock too")]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("this century")
}

#[test]
fn record_then_sla_and_daily_print_what_the_vectors_say() {
    let now = now_seconds();
    let daily = vectors("daily.json");
    for (n, (sla, daily)) in vectors("sla.json").iter().zip(&daily).enumerate() {
        assert_eq!(sla["input"], daily["input"], "the two files share their input");
        let home = Home::new();
        let recorded = home.run_with_input(&["record"], &reports(&sla["input"], now));
        assert!(recorded.status.success(), "{}", stderr(&recorded));

        let days = sla["days"].to_string();
        let answer = json_of(&home.run(&["sla", "s", "--days", &days, "--utc", "--json"]));
        for (key, expected) in sla["expect"].as_object().expect("a map") {
            assert_eq!(&answer[key], expected, "case {n}, {key}: {answer}");
        }

        let answer = json_of(&home.run(&["daily", "s", "--days", &days, "--utc", "--json"]));
        let rows = answer.as_array().expect("a list");
        let expected = daily["expect"].as_array().expect("a list");
        assert_eq!(rows.len(), expected.len(), "case {n}");
        for (row, expected) in rows.iter().zip(expected) {
            for key in ["uptime_pct", "avg_response_ms", "checks"] {
                assert_eq!(row[key], expected[key], "case {n}, {key}: {row}");
            }
            match (row["p95_response_ms"].as_f64(), expected["p95_response_ms"].as_f64()) {
                (Some(is), Some(should)) => {
                    assert!((is - should).abs() <= should * 0.01, "case {n}: {row}");
                }
                (is, should) => assert_eq!(is, should, "case {n}: {row}"),
            }
        }
    }
}

#[test]
fn graph_prints_what_the_vectors_say() {
    for (n, case) in vectors("graph.json").iter().enumerate().take(12) {
        let services: String = case["depends_on"]
            .as_object()
            .expect("a map")
            .iter()
            .map(|(id, on)| tcp_service(id, 1) + &format!("depends_on = {on}\n"))
            .collect();
        let home = Home::with_config(&services);
        let unhealthy = case["unhealthy"].as_array().expect("a list");
        let mut arguments = vec!["graph", "root-cause", "--json"];
        arguments.extend(unhealthy.iter().map(|id| id.as_str().expect("an id")));
        if !unhealthy.is_empty() {
            assert_eq!(json_of(&home.run(&arguments)), case["root_cause"], "case {n}");
        }
        for (id, affected) in case["affected_by"].as_object().expect("a map").iter().take(2) {
            let answer = json_of(&home.run(&["graph", "affected-by", id, "--json"]));
            assert_eq!(&answer, affected, "case {n}, {id}");
        }
    }
    let home = Home::with_config(
        &(tcp_service("db", 1) + &tcp_service("api", 2) + "depends_on = [\"db\"]\n"),
    );
    assert!(stdout(&home.run(&["graph", "dot"])).contains("\"api\" -> \"db\";"));
    assert_refused(
        &home.run(&["graph", "affected-by", "nobody"]),
        "no service `nobody`",
        "graph dot",
    );
}

/// Bad input, and what is said about it.
#[test]
fn every_mistake_in_the_config_is_named_with_its_remedy() {
    let table = [
        (
            "url = \"http://a/\"\ncheck = \"http\"\nid = \"a\"\nintervall = \"5s\"",
            "intervall",
            "interval",
        ),
        (
            "id = \"a\"\ncheck = \"http\"\nurl = \"http://a/\"\nevery = \"10 parsecs\"",
            "10 parsecs",
            "500ms",
        ),
        ("id = \"a\"\ncheck = \"http\"\nurl = \"htp:/a\"", "scheme `htp`", "http"),
        (
            "id = \"a\"\ncheck = \"http\"\nurl = \"http://a/\"\nexpect_regex = \"(\"",
            "(",
            "regular expression",
        ),
        (
            "id = \"a\"\ncheck = \"http\"\nurl = \"http://a/\"\nexpect_json = [{ path = \"$[\", exists = true }]",
            "$[",
            "path",
        ),
        ("id = \"a\"\ncheck = \"tcp\"\nhost = \"a\"\nport = 0", "port 0", "65535"),
        (
            "id = \"a\"\ncheck = \"tcp\"\nhost = \"a\"\nport = 1\ndepends_on = [\"b\"]",
            "`b`",
            "depends_on",
        ),
        ("id = \"A B\"\ncheck = \"tcp\"\nhost = \"a\"\nport = 1", "A B", "lower-case"),
    ];
    for (service, what, remedy) in table {
        let home = Home::with_config(&format!("[[service]]\n{service}\n"));
        let before = fs::read(home.config()).expect("there");
        for command in [&["check"][..], &["run", "--headless"], &["validate"]] {
            let output = home.run(command);
            assert_eq!(output.status.code(), Some(3), "{service}\n{}", stderr(&output));
            assert!(stderr(&output).contains(what), "{service}\n{}", stderr(&output));
        }
        let problems = json_of(&home.run(&["validate", "--json"]))["problems"].clone();
        let problem = &problems[0];
        assert!(problem["line"].as_u64().expect("a line") >= 1, "{problem}");
        assert!(problem["column"].as_u64().expect("a column") >= 1, "{problem}");
        let text = format!("{} {} {}", problem["message"], problem["help"], problem["field"]);
        assert!(text.contains(remedy) || text.contains("every"), "{service}: {text}");
        assert_eq!(fs::read(home.config()).expect("there"), before, "nothing is written");
        assert!(!home.data_dir().exists(), "nothing is begun");
    }
}

#[test]
fn several_mistakes_are_all_reported_at_once() {
    let home =
        Home::with_config(&(tcp_service("a", 0) + &tcp_service("a", 1) + "colour = \"red\"\n"));
    let problems = json_of(&home.run(&["validate", "--json"]))["problems"].clone();
    let lines: Vec<_> = problems
        .as_array()
        .expect("a list")
        .iter()
        .map(|p| p["line"].as_u64().expect("a line"))
        .collect();
    assert_eq!(lines, [5, 7, 11], "{problems}");
}

#[test]
fn a_config_that_is_a_folder_or_missing_or_no_text_is_named() {
    let home = Home::new();
    assert_refused(&home.run(&["validate"]), "there is no file", "add a service");
    fs::create_dir(home.config()).expect("made");
    assert_refused(&home.run(&["check"]), "is a folder", "name the file within it");
    fs::remove_dir(home.config()).expect("removed");
    fs::write(home.config(), b"a = \"\xff\"").expect("written");
    assert_refused(&home.run(&["check"]), "is not text in UTF-8 (line 1)", "save it as UTF-8");
}

#[test]
fn a_named_config_that_is_missing_is_a_mistake_and_a_missing_default_is_none() {
    let home = Home::new();
    for command in [&["check"][..], &["run", "--headless"], &["graph", "dot"]] {
        assert_refused(&home.run(command), "there is no file", "leave out --config");
    }
    assert!(!home.data_dir().exists(), "nothing is begun");
    assert!(home.run(&["incidents"]).status.success(), "does not need the config");
    assert!(home.run(&["sla", "a"]).status.success(), "reads it only if it is there");
    let default = Command::new(env!("CARGO_BIN_EXE_pilotlight"))
        .arg("check")
        .env("HOME", home.folder.path())
        .env("XDG_CONFIG_HOME", home.folder.path())
        .output()
        .expect("started");
    assert_eq!(default.status.code(), Some(0), "{}", stderr(&default));
    assert!(stdout(&default).contains("No services yet"), "{}", stdout(&default));
}

#[test]
fn a_reader_that_is_gone_changes_nothing_but_what_is_printed() {
    let home = Home::with_config(&tcp_service("a", closed_port()));
    let report = r#"{"checked_at": 1760000000, "services": [{"id": "a", "status": "healthy"}]}"#;
    let commands = [
        (&["check"][..], 2),
        (&["check", "--json"], 2),
        (&["incidents"], 0),
        (&["incidents", "--json"], 0),
        (&["daily", "a", "--days", "400"], 0),
        (&["sla", "a"], 0),
        (&["graph", "dot"], 0),
        (&["graph", "affected-by", "a"], 0),
        (&["validate"], 0),
    ];
    for (command, code) in commands {
        let output = home.run_unread(command);
        assert_eq!(output.status.code(), Some(code), "{command:?}: {}", stderr(&output));
        assert_eq!(stderr(&output), "", "{command:?}");
    }
    let file = home.folder.path().join("reports");
    fs::write(&file, report).expect("written");
    for command in ["replay", "record"] {
        let output = home.run_unread(&[command, file.to_str().expect("text")]);
        assert!(output.status.success(), "{command}: {}", stderr(&output));
        assert_eq!(stderr(&output), "", "{command}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_below_standard_output_is_named() {
    let home = Home::with_config(&tcp_service("a", closed_port()));
    let commands = [
        &["check"][..],
        &["incidents"],
        &["daily", "a"],
        &["graph", "dot"],
        &["run", "--headless"],
    ];
    for command in commands {
        let full = fs::File::options().write(true).open("/dev/full").expect("there");
        let output = home.command(command).arg("--json").stdout(full).output().expect("started");
        assert_refused(&output, "standard output cannot be written", "make room");
    }
}

#[test]
fn a_data_folder_that_can_not_be_used_is_named() {
    let home = Home::with_config(&tcp_service("a", closed_port()));
    fs::write(home.data_dir(), "a file").expect("written");
    assert_refused(&home.run(&["run", "--headless"]), "data", "--data-dir");
    assert_refused(&home.run(&["sla", "a"]), "is not a folder", "choose another data folder");
    assert_eq!(fs::read_to_string(home.data_dir()).expect("there"), "a file", "untouched");
}

#[test]
#[cfg(target_os = "linux")]
fn a_data_folder_that_can_not_be_made_is_named() {
    let home = Home::with_config(&tcp_service("a", closed_port()));
    let output = Command::new(env!("CARGO_BIN_EXE_pilotlight"))
        .args(["run", "--headless", "--data-dir", "/proc/pilotlight", "--config"])
        .arg(home.config())
        .output()
        .expect("started");
    assert_refused(&output, "the data folder /proc/pilotlight cannot be used", "--data-dir");
}

#[test]
fn two_apps_on_one_data_folder_are_told_apart() {
    let home = Home::with_config(&tcp_service("a", closed_port()));
    let mut first = Running::start(&home);
    first.wait_for("result");
    let second = home.run(&["run", "--headless"]);
    assert_refused(&second, "another Pilotlight (process ", "--data-dir");
    assert_refused(&home.run_with_input(&["record"], ""), "another Pilotlight", "quit it first");
    first.stop();
    assert!(home.run_with_input(&["record"], "").status.success(), "free again");
}

#[test]
fn reports_that_are_none_are_named_by_line() {
    let home = Home::new();
    let output =
        home.run_with_input(&["replay"], "{\"checked_at\": 1, \"services\": []}\n\nnonsense\n");
    assert_refused(&output, "standard input:3:", "one `check --json` report a line");
    let nameless = "{\"checked_at\": 1, \"services\": [{\"status\": \"healthy\"}]}";
    assert_refused(
        &home.run_with_input(&["record"], nameless),
        "neither `id` nor `name`",
        "report a line",
    );
    assert_refused(&home.run(&["replay", "/nonexistent"]), "cannot be read", "name a file");
    assert_refused(&home.run(&["sla", "Not An Id"]), "is not a service id", "list the ids");
    assert_eq!(home.run(&["frobnicate"]).status.code(), Some(3));
    assert_eq!(home.run(&["--version"]).status.code(), Some(0));
}

#[test]
fn without_a_display_the_app_says_what_to_do() {
    assert_refused(&Home::new().run(&[]), "there is no display", "demo --headless");
}

/// As on a server that has the command line only.
#[test]
fn without_its_desktop_app_the_command_line_says_what_to_do() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let alone = folder.path().join("pilotlight");
    fs::hard_link(env!("CARGO_BIN_EXE_pilotlight"), &alone).expect("linked");
    for arguments in [&[][..], &["--background"], &["run"], &["demo"]] {
        let output = Command::new(&alone).args(arguments).env("DISPLAY", ":0").output();
        let output = output.expect("started");
        assert_refused(&output, "this Pilotlight has no desktop app", "run --headless");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_command_line_loads_nothing_of_a_desktop() {
    let output = Command::new("ldd").arg(env!("CARGO_BIN_EXE_pilotlight")).output().expect("ldd");
    let loaded = stdout(&output);
    assert!(loaded.contains("libc.so"), "{loaded}");
    for library in ["libgtk", "libwebkit", "libdbus", "libX11"] {
        assert!(!loaded.contains(library), "{loaded}");
    }
}

/// `run --headless --json`, read line by line.
struct Running {
    child: std::process::Child,
    lines: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
    seen: Vec<Value>,
}

impl Running {
    fn start(home: &Home) -> Self {
        let mut child = home
            .command(&["run", "--headless", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("started");
        let stdout = child.stdout.take().expect("piped");
        let lines = std::io::BufRead::lines(std::io::BufReader::new(stdout));
        Self { child, lines, seen: Vec::new() }
    }

    /// Reads events until one of that type comes, and returns it.
    fn wait_for(&mut self, kind: &str) -> Value {
        loop {
            let line = self.lines.next().expect("goes on").expect("text");
            let event: Value = serde_json::from_str(&line).expect("JSON");
            self.seen.push(event.clone());
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// Asks it to end, and waits until it has.
    fn stop(&mut self) {
        terminate(&self.child);
        assert!(self.child.wait().expect("ended").success());
    }
}

/// Asks a process to end.
fn terminate(child: &std::process::Child) {
    let pid = child.id().to_string();
    let asked = Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
    assert!(asked.success());
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already in every test that passed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn headless_tells_an_outage_with_its_cause_and_keeps_it_over_a_restart() {
    let db = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = db.local_addr().expect("bound").port();
    let timing = "every = \"1s\"\nretry_every = \"200ms\"\n";
    let config = tcp_service("db", port)
        + timing
        + &tcp_service("api", port)
        + timing
        + "depends_on = [\"db\"]\n";
    let home = Home::with_config(&config);
    let mut running = Running::start(&home);
    for _ in 0..2 {
        assert_eq!(running.wait_for("status_changed")["status"], "healthy");
    }
    drop(db);
    let told = running.wait_for("announced");
    assert_eq!(told["title"], "db is down");
    assert_eq!(told["body"], format!("connection refused (127.0.0.1:{port}). 1 service affected."));
    running.stop();
    let opened: Vec<_> = running.seen.iter().filter(|e| e["type"] == "incident_opened").collect();
    let of_db = opened.iter().find(|e| e["service"] == "db").expect("db has an incident");
    assert_eq!((&of_db["caused_by"], &of_db["affected"]), (&Value::Null, &json!(["api"])));

    let before = json_of(&home.run(&["incidents", "--json"]));
    let of_db = |list: &Value| {
        list.as_array()
            .expect("a list")
            .iter()
            .find(|i| i["service"] == "db")
            .expect("there")
            .clone()
    };
    assert_eq!(of_db(&before)["resolved_at"], Value::Null);

    let mut running = Running::start(&home);
    running.wait_for("result");
    let db = TcpListener::bind(("127.0.0.1", port)).expect("still free");
    let told = running.wait_for("announced");
    assert_eq!(told["title"], "db is up again", "the same incident, told once");
    running.stop();
    drop(db);
    let after = json_of(&home.run(&["incidents", "--json"]));
    assert_eq!(of_db(&after)["id"], of_db(&before)["id"]);
    assert!(of_db(&after)["resolved_at"].is_f64());
    let sla = json_of(&home.run(&["sla", "db", "--json"]));
    assert!(sla["unhealthy"].as_u64() >= Some(3), "{sla}");
}

#[test]
fn a_changed_config_is_applied_and_a_broken_one_keeps_the_last() {
    let open = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = open.local_addr().expect("bound").port();
    let timing = "every = \"1s\"\n";
    let one = tcp_service("one", port) + timing;
    let home = Home::with_config(&one);
    let mut running = Running::start(&home);
    running.wait_for("result");
    fs::write(home.config(), "broken = [").expect("written");
    for _ in 0..3 {
        assert_eq!(running.wait_for("result")["service"], "one", "goes on");
    }
    fs::write(home.config(), one + &tcp_service("two", port) + timing).expect("written");
    while running.wait_for("result")["service"] != "two" {}
    running.stop();
}

/// How many results the history has of the service `a`.
fn kept(home: &Home) -> u64 {
    let sla = json_of(&home.run(&["sla", "a", "--json"]));
    sla["total_checks"].as_u64().unwrap_or_else(|| panic!("no checks: {sla}"))
}

#[test]
fn headless_ends_by_itself_when_its_reader_is_gone() {
    let home = Home::with_config(&(tcp_service("a", closed_port()) + "every = \"1s\"\n"));
    let output = home.run_unread(&["run", "--headless", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    assert!(kept(&home) >= 1, "the history was closed as always");
    let demo = home.run_unread(&["demo", "--headless", "--json"]);
    assert!(demo.status.success(), "{}", stderr(&demo));
    assert_eq!(stderr(&demo), "");
}

#[test]
fn headless_prints_everything_that_happened_before_its_end() {
    let open = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = open.local_addr().expect("bound").port();
    let home = Home::with_config(&(tcp_service("a", port) + "every = \"1s\"\n"));
    let mut running = Running::start(&home);
    for _ in 0..2 {
        running.wait_for("result");
    }
    terminate(&running.child);
    let rest: Vec<_> = running.lines.by_ref().map(|line| line.expect("text")).collect();
    running.seen.extend(rest.iter().map(|line| serde_json::from_str(line).expect("JSON")));
    assert!(running.child.wait().expect("ended").success());
    let printed = running.seen.iter().filter(|event| event["type"] == "result").count();
    assert_eq!(u64::try_from(printed).expect("few"), kept(&home));
}

/// Starts a keychain with one entry, then the program that is named.
#[cfg(target_os = "linux")]
const WITH_KEYCHAIN: &str = "
    printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null
    printf 'a secret' | secret-tool store --label=test service pilotlight username api-token
    exec \"$@\"";

#[cfg(target_os = "linux")]
#[test]
fn a_secret_comes_from_the_keychain() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = server.local_addr().expect("bound").port();
    let home = Home::with_config(&format!(
        "[[service]]\nid = \"a\"\ncheck = \"http\"\nurl = \"http://127.0.0.1:{port}/\"\n\
         headers = {{ X-Token = \"keyring:api-token\" }}\nevery = \"1s\"\n"
    ));
    let pilotlight = home.command(&["run", "--headless", "--json"]);
    let mut running = Command::new("dbus-run-session")
        .args(["--", "sh", "-c", WITH_KEYCHAIN, "sh"])
        .arg(pilotlight.get_program())
        .args(pilotlight.get_args())
        .env("HOME", home.folder.path())
        .env("XDG_RUNTIME_DIR", home.folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("install the package dbus");
    let (answer, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (client, _) = server.accept().expect("a check");
        let lines = std::io::BufRead::lines(std::io::BufReader::new(client));
        let request: Vec<_> = lines.map_while(Result::ok).take_while(|l| !l.is_empty()).collect();
        answer.send(request).expect("somebody waits");
    });
    let request = asked.recv_timeout(std::time::Duration::from_secs(60));
    // It ends when it has something to say and nobody reads.
    drop(running.stdout.take());
    if request.is_err() {
        running.kill().expect("ended");
    }
    let output = running.wait_with_output().expect("ended");
    let request = request.unwrap_or_else(|_| panic!("no check: {}", stderr(&output)));
    assert!(request.contains(&"x-token: a secret".to_owned()), "{request:?} {}", stderr(&output));
}

/// Both ends of a connection into which not one more byte goes.
#[cfg(unix)]
fn full_connection() -> (std::os::unix::net::UnixStream, Stdio) {
    let (reader, mut writer) = std::os::unix::net::UnixStream::pair().expect("a connection");
    writer.set_nonblocking(true).expect("set");
    while writer.write(b"\n").is_ok() {}
    writer.set_nonblocking(false).expect("set");
    (reader, std::os::fd::OwnedFd::from(writer).into())
}

#[test]
#[cfg(unix)]
fn a_reader_that_stops_reading_holds_up_neither_the_checks_nor_the_end() {
    let service = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = service.local_addr().expect("bound").port();
    let config: String =
        ["a", "b", "c"].map(|id| tcp_service(id, port) + "every = \"1s\"\n").concat();
    let home = Home::with_config(&config);
    let (_reader, full) = full_connection();
    let mut child =
        home.command(&["run", "--headless", "--json"]).stdout(full).spawn().expect("started");
    for _ in 0..9 {
        service.accept().expect("checked");
    }
    terminate(&child);
    assert!(child.wait().expect("ended").success());
    assert!(kept(&home) >= 2, "checked while nobody read, and kept");
}

#[test]
fn a_config_that_vanishes_or_is_emptied_drops_nothing() {
    let open = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = open.local_addr().expect("bound").port();
    let config = tcp_service("one", port) + "every = \"1s\"\n";
    let home = Home::with_config(&config);
    let mut running = Running::start(&home);
    running.wait_for("result");
    fs::remove_file(home.config()).expect("there");
    for _ in 0..3 {
        running.wait_for("result");
    }
    fs::write(home.config(), "").expect("written");
    for _ in 0..3 {
        running.wait_for("result");
    }
    fs::write(home.config(), config).expect("written");
    for _ in 0..3 {
        running.wait_for("result");
    }
    running.stop();
    assert!(running.seen.iter().all(|event| event["type"] != "incident_resolved"));
    assert_eq!(json_of(&home.run(&["incidents", "--json"])), json!([]));
}

/// Reports as a script does, as soon as somebody listens: the status of the
/// response.
fn report(port: u16, path: &str, body: &str) -> u16 {
    let mut stream = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => break stream,
            Err(_) => std::thread::yield_now(),
        }
    };
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close");
    write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{body}").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

#[test]
fn services_report_in_and_groups_follow() {
    let port = closed_port();
    let home = Home::with_config(&format!(
        r#"
[settings]
push_address = "127.0.0.1:{port}"

[[service]]
id = "backup"
check = "push"
token = "0123456789abcdef"
late_after = "1h"

[[service]]
id = "jobs"
check = "group"
members = ["backup"]
"#
    ));
    let once = home.run(&["check", "--json"]);
    let answer = json_of(&once);
    assert_eq!(answer["services"][0]["status"], "unknown");
    assert_eq!(once.status.code(), Some(0), "what reports in is not asked");

    let mut app = Running::start(&home);
    assert_eq!(report(port, "/push/0123456789abcdee", ""), 404);
    assert_eq!(report(port, "/push/0123456789abcdef?status=odd", ""), 400);
    assert_eq!(report(port, "/push/0123456789abcdef", "3 files saved"), 200);
    let result = app.wait_for("result");
    assert_eq!((&result["service"], &result["status"]), (&json!("backup"), &json!("healthy")));
    assert_eq!(result["message"], "3 files saved");
    let kuma = "/api/push/0123456789abcdef?status=down&msg=disk%20full&ping=12";
    assert_eq!(report(port, kuma, ""), 200);
    let opened = app.wait_for("incident_opened");
    assert_eq!(opened["service"], "backup");
    assert_eq!(opened["affected"], json!(["jobs"]));
    let announced = app.wait_for("announced");
    assert_eq!(announced["title"], "backup is down");
    app.stop();
}
