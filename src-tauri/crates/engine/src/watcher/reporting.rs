use std::time::Duration;

use health::Moment;
use probe::Received;

use crate::past::Arrived;

/// Whether reports can come in, since when in time running.
#[derive(Debug, Default)]
pub(super) enum Listening {
    #[default]
    NotYet,
    Since(Duration),
    Failed(String),
}

impl Listening {
    /// Nobody could report before `now`.
    pub const fn gone_until(&mut self, now: Duration) {
        if let Self::Since(since) = self {
            *since = now;
        }
    }
}

/// A service that reports in.
#[derive(Debug)]
pub(super) struct Reporting {
    /// It is known, and not paused, since then.
    pub since: Duration,
    pub last: Option<Arrived>,
}

impl Reporting {
    /// It can from `now` on; `last` is what it reported before.
    pub const fn new(last: Option<Arrived>, now: Duration) -> Self {
        Self { since: now, last }
    }

    /// The last report, as a check is told of it.
    pub fn take(&mut self, now: Moment) -> Option<Received> {
        let arrived = self.last.as_mut()?;
        let ago = Duration::from_millis(u64::try_from(now.wall.since(arrived.at)).unwrap_or(0));
        let is_new = std::mem::take(&mut arrived.is_new);
        Some(Received { report: arrived.report.clone(), ago, is_new })
    }
}
