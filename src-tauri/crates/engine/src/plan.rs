use std::sync::Arc;

use crate::lanes::Limits;
use crate::target::Target;

/// What the engine watches, and how.
#[derive(Clone)]
pub struct Plan {
    /// Every service, in the order they are shown.
    pub targets: Vec<Arc<Target>>,
    /// How many checks at once.
    pub limits: Limits,
    /// `host:port` that answer whenever this machine is online.
    pub connectivity_targets: Vec<String>,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "plan of {} services", self.targets.len())
    }
}

impl From<&config::Config> for Plan {
    fn from(config: &config::Config) -> Self {
        Self {
            targets: config.services.iter().map(|s| Arc::new(Target::from(s))).collect(),
            limits: Limits::from(&config.settings),
            connectivity_targets: config.settings.connectivity_targets.clone(),
        }
    }
}
