//! The history: results, incidents and what the app has to remember, in one
//! SQLite file.
//!
//! One thread writes ([`Writer`]), in batches; read-only connections answer
//! every question about the past ([`Reader`]). Results are kept raw for a
//! while, and from the first moment on as rollups that add up: quarters of an
//! hour, later calendar days. So are measurements. Phases and evidence are kept
//! of the results that somebody will want to look into: failures, and the
//! slowest of each hour.

mod history;
mod ledger;
mod open;
mod options;
mod phases;
mod reader;
mod rollup;
mod tally;
mod texts;
mod upkeep;
mod writer;
mod zone;

pub use history::History;
pub use open::{OpenError, Recovered};
pub use options::Options;
pub use reader::{
    Bar, Day, Figures, LatencyPoint, LatencySeries, MeasurementPoint, MeasurementSeries, NoData,
    Period, Range, ReadError, Reader, Span, SpanKind, Uptime, UptimeFigures, UptimeRecord,
};
pub use upkeep::Keep;
pub use writer::{Problem, Writer};
pub use zone::Zone;
