//! Pilotlight: a light in the system tray that tells at a glance whether
//! everything you run is alive. This package is the shell around the crates
//! that do the work: command line and desktop.

mod cli;
mod demo;
mod desktop;
mod failure;
mod inbox;
mod logs;
mod output;
mod places;
mod report;
mod session;
mod signals;
mod view;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use tokio::runtime::{Builder, Runtime};

use failure::Failure;

pub use desktop::bindings;

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
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
    cli::run(cli).unwrap_or_else(|failure| failure.report())
}

/// Few threads: the work is waiting.
fn runtime() -> Result<Runtime, Failure> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("pilotlight")
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::usage(format!("no threads to be had: {error}"), "end other programs")
        })
}
