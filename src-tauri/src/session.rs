//! One running Pilotlight without its face: config, history and engine, and
//! the config kept in step with its file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::{Config, Document, Environment, LoadError, Loaded};
use engine::{Engine, Past, Plan, Surroundings};
use health::{Event, Incident, ServiceId};
use history::{History, Keep, Options, Reader, Recovered};
use notify::{PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::places::{Lock, Places, create_private};

/// Edits come in bursts: a change on disk is looked at when it has been quiet
/// for this long.
const QUIET: Duration = Duration::from_millis(200);

/// The config in force, and what is wrong with the file if it is newer.
#[derive(Clone)]
pub(crate) struct Configured {
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
pub(crate) struct Session {
    places: Places,
    engine: Engine,
    history: History,
    configured: watch::Sender<Configured>,
    follow: JoinHandle<()>,
    /// The text before each edit made through this session, the last on top.
    undo: tokio::sync::Mutex<Vec<Option<Arc<str>>>>,
    _lock: Lock,
}

/// A session that has just begun.
pub(crate) struct Opened {
    pub session: Session,
    /// Everything that happens, from the first moment on.
    pub events: broadcast::Receiver<Event>,
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
        let environment = Arc::new(Environment::system());
        let loaded = config::load(&places.config, &environment).map_err(load_failure)?;
        let lock = places.lock()?;
        let keep = Keep {
            raw: loaded.config.settings.keep_raw,
            quarters: loaded.config.settings.keep_hours,
            days: loaded.config.settings.keep_days,
        };
        let (history, recovered) =
            History::open_with(&places.data_dir, Options { keep, ..Options::default() })?;
        let mut notes: Vec<String> = loaded
            .warnings
            .iter()
            .map(|w| format!("warning: {}:{w}", places.config.display()))
            .collect();
        notes.extend(recovered.as_ref().map(recovery_note));
        let past = past(&history, &loaded.config)?;
        let (engine, events) =
            Engine::start(Plan::from(&loaded.config), past, history.writer(), surroundings);
        let configured = watch::Sender::new(Configured {
            config: Arc::new(loaded.config),
            text: loaded.text.map(Arc::from),
            problem: None,
            environment,
        });
        let (reload, changes) = mpsc::unbounded_channel();
        let watcher = watch_file(&places.config, reload);
        let follow = follow(places.config.clone(), changes, configured.clone(), engine.clone());
        let follow = tokio::spawn(async move {
            follow.await;
            drop(watcher);
        });
        let undo = tokio::sync::Mutex::default();
        let places = places.clone();
        let session = Self { places, engine, history, configured, follow, undo, _lock: lock };
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
        let name = self.places.config.display().to_string();
        let text = before.text.as_deref().unwrap_or_default();
        let mut document = Document::parse(&name, text).map_err(|e| load_failure(e.into()))?;
        change(&mut document).map_err(|error| Failure::usage(error.to_string(), ""))?;
        self.put(document.to_string(), &before)?;
        undo.push(before.text);
        Ok(())
    }

    /// Takes back the last edit made through this session.
    ///
    /// # Errors
    /// When there is none, or the file has changed since.
    pub async fn undo(&self) -> Result<(), Failure> {
        let mut undo = self.undo.lock().await;
        let Some(text) = undo.pop() else {
            return Err(Failure::usage("there is nothing to take back", ""));
        };
        let before = self.configured.borrow().clone();
        self.put(text.as_deref().unwrap_or_default().to_owned(), &before)
    }

    fn put(&self, text: String, before: &Configured) -> Result<(), Failure> {
        let name = self.places.config.display().to_string();
        let (config, _) = Config::parse(&name, &text, &before.environment)
            .map_err(|error| load_failure(error.into()))?;
        config::save(&self.places.config, &text, before.text.as_deref())
            .map_err(|error| Failure::usage(error.to_string(), ""))?;
        enforce(
            &self.configured,
            &self.engine,
            config,
            Some(text.into()),
            before.environment.clone(),
        );
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

/// What the engine has to know from before. Open incidents of services that
/// are gone from the config end here.
fn past(history: &History, config: &Config) -> Result<Past, Failure> {
    let reader = history.reader()?;
    let saved = |id: &ServiceId| reader.state(&format!("service/{id}")).ok().flatten();
    let bars = reader.recent_bars(60).unwrap_or_default();
    let past = Past {
        saved: config
            .services
            .iter()
            .filter_map(|s| Some((s.id.clone(), serde_json::from_value(saved(&s.id)?).ok()?)))
            .collect::<BTreeMap<_, _>>(),
        bars: bars.into_iter().map(|(id, bars)| (id, bars.into())).collect(),
        pause_all: reader
            .state("pause_all")
            .ok()
            .flatten()
            .and_then(|value| serde_json::from_value(value).ok())
            .flatten(),
        next_incident: reader.next_incident_id().unwrap_or(1),
    };
    let writer = history.writer();
    for incident in reader.active_incidents().unwrap_or_default() {
        if config.service(&incident.service).is_none() {
            let now = engine::Clock::system().now();
            writer.save_incident(Incident { resolved_at: Some(now), ..incident });
        }
    }
    Ok(past)
}

fn enforce(
    configured: &watch::Sender<Configured>,
    engine: &Engine,
    config: Config,
    text: Option<Arc<str>>,
    environment: Arc<Environment>,
) {
    engine.replan(Plan::from(&config));
    let config = Arc::new(config);
    configured.send_replace(Configured { config, text, problem: None, environment });
}

/// Puts each change of the file in force; a broken one keeps the last good
/// config and says what is wrong.
async fn follow(
    path: PathBuf,
    mut changes: mpsc::UnboundedReceiver<()>,
    configured: watch::Sender<Configured>,
    engine: Engine,
) {
    while changes.recv().await.is_some() {
        while let Ok(Some(())) = tokio::time::timeout(QUIET, changes.recv()).await {}
        let environment = Arc::new(Environment::system());
        let read = {
            let (path, environment) = (path.clone(), environment.clone());
            tokio::task::spawn_blocking(move || config::load(&path, &environment)).await
        };
        let Ok(loaded) = read else { continue };
        match loaded {
            Ok(Loaded { config, text, .. }) => {
                let before = configured.borrow().clone();
                if text.as_deref() == before.text.as_deref() && before.problem.is_none() {
                    continue;
                }
                tracing::info!(services = config.services.len(), "config reloaded");
                enforce(&configured, &engine, config, text.map(Arc::from), environment);
            }
            Err(error) => {
                let problem = error.to_string();
                tracing::warn!(problem, "the changed config is not in force");
                configured.send_modify(|now| now.problem = Some(problem));
            }
        }
    }
}

/// Tells of every change in the config file's folder as long as the returned
/// watcher lives. Editors replace files, so it is the folder that has to be
/// watched; it is made where it is missing.
fn watch_file(path: &Path, tell: mpsc::UnboundedSender<()>) -> Option<Box<dyn Watcher + Send>> {
    let mut folders: Vec<PathBuf> = path.parent().map(Path::to_owned).into_iter().collect();
    // A link's target is edited where it is.
    folders.extend(path.canonicalize().ok().and_then(|target| Some(target.parent()?.to_owned())));
    folders.dedup();
    let on_change = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // The session is closing: nobody to tell.
            let _ = tell.send(());
        }
    };
    let watch = |watcher: &mut dyn Watcher| {
        folders.iter().try_for_each(|folder| {
            // Where it can not be made, watching it says why.
            let _ = create_private(folder);
            watcher.watch(folder, RecursiveMode::NonRecursive)
        })
    };
    let native = RecommendedWatcher::new(on_change.clone(), notify::Config::default())
        .and_then(|mut watcher| watch(&mut watcher).map(|()| watcher));
    let error = match native {
        Ok(watcher) => return Some(Box::new(watcher)),
        Err(error) => error,
    };
    tracing::warn!(%error, "the config folder is looked at every second instead");
    let every_second = notify::Config::default().with_poll_interval(Duration::from_secs(1));
    let mut watcher = PollWatcher::new(on_change, every_second).ok()?;
    watch(&mut watcher).ok()?;
    Some(Box::new(watcher))
}
