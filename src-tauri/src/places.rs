//! Where config, history and logs are.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use crate::failure::Failure;

/// The config file and the data folder of one Pilotlight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// config.toml, which may not exist yet.
    pub config: PathBuf,
    /// Whether a person named that file: then it is no default that may be missing.
    pub config_named: bool,
    /// Folder of history and logs, which may not exist yet.
    pub data_dir: PathBuf,
}

impl Places {
    /// Neither config nor data folder was named.
    pub fn are_default(&self) -> bool {
        Self::new(None, None).is_ok_and(|default| {
            (&default.config, &default.data_dir) == (&self.config, &self.data_dir)
        })
    }

    /// The given ones, else the platform's.
    pub(crate) fn new(config: Option<PathBuf>, data_dir: Option<PathBuf>) -> Result<Self, Failure> {
        let platform = || {
            ProjectDirs::from("dev", "Pilotlight", "pilotlight").ok_or_else(|| {
                Failure::usage(
                    "this user has no home folder",
                    "name the files with --config and --data-dir",
                )
            })
        };
        let config_named = config.is_some();
        let config = match config {
            Some(config) => config,
            None => platform()?.config_dir().join("config.toml"),
        };
        let data_dir = match data_dir {
            Some(data_dir) => data_dir,
            None => platform()?.data_local_dir().to_owned(),
        };
        Ok(Self { config, config_named, data_dir })
    }

    /// That the default config file is missing is fine; one that was named has
    /// to exist.
    pub(crate) fn require_config(&self) -> Result<(), Failure> {
        let found = fs::metadata(&self.config);
        if self.config_named && found.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Err(Failure::usage(
                format!("there is no file {}", self.config.display()),
                "name a config file that exists, or leave out --config for the default one",
            ));
        }
        Ok(())
    }

    /// A folder within the data folder, made where it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn private_folder(&self, name: &str) -> std::io::Result<PathBuf> {
        let folder = self.data_dir.join(name);
        create_private(&folder)?;
        Ok(folder)
    }

    /// Takes the data folder for this process, as long as the lock lives.
    pub(crate) fn lock(&self) -> Result<Lock, Failure> {
        let unusable = |error: std::io::Error| {
            Failure::usage(
                format!("the data folder {} cannot be used: {error}", self.data_dir.display()),
                "make it a folder you may write to, or name another one with --data-dir",
            )
        };
        create_private(&self.data_dir).map_err(unusable)?;
        let path = self.data_dir.join("lock");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // Who it is makes the message better, nothing more.
                let _ = file.read_to_string(&mut owner);
                return Err(Failure::usage(
                    format!(
                        "another Pilotlight (process {}) is using the data folder {}",
                        owner.trim(),
                        self.data_dir.display()
                    ),
                    "quit it first, or name another folder with --data-dir",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let owner = std::process::id().to_string();
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(owner.as_bytes()))
            .map_err(unusable)?;
        Ok(Lock { _file: file })
    }
}

/// The data folder belongs to this process.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Makes a folder, and those above it, for their owner's eyes only.
fn create_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
