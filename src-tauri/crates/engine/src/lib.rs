//! Schedule, probe, judge, record, publish.
//!
//! Two halves. The `Watcher` decides: inputs go in with the time as a value,
//! effects come out. The `Driver` acts: it carries effects out through one
//! queue, and whatever comes back is an input again. Everyone else sees
//! immutable [`Snapshot`]s and hears `health::Event`s; nobody who listens, and
//! no disk, ever delays a check.

mod check;
mod clock;
mod driver;
mod engine;
mod feed;
mod lanes;
mod network;
mod past;
mod plan;
mod power;
mod schedule;
mod snapshot;
mod surroundings;
mod target;
mod watcher;

pub use check::{CheckedOnce, check_once, with_members};
pub use clock::Clock;
pub use engine::Engine;
pub use feed::{Heard, Listener};
pub use lanes::Limits;
pub use past::{Arrived, Past};
pub use plan::Plan;
pub use snapshot::{ServiceView, Snapshot};
pub use surroundings::Surroundings;
pub use target::Target;
