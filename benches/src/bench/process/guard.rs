//! The benchmark's own process between itself and what it starts: the last
//! word on when that ends, and how many files it may open.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use crate::bench::failure::{Explain, Outcome};

/// How many files a process may have open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Files {
    /// As many as this person's programs may.
    AsUsual,
    /// As many as the system allows.
    Many,
}

/// What to become.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The benchmark's process.
    #[arg(long)]
    parent: i32,
    /// As many open files as the system allows.
    #[arg(long)]
    many_files: bool,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// `command` under a guard; its environment and folder are kept, standard input
/// and output are those of `command` too.
pub(super) fn around(command: &Command, files: Files) -> Outcome<Command> {
    helper("guard", command, files)
}

/// The most memory `command` has had when it ends, in MB (10⁶ bytes), counted
/// by a process of its own: it is the peak over all children of a process.
pub(crate) fn peak_memory(command: &Command) -> Outcome<f64> {
    let mut weigh = helper("weigh", command, Files::AsUsual)?;
    let output = weigh.output().explain("the benchmark cannot start itself")?;
    let kib: f64 = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .explain("the memory of a command could not be read")?;
    Ok(kib * 1_024.0 / 1e6)
}

fn helper(name: &str, command: &Command, files: Files) -> Outcome<Command> {
    let own = std::env::current_exe().explain("the benchmark does not find itself")?;
    let mut guard = Command::new(own);
    guard.args([name, "--parent", &std::process::id().to_string()]);
    if files == Files::Many {
        guard.arg("--many-files");
    }
    guard.arg("--").arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => guard.env(key, value),
            None => guard.env_remove(key),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        guard.current_dir(folder);
    }
    Ok(guard)
}

/// Becomes the program, which the system kills when the benchmark ends.
pub(crate) fn become_it(arguments: &Arguments) -> Outcome<ExitCode> {
    end_with(arguments.parent)?;
    if arguments.many_files {
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).explain("no limits to be had")?;
        setrlimit(Resource::RLIMIT_NOFILE, most, most).explain("no more files to be had")?;
    }
    let error = command(arguments).exec();
    Err(format!("{} cannot be run ({error})", arguments.command[0].display()).into())
}

/// Runs the program to its end, and prints the most memory it had, in KiB.
pub(crate) fn weigh(arguments: &Arguments) -> Outcome<ExitCode> {
    end_with(arguments.parent)?;
    let ended = command(arguments).stdin(Stdio::null()).stdout(Stdio::null()).status();
    let ended = ended.explain(&format!("{} cannot be run", arguments.command[0].display()))?;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).explain("its memory cannot be read")?;
    println!("{}", usage.max_rss());
    Ok(if ended.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn command(arguments: &Arguments) -> Command {
    let mut command = Command::new(&arguments.command[0]);
    command.args(&arguments.command[1..]);
    command
}

fn end_with(parent: i32) -> Outcome<()> {
    set_pdeathsig(Signal::SIGKILL).explain("the system does not watch over processes")?;
    // It may have ended before it was watched.
    if getppid().as_raw() == parent { Ok(()) } else { Err("the benchmark has ended".into()) }
}
