use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use super::failure::{Explain, Outcome};
use super::servers::Nginx;

/// How much time a run takes for each figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As much as the figures need to be worth quoting.
    Full,
    /// Enough to see that something has become much worse.
    Quick,
}

impl Pace {
    /// The one of the two that this pace takes.
    pub const fn pick<T: Copy>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }

    /// As [`Pace::pick`], in seconds.
    pub const fn seconds(self, full: u64, quick: u64) -> Duration {
        Duration::from_secs(self.pick(full, quick))
    }
}

/// What all figures of a run share: the program, the nginx that is asked, and a
/// folder that goes with the run.
#[derive(Debug)]
pub(crate) struct Stage {
    /// What is measured.
    pub program: PathBuf,
    /// How long.
    pub pace: Pace,
    /// What is asked.
    pub nginx: Nginx,
    folder: TempDir,
    began: Instant,
}

impl Stage {
    /// Finds the program and starts nginx.
    pub async fn set(program: &Path, pace: Pace) -> Outcome<Self> {
        let program = program.canonicalize().explain(&format!(
            "there is no program {}: build it with `cargo build --release`, or name it with --program",
            program.display()
        ))?;
        let folder = tempfile::Builder::new().prefix("pilotlight-bench-").tempdir();
        let folder = folder.explain("no temporary folder to be had: make room on its disk")?;
        let nginx = Nginx::start(folder.path()).await?;
        Ok(Self { program, pace, nginx, folder, began: Instant::now() })
    }

    /// The folder of the run.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A new folder in that of the run, gone when it is dropped.
    pub fn room(&self) -> Outcome<TempDir> {
        TempDir::new_in(self.folder.path()).explain("the temporary folder cannot be written")
    }

    /// Tells whoever waits what is being done.
    pub fn say(&self, what: &str) {
        let seconds = self.began.elapsed().as_secs();
        eprintln!("{:3}:{:02}  {what}", seconds / 60, seconds % 60);
    }

    /// How long the run has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}
