//! Tauri's build step: config, capability and the window's files. Without the
//! desktop app there is none.

#[cfg(not(feature = "desktop"))]
fn main() {
    println!("cargo::rerun-if-changed=src-tauri/build.rs");
}

#[cfg(feature = "desktop")]
fn main() {
    // The window's files become part of the program.
    println!("cargo::rerun-if-changed=ui/dist");
    let attributes = tauri_build::Attributes::new()
        .capabilities_path_pattern("./src-tauri/capabilities/*")
        .app_manifest(tauri_build::AppManifest::new().commands(COMMANDS));
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo::error={error:#}");
    }
}

/// Every command the window may call; each gets a permission of its own.
#[cfg(feature = "desktop")]
const COMMANDS: &[&str] = &[
    "overview",
    "figures",
    "service",
    "result",
    "slowest",
    "measurements",
    "incidents",
    "check_now",
    "pause",
    "resume",
    "mute",
    "form_schema",
    "service_values",
    "review_service",
    "test_service",
    "save_service",
    "remove_service",
    "reorder_services",
    "undo_edit",
    "preferences",
    "save_preferences",
    "about",
    "open_config_file",
    "open_data_dir",
    "start_demo",
    "leave_demo",
];
