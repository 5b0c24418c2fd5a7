use engine::Surroundings;

use crate::failure::Failure;
use crate::output;
use crate::places::Places;
use crate::runtime;
use crate::session::Session;
use crate::signals::interrupted;

/// Watches until interrupted and prints what happens, one event a line.
pub(super) fn run(places: &Places, json: bool) -> Result<(), Failure> {
    runtime()?.block_on(async {
        let (session, notes) = Session::open(places, Surroundings::real())?;
        notes.iter().for_each(|note| eprintln!("{note}"));
        let print = tokio::spawn(output::print_events(session.engine().events(), json));
        interrupted().await;
        session.close().await;
        print.abort();
        Ok(())
    })
}
