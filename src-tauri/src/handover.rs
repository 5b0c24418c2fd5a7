//! The way from the command line to the desktop app, which is another program:
//! loading a desktop's libraries takes longer than most commands.

use std::env;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::process::Command;

use crate::failure::Failure;
use crate::places::Places;

/// How the desktop app starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With its window.
    Window,
    /// In the tray only.
    Background,
    /// With its window, showing the demo.
    Demo,
}

const WITHOUT_IT: &str =
    "`pilotlight run --headless` watches without one, `pilotlight demo --headless` shows the demo";

/// Hands over to the desktop app beside this program, which reads the same
/// arguments. On Unix this process becomes the app; on Windows it is started.
///
/// # Errors
/// When it is not there or does not start.
pub fn hand_over(_: &Places, _: Start) -> Result<(), Failure> {
    let app = beside_this_program().map_err(|error| {
        Failure::usage(format!("this program does not find its own folder: {error}"), WITHOUT_IT)
    })?;
    start(Command::new(&app).args(env::args_os().skip(1))).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::usage(
            format!("this Pilotlight has no desktop app: there is no {}", app.display()),
            WITHOUT_IT,
        ),
        _ => Failure::usage(format!("{} does not start: {error}", app.display()), WITHOUT_IT),
    })
}

fn beside_this_program() -> io::Result<PathBuf> {
    let program = env::current_exe()?;
    // A link to it may be anywhere.
    #[cfg(unix)]
    let program = program.canonicalize()?;
    Ok(program.with_file_name(format!("pilotlight-desktop{}", env::consts::EXE_SUFFIX)))
}

/// Returns only when it does not start.
#[cfg(unix)]
fn start(app: &mut Command) -> io::Result<()> {
    Err(std::os::unix::process::CommandExt::exec(app))
}

#[cfg(not(unix))]
fn start(app: &mut Command) -> io::Result<()> {
    app.spawn().map(drop)
}

/// Only Linux has computers without one, and says so.
///
/// # Errors
/// When there is none.
pub(crate) fn require_display() -> Result<(), Failure> {
    let has = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    if !cfg!(target_os = "linux") || has("DISPLAY") || has("WAYLAND_DISPLAY") {
        return Ok(());
    }
    Err(Failure::usage("there is no display", WITHOUT_IT))
}
