use engine::Surroundings;

use crate::failure::Failure;
use crate::output;
use crate::places::Places;
use crate::runtime;
use crate::session::{Opened, Session};
use crate::signals::interrupted;

/// Watches until interrupted and prints what happens, one event a line.
pub(super) fn run(places: &Places, json: bool) -> Result<(), Failure> {
    runtime()?.block_on(async {
        let Opened { session, events, notes } = Session::open(places, Surroundings::real())?;
        for note in notes {
            eprintln!("{note}");
        }
        let print = tokio::spawn(output::print_events(events, json));
        interrupted().await;
        session.close().await;
        print.abort();
        Ok(())
    })
}
