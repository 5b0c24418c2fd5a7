//! config.toml and the types it stands for: parse, validate, edit in place.
//!
//! One set of rules (`validate`) judges a service, whether its keys come from
//! the file or from the settings form; `parse` adds where in the file a
//! mistake is, `form` says it per field. Edits ([`Document`]) change only what
//! they must of the text.

mod document;
mod file;
mod form;
mod keychain;
mod parse;
mod place;
mod problem;
mod schema;
mod secrets;
mod service;
mod settings;
mod toml;
mod validate;
mod words;

pub use document::{Document, EditError};
pub use file::{LoadError, Loaded, MAX_BYTES, SaveError, load, promised, save};
pub use form::{FormProblem, Review, review, service_from_values};
pub use keychain::KeychainError;
pub use problem::{Invalid, Problem};
pub use schema::{FormSchema, IDENTITY, KindSchema, PresetSchema, TIMING, TierSchema, form_schema};
pub use secrets::{Environment, Secrets};
pub use service::{Config, Service};
pub use settings::{CONNECTIVITY_TARGETS, Preferences, SETTINGS, Settings, Theme};
