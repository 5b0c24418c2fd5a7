//! What the system says about sleep, beside what the clocks tell.

use tokio::sync::mpsc;

/// The system is about to sleep, or has just woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    /// About to sleep.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "told by logind only"))]
    Sleeping,
    /// Just woke.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "told by logind only"))]
    Awake,
}

#[cfg(target_os = "linux")]
#[path = "sleep/linux.rs"]
mod os;

/// What the system announces; nothing where it does not say, where the clocks
/// alone tell.
pub(crate) fn watch() -> mpsc::UnboundedReceiver<Power> {
    let (tell, told) = mpsc::unbounded_channel();
    #[cfg(target_os = "linux")]
    tokio::spawn(async move {
        if let Err(error) = os::watch(tell).await {
            tracing::debug!(%error, "logind does not announce sleep, the clocks will tell");
        }
    });
    #[cfg(not(target_os = "linux"))]
    drop(tell);
    told
}
