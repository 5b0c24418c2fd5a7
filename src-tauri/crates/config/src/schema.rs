use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use health::{Preset, Thresholds, Tier};
use probe::{Field, FieldType, Kind};
use serde::Serialize;

use crate::settings::{IN_A_ROW, Settings};
use crate::words;

const KIND_NAMES: [&str; Kind::ALL.len()] = {
    let mut names = [""; Kind::ALL.len()];
    let mut n = 0;
    while n < names.len() {
        names[n] = Kind::ALL[n].as_str();
        n += 1;
    }
    names
};

const PRESET_NAMES: [&str; Preset::ALL.len()] = {
    let mut names = [""; Preset::ALL.len()];
    let mut n = 0;
    while n < names.len() {
        names[n] = Preset::ALL[n].as_str();
        n += 1;
    }
    names
};

const TIER_NAMES: [&str; Tier::ALL.len()] = {
    let mut names = [""; Tier::ALL.len()];
    let mut n = 0;
    while n < names.len() {
        names[n] = Tier::ALL[n].as_str();
        n += 1;
    }
    names
};

/// What a service of any kind is.
pub const IDENTITY: &[Field] = &[
    Field::required(
        "id",
        "Id",
        "Its stable name, of lower-case letters, digits and dashes: its history hangs on it.",
        FieldType::Text,
    ),
    Field::optional("name", "Name", "What it is called. The id if empty.", FieldType::Text),
    Field::optional("group", "Group", "What it is listed under.", FieldType::Text),
    Field::required("check", "Check", "How it is checked.", FieldType::Choice { of: &KIND_NAMES }),
    Field::optional(
        "depends_on",
        "Depends on",
        "What it needs to work: an outage there explains one here.",
        FieldType::Services,
    ),
];

/// When a service of any kind is checked, and how its results are judged.
pub const TIMING: &[Field] = &[
    Field::optional(
        "preset",
        "Preset",
        "Thresholds that fit a class of services.",
        FieldType::Choice { of: &PRESET_NAMES },
    ),
    Field::optional(
        "tier",
        "Tier",
        "How often it is checked.",
        FieldType::Choice { of: &TIER_NAMES },
    )
    .or("supporting"),
    Field::optional("every", "Check every", "Overrides the tier.", FieldType::Duration),
    Field::optional(
        "retry_every",
        "Confirm every",
        "From the first failure until it is judged. 5 s, or the time between checks, if empty.",
        FieldType::Duration,
    ),
    Field::optional("timeout", "Timeout", "No answer by then is a failure.", FieldType::Duration),
    Field::optional(
        "degraded_above",
        "Degraded above",
        "Slower answers are degraded.",
        FieldType::Duration,
    ),
    Field::optional(
        "unhealthy_above",
        "Unhealthy above",
        "Slower answers are failures.",
        FieldType::Duration,
    ),
    Field::optional("fail_after", "Down after", "Failures in a row.", IN_A_ROW).or("3"),
    Field::optional("recover_after", "Up after", "Successes in a row.", IN_A_ROW).or("2"),
    Field::optional(
        "stable_count",
        "Stable after",
        "Equal results in a row that change healthy to degraded and back.",
        IN_A_ROW,
    )
    .or("3"),
    Field::optional(
        SLO,
        "Availability target",
        "The share of time promised, in percent.",
        FieldType::Text,
    )
    .or("99.9"),
];

/// The one key that is a number with decimals; as text in the form.
pub(crate) const SLO: &str = "slo";

/// The keys of a service of this kind, in the order they are written.
pub(crate) fn fields_of(kind: Option<Kind>) -> impl Iterator<Item = &'static Field> {
    let (dependencies, identity): (Vec<_>, Vec<_>) =
        IDENTITY.iter().partition(|field| field.key == "depends_on");
    let own = kind.map_or(&[][..], Kind::fields);
    identity.into_iter().chain(own).chain(TIMING).chain(dependencies)
}

/// What the form of a service is made of.
#[derive(Debug, Clone, PartialEq, Serialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub struct FormSchema {
    /// name, group, `depends_on`, … of every kind.
    pub identity: &'static [Field],
    /// every, timeout, `degraded_above`, … of every kind.
    pub timing: &'static [Field],
    /// Every kind of check, most used first.
    pub kinds: Vec<KindSchema>,
    /// Every preset, fastest first.
    pub presets: Vec<PresetSchema>,
    /// Every tier, most frequent first.
    pub tiers: Vec<TierSchema>,
    /// How a service reports in, for a shell; `{token}` stands for its token.
    pub push_command: String,
}

/// A kind of check, for the form.
#[derive(Debug, Clone, PartialEq, Serialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts", rename = "Kind")]
pub struct KindSchema {
    /// The name in config.toml.
    pub id: &'static str,
    /// The name for people.
    pub label: &'static str,
    /// One line saying what it does.
    pub help: &'static str,
    /// Its own keys.
    pub fields: &'static [Field],
}

/// A preset, for the form: times as config.toml has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts", rename = "Preset")]
pub struct PresetSchema {
    /// The name in config.toml.
    pub id: &'static str,
    /// The name for people.
    pub label: &'static str,
    /// Slower is degraded.
    pub degraded_above: String,
    /// Slower is unhealthy.
    pub unhealthy_above: String,
    /// No answer by then is a failure.
    pub timeout: String,
}

/// A tier, for the form: times as config.toml has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts", rename = "Tier")]
pub struct TierSchema {
    /// The name in config.toml.
    pub id: &'static str,
    /// The name for people.
    pub label: &'static str,
    /// The time from one check to the next.
    pub every: String,
}

/// What the form of a service is made of.
pub fn form_schema(settings: &Settings) -> FormSchema {
    FormSchema {
        identity: IDENTITY,
        timing: TIMING,
        kinds: Kind::ALL.iter().copied().map(kind_schema).collect(),
        presets: Preset::ALL.into_iter().map(preset_schema).collect(),
        tiers: Tier::ALL.into_iter().map(tier_schema).collect(),
        push_command: push_command(settings.push_address),
    }
}

/// Double quotes, so that a token may be a variable of the shell.
fn push_command(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("curl -fsS \"http://{address}/push/{{token}}\"")
}

fn kind_schema(kind: Kind) -> KindSchema {
    KindSchema { id: kind.as_str(), label: kind.label(), help: kind.help(), fields: kind.fields() }
}

fn preset_schema(preset: Preset) -> PresetSchema {
    let Thresholds { degraded_above, unhealthy_above, timeout } = Thresholds::of(preset);
    PresetSchema {
        id: preset.as_str(),
        label: preset.label(),
        degraded_above: degraded_above.map(words::notation).unwrap_or_default(),
        unhealthy_above: unhealthy_above.map(words::notation).unwrap_or_default(),
        timeout: words::notation(timeout),
    }
}

fn tier_schema(tier: Tier) -> TierSchema {
    TierSchema { id: tier.as_str(), label: tier.label(), every: words::notation(tier.every()) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_kind_takes_a_common_key() {
        for kind in Kind::ALL {
            let keys: Vec<_> = fields_of(Some(*kind)).map(|field| field.key).collect();
            let distinct: BTreeSet<_> = keys.iter().collect();
            assert_eq!(keys.len(), distinct.len(), "{kind:?}: {keys:?}");
        }
    }

    #[test]
    fn the_form_knows_every_preset_and_tier() {
        let schema = form_schema(&Settings::default());
        assert_eq!(schema.push_command, "curl -fsS \"http://127.0.0.1:7468/push/{token}\"");
        assert_eq!(schema.presets[2].unhealthy_above, "2s");
        assert_eq!(schema.tiers[2].every, "3m");
        assert_eq!(schema.kinds.len(), Kind::ALL.len());
    }
}
