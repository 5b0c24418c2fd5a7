//! The judgement answers what the recorded vectors say.

use std::collections::{BTreeMap, BTreeSet};

use health::{
    DependencyGraph, FlapDetector, IncidentChange, IncidentDetector, Link, ServiceId, Status,
    Timestamp, round_to,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

fn vectors<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let path = format!("{}/tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the vectors are part of the crate");
    let cases: Vec<T> = serde_json::from_str(&text).expect("the vectors are well-formed");
    assert!(!cases.is_empty());
    cases
}

#[derive(Deserialize)]
struct Flap {
    stable_count: u32,
    raw: Vec<Status>,
    stable: Vec<Status>,
}

#[test]
fn flap() {
    for (n, case) in vectors::<Flap>("flap.json").into_iter().enumerate() {
        let mut detector = FlapDetector::new(case.stable_count);
        let stable: Vec<_> = case.raw.into_iter().map(|raw| detector.observe(raw)).collect();
        assert_eq!(stable, case.stable, "case {n}");
    }
}

#[derive(Deserialize)]
struct Incidents {
    threshold: u32,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    checked_at: f64,
    status: BTreeMap<String, Status>,
    new: Vec<String>,
    resolved: Vec<Resolved>,
    active: Vec<Active>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Resolved {
    service: String,
    duration_min: f64,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Active {
    service: String,
    checks_failed: u64,
}

#[test]
fn incident() {
    for (n, case) in vectors::<Incidents>("incident.json").into_iter().enumerate() {
        let mut detectors: BTreeMap<String, IncidentDetector> = BTreeMap::new();
        for step in case.steps {
            let at = Timestamp::from_seconds(step.checked_at);
            let (mut new, mut resolved) = (Vec::new(), Vec::new());
            for (service, status) in step.status {
                let detector = detectors
                    .entry(service.clone())
                    .or_insert_with(|| IncidentDetector::new(case.threshold));
                match detector.observe(at, status) {
                    Some(IncidentChange::Opened) => new.push(service),
                    Some(IncidentChange::Resolved { since }) => {
                        let duration_min = round_to(at.since(since) as f64 / 60_000.0, 1);
                        resolved.push(Resolved { service, duration_min });
                    }
                    None => {}
                }
            }
            let active: Vec<_> = detectors
                .iter()
                .filter_map(|(service, detector)| {
                    let (_, checks_failed) = detector.active()?;
                    Some(Active { service: service.clone(), checks_failed })
                })
                .collect();
            assert_eq!(new, step.new, "case {n} at {at:?}");
            assert_eq!(resolved, step.resolved, "case {n} at {at:?}");
            assert_eq!(active, step.active, "case {n} at {at:?}");
        }
    }
}

#[derive(Deserialize)]
struct Graph {
    depends_on: BTreeMap<ServiceId, Vec<ServiceId>>,
    affected_by: BTreeMap<ServiceId, BTreeSet<ServiceId>>,
    unhealthy: BTreeSet<ServiceId>,
    root_cause: BTreeSet<ServiceId>,
}

#[test]
fn graph() {
    for (n, case) in vectors::<Graph>("graph.json").into_iter().enumerate() {
        let graph =
            DependencyGraph::new(case.depends_on.iter().map(|(id, to)| (id, to.as_slice())))
                .expect("every dependency is a service");
        for (id, affected) in &case.affected_by {
            assert_eq!(&graph.affected_by(id), affected, "case {n}, {id}");
        }
        let link = |id: &ServiceId| if case.unhealthy.contains(id) { Link::Down } else { Link::Up };
        assert_eq!(graph.root_cause(link), case.root_cause, "case {n}");
    }
}
