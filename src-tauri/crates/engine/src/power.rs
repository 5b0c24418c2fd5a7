//! What the system says about sleep, beside what the clocks tell.

use health::Power;
use tokio::sync::mpsc;

/// Whether this machine's monotonic clock stands still while it sleeps:
/// everywhere but on Windows.
pub(crate) const CLOCK_STOPS_IN_SLEEP: bool = !cfg!(windows);

#[cfg(target_os = "linux")]
#[path = "power/linux.rs"]
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
