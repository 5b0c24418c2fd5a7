use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use health::{Preset, ServiceId, Thresholds, Tier};
use probe::{Field, FieldType, Kind, Step, Values};
use serde_json::Value;

use crate::place::Finding;
use crate::schema::{IDENTITY, SLO, TIMING, fields_of};
use crate::secrets::{self, Environment};
use crate::service::{Check, Service};
use crate::settings::{SETTINGS, Settings, Theme};
use crate::words;

const EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(604_800));
const RETRY_EVERY: (Duration, Duration) = (Duration::from_millis(100), EVERY.1);
const TIMEOUT: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(600));
const THRESHOLD: (Duration, Duration) = (Duration::from_millis(1), TIMEOUT.1);
const DAY: Duration = Duration::from_secs(86_400);
const KEEP_DAYS: (u32, u32) = (1, 36_500);

const CONFIRM_WITHIN: Duration = Duration::from_secs(5);
/// Asking somebody else's API more often is impolite, and often paid for.
const EXTERNAL_AT_MOST_EVERY: Duration = Duration::from_secs(120);

/// What a service is judged against besides its own keys.
pub(crate) struct Around<'a> {
    pub(crate) settings: &'a Settings,
    /// Every service's id: what can be depended on.
    pub(crate) known: &'a BTreeSet<String>,
    /// The ids that are no longer free, and who has them: "line 3".
    pub(crate) taken: &'a BTreeMap<String, String>,
    pub(crate) environment: &'a Environment,
    /// What each group is made of.
    pub(crate) groups: &'a Groups,
    /// The tokens that services report under already, and whose they are.
    pub(crate) tokens: &'a BTreeMap<String, ServiceId>,
}

/// The members of each group, by the groups' ids.
pub(crate) type Groups = BTreeMap<String, BTreeSet<String>>;

impl Around<'_> {
    /// Whether `group` has `member` in it, at whatever depth.
    fn is_made_of(&self, group: &ServiceId, member: &ServiceId) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![group.as_str()];
        while let Some(id) = open.pop() {
            if id == member.as_str() {
                return true;
            }
            if seen.insert(id) {
                open.extend(self.groups.get(id).into_iter().flatten().map(String::as_str));
            }
        }
        false
    }
}

/// The members that a service's keys name, if it is a group, and its id.
pub(crate) fn group(values: &Values) -> Option<(String, BTreeSet<String>)> {
    let kind = Kind::from_name(text(values, "check")?)?;
    let field = kind.fields().iter().find(|field| field.value == FieldType::Services)?;
    let members = values.get(field.key)?.as_array()?;
    let members = members.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    Some((text(values, "id")?.to_owned(), members))
}

/// What came of a service's keys.
pub(crate) struct Checked {
    /// There is one only if there are no problems.
    pub(crate) service: Option<Service>,
    /// What would hold, as far as it can be told.
    pub(crate) timing: Timing,
    pub(crate) problems: Vec<Finding>,
    pub(crate) warnings: Vec<Finding>,
}

/// When a service is checked, and how its results are judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Timing {
    pub(crate) every: Duration,
    pub(crate) retry_every: Duration,
    pub(crate) thresholds: Thresholds,
    pub(crate) fail_after: u32,
    pub(crate) recover_after: u32,
    pub(crate) stable_count: u32,
    pub(crate) slo_pct: f64,
}

/// Judges the keys of one service, and says everything that is wrong.
pub(crate) fn service(values: &Values, around: &Around<'_>) -> Checked {
    let mut table = Table::new(values);
    let kind = kind(&mut table);
    unknown_service_keys(&mut table, kind);
    table.check(IDENTITY.iter().filter(|field| field.key != "check"));
    table.check(TIMING.iter().filter(|field| field.key != SLO));
    let id = id(&mut table, around);
    let mut depends_on = services(&mut table, "depends_on", id.as_ref(), around);
    for member in members(&mut table, kind, id.as_ref(), around) {
        if !depends_on.contains(&member) {
            depends_on.push(member);
        }
    }
    let timing = timing(&mut table, kind, around.settings);
    let check = kind.and_then(|kind| check(&mut table, kind, around.environment));
    let token = check.as_ref().and_then(|check| check.probe.token());
    if let Some(other) = token.and_then(|token| around.tokens.get(token)) {
        table.problems.push(Finding::value(
            "token",
            format!("`{other}` reports under this token"),
            "give each service a token of its own",
        ));
    }
    let Table { problems, warnings, .. } = table;
    let service = match (id, kind, check) {
        (Some(id), Some(kind), Some(check)) if problems.is_empty() => Some(Service {
            name: text(values, "name").unwrap_or(id.as_str()).to_owned(),
            id,
            group: text(values, "group").map(str::to_owned),
            kind,
            values: own_values(values, kind),
            every: timing.every,
            retry_every: timing.retry_every,
            thresholds: timing.thresholds,
            fail_after: timing.fail_after,
            recover_after: timing.recover_after,
            stable_count: timing.stable_count,
            slo_pct: timing.slo_pct,
            depends_on,
            check,
        }),
        _ => None,
    };
    Checked { service, timing, problems, warnings }
}

/// Judges the keys of `[settings]`; the connectivity targets are left at
/// their default.
pub(crate) fn settings(values: &Values) -> (Settings, Vec<Finding>) {
    let mut table = Table::new(values);
    unknown_keys(&mut table, "[settings]", SETTINGS.iter().map(|field| field.key));
    table.check(SETTINGS.iter());
    let default = Settings::default();
    let settings = Settings {
        max_in_flight: table.count("max_in_flight").unwrap_or(default.max_in_flight),
        max_per_host: table.count("max_per_host").unwrap_or(default.max_per_host),
        theme: table
            .sound("theme")
            .and_then(Value::as_str)
            .and_then(Theme::from_name)
            .unwrap_or_default(),
        notifications: table.flag("notifications").unwrap_or(default.notifications),
        notify_recovery: table.flag("notify_recovery").unwrap_or(default.notify_recovery),
        start_at_login: table.flag("start_at_login").unwrap_or(default.start_at_login),
        fail_after: table.count("fail_after").unwrap_or(default.fail_after),
        recover_after: table.count("recover_after").unwrap_or(default.recover_after),
        stable_count: table.count("stable_count").unwrap_or(default.stable_count),
        keep_raw: table.days("keep_raw").unwrap_or(default.keep_raw),
        keep_hours: table.days("keep_hours").unwrap_or(default.keep_hours),
        keep_days: table.days("keep_days").unwrap_or(default.keep_days),
        push_address: table.address("push_address").unwrap_or(default.push_address),
        connectivity_targets: default.connectivity_targets,
    };
    (settings, table.problems)
}

/// Judges the keys of `[connectivity]`: its targets, if it has them.
pub(crate) fn connectivity(values: &Values) -> (Option<Vec<String>>, Vec<Finding>) {
    const KEY: &str = "targets";
    const HELP: &str = "write a list of hosts with ports: [\"1.1.1.1:443\"]";
    let mut table = Table::new(values);
    unknown_keys(&mut table, "[connectivity]", [KEY]);
    let targets = match values.get(KEY) {
        None => None,
        Some(Value::Array(items)) => {
            let mut targets = Vec::new();
            for (index, item) in items.iter().enumerate() {
                if let Some(target) = item.as_str().filter(|text| is_host_and_port(text)) {
                    targets.push(target.to_owned());
                } else {
                    let path = vec![Step::Key(KEY.to_owned()), Step::Index(index)];
                    table.problems.push(Finding::at(
                        path,
                        format!("{item} is no host with a port"),
                        HELP,
                    ));
                }
            }
            Some(targets)
        }
        Some(other) => {
            table.problems.push(Finding::value(KEY, format!("{other} is no list"), HELP));
            None
        }
    };
    (targets, table.problems)
}

fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let bracketed = host.starts_with('[') && host.ends_with(']');
        url::Host::parse(host).is_ok()
            && (bracketed || !host.contains(':'))
            && port.parse().is_ok_and(|port: u16| port > 0)
    })
}

/// Keys under judgement, and what was found so far.
struct Table<'a> {
    values: &'a Values,
    problems: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl<'a> Table<'a> {
    const fn new(values: &'a Values) -> Self {
        Self { values, problems: Vec::new(), warnings: Vec::new() }
    }

    fn check<'f>(&mut self, fields: impl Iterator<Item = &'f Field>) {
        let fields: Vec<Field> = fields.copied().collect();
        let errors = probe::check_fields(&fields, self.values);
        self.problems.extend(errors.into_iter().map(Finding::from));
    }

    /// The key's value, unless something is wrong with it already.
    fn sound(&self, key: &str) -> Option<&'a Value> {
        let flawed = self.problems.iter().any(|finding| finding.top_key() == Some(key));
        if flawed { None } else { self.values.get(key) }
    }

    fn is_sound_at(&self, path: &[Step]) -> bool {
        !self.problems.iter().any(|finding| finding.path == path)
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.sound(key).and_then(Value::as_bool)
    }

    fn count(&self, key: &str) -> Option<u32> {
        self.sound(key).and_then(Value::as_u64).and_then(|count| u32::try_from(count).ok())
    }

    /// An address of this machine and a port.
    fn address(&mut self, key: &str) -> Option<SocketAddr> {
        let text = self.sound(key)?.as_str()?;
        let address = text.parse().ok();
        if address.is_none() {
            self.problems.push(Finding::value(
                key,
                format!("`{text}` is no address with a port"),
                "write \"127.0.0.1:7468\", or \"0.0.0.0:7468\" to take reports from other machines",
            ));
        }
        address
    }

    /// Whole days, as `90d`: more of them than a duration may have.
    fn days(&mut self, key: &str) -> Option<Duration> {
        let text = self.sound(key).and_then(Value::as_str)?;
        let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
        if let Some(days) = days.filter(|days| (KEEP_DAYS.0..=KEEP_DAYS.1).contains(days)) {
            return Some(DAY * days);
        }
        let help = format!("write {}d to {}d", KEEP_DAYS.0, KEEP_DAYS.1);
        self.problems.push(Finding::value(key, format!("`{text}` is not a number of days"), help));
        None
    }

    fn duration(&mut self, key: &str, (min, max): (Duration, Duration)) -> Option<Duration> {
        let text = self.sound(key).and_then(Value::as_str)?;
        let duration = probe::parse_duration(text).ok()?;
        if (min..=max).contains(&duration) {
            return Some(duration);
        }
        let side = if duration < min { "short" } else { "long" };
        self.problems.push(Finding::value(
            key,
            format!("`{key}` of {} is too {side}", words::duration(duration)),
            format!("use {} to {}", words::duration(min), words::duration(max)),
        ));
        None
    }
}

fn text<'a>(values: &'a Values, key: &str) -> Option<&'a str> {
    values.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

fn kind(table: &mut Table<'_>) -> Option<Kind> {
    const KEY: &str = "check";
    let all = || Kind::ALL.iter().map(|kind| kind.as_str());
    let choose = || format!("use one of {}", words::list(all()));
    let named = table.values.get(KEY).and_then(Value::as_str).and_then(Kind::from_name);
    if named.is_some() {
        return named;
    }
    let (message, help) = match table.values.get(KEY) {
        None => ("`check` is missing".to_owned(), format!("say how to check it: {}", choose())),
        Some(Value::String(name)) => {
            let nearest = words::nearest(name, all());
            let help = nearest.map_or_else(choose, |nearest| format!("did you mean `{nearest}`?"));
            (format!("there is no check `{name}`"), help)
        }
        Some(other) => (format!("{other} is no kind of check"), choose()),
    };
    let finding = Finding::value(KEY, message, help);
    table.problems.push(finding);
    None
}

fn unknown_service_keys(table: &mut Table<'_>, kind: Option<Kind>) {
    let of_any_kind = || Kind::ALL.iter().flat_map(|kind| kind.fields()).map(|field| field.key);
    let common = || fields_of(None).map(|field| field.key);
    let Some(kind) = kind else {
        let known: BTreeSet<&str> = common().chain(of_any_kind()).collect();
        unknown_keys(table, "a service", known);
        return;
    };
    let own = || kind.fields().iter().map(|field| field.key);
    for key in table.values.keys().map(String::as_str) {
        if common().chain(own()).any(|known| known == key) {
            continue;
        }
        let owners =
            || Kind::ALL.iter().filter(|kind| kind.fields().iter().any(|field| field.key == key));
        let help = match words::nearest(key, common().chain(own())) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None if owners().next().is_some() => {
                let owners = words::list(owners().map(|kind| kind.as_str()));
                format!(
                    "it is a key of {owners}; besides those of every service `{}` has {}",
                    kind.as_str(),
                    words::list(own())
                )
            }
            None => format!(
                "besides those of every service `{}` has {}",
                kind.as_str(),
                words::list(own())
            ),
        };
        table.problems.push(Finding::key(
            key,
            format!("`{}` services have no key `{key}`", kind.as_str()),
            help,
        ));
    }
}

fn unknown_keys<'k>(table: &mut Table<'_>, owner: &str, known: impl IntoIterator<Item = &'k str>) {
    let known: Vec<&str> = known.into_iter().collect();
    for key in table.values.keys().filter(|key| !known.contains(&key.as_str())) {
        let help = words::nearest(key, known.iter().copied()).map_or_else(
            || format!("the keys are {}", words::list(known.iter().copied())),
            |nearest| format!("did you mean `{nearest}`?"),
        );
        table.problems.push(Finding::key(key, format!("{owner} has no key `{key}`"), help));
    }
}

fn id(table: &mut Table<'_>, around: &Around<'_>) -> Option<ServiceId> {
    const KEY: &str = "id";
    let id = table.sound(KEY).and_then(Value::as_str)?;
    let finding = match (ServiceId::new(id), around.taken.get(id)) {
        (Ok(id), None) => return Some(id),
        (Ok(_), Some(holder)) => Finding::value(
            KEY,
            format!("the id `{id}` is used twice"),
            format!("{holder} has it; choose another"),
        ),
        (Err(_), _) => Finding::value(KEY, format!("`{id}` is not a service id"), id_help(id)),
    };
    table.problems.push(finding);
    None
}

fn id_help(id: &str) -> String {
    let rule = "use lower-case letters, digits and `-` only";
    match words::slug(id).as_str() {
        "" => rule.to_owned(),
        slug => format!("{rule}: `{slug}`"),
    }
}

/// What the service is made of: it needs that to work.
fn members(
    table: &mut Table<'_>,
    kind: Option<Kind>,
    own: Option<&ServiceId>,
    around: &Around<'_>,
) -> Vec<ServiceId> {
    let fields = kind.map_or(&[][..], Kind::fields);
    let Some(field) = fields.iter().find(|field| field.value == FieldType::Services) else {
        return Vec::new();
    };
    let members = services(table, field.key, own, around);
    for (index, member) in members.iter().enumerate() {
        if own.is_some_and(|own| around.is_made_of(member, own)) {
            let path = vec![Step::Key(field.key.to_owned()), Step::Index(index)];
            let message = format!("`{member}` is itself made of this group");
            table.problems.push(Finding::at(path, message, "remove one of them from the other"));
        }
    }
    members
}

/// The services listed under `key`.
fn services(
    table: &mut Table<'_>,
    key: &str,
    own: Option<&ServiceId>,
    around: &Around<'_>,
) -> Vec<ServiceId> {
    let Some(Value::Array(items)) = table.values.get(key) else {
        return Vec::new();
    };
    let mut ids: Vec<ServiceId> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let path = vec![Step::Key(key.to_owned()), Step::Index(index)];
        let id = item.as_str().and_then(|name| ServiceId::new(name).ok());
        let Some(id) = id.filter(|_| table.is_sound_at(&path)) else {
            continue;
        };
        let name = id.as_str();
        if own == Some(&id) {
            let message = format!("`{name}` depends on itself");
            table.problems.push(Finding::at(path, message, "remove it from the list"));
        } else if !around.known.contains(name) {
            let help = dependency_help(name, own, around.known);
            table.problems.push(Finding::at(path, format!("there is no service `{name}`"), help));
        } else if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

fn dependency_help(name: &str, own: Option<&ServiceId>, known: &BTreeSet<String>) -> String {
    let others =
        || known.iter().map(String::as_str).filter(|id| own.is_none_or(|own| own.as_str() != *id));
    if let Some(nearest) = words::nearest(name, others()) {
        return format!("did you mean `{nearest}`?");
    }
    match words::list(others()).as_str() {
        "" => "there are no other services: add it, or remove it from the list".to_owned(),
        others => format!("the other services are {others}"),
    }
}

/// The rules, later ones winning:
/// 1. Thresholds are those of the kind, of `preset`, of the key itself.
/// 2. `every` is that of the tier `supporting`, of `tier`, of the key itself.
/// 3. `retry_every` is the smaller of 5 s and `every`, or the key itself.
/// 4. Results in a row are those of `[settings]`, 1 where the kind needs no
///    confirmation, those of the key itself.
fn timing(table: &mut Table<'_>, kind: Option<Kind>, settings: &Settings) -> Timing {
    let preset = named(table, "preset", Preset::ALL, Preset::as_str);
    let tier = named(table, "tier", Tier::ALL, Tier::as_str).unwrap_or_default();
    let every = table.duration("every", EVERY).unwrap_or(tier.every());
    external_warning(table, preset, tier, every);
    let certain = kind.is_some_and(|kind| !kind.needs_confirmation());
    let counts = ["fail_after", "recover_after", "stable_count"].map(|key| (key, table.count(key)));
    let in_a_row = |key: &str, default: u32| {
        let given = counts.iter().find(|(name, _)| *name == key).and_then(|(_, count)| *count);
        given.unwrap_or(if certain { 1 } else { default })
    };
    Timing {
        every,
        retry_every: retry_every(table, every),
        thresholds: thresholds(table, kind, preset),
        fail_after: in_a_row("fail_after", settings.fail_after),
        recover_after: in_a_row("recover_after", settings.recover_after),
        stable_count: in_a_row("stable_count", settings.stable_count),
        slo_pct: slo(table),
    }
}

fn named<T: Copy>(
    table: &Table<'_>,
    key: &str,
    all: impl IntoIterator<Item = T>,
    name: impl Fn(T) -> &'static str,
) -> Option<T> {
    let wanted = table.sound(key)?.as_str()?;
    all.into_iter().find(|item| name(*item) == wanted)
}

fn external_warning(table: &mut Table<'_>, preset: Option<Preset>, tier: Tier, every: Duration) {
    let external = tier == Tier::External || preset == Some(Preset::ExternalApi);
    if external && every < EXTERNAL_AT_MOST_EVERY {
        let key =
            ["every", "tier", "preset"].into_iter().find(|key| table.values.contains_key(*key));
        table.warnings.push(Finding::value(
            key.unwrap_or("preset"),
            format!("an external API is asked every {}", words::duration(every)),
            "every 2 min or less often is kinder: `tier = \"external\"` is every 3 min",
        ));
    }
}

fn retry_every(table: &mut Table<'_>, every: Duration) -> Duration {
    const KEY: &str = "retry_every";
    let default = CONFIRM_WITHIN.min(every);
    match table.duration(KEY, RETRY_EVERY) {
        None => default,
        Some(retry) if retry <= every => retry,
        Some(retry) => {
            table.problems.push(Finding::value(
                KEY,
                format!(
                    "`retry_every` ({}) is more than every {}",
                    words::duration(retry),
                    words::duration(every)
                ),
                "failures are confirmed sooner than the next check: use less, or leave it out",
            ));
            default
        }
    }
}

fn thresholds(table: &mut Table<'_>, kind: Option<Kind>, preset: Option<Preset>) -> Thresholds {
    let base = match (preset, kind) {
        (Some(preset), _) => Thresholds::of(preset),
        (None, Some(kind)) => kind.thresholds(),
        (None, None) => Thresholds::OTHER,
    };
    let degraded_above = table.duration("degraded_above", THRESHOLD);
    let unhealthy_above = table.duration("unhealthy_above", THRESHOLD);
    let timeout = table.duration("timeout", TIMEOUT);
    let thresholds = Thresholds {
        degraded_above: degraded_above.or(base.degraded_above),
        unhealthy_above: unhealthy_above.or(base.unhealthy_above),
        timeout: timeout.unwrap_or(base.timeout),
    };
    threshold_order(table, thresholds, degraded_above.is_some(), unhealthy_above.is_some());
    thresholds
}

fn threshold_order(
    table: &mut Table<'_>,
    thresholds: Thresholds,
    degraded_given: bool,
    unhealthy_given: bool,
) {
    let Thresholds { degraded_above, unhealthy_above, timeout } = thresholds;
    if let (Some(degraded), Some(unhealthy)) = (degraded_above, unhealthy_above)
        && unhealthy < degraded
    {
        let (key, other) = if unhealthy_given {
            ("unhealthy_above", "degraded_above")
        } else {
            ("degraded_above", "unhealthy_above")
        };
        table.problems.push(Finding::value(
            key,
            format!(
                "`unhealthy_above` ({}) is less than `degraded_above` ({})",
                words::duration(unhealthy),
                words::duration(degraded)
            ),
            format!("set `{other}` too, so that slow comes before too slow"),
        ));
    }
    for (key, above, given) in [
        ("degraded_above", degraded_above, degraded_given),
        ("unhealthy_above", unhealthy_above, unhealthy_given),
    ] {
        if let Some(above) = above.filter(|above| given && *above >= timeout) {
            table.warnings.push(Finding::value(
                key,
                format!("`{key}` ({}) is never reached", words::duration(above)),
                format!("the timeout of {} ends the check before", words::duration(timeout)),
            ));
        }
    }
}

const DEFAULT_SLO: f64 = 99.9;

fn slo(table: &mut Table<'_>) -> f64 {
    promised(table.values).unwrap_or_else(|finding| {
        table.problems.push(finding);
        DEFAULT_SLO
    })
}

/// The share of availability that a service's keys promise, in percent.
pub(crate) fn promised(values: &Values) -> Result<f64, Finding> {
    let Some(given) = values.get(SLO) else { return Ok(DEFAULT_SLO) };
    let pct = match given {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    pct.filter(|pct| *pct > 0.0 && *pct <= 100.0).ok_or_else(|| {
        Finding::value(
            SLO,
            format!("{given} is no share of availability"),
            "use a number of percent above 0, up to 100: 99.9",
        )
    })
}

fn own_values(values: &Values, kind: Kind) -> Values {
    let is_own = |key: &str| kind.fields().iter().any(|field| field.key == key);
    values
        .iter()
        .filter(|(key, _)| is_own(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Makes the probe. What a value whose secret is missing would be is unknown,
/// so nothing else is said about it.
fn check(table: &mut Table<'_>, kind: Kind, environment: &Environment) -> Option<Check> {
    let mut resolved = secrets::resolve(&own_values(table.values, kind), environment);
    resolved.keep_to_itself(kind.fields());
    let made = kind.probe(&resolved.values);
    let unresolved = |key: Option<&str>| {
        key.is_some_and(|key| {
            resolved.findings.iter().any(|finding| finding.top_key() == Some(key))
        })
    };
    let redact = |text: &str| resolved.secrets.redact(text).into_owned();
    match made {
        Ok(probe) if resolved.findings.is_empty() => {
            return Some(Check { probe: Arc::from(probe), secrets: resolved.secrets });
        }
        Ok(_) => {}
        Err(errors) => table.problems.extend(
            errors
                .into_iter()
                .map(Finding::from)
                .filter(|finding| !unresolved(finding.top_key()))
                .map(|finding| Finding {
                    message: redact(&finding.message),
                    help: redact(&finding.help),
                    ..finding
                }),
        ),
    }
    table.problems.extend(resolved.findings);
    None
}
