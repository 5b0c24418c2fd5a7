use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use health::{CheckResult, Reach, ServiceId, ServiceState};
use history::Bar;

use super::reporting::Reporting;
use crate::past::Arrived;
use crate::snapshot::{ServiceView, push_bar};
use crate::target::Target;

/// All that is known of one service beside its judgement.
pub(super) struct Watched {
    pub target: Arc<Target>,
    pub host: Arc<str>,
    pub reach: Reach,
    pub under_way: UnderWay,
    /// When the last check began, in time running.
    pub asked: Option<Duration>,
    /// What it reports of itself.
    pub reporting: Option<Reporting>,
    /// Why its last check saw nothing.
    pub unseen: Option<String>,
    pub bars: VecDeque<Bar>,
    /// Groups that it is a member of.
    pub groups: Vec<ServiceId>,
    /// Its place among the views.
    pub place: usize,
    /// Where it was last reached.
    pub address: Option<IpAddr>,
}

/// `No => Waiting => Running => No`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnderWay {
    No,
    /// For a turn.
    Waiting,
    /// As the check with that number.
    Running(u64),
}

impl Watched {
    pub fn new(target: Arc<Target>, bars: VecDeque<Bar>) -> Self {
        Self {
            host: Arc::from(target.probe.host()),
            reach: Reach::of(target.probe.host(), None),
            target,
            under_way: UnderWay::No,
            asked: None,
            reporting: None,
            unseen: None,
            bars,
            groups: Vec::new(),
            place: 0,
            address: None,
        }
    }

    /// It was reached there.
    pub fn reached_at(&mut self, address: IpAddr) {
        if self.address != Some(address) {
            self.address = Some(address);
            self.reach = Reach::of(&self.host, self.address);
        }
    }

    /// The service can report from `now` on; `last` is what it reported before,
    /// where that is not known already.
    pub fn expect_reports(&mut self, last: Option<Arrived>, now: Duration) {
        let known = self.reporting.take().and_then(|reporting| reporting.last);
        self.reporting = Some(Reporting::new(last.or(known), now));
    }

    pub fn push_bar(&mut self, result: &CheckResult) {
        push_bar(&mut self.bars, result, self.target.every);
    }

    pub fn view(&self, state: &ServiceState) -> ServiceView {
        ServiceView::new(&self.target, state, self.unseen.as_deref(), self.bars.clone())
    }
}
