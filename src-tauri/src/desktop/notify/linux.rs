use std::collections::HashMap;

use notify_rust::{Hint, NotificationResponse, Timeout, Urgency};
use pilotlight::view::notice::{Key, Notification};

use super::Response;

/// The notification server of the session bus.
#[derive(Default)]
pub(super) struct Desktop {
    /// What the server calls the notifications that are shown.
    shown: HashMap<Key, u32>,
    /// The server reads markup in bodies; asked once.
    markup: Option<bool>,
}

impl Desktop {
    /// Shows the notification, in place of the one of the same key.
    pub async fn show(
        &mut self,
        notification: &Notification,
        respond: impl FnOnce(Response) + Send + 'static,
    ) -> Result<(), String> {
        let body = if self.reads_markup().await {
            escape(&notification.body)
        } else {
            notification.body.clone()
        };
        let mut native = notify_rust::Notification::new();
        native
            .appname("Pilotlight")
            .icon("pilotlight-desktop")
            .hint(Hint::DesktopEntry("Pilotlight".to_owned()))
            .summary(&notification.title)
            .body(&body)
            .action("default", "Open")
            .action("open", "Open");
        if notification.critical {
            native.urgency(Urgency::Critical).timeout(Timeout::Never).action("mute", "Mute 1 h");
        } else {
            native.urgency(Urgency::Normal);
        }
        if let Some(id) = self.shown.get(&notification.key) {
            native.id(*id);
        }
        let handle = native.show_async().await.map_err(|error| error.to_string())?;
        self.shown.insert(notification.key.clone(), handle.id());
        tokio::spawn(async move {
            let mut chosen = None;
            handle
                .wait_for_action_async(|response: &NotificationResponse| {
                    chosen = match response {
                        NotificationResponse::Default => Some(Response::Open),
                        NotificationResponse::Action(action) if action == "open" => {
                            Some(Response::Open)
                        }
                        NotificationResponse::Action(action) if action == "mute" => {
                            Some(Response::Mute)
                        }
                        _ => None,
                    };
                })
                .await;
            chosen.map(respond)
        });
        Ok(())
    }

    async fn reads_markup(&mut self) -> bool {
        if let Some(known) = self.markup {
            return known;
        }
        let asked = tokio::task::spawn_blocking(notify_rust::get_capabilities).await;
        let capabilities = asked.ok().and_then(Result::ok);
        self.markup = capabilities.as_ref().map(|all| all.iter().any(|one| one == "body-markup"));
        self.markup.unwrap_or(true)
    }
}

/// What a server said is text, whatever it looks like.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn markup_of_a_probed_server_is_text() {
        assert_eq!(super::escape("<b>R&D</b>"), "&lt;b&gt;R&amp;D&lt;/b&gt;");
    }
}
