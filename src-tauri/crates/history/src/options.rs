use std::fmt;
use std::sync::Arc;

use health::Timestamp;

use crate::upkeep::Keep;
use crate::zone::Zone;

/// How a history is kept.
#[derive(Clone)]
pub struct Options {
    /// What is kept for how long.
    pub keep: Keep,
    /// Whose calendar days old results are folded into.
    pub zone: Zone,
    /// What time it is; tells what is old.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Default for Options {
    fn default() -> Self {
        let clock = || Timestamp(jiff::Timestamp::now().as_millisecond());
        Self { keep: Keep::default(), zone: Zone::local(), clock: Arc::new(clock) }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("keep", &self.keep).finish_non_exhaustive()
    }
}
