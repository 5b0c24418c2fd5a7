//! Notifications of the desktop: shown, replaced, and listened to.

#[cfg_attr(target_os = "linux", path = "notify/linux.rs")]
#[cfg_attr(target_os = "macos", path = "notify/macos.rs")]
#[cfg_attr(windows, path = "notify/windows.rs")]
mod os;

use std::sync::Arc;
use std::time::Duration;

use engine::{Heard, Listener, Snapshot};
use pilotlight::Session;
use pilotlight::view::notice::{Key, Notification, Wishes, notification};
use tauri::{AppHandle, Manager};
use tokio::sync::mpsc;

use crate::app::App;
use crate::window;

/// "Mute 1 h"
const MUTE: Duration = Duration::from_secs(3600);
/// How long a notification server may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often an outage that could not be shown is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// What a person did with a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Response {
    Open,
    Mute,
}

/// Shows what the person's own services announce, and the demo's while it is
/// shown, as long as the app runs.
pub(crate) async fn follow(handle: AppHandle, events: Listener) {
    let (home, mut shown) = {
        let app = handle.state::<App>();
        (app.home.clone(), app.shown())
    };
    tokio::spawn(follow_session(handle.clone(), home, events));
    loop {
        let now = shown.borrow_and_update().clone();
        let demo = async {
            if now.is_demo() {
                let events = now.session.engine().listen();
                follow_session(handle.clone(), now.session.clone(), events).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            changed = shown.changed() => if changed.is_err() { return },
            () = demo => {}
        }
    }
}

async fn follow_session(handle: AppHandle, session: Arc<Session>, events: Listener) {
    let mut events = events.only_news();
    let (tell, mut told) = mpsc::unbounded_channel();
    let show = async {
        let mut desktop = os::Desktop::default();
        let mut waiting: Vec<Notification> = Vec::new();
        loop {
            tokio::select! {
                next = told.recv() => match next {
                    Some(next) => waiting.push(next),
                    None => return,
                },
                () = tokio::time::sleep(TRY_AGAIN), if !waiting.is_empty() => {}
            }
            let snapshot = session.engine().snapshot().await;
            waiting.retain(|notification| is_news(&snapshot, notification));
            waiting = show_all(&handle, &session, &mut desktop, waiting).await;
        }
    };
    // Apart from showing, which a notification server may make slow.
    let listen = async {
        loop {
            let event = match events.next().await {
                Some(Heard::Event(event)) => event,
                // No results are listened for.
                Some(Heard::Lost(_)) => continue,
                None => return,
            };
            let preferences =
                handle.state::<App>().home.configured().borrow().config.settings.preferences();
            let wishes = Wishes {
                notifications: preferences.notifications,
                recovery: preferences.notify_recovery,
            };
            if let Some(notification) = notification(&event, wishes) {
                // The other half lives as long as this one.
                let _ = tell.send(notification);
            }
        }
    };
    tokio::select! {
        () = show => {}
        () = listen => {}
    }
}

/// An outage is news as long as it lasts; everything else is told once.
fn is_news(snapshot: &Snapshot, notification: &Notification) -> bool {
    match (&notification.key, notification.critical) {
        (Key::Incident(id), true) => snapshot.incidents.iter().any(|open| open.id == *id),
        _ => true,
    }
}

/// Shows them in order; returns the outages that could not be shown.
async fn show_all(
    handle: &AppHandle,
    session: &Arc<Session>,
    desktop: &mut os::Desktop,
    notifications: Vec<Notification>,
) -> Vec<Notification> {
    let mut failed = Vec::new();
    for notification in notifications {
        let respond = responder(handle.clone(), session.clone(), &notification);
        let shown = tokio::time::timeout(PATIENCE, desktop.show(&notification, respond)).await;
        let error = match shown {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error,
            Err(_) => "the notification server does not answer".to_owned(),
        };
        tracing::error!(error, title = notification.title, "a notification was not shown");
        if notification.critical {
            failed.push(notification);
        }
    }
    failed
}

fn responder(
    handle: AppHandle,
    session: Arc<Session>,
    notification: &Notification,
) -> impl FnOnce(Response) + Send + 'static {
    let (page, service) = (notification.page.clone(), notification.service.clone());
    move |response| match response {
        Response::Open => {
            let on = handle.clone();
            // Only fails when the app is about to end.
            let _ = handle.run_on_main_thread(move || window::show(&on, Some(&page)));
        }
        Response::Mute => session.engine().mute(service, Some(MUTE)),
    }
}
