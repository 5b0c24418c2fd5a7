//! The wishes of whoever runs the process.

/// Waits for Ctrl+C, or for SIGTERM where there is such a thing.
pub async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    // Without a handler the system's own ends the process, as is right.
    let _ = tokio::signal::ctrl_c().await;
}
