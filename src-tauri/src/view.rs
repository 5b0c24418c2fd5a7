//! What people see of the state, as plain data: pure functions from
//! snapshots and events, shown by the thin adapters in `desktop`.

pub mod notice;
pub mod tray;
