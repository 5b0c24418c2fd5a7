//! Pilotlight: a light in the system tray that tells at a glance whether
//! everything you run is alive. This package is the shell around the crates
//! that do the work: the command line, and what the desktop app needs of it.

pub mod api;
mod cli;
mod demo;
mod failure;
mod handover;
mod inbox;
mod output;
mod places;
mod report;
mod session;
mod signals;
pub mod view;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use tokio::runtime::{Builder, Runtime};

pub use api::bindings;
pub use demo::Demo;
pub use failure::Failure;
pub use handover::{Start, hand_over};
pub use places::Places;
pub use session::{Configured, Opened, Session};
pub use signals::interrupted;

/// Runs what the process's arguments ask for; `desktop` is the way to the
/// desktop app.
pub fn run(desktop: impl FnOnce(&Places, Start) -> Result<(), Failure>) -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nowhere left to say so if even this fails.
            let _ = error.print();
            let asked_for =
                matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return ExitCode::from(if asked_for { 0 } else { 3 });
        }
    };
    cli::run(cli, desktop).unwrap_or_else(|failure| failure.report())
}

/// The threads of the desktop app, which has a window to serve beside the
/// checks, and of what checks everything at once; few, as the work is waiting.
///
/// # Errors
/// When the system gives none.
pub fn runtime() -> Result<Runtime, Failure> {
    build(Builder::new_multi_thread().worker_threads(2).thread_name("pilotlight"))
}

/// One thread, for watching without a window: checks are spread over time, and
/// handing each from thread to thread would cost more than doing it.
fn one_thread() -> Result<Runtime, Failure> {
    build(&mut Builder::new_current_thread())
}

fn build(builder: &mut Builder) -> Result<Runtime, Failure> {
    builder.enable_all().build().map_err(|error| {
        Failure::usage(format!("no threads to be had: {error}"), "end other programs")
    })
}
