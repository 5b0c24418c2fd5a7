//! The demo: real servers on loopback in the shape of a small shop, a script
//! that lets them slow down, flap and fail, and a throw-away data folder.

mod server;
mod table;
mod world;

use std::io::IsTerminal;

use engine::Surroundings;
use tempfile::TempDir;

use crate::failure::Failure;
use crate::one_thread;
use crate::output;
use crate::places::Places;
use crate::session::{Opened, Session};
use world::World;

/// A running demo: ends when it is dropped.
pub struct Demo {
    /// Its own config and data folder.
    pub places: Places,
    _world: World,
    folder: TempDir,
}

impl Demo {
    /// Starts the servers and the script.
    ///
    /// # Errors
    /// When there is no port or no temporary folder to be had.
    pub async fn start() -> Result<Self, Failure> {
        let unavailable = |error: std::io::Error| {
            Failure::usage(
                format!("the demo cannot start: {error}"),
                "free some ports and disk space",
            )
        };
        let world = World::start().await.map_err(unavailable)?;
        let folder = TempDir::with_prefix("pilotlight-demo-").map_err(unavailable)?;
        let config = folder.path().join("config.toml");
        config::save(&config, &world.config(), None)
            .map_err(|error| Failure::usage(error.to_string(), ""))?;
        let places = Places { config, config_named: true, data_dir: folder.path().join("data") };
        Ok(Self { places, _world: world, folder })
    }

    /// Leaves nothing behind, whoever still holds on to it.
    pub fn discard(&self) {
        // What can not be removed now goes with the system's temporary files.
        let _ = std::fs::remove_dir_all(self.folder.path());
    }
}

/// The demo in the terminal: a live table, or lines where there is no
/// terminal or JSON is asked for.
pub(crate) fn headless(json: bool) -> Result<(), Failure> {
    one_thread()?.block_on(async {
        let demo = Demo::start().await?;
        let Opened { session, events, .. } = Session::open(&demo.places, Surroundings::real())?;
        if json || !std::io::stdout().is_terminal() {
            output::show_until_the_end(session, output::print_events(events, json)).await
        } else {
            let table = table::show(session.engine().snapshots().await, events);
            output::show_until_the_end(session, table).await
        }
    })
}
