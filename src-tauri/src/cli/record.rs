use std::path::Path;

use health::Hold;
use history::{History, Problem};

use crate::failure::Failure;
use crate::output;
use crate::places::Places;
use crate::report::for_each_report;
use crate::session::recovery_note;

/// Results the writer may hold before they must be on the disk.
const BATCH: usize = 10_000;

/// Takes reports into the history, as if they had been observed.
pub(super) fn run(places: &Places, file: &Path) -> Result<(), Failure> {
    let _lock = places.lock()?;
    let (history, recovered) = History::open(&places.data_dir)?;
    if let Some(recovered) = recovered {
        output::remark(&recovery_note(&recovered));
    }
    let writer = history.writer();
    let hold = Hold::of(health::Tier::Supporting.every(), health::Thresholds::HTTP.timeout);
    let (mut reports, mut results, mut waiting) = (0, 0, 0);
    for_each_report(file, |report| {
        for service in &report.services {
            let Some(result) = service.result(report.checked_at()) else { continue };
            writer.record(service.id()?, result, hold);
            results += 1;
            waiting += 1;
        }
        reports += 1;
        if waiting >= BATCH {
            writer.flush_and_wait().map_err(unwritten)?;
            waiting = 0;
        }
        Ok(true)
    })?;
    history.close().map_err(unwritten)?;
    output::print(&format!("Recorded {results} results of {reports} reports.\n"))
}

fn unwritten(problem: Problem) -> Failure {
    Failure::usage(format!("the history cannot be written: {problem}"), problem.help)
}
