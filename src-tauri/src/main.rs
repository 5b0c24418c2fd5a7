//! The program: the command line, and the way to the desktop app.

fn main() -> std::process::ExitCode {
    pilotlight::run(pilotlight::hand_over)
}
