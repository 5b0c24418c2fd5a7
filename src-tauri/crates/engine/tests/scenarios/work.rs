//! What a result costs is counted, not timed: services looked at, and memory
//! asked for. Neither may grow with the number of services.

use std::time::Duration;

use allocation_counter::measure;
use engine::{Limits, Past, Plan};
use health::visits;
use tokio::runtime::{Builder, Runtime};

use crate::world::{Run, Service, World, service};
use crate::{DOWN, UP, seconds};

const EVERY: Duration = Duration::from_secs(15);
const PUBLIC: &str = "203.0.113.5";

/// No service waits for another.
fn plan(world: &World, services: impl IntoIterator<Item = Service>) -> Plan {
    Plan { limits: Limits { in_flight: 4096, per_host: 4096 }, ..world.plan(services) }
}

fn in_virtual_time() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime")
}

/// What a stretch of time took.
#[derive(Debug)]
struct Work {
    results: u64,
    visits: u64,
    allocations: u64,
    bytes: u64,
}

impl Work {
    /// Lets `time` pass in steps in which no result is lost.
    fn of(runtime: &Runtime, run: &mut Run, time: Duration) -> Self {
        let (results, looked) = (run.counted, visits());
        let spent = measure(|| {
            runtime.block_on(async {
                for _ in 0..time.as_secs() {
                    run.pass_uncollected(seconds(1)).await;
                    run.count();
                }
            });
        });
        Self {
            results: run.counted - results,
            visits: visits() - looked,
            allocations: spent.count_total,
            bytes: spent.bytes_total,
        }
    }

    fn a_result(&self) -> [f64; 3] {
        [self.visits, self.allocations, self.bytes].map(|n| n as f64 / self.results as f64)
    }
}

/// A calm minute of so many services, while somebody looks at snapshots.
fn calm(services: usize, every: Duration) -> Work {
    let runtime = in_virtual_time();
    let _inside = runtime.enter();
    let world = World::new();
    let plan = plan(&world, (0..services).map(|n| service(&format!("s{n}"), every)));
    let mut run = Run::start(&world, plan, Past::default());
    let snapshots = runtime.block_on(run.engine.snapshots());
    Work::of(&runtime, &mut run, every * 2 + seconds(100));
    let work = Work::of(&runtime, &mut run, seconds(60));
    drop(snapshots);
    work
}

#[test]
fn a_result_costs_the_same_among_a_hundred_services_and_ten_thousand() {
    // As many results a second, so that as many share a snapshot.
    let few = calm(100, Duration::from_millis(150));
    let many = calm(10_000, EVERY);
    assert!(many.results > 39_000, "{many:?}");
    let [visits, allocations, bytes] = many.a_result();
    let [few_visits, few_allocations, few_bytes] = few.a_result();
    assert!(visits <= few_visits * 1.2, "{few:?}\n{many:?}");
    assert!(allocations <= few_allocations * 1.2, "{few:?}\n{many:?}");
    // Ten snapshots a second hold a pointer to each service.
    let pointers = 10_000.0 * 8.0 * 10.0 / (10_000.0 / EVERY.as_secs_f64());
    assert!(bytes <= few_bytes * 1.2 + pointers, "{few:?}\n{many:?}");
}

/// The minute after a root and everything that depends on it went down, far
/// enough away for the internet to be asked; and the one after all of it was up
/// again.
fn outage(dependants: usize) -> Work {
    let runtime = in_virtual_time();
    let _inside = runtime.enter();
    let world = World::new();
    let services =
        (0..dependants).map(|n| service(&format!("s{n}"), EVERY).on(&["root"]).at(PUBLIC));
    let plan = plan(&world, services.chain([service("root", EVERY).at(PUBLIC)]));
    let mut run = Run::start(&world, plan, Past::default());
    Work::of(&runtime, &mut run, EVERY * 3);
    world.set_all(DOWN);
    let down = Work::of(&runtime, &mut run, seconds(60));
    world.set_all(UP);
    let up = Work::of(&runtime, &mut run, seconds(60));
    Work {
        results: down.results + up.results,
        visits: down.visits + up.visits,
        allocations: down.allocations + up.allocations,
        bytes: down.bytes + up.bytes,
    }
}

#[test]
fn an_outage_of_two_thousand_is_no_more_work_a_result_than_one_of_two_hundred() {
    let (few, many) = (outage(200), outage(2000));
    for (few, many) in few.a_result().into_iter().zip(many.a_result()) {
        assert!(many <= few * 1.5, "{few} -> {many}");
    }
}

#[test]
fn an_outage_of_two_thousand_is_told_once() {
    let runtime = in_virtual_time();
    let _inside = runtime.enter();
    let world = World::new();
    let dependants = (0..2000).map(|n| service(&format!("s{n}"), seconds(5)).on(&["root"]));
    let plan = plan(&world, dependants.chain([service("root", seconds(5))]));
    let mut run = Run::start(&world, plan, Past::default());
    runtime.block_on(async {
        run.pass(seconds(60)).await;
        world.set_all(DOWN);
        run.pass(seconds(60)).await;
        let told = run.announcements();
        assert_eq!(told, ["root is down: connection refused. 2000 services affected."]);
        assert_eq!(run.incidents().await.len(), 2001);
        world.set_all(UP);
        run.pass(seconds(15)).await;
        let told = run.announcements();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("root is up again"), "{told:?}");
        run.pass(seconds(60)).await;
        assert_eq!(run.announcements(), [] as [&str; 0]);
        assert_eq!(run.incidents().await, []);
    });
}
