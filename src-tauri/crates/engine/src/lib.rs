//! Schedule, probe, judge, record, publish; connectivity, sleep and pausing.
//!
//! One task owns all judgement and takes results in order; everyone else sees
//! immutable [`Snapshot`]s and `health::Event`s. Nobody who listens, and no
//! disk, ever delays a check.

mod check;
mod clock;
mod engine;
mod reach;
mod schedule;
mod sight;
mod sleep;
mod snapshot;
mod surroundings;
mod target;
mod watcher;

pub use check::{CheckedOnce, Limits, check_once, with_members};
pub use clock::Clock;
pub use engine::{Engine, Past, Plan};
pub use snapshot::{ServiceView, Snapshot};
pub use surroundings::Surroundings;
pub use target::Target;
pub use watcher::Arrived;
