use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use health::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

pub(crate) const FILE: &str = "history.db";
/// Forward only: entry n takes version n to n + 1.
const MIGRATIONS: [&str; 2] =
    [include_str!("../migrations/0001.sql"), include_str!("../migrations/0002.sql")];
/// Marks the file as a history of this app.
const APPLICATION_ID: i64 = 0x504c_6f74;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// An unreadable history was set aside and a new one begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Where the unreadable file is now.
    pub set_aside: PathBuf,
    /// What was wrong with it, one line.
    pub reason: String,
}

/// The history cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Something else is where the data folder should be.
    #[error("the data folder {} is not a folder", path.display())]
    NotAFolder {
        /// The data folder.
        path: PathBuf,
    },
    /// The data folder or a file in it cannot be made or written.
    #[error("cannot write to {}: {reason}", path.display())]
    NotWritable {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Another program keeps the database locked.
    #[error("{} is locked by another program", path.display())]
    Locked {
        /// The database.
        path: PathBuf,
    },
    /// A later release wrote it.
    #[error("{} was written by a newer Pilotlight (history version {found}, this one knows {known})", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version this release knows.
        known: i64,
    },
    /// It is damaged, or no history at all.
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The database refused for another reason.
    #[error("cannot open {}: {source}", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

impl OpenError {
    pub(crate) fn no_thread(path: &Path, error: &io::Error) -> Self {
        let reason = format!("no thread for it: {error}");
        Self::NotWritable { path: path.to_owned(), reason }
    }

    /// What a person can do about it, one line.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NotAFolder { .. } => "choose another data folder, or move that file away",
            Self::NotWritable { .. } => {
                "check the owner and permissions of the data folder and the space on its disk"
            }
            Self::Locked { .. } => {
                "close what has the file open (another Pilotlight, a database browser, a backup)"
            }
            Self::Newer { .. } => "install the newer Pilotlight, or use another data folder",
            Self::Unreadable { .. } => {
                "start the app: it sets the file aside and begins a new history"
            }
            Self::Database { .. } => "check the disk and the data folder",
        }
    }
}

/// Opens the database of a data folder for writing; makes folder and file
/// where missing, sets an unreadable file aside.
pub(crate) fn open_writable(
    folder: &Path,
    now: Timestamp,
) -> Result<(Connection, Option<Recovered>), OpenError> {
    make_folder(folder)?;
    let path = folder.join(FILE);
    match connect_writable(&path) {
        Ok(conn) => Ok((conn, None)),
        Err(OpenError::Unreadable { reason, .. }) => {
            let set_aside = set_aside(&path, now)?;
            Ok((connect_writable(&path)?, Some(Recovered { set_aside, reason })))
        }
        Err(error) => Err(error),
    }
}

/// Opens the database of a data folder for questions. Where there is none the
/// answers are those of an empty history.
pub(crate) fn open_readable(folder: &Path) -> Result<Connection, OpenError> {
    if folder.exists() && !folder.is_dir() {
        return Err(OpenError::NotAFolder { path: folder.to_owned() });
    }
    let path = folder.join(FILE);
    let fault = |error| classify(&path, error);
    if !path.exists() {
        let mut conn = Connection::open_in_memory().map_err(fault)?;
        migrate(&mut conn, &path)?;
        return Ok(conn);
    }
    let conn = connect_read_only(&path)?;
    if version(&conn).map_err(fault)? < known_version() {
        drop(conn);
        connect_writable(&path)?;
        return connect_read_only(&path);
    }
    Ok(conn)
}

fn connect_read_only(path: &Path) -> Result<Connection, OpenError> {
    let fault = |error| classify(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(fault)?;
    conn.busy_timeout(BUSY_TIMEOUT).map_err(fault)?;
    check_origin(&conn, path)?;
    Ok(conn)
}

fn connect_writable(path: &Path) -> Result<Connection, OpenError> {
    make_file(path)?;
    let fault = |error| classify(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags).map_err(fault)?;
    conn.busy_timeout(BUSY_TIMEOUT).map_err(fault)?;
    conn.execute_batch("PRAGMA cell_size_check = ON").map_err(fault)?;
    check_origin(&conn, path)?;
    check_pages(&conn, path)?;
    // Nothing before this line has changed the file.
    conn.execute_batch(
        "PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = NORMAL;
         PRAGMA journal_size_limit = 4194304;
         PRAGMA foreign_keys = ON;",
    )
    .map_err(fault)?;
    migrate(&mut conn, path)?;
    Ok(conn)
}

/// The file is a history, and not from the future.
fn check_origin(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    let fault = |error| classify(path, error);
    let found = version(conn).map_err(fault)?;
    let application: i64 = pragma(conn, "application_id").map_err(fault)?;
    let tables: i64 = conn
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(fault)?;
    if application != APPLICATION_ID && (tables > 0 || found > 0) {
        let reason = "it is a database of another program".to_owned();
        return Err(OpenError::Unreadable { path: path.to_owned(), reason });
    }
    if found > known_version() {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: known_version() });
    }
    Ok(())
}

fn check_pages(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    let verdict: String = conn
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| classify(path, error))?;
    if verdict == "ok" {
        return Ok(());
    }
    let reason = verdict.split_whitespace().collect::<Vec<_>>().join(" ");
    Err(OpenError::Unreadable { path: path.to_owned(), reason })
}

fn migrate(conn: &mut Connection, path: &Path) -> Result<(), OpenError> {
    apply_migrations(conn).map_err(|error| classify(path, error))
}

fn apply_migrations(conn: &mut Connection) -> rusqlite::Result<()> {
    if version(conn)? == known_version() {
        return Ok(());
    }
    // Another process may be at it too: look again once it is our turn.
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = usize::try_from(version(&transaction)?).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", known_version())?;
    transaction.commit()
}

fn known_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

fn version(conn: &Connection) -> rusqlite::Result<i64> {
    pragma(conn, "user_version")
}

pub(crate) fn pragma(conn: &Connection, name: &str) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, name, |row| row.get(0))
}

fn classify(path: &Path, error: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            OpenError::Unreadable { path, reason: error.to_string() }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked { path },
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::DiskFull,
        ) => OpenError::NotWritable { path, reason: error.to_string() },
        _ => OpenError::Database { path, source: error },
    }
}

fn make_folder(folder: &Path) -> Result<(), OpenError> {
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(OpenError::NotAFolder { path: folder.to_owned() }),
        Err(_) => private_folder().create(folder).map_err(|error| not_writable(folder, &error)),
    }
}

fn not_writable(path: &Path, error: &io::Error) -> OpenError {
    OpenError::NotWritable { path: path.to_owned(), reason: error.to_string() }
}

fn private_folder() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// SQLite gives its -wal and -shm files the permissions of the database.
fn make_file(path: &Path) -> Result<(), OpenError> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|error| not_writable(path, &error))?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .map_err(|error| not_writable(path, &error))?;
    drop(file);
    Ok(())
}

/// Renames the database and what belongs to it, so that recovery tools still
/// find the parts together.
fn set_aside(path: &Path, now: Timestamp) -> Result<PathBuf, OpenError> {
    let target = free_name(path, now);
    for suffix in ["", "-wal", "-shm"] {
        let (from, to) = (with_suffix(path, suffix), with_suffix(&target, suffix));
        match fs::rename(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(not_writable(&from, &error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(target)
}

fn free_name(path: &Path, now: Timestamp) -> PathBuf {
    let stamp = jiff::Timestamp::from_millisecond(now.0).unwrap_or_default();
    let base = with_suffix(path, &format!(".unreadable-{}", stamp.strftime("%Y%m%dT%H%M%SZ")));
    let numbered = (2..).map(|n| with_suffix(&base, &format!("-{n}")));
    std::iter::once(base.clone()).chain(numbered).find(|name| !name.exists()).unwrap_or(base)
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
