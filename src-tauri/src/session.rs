//! One running Pilotlight without its face: config, history and engine, and
//! the config kept in step with its file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use config::{Config, Document, Environment, LoadError, Loaded};
use engine::{Engine, Listener, Past, Plan, Surroundings};
use health::ServiceId;
use history::{History, Keep, Options, Reader, Recovered};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::inbox;
use crate::places::{Lock, Places};

/// How often the config file is looked at; with [`QUIET`] a change is in force
/// within two seconds.
const LOOK: Duration = Duration::from_millis(1500);
/// How long writing it may take.
const QUIET: Duration = Duration::from_millis(200);
/// How often a config that could not be used is tried again.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The config in force, and what is wrong with the file if it is newer.
#[derive(Clone)]
pub struct Configured {
    /// What is in force.
    pub config: Arc<Config>,
    /// The text it was read from; none where there is no file.
    pub text: Option<Arc<str>>,
    /// Why the file as it is now is not in force.
    pub problem: Option<String>,
    /// Where its secrets came from.
    pub environment: Arc<Environment>,
}

/// Config, history and engine of one data folder.
pub struct Session {
    places: Places,
    engine: Engine,
    history: History,
    configured: watch::Sender<Configured>,
    follow: JoinHandle<()>,
    inbox: JoinHandle<()>,
    /// The edits made through this session, the last on top.
    undo: tokio::sync::Mutex<Vec<Edit>>,
    _lock: Lock,
}

/// One edit of the config file.
struct Edit {
    before: Option<Arc<str>>,
    after: Arc<str>,
}

/// What a config with mistakes means at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistakes {
    /// An error.
    Refuse,
    /// Nothing is checked until they are corrected; somebody sees why.
    Wait,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.follow.abort();
        self.inbox.abort();
    }
}

/// A session that has just begun.
pub struct Opened {
    /// It is checking already.
    pub session: Session,
    /// Everything that happens, from the first moment on.
    pub events: Listener,
    /// What a person should know: warnings, a history that was set aside.
    pub notes: Vec<String>,
}

impl Session {
    /// Starts checking what the config says.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the config is wrong or the data folder cannot be used.
    pub fn open(places: &Places, surroundings: Surroundings) -> Result<Opened, Failure> {
        Self::begin(places, surroundings, Mistakes::Refuse)
    }

    /// [`Session::open`], but a config with mistakes only keeps it waiting:
    /// nothing is checked until they are corrected, and [`Configured`] says why.
    ///
    /// # Errors
    /// As [`Session::open`], for everything else.
    pub fn open_despite_mistakes(
        places: &Places,
        surroundings: Surroundings,
    ) -> Result<Opened, Failure> {
        Self::begin(places, surroundings, Mistakes::Wait)
    }

    fn begin(
        places: &Places,
        surroundings: Surroundings,
        mistakes: Mistakes,
    ) -> Result<Opened, Failure> {
        let environment = Arc::new(Environment::system());
        let read = stamp(&places.config);
        let (loaded, problem) = match config::load(&places.config, &environment) {
            Err(LoadError::Invalid(invalid)) if mistakes == Mistakes::Wait => {
                let nothing = Loaded { config: Config::default(), warnings: vec![], text: None };
                (nothing, Some(invalid.to_string()))
            }
            loaded => (loaded.map_err(load_failure)?, None),
        };
        let lock = places.lock()?;
        let keep = match problem {
            None => Keep {
                raw: loaded.config.settings.keep_raw,
                quarters: loaded.config.settings.keep_hours,
                days: loaded.config.settings.keep_days,
            },
            // What the person wants kept is not known.
            Some(_) => Keep::FOREVER,
        };
        let (history, recovered) =
            History::open_with(&places.data_dir, Options { keep, ..Options::default() })?;
        let mut notes: Vec<String> = loaded
            .warnings
            .iter()
            .map(|w| format!("warning: {}:{w}", places.config.display()))
            .collect();
        notes.extend(recovered.as_ref().map(recovery_note));
        let reader = history.reader()?;
        let mut past = Past::load(&reader);
        if problem.is_none() {
            let is_watched = |id: &ServiceId| loaded.config.service(id).is_some();
            past.end_all_but(is_watched, &reader, &history.writer(), engine::Clock::system().now());
        }
        let plan = Plan::from(&loaded.config);
        let (engine, events) = Engine::start(plan, past, history.writer(), surroundings);
        let configured = watch::Sender::new(Configured {
            config: Arc::new(loaded.config),
            text: loaded.text.map(Arc::from),
            problem,
            environment,
        });
        let follow =
            tokio::spawn(follow(places.config.clone(), read, configured.clone(), engine.clone()));
        let inbox = tokio::spawn(inbox::serve(configured.subscribe(), engine.clone()));
        let undo = tokio::sync::Mutex::default();
        let places = places.clone();
        let session =
            Self { places, engine, history, configured, follow, inbox, undo, _lock: lock };
        Ok(Opened { session, events, notes })
    }

    /// The running engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// A connection for questions about the past.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub fn reader(&self) -> Result<Reader, Failure> {
        Ok(self.history.reader()?)
    }

    /// The config in force, now and on every change.
    pub fn configured(&self) -> watch::Receiver<Configured> {
        self.configured.subscribe()
    }

    /// Where its files are.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Edits the config file in place and puts it in force. The text before is
    /// kept for [`Session::undo`].
    ///
    /// # Errors
    /// When the edit is not possible, would make the config invalid, or can
    /// not be written: nothing is changed then.
    pub async fn edit(
        &self,
        change: impl FnOnce(&mut Document) -> Result<(), config::EditError>,
    ) -> Result<(), Failure> {
        let mut undo = self.undo.lock().await;
        let before = self.configured.borrow().clone();
        if let Some(problem) = &before.problem {
            return Err(Failure::usage(problem.clone(), "correct the config file first"));
        }
        let name = self.places.config.display().to_string();
        let text = before.text.as_deref().unwrap_or_default();
        let mut document = Document::parse(&name, text).map_err(|e| load_failure(e.into()))?;
        change(&mut document).map_err(|error| Failure::usage(error.to_string(), ""))?;
        let after: Arc<str> = document.to_string().into();
        self.put(after.clone(), &before)?;
        undo.push(Edit { before: before.text, after });
        Ok(())
    }

    /// Takes back the last edit made through this session.
    ///
    /// # Errors
    /// When there is none, or the file has changed since.
    pub async fn undo(&self) -> Result<(), Failure> {
        let mut undo = self.undo.lock().await;
        let now = self.configured.borrow().clone();
        let Some(Edit { before, after }) = undo.last() else {
            return Err(Failure::usage("there is nothing to take back", ""));
        };
        if now.text.as_ref() != Some(after) {
            return Err(Failure::usage("the config has changed since", "edit it in the settings"));
        }
        self.put(before.clone().unwrap_or_default(), &now)?;
        undo.pop();
        Ok(())
    }

    fn put(&self, text: Arc<str>, before: &Configured) -> Result<(), Failure> {
        let name = self.places.config.display().to_string();
        let (config, _) = Config::parse(&name, &text, &before.environment)
            .map_err(|error| load_failure(error.into()))?;
        config::save(&self.places.config, &text, before.text.as_deref())
            .map_err(|error| Failure::usage(error.to_string(), ""))?;
        enforce(&self.configured, &self.engine, config, Some(text), before.environment.clone());
        Ok(())
    }

    /// Ends checking; all that was judged is on the disk then.
    pub async fn close(&self) {
        self.follow.abort();
        self.engine.stop().await;
        let writer = self.history.writer();
        let written = tokio::task::spawn_blocking(move || writer.flush_and_wait()).await;
        if let Ok(Err(problem)) = written {
            tracing::error!(%problem, "the end of the history was not written");
        }
    }
}

/// Reads the config; that there is no file yet is fine.
///
/// # Errors
/// When it cannot be read or is wrong.
pub(crate) fn load_config(path: &Path) -> Result<Loaded, Failure> {
    config::load(path, &Environment::system()).map_err(load_failure)
}

/// What a person has to know of a history that could not be read.
pub(crate) fn recovery_note(recovered: &Recovered) -> String {
    let Recovered { set_aside, reason } = recovered;
    let kept = set_aside.display();
    format!(
        "warning: the history could not be read ({reason}): a new one begins, the old one is kept as {kept}"
    )
}

/// What is wrong with the config, for people: one line a problem.
pub(crate) fn load_failure(error: LoadError) -> Failure {
    match error {
        LoadError::Invalid(invalid) => Failure::usage(
            format!("the config is not valid\n{}", invalid.lines().join("\n")),
            "`pilotlight validate` shows each place in the file",
        ),
        other => Failure::usage(other.to_string(), other.help()),
    }
}

fn enforce(
    configured: &watch::Sender<Configured>,
    engine: &Engine,
    config: Config,
    text: Option<Arc<str>>,
    environment: Arc<Environment>,
) {
    let config = config.keeping(&configured.borrow().config);
    engine.replan(Plan::from(&config));
    let config = Arc::new(config);
    configured.send_replace(Configured { config, text, problem: None, environment });
}

/// Puts each change of the file in force; a broken one keeps the last good
/// config and says what is wrong, and is looked at again: a keychain may have
/// been unlocked meanwhile.
///
/// One look at the file's stamp now and then costs less than a watcher, and sees
/// through links, replaced files and network drives.
async fn follow(
    path: PathBuf,
    mut seen: Option<Stamp>,
    configured: watch::Sender<Configured>,
    engine: Engine,
) {
    let mut looked = Instant::now();
    loop {
        tokio::time::sleep(LOOK).await;
        let broken = configured.borrow().problem.is_some();
        let now = stamp(&path);
        if now == seen && !(broken && looked.elapsed() >= LOOK_AGAIN) {
            continue;
        }
        if now != seen {
            // It may be half-written still.
            tokio::time::sleep(QUIET).await;
        }
        (seen, looked) = (stamp(&path), Instant::now());
        let environment = Arc::new(Environment::system());
        let read = {
            let (path, environment) = (path.clone(), environment.clone());
            tokio::task::spawn_blocking(move || config::load(&path, &environment)).await
        };
        let Ok(loaded) = read else { continue };
        let before = configured.borrow().clone();
        let problem = match loaded {
            Ok(Loaded { text, .. }) if vanished(&before, text.as_deref()) => {
                format!("{} is gone or empty", path.display())
            }
            Ok(Loaded { text, .. }) if text.as_deref() == before.text.as_deref() && !broken => {
                continue;
            }
            Ok(Loaded { config, text, .. }) => {
                tracing::info!(services = config.services.len(), "config reloaded");
                enforce(&configured, &engine, config, text.map(Arc::from), environment);
                continue;
            }
            Err(error) => error.to_string(),
        };
        if before.problem.as_ref() != Some(&problem) {
            tracing::warn!(problem, "the changed config is not in force");
            configured.send_modify(|now| now.problem = Some(problem));
        }
    }
}

/// The file is gone or empty where it listed services: moved, not yet mounted,
/// or half-written. Nobody removes everything that way.
fn vanished(before: &Configured, text: Option<&str>) -> bool {
    !before.config.services.is_empty() && text.is_none_or(|text| text.trim().is_empty())
}

/// What shows that a file was written, or replaced: when, how large, which one.
type Stamp = (Option<SystemTime>, u64, u64);

/// Links are followed; `None` while there is no file.
fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    let which = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let which = 0;
    Some((metadata.modified().ok(), metadata.len(), which))
}
