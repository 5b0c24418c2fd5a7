use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use health::ServiceId;

use crate::parse;
use crate::problem::{Invalid, Problem};
use crate::secrets::Environment;
use crate::service::Config;

/// No config is larger: a larger file is another one, given by mistake.
pub const MAX_BYTES: u64 = 4 << 20;

/// Symlinks followed before they count as a circle, as Linux has it.
const MAX_LINKS: usize = 40;

/// A config file, read.
#[derive(Clone, PartialEq)]
pub struct Loaded {
    /// What it says; empty where there is no file.
    pub config: Config,
    /// Allowed, but worth knowing.
    pub warnings: Vec<Problem>,
    /// The text, to be edited; none where there is no file.
    pub text: Option<String>,
}

impl fmt::Debug for Loaded {
    /// Without the text: people write passwords into it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("config", &self.config)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// Why a config file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A folder has its name.
    #[error("{} is a folder", .0.display())]
    Folder(PathBuf),
    /// The system does not let us read it.
    #[error("{} cannot be read: {}", .0.display(), .1)]
    Unreadable(PathBuf, io::Error),
    /// It is not text.
    #[error("{} is not text in UTF-8 (line {})", .0.display(), .1)]
    NotUtf8(PathBuf, usize),
    /// It is larger than [`MAX_BYTES`].
    #[error("{} is larger than 4 MiB", .0.display())]
    TooLarge(PathBuf),
    /// It is read and wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl LoadError {
    /// What would be right; with the problems themselves where it is invalid.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Folder(_) => "name the file within it, such as config.toml",
            Self::Unreadable(..) => "check who may read the file and the folders above it",
            Self::NotUtf8(..) => "save it as UTF-8",
            Self::TooLarge(_) => "check that this is the right file",
            Self::Invalid(_) => "",
        }
    }
}

/// Reads the config file. That there is none is no error but a first run.
/// Blocks, perhaps on the keychain.
///
/// # Errors
/// When the file cannot be read, or is no valid config.
pub fn load(path: &Path, environment: &Environment) -> Result<Loaded, LoadError> {
    let Some(text) = read(path)? else {
        return Ok(Loaded { config: Config::default(), warnings: Vec::new(), text: None });
    };
    let (config, warnings) = Config::parse(&path.display().to_string(), &text, environment)?;
    Ok(Loaded { config, warnings, text: Some(text) })
}

/// The share of availability that a service promises, in percent, where the
/// file says so. Everything else in the file, right or wrong, is left alone, so
/// this waits for no keychain and reads no certificates.
pub fn promised(path: &Path, id: &ServiceId) -> Option<f64> {
    parse::promised(&read(path).ok()??, id)
}

fn read(path: &Path) -> Result<Option<String>, LoadError> {
    let unreadable = |error| LoadError::Unreadable(path.to_owned(), error);
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
        Ok(metadata) if metadata.is_dir() => return Err(LoadError::Folder(path.to_owned())),
        Ok(_) => {}
    }
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(LoadError::TooLarge(path.to_owned()));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.split(|byte| *byte == b'\n').count();
            Err(LoadError::NotUtf8(path.to_owned(), line))
        }
    }
}

/// Why a config file was not written. It is then as it was.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// Somebody else has written it meanwhile.
    #[error("{} has changed on disk since it was read: nothing was saved, look at it and try again", .0.display())]
    ChangedOnDisk(PathBuf),
    /// The system does not let us write it.
    #[error("{} cannot be written: {}", .0.display(), .1)]
    Unwritable(PathBuf, io::Error),
}

/// Writes the config file: as a whole or not at all, for its owner's eyes
/// only. `edited` is the text that the new one was made from, none where
/// there was no file: if the file is not that any more, nothing is written.
///
/// 1. The file that a symlink names is written, not the link.
/// 2. The folder is made if missing, for its owner only.
/// 3. The text goes to a new file beside it, and to the disk; then the new
///    file takes the old one's place.
///
/// # Errors
/// When the file has changed, or cannot be written.
pub fn save(path: &Path, text: &str, edited: Option<&str>) -> Result<(), SaveError> {
    let unwritable = |error| SaveError::Unwritable(path.to_owned(), error);
    let target = target(path).map_err(unwritable)?;
    let on_disk = match fs::read(&target) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unwritable(error)),
    };
    if on_disk.as_deref() != edited.map(str::as_bytes) {
        return Err(SaveError::ChangedOnDisk(path.to_owned()));
    }
    replace(&target, text).map_err(unwritable)
}

/// The file that `path` names, symlinks followed, whether it exists or not.
fn target(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => {
                let link = fs::read_link(&path)?;
                path = path.parent().map_or_else(|| link.clone(), |folder| folder.join(&link));
            }
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("its symlinks go round in a circle"))
}

fn replace(target: &Path, text: &str) -> io::Result<()> {
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    make_folder(folder)?;
    let mut file =
        tempfile::Builder::new().prefix(".config-").suffix(".tmp").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(target).map_err(|error| error.error)?;
    sync_folder(folder)
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// The new name reaches the disk with its folder.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
