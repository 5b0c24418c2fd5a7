//! The desktop app as people use it: on a real display, with a real panel,
//! its real window, and notifications received over the session bus.

mod fixture;
#[expect(
    clippy::unused_async,
    clippy::used_underscore_binding,
    reason = "the interface asks for them"
)]
mod notifications;
mod process;
mod screen;
mod server;
mod tray;
mod window;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use fixture::{Desktop, Pilotlight};
use notifications::{Notification, Notifications};
use server::Server;
use window::Window;

const TAB: char = '\u{E004}';
const ENTER: char = '\u{E007}';

/// The row of a service in the overview.
fn row(name: &str) -> String {
    format!("//li[.//a[normalize-space()='{name}']]")
}

/// The same, with the shape of a status.
fn row_with(name: &str, status: &str) -> String {
    format!("{}//*[@role='img'][@aria-label='{status}']", row(name))
}

/// A config that watches these, each checked every second.
fn watch(services: &[(&str, &Server)]) -> String {
    let service = |(name, server): &(&str, &Server)| {
        let (id, url) = (name.to_lowercase(), server.url());
        format!(
            "[[service]]\nid = \"{id}\"\nname = \"{name}\"\ncheck = \"http\"\nurl = \"{url}\"\n\
             every = \"1s\"\nretry_every = \"1s\"\n\n"
        )
    };
    services.iter().map(service).collect()
}

/// Waits for the notification of that title; the only one.
async fn notification(on: &Desktop, notifications: &Notifications, title: &str) -> Notification {
    on.until(&format!("the notification {title:?}"), async || {
        let shown = notifications.shown();
        let mut so_titled: Vec<_> = shown.iter().filter(|n| n.title == title).cloned().collect();
        match so_titled.len() {
            0 => Err(format!("shown: {shown:#?}")),
            1 => Ok(so_titled.remove(0)),
            n => panic!("{n} notifications {title:?}: {shown:#?}"),
        }
    })
    .await
}

async fn add_the_first_service(window: &Window<'_>, name: &str, url: &str) {
    window.is_headed("Nothing is watched yet").await;
    window.follow("Add your first service").await;
    window.fill("Name", name).await;
    window.fill("URL", url).await;
    window.choose("How often", "Own").await;
    window.fill("Check every", "2s").await;
    window.click("//summary[span[normalize-space()='Timing']]").await;
    window.fill("Confirm every", "1s").await;
    window.press("Test now").await;
    window.says("Test now: healthy").await;
    window.press("Save").await;
    window.says(&format!("Saved {name}.")).await;
    window.is_headed(name).await;
}

async fn close_the_window(on: &Desktop, pilotlight: &Pilotlight) {
    assert_eq!(pilotlight.web_processes(), 1, "the window is drawn by one process");
    on.screen().close(&on.shown().await);
    on.until("the end of the window and of what draws it", async || {
        let (windows, drawing) = (on.screen().app_windows().len(), pilotlight.web_processes());
        if windows + drawing == 0 {
            Ok(())
        } else {
            Err(format!("{windows} windows, {drawing} drawing"))
        }
    })
    .await;
}

async fn left_click_the_tray_icon(on: &Desktop) {
    on.until("an icon in the panel", async || {
        on.screen().panel_icon().ok_or("the panel is bare".to_owned())
    })
    .await;
    on.screen().click_panel_icon();
}

async fn quit(on: &Desktop, pilotlight: &mut Pilotlight) {
    on.tray().await.choose("Quit").await.expect("a line of the menu");
    assert_eq!(pilotlight.exit_code(on).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_a_service_added_in_the_window_is_told_everywhere_and_kept() {
    let (desktop, _panel, notifications) = Desktop::full().await;
    let mut server = Server::up();
    let mut pilotlight = desktop.start(&[]);
    let window = desktop.window(&pilotlight).await;

    add_the_first_service(&window, "Shop API", &server.url()).await;
    window.follow("Overview").await;
    window.is_headed("Everything is healthy").await;
    window.has(&row_with("Shop API", "healthy")).await;
    let config = fs::read_to_string(desktop.config()).expect("it is saved");
    for line in ["name = \"Shop API\"", &format!("url = \"{}\"", server.url()), "every = \"2s\""] {
        assert!(config.contains(line), "{line} is missing in\n{config}");
    }
    let mode = fs::metadata(desktop.config()).expect("it is saved").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it may hold secrets");
    desktop.tooltip("Everything is healthy").await;
    let healthy = desktop.tray().await.icon().await.expect("an icon");
    let healthy_in_panel = desktop.screen().panel_icon();

    server.stop().await;
    desktop.tooltip("Shop API is down").await;
    assert_ne!(desktop.tray().await.icon().await.expect("an icon"), healthy);
    desktop
        .until("another icon in the panel", async || {
            if desktop.screen().panel_icon() == healthy_in_panel {
                Err("the same".into())
            } else {
                Ok(())
            }
        })
        .await;
    let down = notification(&desktop, &notifications, "Shop API is down").await;
    assert!(down.body.contains("connection refused"), "{down:?}");
    assert_eq!(down.urgency, Some(2), "{down:?}");
    window.is_headed("Shop API is down").await;
    window.has(&row_with("Shop API", "down")).await;
    window.follow("Incidents 1").await;
    window.is_headed("1 active incident").await;
    window.says("connection refused").await;

    server.start();
    let up = notification(&desktop, &notifications, "Shop API is up again").await;
    assert_eq!(up.replaces, down.id, "{up:?}");
    assert_eq!(notifications.shown().len(), 2, "one each: {:#?}", notifications.shown());
    window.is_headed("No active incident").await;
    window.has("//li//a[normalize-space()='Shop API']").await;
    desktop.tooltip("Everything is healthy").await;
    assert_eq!(desktop.tray().await.icon().await.expect("an icon"), healthy);

    drop(window);
    close_the_window(&desktop, &pilotlight).await;
    desktop.tooltip("Everything is healthy").await;
    left_click_the_tray_icon(&desktop).await;
    desktop.shown().await;
    assert_eq!(pilotlight.web_processes(), 1);
    quit(&desktop, &mut pilotlight).await;

    let mut pilotlight = desktop.start(&["--background"]);
    desktop.tooltip("Everything is healthy").await;
    assert_eq!(desktop.screen().app_windows(), [], "it was started without");
    left_click_the_tray_icon(&desktop).await;
    let window = desktop.window(&pilotlight).await;
    window.has(&row_with("Shop API", "healthy")).await;
    window.follow("Shop API").await;
    window.is_headed("Shop API").await;
    window.has("//section[@aria-label='Incidents']//a[contains(.,'connection refused')]").await;
    window.has("//section[@aria-label='Last results'][contains(.,'connection refused')]").await;
    assert_eq!(
        notifications.shown().len(),
        2,
        "nothing is told twice: {:#?}",
        notifications.shown()
    );
    quit(&desktop, &mut pilotlight).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn buttons_of_a_notification_open_its_incident_and_mute_its_service() {
    let (desktop, _panel, notifications) = Desktop::full().await;
    fs::write(desktop.config(), watch(&[("Mail", &Server::down()), ("Wiki", &Server::down())]))
        .expect("written");
    let pilotlight = desktop.start(&["--background"]);
    let mail = notification(&desktop, &notifications, "Mail is down").await;
    let wiki = notification(&desktop, &notifications, "Wiki is down").await;
    for button in ["open", "mute"] {
        assert!(mail.actions.iter().any(|action| action == button), "{mail:?}");
    }
    assert_eq!(desktop.screen().app_windows(), [], "it was started without");

    notifications.press(mail.id, "open").await;
    let window = desktop.window(&pilotlight).await;
    window.is_headed("Mail is down").await;
    window.says("What happened").await;

    notifications.press(wiki.id, "mute").await;
    window.follow("Overview").await;
    window.has(&format!("{}[contains(.,'muted until')]", row("Wiki"))).await;
    window.is_headed("Mail is down").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_launch_opens_the_window_of_the_first() {
    let (desktop, _panel, _notifications) = Desktop::full().await;
    let mut first = desktop.start_with_default_places(&["--background"]);
    desktop.tray().await;
    assert_eq!(desktop.screen().app_windows(), [], "it was started without");
    let mut second = desktop.start_with_default_places(&[]);
    assert_eq!(second.exit_code(&desktop).await, 0);
    desktop.window(&first).await.is_headed("Nothing is watched yet").await;
    quit(&desktop, &mut first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_in_use_is_refused_and_its_owner_named() {
    let (desktop, _panel, _notifications) = Desktop::full().await;
    let mut first = desktop.start(&["--background"]);
    desktop.tray().await;
    let mut second = desktop.start(&[]);
    assert_eq!(second.exit_code(&desktop).await, 3);
    let said = desktop.said_by_pilotlight();
    let owner = format!("another Pilotlight (process {}) is using the data folder", first.id());
    assert!(said.contains(&owner), "{said}");
    assert!(first.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tray_and_notifications_there_is_the_window_until_there_is_a_tray() {
    let desktop = Desktop::bare().await;
    let mut server = Server::up();
    fs::write(desktop.config(), watch(&[("Wiki", &server)])).expect("written");
    let mut pilotlight = desktop.start(&["--background"]);
    let window = desktop.window(&pilotlight).await;
    window.is_headed("Everything is healthy").await;
    server.stop().await;
    window.is_headed("Wiki is down").await;
    server.start();
    window.is_headed("Everything is healthy").await;

    let _panel = desktop.panel();
    desktop.tooltip("Everything is healthy").await;
    let notifications = desktop.notifications().await;
    server.stop().await;
    notification(&desktop, &notifications, "Wiki is down").await;
    assert!(pilotlight.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_says_so_and_is_reached_by_keyboard_alone() {
    let (desktop, _panel, _notifications) = Desktop::full().await;
    let pilotlight = desktop.start(&["demo"]);
    let window = desktop.window(&pilotlight).await;
    window.says("This is the demo").await;
    window.has(&row("Web Frontend")).await;
    assert_eq!(window.count("//section//li[.//a]"), 8);

    let passed: Vec<_> = std::iter::repeat_with(|| {
        window.key(TAB);
        window.focused()
    })
    .take(40)
    .take_while(|focused| focused != "PostgreSQL")
    .collect();
    assert_eq!(window.focused(), "PostgreSQL", "on the way: {passed:?}");
    window.key(ENTER);
    window.is_headed("PostgreSQL").await;
    window.says("Response time").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_with_mistakes_is_shown_at_once_and_waited_for() {
    let (desktop, _panel, _notifications) = Desktop::full().await;
    let server = Server::up();
    fs::write(desktop.config(), "[[service]]\nid = \"shop\"\ncheck = \"htpp\"\n").expect("written");
    let mut pilotlight = desktop.start(&["--background"]);
    let window = desktop.window(&pilotlight).await;
    window.says("nothing is checked until they are corrected").await;
    window.says(":3:9: there is no check `htpp`").await;
    fs::write(desktop.config(), watch(&[("Shop", &server)])).expect("written");
    window.is_headed("Everything is healthy").await;
    quit(&desktop, &mut pilotlight).await;
}
