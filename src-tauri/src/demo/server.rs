use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How a server behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// As it should.
    #[default]
    Well,
    /// Answers late.
    Slow(Duration),
    /// Answers that it is not well.
    Sick,
    /// Does not listen.
    Down,
}

/// What a server does when it listens.
#[derive(Debug, Clone)]
pub(super) enum Role {
    /// Takes connections.
    Tcp,
    /// Answers `GET /health`, 503 while one of those it needs does not answer.
    Http {
        /// HTTP servers and TCP ports it asks first.
        needs: Vec<Need>,
    },
}

/// Something a server needs to do its work.
#[derive(Debug, Clone)]
pub(super) struct Need {
    pub name: &'static str,
    pub address: SocketAddr,
    pub http: bool,
}

/// Runs one server as `mode` says, for ever. It keeps its port: going down
/// closes the listener, coming back binds the same address.
pub(super) async fn serve(
    mut listener: Option<TcpListener>,
    address: SocketAddr,
    role: Role,
    mut mode: watch::Receiver<Mode>,
) {
    loop {
        if *mode.borrow_and_update() == Mode::Down {
            listener = None;
            if mode.changed().await.is_err() {
                return;
            }
            continue;
        }
        let Some(bound) = bind(listener.take(), address).await else {
            // Taken by someone else meanwhile: look again shortly.
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        };
        let down = async {
            let mut mode = mode.clone();
            // An error means that the demo ends.
            let _ = mode.wait_for(|mode| *mode == Mode::Down).await;
        };
        tokio::select! {
            () = listen(bound, role.clone(), mode.clone()) => {}
            () = down => {}
        }
        if mode.has_changed().is_err() {
            return;
        }
    }
}

async fn bind(listener: Option<TcpListener>, address: SocketAddr) -> Option<TcpListener> {
    match listener {
        Some(listener) => Some(listener),
        None => TcpListener::bind(address).await.ok(),
    }
}

async fn listen(listener: TcpListener, role: Role, mode: watch::Receiver<Mode>) {
    match role {
        Role::Tcp => {
            let mut open = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                open.spawn(async move { stream.read(&mut [0; 64]).await });
                while open.try_join_next().is_some() {}
            }
        }
        Role::Http { needs } => {
            let health = get(move || answer(needs.clone(), *mode.borrow()));
            let app = Router::new().route("/health", health);
            if let Err(error) = axum::serve(listener, app).await {
                tracing::debug!(%error, "a demo server ended");
            }
        }
    }
}

async fn answer(needs: Vec<Need>, mode: Mode) -> Response {
    if let Mode::Slow(delay) = mode {
        tokio::time::sleep(delay).await;
    }
    let mut asked = JoinSet::new();
    for need in needs {
        asked.spawn(async move { (need.name, need.ask().await) });
    }
    let mut missing: Vec<_> = asked.join_all().await;
    missing.retain(|(_, answers)| !answers);
    missing.sort_unstable();
    if let Some((name, _)) = missing.first() {
        let body = format!(r#"{{"status":"error","error":"{name} does not answer"}}"#);
        return (StatusCode::SERVICE_UNAVAILABLE, [(CONTENT_TYPE, "application/json")], body)
            .into_response();
    }
    let status = if mode == Mode::Sick { "migrating" } else { "ok" };
    ([(CONTENT_TYPE, "application/json")], format!(r#"{{"status":"{status}"}}"#)).into_response()
}

/// How long a server waits for one it needs.
const PATIENCE: Duration = Duration::from_secs(2);

impl Need {
    async fn ask(&self) -> bool {
        tokio::time::timeout(PATIENCE, self.try_ask())
            .await
            .is_ok_and(|answer| answer.unwrap_or(false))
    }

    async fn try_ask(&self) -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(self.address).await?;
        if !self.http {
            return Ok(true);
        }
        stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").await?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        Ok(status.ends_with(b"200"))
    }
}
