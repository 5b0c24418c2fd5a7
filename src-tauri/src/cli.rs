//! The command line. Everything but the bare command works without a display,
//! prints for people, or JSON with `--json`, and its errors go to stderr.

mod check;
mod graph;
mod past;
mod record;
mod replay;
mod run;
mod validate;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use health::{ServiceId, Status};

use crate::demo;
use crate::failure::Failure;
use crate::handover::{Start, require_display};
use crate::places::Places;

/// Exit codes people script against.
const DEGRADED: u8 = 1;
const UNHEALTHY: u8 = 2;

/// A light in the system tray that tells at a glance whether everything you
/// run is alive. Without a command: the desktop app.
#[derive(Debug, Parser)]
#[command(name = "pilotlight", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    files: Files,
    /// Print JSON instead of text for people.
    #[arg(long, global = true)]
    json: bool,
    /// Start in the tray, without the window.
    #[arg(long)]
    background: bool,
}

/// Where config and history are.
#[derive(Debug, Clone, Args)]
struct Files {
    /// The config file [default: config.toml in the platform's config folder].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of history and logs [default: the platform's data folder].
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check all services once, or the named ones. Exit 0 healthy, 1 degraded, 2 unhealthy.
    Check {
        /// Which; all when none is named.
        ids: Vec<String>,
    },
    /// Watch until interrupted and print what happens.
    Run {
        /// Without tray and window.
        #[arg(long)]
        headless: bool,
    },
    /// What would these thresholds have told me? Reads `check --json` reports, one a line.
    Replay(replay::Arguments),
    /// The uptime record of a service.
    Sla {
        /// Whose.
        id: String,
        /// Today and the days before it.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3660))]
        days: u32,
        /// Days begin at midnight UTC instead of local time.
        #[arg(long)]
        utc: bool,
    },
    /// The same, one row a day, newest first.
    Daily {
        /// Whose.
        id: String,
        /// Today and the days before it.
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3660))]
        days: u32,
        /// Days begin at midnight UTC instead of local time.
        #[arg(long)]
        utc: bool,
    },
    /// Incidents with their cause and duration.
    Incidents {
        /// Today and the days before it.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3660))]
        days: u32,
    },
    /// What depends on what.
    #[command(subcommand)]
    Graph(graph::Question),
    /// Every problem of a config file, with line and column.
    Validate {
        /// The file [default: the one Pilotlight would use].
        file: Option<PathBuf>,
    },
    /// Take `check --json` reports into the history, as if they had been observed.
    Record {
        /// One report a line; `-` is standard input.
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// The demo: real servers on loopback that slow down, flap and fail on a script.
    Demo {
        /// A live table in the terminal, without tray and window.
        #[arg(long)]
        headless: bool,
    },
}

/// Runs what the arguments ask for; `desktop` is the way to the desktop app.
///
/// # Errors
/// Whatever keeps it from doing so, for people.
pub(crate) fn run(
    cli: Cli,
    desktop: impl FnOnce(&Places, Start) -> Result<(), Failure>,
) -> Result<ExitCode, Failure> {
    let Cli { command, files, json, background } = cli;
    let places = Places::new(files.config, files.data_dir)?;
    let done = |()| ExitCode::SUCCESS;
    let desktop = |start| require_display().and_then(|()| desktop(&places, start)).map(done);
    match command {
        None if background => desktop(Start::Background),
        None | Some(Command::Run { headless: false }) => desktop(Start::Window),
        Some(Command::Demo { headless: false }) => desktop(Start::Demo),
        Some(Command::Check { ids }) => check::run(&places, &ids, json),
        Some(Command::Run { headless: true }) => run::run(&places, json).map(done),
        Some(Command::Replay(arguments)) => replay::run(&arguments).map(done),
        Some(Command::Sla { id, days, utc }) => past::sla(&places, &id, days, utc, json).map(done),
        Some(Command::Daily { id, days, utc }) => {
            past::daily(&places, &id, days, utc, json).map(done)
        }
        Some(Command::Incidents { days }) => past::incidents(&places, days, json).map(done),
        Some(Command::Graph(question)) => graph::run(&places, &question, json).map(done),
        Some(Command::Validate { file }) => validate::run(&places, file, json),
        Some(Command::Record { file }) => record::run(&places, &file).map(done),
        Some(Command::Demo { headless: true }) => demo::headless(json).map(done),
    }
}

fn exit_code(worst: Option<Status>) -> ExitCode {
    ExitCode::from(match worst {
        None | Some(Status::Healthy) => 0,
        Some(Status::Degraded) => DEGRADED,
        Some(Status::Unhealthy) => UNHEALTHY,
    })
}

/// An id given on the command line.
fn parse_id(text: &str) -> Result<ServiceId, Failure> {
    ServiceId::new(text).map_err(|error| {
        Failure::usage(
            error.to_string(),
            "`pilotlight validate` and `pilotlight check` list the ids",
        )
    })
}
