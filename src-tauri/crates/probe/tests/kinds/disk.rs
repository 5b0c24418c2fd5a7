//! `check = "disk"` on the disks of this machine.

use std::fs;
use std::time::Duration;

use health::Outcome;
use serde_json::json;

use crate::trial::{fails, observe};

const PATIENT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_root() {
    let keys = json!({"warn_free": "0%", "min_free": "0 B", "mount_point": true});
    let seen = observe("disk", &keys, PATIENT).await;
    assert!(
        matches!(&seen.outcome, Outcome::Healthy(text) if text.contains(" % free, ")),
        "{seen:?}"
    );
    let stats = rustix::fs::statvfs("/").expect("there");
    let whole = (stats.f_blocks - stats.f_bfree + stats.f_bavail) * stats.f_frsize;
    let [used, free] = &seen.measurements[..2] else { panic!("{seen:?}") };
    assert_eq!((used.name.as_str(), used.unit.as_str()), ("used", "%"));
    assert_eq!((free.name.as_str(), free.unit.as_str()), ("free", "B"));
    let free = free.value * 100.0 / whole as f64;
    // Others write meanwhile.
    assert!((used.value + free - 100.0).abs() < 1.0, "{seen:?}");
    let phases = seen.phases.total() / 1000.0;
    assert!((seen.response_time.expect("seen").as_secs_f64() - phases).abs() < 1e-3);
}

#[tokio::test]
async fn too_little() {
    let dir = tempfile::tempdir().expect("a directory");
    let full = json!({"path": dir.path(), "warn_free": "10000 PiB", "min_free": "10000 PiB"});
    let seen = observe("disk", &full, PATIENT).await;
    let end = format!(", at least 10000 PiB expected ({})", dir.path().display());
    assert!(matches!(&seen.outcome, Outcome::Unhealthy(text) if text.ends_with(&end)), "{seen:?}");
    assert!(seen.response_time.is_some());
    let warned = json!({"path": dir.path(), "warn_free": "10000 PiB", "min_free": 0});
    let seen = observe("disk", &warned, PATIENT).await;
    let end = ", but below 10000 PiB";
    assert!(matches!(&seen.outcome, Outcome::Degraded(text) if text.ends_with(end)), "{seen:?}");
}

#[tokio::test]
async fn a_temporary_file_system() {
    let keys = json!({"path": "/dev/shm", "min_free": 0, "warn_free": 0, "min_free_inodes": 0});
    let seen = observe("disk", &keys, PATIENT).await;
    assert!(matches!(seen.outcome, Outcome::Healthy(_)), "{seen:?}");
    assert_eq!(seen.measurements.len(), 3);
}

#[tokio::test]
async fn where_nothing_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let folder = dir.path().join("backup");
    fs::create_dir(&folder).expect("made");
    for (situation, keys, message) in [
        (
            "no such path",
            json!({"path": dir.path().join("none")}),
            "`DIR/none` does not exist: check `path`, or is its disk not mounted?",
        ),
        (
            "nothing is mounted there",
            json!({"path": folder, "mount_point": true}),
            "no disk is mounted at `DIR/backup`",
        ),
        (
            "not a disk",
            json!({"path": "/proc"}),
            "`/proc` is on no disk, but made up by the system",
        ),
    ] {
        fails("disk", situation, &keys, PATIENT, message).await;
    }
}
