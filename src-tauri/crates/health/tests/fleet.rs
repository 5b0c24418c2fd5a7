//! Outages of several services: what is announced, when, and what is not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use health::{
    CheckResult, Event, Fleet, JudgePolicy, Member, Notice, Overall, Pause, ServiceId,
    ServiceStatus, Status, Timestamp,
};
use proptest::prelude::*;

fn id(text: &str) -> ServiceId {
    ServiceId::new(text).expect("a valid id")
}

fn member(name: &str, depends_on: &[&str]) -> Member {
    Member {
        id: id(name),
        name: name.to_uppercase(),
        policy: JudgePolicy::default(),
        depends_on: depends_on.iter().map(|d| id(d)).collect(),
    }
}

fn chain() -> Vec<Member> {
    vec![member("web", &["api"]), member("api", &["db"]), member("db", &[])]
}

fn fleet(members: Vec<Member>) -> Fleet {
    Fleet::new(members, BTreeMap::new(), None, 1, Timestamp(0))
}

fn result(at: i64, status: Status) -> Arc<CheckResult> {
    let message = if status == Status::Unhealthy { "refused" } else { "ok" };
    Arc::new(CheckResult::new(Timestamp(at), status, Some(1.0), message))
}

/// Feeds one result per second and service, in the order given.
struct Play {
    fleet: Fleet,
    now: i64,
    events: Vec<Event>,
}

impl Play {
    fn new(fleet: Fleet) -> Self {
        Self { fleet, now: 1_000_000, events: Vec::new() }
    }

    fn step(&mut self, statuses: &[(&str, Status)]) -> &mut Self {
        self.now += 1000;
        let now = Timestamp(self.now);
        self.events.extend(self.fleet.tick(now).events);
        for (service, status) in statuses {
            let events = self.fleet.observe(&id(service), result(self.now, *status), now);
            self.events.extend(events);
        }
        self
    }

    fn times(&mut self, n: usize, statuses: &[(&str, Status)]) -> &mut Self {
        for _ in 0..n {
            self.step(statuses);
        }
        self
    }

    fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
            .into_iter()
            .filter_map(|event| match event {
                Event::Announced(Notice { title, body, .. }) => Some(format!("{title}: {body}")),
                _ => None,
            })
            .collect()
    }
}

use Status::{Healthy as H, Unhealthy as U};

#[test]
fn one_notice_names_the_root_whoever_failed_first() {
    for order in [["db", "api", "web"], ["web", "api", "db"]] {
        let mut play = Play::new(fleet(chain()));
        play.times(3, &order.map(|s| (s, H)));
        play.times(5, &order.map(|s| (s, U)));
        assert_eq!(play.notices(), ["DB is down: refused. 2 services affected."], "{order:?}");
        let summary = play.fleet.summary(false);
        assert_eq!(summary.headline, "DB is down, 2 services affected");
        assert_eq!((summary.overall, summary.root_causes), (Overall::Unhealthy, 1));
        let web = play.fleet.service(&id("web")).expect("web").caused_by();
        assert_eq!(web, Some(&id("db")));
        play.times(3, &order.map(|s| (s, H)));
        assert_eq!(play.notices().len(), 1, "only the root's recovery is announced");
    }
}

#[test]
fn a_dependant_waits_for_a_dependency_that_was_not_looked_at_yet() {
    let mut play = Play::new(fleet(chain()));
    play.times(3, &["db", "api", "web"].map(|s| (s, H)));
    play.times(4, &[("web", U)]);
    assert_eq!(play.notices(), [] as [&str; 0], "api and db have yet to say how they are");
    play.step(&[("web", U), ("api", H), ("db", H)]);
    assert_eq!(play.notices(), ["WEB is down: refused."]);
}

#[test]
fn a_dependency_that_is_known_to_be_down_holds_nobody_up() {
    let mut play = Play::new(fleet(chain()));
    play.times(3, &["db", "api", "web"].map(|s| (s, H)));
    play.times(5, &[("db", U), ("api", H), ("web", H)]);
    assert_eq!(play.notices(), ["DB is down: refused. 2 services depend on it."]);
    play.times(3, &[("api", H), ("web", U)]);
    assert_eq!(play.notices(), ["WEB is down: refused."], "api works without db");
}

#[test]
fn the_end_of_a_mute_is_told() {
    let mut play = Play::new(fleet(chain()));
    let until = Timestamp(play.now + 5_000);
    play.fleet.mute(&id("db"), Some(until), Timestamp(play.now));
    assert_eq!(play.fleet.next_tick(), Some(until));
    assert_eq!(play.fleet.tick(until - 1).unmuted, []);
    assert_eq!(play.fleet.tick(until).unmuted, [id("db")]);
    assert_eq!(play.fleet.tick(until).unmuted, []);
}

#[test]
fn waiting_for_a_cause_ends() {
    let mut play = Play::new(fleet(chain()));
    play.times(3, &["db", "api", "web"].map(|s| (s, H)));
    play.times(23, &[("web", U)]);
    assert_eq!(play.notices(), ["WEB is down: refused."]);
}

#[test]
fn who_does_not_follow_the_cause_up_is_announced_after_a_grace() {
    let mut play = Play::new(fleet(chain()));
    play.times(3, &["db", "api", "web"].map(|s| (s, H)));
    play.times(5, &["db", "api", "web"].map(|s| (s, U)));
    play.notices();
    play.times(29, &[("db", H), ("api", H), ("web", U)]);
    assert_eq!(play.notices(), ["DB is up again: It was down for 6 s. 2 services depend on it."]);
    play.times(5, &[("db", H), ("api", H), ("web", U)]);
    assert_eq!(play.notices(), ["WEB is still down: refused."]);
    assert_eq!(play.fleet.service(&id("web")).expect("web").caused_by(), None);
}

#[test]
fn muted_services_stay_silent_until_the_mute_runs_out() {
    let mut play = Play::new(fleet(vec![member("db", &[])]));
    play.times(3, &[("db", H)]);
    let until = Timestamp(play.now + 10_000);
    play.fleet.mute(&id("db"), Some(until), Timestamp(play.now));
    play.times(8, &[("db", U)]);
    assert_eq!(play.notices(), [] as [&str; 0]);
    assert_eq!(play.fleet.summary(false).overall, Overall::Unknown);
    play.times(3, &[("db", U)]);
    assert_eq!(play.notices(), ["DB is down: refused."]);
}

#[test]
fn flapping_is_one_notice() {
    let mut play = Play::new(fleet(vec![member("db", &[])]));
    for _ in 0..40 {
        play.step(&[("db", U)]).step(&[("db", H)]);
    }
    let notices = play.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].starts_with("DB is flapping"), "{notices:?}");
    play.times(25, &[("db", U)]);
    assert_eq!(play.notices(), ["DB is down: refused."], "settled, and down");
}

#[test]
fn paused_services_are_neither_judged_nor_counted_and_resume_by_themselves() {
    let mut play = Play::new(fleet(chain()));
    play.times(3, &["db", "api", "web"].map(|s| (s, H)));
    let pause = Pause { until: Some(Timestamp(play.now + 5_500)) };
    play.fleet.pause(Some(&id("db")), pause, Timestamp(play.now));
    play.times(5, &[("db", U)]);
    assert_eq!(play.fleet.service(&id("db")).expect("db").status, ServiceStatus::Paused);
    assert_eq!(play.fleet.summary(false).overall, Overall::Healthy);
    play.times(1, &[]);
    assert_eq!(play.fleet.service(&id("db")).expect("db").status, ServiceStatus::Unknown);
    assert_eq!(play.notices(), [] as [&str; 0]);
}

#[test]
fn a_paused_cause_still_explains_what_it_took_with_it() {
    let mut play = Play::new(fleet(chain()));
    play.times(3, &["db", "api", "web"].map(|s| (s, H)));
    play.times(5, &["db", "api", "web"].map(|s| (s, U)));
    play.notices();
    play.fleet.pause(Some(&id("db")), Pause { until: None }, Timestamp(play.now));
    play.times(60, &["api", "web"].map(|s| (s, U)));
    assert_eq!(play.notices(), [] as [&str; 0]);
}

#[test]
fn who_was_down_before_its_cause_stands_alone_when_that_is_up_again() {
    let mut play = Play::new(fleet(chain()));
    play.times(3, &["db", "api", "web"].map(|s| (s, H)));
    play.times(5, &[("db", H), ("api", H), ("web", U)]);
    play.times(5, &[("db", U), ("api", U), ("web", U)]);
    assert_eq!(play.fleet.service(&id("web")).expect("web").caused_by(), Some(&id("db")));
    play.times(4, &[("db", H), ("api", H), ("web", U)]);
    assert_eq!(play.fleet.service(&id("web")).expect("web").caused_by(), None);
    assert_eq!(play.fleet.summary(false).headline, "WEB is down");
}

#[test]
fn failures_before_a_loss_of_sight_do_not_count_after_it() {
    let mut play = Play::new(fleet(vec![member("db", &[])]));
    play.times(3, &[("db", H)]).times(2, &[("db", U)]);
    let now = Timestamp(play.now);
    play.fleet.lose_sight(&BTreeSet::from([id("db")]), now);
    assert_eq!(play.fleet.summary(true).overall, Overall::Offline);
    play.times(2, &[("db", U)]).step(&[("db", H)]);
    assert_eq!(play.notices(), [] as [&str; 0]);
}

#[test]
fn failures_before_an_interruption_do_not_count_after_it() {
    let mut play = Play::new(fleet(vec![member("db", &[])]));
    play.times(3, &[("db", H)]).times(2, &[("db", U)]);
    assert_eq!(play.fleet.interrupted(Timestamp(play.now)), []);
    assert_eq!(play.fleet.service(&id("db")).expect("db").status, ServiceStatus::Healthy);
    play.times(2, &[("db", U)]);
    assert_eq!(play.notices(), [] as [&str; 0]);
    play.step(&[("db", U)]);
    assert_eq!(play.notices(), ["DB is down: refused."]);
}

#[test]
fn an_open_incident_is_the_same_after_a_restart_and_told_once() {
    let mut play = Play::new(fleet(chain()));
    play.times(3, &["db", "api", "web"].map(|s| (s, H)));
    play.times(5, &["db", "api", "web"].map(|s| (s, U)));
    let before = play.fleet.service(&id("db")).expect("db").incident().cloned().expect("open");
    let saved = play
        .fleet
        .services()
        .map(|s| {
            let json = serde_json::to_string(&s.save()).expect("serialises");
            (s.member.id.clone(), serde_json::from_str(&json).expect("deserialises"))
        })
        .collect();
    play.notices();
    let mut after = Play::new(Fleet::new(chain(), saved, None, 4, Timestamp(play.now)));
    after.now = play.now;
    assert_eq!(after.fleet.service(&id("db")).expect("db").status, ServiceStatus::Unhealthy);
    after.times(40, &["db", "api", "web"].map(|s| (s, U)));
    assert_eq!(after.notices(), [] as [&str; 0]);
    let incident = after.fleet.service(&id("db")).expect("db").incident().cloned().expect("open");
    assert_eq!((incident.id, incident.started_at), (before.id, before.started_at));
}

#[test]
fn a_service_that_leaves_the_config_leaves_no_open_incident() {
    let mut play = Play::new(fleet(chain()));
    play.times(5, &[("db", U)]);
    let events = play.fleet.reconfigure(vec![member("api", &["db"])], Timestamp(play.now));
    assert!(
        matches!(&events[..], [Event::IncidentResolved { incident, .. }] if incident.service == id("db"))
    );
    assert_eq!(play.fleet.services().count(), 1);
}

proptest! {
    /// Whatever happens: an incident is announced at most once, a recovery only
    /// after its outage, and an outage of something without dependencies that
    /// stays down is never lost.
    #[test]
    fn never_a_lost_alarm_never_a_second_one(
        script in proptest::collection::vec((0..3usize, 0..3u8), 1..300),
    ) {
        let names = ["db", "api", "web"];
        let mut play = Play::new(fleet(chain()));
        for (who, kind) in script {
            let status = [Status::Healthy, Status::Degraded, Status::Unhealthy][usize::from(kind)];
            play.step(&[(names[who], status)]);
        }
        play.times(60, &names.map(|s| (s, U)));
        let mut told = BTreeSet::new();
        for event in &play.events {
            let Event::Announced(notice) = event else { continue };
            let Some(incident) = notice.incident else { continue };
            match notice.kind {
                health::NoticeKind::Down => prop_assert!(told.insert(incident), "told twice"),
                health::NoticeKind::Recovered => prop_assert!(told.contains(&incident)),
                health::NoticeKind::Flapping => {}
            }
        }
        let db = play.fleet.service(&id("db")).expect("db").incident().cloned().expect("down");
        prop_assert!(told.contains(&db.id));
    }
}
