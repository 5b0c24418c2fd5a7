//! What people see of the state, as plain data: pure functions from
//! snapshots and events, shown by the thin adapters in `desktop`.

pub(crate) mod notice;
pub(crate) mod tray;
