//! Where it was measured, and with what.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::servers::Exporter;

/// The machine, in a line of words.
pub(crate) fn machine() -> String {
    let cpu = line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown CPU".to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cores = if cores == 1 { "1 core".to_owned() } else { format!("{cores} cores") };
    let kib = line_of("/proc/meminfo", "MemTotal")
        .and_then(|line| line.split(' ').next()?.parse::<f64>().ok())
        .unwrap_or(0.0);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    format!(
        "{cpu}, {cores}, {:.0} GB of memory, Linux {}, {}; load before the run {load}",
        kib * 1_024.0 / 1e9,
        kernel.trim(),
        system.unwrap_or("unknown system").trim_matches('"')
    )
}

/// What took part, in a line of words.
pub(crate) fn versions(program: &Path) -> String {
    let pilotlight = first_line(Command::new(program).arg("--version"));
    let commit =
        first_line(Command::new("git").args(["describe", "--tags", "--always", "--dirty"]));
    let rustc = first_line(Command::new("rustc").arg("--version"));
    let nginx = first_line(Command::new("/usr/sbin/nginx").arg("-v"));
    let exporter = first_line(Command::new(Exporter::COMMAND).arg("--version"));
    let exporter = exporter.split(" (").next().unwrap_or_default();
    format!(
        "{pilotlight} (checkout {commit}), {rustc}, {}, {}",
        nginx.trim_start_matches("nginx version: "),
        exporter.replace(", version", "")
    )
}

fn line_of(file: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The first line that a command prints, wherever it prints it.
fn first_line(command: &mut Command) -> String {
    let name = command.get_program().to_string_lossy().into_owned();
    let unknown = format!("{name} unknown");
    let Ok(output) = command.output() else { return unknown };
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    if output.status.success() {
        printed.lines().next().unwrap_or(&unknown).to_owned()
    } else {
        unknown
    }
}
