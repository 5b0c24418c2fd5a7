use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use health::{ServiceId, Thresholds};
use probe::{Kind, Probe, Values};

use crate::secrets::Secrets;
use crate::settings::Settings;

/// A valid config.toml.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// What holds for the whole app.
    pub settings: Settings,
    /// What is checked, in the file's order.
    pub services: Vec<Service>,
}

impl Config {
    /// The same config; services that are as in `old` keep the probe they had.
    #[must_use]
    pub fn keeping(mut self, old: &Self) -> Self {
        for service in &mut self.services {
            if let Some(same) = old.service(&service.id).filter(|old| *old == service) {
                service.check = same.check.clone();
            }
        }
        self
    }

    /// The service with that id.
    pub fn service(&self, id: &ServiceId) -> Option<&Service> {
        self.services.iter().find(|service| service.id == *id)
    }
}

/// One `[[service]]`, every default filled in. Valid: its probe is made.
///
/// Two are equal when they would be checked and judged alike, secrets
/// included, so that a reload leaves unchanged services alone.
#[derive(Clone, PartialEq)]
pub struct Service {
    /// Its stable name.
    pub id: ServiceId,
    /// Its name for people; the id where the file gives none.
    pub name: String,
    /// What it is listed under.
    pub group: Option<String>,
    /// How it is checked.
    pub kind: Kind,
    /// The kind's own keys as the file has them: secrets are references.
    pub values: Values,
    /// The time from one check to the next.
    pub every: Duration,
    /// The time to the next check from the first failure until judged.
    pub retry_every: Duration,
    /// When an answer counts as slow, and when waiting for it ends.
    pub thresholds: Thresholds,
    /// Failures in a row that open an incident.
    pub fail_after: u32,
    /// Results in a row that are no failures that resolve it.
    pub recover_after: u32,
    /// Equal results in a row that change healthy <-> degraded.
    pub stable_count: u32,
    /// The share of availability promised, in percent.
    pub slo_pct: f64,
    /// What it needs to work.
    pub depends_on: Vec<ServiceId>,
    pub(crate) check: Check,
}

impl Service {
    /// How to check it, secrets filled in.
    pub fn probe(&self) -> &Arc<dyn Probe> {
        &self.check.probe
    }

    /// The services that it is made of.
    pub fn members(&self) -> &[ServiceId] {
        self.check.probe.members()
    }

    /// What must be taken out of every text its probe produces.
    pub fn secrets(&self) -> &Secrets {
        &self.check.secrets
    }
}

impl fmt::Debug for Service {
    /// Without its values: people write passwords into them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("every", &self.every)
            .field("depends_on", &self.depends_on)
            .finish_non_exhaustive()
    }
}

/// A probe and the secrets in it: both follow from the service's values and
/// what the secrets were when it was read.
#[derive(Clone)]
pub(crate) struct Check {
    pub(crate) probe: Arc<dyn Probe>,
    pub(crate) secrets: Secrets,
}

impl PartialEq for Check {
    fn eq(&self, other: &Self) -> bool {
        self.secrets == other.secrets
    }
}
