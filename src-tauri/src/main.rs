//! The program: desktop app and command line.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

fn main() -> std::process::ExitCode {
    pilotlight::main()
}
