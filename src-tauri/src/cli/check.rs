use std::fmt::Write;
use std::io::IsTerminal;
use std::process::ExitCode;

use engine::{Clock, Limits, Target, check_once};
use health::{CheckResult, Status};

use super::{exit_code, parse_id};
use crate::failure::Failure;
use crate::output;
use crate::places::Places;
use crate::report::Report;
use crate::runtime;
use crate::session::load_config;

/// Checks all services once, or the named ones.
pub(super) fn run(places: &Places, ids: &[String], json: bool) -> Result<ExitCode, Failure> {
    places.require_config()?;
    let config = load_config(&places.config)?.config;
    let mut targets: Vec<Target> = config.services.iter().map(Target::from).collect();
    if !ids.is_empty() {
        let wanted = ids.iter().map(|id| parse_id(id)).collect::<Result<Vec<_>, _>>()?;
        if let Some(missing) = wanted.iter().find(|id| config.service(id).is_none()) {
            return Err(Failure::usage(
                format!("there is no service `{missing}` in {}", places.config.display()),
                "`pilotlight check` without ids checks them all",
            ));
        }
        targets.retain(|target| wanted.contains(target.id()));
    }
    let clock = Clock::system();
    let at = clock.now();
    let results = runtime()?.block_on(check_once(&targets, Limits::from(&config.settings), clock));
    let named = results.into_iter().map(|(id, result)| {
        let name =
            config.service(&id).map_or_else(|| id.to_string(), |service| service.name.clone());
        (id, name, result)
    });
    let named: Vec<_> = named.collect();
    if !json {
        let rows: Vec<_> = named.iter().map(|(_, name, result)| (name.as_str(), result)).collect();
        output::print(&table(&rows))?;
    }
    let report = Report::new(at, named);
    if json {
        output::print_json(&report)?;
    }
    Ok(exit_code(report.worst()))
}

/// One service a line, for people.
fn table(results: &[(&str, &CheckResult)]) -> String {
    if results.is_empty() {
        return "No services yet: add `[[service]]` to the config, or run `pilotlight` and add one.\n"
            .to_owned();
    }
    let mut text = String::new();
    let colour = std::io::stdout().is_terminal();
    let width = results.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, result) in results {
        let time =
            result.response_time_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms"));
        let mark = mark(result.status, colour);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{mark} {name:<width$}  {time:>10}  {}", result.message);
    }
    text
}

fn mark(status: Status, colour: bool) -> String {
    let (glyph, code) = match status {
        Status::Healthy => ("●", 32),
        Status::Degraded => ("▲", 33),
        Status::Unhealthy => ("✖", 31),
    };
    let text = format!("{glyph} {:<9}", status.as_str());
    if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text }
}
