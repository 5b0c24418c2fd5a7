use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;

use engine::{Heard, Listener, ServiceView, Snapshot};
use health::{Overall, ServiceStatus, Status};
use tokio::sync::watch;

use crate::failure::Failure;
use crate::output;

/// What happened last, below the table.
const LINES: usize = 8;

/// Draws everything anew whenever something changes, until there are no more
/// events, or nobody reads.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn show(
    mut snapshot: watch::Receiver<Arc<Snapshot>>,
    events: Listener,
) -> Result<(), Failure> {
    // Results are in the table.
    let mut events = events.only_news();
    let mut happened: VecDeque<String> = VecDeque::new();
    loop {
        tokio::select! {
            Ok(()) = snapshot.changed() => {}
            heard = events.next() => match heard {
                Some(Heard::Event(event)) => {
                    happened.extend(output::text(&event));
                    happened.drain(..happened.len().saturating_sub(LINES));
                }
                // The table shows how things are, whatever was missed.
                Some(Heard::Lost(_)) => {}
                None => return Ok(()),
            }
        }
        let text = draw(&snapshot.borrow_and_update(), &happened);
        if !output::offer(&text)? {
            return Ok(());
        }
    }
}

fn draw(snapshot: &Snapshot, happened: &VecDeque<String>) -> String {
    let mut text = "\u{1b}[H\u{1b}[2J".to_owned();
    let colour = match snapshot.summary.overall {
        Overall::Healthy => 32,
        Overall::Degraded => 33,
        Overall::Unhealthy => 31,
        Overall::Unknown | Overall::Offline | Overall::Paused => 90,
    };
    let summary = &snapshot.summary;
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "\u{1b}[1;{colour}m{}\u{1b}[0m  \u{1b}[90m{}\u{1b}[0m\n",
        summary.headline, summary.detail
    );
    let width = snapshot.services.iter().map(|s| s.name.chars().count()).max().unwrap_or(0);
    for service in &snapshot.services {
        let _ = writeln!(text, "{}", row(service, width));
    }
    text.push('\n');
    for line in happened {
        let _ = writeln!(text, "\u{1b}[90m{line}\u{1b}[0m");
    }
    text.push_str("\n\u{1b}[90mCtrl+C ends the demo\u{1b}[0m\n");
    text
}

fn row(service: &ServiceView, width: usize) -> String {
    let (glyph, colour) = match service.status {
        ServiceStatus::Healthy => ("●", 32),
        ServiceStatus::Degraded => ("▲", 33),
        ServiceStatus::Unhealthy => ("✖", 31),
        ServiceStatus::Unknown => ("○", 90),
        ServiceStatus::Paused => ("‖", 90),
    };
    let bars: String =
        service.bars.iter().rev().take(30).rev().map(|bar| bar_text(bar.status)).collect();
    let time = service.response_time_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0} ms"));
    let gap = " ".repeat(30_usize.saturating_sub(service.bars.len()));
    let cause = service.caused_by.as_ref().map(|c| format!("caused by {c} · ")).unwrap_or_default();
    format!(
        "\u{1b}[{colour}m{glyph}\u{1b}[0m {:<width$}  {gap}{bars}\u{1b}[0m {time:>7}  {cause}{}",
        service.name, service.message
    )
}

fn bar_text(status: Option<Status>) -> &'static str {
    match status {
        Some(Status::Healthy) => "\u{1b}[32m▏",
        Some(Status::Degraded) => "\u{1b}[33m▍",
        Some(Status::Unhealthy) => "\u{1b}[31m█",
        None => "\u{1b}[90m.",
    }
}
