//! What checks are told about the moment: the status of others, and what
//! services reported of themselves.

use std::time::Duration;

use health::{Moment, ServiceId};
use probe::{Context, Report};

use super::reporting::Listening;
use super::{Effect, Watcher};
use crate::past::{Arrived, Change};

impl Watcher {
    /// What a check of the service is told.
    pub(super) fn context(&mut self, id: &ServiceId, now: Moment) -> Option<Context> {
        let watched = self.services.get(id)?;
        let member = |id: &ServiceId| {
            let state = self.fleet.service(id)?;
            Some((id.clone(), (state.member.name.clone(), state.status)))
        };
        let members = watched.target.probe.members().iter().filter_map(member).collect();
        let known = watched.reporting.as_ref().map(|reporting| reporting.since);
        let listening = self.listening_for(known, now.running);
        let report =
            self.services.get_mut(id)?.reporting.as_mut().and_then(|reporting| reporting.take(now));
        Some(Context { members, report, listening })
    }

    fn listening_for(&self, known: Option<Duration>, now: Duration) -> probe::Listening {
        match &self.listening {
            Listening::NotYet => probe::Listening::Nowhere,
            Listening::Since(since) => {
                probe::Listening::For(now.saturating_sub(known.unwrap_or(*since).max(*since)))
            }
            Listening::Failed(reason) => probe::Listening::Failed(reason.clone()),
        }
    }

    /// Takes a report and looks at it at once.
    pub(super) fn reported(&mut self, id: &ServiceId, report: Report, now: Moment) {
        let Some(watched) = self.services.get_mut(id) else { return };
        if watched.target.probe.token().is_none() {
            return;
        }
        let arrived = Arrived { report, at: now.wall, is_new: true };
        let change = Change::Report(id.clone(), Box::new(arrived.clone()));
        self.effects.push(Effect::Save(change));
        watched.expect_reports(Some(arrived), now.running);
        self.check(id, now);
    }

    /// Looks at who reports in as soon as somebody listens, or cannot.
    pub(super) fn listen(&mut self, listening: Result<(), String>, now: Moment) {
        self.listening = match listening {
            Ok(()) => Listening::Since(now.running),
            Err(reason) => Listening::Failed(reason),
        };
        for (id, watched) in self.services.iter() {
            if watched.target.probe.token().is_some() {
                self.schedule.hasten(id, now.running);
            }
        }
    }

    /// Nobody reports while it is paused.
    pub(super) fn expect_reports_of(&mut self, resumed: &[ServiceId], now: Moment) {
        for id in resumed {
            if let Some(watched) = self.services.get_mut(id)
                && watched.target.probe.token().is_some()
            {
                watched.expect_reports(None, now.running);
            }
        }
    }
}
