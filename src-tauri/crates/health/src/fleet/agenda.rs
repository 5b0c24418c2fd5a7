use std::collections::{BTreeMap, BTreeSet};

use crate::id::ServiceId;
use crate::time::Timestamp;

/// Who has to be looked at: now, at a time, or when there is news of another.
/// An entry too many costs one look and nothing else.
#[derive(Debug, Clone, Default)]
pub(super) struct Agenda {
    now: BTreeSet<ServiceId>,
    at: BTreeSet<(Timestamp, ServiceId)>,
    after: BTreeMap<ServiceId, BTreeSet<ServiceId>>,
}

impl Agenda {
    pub fn now(&mut self, id: &ServiceId) {
        self.now.insert(id.clone());
    }

    pub fn at(&mut self, at: Timestamp, id: &ServiceId) {
        self.at.insert((at, id.clone()));
    }

    pub fn after(&mut self, other: &ServiceId, id: &ServiceId) {
        self.after.entry(other.clone()).or_default().insert(id.clone());
    }

    /// Something about `other` changed.
    pub fn news_of(&mut self, other: &ServiceId) {
        if !self.after.is_empty()
            && let Some(waiting) = self.after.remove(other)
        {
            self.now.extend(waiting);
        }
    }

    /// Takes out whose time has come by `now`.
    pub fn time_passed(&mut self, now: Timestamp) -> Vec<ServiceId> {
        let mut due = Vec::new();
        while self.at.first().is_some_and(|(at, _)| *at <= now) {
            due.extend(self.at.pop_first().map(|(_, id)| id));
        }
        due
    }

    /// Takes out who is to be looked at now, the smallest id first.
    pub fn take(&mut self) -> BTreeSet<ServiceId> {
        std::mem::take(&mut self.now)
    }

    pub fn next(&self) -> Option<Timestamp> {
        self.at.first().map(|(at, _)| *at)
    }
}
