use pilotlight::view::notice::Notification;

use super::Response;

/// The bundle that notifications are shown for; must be set before the first.
const BUNDLE: &str = "dev.pilotlight.Pilotlight";

/// The notification centre.
#[derive(Default)]
pub(super) struct Desktop {
    ready: bool,
}

impl Desktop {
    /// Shows the notification. macOS hands back no action here, a click brings
    /// the app to the front.
    #[expect(clippy::unused_async, reason = "as on Linux")]
    pub async fn show(
        &mut self,
        notification: &Notification,
        _respond: impl FnOnce(Response) + Send + 'static,
    ) -> Result<(), String> {
        if !self.ready {
            // An error means that it was set before.
            let _ = notify_rust::set_application(BUNDLE);
            self.ready = true;
        }
        notify_rust::Notification::new()
            .summary(&notification.title)
            .body(&notification.body)
            .show()
            .map(drop)
            .map_err(|error| error.to_string())
    }
}
