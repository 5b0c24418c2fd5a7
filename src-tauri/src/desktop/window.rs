use pilotlight::api::Push;
use tauri::webview::WebviewWindowBuilder;
use tauri::{AppHandle, Emitter, Manager, Url, WebviewUrl};

/// The one window's label; capabilities name it too.
pub(crate) const LABEL: &str = "main";

/// Shows a page: opens the window, or brings it to the front.
pub(crate) fn show(handle: &AppHandle, page: Option<&str>) {
    if let Some(window) = handle.get_webview_window(LABEL) {
        // A window that can not be raised is still there to be seen.
        let _ = window.unminimize();
        let _ = window.show();
        let _ = window.set_focus();
        if let Some(to) = page {
            push(handle, &Push::Navigate { to: to.to_owned() });
        }
        return;
    }
    let url = page.map_or_else(|| "index.html".to_owned(), |page| format!("index.html#{page}"));
    let window = WebviewWindowBuilder::new(handle, LABEL, WebviewUrl::App(url.into()))
        .title("Pilotlight")
        .inner_size(520.0, 720.0)
        .min_inner_size(380.0, 480.0)
        .on_navigation(is_own)
        .build();
    if let Err(error) = window {
        tracing::error!(%error, "the window can not be opened");
    }
}

/// The window shows the app's own pages and nothing else.
fn is_own(url: &Url) -> bool {
    url.scheme() == "tauri"
        || url.host_str() == Some("tauri.localhost")
        || url.as_str() == "about:blank"
}

/// Tells the window, if there is one.
pub(crate) fn push(handle: &AppHandle, push: &Push) {
    if let Err(error) = handle.emit_to(LABEL, "push", push) {
        tracing::error!(%error, "the window was not told");
    }
}

/// There is a window to tell.
pub(crate) fn is_open(handle: &AppHandle) -> bool {
    handle.get_webview_window(LABEL).is_some()
}
