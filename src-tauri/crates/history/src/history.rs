use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use crate::open::{OpenError, Recovered, open_writable};
use crate::options::Options;
use crate::reader::Reader;
use crate::writer::{Problem, Writer};

/// The history of one data folder, open for writing. Dropping it writes what
/// is still waiting.
#[derive(Debug)]
pub struct History {
    folder: PathBuf,
    writer: Writer,
    thread: Option<JoinHandle<Result<(), Problem>>>,
}

impl History {
    /// Opens `history.db` in the data folder; makes folder (mode 0700) and file
    /// (0600) where missing. An unreadable file is set aside, never deleted,
    /// and a new one begun: [`Recovered`] says so.
    ///
    /// # Errors
    /// When the folder cannot be written, the file is locked or from a newer
    /// release.
    pub fn open(data_dir: &Path) -> Result<(Self, Option<Recovered>), OpenError> {
        Self::open_with(data_dir, Options::default())
    }

    /// [`History::open`] with other retention, time zone or clock.
    ///
    /// # Errors
    /// As [`History::open`].
    pub fn open_with(
        data_dir: &Path,
        options: Options,
    ) -> Result<(Self, Option<Recovered>), OpenError> {
        let (conn, recovered) = open_writable(data_dir, (options.clock)())?;
        let (writer, thread) =
            Writer::spawn(conn, options).map_err(|error| OpenError::no_thread(data_dir, &error))?;
        let history = Self { folder: data_dir.to_owned(), writer, thread: Some(thread) };
        Ok((history, recovered))
    }

    /// A handle for writing.
    pub fn writer(&self) -> Writer {
        self.writer.clone()
    }

    /// A connection for questions.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub fn reader(&self) -> Result<Reader, OpenError> {
        Reader::open(&self.folder)
    }

    /// Writes what is waiting and closes the database. Handles that are still
    /// around write nothing from here on.
    ///
    /// # Errors
    /// When the rest could not be written; it is lost.
    pub fn close(mut self) -> Result<(), Problem> {
        self.finish()
    }

    fn finish(&mut self) -> Result<(), Problem> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        self.writer.close();
        thread.join().unwrap_or_else(|_| Err(Problem::closed()))
    }
}

impl Drop for History {
    fn drop(&mut self) {
        if let Err(problem) = self.finish() {
            tracing::error!(%problem, "the end of the history was not written");
        }
    }
}
