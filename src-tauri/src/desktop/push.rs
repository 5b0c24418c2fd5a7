use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine::{Clock, ServiceView, Snapshot};
use health::ServiceId;
use pilotlight::api::{Head, Push};
use tauri::{AppHandle, Manager};

use crate::app::{App, Shown};
use crate::window;

/// Changes are collected this long, so that a busy fleet does not keep the
/// window drawing.
const COLLECT: Duration = Duration::from_millis(250);
/// How often the figures from the history are told anew.
const FIGURES: Duration = Duration::from_secs(30);

/// Tells the window what changed, as long as the app runs.
pub(crate) async fn follow(handle: AppHandle) {
    let mut shown = handle.state::<App>().shown();
    loop {
        let now = shown.borrow_and_update().clone();
        tokio::select! {
            changed = shown.changed() => if changed.is_err() { return },
            () = follow_session(&handle, &now) => return,
        }
    }
}

/// Tells the window what changed in one session, all of it at first.
async fn follow_session(handle: &AppHandle, shown: &Shown) {
    let mut snapshots = shown.session.engine().snapshots().await;
    let mut configured = shown.session.configured();
    // The person's own, while the demo is shown too.
    let mut preferences = handle.state::<App>().home.configured();
    let mut figures = tokio::time::interval(FIGURES);
    let mut told = Told::default();
    loop {
        tokio::select! {
            changed = snapshots.changed() => {
                if changed.is_err() {
                    return std::future::pending().await;
                }
                tokio::time::sleep(COLLECT).await;
            }
            changed = configured.changed() => config_changed(handle, changed.is_ok()),
            changed = preferences.changed() => config_changed(handle, changed.is_ok()),
            _ = figures.tick() => tell_figures(handle, shown).await,
        }
        if !window::is_open(handle) {
            told = Told::default();
            continue;
        }
        let problem = configured.borrow().problem.clone();
        let snapshot = snapshots.borrow_and_update().clone();
        let (services, order) = told.news(&snapshot);
        let head = Box::new(Head::new(&snapshot, problem, shown.is_demo()));
        window::push(handle, &Push::Changed { head, services, order });
    }
}

fn config_changed(handle: &AppHandle, changed: bool) {
    if changed && window::is_open(handle) {
        window::push(handle, &Push::ConfigChanged);
    }
}

async fn tell_figures(handle: &AppHandle, shown: &Shown) {
    if !window::is_open(handle) {
        return;
    }
    let session = shown.session.clone();
    let asked = tokio::task::spawn_blocking(move || {
        session.reader().ok()?.figures(Clock::system().now()).ok()
    });
    if let Ok(Some(figures)) = asked.await {
        window::push(handle, &Push::Figures { figures });
    }
}

/// What the window knows.
#[derive(Default)]
struct Told {
    services: BTreeMap<ServiceId, Arc<ServiceView>>,
    order: Vec<ServiceId>,
}

impl Told {
    /// What it does not know yet.
    fn news(&mut self, snapshot: &Snapshot) -> (Vec<Arc<ServiceView>>, Option<Vec<ServiceId>>) {
        let order: Vec<_> = snapshot.services.iter().map(|service| service.id.clone()).collect();
        let news: Vec<_> = snapshot
            .services
            .iter()
            .filter(|service| {
                self.services.get(&service.id).is_none_or(|told| !Arc::ptr_eq(told, service))
            })
            .cloned()
            .collect();
        let reordered = order != self.order;
        self.services = snapshot.services.iter().map(|s| (s.id.clone(), s.clone())).collect();
        self.order.clone_from(&order);
        (news, reordered.then_some(order))
    }
}
