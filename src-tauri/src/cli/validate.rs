use std::fmt::Write;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use config::{Environment, LoadError, Problem};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::{print, print_json, remark};
use crate::places::Places;
use crate::session::load_failure;

#[derive(Serialize)]
struct Validation<'a> {
    valid: bool,
    services: usize,
    problems: &'a [Problem],
    warnings: &'a [Problem],
}

/// Says everything that is wrong with a config file.
pub(super) fn run(places: &Places, file: Option<PathBuf>, json: bool) -> Result<ExitCode, Failure> {
    let path = file.unwrap_or_else(|| places.config.clone());
    let loaded = match config::load(&path, &Environment::system()) {
        Err(LoadError::Invalid(invalid)) => {
            let problems = invalid.problems();
            if json {
                print_json(&Validation { valid: false, services: 0, problems, warnings: &[] })?;
            } else {
                remark(&invalid.render(std::io::stderr().is_terminal()));
            }
            return Ok(ExitCode::from(3));
        }
        other => other.map_err(load_failure)?,
    };
    if loaded.text.is_none() {
        return Err(Failure::usage(
            format!("there is no file {}", path.display()),
            "name one, or start `pilotlight` and add a service: that makes it",
        ));
    }
    let services = loaded.config.services.len();
    if json {
        print_json(&Validation {
            valid: true,
            services,
            problems: &[],
            warnings: &loaded.warnings,
        })?;
    } else {
        let plural = if services == 1 { "" } else { "s" };
        let mut text = format!("{} is valid: {services} service{plural}\n", path.display());
        for warning in &loaded.warnings {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "warning: {}:{warning}", path.display());
        }
        print(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}
