use std::collections::HashMap;

use tokio::sync::watch;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::OwnedValue;
use zbus::{Connection, interface};

const PATH: &str = "/org/freedesktop/Notifications";

/// One call of `Notify`.
#[derive(Debug, Clone)]
pub struct Notification {
    /// What it was called in return.
    pub id: u32,
    /// The one whose place it takes; 0 for none.
    pub replaces: u32,
    pub title: String,
    pub body: String,
    pub actions: Vec<String>,
    /// 0 low, 1 normal, 2 critical.
    pub urgency: Option<u8>,
}

/// The desktop's notification server.
pub struct Notifications {
    connection: Connection,
    shown: watch::Receiver<Vec<Notification>>,
}

struct Server {
    shown: watch::Sender<Vec<Notification>>,
}

#[interface(name = "org.freedesktop.Notifications")]
impl Server {
    async fn get_capabilities(&self) -> Vec<String> {
        ["actions", "body", "body-markup"].map(str::to_owned).into()
    }

    #[expect(clippy::too_many_arguments, reason = "the interface has them")]
    async fn notify(
        &self,
        _app_name: String,
        replaces_id: u32,
        _app_icon: String,
        summary: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        _expire_timeout: i32,
    ) -> u32 {
        let urgency = hints.get("urgency").and_then(|value| u8::try_from(value).ok());
        let mut id = replaces_id;
        self.shown.send_modify(|shown| {
            if replaces_id == 0 {
                id = shown.iter().map(|n| n.id).max().unwrap_or(100) + 1;
            }
            let (replaces, title) = (replaces_id, summary);
            shown.push(Notification { id, replaces, title, body, actions, urgency });
        });
        id
    }

    async fn get_server_information(&self) -> (String, String, String, String) {
        ("test".into(), "Pilotlight".into(), "1".into(), "1.2".into())
    }

    #[zbus(signal)]
    async fn action_invoked(emitter: &SignalEmitter<'_>, id: u32, action: &str)
    -> zbus::Result<()>;

    #[zbus(signal)]
    async fn notification_closed(
        emitter: &SignalEmitter<'_>,
        id: u32,
        reason: u32,
    ) -> zbus::Result<()>;
}

impl Notifications {
    /// Serves on a session bus.
    pub async fn serve(address: &str) -> Self {
        let (sender, shown) = watch::channel(vec![]);
        let connection = zbus::connection::Builder::address(address)
            .and_then(|builder| builder.serve_at(PATH, Server { shown: sender }))
            .and_then(|builder| builder.name("org.freedesktop.Notifications"))
            .expect("an address, a path, a name")
            .build()
            .await
            .expect("the session bus");
        Self { connection, shown }
    }

    /// All that were shown, in order.
    pub fn shown(&self) -> Vec<Notification> {
        self.shown.borrow().clone()
    }

    /// Presses a button of a notification, which closes it.
    pub async fn press(&self, id: u32, action: &str) {
        let dismissed_by_the_person = 2;
        let server = self.connection.object_server();
        let server = server.interface::<_, Server>(PATH).await.expect("it is served");
        let emitter = server.signal_emitter();
        Server::action_invoked(emitter, id, action).await.expect("told");
        Server::notification_closed(emitter, id, dismissed_by_the_person).await.expect("told");
    }
}
