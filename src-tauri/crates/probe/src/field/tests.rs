use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::Kind;

fn field(value: FieldType) -> Field {
    Field::required("key", "Key", "Does something.", value)
}

const URL: FieldType = FieldType::Url { schemes: &["http", "https"] };
const PORT: FieldType = FieldType::Integer { min: 1, max: 65535 };
const CHOICE: FieldType = FieldType::Choice { of: &["GET", "HEAD"] };
const JSON: FieldType = FieldType::JsonAssertions { operators: json::OPERATORS };

const SIZE: FieldType = FieldType::Size { percent: false };
const SHARE: FieldType = FieldType::Size { percent: true };

const EVERY_TYPE: [FieldType; 15] = [
    FieldType::Text,
    FieldType::Multiline,
    URL,
    FieldType::Host,
    PORT,
    FieldType::Boolean,
    FieldType::Duration,
    FieldType::Regex,
    CHOICE,
    FieldType::StatusList,
    FieldType::Headers,
    JSON,
    FieldType::Services,
    SIZE,
    SHARE,
];

#[test]
fn what_is_right_has_no_mistakes() {
    for (value_type, value) in [
        (FieldType::Text, json!("one line")),
        (FieldType::Multiline, json!("")),
        (FieldType::Multiline, json!("two\nlines")),
        (URL, json!("https://api.example.com:8443/health?deep=1")),
        (URL, json!("http://[::1]/")),
        (URL, json!("http://user:secret@bücher.example/")),
        (FieldType::Host, json!("db.internal")),
        (FieldType::Host, json!("my_db")),
        (FieldType::Host, json!("10.0.0.5")),
        (FieldType::Host, json!("::1")),
        (FieldType::Host, json!("[::1]")),
        (PORT, json!(1)),
        (PORT, json!(65535)),
        (FieldType::Boolean, json!(false)),
        (FieldType::Duration, json!("1m 30s")),
        (FieldType::Regex, json!(r"^ok\s*$")),
        (CHOICE, json!("HEAD")),
        (FieldType::StatusList, json!(["200-299", 301, "418"])),
        (FieldType::StatusList, json!(204)),
        (FieldType::StatusList, json!("200-204")),
        (FieldType::Headers, json!({"X-Key": "value", "Accept": "*/*"})),
        (FieldType::Headers, json!({})),
        (JSON, json!([])),
        (JSON, json!([{"path": "$.a[0]['b']", "equals": {"deep": []}}])),
        (JSON, json!([{"path": "$..up", "exists": false}, {"path": "$.n", "less_than": 1.5}])),
        (FieldType::Services, json!(["db", "auth-2"])),
        (SIZE, json!("20 GiB")),
        (SHARE, json!("500MB")),
        (SHARE, json!("10%")),
        (SHARE, json!(12.5)),
    ] {
        assert_eq!(field(value_type).check(&value), [], "{value}");
    }
}

/// The path as text, the message and the help of the only mistake.
fn only_mistake(value_type: FieldType, value: &Value) -> (String, String, String) {
    let mistakes = field(value_type).check(value);
    let [mistake] = mistakes.as_slice() else {
        panic!("{value}: {mistakes:?}");
    };
    let path = mistake.path.iter().map(|step| match step {
        Step::Key(key) => key.clone(),
        Step::Index(index) => index.to_string(),
    });
    let path = path.collect::<Vec<_>>().join("/");
    (path, mistake.message.clone(), mistake.help.clone())
}

#[test]
fn what_is_wrong_is_named_with_what_would_be_right() {
    const HOST_HELP: &str = "write a name or an address: db.internal, 10.0.0.5, ::1";
    const URL_HELP: &str = "write it in full: https://example.com/health";
    const STATUS_HELP: &str = "use numbers and ranges from 100 to 599: [\"200-299\", 301]";
    const JSON_HELP: &str = "write [{ path = \"$.status\", equals = \"ok\" }]";
    const PATH_HELP: &str = "write a JSON path: $.status, $.checks[0].ok";
    const OPERATORS_HELP: &str = "use one of equals, not_equals, any_equals, less_than, \
        greater_than, contains, not_contains, matches, length, min_length, max_length, exists";
    const DURATION_HELP: &str = "write a number and a unit: 500ms, 10s, 3m, 1h 30m, 1d";
    const SIZE_HELP: &str = "write a number and a unit: \"500 MB\", \"20 GiB\"";
    const SHARE_HELP: &str = "write a share or a size: \"10%\", \"500 MB\", \"20 GiB\"";
    const REGEX_HELP: &str = "in TOML, write it in single quotes: '^ok\\s*$'";
    for (value_type, value, path, message, help) in [
        (
            FieldType::Text,
            json!(5),
            "key",
            "expected a text, found a number",
            "put it in quotes: \"…\"",
        ),
        (
            FieldType::Text,
            json!(""),
            "key",
            "the text is empty",
            "write something, or leave the key out",
        ),
        (
            FieldType::Text,
            json!("a\nb"),
            "key",
            "the text has several lines",
            "write it in one line",
        ),
        (
            FieldType::Multiline,
            json!(null),
            "key",
            "expected a text, found nothing",
            "put it in quotes: \"…\"",
        ),
        (URL, json!("example.com/health"), "key", "the URL has no scheme", URL_HELP),
        (URL, json!("https://"), "key", "the URL has no host", URL_HELP),
        (
            URL,
            json!("https://exa mple/"),
            "key",
            "not a URL: invalid international domain name",
            URL_HELP,
        ),
        (URL, json!("https://host:99999/"), "key", "not a URL: invalid port number", URL_HELP),
        (
            URL,
            json!("http://host:0/"),
            "key",
            "port 0 is out of range",
            "use a number from 1 to 65535",
        ),
        (
            URL,
            json!("ftp://example.com/"),
            "key",
            "the URL has the scheme `ftp`",
            "use http or https",
        ),
        (URL, json!("mailto:a@b"), "key", "the URL has the scheme `mailto`", "use http or https"),
        (FieldType::Host, json!(""), "key", "the host is empty", HOST_HELP),
        (
            FieldType::Host,
            json!("http://db"),
            "key",
            "`http://db` is a URL",
            "write the host alone, without scheme and path",
        ),
        (
            FieldType::Host,
            json!("db:5432"),
            "key",
            "`db:5432` has a port",
            "write the host alone, and the port under `port`",
        ),
        (
            FieldType::Host,
            json!("a b"),
            "key",
            "`a b` is not a host: invalid international domain name",
            HOST_HELP,
        ),
        (
            FieldType::Host,
            json!("10.0.0.256"),
            "key",
            "`10.0.0.256` is not a host: invalid IPv4 address",
            HOST_HELP,
        ),
        (PORT, json!(0), "key", "key 0 is out of range", "use a number from 1 to 65535"),
        (
            PORT,
            json!(u64::MAX),
            "key",
            "key 18446744073709551615 is out of range",
            "use a number from 1 to 65535",
        ),
        (PORT, json!(80.5), "key", "80.5 is not a whole number", "use a number from 1 to 65535"),
        (
            PORT,
            json!("80"),
            "key",
            "expected a whole number, found a text",
            "use a number from 1 to 65535",
        ),
        (
            FieldType::Boolean,
            json!("yes"),
            "key",
            "expected true or false, found a text",
            "write true or false, without quotes",
        ),
        (
            FieldType::Duration,
            json!("10 parsecs"),
            "key",
            "`10 parsecs` is not a duration",
            DURATION_HELP,
        ),
        (
            FieldType::Duration,
            json!("0s"),
            "key",
            "`0s` is no time at all",
            "use a duration above zero: 500ms, 10s, 3m",
        ),
        (
            FieldType::Duration,
            json!(10),
            "key",
            "expected a duration, found a number",
            "write a text with a unit: \"500ms\", \"10s\", \"3m\"",
        ),
        (
            FieldType::Regex,
            json!("a(b"),
            "key",
            "not a regular expression: unclosed group",
            REGEX_HELP,
        ),
        (
            FieldType::Regex,
            json!("(?=a)"),
            "key",
            "not a regular expression: look-around, including look-ahead and look-behind, is not supported",
            REGEX_HELP,
        ),
        (
            FieldType::Regex,
            json!(r"(\w{100}){100}"),
            "key",
            "the regular expression is too large",
            "use fewer or smaller repetitions",
        ),
        (CHOICE, json!("get"), "key", "`get` is not one of the choices", "use one of GET, HEAD"),
        (FieldType::StatusList, json!([99]), "key/0", "status 99 is out of range", STATUS_HELP),
        (
            FieldType::StatusList,
            json!([200, "600"]),
            "key/1",
            "status 600 is out of range",
            STATUS_HELP,
        ),
        (
            FieldType::StatusList,
            json!(["299-200"]),
            "key/0",
            "the range 299-200 is the wrong way round",
            "write \"200-299\"",
        ),
        (FieldType::StatusList, json!(["2xx"]), "key/0", "`2xx` is not a status", STATUS_HELP),
        (FieldType::StatusList, json!([-1]), "key/0", "`-1` is not a status", STATUS_HELP),
        (FieldType::StatusList, json!([]), "key", "no status is expected", STATUS_HELP),
        (
            FieldType::StatusList,
            json!([true]),
            "key/0",
            "expected a status, found true or false",
            STATUS_HELP,
        ),
        (
            FieldType::Headers,
            json!([]),
            "key",
            "expected a table, found a list",
            "write { \"X-Key\" = \"value\" }",
        ),
        (
            FieldType::Headers,
            json!({"X Key": "v"}),
            "key/X Key",
            "`X Key` is not a header name",
            "use letters, digits and `-`: X-Api-Key",
        ),
        (
            FieldType::Headers,
            json!({"X-Key": "a\nb"}),
            "key/X-Key",
            "the value of `x-key` has characters that a header cannot hold",
            "write it in one line, without control characters",
        ),
        (
            FieldType::Headers,
            json!({"Content-Length": "5"}),
            "key/Content-Length",
            "`content-length` cannot be set",
            "leave it out, it is written to fit the request",
        ),
        (
            FieldType::Headers,
            json!({"X-Key": 5}),
            "key/X-Key",
            "expected a text, found a number",
            "put it in quotes: \"…\"",
        ),
        (JSON, json!({}), "key", "expected a list of tables", JSON_HELP),
        (JSON, json!(["$.a"]), "key/0", "expected a list of tables", JSON_HELP),
        (
            JSON,
            json!([{"equals": 1}]),
            "key/0",
            "`path` is missing",
            "say where to look: path = \"$.status\"",
        ),
        (JSON, json!([{"path": "$.a"}]), "key/0", "the operator is missing", OPERATORS_HELP),
        (
            JSON,
            json!([{"path": "$.a", "equals": 1, "exists": true}]),
            "key/0",
            "more than one operator",
            "write one table for each",
        ),
        (
            JSON,
            json!([{"path": "$.a", "is": 1}]),
            "key/0/is",
            "`is` is not an operator",
            OPERATORS_HELP,
        ),
        (JSON, json!([{"path": 5, "equals": 1}]), "key/0/path", "expected a JSON path", PATH_HELP),
        (
            JSON,
            json!([{"path": "$.a", "less_than": "1"}]),
            "key/0/less_than",
            "expected a number",
            "write a number: less_than = 100",
        ),
        (
            JSON,
            json!([{"path": "$.a", "exists": 1}]),
            "key/0/exists",
            "expected true or false",
            "write exists = true or exists = false",
        ),
        (
            FieldType::Services,
            json!("db"),
            "key",
            "expected a list, found a text",
            "write the ids of services: [\"db\", \"auth\"]",
        ),
        (
            FieldType::Services,
            json!(["db", "My DB"]),
            "key/1",
            "`My DB` is not a service id",
            "use lower-case letters, digits and `-`",
        ),
        (SIZE, json!("20G"), "key", "`20G` is not a size", SIZE_HELP),
        (SIZE, json!("10%"), "key", "`10%` is not a size", SIZE_HELP),
        (SIZE, json!(10), "key", "expected a size, found a number", SIZE_HELP),
        (SHARE, json!("101%"), "key", "`101%` is not a size", SHARE_HELP),
        (SHARE, json!(-1), "key", "`-1` is not a size", SHARE_HELP),
    ] {
        let expected = (path.to_owned(), message.to_owned(), help.to_owned());
        assert_eq!(only_mistake(value_type, &value), expected);
    }
}

#[test]
fn a_json_path_is_refused_with_the_position() {
    let (path, message, _) = only_mistake(JSON, &json!([{"path": "$.a[", "equals": 1}]));
    assert_eq!(path, "key/0/path");
    assert!(message.starts_with("`$.a[` is not a JSON path: "), "{message}");
    assert!(message.contains(" at position "), "{message}");
}

#[test]
fn secrets_are_not_repeated() {
    for (value_type, value) in [
        (URL, json!("https://user:hunter2@:80:80/")),
        (URL, json!("gopher://user:hunter2@host/")),
        (FieldType::Headers, json!({"Authorization": "hunter2\u{7f}"})),
    ] {
        let (path, message, help) = only_mistake(value_type, &value);
        assert!(!format!("{path}{message}{help}").contains("hunter2"), "{message}");
    }
}

#[test]
fn all_mistakes_are_found_and_unknown_keys_left_alone() {
    let values = json!({"port": 0, "colour": "red"});
    let mistakes = check_fields(Kind::Tcp.fields(), values.as_object().expect("a table"));
    let messages: Vec<_> = mistakes.iter().map(|m| m.message.as_str()).collect();
    assert_eq!(messages, ["`host` is missing", "port 0 is out of range"]);
    assert_eq!(mistakes[0].path, [Step::Key("host".to_owned())]);
    assert_eq!(mistakes[1].path, [Step::Key("port".to_owned())]);
    assert_eq!(mistakes[1].help, "use a number from 1 to 65535");
}

#[test]
fn every_default_is_valid() {
    for field in Kind::ALL.iter().flat_map(|kind| kind.fields()) {
        let value = match field.value {
            _ if field.default.is_empty() => continue,
            FieldType::Integer { .. } | FieldType::Number { .. } | FieldType::Boolean => {
                serde_json::from_str(field.default).expect("JSON")
            }
            _ => json!(field.default),
        };
        assert_eq!(field.check(&value), [], "{}", field.key);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        r"[$@.\[\]?*()a-z0-9:'/-]{0,20}".prop_map(Value::from),
    ];
    let key = prop_oneof![Just("path".to_owned()), Just("equals".to_owned()), ".*"];
    leaf.prop_recursive(3, 16, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<Values>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_is_answered_in_one_line(value in any_json()) {
        for value_type in EVERY_TYPE {
            for mistake in field(value_type).check(&value) {
                prop_assert_eq!(mistake.path.first(), Some(&Step::Key("key".to_owned())));
                prop_assert!(!mistake.message.is_empty() && !mistake.help.is_empty());
                prop_assert!(!mistake.message.contains('\n'), "{}", mistake.message);
            }
        }
    }

    #[test]
    fn any_values_make_a_probe_or_mistakes(url in any_json(), json in any_json()) {
        let values = json!({"url": url, "host": url, "port": 1, "expect_json": json});
        let values = values.as_object().expect("a table");
        for kind in Kind::ALL {
            let mistakes = check_fields(kind.fields(), values);
            let found = kind.probe(values).err().unwrap_or_default();
            // A kind looks at its keys together only when each is right.
            prop_assert!(found == mistakes || mistakes.is_empty(), "{found:?}, {mistakes:?}");
        }
    }
}
