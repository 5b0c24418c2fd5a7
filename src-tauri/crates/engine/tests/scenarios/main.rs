//! Hours of outages in virtual time: a world of scripted services, the real
//! engine, a real history.

mod work;
mod world;

use std::sync::Arc;
use std::time::Duration;

use engine::{Limits, Past, Plan, Target};
use health::{Event, Overall, ServiceStatus, Status};
use probe::Report;
use serde_json::json;
use world::{Behaviour, Run, World, id, service};

const UP: Behaviour = Behaviour::Up(Duration::from_millis(20));
const DOWN: Behaviour = Behaviour::Down;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_named_with_its_cause_within_about_ten_seconds() {
    let world = World::new();
    let plan = world.plan([
        service("web", seconds(15)).on(&["api"]),
        service("api", seconds(60)).on(&["db"]),
        service("db", seconds(180)),
    ]);
    let mut run = Run::start(&world, plan, Past::default());
    run.pass(seconds(400)).await;
    assert_eq!(run.announcements(), [] as [&str; 0]);
    for id in ["db", "api", "web"] {
        world.set(id, DOWN);
    }
    run.pass(seconds(40)).await;
    assert_eq!(run.announcements(), ["db is down: connection refused. 2 services affected."]);
    let opened = run.incidents().await;
    let db = opened.iter().find(|incident| incident.service == id("db")).expect("db is down");
    let named_after = db.detected_at.since(db.started_at);
    assert!((9_900..=10_100).contains(&named_after), "three failures, 5 s apart: {named_after}");
    assert!(
        opened.iter().all(|i| i.service == id("db") || i.caused_by == Some(id("db"))),
        "{opened:?}"
    );
    for id in ["db", "api", "web"] {
        world.set(id, UP);
    }
    run.pass(seconds(200)).await;
    assert_eq!(run.announcements().len(), 1, "the root's recovery, and nothing else");
    assert_eq!(run.snapshot().await.summary.overall, Overall::Healthy);
}

#[tokio::test(start_paused = true)]
async fn many_dependants_do_not_confirm_a_hiccup_of_what_they_need() {
    let world = World::new();
    let dependants = (0..40).map(|n| service(&format!("s{n}"), seconds(10)).on(&["db"]));
    let plan = world.plan(dependants.chain([service("db", seconds(60))]));
    let mut run = Run::start(&world, plan, Past::default());
    run.pass(seconds(100)).await;
    world.set_all(DOWN);
    run.pass(seconds(4)).await;
    world.set_all(UP);
    run.pass(seconds(60)).await;
    assert_eq!(run.announcements(), [] as [&str; 0]);
    assert!(run.results("db").contains(&Status::Unhealthy), "it was looked at");
}

#[tokio::test(start_paused = true)]
async fn a_check_never_overlaps_itself_and_times_out_on_its_own() {
    let world = World::new();
    let plan = world.plan([service("slow", seconds(1))]);
    world.set("slow", Behaviour::Up(seconds(7)));
    let mut run = Run::start(&world, plan, Past::default());
    run.pass(seconds(60)).await;
    assert_eq!(world.most_at_once(), 1);
    assert!(world.checks("slow") >= 8);
}

#[tokio::test(start_paused = true)]
async fn a_panic_stays_inside_its_service() {
    let world = World::new();
    let plan = world.plan([service("buggy", seconds(5)), service("fine", seconds(5))]);
    world.set("buggy", Behaviour::Panic);
    let mut run = Run::start(&world, plan, Past::default());
    run.pass(seconds(30)).await;
    let snapshot = run.snapshot().await;
    let message = &snapshot.services.iter().find(|s| s.id == id("buggy")).expect("there").message;
    assert_eq!(message, "the check itself crashed, please report it: a bug in the probe");
    assert_eq!(run.announcements().len(), 1);
    assert!(run.results("fine").iter().all(|status| *status == Status::Healthy));
}

#[tokio::test(start_paused = true)]
async fn limits_hold_and_nobody_starves() {
    let world = World::new();
    let services = (0..200).map(|n| service(&format!("s{n}"), seconds(30)).at("10.0.0.7"));
    let mut plan = world.plan(services);
    plan.limits = Limits { in_flight: 256, per_host: 8 };
    world.set_all(Behaviour::Up(Duration::from_millis(900)));
    let mut run = Run::start(&world, plan, Past::default());
    run.pass(seconds(120)).await;
    assert_eq!(world.most_at_once(), 8);
    assert!((0..200).all(|n| world.checks(&format!("s{n}")) >= 3));
}

#[tokio::test(start_paused = true)]
async fn sleep_is_nobodys_fault() {
    let world = World::new();
    let plan = world.plan([service("api", seconds(15)), service("db", seconds(15))]);
    let mut run = Run::start(&world, plan, Past::default());
    run.pass(seconds(60)).await;
    world.set_all(DOWN);
    run.pass(seconds(8)).await;
    world.sleep(seconds(8 * 3600));
    world.set_all(UP);
    run.pass(seconds(120)).await;
    assert_eq!(run.announcements(), [] as [&str; 0]);
    let events = run.events();
    let sight = events.iter().filter_map(|event| match event {
        Event::ConnectivityChanged { online, reason, .. } => Some((*online, reason.as_str())),
        _ => None,
    });
    assert_eq!(sight.collect::<Vec<_>>(), [(false, "just woke from sleep"), (true, "online")]);
    assert_eq!(run.snapshot().await.summary.overall, Overall::Healthy);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_stopped_goes_on_at_once_and_says_so_once() {
    let world = World::new();
    let services = (0..20).map(|n| service(&format!("s{n}"), seconds(1)));
    let mut run = Run::start(&world, world.plan(services), Past::default());
    run.pass(seconds(10)).await;
    let before = world.checks("s0");
    tokio::time::advance(seconds(40)).await;
    world.forget_most_at_once();
    run.pass(seconds(5)).await;
    let connectivity = run.events().into_iter().filter_map(|event| match event {
        Event::ConnectivityChanged { online, reason, .. } => Some((online, reason)),
        _ => None,
    });
    let told: Vec<_> = connectivity.collect();
    assert_eq!(told, [(true, "was stopped for a while".to_owned())]);
    assert!((3..=6).contains(&(world.checks("s0") - before)), "goes on, and makes up for nothing");
    assert!(world.most_at_once() < 5, "one after the other: {}", world.most_at_once());
    assert_eq!(run.announcements(), [] as [&str; 0]);
    assert_eq!(run.snapshot().await.summary.overall, Overall::Healthy);
}

#[tokio::test(start_paused = true)]
async fn failures_on_both_sides_of_a_stop_confirm_nothing() {
    let world = World::new();
    let mut run = Run::start(&world, world.plan([service("db", seconds(60))]), Past::default());
    run.pass(seconds(130)).await;
    world.set("db", DOWN);
    while run.results("db").iter().filter(|status| **status == Status::Unhealthy).count() < 2 {
        run.pass(seconds(1)).await;
    }
    tokio::time::advance(seconds(3600)).await;
    run.pass(seconds(3)).await;
    world.set("db", UP);
    run.pass(seconds(120)).await;
    assert_eq!(run.announcements(), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn being_offline_is_nobodys_fault_but_loopback_counts() {
    let world = World::new();
    let plan = world.plan([
        service("api", seconds(15)).at("203.0.113.5"),
        service("nas", seconds(15)).at("192.168.1.9"),
        service("local", seconds(15)).at("127.0.0.1"),
    ]);
    let mut run = Run::start(&world, plan, Past::default());
    run.pass(seconds(60)).await;
    assert_eq!(world.questions(), 0, "a healthy system sends no extra packet");
    world.set_all(DOWN);
    world.network(false, false);
    run.pass(seconds(300)).await;
    assert_eq!(run.announcements(), ["local is down: connection refused."]);
    assert!(run.snapshot().await.unobserved.is_some());
    let before = (world.checks("api"), run.results("api").len());
    run.pass(seconds(100)).await;
    assert_eq!((world.checks("api"), run.results("api").len()), before, "no use trying");
    world.network(true, true);
    world.set_all(UP);
    run.pass(seconds(60)).await;
    assert_eq!(run.snapshot().await.unobserved, None);
    assert_eq!(run.snapshot().await.summary.overall, Overall::Healthy);
}

#[tokio::test(start_paused = true)]
async fn the_internet_is_gone_but_the_local_network_is_watched() {
    let world = World::new();
    let plan = world.plan([
        service("api", seconds(15)).at("203.0.113.5"),
        service("nas", seconds(15)).at("192.168.1.9"),
    ]);
    let mut run = Run::start(&world, plan, Past::default());
    run.pass(seconds(60)).await;
    world.network(true, false);
    world.set_all(DOWN);
    run.pass(seconds(120)).await;
    assert_eq!(run.announcements(), ["nas is down: connection refused."]);
    world.network(true, true);
    run.pass(seconds(60)).await;
    assert_eq!(run.announcements(), ["api is down: connection refused."], "now it counts");
}

#[tokio::test(start_paused = true)]
async fn blocked_connectivity_targets_hide_no_outage() {
    let world = World::new();
    let plan = world.plan([
        service("api", seconds(15)).at("203.0.113.5"),
        service("shop", seconds(30)).at("203.0.113.6"),
    ]);
    world.network(true, false);
    let mut run = Run::start(&world, plan, Past::default());
    run.pass(seconds(60)).await;
    world.set("api", DOWN);
    run.pass(seconds(60)).await;
    assert_eq!(run.announcements(), ["api is down: connection refused."]);
    assert_eq!(run.snapshot().await.unobserved, None);
}

#[tokio::test(start_paused = true)]
async fn a_network_that_is_slow_to_come_back_after_sleep_is_waited_for() {
    let world = World::new();
    let plan = world.plan([service("nas", seconds(15)).at("192.168.1.9")]);
    let mut run = Run::start(&world, plan, Past::default());
    run.pass(seconds(40)).await;
    let before = world.checks("nas");
    world.network(true, false);
    world.sleep(seconds(3600));
    run.engine.check_now(None);
    run.pass(seconds(16)).await;
    let events = run.events();
    let woke = events.iter().find_map(|event| match event {
        Event::ConnectivityChanged { at, online: false, .. } => Some(*at),
        _ => None,
    });
    let observed = events.iter().find_map(|event| match event {
        Event::Result { result, .. } if Some(result.at) > woke => Some(result.at),
        _ => None,
    });
    let (woke, observed) = (woke.expect("noticed"), observed.expect("goes on"));
    assert!(observed.since(woke) >= 5000, "five seconds of grace");
    assert!(world.checks("nas") > before);
}

#[tokio::test(start_paused = true)]
async fn a_changed_service_is_checked_as_it_is_now() {
    let world = World::new();
    let mut plan = world.plan([service("api", seconds(600)), service("db", seconds(600))]);
    world.set("api", Behaviour::Up(seconds(3)));
    let mut run = Run::start(&world, plan.clone(), Past::default());
    run.pass(seconds(60)).await;
    let (api, db) = (world.checks("api"), world.checks("db"));
    run.engine.check_now(Some(id("api")));
    run.pass(seconds(1)).await;
    let moved = world.plan([service("api", seconds(600)), service("db", seconds(600))]);
    plan.targets[0] = moved.targets[0].clone();
    run.engine.replan(plan);
    run.pass(seconds(1)).await;
    assert_eq!(world.checks("api"), api + 2, "the old check was dropped, the new one made");
    assert_eq!(world.checks("db"), db, "unchanged");
    run.pass(seconds(20)).await;
    assert_eq!(run.results("api").len(), api + 1);
}

#[tokio::test(start_paused = true)]
async fn paused_is_not_checked_and_resuming_checks_at_once() {
    let world = World::new();
    let plan = world.plan([service("api", seconds(60))]);
    let mut run = Run::start(&world, plan, Past::default());
    run.pass(seconds(90)).await;
    run.engine.pause(None, Some(seconds(600)));
    run.pass(seconds(1)).await;
    let before = world.checks("api");
    world.set("api", DOWN);
    run.pass(seconds(500)).await;
    assert_eq!(world.checks("api"), before);
    assert_eq!(run.snapshot().await.summary.overall, Overall::Paused);
    world.set("api", UP);
    run.engine.resume(None);
    run.pass(seconds(1)).await;
    assert_eq!(world.checks("api"), before + 1);
    run.engine.check_now(Some(id("api")));
    run.pass(seconds(1)).await;
    assert_eq!(world.checks("api"), before + 2);
    assert_eq!(run.announcements(), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_changed_plan_leaves_the_others_alone() {
    let world = World::new();
    let both = world.plan([service("api", seconds(60)), service("db", seconds(60))]);
    let only_db = engine::Plan { targets: both.targets[1..].to_vec(), ..both.clone() };
    let mut run = Run::start(&world, both.clone(), Past::default());
    run.pass(seconds(100)).await;
    let (api, db) = (world.checks("api"), world.checks("db"));
    run.engine.replan(only_db);
    run.pass(seconds(10)).await;
    assert_eq!(world.checks("db"), db, "not disturbed");
    assert_eq!(run.snapshot().await.services.len(), 1);
    run.pass(seconds(120)).await;
    assert_eq!(world.checks("api"), api, "gone");
    run.engine.replan(both);
    run.pass(seconds(5)).await;
    assert_eq!(world.checks("api"), api + 1, "new again: looked at soon");
}

#[tokio::test(start_paused = true)]
async fn an_incident_survives_a_restart() {
    let world = World::new();
    let plan = world.plan([service("db", seconds(15))]);
    let mut run = Run::start(&world, plan.clone(), Past::default());
    run.pass(seconds(60)).await;
    world.set("db", DOWN);
    run.pass(seconds(60)).await;
    let before = run.incidents().await.pop().expect("open");
    assert_eq!(run.announcements().len(), 1);
    let past = run.stop().await;
    let mut run = Run::start(&world, plan, past);
    run.pass(seconds(60)).await;
    assert_eq!(run.announcements(), [] as [&str; 0], "told before");
    let after = run.incidents().await.pop().expect("still open");
    assert_eq!((after.id, after.started_at), (before.id, before.started_at));
    world.set("db", UP);
    run.pass(seconds(60)).await;
    let notice = run.announcements().pop().expect("recovered");
    assert!(notice.starts_with("db is up again"), "{notice}");
}

#[tokio::test(start_paused = true)]
async fn secrets_never_leave_in_a_message() {
    let world = World::new();
    let mut plan = world.plan([service("api", seconds(5))]);
    let text = "[[service]]\nid = \"api\"\ncheck = \"http\"\nurl = \"http://127.0.0.1/\"\n\
                headers = { Authorization = \"${TOKEN}\" }\n";
    let environment = config::Environment::new(
        |name| (name == "TOKEN").then(|| "s3cr3t-token".to_owned()),
        |_| Err(config::KeychainError::NoEntry),
    );
    let (config, _) = config::Config::parse("test", text, &environment).expect("valid");
    let secrets = config.services[0].secrets().clone();
    plan.targets[0] = Arc::new(Target { secrets, ..Target::clone(&plan.targets[0]) });
    world.set("api", Behaviour::Says("rejected token s3cr3t-token"));
    let mut run = Run::start(&world, plan, Past::default());
    run.pass(seconds(30)).await;
    let shown = format!("{:?}{:?}", run.snapshot().await, run.events());
    assert!(shown.contains("rejected token"), "{shown}");
    assert!(!shown.contains("s3cr3t-token"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_group_follows_its_members_at_once() {
    let world = World::new();
    let mut plan = world.plan([service("a", seconds(15)), service("b", seconds(15))]);
    plan.targets.push(World::derived("pair", "group", &json!({"members": ["a", "b"]})));
    let enough = json!({"members": ["a", "b"], "rule": "at_least", "at_least": 1});
    plan.targets.push(World::derived("either", "group", &enough));
    let mut run = Run::start(&world, plan, Past::default());
    run.pass(seconds(10)).await;
    assert_eq!(run.status("pair").await, ServiceStatus::Healthy);
    world.set("b", DOWN);
    run.pass(seconds(60)).await;
    assert_eq!(run.status("pair").await, ServiceStatus::Unhealthy);
    assert_eq!(run.status("either").await, ServiceStatus::Healthy);
    let changed = |of: &str| {
        run.events().into_iter().find_map(|event| match event {
            Event::StatusChanged { at, service, to: ServiceStatus::Unhealthy, .. }
                if service == id(of) =>
            {
                Some(at)
            }
            _ => None,
        })
    };
    assert_eq!(changed("pair"), changed("b"), "in the same moment");
    assert_eq!(run.announcements(), ["b is down: connection refused. 2 services depend on it."]);
    world.set("b", UP);
    run.pass(seconds(60)).await;
    assert_eq!(run.status("pair").await, ServiceStatus::Healthy);
}

#[tokio::test(start_paused = true)]
async fn silence_of_a_service_that_reports_in_is_an_outage_once_it_could_have_reported() {
    let world = World::new();
    let keys = json!({"token": "0123456789abcdef", "late_after": "10m"});
    let plan = Plan { targets: vec![World::derived("backup", "push", &keys)], ..world.plan([]) };
    let mut run = Run::start(&world, plan.clone(), Past::default());
    run.pass(seconds(3600)).await;
    assert_eq!(run.status("backup").await, ServiceStatus::Unknown, "nobody listens");
    run.engine.expect_reports(Ok(()));
    run.pass(seconds(590)).await;
    assert_eq!(run.status("backup").await, ServiceStatus::Unknown, "no report yet");
    run.engine.report(id("backup"), report(Status::Healthy)).await;
    run.pass(seconds(1)).await;
    assert_eq!(run.status("backup").await, ServiceStatus::Healthy, "at once");
    run.pass(seconds(500)).await;
    world.sleep(seconds(7200));
    run.pass(seconds(500)).await;
    assert_eq!(run.announcements(), [] as [&str; 0], "it could not report in its sleep");
    run.pass(seconds(200)).await;
    assert_eq!(run.status("backup").await, ServiceStatus::Unhealthy);
    assert_eq!(run.announcements().len(), 1);
    run.engine.report(id("backup"), report(Status::Healthy)).await;
    run.pass(seconds(1)).await;
    assert_eq!(run.status("backup").await, ServiceStatus::Healthy);
    run.engine.report(id("backup"), report(Status::Unhealthy)).await;
    run.pass(seconds(1)).await;
    assert_eq!(run.status("backup").await, ServiceStatus::Unhealthy, "its own word counts at once");
    assert_eq!(run.snapshot().await.services[0].message, "done");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_late_who_was_new_paused_or_heard_before_a_restart() {
    let world = World::new();
    let keys = |token: &str| json!({"token": token, "late_after": "10m"});
    let old = World::derived("old", "push", &keys("0123456789abcdef"));
    let new = World::derived("new", "push", &keys("fedcba9876543210"));
    let plan = |targets| Plan { targets, ..world.plan([]) };
    let mut run = Run::start(&world, plan(vec![old.clone()]), Past::default());
    run.engine.expect_reports(Ok(()));
    run.engine.report(id("old"), report(Status::Healthy)).await;
    run.pass(seconds(300)).await;
    run.engine.pause(None, None);
    run.pass(seconds(7200)).await;
    run.engine.resume(None);
    run.engine.replan(plan(vec![old.clone(), new]));
    run.pass(seconds(580)).await;
    assert_eq!(run.announcements(), [] as [&str; 0], "neither was late");
    assert_eq!(run.status("old").await, ServiceStatus::Unknown, "nobody heard it in the pause");
    run.engine.report(id("old"), report(Status::Healthy)).await;
    run.pass(seconds(1)).await;
    let past = run.stop().await;
    let mut run = Run::start(&world, plan(vec![old]), past);
    run.engine.expect_reports(Ok(()));
    run.pass(seconds(60)).await;
    assert_eq!(run.status("old").await, ServiceStatus::Healthy, "its report is not forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_report_that_cannot_come_in_is_nobodys_fault() {
    let world = World::new();
    let keys = json!({"token": "0123456789abcdef", "late_after": "10m"});
    let plan = Plan { targets: vec![World::derived("backup", "push", &keys)], ..world.plan([]) };
    let mut run = Run::start(&world, plan, Past::default());
    run.engine.expect_reports(Err("the port is taken".to_owned()));
    run.pass(seconds(7200)).await;
    assert_eq!(run.status("backup").await, ServiceStatus::Unknown);
    assert_eq!(run.snapshot().await.services[0].message, "the port is taken");
    assert_eq!(run.announcements(), [] as [&str; 0]);
}

fn report(status: Status) -> Report {
    Report {
        status,
        message: "done".to_owned(),
        latency: Some(seconds(2)),
        measurements: Vec::new(),
    }
}
