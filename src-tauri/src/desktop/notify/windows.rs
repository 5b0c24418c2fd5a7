use pilotlight::view::notice::Notification;

use super::Response;

/// The id the installer registers with the start menu entry (AUMID).
const AUMID: &str = "dev.pilotlight.Pilotlight";

/// The action centre.
#[derive(Default)]
pub(super) struct Desktop;

impl Desktop {
    /// Shows the notification. The crate hands back no action on Windows.
    #[expect(clippy::unused_async, reason = "as on Linux")]
    pub async fn show(
        &mut self,
        notification: &Notification,
        _respond: impl FnOnce(Response) + Send + 'static,
    ) -> Result<(), String> {
        notify_rust::Notification::new()
            .app_id(AUMID)
            .summary(&notification.title)
            .body(&notification.body)
            .show()
            .map(drop)
            .map_err(|error| error.to_string())
    }
}
