use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::flap::Flapping;
use crate::result::CheckResult;
use crate::status::{ServiceStatus, Status};

/// How many results in a row it takes to believe a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgePolicy {
    /// Unhealthy results until the service is unhealthy.
    pub fail_after: u32,
    /// Results that are not unhealthy until it has recovered.
    pub recover_after: u32,
    /// Equal results until healthy turns degraded or back.
    pub stable_count: u32,
}

impl Default for JudgePolicy {
    fn default() -> Self {
        Self { fail_after: 3, recover_after: 2, stable_count: 3 }
    }
}

/// What one result did to a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// An outage was confirmed with this result.
    pub opened: bool,
    /// An outage ended with this result.
    pub resolved: bool,
    /// Flapping started (true) or stopped (false).
    pub flapping: Option<bool>,
}

/// The state machine of one service: raw results in, a stable status out.
///
/// `Unknown => (Healthy | Degraded | Unhealthy)`,
/// `Healthy <=> Degraded`, `(Healthy | Degraded) <=> Unhealthy`:
///
/// 1. `fail_after` unhealthy results in a row make it unhealthy.
/// 2. The first result that is not unhealthy shows at once; a first unhealthy
///    one leaves it unknown until rule 1 holds.
/// 3. While unhealthy, `recover_after` results in a row that are not unhealthy
///    make it what the last of them says.
/// 4. Healthy turns degraded, and back, after `stable_count` equal results in
///    a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judge {
    stable: Option<Status>,
    /// The current run of equal raw results.
    run: Option<(Status, u32)>,
    /// Results in a row that were not unhealthy.
    good: u32,
    /// The first result of the current run of unhealthy ones.
    first_failure: Option<Arc<CheckResult>>,
    last_good: Option<Arc<CheckResult>>,
    flapping: Flapping,
}

impl Default for Judge {
    fn default() -> Self {
        Self::new()
    }
}

impl Judge {
    /// Nothing known yet.
    pub fn new() -> Self {
        Self {
            stable: None,
            run: None,
            good: 0,
            first_failure: None,
            last_good: None,
            flapping: Flapping::default(),
        }
    }

    /// Takes the next result.
    pub fn observe(&mut self, policy: JudgePolicy, result: &Arc<CheckResult>) -> Verdict {
        let raw = result.status;
        let run = match self.run {
            Some((status, length)) if status == raw => length.saturating_add(1),
            _ => 1,
        };
        self.run = Some((raw, run));
        if raw == Status::Unhealthy {
            self.good = 0;
            if run == 1 {
                self.first_failure = Some(result.clone());
            }
        } else {
            self.good = self.good.saturating_add(1);
            self.last_good = Some(result.clone());
        }
        let before = self.stable;
        self.stable = self.next(policy, raw, run);
        let (was_down, is_down) =
            (before == Some(Status::Unhealthy), self.stable == Some(Status::Unhealthy));
        Verdict {
            opened: is_down && !was_down,
            resolved: was_down && !is_down,
            flapping: self.flapping.observe(raw),
        }
    }

    fn next(&self, policy: JudgePolicy, raw: Status, run: u32) -> Option<Status> {
        match (self.stable, raw) {
            (_, Status::Unhealthy) if run >= policy.fail_after => Some(raw),
            (stable, Status::Unhealthy) => stable,
            (None, _) => Some(raw),
            (Some(Status::Unhealthy), _) if self.good >= policy.recover_after => Some(raw),
            (Some(Status::Unhealthy), _) => Some(Status::Unhealthy),
            (Some(_), _) if run >= policy.stable_count => Some(raw),
            (stable, _) => stable,
        }
    }

    /// The stable status; unknown before the first believed result.
    pub fn status(&self) -> ServiceStatus {
        self.stable.map_or(ServiceStatus::Unknown, ServiceStatus::from)
    }

    /// The last results point to an outage or a recovery that is not yet
    /// believed: worth another look soon.
    pub fn is_unsettled(&self) -> bool {
        self.is_failing() || (self.stable == Some(Status::Unhealthy) && self.good > 0)
    }

    /// The last result was unhealthy, but the service is not judged so yet.
    pub fn is_failing(&self) -> bool {
        let failed = matches!(self.run, Some((Status::Unhealthy, _)));
        failed && self.stable != Some(Status::Unhealthy)
    }

    /// Unhealthy results in a row, up to the last one.
    pub fn failures(&self) -> u32 {
        match self.run {
            Some((Status::Unhealthy, length)) => length,
            _ => 0,
        }
    }

    /// The first of the current unhealthy results in a row.
    pub fn first_failure(&self) -> Option<&Arc<CheckResult>> {
        self.first_failure.as_ref().filter(|_| self.failures() > 0)
    }

    /// The last result that was not unhealthy.
    pub fn last_good(&self) -> Option<&Arc<CheckResult>> {
        self.last_good.as_ref()
    }

    /// The service changes its status too often for single changes to count.
    pub fn is_flapping(&self) -> bool {
        self.flapping.is_active()
    }

    /// Status changes among the last 21 raw results.
    pub fn changes(&self) -> usize {
        self.flapping.changes()
    }

    /// After time that was not observed: forgets the runs that wait to be
    /// believed, keeps what was believed.
    pub fn forget_runs(&mut self) {
        self.run = None;
        self.good = 0;
        self.first_failure = None;
    }

    /// After a restart: what was believed is no longer known, except that an
    /// open outage goes on until it is seen to end.
    pub fn wake(&mut self) {
        self.forget_runs();
        self.stable = self.stable.filter(|&status| status == Status::Unhealthy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use proptest::prelude::*;

    fn result(at: i64, status: Status) -> Arc<CheckResult> {
        Arc::new(CheckResult::new(Timestamp(at), status, Some(1.0), ""))
    }

    fn statuses(raw: &str) -> String {
        let mut judge = Judge::new();
        (0..)
            .zip(raw.chars())
            .map(|(at, c)| {
                let status = match c {
                    'h' => Status::Healthy,
                    'd' => Status::Degraded,
                    _ => Status::Unhealthy,
                };
                judge.observe(JudgePolicy::default(), &result(at, status));
                judge
                    .status()
                    .as_str()
                    .chars()
                    .next()
                    .filter(|&c| c != 'u')
                    .unwrap_or(if judge.status() == ServiceStatus::Unhealthy { 'u' } else { '?' })
            })
            .collect()
    }

    #[test]
    fn the_rules_in_order() {
        assert_eq!(statuses("h"), "h");
        assert_eq!(statuses("d"), "d");
        assert_eq!(statuses("uuu"), "??u");
        assert_eq!(statuses("uuh"), "??h");
        assert_eq!(statuses("huuhuuu"), "hhhhhhu");
        assert_eq!(statuses("huuuhuhh"), "hhhuuuuh");
        assert_eq!(statuses("huuuhd"), "hhhuud");
        assert_eq!(statuses("hddhddd"), "hhhhhhd");
        assert_eq!(statuses("hddudd"), "hhhhhh");
    }

    #[test]
    fn after_a_restart_only_an_outage_is_still_believed() {
        let mut judge = Judge::new();
        judge.observe(JudgePolicy::default(), &result(0, Status::Healthy));
        judge.wake();
        assert_eq!(judge.status(), ServiceStatus::Unknown);
        for at in 1..4 {
            judge.observe(JudgePolicy::default(), &result(at, Status::Unhealthy));
        }
        judge.wake();
        assert_eq!(judge.status(), ServiceStatus::Unhealthy);
        let verdict = judge.observe(JudgePolicy::default(), &result(9, Status::Unhealthy));
        assert_eq!(verdict, Verdict::default());
    }

    proptest! {
        #[test]
        fn outages_open_and_resolve_in_turn_and_only_when_earned(
            raw in proptest::collection::vec(0..3u8, 0..200),
            fail_after in 1..5u32, recover_after in 1..5u32, stable_count in 1..5u32,
        ) {
            let policy = JudgePolicy { fail_after, recover_after, stable_count };
            let mut judge = Judge::new();
            let mut open = false;
            let (mut bad, mut good) = (0, 0);
            for (at, kind) in (0..).zip(raw) {
                let status = [Status::Healthy, Status::Degraded, Status::Unhealthy][usize::from(kind)];
                if status == Status::Unhealthy { bad += 1; good = 0 } else { good += 1; bad = 0 }
                let verdict = judge.observe(policy, &result(at, status));
                prop_assert!(!(verdict.opened && verdict.resolved));
                prop_assert_eq!(verdict.opened, !open && bad >= fail_after);
                prop_assert_eq!(verdict.resolved, open && good >= recover_after);
                open = (open || verdict.opened) && !verdict.resolved;
                prop_assert_eq!(judge.status() == ServiceStatus::Unhealthy, open);
                prop_assert_eq!(judge.first_failure().is_some(), bad > 0);
            }
        }
    }
}
