//! One file per kind of check: do it once, report what was observed.
//!
//! A kind declares its keys as [`Field`]s. That one table validates
//! config.toml, makes the form in the settings and documents the kind. Adding
//! a kind is one file and one line in [`kinds!`].

#[cfg(feature = "amqp")]
mod amqp;
mod answer;
mod aside;
#[cfg(any(feature = "amqp", feature = "mqtt", feature = "nats"))]
mod broker;
mod certificate;
mod context;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "redis"))]
mod database;
mod dialogue;
mod disk;
#[cfg(feature = "dns")]
mod dns;
mod duration;
mod exec;
mod failure;
mod field;
mod group;
#[cfg(feature = "grpc")]
mod grpc;
mod http;
mod imap;
mod json;
#[cfg(test)]
mod loopback;
#[cfg(feature = "mqtt")]
mod mqtt;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "nats")]
mod nats;
mod net;
#[cfg(feature = "ping")]
mod ping;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "process")]
mod process;
mod push;
#[cfg(feature = "redis")]
mod redis;
mod security;
mod server;
mod size;
mod smtp;
mod ssh;
mod starttls;
mod stream;
mod tcp;
mod text;
mod tls;
mod trace;
mod udp;
#[cfg(feature = "websocket")]
mod websocket;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use health::{Observation, ServiceId, Thresholds};

pub use context::{Context, Listening, Received, Report};
pub use duration::{InvalidDuration, parse_duration};
pub use field::{Field, FieldError, FieldType, Section, Step, Values, check_fields};

/// A check under way.
pub type Checking<'a> = Pin<Box<dyn Future<Output = Observation> + Send + 'a>>;

/// A check that is ready to be done, any number of times.
pub trait Probe: Send + Sync {
    /// Does it once. Never fails: errors and timeouts are observations. Ends
    /// within `timeout`, and then says what it was waiting for.
    fn check<'a>(&'a self, timeout: Duration, context: &'a Context) -> Checking<'a>;

    /// What is checked, for people: `https://api.example.com/health`,
    /// `db.internal:5432`. Without credentials.
    fn target(&self) -> String;

    /// The host whose load and reachability the check shares with others.
    fn host(&self) -> &str;

    /// The services whose status decides its own.
    fn members(&self) -> &[ServiceId] {
        &[]
    }

    /// The secret under which the service reports in by itself.
    fn token(&self) -> Option<&str> {
        None
    }
}

macro_rules! kinds {
    ($($(#[$feature:meta])* $variant:ident = $name:literal in $module:ident),+ $(,)?) => {
        /// A kind of check.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[$feature])* #[doc = concat!("`check = \"", $name, "\"`")] $variant),+
        }

        impl Kind {
            /// Every kind, most used first.
            pub const ALL: &[Self] = &[$($(#[$feature])* Self::$variant),+];

            /// The name in config.toml.
            pub const fn as_str(self) -> &'static str {
                match self { $($(#[$feature])* Self::$variant => $name),+ }
            }

            /// The name for people.
            pub const fn label(self) -> &'static str {
                match self { $($(#[$feature])* Self::$variant => $module::LABEL),+ }
            }

            /// One line saying what the kind does.
            pub const fn help(self) -> &'static str {
                match self { $($(#[$feature])* Self::$variant => $module::HELP),+ }
            }

            /// The own keys of a typical service, as config.toml has them.
            pub const fn example(self) -> &'static str {
                match self { $($(#[$feature])* Self::$variant => $module::EXAMPLE),+ }
            }

            /// Its own keys, in the order a form shows them.
            pub const fn fields(self) -> &'static [Field] {
                match self { $($(#[$feature])* Self::$variant => $module::FIELDS),+ }
            }

            /// The thresholds where neither a preset nor a key sets them.
            pub const fn thresholds(self) -> Thresholds {
                match self { $($(#[$feature])* Self::$variant => $module::THRESHOLDS),+ }
            }

            /// Makes the probe from the kind's own keys, secrets resolved.
            ///
            /// # Errors
            /// Every mistake in `values`: missing keys, wrong types, values
            /// out of range. Unknown keys are the caller's to report.
            pub fn probe(self, values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
                match self { $($(#[$feature])* Self::$variant => $module::probe(values)),+ }
            }
        }
    };
}

kinds! {
    Http = "http" in http,
    #[cfg(feature = "ping")]
    Ping = "ping" in ping,
    Tcp = "tcp" in tcp,
    Udp = "udp" in udp,
    #[cfg(feature = "dns")]
    Dns = "dns" in dns,
    Tls = "tls" in certificate,
    #[cfg(feature = "websocket")]
    WebSocket = "websocket" in websocket,
    #[cfg(feature = "grpc")]
    Grpc = "grpc" in grpc,
    #[cfg(feature = "postgres")]
    Postgres = "postgres" in postgres,
    #[cfg(feature = "mysql")]
    Mysql = "mysql" in mysql,
    #[cfg(feature = "redis")]
    Redis = "redis" in redis,
    #[cfg(feature = "amqp")]
    Amqp = "amqp" in amqp,
    #[cfg(feature = "mqtt")]
    Mqtt = "mqtt" in mqtt,
    #[cfg(feature = "nats")]
    Nats = "nats" in nats,
    Ssh = "ssh" in ssh,
    Smtp = "smtp" in smtp,
    Imap = "imap" in imap,
    Exec = "exec" in exec,
    Push = "push" in push,
    Disk = "disk" in disk,
    #[cfg(feature = "process")]
    Process = "process" in process,
    Group = "group" in group,
}

impl Kind {
    /// Whether one result is no proof yet: what a service says of itself, and
    /// what follows from others that were judged, needs no confirmation.
    pub const fn needs_confirmation(self) -> bool {
        !matches!(self, Self::Push | Self::Group)
    }

    /// The kind with that name in config.toml.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}
