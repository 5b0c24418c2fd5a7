//! The command line, and one run from the first figure to the report.

mod failure;
mod figures;
mod history;
mod machine;
mod numbers;
mod peers;
mod ports;
mod process;
mod program;
mod report;
mod servers;
mod site;
mod stage;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use failure::{Explain, Outcome};
use figures::Figure;
use report::Report;
use stage::{Pace, Stage};

/// Where a full run writes its table.
const OUT: &str = "docs/measured.md";

/// Measures what Pilotlight costs: the released program as a whole, in one run
/// with its peers, against an nginx on loopback.
#[derive(Debug, Parser)]
#[command(name = "bench", args_conflicts_with_subcommands = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    helper: Option<Helper>,
    #[command(flatten)]
    run: Run,
}

/// What is measured, and how.
#[derive(Debug, clap::Args)]
struct Run {
    /// The program to measure, built with --release.
    #[arg(long, value_name = "PATH", default_value = "target/release/pilotlight")]
    program: PathBuf,
    /// Only these figures, in their own order.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<Figure>,
    /// Shorter windows and fewer rounds: some 5 minutes, and less exact.
    #[arg(long)]
    quick: bool,
    /// Where the table goes [default: docs/measured.md after a full run, else
    /// the terminal alone].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What the benchmark starts of itself, so that it is a process of its own.
#[derive(Debug, Subcommand)]
enum Helper {
    /// Asks at a steady rate, until its standard input ends.
    #[command(hide = true)]
    Peer(peers::Arguments),
    /// Becomes another program, one that ends with the benchmark.
    #[command(hide = true)]
    Guard(process::guard::Arguments),
    /// Runs a program to its end and prints the most memory it had, in KiB.
    #[command(hide = true)]
    Weigh(process::guard::Arguments),
}

/// Runs the benchmark, or the part of it the arguments name.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = match cli.helper {
        Some(Helper::Peer(arguments)) => peers::run(&arguments),
        Some(Helper::Guard(arguments)) => process::guard::become_it(&arguments),
        Some(Helper::Weigh(arguments)) => process::guard::weigh(&arguments),
        None => measure(cli.run),
    };
    ended.unwrap_or_else(|failure| {
        eprintln!("bench: {failure}");
        ExitCode::from(3)
    })
}

fn measure(run: Run) -> Outcome<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .explain("no threads to be had: end other programs")?;
    // What was started ends with the future it was started in.
    runtime.block_on(async {
        tokio::select! {
            biased;
            name = interrupted() => Err(format!("ended by {name}, nothing was written").into()),
            done = all(run) => done,
        }
    })
}

async fn interrupted() -> &'static str {
    let wait = async |kind| match signal(kind) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => "SIGINT",
        () = wait(SignalKind::terminate()) => "SIGTERM",
        () = wait(SignalKind::hangup()) => "SIGHUP",
    }
}

async fn all(run: Run) -> Outcome<ExitCode> {
    let full = run.only.is_empty() && !run.quick;
    let figures: Vec<Figure> =
        Figure::ALL.into_iter().filter(|f| run.only.is_empty() || run.only.contains(f)).collect();
    let pace = if run.quick { Pace::Quick } else { Pace::Full };
    let stage = Stage::set(&run.program, pace).await?;
    let mut report = Report::begin(&stage);
    for figure in figures {
        stage.say(&format!("{}: {}", figure.name(), figure.about()));
        report.add(&stage, figure, figure.measure(&stage).await);
    }
    drop(stage);
    println!("{}", report.for_terminal());
    let out = run.out.or_else(|| full.then(|| PathBuf::from(OUT)));
    if let Some(out) = out {
        write(&out, &report.markdown())?;
        println!("Written to {}.", out.display());
    }
    Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write(out: &Path, text: &str) -> Outcome<()> {
    std::fs::write(out, text)
        .explain(&format!("{} cannot be written: name another file with --out", out.display()))
}
