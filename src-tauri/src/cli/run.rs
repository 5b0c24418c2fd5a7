use engine::Surroundings;

use crate::failure::Failure;
use crate::one_thread;
use crate::output;
use crate::places::Places;
use crate::session::{Opened, Session};

/// Watches until interrupted or nobody reads, and prints what happens, one
/// event a line.
pub(super) fn run(places: &Places, json: bool) -> Result<(), Failure> {
    places.require_config()?;
    one_thread()?.block_on(async {
        let Opened { session, events, notes } = Session::open(places, Surroundings::real())?;
        for note in notes {
            output::remark(&note);
        }
        output::show_until_the_end(session, output::print_events(events, json)).await
    })
}
