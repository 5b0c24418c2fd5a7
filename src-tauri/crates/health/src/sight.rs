use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::id::ServiceId;
use crate::reach::Reach;
use crate::result::CheckResult;
use crate::sleep::Gap;
use crate::status::Status;
use crate::time::Moment;

/// How long the network may take to come back after a sleep.
const SETTLE: Duration = Duration::from_secs(5);
/// How often an absent network is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long a proof that the internet answers stands.
const PROOF: Duration = Duration::from_secs(5);
/// Time awake (the clock stands still in sleep) after which a sleep that was
/// announced is taken to be over.
const AWAKE_AFTER: Duration = Duration::from_secs(60);
/// How long witnesses may take to answer.
const WITNESSES_ANSWER: Duration = Duration::from_secs(30);

/// How far this machine can see: results from beyond say nothing about their
/// service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Horizon {
    /// Everything.
    Clear,
    /// The local network, but not the internet.
    NoInternet,
    /// Only this machine.
    NoNetwork,
    /// Nothing, until the network has had time to come back after a sleep.
    JustWoke,
    /// Nothing: the machine is about to sleep.
    Asleep,
}

impl Horizon {
    /// Failures of a target that far away mean nothing now.
    pub fn hides(self, reach: Reach) -> bool {
        match self {
            Self::Clear => false,
            Self::NoInternet => reach == Reach::Public,
            Self::NoNetwork => reach != Reach::Loopback,
            Self::JustWoke | Self::Asleep => true,
        }
    }

    /// A check of a target that far away is not worth starting. Where only the
    /// internet does not answer it is: an answer of the target itself proves
    /// that it is the connectivity targets that are blocked here.
    pub fn blocks(self, reach: Reach) -> bool {
        self != Self::NoInternet && self.hides(reach)
    }

    /// Why, for people; `None` when nothing is hidden.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Clear => None,
            Self::NoInternet => Some("the internet does not answer"),
            Self::NoNetwork => Some("no network"),
            Self::JustWoke => Some("just woke from sleep"),
            Self::Asleep => Some("going to sleep"),
        }
    }
}

/// A result of a check, and what it says about the way there.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Whose.
    pub service: ServiceId,
    /// How it came out.
    pub result: Arc<CheckResult>,
    /// How far away the target is.
    pub reach: Reach,
    /// The target itself was reached: no proxy, no resolver.
    pub contact: bool,
}

impl Seen {
    /// Something answered: the network is there. An answer that is no success
    /// and came from somebody else, a proxy or a resolver, is no proof.
    fn is_answer(&self) -> bool {
        self.result.status != Status::Unhealthy
            || (self.result.response_time_ms.is_some() && self.contact)
    }
}

/// What the system says about sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// About to sleep.
    Sleeping,
    /// Just woke.
    Awake,
}

/// What follows from something that [`Sight`] was told.
#[derive(Debug, Clone, PartialEq)]
pub enum Insight {
    /// This result is about its service.
    Believe(Seen),
    /// Ask whether an interface is up, for [`Sight::interfaces`].
    AskInterfaces,
    /// Ask the connectivity targets, for [`Sight::internet`]; a question under
    /// way is void.
    AskInternet,
    /// Look at public services that were well, and name them to
    /// [`Sight::witnesses`].
    CallWitnesses,
    /// The results of what is under way would mean nothing.
    Abandon,
    /// Checks may go on where they were interrupted.
    GoOn,
    /// It sees farther, or less far, than before.
    Changed {
        /// The horizon before.
        from: Horizon,
        /// The horizon from now on.
        to: Horizon,
    },
}

/// What this machine can observe, and the failures that wait until that is
/// known.
///
/// | told | `Clear` | `NoInternet` | `NoNetwork` | `JustWoke` | `Asleep` |
/// |---|---|---|---|---|---|
/// | an answer, from near enough | believed | believed | believed | dropped | dropped |
/// | an answer from the internet | believed, proof | => `Clear`, believed | proof alone | proof alone | proof alone |
/// | a failure on loopback | believed | believed | believed | dropped | dropped |
/// | a failure farther away | ask interfaces | the same, if private | dropped | dropped | dropped |
/// | no interface is up | => `NoNetwork` | => `NoNetwork` | | => `NoNetwork` | |
/// | one is up: private failures | believed | believed | | | |
/// | one is up: public failures | believed with proof, else ask the internet | dropped | | | |
/// | time to look again, one is up | | ask the internet | => `NoInternet`, ask it | => `Clear`, ask it | => `JustWoke` |
/// | the internet answers | proof, failures believed | => `Clear` | => `Clear` | => `Clear` | |
/// | it does not | call witnesses | | | | |
/// | no witness, or none answered | => `NoInternet` | | | | |
/// | going to sleep | => `Asleep` | => `Asleep` | => `Asleep` | => `Asleep` | |
/// | awake, or the clocks tell of sleep | => `JustWoke` | => `JustWoke` | => `JustWoke` | => `JustWoke` | => `JustWoke` |
/// | the process was stopped | go on | go on | go on | => `JustWoke` | => `JustWoke` |
///
/// A gap of any kind drops the failures that are held, and those that are not
/// believed yet: what came of them is not known any more.
/// Witnesses are public services that were well: if any answers while the
/// connectivity targets do not, those are blocked here, and the internet is
/// there. A healthy system asks nobody.
#[derive(Debug, Clone)]
pub struct Sight {
    horizon: Horizon,
    /// When the internet was last seen to answer.
    proven: Option<Duration>,
    look_again: Option<Duration>,
    /// Failures whose question is whether an interface is up, asked once for all
    /// that come before the answer.
    unplaced: Vec<Seen>,
    /// Failures whose question is whether the internet answers.
    suspects: Vec<Seen>,
    asking_interfaces: bool,
    asking_internet: bool,
    /// The time to look again has come: what interfaces say counts even if
    /// nothing failed.
    looking: bool,
    witnesses: Option<BTreeSet<ServiceId>>,
}

impl Default for Sight {
    fn default() -> Self {
        Self {
            horizon: Horizon::Clear,
            proven: None,
            look_again: None,
            unplaced: Vec::new(),
            suspects: Vec::new(),
            asking_interfaces: false,
            asking_internet: false,
            looking: false,
            witnesses: None,
        }
    }
}

impl Sight {
    /// How far it sees.
    pub fn horizon(&self) -> Horizon {
        self.horizon
    }

    /// When [`Sight::time_passed`] has something to do next, in time running.
    pub fn look_again(&self) -> Option<Duration> {
        self.look_again
    }

    /// Services with a failure that waits to be believed.
    pub fn suspects(&self) -> BTreeSet<ServiceId> {
        self.suspects.iter().chain(&self.unplaced).map(|seen| seen.service.clone()).collect()
    }

    /// The service is another than before, or gone: what was seen of it says
    /// nothing any more.
    pub fn forget(&mut self, id: &ServiceId) {
        self.suspects.retain(|seen| seen.service != *id);
        self.unplaced.retain(|seen| seen.service != *id);
        if let Some(witnesses) = &mut self.witnesses {
            witnesses.remove(id);
        }
    }

    /// Takes a result.
    pub fn result(&mut self, seen: Seen, now: Moment) -> Vec<Insight> {
        let (reach, answered) = (seen.reach, seen.is_answer());
        let mut insights = Vec::new();
        if answered && reach == Reach::Public {
            self.proven = Some(now.running);
            if self.horizon == Horizon::NoInternet {
                self.see(Horizon::Clear, now, &mut insights);
            }
            self.believe_suspects(&mut insights);
        }
        if self.horizon.blocks(reach) || (!answered && self.horizon.hides(reach)) {
            return insights;
        }
        if answered || reach == Reach::Loopback {
            insights.push(Insight::Believe(seen));
        } else {
            self.unplaced.push(seen);
            self.ask_interfaces(&mut insights);
        }
        insights
    }

    /// Takes whether an interface other than loopback is up.
    pub fn interfaces(&mut self, up: bool, now: Moment) -> Vec<Insight> {
        self.asking_interfaces = false;
        let looking = std::mem::take(&mut self.looking);
        let mut insights = Vec::new();
        match (self.horizon, up) {
            (Horizon::Asleep, _) => {}
            (_, false) => self.see(Horizon::NoNetwork, now, &mut insights),
            (Horizon::JustWoke, true) if looking => {
                self.see(Horizon::Clear, now, &mut insights);
                self.ask_internet(&mut insights);
            }
            (Horizon::NoNetwork, true) if looking => {
                self.see(Horizon::NoInternet, now, &mut insights);
                self.ask_internet(&mut insights);
            }
            (Horizon::NoInternet, true) if looking => self.ask_internet(&mut insights),
            (_, true) => {}
        }
        for seen in std::mem::take(&mut self.unplaced) {
            if self.horizon.hides(seen.reach) {
                continue;
            }
            if seen.reach == Reach::Private || self.internet_is_proven(now) {
                insights.push(Insight::Believe(seen));
            } else {
                self.suspect(seen, now, &mut insights);
            }
        }
        insights
    }

    /// Takes what the connectivity targets say.
    pub fn internet(&mut self, answers: bool, now: Moment) -> Vec<Insight> {
        let mut insights = Vec::new();
        if !std::mem::take(&mut self.asking_internet) {
            return insights;
        }
        match (self.horizon, answers) {
            (Horizon::Asleep, _) => {}
            (_, true) => {
                self.proven = Some(now.running);
                self.see(Horizon::Clear, now, &mut insights);
                self.believe_suspects(&mut insights);
            }
            (_, false) if self.internet_is_proven(now) => self.believe_suspects(&mut insights),
            (Horizon::Clear, false) => insights.push(Insight::CallWitnesses),
            (Horizon::NoInternet | Horizon::NoNetwork | Horizon::JustWoke, false) => {}
        }
        insights
    }

    /// Takes who is looked at to prove that the internet is there.
    pub fn witnesses(&mut self, called: BTreeSet<ServiceId>, now: Moment) -> Vec<Insight> {
        let mut insights = Vec::new();
        if called.is_empty() {
            self.see(Horizon::NoInternet, now, &mut insights);
        } else if self.horizon == Horizon::Clear {
            self.witnesses = Some(called);
            self.look_again = Some(now.running + WITNESSES_ANSWER);
        }
        insights
    }

    /// Time passed.
    pub fn time_passed(&mut self, now: Moment) -> Vec<Insight> {
        let mut insights = Vec::new();
        if self.look_again.is_none_or(|at| at > now.running) {
            return insights;
        }
        match self.horizon {
            // Nobody says good morning when logind has gone.
            Horizon::Asleep => return self.gap(Gap::Slept, now),
            Horizon::Clear => {
                self.look_again = None;
                if self.witnesses.is_some() {
                    self.see(Horizon::NoInternet, now, &mut insights);
                }
            }
            Horizon::NoInternet | Horizon::NoNetwork | Horizon::JustWoke => {
                self.look_again = Some(now.running + LOOK_AGAIN);
                self.looking = true;
                self.ask_interfaces(&mut insights);
            }
        }
        insights
    }

    /// Takes what the system says about sleep.
    pub fn power(&mut self, power: Power, now: Moment) -> Vec<Insight> {
        match power {
            Power::Awake => self.gap(Gap::Slept, now),
            Power::Sleeping => {
                let mut insights = self.start_over();
                self.see(Horizon::Asleep, now, &mut insights);
                insights
            }
        }
    }

    /// Takes that for a while nothing could be done. What was under way is
    /// dropped; after a sleep the network is waited for, at most 5 s.
    pub fn gap(&mut self, gap: Gap, now: Moment) -> Vec<Insight> {
        let mut insights = self.start_over();
        let was_waiting = matches!(self.horizon, Horizon::JustWoke | Horizon::Asleep);
        if gap == Gap::Stopped && !was_waiting {
            insights.push(Insight::GoOn);
        } else {
            self.see(Horizon::JustWoke, now, &mut insights);
            self.ask_internet(&mut insights);
        }
        insights
    }

    fn start_over(&mut self) -> Vec<Insight> {
        self.unplaced.clear();
        self.suspects.clear();
        self.witnesses = None;
        self.proven = None;
        self.asking_internet = false;
        self.looking = false;
        vec![Insight::Abandon]
    }

    fn see(&mut self, horizon: Horizon, now: Moment, insights: &mut Vec<Insight>) {
        let from = std::mem::replace(&mut self.horizon, horizon);
        if from == horizon {
            return;
        }
        self.look_again = match horizon {
            Horizon::Clear => None,
            Horizon::Asleep => Some(now.running + AWAKE_AFTER),
            Horizon::JustWoke => Some(now.running + SETTLE),
            Horizon::NoInternet | Horizon::NoNetwork => Some(now.running + LOOK_AGAIN),
        };
        self.suspects.retain(|seen| !horizon.hides(seen.reach));
        self.witnesses = None;
        insights.push(Insight::Changed { from, to: horizon });
    }

    /// A failure of a public service, before it is known whether the internet
    /// is there.
    fn suspect(&mut self, seen: Seen, now: Moment, insights: &mut Vec<Insight>) {
        if let Some(witnesses) = &mut self.witnesses {
            witnesses.remove(&seen.service);
            let all_failed = witnesses.is_empty();
            self.suspects.push(seen);
            if all_failed {
                self.see(Horizon::NoInternet, now, insights);
            }
        } else {
            self.suspects.push(seen);
            if !self.asking_internet {
                self.ask_internet(insights);
            }
        }
    }

    /// The internet is there: the failures that waited for that are the
    /// services' own.
    fn believe_suspects(&mut self, insights: &mut Vec<Insight>) {
        if self.witnesses.take().is_some() {
            self.look_again = None;
        }
        insights.extend(std::mem::take(&mut self.suspects).into_iter().map(Insight::Believe));
    }

    fn internet_is_proven(&self, now: Moment) -> bool {
        self.proven.is_some_and(|at| now.running < at + PROOF)
    }

    fn ask_interfaces(&mut self, insights: &mut Vec<Insight>) {
        if !std::mem::replace(&mut self.asking_interfaces, true) {
            insights.push(Insight::AskInterfaces);
        }
    }

    fn ask_internet(&mut self, insights: &mut Vec<Insight>) {
        self.asking_internet = true;
        insights.push(Insight::AskInternet);
    }
}

#[cfg(test)]
mod tests {
    use super::Horizon::{Asleep, Clear, JustWoke, NoInternet, NoNetwork};
    use super::*;
    use crate::time::Timestamp;

    fn at(seconds: u64) -> Moment {
        let wall = Timestamp(i64::try_from(seconds).expect("small") * 1000);
        Moment { wall, running: Duration::from_secs(seconds) }
    }

    fn id(text: &str) -> ServiceId {
        ServiceId::new(text).expect("a valid id")
    }

    fn seen(name: &str, reach: Reach, status: Status) -> Seen {
        let time = (status != Status::Unhealthy).then_some(1.0);
        let result = Arc::new(CheckResult::new(Timestamp(0), status, time, ""));
        Seen { service: id(name), result, reach, contact: true }
    }

    fn down(name: &str, reach: Reach) -> Seen {
        seen(name, reach, Status::Unhealthy)
    }

    fn up(name: &str, reach: Reach) -> Seen {
        seen(name, reach, Status::Healthy)
    }

    fn at_horizon(horizon: Horizon) -> Sight {
        let mut sight = Sight::default();
        sight.see(horizon, at(0), &mut Vec::new());
        sight
    }

    const ALL: [Horizon; 5] = [Clear, NoInternet, NoNetwork, JustWoke, Asleep];

    #[test]
    fn answers_are_believed_from_as_far_as_it_sees() {
        use Reach::{Loopback, Private, Public};
        for (horizon, believed) in [
            (Clear, [true, true, true]),
            (NoInternet, [true, true, true]),
            (NoNetwork, [true, false, false]),
            (JustWoke, [false; 3]),
            (Asleep, [false; 3]),
        ] {
            for (reach, believed) in [Loopback, Private, Public].into_iter().zip(believed) {
                let answer = up("api", reach);
                let insights = at_horizon(horizon).result(answer.clone(), at(1));
                let is_believed = insights.contains(&Insight::Believe(answer));
                assert_eq!(is_believed, believed, "{horizon:?} {reach:?}");
            }
        }
    }

    #[test]
    fn a_failure_is_the_services_own_once_the_way_there_is_known_to_work() {
        let mut sight = Sight::default();
        let local = down("local", Reach::Loopback);
        assert_eq!(sight.result(local.clone(), at(1)), [Insight::Believe(local)]);
        let nas = down("nas", Reach::Private);
        assert_eq!(sight.result(nas.clone(), at(1)), [Insight::AskInterfaces]);
        let api = down("api", Reach::Public);
        assert_eq!(sight.result(api.clone(), at(1)), [], "asked once for both");
        let insights = sight.interfaces(true, at(1));
        assert_eq!(insights, [Insight::Believe(nas), Insight::AskInternet]);
        assert_eq!(sight.suspects(), [id("api")].into());
        assert_eq!(sight.internet(true, at(2)), [Insight::Believe(api.clone())]);
        assert_eq!(sight.result(api.clone(), at(4)), [Insight::AskInterfaces]);
        assert_eq!(sight.interfaces(true, at(4)), [Insight::Believe(api)], "proven 2 s ago");
    }

    #[test]
    fn without_an_interface_nothing_is_told_of_what_is_beyond() {
        let mut sight = Sight::default();
        sight.result(down("nas", Reach::Private), at(1));
        let gone = Insight::Changed { from: Clear, to: NoNetwork };
        assert_eq!(sight.interfaces(false, at(1)), [gone]);
        assert_eq!(sight.result(down("nas", Reach::Private), at(2)), []);
        assert_eq!(sight.time_passed(at(5)), []);
        assert_eq!(sight.time_passed(at(6)), [Insight::AskInterfaces]);
        let back = Insight::Changed { from: NoNetwork, to: NoInternet };
        assert_eq!(sight.interfaces(true, at(6)), [back, Insight::AskInternet]);
        let all = Insight::Changed { from: NoInternet, to: Clear };
        assert_eq!(sight.internet(true, at(7)), [all]);
    }

    #[test]
    fn a_witness_that_answers_shows_that_the_targets_are_blocked() {
        let api = down("api", Reach::Public);
        let mut sight = Sight::default();
        sight.result(api.clone(), at(1));
        sight.interfaces(true, at(1));
        assert_eq!(sight.internet(false, at(4)), [Insight::CallWitnesses]);
        assert_eq!(sight.witnesses([id("shop")].into(), at(4)), []);
        let shop = up("shop", Reach::Public);
        let insights = sight.result(shop.clone(), at(5));
        assert_eq!(insights, [Insight::Believe(api), Insight::Believe(shop)]);
    }

    #[test]
    fn without_a_witness_the_internet_is_gone() {
        let gone = [Insight::Changed { from: Clear, to: NoInternet }];
        let mut sight = Sight::default();
        sight.result(down("api", Reach::Public), at(1));
        sight.interfaces(true, at(1));
        sight.internet(false, at(4));
        let mut none_called = sight.clone();
        assert_eq!(none_called.witnesses([].into(), at(4)), gone);
        sight.witnesses([id("shop")].into(), at(4));
        let mut silent = sight.clone();
        assert_eq!(silent.time_passed(at(34)), gone, "it never came back");
        sight.result(down("shop", Reach::Public), at(5));
        assert_eq!(sight.interfaces(true, at(5)), gone, "it fails, too");
        assert_eq!(sight.suspects(), [].into(), "nobody's fault");
    }

    #[test]
    fn an_answer_to_a_question_of_before_is_none() {
        let mut sight = Sight::default();
        sight.result(down("api", Reach::Public), at(1));
        sight.interfaces(true, at(1));
        sight.gap(Gap::Stopped, at(46));
        assert_eq!(sight.internet(false, at(46)), []);
    }

    #[test]
    fn what_became_another_service_is_neither_suspect_nor_witness() {
        let mut sight = Sight::default();
        sight.result(down("api", Reach::Public), at(1));
        sight.interfaces(true, at(1));
        sight.internet(false, at(4));
        sight.witnesses([id("shop"), id("blog")].into(), at(4));
        sight.forget(&id("api"));
        sight.forget(&id("shop"));
        assert_eq!(sight.suspects(), [].into());
        sight.result(down("blog", Reach::Public), at(5));
        let gone = Insight::Changed { from: Clear, to: NoInternet };
        assert_eq!(sight.interfaces(true, at(5)), [gone], "the last witness");
    }

    #[test]
    fn sleep_is_waited_out_from_everywhere() {
        for horizon in ALL {
            let mut sight = at_horizon(horizon);
            let insights = sight.power(Power::Awake, at(10));
            assert_eq!(insights[0], Insight::Abandon);
            assert_eq!(insights.last(), Some(&Insight::AskInternet), "{horizon:?}");
            assert_eq!(sight.horizon(), JustWoke);
            assert_eq!(sight.internet(false, at(12)), [], "not yet");
            assert_eq!(sight.time_passed(at(15)), [Insight::AskInterfaces]);
            sight.interfaces(true, at(15));
            assert_eq!(sight.horizon(), Clear, "5 s are enough");
            sight.power(Power::Sleeping, at(20));
            assert_eq!((sight.horizon(), sight.internet(true, at(21))), (Asleep, vec![]));
            sight.time_passed(at(80));
            assert_eq!(sight.horizon(), JustWoke, "nobody said good morning");
        }
    }

    #[test]
    fn who_was_stopped_goes_on_as_before() {
        for horizon in [Clear, NoInternet, NoNetwork] {
            let mut sight = at_horizon(horizon);
            let insights = sight.gap(Gap::Stopped, at(10));
            assert_eq!(insights, [Insight::Abandon, Insight::GoOn]);
            assert_eq!(sight.horizon(), horizon);
        }
        let mut sight = at_horizon(Asleep);
        sight.gap(Gap::Stopped, at(10));
        assert_eq!(sight.horizon(), JustWoke);
    }
}
