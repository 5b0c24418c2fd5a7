//! The settings form judges by the rules of the file.

use config::{Config, Environment, review, service_from_values};
use health::ServiceId;
use probe::Values;
use serde_json::json;

const CONFIG: &str = r#"
[[service]]
id = "db"
name = "Database"
check = "tcp"
host = "localhost"
port = 5432

[[service]]
id = "api"
check = "http"
url = "http://localhost/"
depends_on = ["db"]
"#;

fn environment() -> Environment {
    Environment::new(|_| None, |_| Ok("s3cret".to_owned()))
}

fn config() -> Config {
    Config::parse("config.toml", CONFIG, &environment()).expect("a config").0
}

fn values(value: &serde_json::Value) -> Values {
    value.as_object().expect("an object").clone()
}

fn problems(value: &serde_json::Value, original: Option<&str>) -> Vec<(String, String)> {
    let original = original.map(|id| ServiceId::new(id).expect("an id"));
    let review = review(&values(value), original.as_ref(), &config(), &environment());
    review.problems.into_iter().map(|problem| (problem.field, problem.message)).collect()
}

#[test]
fn says_what_the_form_would_do() {
    let form = values(&json!({
        "id": "shop", "name": "Shop", "check": "http", "url": "https://shop.example.com/",
        "preset": "internal-http", "depends_on": ["api"], "group": null,
    }));
    let review = review(&form, None, &config(), &environment());
    assert!(review.problems.is_empty() && review.warnings.is_empty(), "{review:?}");
    assert_eq!(review.thresholds, "degraded above 500 ms · unhealthy above 2 s · timeout 10 s");
    assert_eq!(
        review.cadence,
        "checked every 30 s, down after 3 failures in a row, confirmed every 5 s: known about 10 s after the first"
    );
    let service = service_from_values(&form, None, &config(), &environment()).expect("a service");
    assert_eq!((service.name.as_str(), service.group), ("Shop", None));
}

#[test]
fn says_what_would_hold_even_if_something_is_wrong() {
    let form =
        values(&json!({ "check": "http", "every": "30s", "tier": "external", "fail_after": 1 }));
    let review = review(&form, None, &config(), &environment());
    let fields: Vec<_> = review.problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["id", "url"]);
    assert_eq!(review.thresholds, "degraded above 2 s · timeout 5 s");
    assert_eq!(review.cadence, "checked every 30 s, down at the first failure");
    assert_eq!(review.warnings.len(), 1);
}

#[test]
fn an_id_is_free_or_ones_own() {
    let form = json!({ "id": "db", "check": "tcp", "host": "localhost", "port": 5433 });
    assert!(problems(&form, Some("db")).is_empty());
    let taken = [("id".to_owned(), "the id `db` is used twice".to_owned())];
    assert_eq!(problems(&form, None), taken);
    assert_eq!(problems(&form, Some("api")), taken);
}

#[test]
fn dependencies_are_the_other_services() {
    let form = |ids: serde_json::Value| json!({ "id": "data", "check": "tcp", "host": "localhost", "port": 1, "depends_on": ids });
    assert!(problems(&form(json!(["api"])), Some("db")).is_empty());
    let gone = [("depends_on".to_owned(), "there is no service `db`".to_owned())];
    assert_eq!(problems(&form(json!(["db"])), Some("db")), gone);
    let own = [("depends_on".to_owned(), "`data` depends on itself".to_owned())];
    assert_eq!(problems(&form(json!(["data"])), None), own);
}

#[test]
fn a_secret_is_never_told() {
    let form = json!({ "id": "x", "check": "tcp", "host": "keyring:host with a space", "port": 0 });
    let found = problems(&form, None);
    assert!(!format!("{found:?}").contains("s3cret"), "{found:?}");
}
