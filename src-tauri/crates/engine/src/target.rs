use std::sync::Arc;
use std::time::Duration;

use config::{Secrets, Service};
use health::{Hold, JudgePolicy, Member, ServiceId, Thresholds};
use probe::Probe;

/// One service as the engine needs it; shared, never copied.
#[derive(Clone)]
pub struct Target {
    /// Who it is, and how it is judged.
    pub member: Member,
    /// What it is listed under.
    pub group: Option<String>,
    /// The kind's name in config.toml.
    pub kind: &'static str,
    /// How it is checked.
    pub probe: Arc<dyn Probe>,
    /// What must not show in any text about it.
    pub secrets: Secrets,
    /// When an answer is slow, and when waiting for it ends.
    pub thresholds: Thresholds,
    /// The time from one check to the next.
    pub every: Duration,
    /// The same while a change waits to be believed.
    pub retry_every: Duration,
}

impl Target {
    /// Its id.
    pub fn id(&self) -> &ServiceId {
        &self.member.id
    }

    /// What it is follows from what is known already.
    pub(crate) fn asks_nobody(&self) -> bool {
        self.probe.token().is_some() || !self.probe.members().is_empty()
    }

    pub(crate) fn hold(&self) -> Hold {
        Hold::of(self.every, self.thresholds.timeout)
    }
}

impl From<&Service> for Target {
    fn from(service: &Service) -> Self {
        Self {
            member: Member {
                id: service.id.clone(),
                name: service.name.clone(),
                policy: JudgePolicy {
                    fail_after: service.fail_after,
                    recover_after: service.recover_after,
                    stable_count: service.stable_count,
                },
                depends_on: service.depends_on.clone(),
            },
            group: service.group.clone(),
            kind: service.kind.as_str(),
            probe: service.probe().clone(),
            secrets: service.secrets().clone(),
            thresholds: service.thresholds,
            every: service.every,
            retry_every: service.retry_every,
        }
    }
}
