use std::sync::Arc;
use std::time::Duration;

use engine::Snapshot;
use pilotlight::view::tray::{Action, Icon, Item, PauseFor, TrayView, tray};
use tauri::image::Image;
use tauri::menu::{IsMenuItem, Menu, MenuEvent, MenuItem, PredefinedMenuItem, Submenu};
use tauri::tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent};
use tauri::{AppHandle, Manager, Wry};
use tokio::sync::watch;
use tokio::task::block_in_place;

use crate::app::{App, Shown};
use crate::{tomorrow, window};

const ID: &str = "pilotlight";
/// How often a tray is looked for where there is none.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// Changes are collected this long before anything native is touched.
const COLLECT: Duration = Duration::from_millis(150);

/// Keeps the tray icon as the shown session has it, as long as the app runs.
/// Without a tray the window is opened, and the tray looked for again; at login
/// (`patient`) the panel may still be on its way.
pub(crate) async fn follow(handle: AppHandle, patient: bool) {
    let mut shown = handle.state::<App>().shown();
    let mut snapshots = snapshots_of(&mut shown).await;
    let mut view = tray(&snapshots.borrow_and_update());
    let icon = appear(&handle, &view, patient).await;
    loop {
        tokio::select! {
            biased;
            changed = shown.changed() => {
                if changed.is_err() {
                    return;
                }
                snapshots = snapshots_of(&mut shown).await;
            }
            Ok(()) = snapshots.changed() => tokio::time::sleep(COLLECT).await,
        }
        let next = tray(&snapshots.borrow_and_update());
        if let Err(error) = block_in_place(|| update(&handle, &icon, &view, &next)) {
            tracing::error!(%error, "the tray icon can not be changed");
        }
        view = next;
    }
}

async fn snapshots_of(shown: &mut watch::Receiver<Shown>) -> watch::Receiver<Arc<Snapshot>> {
    let session = shown.borrow_and_update().session.clone();
    session.engine().snapshots().await
}

async fn appear(handle: &AppHandle, view: &TrayView, patient: bool) -> TrayIcon {
    let mut tries = 0;
    loop {
        // Native calls wait for the main thread, and that for the session bus,
        // which this thread may be the one to listen to.
        let error = match block_in_place(|| build(handle, view)) {
            Ok(icon) => return icon,
            Err(error) => error,
        };
        if tries == u32::from(patient) {
            tracing::warn!(%error, "there is no tray, the window is opened instead");
            on_main(handle, |handle| window::show(handle, None));
        }
        tries = tries.saturating_add(1);
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn build(handle: &AppHandle, view: &TrayView) -> tauri::Result<TrayIcon> {
    TrayIconBuilder::with_id(ID)
        .icon(picture(view.icon)?)
        .tooltip(&view.tooltip)
        .title("Pilotlight")
        .menu(&menu(handle, &view.menu)?)
        .show_menu_on_left_click(false)
        .on_menu_event(|handle, event: MenuEvent| {
            if let Some(action) = Action::from_id(event.id().as_ref()) {
                act(handle, &action);
            }
        })
        .on_tray_icon_event(|icon, event| {
            if let TrayIconEvent::Click {
                button: MouseButton::Left,
                button_state: MouseButtonState::Up,
                ..
            } = event
            {
                window::show(icon.app_handle(), None);
            }
        })
        .build(handle)
}

fn update(
    handle: &AppHandle,
    icon: &TrayIcon,
    before: &TrayView,
    now: &TrayView,
) -> tauri::Result<()> {
    if before.icon != now.icon {
        icon.set_icon(Some(picture(now.icon)?))?;
    }
    if before.tooltip != now.tooltip {
        icon.set_tooltip(Some(&now.tooltip))?;
    }
    if before.menu != now.menu {
        icon.set_menu(Some(menu(handle, &now.menu)?))?;
    }
    Ok(())
}

fn menu(handle: &AppHandle, items: &[Item]) -> tauri::Result<Menu<Wry>> {
    let menu = Menu::new(handle)?;
    for item in items {
        menu.append(native(handle, item)?.as_ref())?;
    }
    Ok(menu)
}

fn native(handle: &AppHandle, item: &Item) -> tauri::Result<Box<dyn IsMenuItem<Wry>>> {
    Ok(match item {
        Item::Label(text) => Box::new(MenuItem::new(handle, text, false, None::<&str>)?),
        Item::Action(action, text) => {
            Box::new(MenuItem::with_id(handle, action.id(), text, true, None::<&str>)?)
        }
        Item::Submenu(text, items) => {
            let submenu = Submenu::new(handle, text, true)?;
            for item in items {
                submenu.append(native(handle, item)?.as_ref())?;
            }
            Box::new(submenu)
        }
        Item::Separator => Box::new(PredefinedMenuItem::separator(handle)?),
    })
}

fn act(handle: &AppHandle, action: &Action) {
    let app = handle.state::<App>();
    let session = app.session();
    match action {
        Action::Open => window::show(handle, None),
        Action::OpenService(id) => window::show(handle, Some(&format!("/service/{id}"))),
        Action::CheckNow => session.engine().check_now(None),
        Action::Pause(lasting) => session.engine().pause(None, duration(*lasting)),
        Action::Resume => session.engine().resume(None),
        Action::Settings => window::show(handle, Some("/settings")),
        Action::Quit => handle.exit(0),
    }
}

fn duration(lasting: PauseFor) -> Option<Duration> {
    match lasting {
        PauseFor::Minutes(minutes) => Some(Duration::from_secs(u64::from(minutes) * 60)),
        PauseFor::UntilTomorrow => Some(tomorrow()),
        PauseFor::UntilResumed => None,
    }
}

fn on_main(handle: &AppHandle, work: impl FnOnce(&AppHandle) + Send + 'static) {
    let on = handle.clone();
    if let Err(error) = handle.run_on_main_thread(move || work(&on)) {
        tracing::error!(%error, "the main thread is gone");
    }
}

macro_rules! picture {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/icons/tray/", $name, ".png"))
            .as_slice()
    };
}

fn picture(icon: Icon) -> tauri::Result<Image<'static>> {
    Image::from_bytes(match icon {
        Icon::Healthy => picture!("healthy"),
        Icon::Degraded => picture!("degraded"),
        Icon::Unhealthy(count) => match count {
            0 | 1 => picture!("unhealthy-1"),
            2 => picture!("unhealthy-2"),
            3 => picture!("unhealthy-3"),
            4 => picture!("unhealthy-4"),
            5 => picture!("unhealthy-5"),
            6 => picture!("unhealthy-6"),
            7 => picture!("unhealthy-7"),
            8 => picture!("unhealthy-8"),
            9 => picture!("unhealthy-9"),
            _ => picture!("unhealthy-9+"),
        },
        Icon::Unknown => picture!("unknown"),
        Icon::Offline => picture!("offline"),
        Icon::Paused => picture!("paused"),
    })
}
