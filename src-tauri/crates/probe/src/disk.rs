//! `check = "disk"`: how much space is left where a path is.

#[cfg_attr(windows, path = "disk/os_windows.rs")]
#[cfg_attr(unix, path = "disk/os_unix.rs")]
mod os;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use health::{Measurement, Thresholds};

use crate::aside::Aside;
use crate::failure::Failure;
use crate::field::{
    Field, FieldError, FieldType, Form, Section, Step, Values, boolean, file, mistake, number, size,
};
use crate::size::{Bytes, Size};
use crate::text::clean;
use crate::trace::Trace;
use crate::{Checking, Context, Probe};

pub(crate) const LABEL: &str = "Disk";
pub(crate) const HELP: &str =
    "Looks how much space is left on a disk of this machine, for this user.";
pub(crate) const EXAMPLE: &str = r#"path = "/var"
warn_free = "20 GiB"
min_free = "5%""#;
/// A disk that slept takes seconds to wake up.
pub(crate) const THRESHOLDS: Thresholds =
    Thresholds { degraded_above: None, unhealthy_above: None, timeout: Duration::from_secs(10) };

const ROOT: &str = if cfg!(windows) { "C:\\" } else { "/" };
const WARN_FREE: Size = Size::Percent(10.0);
const MIN_FREE: Size = Size::Percent(5.0);

pub(crate) const FIELDS: &[Field] = &[
    Field::optional("path", "Path", "Any file or folder on the disk.", FieldType::File).or(ROOT),
    Field::optional(
        "warn_free",
        "Warn below",
        "Less free space is degraded: a share or a size, 10% or 20 GiB. Space that only the \
         administrator may use is not free.",
        FieldType::Size { percent: true },
    )
    .or("10%")
    .within(Section::Expect),
    Field::optional(
        "min_free",
        "At least free",
        "Less free space is unhealthy: a share or a size, 5% or 10 GiB.",
        FieldType::Size { percent: true },
    )
    .or("5%")
    .within(Section::Expect),
    Field::optional(
        "min_free_inodes",
        "Free inodes",
        "Fewer free inodes are unhealthy: the file system holds no more files then, whatever its \
         space. Not on Windows.",
        FieldType::Number { min: 0.0, max: 100.0 },
    )
    .of("%")
    .within(Section::Expect),
    Field::optional(
        "mount_point",
        "Mounted there",
        "Whether a disk must be mounted exactly there; else the disk below is taken for a missing \
         one.",
        FieldType::Boolean,
    )
    .or("false")
    .within(Section::Expect),
];

/// What a file system has, in bytes, and in inodes where it counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Space {
    total: u64,
    /// Free for anybody.
    free: u64,
    /// Free for this user.
    available: u64,
    inodes: Option<Inodes>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Inodes {
    total: u64,
    available: u64,
}

impl Space {
    /// What this user could fill: as `df` counts, without what is kept for the
    /// administrator.
    fn usable(&self) -> u64 {
        self.total.saturating_sub(self.free).saturating_add(self.available)
    }

    fn percent_free(&self) -> f64 {
        share(self.available, self.usable())
    }

    fn is_below(&self, limit: Size) -> bool {
        match limit {
            Size::Bytes(bytes) => self.available < bytes,
            Size::Percent(percent) => self.percent_free() < percent,
        }
    }

    /// From where on, in percent, too much is used.
    fn used_limit(&self, limit: Size) -> Option<f64> {
        let free = match limit {
            Size::Bytes(bytes) => share(bytes, self.usable()),
            Size::Percent(percent) => percent,
        };
        (0.0..100.0).contains(&free).then_some(100.0 - free)
    }
}

/// `part` in percent of `whole`, which is not 0.
fn share(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole as f64
}

/// Percent for people: never more than there is.
fn percent(share: f64) -> String {
    let shown = if share < 10.0 { (share * 10.0).floor() / 10.0 } else { share.floor() };
    format!("{shown} %")
}

#[derive(Debug)]
struct Disk {
    path: PathBuf,
    limits: Limits,
    is_mount_point: bool,
    looking: Aside<()>,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    warn_free: Size,
    min_free: Size,
    /// In percent.
    min_free_inodes: Option<f64>,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    let warn_free = form.optional("warn_free", size)?;
    let min_free = form.optional("min_free", size)?;
    let is_late = match warn_free.zip(min_free) {
        Some((Size::Bytes(warn), Size::Bytes(min))) => warn < min,
        Some((Size::Percent(warn), Size::Percent(min))) => warn < min,
        _ => false,
    };
    if is_late {
        let found = mistake("the warning would come after the failure", "set it above `min_free`");
        return Err(vec![found.within(Step::Key("warn_free".to_owned()))]);
    }
    Ok(Box::new(Disk {
        path: form.or("path", PathBuf::from(ROOT), file)?,
        limits: Limits {
            warn_free: warn_free.unwrap_or(WARN_FREE),
            min_free: min_free.unwrap_or(MIN_FREE),
            min_free_inodes: form.optional("min_free_inodes", number)?,
        },
        is_mount_point: form.or("mount_point", false, boolean)?,
        looking: Aside::default(),
    }))
}

impl Disk {
    async fn run(&self, trace: &Trace) -> Result<String, Failure> {
        trace.step("waiting for the disk: a network drive hangs while its server is away");
        let (path, is_mount_point) = (self.path.clone(), self.is_mount_point);
        let space = self.looking.run(move |()| look(&path, is_mount_point)).await;
        let space = space.and_then(|space| space).map_err(Failure::NoAnswer)?;
        self.limits
            .judge(&space, trace)
            .map_err(|missing| Failure::Unexpected(format!("{missing} ({})", shown(&self.path))))
    }
}

fn look(path: &Path, is_mount_point: bool) -> Result<Space, String> {
    let failed = |error: io::Error| cannot_look(path, &error);
    if is_mount_point && !os::is_mount_point(path).map_err(failed)? {
        return Err(format!("no disk is mounted at `{}`", shown(path)));
    }
    let space = os::space(path).map_err(failed)?;
    if space.usable() == 0 {
        return Err(format!("`{}` is on no disk, but made up by the system", shown(path)));
    }
    Ok(space)
}

fn cannot_look(path: &Path, error: &io::Error) -> String {
    let path = shown(path);
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            format!("`{path}` does not exist: check `path`, or is its disk not mounted?")
        }
        io::ErrorKind::PermissionDenied => format!("not allowed to look at `{path}`"),
        _ => format!("cannot look at `{path}`: {}", clean(&error.to_string())),
    }
}

fn shown(path: &Path) -> String {
    clean(&path.to_string_lossy())
}

impl Limits {
    /// Holds the space against the limits.
    ///
    /// 1. Less than `min_free` is a failure; else fewer inodes than
    ///    `min_free_inodes`, or none counted, is one.
    /// 2. Less than `warn_free` is a warning.
    fn judge(&self, space: &Space, trace: &Trace) -> Result<String, String> {
        let used = Measurement {
            degraded_at: space.used_limit(self.warn_free),
            unhealthy_at: space.used_limit(self.min_free),
            ..Measurement::new("used", 100.0 - space.percent_free(), "%")
        };
        trace.measure(used);
        trace.measure(Measurement::new("free", space.available as f64, "B"));
        trace.note("size", Bytes(space.usable()));
        let free = format!(
            "{} free, {} of {}",
            percent(space.percent_free()),
            Bytes(space.available),
            Bytes(space.usable())
        );
        if space.is_below(self.min_free) {
            return Err(format!("{free}, at least {} expected", self.min_free));
        }
        self.judge_inodes(space.inodes, trace)?;
        if space.is_below(self.warn_free) {
            trace.warn(format!("below {}", self.warn_free));
        }
        Ok(free)
    }

    fn judge_inodes(&self, inodes: Option<Inodes>, trace: &Trace) -> Result<(), String> {
        let free = inodes.map(|inodes| share(inodes.available, inodes.total));
        if let Some(free) = free {
            let unhealthy_at = self.min_free_inodes.map(|min| 100.0 - min);
            let used = Measurement::new("inodes used", 100.0 - free, "%");
            trace.measure(Measurement { unhealthy_at, ..used });
        }
        match (self.min_free_inodes, free) {
            (Some(min), Some(free)) if free < min => {
                Err(format!("{} of the inodes free, at least {min} % expected", percent(free)))
            }
            (Some(_), None) => {
                Err("its file system counts no inodes: leave `min_free_inodes` out".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl Probe for Disk {
    fn check<'a>(&'a self, timeout: Duration, _: &'a Context) -> Checking<'a> {
        let run = move |trace: Arc<Trace>| async move { self.run(&trace).await };
        Box::pin(Trace::observe(self.host(), 0, timeout, run))
    }

    fn target(&self) -> String {
        shown(&self.path)
    }

    fn host(&self) -> &'static str {
        "localhost"
    }
}

#[cfg(test)]
mod tests {
    use health::{Observation, Outcome};
    use serde_json::{Value, json};

    use super::*;

    const GIB: u64 = 1 << 30;

    fn space(available: u64) -> Space {
        // 10 of 110 GiB are the administrator's.
        Space { total: 110 * GIB, free: available + 10 * GIB, available, inodes: None }
    }

    async fn judged(space: Space, limits: Limits) -> Observation {
        let timeout = Duration::from_secs(60);
        let judging = Trace::observe("localhost", 0, timeout, |trace| async move {
            limits.judge(&space, &trace).map_err(Failure::Unexpected)
        });
        judging.await
    }

    fn limits(min_free_inodes: Option<f64>) -> Limits {
        Limits { warn_free: WARN_FREE, min_free: MIN_FREE, min_free_inodes }
    }

    #[tokio::test]
    async fn free_space_is_held_against_the_limits() {
        let healthy = |text: &str| Outcome::Healthy(text.to_owned());
        let degraded = |text: &str| Outcome::Degraded(text.to_owned());
        let unhealthy = |text: &str| Outcome::Unhealthy(text.to_owned());
        let bytes = Limits {
            warn_free: Size::Bytes(50 * GIB),
            min_free: Size::Bytes(20 * GIB),
            min_free_inodes: None,
        };
        for (available, limits, outcome) in [
            (100 * GIB, limits(None), healthy("100 % free, 100 GiB of 100 GiB")),
            (10 * GIB, limits(None), healthy("10 % free, 10 GiB of 100 GiB")),
            (10 * GIB - 1, limits(None), degraded("9.9 % free, 10 GiB of 100 GiB, but below 10 %")),
            (5 * GIB, limits(None), degraded("5 % free, 5 GiB of 100 GiB, but below 10 %")),
            (
                5 * GIB - 1,
                limits(None),
                unhealthy("4.9 % free, 5 GiB of 100 GiB, at least 5 % expected"),
            ),
            (0, limits(None), unhealthy("0 % free, 0 B of 100 GiB, at least 5 % expected")),
            (30 * GIB, bytes, degraded("30 % free, 30 GiB of 100 GiB, but below 50 GiB")),
            (19 * GIB, bytes, unhealthy("19 % free, 19 GiB of 100 GiB, at least 20 GiB expected")),
        ] {
            assert_eq!(judged(space(available), limits).await.outcome, outcome);
        }
    }

    #[tokio::test]
    async fn what_is_measured_has_the_limits() {
        let limits = Limits { warn_free: Size::Bytes(20 * GIB), ..limits(Some(25.0)) };
        let inodes = Some(Inodes { total: 8, available: 4 });
        let seen = judged(Space { inodes, ..space(40 * GIB) }, limits).await;
        let told = seen
            .measurements
            .iter()
            .map(|m| (m.name.as_str(), m.value, m.unit.as_str(), m.degraded_at, m.unhealthy_at));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                ("used", 60.0, "%", Some(80.0), Some(95.0)),
                ("free", 42_949_672_960.0, "B", None, None),
                ("inodes used", 50.0, "%", None, Some(75.0)),
            ]
        );
        assert_eq!(seen.metadata["size"], "100 GiB");
        // More than there is: no chart has it.
        assert_eq!(space(GIB).used_limit(Size::Bytes(200 * GIB)), None);
    }

    #[tokio::test]
    async fn inodes() {
        let with = |inodes| Space { inodes, ..space(50 * GIB) };
        let few = with(Some(Inodes { total: 1000, available: 1 }));
        let message = "0.1 % of the inodes free, at least 2 % expected".to_owned();
        let seen = judged(few, limits(Some(2.0))).await;
        assert_eq!(seen.outcome, Outcome::Unhealthy(message));
        assert!(matches!(judged(few, limits(None)).await.outcome, Outcome::Healthy(_)));
        let message = "its file system counts no inodes: leave `min_free_inodes` out".to_owned();
        let seen = judged(with(None), limits(Some(2.0))).await;
        assert_eq!(seen.outcome, Outcome::Unhealthy(message));
    }

    #[tokio::test]
    async fn a_disk_that_hangs_is_told_and_waited_for_once() {
        let disk = Disk {
            path: PathBuf::from(ROOT),
            limits: Limits {
                warn_free: Size::Percent(0.0),
                min_free: Size::Percent(0.0),
                min_free_inodes: None,
            },
            is_mount_point: false,
            looking: Aside::default(),
        };
        let (let_go, held) = std::sync::mpsc::channel::<()>();
        let (begun, begins) = tokio::sync::oneshot::channel();
        tokio::select! {
            _ = disk.looking.run(move |()| (begun.send(()), held.recv())) => panic!("it hangs"),
            begun = begins => begun.expect("it begins"),
        }
        let context = Context::default();
        let message = "timed out after 20 ms, waiting for the disk: a network drive hangs while \
                       its server is away";
        for _ in 0..3 {
            let seen = disk.check(Duration::from_millis(20), &context).await;
            assert_eq!(seen.outcome, Outcome::Unhealthy(message.to_owned()));
        }
        let_go.send(()).expect("it waits");
        let seen = disk.check(Duration::from_secs(60), &context).await;
        assert!(matches!(seen.outcome, Outcome::Healthy(_)), "{seen:?}");
    }

    #[test]
    fn mistakes() {
        let mistake = |values: Value| {
            let found = probe(values.as_object().expect("a table")).err().expect("a mistake");
            found[0].message.clone()
        };
        let late = "the warning would come after the failure";
        assert_eq!(mistake(json!({"warn_free": "5%", "min_free": 10})), late);
        assert_eq!(mistake(json!({"warn_free": "1 GB", "min_free": "1 GiB"})), late);
        assert_eq!(mistake(json!({"path": "var"})), "`var` is not a full path");
        assert_eq!(mistake(json!({"min_free": "20 G"})), "`20 G` is not a size");
    }
}
