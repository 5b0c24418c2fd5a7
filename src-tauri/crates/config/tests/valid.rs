//! What a good config.toml means.

use std::time::Duration;

use config::{Config, Environment, Invalid, Problem, Service, Settings, Theme};
use health::{ServiceId, Thresholds};
use probe::Kind;

fn environment() -> Environment {
    Environment::new(
        |name| (name == "TOKEN").then(|| "s3cret".to_owned()),
        |_| Ok("from the chain".to_owned()),
    )
}

fn parse(text: &str) -> Result<(Config, Vec<Problem>), Invalid> {
    Config::parse("config.toml", text, &environment())
}

fn config(text: &str) -> Config {
    parse(text).unwrap_or_else(|invalid| panic!("{invalid}")).0
}

fn warnings(text: &str) -> Vec<String> {
    let (_, warnings) = parse(text).unwrap_or_else(|invalid| panic!("{invalid}"));
    warnings.iter().map(ToString::to_string).collect()
}

/// A service with these keys besides those it must have.
fn service(keys: &str) -> Service {
    let text = format!(
        "[[service]]\nid = \"db\"\ncheck = \"tcp\"\nhost = \"localhost\"\nport = 5432\n{keys}"
    );
    config(&text).services.remove(0)
}

fn millis(service: &Service) -> (Option<u128>, Option<u128>, u128) {
    let Thresholds { degraded_above, unhealthy_above, timeout } = service.thresholds;
    (
        degraded_above.map(|d| d.as_millis()),
        unhealthy_above.map(|d| d.as_millis()),
        timeout.as_millis(),
    )
}

const EXAMPLE: &str = r#"
[[service]]
id = "api"                      # [a-z0-9-]+, stable: history hangs on it, a rename keeps it
name = "API Gateway"
group = "Edge"
check = "http"                  # the kind; its own keys follow
url = "https://api.example.com/health"
expect_status = ["200-299"]     # numbers and ranges; default 200-299
expect_json = [{ path = "$.status", equals = "ok" }]
preset = "internal-http"
tier = "critical"
depends_on = ["user", "auth"]
fail_after = 3

[[service]]
id = "postgres"
name = "PostgreSQL"
check = "tcp"
host = "db.internal"
port = 5432
preset = "database"
"#;

#[test]
fn the_example_lacks_two_services() {
    let invalid = parse(EXAMPLE).expect_err("two dependencies are missing");
    assert_eq!(
        invalid.lines(),
        [
            "config.toml:12:15: there is no service `user` (the other services are `postgres`)",
            "config.toml:12:23: there is no service `auth` (the other services are `postgres`)",
        ]
    );
    let problem = &invalid.problems()[1];
    assert_eq!(
        (problem.service.as_deref(), problem.field.as_str()),
        (Some("api"), "depends_on[1]")
    );
    let json = serde_json::to_value(problem).expect("JSON");
    assert_eq!(json["column"], 23);
    assert!(json.get("span").is_none());
}

#[test]
fn the_example_with_what_it_lacks() {
    let config = config(&EXAMPLE.replace("[\"user\", \"auth\"]", "[\"postgres\", \"postgres\"]"));
    let [api, postgres] = config.services.as_slice() else { panic!("{config:?}") };
    assert_eq!(
        (api.name.as_str(), api.group.as_deref(), api.kind),
        ("API Gateway", Some("Edge"), Kind::Http)
    );
    assert_eq!(api.values.keys().collect::<Vec<_>>(), ["url", "expect_status", "expect_json"]);
    assert_eq!((api.every, api.retry_every), (Duration::from_secs(15), Duration::from_secs(5)));
    assert_eq!(millis(api), (Some(500), Some(2000), 10_000));
    assert_eq!(api.depends_on, [ServiceId::new("postgres").expect("an id")]);
    assert_eq!(api.probe().target(), "https://api.example.com/health");
    assert_eq!(config.service(&postgres.id), Some(postgres));
    assert_eq!(postgres.probe().target(), "db.internal:5432");
    assert_eq!(config, config.clone());
    assert_ne!(api, postgres);
}

#[test]
fn what_holds_where_nothing_is_said() {
    let plain = service("");
    assert_eq!((plain.name.as_str(), plain.group.as_ref()), ("db", None));
    assert_eq!((plain.every, plain.retry_every), (Duration::from_secs(30), Duration::from_secs(5)));
    assert_eq!(millis(&plain), (Some(500), None, 3000));
    assert_eq!((plain.fail_after, plain.recover_after, plain.stable_count), (3, 2, 3));
    assert!((plain.slo_pct - 99.9).abs() < f64::EPSILON);
    assert_eq!(config(""), Config::default());
    assert_eq!(config("[settings]\n[connectivity]\n").settings, Settings::default());
}

#[test]
fn presets_tiers_and_keys_override_in_this_order() {
    assert_eq!(millis(&service("preset = \"cache\"")), (Some(50), Some(500), 3000));
    assert_eq!(
        millis(&service("preset = \"cache\"\ntimeout = \"9s\"")),
        (Some(50), Some(500), 9000)
    );
    assert_eq!(millis(&service("unhealthy_above = \"2s\"")), (Some(500), Some(2000), 3000));
    assert_eq!(service("tier = \"external\"").every, Duration::from_secs(180));
    assert_eq!(service("tier = \"external\"\nevery = \"10m\"").every, Duration::from_secs(600));
    assert_eq!(service("every = \"2s\"").retry_every, Duration::from_secs(2));
    assert_eq!(service("retry_every = \"1s\"").retry_every, Duration::from_secs(1));
    assert!((service("slo = 99").slo_pct - 99.0).abs() < f64::EPSILON);
    assert!((service("slo = \"99.95\"").slo_pct - 99.95).abs() < f64::EPSILON);
}

#[test]
fn settings_are_the_default_of_services() {
    let text = r#"
settings.fail_after = 5
connectivity = { targets = ["router.home:80"] }

[[service]]
id = "a"
check = "tcp"
host = "localhost"
port = 1
recover_after = 1
"#;
    let config = config(text);
    let service = &config.services[0];
    assert_eq!((service.fail_after, service.recover_after), (5, 1));
    assert_eq!(config.settings.connectivity_targets, ["router.home:80"]);
}

#[test]
fn every_setting_is_read() {
    let text = r#"
[settings]
theme = "light"
notifications = false
notify_recovery = false
start_at_login = true
fail_after = 4
recover_after = 5
stable_count = 6
max_in_flight = 10
max_per_host = 2
keep_raw = "1d"
keep_hours = "2d"
keep_days = "3650d"
push_address = "0.0.0.0:80"

[connectivity]
targets = []
"#;
    let day = Duration::from_secs(86_400);
    let expected = Settings {
        max_in_flight: 10,
        max_per_host: 2,
        theme: Theme::Light,
        notifications: false,
        notify_recovery: false,
        start_at_login: true,
        fail_after: 4,
        recover_after: 5,
        stable_count: 6,
        keep_raw: day,
        keep_hours: day * 2,
        keep_days: day * 3650,
        push_address: "0.0.0.0:80".parse().expect("an address"),
        connectivity_targets: Vec::new(),
    };
    assert_eq!(config(text).settings, expected);
}

#[test]
fn asking_others_too_often_is_a_warning() {
    let text = |keys: &str| {
        format!("[[service]]\nid = \"a\"\ncheck = \"http\"\nurl = \"https://example.com/\"\n{keys}")
    };
    assert_eq!(
        warnings(&text("tier = \"external\"\nevery = \"30s\"")),
        [
            "6:9: an external API is asked every 30 s (every 2 min or less often is kinder: `tier = \"external\"` is every 3 min)"
        ]
    );
    assert_eq!(warnings(&text("preset = \"external-api\"")).len(), 1);
    assert!(warnings(&text("preset = \"external-api\"\ntier = \"external\"")).is_empty());
    assert!(warnings(&text("preset = \"external-api\"\nevery = \"2m\"")).is_empty());
}

#[test]
fn a_threshold_beyond_the_timeout_is_a_warning() {
    let text = "[[service]]\nid = \"a\"\ncheck = \"tcp\"\nhost = \"localhost\"\nport = 1\nunhealthy_above = \"5s\"";
    assert_eq!(
        warnings(text),
        [
            "6:19: `unhealthy_above` (5 s) is never reached (the timeout of 3 s ends the check before)"
        ]
    );
}

#[test]
fn secrets_are_in_the_probe_and_nowhere_else() {
    let text = r#"
[[service]]
id = "api"
check = "http"
url = "https://example.com/${TOKEN}"
headers = { Authorization = "keyring:api" }
"#;
    let config = config(text);
    let service = &config.services[0];
    assert_eq!(service.values["url"], "https://example.com/${TOKEN}");
    assert_eq!(service.values["headers"]["Authorization"], "keyring:api");
    let target = service.probe().target();
    assert_eq!(service.secrets().redact(&target), "https://example.com/***");
    assert_eq!(service.secrets().redact("saw `from the chain`"), "saw `***`");
    assert!(!format!("{config:?}").contains("s3cret"));

    let other = Environment::new(|_| Some("0ther".to_owned()), |_| Ok("from the chain".to_owned()));
    let (changed, _) = Config::parse("config.toml", text, &other).expect("a config");
    assert_ne!(config, changed, "a changed secret is a changed service");
}

#[test]
fn a_mistake_is_shown_where_it_is() {
    let invalid =
        parse("[[service]]\nid = \"a\"\ncheck = \"tcp\"\nhost = \"localhost\"\nport = 0\n")
            .expect_err("port 0");
    let expected = r#"  × port 0 is out of range
   ╭─[config.toml:5:8]
 4 │ host = "localhost"
 5 │ port = 0
   ·        ─
   ╰────
  help: use a number from 1 to 65535
"#;
    assert_eq!(invalid.render(false), expected);
    assert!(invalid.render(true).contains("\u{1b}["));
    assert_eq!(
        invalid.to_string(),
        "config.toml:5:8: port 0 is out of range (use a number from 1 to 65535)"
    );
}
