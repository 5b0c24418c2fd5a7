//! What goes to the log: daily files in the data folder, seven kept.

use pilotlight::Places;
use tracing_appender::rolling::{Builder, Rotation};
use tracing_subscriber::EnvFilter;

/// Starts logging into the folder `logs` of the data folder; the level comes from
/// `PILOTLIGHT_LOG` (`info` without it). Where that can not be written, there
/// is no log: the app matters more.
pub(crate) fn start(places: &Places) {
    let Ok(folder) = places.private_folder("logs") else { return };
    let files = Builder::new()
        .rotation(Rotation::DAILY)
        .filename_prefix("pilotlight")
        .filename_suffix("log")
        .max_log_files(7)
        .build(folder);
    let filter =
        EnvFilter::try_from_env("PILOTLIGHT_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    if let Ok(files) = files {
        let log =
            tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(files);
        // Only a test that starts twice in one process meets an earlier one.
        let _ = log.try_init();
    }
}
