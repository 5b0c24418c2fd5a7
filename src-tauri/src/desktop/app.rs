use std::sync::Arc;

use engine::Surroundings;
use pilotlight::{Demo, Failure, Session};
use tokio::sync::{Mutex, watch};

/// What commands and listeners share: the person's own session, and which one
/// is shown.
pub(crate) struct App {
    /// The person's own services: checked and announced even while the demo is
    /// shown.
    pub home: Arc<Session>,
    shown: watch::Sender<Shown>,
    /// The demo starts and ends one at a time.
    turn: Mutex<()>,
}

/// The session that tray and window show.
#[derive(Clone)]
pub(crate) struct Shown {
    pub session: Arc<Session>,
    demo: Option<Arc<Demo>>,
}

impl Shown {
    pub fn is_demo(&self) -> bool {
        self.demo.is_some()
    }
}

impl App {
    pub fn new(home: Arc<Session>) -> Self {
        let shown = watch::Sender::new(Shown { session: home.clone(), demo: None });
        Self { home, shown, turn: Mutex::default() }
    }

    /// What is shown now, and on every change.
    pub fn shown(&self) -> watch::Receiver<Shown> {
        self.shown.subscribe()
    }

    /// The session that is shown now.
    pub fn session(&self) -> Arc<Session> {
        self.shown.borrow().session.clone()
    }

    pub fn is_demo(&self) -> bool {
        self.shown.borrow().is_demo()
    }

    /// Shows the demo in place of the person's own services.
    ///
    /// # Errors
    /// When it cannot start.
    pub async fn start_demo(&self) -> Result<(), Failure> {
        let _turn = self.turn.lock().await;
        if self.is_demo() {
            return Ok(());
        }
        let demo = Demo::start().await?;
        let session = Session::open(&demo.places, Surroundings::real())?.session;
        self.shown.send_replace(Shown { session: Arc::new(session), demo: Some(Arc::new(demo)) });
        Ok(())
    }

    /// Shows the person's own services again; the demo is gone.
    pub async fn leave_demo(&self) {
        let _turn = self.turn.lock().await;
        let before = self.shown.send_replace(Shown { session: self.home.clone(), demo: None });
        if let Some(demo) = before.demo {
            before.session.close().await;
            demo.discard();
        }
    }
}
