use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use probe::{Field, FieldType};
use serde::{Deserialize, Serialize};

/// What holds for the whole app: `[settings]` and `[connectivity]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Checks under way at once.
    pub max_in_flight: u32,
    /// Checks of one host under way at once.
    pub max_per_host: u32,
    /// The window's colours.
    pub theme: Theme,
    /// Whether to notify at all.
    pub notifications: bool,
    /// Whether to notify when a service recovers.
    pub notify_recovery: bool,
    /// Whether to start when the person logs in.
    pub start_at_login: bool,
    /// Failures in a row that open an incident, where a service does not say.
    pub fail_after: u32,
    /// Successes in a row that resolve it, where a service does not say.
    pub recover_after: u32,
    /// Equal results in a row that change healthy <-> degraded, where a
    /// service does not say.
    pub stable_count: u32,
    /// How long every single result is kept.
    pub keep_raw: Duration,
    /// How long hourly figures are kept.
    pub keep_hours: Duration,
    /// How long daily figures are kept.
    pub keep_days: Duration,
    /// Where services that report in find this app.
    pub push_address: SocketAddr,
    /// `host:port` that answer whenever this machine is online. None: never
    /// ask, hold the services responsible.
    pub connectivity_targets: Vec<String>,
}

/// The window's colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "bindings.ts")]
pub enum Theme {
    /// As the desktop has it.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// The settings a person changes in the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub struct Preferences {
    /// The window's colours.
    pub theme: Theme,
    /// Whether to start when the person logs in.
    pub start_at_login: bool,
    /// Whether to notify at all.
    pub notifications: bool,
    /// Also announce when a service recovers.
    pub notify_recovery: bool,
}

/// Anycast resolvers of three operators, on the two ports that the fewest
/// networks block: the targets where `[connectivity]` has none.
pub const CONNECTIVITY_TARGETS: [&str; 3] = ["1.1.1.1:443", "8.8.8.8:443", "9.9.9.9:443"];

/// This machine only.
const PUSH_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7468);

const DAY: Duration = Duration::from_secs(86_400);

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_in_flight: 256,
            max_per_host: 8,
            theme: Theme::System,
            notifications: true,
            notify_recovery: true,
            start_at_login: false,
            fail_after: 3,
            recover_after: 2,
            stable_count: 3,
            keep_raw: DAY * 7,
            keep_hours: DAY * 90,
            keep_days: DAY * 1825,
            push_address: PUSH_ADDRESS,
            connectivity_targets: CONNECTIVITY_TARGETS.map(str::to_owned).into(),
        }
    }
}

impl Settings {
    /// The part that a person changes in the window.
    pub const fn preferences(&self) -> Preferences {
        Preferences {
            theme: self.theme,
            start_at_login: self.start_at_login,
            notifications: self.notifications,
            notify_recovery: self.notify_recovery,
        }
    }
}

impl Theme {
    /// The name in config.toml.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::System, Self::Light, Self::Dark].into_iter().find(|theme| theme.as_str() == name)
    }
}

const fn setting(
    key: &'static str,
    label: &'static str,
    help: &'static str,
    default: &'static str,
    value: FieldType,
) -> Field {
    Field::optional(key, label, help, value).or(default)
}

/// Failures, successes or equal results in a row.
pub(crate) const IN_A_ROW: FieldType = FieldType::Integer { min: 1, max: 100 };

/// The keys of `[settings]`.
pub const SETTINGS: &[Field] = &[
    setting(
        "theme",
        "Theme",
        "The window's colours.",
        "system",
        FieldType::Choice { of: &["system", "light", "dark"] },
    ),
    setting(
        "notifications",
        "Notifications",
        "Announce incidents on the desktop.",
        "true",
        FieldType::Boolean,
    ),
    setting(
        "notify_recovery",
        "Announce recovery",
        "Also announce when a service recovers.",
        "true",
        FieldType::Boolean,
    ),
    setting(
        "start_at_login",
        "Start at login",
        "Start when you log in.",
        "false",
        FieldType::Boolean,
    ),
    setting(
        "fail_after",
        "Down after",
        "Failures in a row, for services that do not say.",
        "3",
        IN_A_ROW,
    ),
    setting(
        "recover_after",
        "Up after",
        "Successes in a row, for services that do not say.",
        "2",
        IN_A_ROW,
    ),
    setting(
        "stable_count",
        "Stable after",
        "Equal results in a row, for services that do not say.",
        "3",
        IN_A_ROW,
    ),
    setting(
        "max_in_flight",
        "Checks at once",
        "Checks under way at the same time.",
        "256",
        FieldType::Integer { min: 1, max: 4096 },
    ),
    setting(
        "max_per_host",
        "Checks of a host at once",
        "Checks of one host under way at the same time.",
        "8",
        FieldType::Integer { min: 1, max: 1024 },
    ),
    setting(
        "keep_raw",
        "Keep results",
        "How long every single result is kept.",
        "7d",
        FieldType::Text,
    ),
    setting(
        "keep_hours",
        "Keep hours",
        "How long hourly figures are kept.",
        "90d",
        FieldType::Text,
    ),
    setting(
        "push_address",
        "Reports come to",
        "The address and port that services report to. Only this machine can by default.",
        "127.0.0.1:7468",
        FieldType::Text,
    ),
    setting("keep_days", "Keep days", "How long daily figures are kept.", "1825d", FieldType::Text),
];
