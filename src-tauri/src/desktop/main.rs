//! The desktop app, a program of its own so that nothing else loads a desktop's
//! libraries: tray, window, notifications. Owns no state but which session is
//! shown; everything else follows the engine.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod app;
mod commands;
mod logs;
mod notify;
mod push;
mod tray;
mod window;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use engine::Surroundings;
use jiff::{ToSpan, Zoned};
use pilotlight::{Failure, Opened, Places, Session, Start, interrupted, runtime};
use tauri::{AppHandle, Manager, RunEvent};
use tauri_plugin_autostart::ManagerExt;
use tauri_plugin_window_state::StateFlags;

use app::App;

fn main() -> ExitCode {
    pilotlight::run(desktop)
}

/// Runs the desktop app until a person quits it.
///
/// # Errors
/// When the config is wrong, or the data folder is in use.
fn desktop(places: &Places, start: Start) -> Result<(), Failure> {
    let runtime = runtime()?;
    tauri::async_runtime::set(runtime.handle().clone());
    let _inside = runtime.enter();
    let app = builder(places)
        .build(tauri::generate_context!())
        .map_err(|error| Failure::usage(format!("the desktop app cannot start: {error}"), ""))?;
    // A second launch never gets here: the first one opens its window instead.
    logs::start(places);
    let Opened { session, events, notes } =
        Session::open_despite_mistakes(places, Surroundings::real())?;
    for note in notes {
        tracing::warn!("{note}");
    }
    // A mistake in the config has to be seen, at login too.
    let start = match session.configured().borrow().problem {
        Some(_) if start == Start::Background => Start::Window,
        _ => start,
    };
    app.manage(App::new(Arc::new(session)));
    tokio::spawn(notify::follow(app.handle().clone(), events));
    app.run(move |handle, event| match event {
        RunEvent::Ready => ready(handle, start),
        // Closing the window leaves the tray; only Quit gives a code.
        RunEvent::ExitRequested { code: None, api, .. } => api.prevent_exit(),
        RunEvent::Exit => {
            let app = handle.state::<App>();
            tauri::async_runtime::block_on(async {
                app.leave_demo().await;
                app.home.close().await;
            });
        }
        _ => {}
    });
    Ok(())
}

fn builder(places: &Places) -> tauri::Builder<tauri::Wry> {
    let size_and_place = StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED;
    let window_state = tauri_plugin_window_state::Builder::new().with_state_flags(size_and_place);
    let autostart = tauri_plugin_autostart::Builder::new().args(["--background"]);
    let mut builder = tauri::Builder::default();
    if places.are_default() {
        builder = builder.plugin(tauri_plugin_single_instance::init(launched_again));
    }
    builder.plugin(window_state.build()).plugin(autostart.build()).invoke_handler(
        tauri::generate_handler![
            commands::overview,
            commands::figures,
            commands::service,
            commands::result,
            commands::slowest,
            commands::measurements,
            commands::incidents,
            commands::check_now,
            commands::pause,
            commands::resume,
            commands::mute,
            commands::form_schema,
            commands::service_values,
            commands::review_service,
            commands::test_service,
            commands::save_service,
            commands::remove_service,
            commands::reorder_services,
            commands::undo_edit,
            commands::preferences,
            commands::save_preferences,
            commands::about,
            commands::open_config_file,
            commands::open_data_dir,
            commands::start_demo,
            commands::leave_demo,
        ],
    )
}

/// A second launch: what it was asked to show is shown by the first one.
fn launched_again(handle: &AppHandle, arguments: Vec<String>, _folder: String) {
    let on = handle.clone();
    // Only fails when the app is about to end.
    let _ = handle.run_on_main_thread(move || window::show(&on, None));
    if arguments.iter().any(|argument| argument == "demo") {
        tokio::spawn(start_demo(handle.clone()));
    }
}

async fn start_demo(handle: AppHandle) {
    if let Err(failure) = handle.state::<App>().start_demo().await {
        tracing::error!(%failure, "the demo did not start");
    }
}

fn ready(handle: &AppHandle, start: Start) {
    if start != Start::Background {
        window::show(handle, None);
    }
    tokio::spawn(tray::follow(handle.clone(), start == Start::Background));
    tokio::spawn(push::follow(handle.clone()));
    if handle.state::<App>().home.places().are_default() {
        tokio::spawn(follow_preferences(handle.clone()));
    }
    let on = handle.clone();
    tokio::spawn(async move {
        if start == Start::Demo {
            start_demo(on.clone()).await;
        }
        interrupted().await;
        on.exit(0);
    });
}

/// Keeps what the system does for the app in step with the config. There is
/// one start at login, so only the default config speaks for it.
async fn follow_preferences(handle: AppHandle) {
    let mut configured = handle.state::<App>().home.configured();
    loop {
        let wanted = configured.borrow_and_update().config.settings.start_at_login;
        let autostart = handle.autolaunch();
        let changed = match autostart.is_enabled() {
            Ok(is) if is == wanted => Ok(()),
            _ if wanted => autostart.enable(),
            Ok(_) => autostart.disable(),
            Err(_) => Ok(()), // never enabled here
        };
        if let Err(error) = changed {
            tracing::warn!(%error, wanted, "start at login can not be changed");
        }
        if configured.changed().await.is_err() {
            return;
        }
    }
}

/// The time until tomorrow, 8 in the morning here: as the window counts it.
fn tomorrow() -> Duration {
    let now = Zoned::now();
    now.date()
        .checked_add(1.day())
        .and_then(|date| date.at(8, 0, 0, 0).to_zoned(now.time_zone().clone()))
        .ok()
        .and_then(|morning| Duration::try_from(now.duration_until(&morning)).ok())
        .unwrap_or(Duration::from_secs(86_400))
}
