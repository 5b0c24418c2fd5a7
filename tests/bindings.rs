//! What the window's TypeScript says is what the backend does.

use std::collections::BTreeSet;
use std::path::Path;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ui/src/lib/backend");

/// `make bindings` sets this to write the file instead of comparing it.
const WRITE: &str = "PILOTLIGHT_WRITE_BINDINGS";

#[test]
fn the_windows_types_are_those_of_the_backend() {
    let fresh = tempfile::tempdir().expect("a temporary folder");
    pilotlight::bindings::export(fresh.path()).expect("generated");
    let generated = std::fs::read_to_string(fresh.path().join("bindings.ts")).expect("written");
    let committed = Path::new(FOLDER).join("bindings.ts");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&committed, &generated).expect("writable");
    }
    let known = std::fs::read_to_string(&committed).expect("committed");
    assert!(known == generated, "bindings.ts is stale: run `make bindings` and commit it");
}

#[test]
fn the_window_may_call_every_command_and_nothing_else() {
    let commands: BTreeSet<_> =
        pilotlight::bindings::command_names().iter().map(|name| name.replace('_', "-")).collect();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src-tauri/capabilities/main.json");
    let text = std::fs::read_to_string(file).expect("the capability file");
    let capability: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let allowed: BTreeSet<_> = capability["permissions"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|permission| permission.as_str()?.strip_prefix("allow-"))
        .map(str::to_owned)
        .collect();
    assert_eq!(allowed, commands);
}
