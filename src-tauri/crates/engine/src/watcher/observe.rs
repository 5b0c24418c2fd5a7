//! From a check that came back to what is believed of it.

use std::collections::{BTreeSet, VecDeque};

use health::{Event, Horizon, Insight, Moment, Reach, Seen, ServiceId, ServiceStatus};

use super::{Effect, UnderWay, Watcher};
use crate::check::Finished;

/// Services asked whether only the connectivity targets are blocked.
const WITNESSES: usize = 3;

impl Watcher {
    /// A failure beyond this machine first has to be the service's.
    pub(super) fn finished(&mut self, finished: Finished, now: Moment) {
        let Finished { id, run, result, address } = finished;
        let Some(watched) = self.services.get_mut(&id) else { return };
        if watched.under_way != UnderWay::Running(run) {
            return;
        }
        watched.under_way = UnderWay::No;
        if !watched.target.asks_nobody() {
            self.lanes.leave(&watched.host);
        }
        if let Some(address) = address {
            watched.reached_at(address);
        }
        match result {
            Ok(result) => {
                watched.unseen = None;
                let (reach, contact) = (watched.reach, address.is_some());
                let insights = self.sight.result(Seen { service: id, result, reach, contact }, now);
                self.follow(insights, now);
            }
            Err(reason) => self.saw_nothing(&id, reason, now),
        }
    }

    /// The service is no longer known, and nobody is to blame.
    fn saw_nothing(&mut self, id: &ServiceId, reason: String, now: Moment) {
        let Some(watched) = self.services.get_mut(id) else { return };
        if watched.unseen.as_ref() != Some(&reason) {
            watched.unseen = Some(reason);
            self.touch(id);
        }
        let events = self.fleet.lose_sight(&BTreeSet::from([id.clone()]), now.wall);
        self.spread(events, now);
    }

    /// Does what follows from what this machine can observe.
    pub(super) fn follow(&mut self, insights: Vec<Insight>, now: Moment) {
        let mut insights = VecDeque::from(insights);
        while let Some(insight) = insights.pop_front() {
            match insight {
                Insight::Believe(seen) => self.judge(seen, now),
                Insight::AskInterfaces => self.effects.push(Effect::AskInterfaces),
                Insight::AskInternet => {
                    self.effects.push(Effect::AskInternet(self.connectivity_targets.clone()));
                }
                Insight::CallWitnesses => {
                    let witnesses = self.call_witnesses(now);
                    insights.extend(self.sight.witnesses(witnesses, now));
                }
                Insight::Abandon => self.abandon(now),
                Insight::GoOn => self.go_on(now),
                Insight::Changed { from, to } => self.horizon_changed(from, to, now),
            }
        }
    }

    /// Looks at public services that were well.
    fn call_witnesses(&mut self, now: Moment) -> BTreeSet<ServiceId> {
        let suspects = self.sight.suspects();
        let is_well = |id: &ServiceId| {
            let well =
                |s: &health::ServiceState| s.status == ServiceStatus::Healthy && !s.is_failing();
            self.fleet.service(id).is_some_and(well) && !suspects.contains(id)
        };
        let witnesses: BTreeSet<_> = self
            .services
            .iter()
            .filter(|(id, watched)| watched.reach == Reach::Public && is_well(id))
            .map(|(id, _)| id.clone())
            .take(WITNESSES)
            .collect();
        for id in &witnesses {
            self.check(id, now);
        }
        witnesses
    }

    /// Drops what is under way. Nobody could report meanwhile.
    fn abandon(&mut self, now: Moment) {
        self.effects.push(Effect::CancelAll);
        self.lanes.clear();
        self.derived.clear();
        for (_, watched) in self.services.iter_mut() {
            watched.under_way = UnderWay::No;
        }
        self.listening.gone_until(now.running);
    }

    /// Checks afresh what is in sight. Failures from before confirm nothing.
    fn go_on(&mut self, now: Moment) {
        let horizon = self.sight.horizon();
        let seen = |watched: &super::Watched| !horizon.blocks(watched.reach);
        let ids: Vec<_> = self
            .services
            .iter()
            .filter(|(_, watched)| seen(watched))
            .map(|(id, _)| id.clone())
            .collect();
        self.schedule.start_afresh(&ids, now.running);
        self.connectivity_changed("was stopped for a while", now);
        let events = self.fleet.interrupted(now.wall);
        self.spread(events, now);
    }

    /// What comes into sight is checked afresh.
    fn horizon_changed(&mut self, from: Horizon, to: Horizon, now: Moment) {
        self.stale = true;
        tracing::info!(?from, ?to, "what can be observed changed");
        let (mut lost, mut found) = (BTreeSet::new(), Vec::new());
        for (id, watched) in self.services.iter() {
            match (from.hides(watched.reach), to.hides(watched.reach)) {
                (false, true) => _ = lost.insert(id.clone()),
                (true, false) => found.push(id.clone()),
                _ => {}
            }
        }
        self.schedule.start_afresh(&found, now.running);
        self.connectivity_changed(to.reason().unwrap_or("online"), now);
        let events = self.fleet.lose_sight(&lost, now.wall);
        self.spread(events, now);
    }

    fn connectivity_changed(&mut self, reason: &str, now: Moment) {
        let online = self.sight.horizon() == Horizon::Clear;
        let (at, reason) = (now.wall, reason.to_owned());
        self.effects.push(Effect::Tell(Event::ConnectivityChanged { at, online, reason }));
    }
}
