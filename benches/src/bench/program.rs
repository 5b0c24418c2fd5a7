//! The program that is measured: its config, the process, and what it prints.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{ChildStdout, Command};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::failure::{Explain, Failure, Outcome};
use super::history::History;
use super::process::guard::Files;
use super::process::{Process, Talk, Terms, now};
use super::stage::Stage;

/// A config.toml in the making.
#[derive(Debug, Clone)]
pub(crate) struct Config(String);

/// What a service is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// `check = "http"`: whether a URL answers.
    Http,
    /// `check = "tcp"`: whether a port accepts.
    Tcp,
}

impl Config {
    /// One without services that asks nobody beyond this machine.
    pub fn new() -> Self {
        Self(
            "[settings]\nmax_in_flight = 1024\nmax_per_host = 256\n\n\
             [connectivity]\ntargets = []\n"
                .to_owned(),
        )
    }

    /// `count` services that ask the stage's nginx every `every`.
    pub fn fleet(stage: &Stage, check: Check, count: usize, every: Duration) -> Self {
        let mut config = Self::new();
        for n in 0..count {
            config.service(&format!("s{n}"), check, stage.nginx.port(n), every, None);
        }
        config
    }

    /// One more service on a port of loopback.
    pub fn service(
        &mut self,
        id: &str,
        check: Check,
        port: u16,
        every: Duration,
        depends_on: Option<&str>,
    ) {
        let target = match check {
            Check::Http => format!("check = \"http\"\nurl = \"http://127.0.0.1:{port}/\""),
            Check::Tcp => format!("check = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}"),
        };
        let cause = depends_on.map(|id| format!("depends_on = [\"{id}\"]\n")).unwrap_or_default();
        let every = every.as_millis();
        // A String takes everything.
        let _ = write!(
            self.0,
            "\n[[service]]\nid = \"{id}\"\nname = \"{id}\"\n{target}\nevery = \"{every}ms\"\n{cause}"
        );
    }
}

/// A Pilotlight that watches, headless, with a config and a data folder of its
/// own.
#[derive(Debug)]
pub(crate) struct Watching {
    /// The process.
    pub process: Process,
    home: TempDir,
    events: Option<JoinHandle<Events>>,
}

/// A Pilotlight that has ended, and what it left.
#[derive(Debug)]
pub(crate) struct Watched {
    /// Its history.
    pub history: History,
    /// What it printed.
    pub events: Events,
    /// What it said last on standard error.
    pub last_words: String,
    _home: TempDir,
}

impl Watching {
    /// Starts one whose output nobody reads.
    pub fn start(stage: &Stage, config: &Config) -> Outcome<Self> {
        Self::begin(stage, config, Talk::Nothing)
    }

    /// Starts one that prints events, and reads them.
    pub fn start_with_events(stage: &Stage, config: &Config) -> Outcome<Self> {
        Self::begin(stage, config, Talk::Output)
    }

    fn begin(stage: &Stage, config: &Config, talk: Talk) -> Outcome<Self> {
        let home = stage.room()?;
        let file = home.path().join("config.toml");
        fs::write(&file, &config.0).explain("the temporary folder cannot be written")?;
        let mut command = command(stage, &home);
        command.args(["run", "--headless", "--config"]).arg(file);
        if talk == Talk::Output {
            command.arg("--json");
        }
        let terms = Terms { talk, files: Files::AsUsual };
        let mut process = Process::start("pilotlight", &command, terms, home.path())?;
        let events = match talk {
            Talk::Nothing => None,
            Talk::Output | Talk::Both => Some(Events::follow(process.stdout()?)),
        };
        Ok(Self { process, home, events })
    }

    /// Ends it and opens what it left.
    pub async fn stop(self) -> Outcome<Watched> {
        let Self { mut process, home, events } = self;
        process.lives()?;
        let last_words = process.last_words();
        process.stop().await;
        let events = match events.map(JoinHandle::join) {
            None => Events::default(),
            Some(Ok(events)) => events,
            Some(Err(_)) => return Err("what it printed was lost".into()),
        };
        let history = History::open(&data_dir(&home))?;
        Ok(Watched { history, events, last_words, _home: home })
    }
}

/// The program with a home and a data folder of its own, without arguments.
pub(crate) fn command(stage: &Stage, home: &TempDir) -> Command {
    let mut command = Command::new(&stage.program);
    for key in ["HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
        command.env(key, home.path());
    }
    for key in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
    {
        command.env_remove(key);
    }
    command.env_remove("PILOTLIGHT_LOG");
    command.arg("--data-dir").arg(data_dir(home));
    command
}

/// The data folder in such a home.
pub(crate) fn data_dir(home: &TempDir) -> PathBuf {
    home.path().join("data")
}

/// What `run --json` printed, without the results.
#[derive(Debug, Default)]
pub(crate) struct Events {
    counts: BTreeMap<String, u64>,
    kept: Vec<Event>,
}

/// One line of it.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// When it was read, in milliseconds since the Unix epoch.
    pub read_at: i64,
    /// Its type.
    pub kind: String,
    /// All of it.
    pub value: Value,
}

impl Events {
    /// Of one type, as many are kept; a flood is only counted.
    const MOST: u64 = 20_000;

    fn follow(output: ChildStdout) -> JoinHandle<Self> {
        std::thread::spawn(move || {
            let mut events = Self::default();
            let lines = BufReader::with_capacity(1 << 16, output).lines();
            for line in lines.map_while(Result::ok) {
                events.take(&line);
            }
            events
        })
    }

    fn take(&mut self, line: &str) {
        let Some(kind) = line.strip_prefix("{\"type\":\"").and_then(|l| l.split('"').next()) else {
            return;
        };
        let count = match self.counts.get_mut(kind) {
            Some(count) => count,
            None => self.counts.entry(kind.to_owned()).or_insert(0),
        };
        *count += 1;
        if kind == "result" || *count > Self::MOST {
            return;
        }
        if let Ok(value) = serde_json::from_str(line) {
            self.kept.push(Event { read_at: now(), kind: kind.to_owned(), value });
        }
    }

    /// How many of a type there were.
    pub fn count(&self, kind: &str) -> u64 {
        self.counts.get(kind).copied().unwrap_or(0)
    }

    /// Those of a type, in the order they came.
    pub fn of(&self, kind: &'static str) -> impl Iterator<Item = &Event> {
        self.kept.iter().filter(move |event| event.kind == kind)
    }

    /// The first of a type about a service.
    pub fn first(&self, kind: &'static str, service: &str) -> Outcome<&Event> {
        self.of(kind).find(|event| event.text("service") == service).ok_or_else(|| {
            Failure::from(format!("there was no event `{kind}` of the service {service}"))
        })
    }
}

impl Event {
    /// A text of it, empty where it has none.
    pub fn text(&self, key: &str) -> &str {
        self.value[key].as_str().unwrap_or_default()
    }

    /// A moment of it, in milliseconds since the Unix epoch.
    pub fn moment(&self, key: &str) -> Option<i64> {
        let seconds = self.value[key].as_f64()?;
        Duration::try_from_secs_f64(seconds).ok()?.as_millis().try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_counted_and_others_kept() {
        let mut events = Events::default();
        events.take(r#"{"type":"result","at":1.5,"service":"a"}"#);
        events.take(r#"{"type":"announced","at":1.5,"service":"a","title":"a is down"}"#);
        events.take("no event");
        assert_eq!((events.count("result"), events.count("announced")), (1, 1));
        let announced = events.first("announced", "a").expect("it was announced");
        assert_eq!(announced.text("title"), "a is down");
        assert_eq!(announced.moment("at"), Some(1_500));
        assert!(events.first("result", "a").is_err());
    }
}
