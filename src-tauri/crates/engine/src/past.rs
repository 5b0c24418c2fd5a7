//! What of the engine survives a restart: its keys in the history stand here
//! and nowhere else.

use std::collections::{BTreeMap, VecDeque};

use health::{Incident, IncidentId, Pause, Saved, ServiceId, Timestamp};
use history::{Bar, Reader, Writer};
use probe::Report;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::snapshot::BARS;

const PAUSE_ALL: &str = "pause_all";

fn service_key(id: &ServiceId) -> String {
    format!("service/{id}")
}

fn report_key(id: &ServiceId) -> String {
    format!("report/{id}")
}

/// What is known from before, of every service there ever was: one that is not
/// watched now may be so again.
#[derive(Debug, Default)]
pub struct Past {
    /// The judgement of each service as it was saved.
    pub saved: BTreeMap<ServiceId, Saved>,
    /// The last results of each service, oldest first.
    pub bars: BTreeMap<ServiceId, VecDeque<Bar>>,
    /// The last report of each service that reports in.
    pub reports: BTreeMap<ServiceId, Arrived>,
    /// Everything was paused.
    pub pause_all: Option<Pause>,
    /// The number of the next incident.
    pub next_incident: IncidentId,
}

/// A report as it is kept over a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arrived {
    pub(crate) report: Report,
    pub(crate) at: Timestamp,
    /// No check has seen it.
    #[serde(skip)]
    pub(crate) is_new: bool,
}

impl Past {
    /// As it stands in the history. What cannot be read is as if it had never
    /// been: watching goes on without.
    pub fn load(reader: &Reader) -> Self {
        let known = reader.services().unwrap_or_default();
        let bars = reader.recent_bars(BARS).unwrap_or_default();
        Self {
            saved: of_each(reader, &known, service_key),
            reports: of_each(reader, &known, report_key),
            bars: bars.into_iter().map(|(id, bars)| (id, bars.into())).collect(),
            pause_all: read(reader, PAUSE_ALL),
            next_incident: reader.next_incident_id().unwrap_or(1),
        }
    }

    /// Ends the open incidents of services that are not watched any more, and
    /// forgets what else was known of them.
    pub fn end_all_but(
        &mut self,
        is_watched: impl Fn(&ServiceId) -> bool,
        reader: &Reader,
        writer: &Writer,
        now: Timestamp,
    ) {
        for incident in reader.active_incidents().unwrap_or_default() {
            let id = incident.service.clone();
            if !is_watched(&id) {
                self.saved.remove(&id);
                self.reports.remove(&id);
                Change::Gone(id).save(writer);
                writer.save_incident(Incident { resolved_at: Some(now), ..incident });
            }
        }
    }
}

fn of_each<T: DeserializeOwned>(
    reader: &Reader,
    known: &[ServiceId],
    key: impl Fn(&ServiceId) -> String,
) -> BTreeMap<ServiceId, T> {
    known.iter().filter_map(|id| Some((id.clone(), read(reader, &key(id))?))).collect()
}

fn read<T: DeserializeOwned>(reader: &Reader, key: &str) -> Option<T> {
    serde_json::from_value(reader.state(key).ok()??).ok()
}

/// Something that has to survive a restart changed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Service(ServiceId, Box<Saved>),
    Report(ServiceId, Box<Arrived>),
    PauseAll(Option<Pause>),
    /// The service is not watched any more.
    Gone(ServiceId),
}

impl Change {
    pub fn save(&self, writer: &Writer) {
        match self {
            Self::Service(id, saved) => save(writer, &service_key(id), saved),
            Self::Report(id, arrived) => save(writer, &report_key(id), arrived),
            Self::PauseAll(pause) => save(writer, PAUSE_ALL, pause),
            Self::Gone(id) => {
                save(writer, &service_key(id), &());
                save(writer, &report_key(id), &());
            }
        }
    }
}

fn save(writer: &Writer, key: &str, value: &impl Serialize) {
    match serde_json::to_value(value) {
        Ok(value) => writer.save_state(key, &value),
        Err(error) => tracing::error!(%error, key, "state can not be saved"),
    }
}
