//! Notifications of the desktop: shown, replaced, and listened to.

#[cfg_attr(target_os = "linux", path = "notify/linux.rs")]
#[cfg_attr(target_os = "macos", path = "notify/macos.rs")]
#[cfg_attr(windows, path = "notify/windows.rs")]
mod os;

use std::sync::Arc;
use std::time::Duration;

use health::Event;
use tauri::{AppHandle, Manager};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::app::App;
use super::window;
use crate::session::Session;
use crate::view::notice::{Notification, Wishes, notification};

/// "Mute 1 h"
const MUTE: Duration = Duration::from_secs(3600);

/// What a person did with a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Response {
    Open,
    Mute,
}

/// Shows what the person's own services announce, and the demo's while it is
/// shown, as long as the app runs.
pub(crate) async fn follow(handle: AppHandle, events: Receiver<Event>) {
    let (home, mut shown) = {
        let app = handle.state::<App>();
        (app.home.clone(), app.shown())
    };
    tokio::spawn(follow_session(handle.clone(), home, events));
    loop {
        let now = shown.borrow_and_update().clone();
        let demo = async {
            if now.is_demo() {
                let events = now.session.engine().events();
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

async fn follow_session(handle: AppHandle, session: Arc<Session>, mut events: Receiver<Event>) {
    let mut desktop = os::Desktop::default();
    loop {
        let event: Event = match events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(missed)) => {
                tracing::error!(missed, "events went by too fast to be announced");
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        let settings =
            &handle.state::<App>().home.configured().borrow().config.settings.preferences();
        let wishes =
            Wishes { notifications: settings.notifications, recovery: settings.notify_recovery };
        let Some(notification) = notification(&event, wishes) else { continue };
        let respond = responder(handle.clone(), session.clone(), &notification);
        if let Err(error) = desktop.show(&notification, respond).await {
            tracing::error!(error, title = notification.title, "a notification was not shown");
        }
    }
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
