//! Tests of the whole program, in one binary: the command line, the window's
//! types, and the desktop end to end.

mod bindings;
mod cli;
#[cfg(all(target_os = "linux", feature = "desktop"))]
mod desktop;
mod docs;
