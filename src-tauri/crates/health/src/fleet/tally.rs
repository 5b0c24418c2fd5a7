use std::collections::BTreeSet;

use crate::graph::Link;
use crate::id::ServiceId;
use crate::service::ServiceState;
use crate::status::ServiceStatus;
use crate::time::Timestamp;

/// What of a service others look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub link: Link,
    status: ServiceStatus,
    muted: bool,
    flapping: bool,
    explained: bool,
    started_at: Option<Timestamp>,
}

impl From<&ServiceState> for Standing {
    fn from(state: &ServiceState) -> Self {
        Self {
            link: state.link(),
            status: state.status,
            muted: state.is_muted(),
            flapping: state.is_flapping(),
            explained: state.caused_by().is_some(),
            started_at: state.incident().map(|incident| incident.started_at),
        }
    }
}

/// How all services stand, kept while they change, so that nobody has to go
/// through them. Muted ones are counted as that and nothing else.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    total: usize,
    muted: usize,
    /// With an open incident, muted or not.
    open: BTreeSet<ServiceId>,
    counts: [usize; ServiceStatus::ALL.len()],
    slow: BTreeSet<ServiceId>,
    /// Down without an incident that explains it, the first to fail in front.
    roots: BTreeSet<(Option<Timestamp>, ServiceId)>,
}

impl Tally {
    pub(super) fn add(&mut self, id: &ServiceId, standing: Standing) {
        self.total += 1;
        if standing.started_at.is_some() {
            self.open.insert(id.clone());
        }
        if standing.muted {
            self.muted += 1;
            return;
        }
        self.counts[standing.status as usize] += 1;
        match standing.status {
            ServiceStatus::Degraded => _ = self.slow.insert(id.clone()),
            ServiceStatus::Unhealthy if !standing.explained => {
                self.roots.insert((standing.started_at, id.clone()));
            }
            _ => {}
        }
    }

    pub(super) fn remove(&mut self, id: &ServiceId, standing: Standing) {
        self.total -= 1;
        if standing.started_at.is_some() {
            self.open.remove(id);
        }
        if standing.muted {
            self.muted -= 1;
            return;
        }
        self.counts[standing.status as usize] -= 1;
        match standing.status {
            ServiceStatus::Degraded => _ = self.slow.remove(id),
            ServiceStatus::Unhealthy if !standing.explained => {
                self.roots.remove(&(standing.started_at, id.clone()));
            }
            _ => {}
        }
    }

    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Those with an open incident, by id.
    pub fn open(&self) -> impl Iterator<Item = &ServiceId> {
        self.open.iter()
    }

    /// The muted ones.
    pub fn muted(&self) -> usize {
        self.muted
    }

    /// Those with that status that are not muted.
    pub fn count(&self, status: ServiceStatus) -> usize {
        self.counts[status as usize]
    }

    /// Every status that a service has that is not muted.
    pub fn statuses(&self) -> impl Iterator<Item = ServiceStatus> {
        ServiceStatus::ALL.into_iter().filter(|status| self.count(*status) > 0)
    }

    /// Degraded ones, by id.
    pub fn slow(&self) -> impl ExactSizeIterator<Item = &ServiceId> {
        self.slow.iter()
    }

    /// Independent outages, the first to fail in front.
    pub fn roots(&self) -> impl ExactSizeIterator<Item = &ServiceId> {
        self.roots.iter().map(|(_, id)| id)
    }
}
