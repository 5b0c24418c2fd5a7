//! Tests of the whole program, in one binary: the command line, the window's
//! types, and the desktop end to end.

mod bindings;
mod cli;
#[cfg(target_os = "linux")]
mod desktop;
mod docs;
