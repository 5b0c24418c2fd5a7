use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use health::{ServiceId, Thresholds};
use probe::Values;
use serde::Serialize;

use crate::place::Finding;
use crate::secrets::Environment;
use crate::service::{Config, Service};
use crate::validate::{self, Around, Checked, Timing};
use crate::words;

/// What is wrong with a form; `field` is a key, or empty for the whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts", rename = "Problem")]
pub struct FormProblem {
    /// The key.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: String,
}

/// What a form would do, or what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub struct Review {
    /// Everything that is wrong.
    pub problems: Vec<FormProblem>,
    /// "degraded above 500 ms · unhealthy above 2 s · timeout 10 s"
    pub thresholds: String,
    /// "down after 3 failures in a row, confirmed every 5 s: known about 10 s
    /// after the first"
    pub cadence: String,
    /// Allowed, but worth knowing.
    pub warnings: Vec<String>,
}

/// Says what a form would do: `values` are the keys of a service, which takes
/// the place of `original` in `config`, or is new.
pub fn review(
    values: &Values,
    original: Option<&ServiceId>,
    config: &Config,
    environment: &Environment,
) -> Review {
    let checked = checked(values, original, config, environment);
    Review {
        problems: checked.problems.into_iter().map(form_problem).collect(),
        thresholds: thresholds_text(checked.timing.thresholds),
        cadence: cadence_text(&checked.timing),
        warnings: checked
            .warnings
            .into_iter()
            .map(|found| format!("{}: {}", found.message, found.help))
            .collect(),
    }
}

/// The service that a form describes, to be tested before it is saved.
///
/// # Errors
/// Everything that is wrong with the form.
pub fn service_from_values(
    values: &Values,
    original: Option<&ServiceId>,
    config: &Config,
    environment: &Environment,
) -> Result<Service, Vec<FormProblem>> {
    let Checked { service, problems, .. } = checked(values, original, config, environment);
    service.ok_or_else(|| problems.into_iter().map(form_problem).collect())
}

fn checked(
    values: &Values,
    original: Option<&ServiceId>,
    config: &Config,
    environment: &Environment,
) -> Checked {
    let values: Values = values
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let others = || config.services.iter().filter(|service| Some(&service.id) != original);
    let own = values.get("id").and_then(|id| id.as_str()).map(str::to_owned);
    let known: BTreeSet<String> =
        others().map(|service| service.id.to_string()).chain(own).collect();
    let groups = others().filter(|other| !other.members().is_empty()).map(|other| {
        (other.id.to_string(), other.members().iter().map(ToString::to_string).collect())
    });
    let groups = groups.collect();
    let tokens = others()
        .filter_map(|other| Some((other.probe().token()?.to_owned(), other.id.clone())))
        .collect();
    let taken: BTreeMap<String, String> = others()
        .map(|service| (service.id.to_string(), format!("the service \"{}\"", service.name)))
        .collect();
    validate::service(
        &values,
        &Around {
            settings: &config.settings,
            known: &known,
            taken: &taken,
            environment,
            groups: &groups,
            tokens: &tokens,
        },
    )
}

fn form_problem(finding: Finding) -> FormProblem {
    let field = finding.top_key().unwrap_or_default().to_owned();
    FormProblem { field, message: finding.message, help: finding.help }
}

fn thresholds_text(thresholds: Thresholds) -> String {
    let part = |what: &str, time: Option<Duration>| {
        time.map(|time| format!("{what} {}", words::duration(time)))
    };
    let parts = [
        part("degraded above", thresholds.degraded_above),
        part("unhealthy above", thresholds.unhealthy_above),
        part("timeout", Some(thresholds.timeout)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn cadence_text(timing: &Timing) -> String {
    let more = timing.fail_after.saturating_sub(1);
    if more == 0 {
        return format!(
            "checked every {}, down at the first failure",
            words::duration(timing.every)
        );
    }
    format!(
        "checked every {}, down after {} failures in a row, confirmed every {}: known about {} after the first",
        words::duration(timing.every),
        timing.fail_after,
        words::duration(timing.retry_every),
        words::duration(timing.retry_every * more),
    )
}
