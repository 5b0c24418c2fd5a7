use std::fmt::Write;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use engine::{Clock, Limits, Target, check_once, with_members};
use health::{ServiceId, ServiceStatus};

use super::{exit_code, parse_id};
use crate::failure::Failure;
use crate::output;
use crate::places::Places;
use crate::report::{Report, ServiceReport};
use crate::runtime;
use crate::session::load_config;

/// Checks all services once, or the named ones.
pub(super) fn run(places: &Places, ids: &[String], json: bool) -> Result<ExitCode, Failure> {
    places.require_config()?;
    let config = load_config(&places.config)?.config;
    let all: Vec<_> = config.services.iter().map(|s| Arc::new(Target::from(s))).collect();
    let wanted = if ids.is_empty() {
        all.iter().map(|target| target.id().clone()).collect()
    } else {
        ids.iter().map(|id| parse_id(id)).collect::<Result<Vec<_>, _>>()?
    };
    if let Some(missing) = wanted.iter().find(|id| config.service(id).is_none()) {
        return Err(Failure::usage(
            format!("there is no service `{missing}` in {}", places.config.display()),
            "`pilotlight check` without ids checks them all",
        ));
    }
    let is_wanted = |id: &ServiceId| wanted.contains(id);
    let asked = all.iter().filter(|target| is_wanted(target.id())).cloned().collect();
    let targets = with_members(asked, &all);
    let clock = Clock::system();
    let at = clock.now();
    let mut results =
        runtime()?.block_on(check_once(&targets, Limits::from(&config.settings), clock));
    results.retain(|(id, _)| is_wanted(id));
    let named = results.into_iter().map(|(id, result)| {
        let name =
            config.service(&id).map_or_else(|| id.to_string(), |service| service.name.clone());
        (id, name, result)
    });
    let report = Report::new(at, named);
    if json {
        output::print_json(&report)?;
    } else {
        output::print(&table(&report.services))?;
    }
    Ok(exit_code(report.worst()))
}

/// One service a line, for people, in the reports' order.
fn table(services: &[ServiceReport]) -> String {
    if services.is_empty() {
        return "No services yet: add `[[service]]` to the config, or run `pilotlight` and add one.\n"
            .to_owned();
    }
    let mut text = String::new();
    let colour = std::io::stdout().is_terminal();
    let width = services.iter().map(|service| service.name().chars().count()).max().unwrap_or(0);
    for service in services {
        let time =
            service.response_time_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms"));
        let (mark, name) = (mark(service.status, colour), service.name());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{mark} {name:<width$}  {time:>10}  {}", service.message);
    }
    text
}

fn mark(status: ServiceStatus, colour: bool) -> String {
    let (glyph, code) = match status {
        ServiceStatus::Healthy => ("●", 32),
        ServiceStatus::Degraded => ("▲", 33),
        ServiceStatus::Unhealthy => ("✖", 31),
        ServiceStatus::Unknown | ServiceStatus::Paused => ("○", 90),
    };
    let text = format!("{glyph} {:<9}", status.as_str());
    if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text }
}
