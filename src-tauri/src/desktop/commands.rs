//! What the window may ask for. Each command answers for the session that is
//! shown; errors are sentences for people.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use config::{Document, FormProblem, FormSchema, Preferences, Review};
use engine::{Clock, Limits, Target, check_once, with_members};
use health::{CheckResult, Objective, ServiceId, Timestamp};
use history::{Figures, MeasurementSeries, Range, ReadError, Reader, Zone};
use pilotlight::api::{About, Head, Incident, Incidents, Overview, ServiceDetail, TestReport};
use pilotlight::{Configured, Session};
use probe::Values;
use tauri::State;

use crate::app::App;

/// Results, incidents and days a service's page lists.
const RESULTS: usize = 50;
const INCIDENTS: usize = 50;
const DAYS: u32 = 30;
/// The slowest result of each hour is shown for a day.
const SLOWEST_MS: i64 = 86_400_000;
/// Resolved incidents the incidents page goes back.
const INCIDENT_DAYS: i64 = 90;

type Answer<T> = Result<T, String>;

#[tauri::command]
pub(crate) async fn overview(app: State<'_, App>) -> Answer<Overview> {
    let session = app.session();
    let problem = session.configured().borrow().problem.clone();
    let snapshot = session.engine().snapshot().await;
    let head = Head::new(&snapshot, problem, app.is_demo());
    Ok(Overview { head, services: snapshot.services.clone() })
}

#[tauri::command]
pub(crate) async fn figures(app: State<'_, App>) -> Answer<BTreeMap<ServiceId, Figures>> {
    ask(app.session(), |reader| reader.figures(Clock::system().now())).await
}

#[tauri::command]
pub(crate) async fn service(
    app: State<'_, App>,
    id: ServiceId,
    range: Range,
) -> Answer<ServiceDetail> {
    let session = app.session();
    let configured = session.configured().borrow().clone();
    let config = configured.config;
    let Some(service) = config.service(&id) else {
        return Err(format!("there is no service `{id}`"));
    };
    let edges = config.services.iter().map(|s| (&s.id, s.depends_on.as_slice()));
    let graph = health::DependencyGraph::new(edges).map_err(|error| error.to_string())?;
    let affected_by = graph.affected_by(&id).into_iter().collect();
    let (name, slo_pct) = (service.name.clone(), service.slo_pct);
    let depends_on = service.depends_on.clone();
    ask(session, move |reader| {
        let (zone, now) = (Zone::local(), Clock::system().now());
        let objective = Objective::new(slo_pct).unwrap_or_default();
        let incidents = reader.incidents_of(&id, INCIDENTS)?;
        let named = incidents.into_iter().map(|incident| {
            let affected = reader.affected_by(&incident)?;
            Ok(Incident::new(incident, name.clone(), affected))
        });
        Ok(ServiceDetail {
            latency: reader.latency(&id, range, &zone, now)?,
            uptime: reader.uptimes(&id, &zone, now, objective)?,
            slo_pct,
            days: reader.daily(&id, DAYS, &zone, now)?,
            results: reader.results(&id, RESULTS)?,
            incidents: named.collect::<Result<_, ReadError>>()?,
            depends_on,
            affected_by,
            id,
        })
    })
    .await
}

#[tauri::command]
pub(crate) async fn result(
    app: State<'_, App>,
    id: ServiceId,
    at: Timestamp,
) -> Answer<Option<CheckResult>> {
    ask(app.session(), move |reader| reader.result(&id, at)).await
}

#[tauri::command]
pub(crate) async fn slowest(app: State<'_, App>, id: ServiceId) -> Answer<Vec<CheckResult>> {
    let since = Clock::system().now() - SLOWEST_MS;
    ask(app.session(), move |reader| reader.slowest(&id, since)).await
}

#[tauri::command]
pub(crate) async fn measurements(
    app: State<'_, App>,
    id: ServiceId,
    range: Range,
) -> Answer<Vec<MeasurementSeries>> {
    let now = Clock::system().now();
    ask(app.session(), move |reader| reader.measurements(&id, range, now)).await
}

#[tauri::command]
pub(crate) async fn incidents(app: State<'_, App>) -> Answer<Incidents> {
    let session = app.session();
    let problem = session.configured().borrow().problem.clone();
    let snapshot = session.engine().snapshot().await;
    let active = Head::new(&snapshot, problem, false).incidents;
    let config = session.configured().borrow().config.clone();
    let resolved = ask(session, move |reader| {
        let since = Clock::system().now() - INCIDENT_DAYS * 86_400_000;
        let resolved =
            reader.incidents_since(since)?.into_iter().filter(|i| i.resolved_at.is_some());
        resolved
            .map(|incident| {
                let affected = reader.affected_by(&incident)?;
                let name = config
                    .service(&incident.service)
                    .map_or_else(|| incident.service.to_string(), |s| s.name.clone());
                Ok(Incident::new(incident, name, affected))
            })
            .collect()
    });
    Ok(Incidents { active, resolved: resolved.await? })
}

#[tauri::command]
pub(crate) async fn check_now(app: State<'_, App>, id: Option<ServiceId>) -> Answer<()> {
    app.session().engine().check_now(id);
    Ok(())
}

#[tauri::command]
pub(crate) async fn pause(
    app: State<'_, App>,
    id: Option<ServiceId>,
    minutes: Option<u32>,
) -> Answer<()> {
    app.session().engine().pause(id, minutes.map(lasting));
    Ok(())
}

#[tauri::command]
pub(crate) async fn resume(app: State<'_, App>, id: Option<ServiceId>) -> Answer<()> {
    app.session().engine().resume(id);
    Ok(())
}

#[tauri::command]
pub(crate) async fn mute(app: State<'_, App>, id: ServiceId, minutes: u32) -> Answer<()> {
    app.session().engine().mute(id, Some(lasting(minutes)).filter(|lasting| !lasting.is_zero()));
    Ok(())
}

fn lasting(minutes: u32) -> Duration {
    Duration::from_secs(u64::from(minutes) * 60)
}

#[tauri::command]
pub(crate) async fn form_schema(app: State<'_, App>) -> Answer<FormSchema> {
    let config = app.session().configured().borrow().config.clone();
    Ok(config::form_schema(&config.settings))
}

#[tauri::command]
pub(crate) async fn service_values(app: State<'_, App>, id: ServiceId) -> Answer<Values> {
    let configured = app.session().configured().borrow().clone();
    document(&configured)?.service_values(&id).ok_or_else(|| format!("there is no service `{id}`"))
}

fn document(configured: &Configured) -> Answer<Document> {
    Document::parse("config.toml", configured.text.as_deref().unwrap_or_default())
        .map_err(|invalid| invalid.to_string())
}

#[tauri::command]
pub(crate) async fn review_service(
    app: State<'_, App>,
    original: Option<ServiceId>,
    values: Values,
) -> Answer<Review> {
    let configured = app.session().configured().borrow().clone();
    blocking(move || {
        config::review(&values, original.as_ref(), &configured.config, &configured.environment)
    })
    .await
}

#[tauri::command]
pub(crate) async fn test_service(
    app: State<'_, App>,
    original: Option<ServiceId>,
    values: Values,
) -> Answer<TestReport> {
    let configured = app.session().configured().borrow().clone();
    let known = configured.config.clone();
    let limits = Limits::from(&known.settings);
    let service = blocking(move || {
        let Configured { config, environment, .. } = &configured;
        config::service_from_values(&values, original.as_ref(), config, environment)
    })
    .await?;
    Ok(match service {
        Err(problems) => TestReport { problems, result: None, unobserved: None },
        Ok(service) => {
            let target = |service| Arc::new(Target::from(service));
            let all: Vec<_> = known.services.iter().map(target).collect();
            let targets = with_members(vec![target(&service)], &all);
            let results = check_once(&targets, limits, Clock::system()).await;
            let (result, unobserved) = match results.into_iter().next() {
                Some((_, Ok(result))) => (Some(result), None),
                Some((_, Err(reason))) => (None, Some(reason)),
                None => (None, None),
            };
            TestReport { problems: vec![], result, unobserved }
        }
    })
}

#[tauri::command]
pub(crate) async fn save_service(
    app: State<'_, App>,
    original: Option<ServiceId>,
    values: Values,
) -> Answer<Vec<FormProblem>> {
    let reviewed = review_service(app.clone(), original.clone(), values.clone()).await?;
    if !reviewed.problems.is_empty() {
        return Ok(reviewed.problems);
    }
    let edit = |document: &mut Document| match &original {
        Some(id) => document.update_service(id, &values),
        None => document.add_service(&values),
    };
    app.session().edit(edit).await?;
    Ok(vec![])
}

#[tauri::command]
pub(crate) async fn remove_service(app: State<'_, App>, id: ServiceId) -> Answer<()> {
    Ok(app.session().edit(|document| document.remove_service(&id)).await?)
}

#[tauri::command]
pub(crate) async fn reorder_services(app: State<'_, App>, ids: Vec<ServiceId>) -> Answer<()> {
    Ok(app.session().edit(|document| document.reorder_services(&ids)).await?)
}

#[tauri::command]
pub(crate) async fn undo_edit(app: State<'_, App>) -> Answer<()> {
    Ok(app.session().undo().await?)
}

#[tauri::command]
pub(crate) async fn preferences(app: State<'_, App>) -> Answer<Preferences> {
    Ok(app.home.configured().borrow().config.settings.preferences())
}

#[tauri::command]
pub(crate) async fn save_preferences(app: State<'_, App>, preferences: Preferences) -> Answer<()> {
    let set = |document: &mut Document| {
        document.set_preferences(preferences);
        Ok(())
    };
    Ok(app.home.edit(set).await?)
}

#[tauri::command]
pub(crate) async fn about(app: State<'_, App>) -> Answer<About> {
    let session = app.session();
    let places = session.places().clone();
    let history_bytes = ask(session, |reader| Ok(reader.size_bytes())).await?;
    Ok(About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        config_file: places.config.display().to_string(),
        data_dir: places.data_dir.display().to_string(),
        history_bytes,
    })
}

#[tauri::command]
pub(crate) async fn open_config_file(app: State<'_, App>) -> Answer<()> {
    let path = app.session().places().config.clone();
    if !path.exists() {
        return Err(format!("{} does not exist yet: add a service first", path.display()));
    }
    open::that_detached(&path)
        .map_err(|error| format!("no program opens {}: {error}", path.display()))
}

#[tauri::command]
pub(crate) async fn open_data_dir(app: State<'_, App>) -> Answer<()> {
    let path = app.session().places().data_dir.clone();
    open::that_detached(&path)
        .map_err(|error| format!("no program opens {}: {error}", path.display()))
}

#[tauri::command]
pub(crate) async fn start_demo(app: State<'_, App>) -> Answer<()> {
    Ok(app.start_demo().await?)
}

#[tauri::command]
pub(crate) async fn leave_demo(app: State<'_, App>) -> Answer<()> {
    app.leave_demo().await;
    Ok(())
}

/// Asks the history, away from the threads that check.
async fn ask<T: Send + 'static>(
    session: Arc<Session>,
    question: impl FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
) -> Answer<T> {
    blocking(move || {
        let reader = session.reader()?;
        question(&reader).map_err(|error| format!("the history cannot be read: {error}"))
    })
    .await?
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Answer<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| format!("this went wrong inside: {error}"))
}
