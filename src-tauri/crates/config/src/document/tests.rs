use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::settings::Theme;

const FILE: &str = r#"# My services

[settings]  # all of them
theme = "dark"

# ---- Edge ----

# The gateway
[[service]]
id = "api"                      # stable
name = "API Gateway"
check = "http"
url = "https://api.example.com/health"
expect_json = [{ path = "$.status", equals = "ok" }]

# how often
tier = "critical"
depends_on = [
  "user", # first
  "auth",
]
# fail_after = 5

# ---- Data ----

[[service]]
id = "user"
check = "tcp"
host = 'user.internal'
port = 5_432
depends_on = ["auth"]

[[service]]
id = "auth"
check = "http"
url = "http://auth/"
[service.headers]
X-Key = "${KEY}"  # secret

[connectivity]
targets = ["1.1.1.1:443"]
# the end
"#;

fn document(text: &str) -> Document {
    Document::parse("config.toml", text).expect("TOML")
}

fn id(text: &str) -> ServiceId {
    ServiceId::new(text).expect("an id")
}

fn values(value: serde_json::Value) -> Values {
    match value {
        serde_json::Value::Object(values) => values,
        other => panic!("{other} is no object"),
    }
}

/// What an edit did to [`FILE`], as the lines it took out and put in.
fn changes(edit: impl FnOnce(&mut Document)) -> String {
    let mut edited = document(FILE);
    edit(&mut edited);
    diff(FILE, &edited.to_string())
}

/// The lines between the first and the last difference.
fn diff(before: &str, after: &str) -> String {
    let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let same_start = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let (before, after) = (&before[same_start..], &after[same_start..]);
    let same_end = before.iter().rev().zip(after.iter().rev()).take_while(|(a, b)| a == b).count();
    let lines = |sign, lines: &[&str]| {
        let lines = lines[..lines.len() - same_end].iter().flat_map(|line| [sign, *line, "\n"]);
        lines.collect::<String>()
    };
    lines("-", before) + &lines("+", after)
}

fn update(document: &mut Document, of: &str, change: impl FnOnce(&mut Values)) {
    let mut values = document.service_values(&id(of)).expect("a service");
    change(&mut values);
    document.update_service(&id(of), &values).expect("an edit");
    let now = id(values["id"].as_str().expect("an id"));
    assert_eq!(document.service_values(&now), Some(values));
}

#[test]
fn an_edit_of_nothing_changes_nothing() {
    for of in ["api", "user", "auth"] {
        assert_eq!(changes(|document| update(document, of, |_| {})), "");
    }
}

#[test]
fn a_changed_value_keeps_its_comment() {
    let changed = changes(|document| {
        update(document, "user", |values| {
            values.insert("port".to_owned(), json!(5433));
            values.insert("host".to_owned(), json!("other"));
        });
    });
    assert_eq!(
        changed,
        "-host = 'user.internal'\n-port = 5_432\n+host = \"other\"\n+port = 5433\n"
    );
    let changed = changes(|document| {
        update(document, "auth", |values| {
            values.insert("headers".to_owned(), json!({ "X-Key": "keyring:auth", "Y": "1" }));
        });
    });
    assert_eq!(
        changed,
        "-X-Key = \"${KEY}\"  # secret\n+X-Key = \"keyring:auth\"  # secret\n+Y = \"1\"\n"
    );
}

#[test]
fn a_new_key_takes_its_place_in_order() {
    let changed = changes(|document| {
        update(document, "api", |values| {
            values.insert("group".to_owned(), json!("Edge"));
            values.insert("slo".to_owned(), json!(99.5));
            values.insert("method".to_owned(), json!("HEAD"));
        });
    });
    let expected = r#"-check = "http"
-url = "https://api.example.com/health"
-expect_json = [{ path = "$.status", equals = "ok" }]
-
-# how often
-tier = "critical"
+group = "Edge"
+check = "http"
+url = "https://api.example.com/health"
+method = "HEAD"
+expect_json = [{ path = "$.status", equals = "ok" }]
+
+# how often
+tier = "critical"
+slo = 99.5
"#;
    assert_eq!(changed, expected);
}

#[test]
fn an_absent_key_goes_with_its_comment_only() {
    let changed = changes(|document| {
        update(document, "api", |values| {
            values.shift_remove("tier");
        });
    });
    assert_eq!(changed, "-# how often\n-tier = \"critical\"\n");
    let changed = changes(|document| {
        update(document, "auth", |values| {
            values.shift_remove("headers");
        });
    });
    assert_eq!(changed, "-[service.headers]\n-X-Key = \"${KEY}\"  # secret\n");
}

#[test]
fn a_list_keeps_its_layout() {
    let changed = changes(|document| {
        update(document, "api", |values| {
            values.insert("depends_on".to_owned(), json!(["user", "auth", "mail"]));
        });
    });
    assert_eq!(changed, "+  \"mail\",\n");
    let changed = changes(|document| {
        update(document, "user", |values| {
            values.insert("depends_on".to_owned(), json!(["auth", "api"]));
        });
    });
    assert_eq!(changed, "-depends_on = [\"auth\"]\n+depends_on = [\"auth\", \"api\"]\n");
    let changed = changes(|document| {
        update(document, "user", |values| {
            values.insert("depends_on".to_owned(), json!(["api", "auth"]));
        });
    });
    assert_eq!(changed, "-depends_on = [\"auth\"]\n+depends_on = [\"api\", \"auth\"]\n");
}

#[test]
fn a_new_id_is_written_where_it_is_depended_on() {
    let changed = changes(|document| {
        update(document, "auth", |values| {
            values.insert("id".to_owned(), json!("login"));
        });
    });
    for line in [
        "+  \"login\",\n",
        "+depends_on = [\"login\"]\n",
        "+id = \"login\"\n",
        "+# fail_after = 5\n",
    ] {
        assert!(changed.contains(line), "{changed}");
    }
}

#[test]
fn a_new_service_is_written_like_the_others() {
    let values = values(json!({
        "depends_on": ["api"],
        "slo": "99.5",
        "url": "https://example.com/",
        "headers": { "X-Key": "v", "Accept": "text/html" },
        "expect_json": [{ "path": "$.status", "equals": "ok" }],
        "check": "http",
        "every": "10s",
        "id": "shop",
        "group": null,
        "name": "Shop",
    }));
    let changed = changes(|document| document.add_service(&values).expect("an edit"));
    let expected = r#"+[[service]]
+id = "shop"
+name = "Shop"
+check = "http"
+url = "https://example.com/"
+headers = { X-Key = "v", Accept = "text/html" }
+expect_json = [{ path = "$.status", equals = "ok" }]
+every = "10s"
+slo = 99.5
+depends_on = ["api"]
+
"#;
    assert_eq!(changed, expected);
}

#[test]
fn the_first_service_of_an_empty_file() {
    let values = values(json!({ "id": "a", "check": "tcp" }));
    for (before, after) in [
        ("", "[[service]]\nid = \"a\"\ncheck = \"tcp\"\n"),
        ("# mine", "# mine\n\n[[service]]\nid = \"a\"\ncheck = \"tcp\"\n"),
        ("[settings]\n\n", "[settings]\n\n[[service]]\nid = \"a\"\ncheck = \"tcp\"\n"),
    ] {
        let mut edited = document(before);
        edited.add_service(&values).expect("an edit");
        assert_eq!(edited.to_string(), after);
    }
}

#[test]
fn a_removed_service_is_no_dependency() {
    let changed = changes(|document| document.remove_service(&id("auth")).expect("an edit"));
    let expected = r#"-  "auth",
-]
-# fail_after = 5
-
-# ---- Data ----
-
-[[service]]
-id = "user"
-check = "tcp"
-host = 'user.internal'
-port = 5_432
-depends_on = ["auth"]
-
-[[service]]
-id = "auth"
-check = "http"
-url = "http://auth/"
-[service.headers]
-X-Key = "${KEY}"  # secret
+]
+# fail_after = 5
+
+# ---- Data ----
+
+[[service]]
+id = "user"
+check = "tcp"
+host = 'user.internal'
+port = 5_432
"#;
    assert_eq!(changed, expected);
}

#[test]
fn a_moved_service_takes_its_comments_along() {
    let mut edited = document(FILE);
    edited.reorder_services(&[id("user"), id("api")]).expect("an edit");
    let text = edited.to_string();
    let positions: Vec<_> = [
        "# ---- Edge",
        "id = \"user\"",
        "# ---- Data",
        "# The gateway",
        "id = \"api\"",
        "# fail_after",
        "id = \"auth\"",
        "# the end",
    ]
    .iter()
    .map(|part| text.find(part).expect("the part"))
    .collect();
    assert!(positions.is_sorted(), "{text}");
    edited.reorder_services(&[id("api"), id("user"), id("auth")]).expect("an edit");
    assert_eq!(edited.to_string(), FILE);
    let error = edited.reorder_services(&[id("nobody")]);
    assert_eq!(error, Err(EditError::NoSuchService("nobody".to_owned())));
}

#[test]
fn preferences_are_written_where_they_differ() {
    let preferences = Preferences {
        theme: Theme::System,
        start_at_login: true,
        notifications: true,
        notify_recovery: true,
    };
    let changed = changes(|document| document.set_preferences(preferences));
    assert_eq!(changed, "-theme = \"dark\"\n+theme = \"system\"\n+start_at_login = true\n");

    let mut edited = document("# mine\n\n[[service]]\nid = \"a\"\n");
    edited.set_preferences(Settings::default().preferences());
    assert_eq!(edited.to_string(), "# mine\n\n[[service]]\nid = \"a\"\n");
    edited.set_preferences(preferences);
    assert_eq!(
        edited.to_string(),
        "# mine\n\n[settings]\nstart_at_login = true\n\n[[service]]\nid = \"a\"\n"
    );

    let mut edited = document("settings.theme = \"dark\"\n");
    edited.set_preferences(preferences);
    assert_eq!(edited.to_string(), "settings.theme = \"system\"\nsettings.start_at_login = true\n");
}

#[test]
fn windows_line_ends_stay() {
    let mut edited = document(&FILE.replace('\n', "\r\n"));
    update(&mut edited, "user", |values| {
        values.insert("port".to_owned(), json!(1));
    });
    edited
        .add_service(&values(json!({ "id": "x", "check": "tcp", "body": "two\nlines\n" })))
        .expect("an edit");
    let text = edited.to_string();
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    assert_eq!(
        document(&text).service_values(&id("x")).expect("a service")["body"],
        "two\nlines\n"
    );
}

#[test]
fn a_byte_order_mark_stays() {
    let mut edited = document(&format!("\u{feff}{}", FILE.replacen("# My services\n\n", "", 1)));
    edited
        .set_preferences(Preferences { start_at_login: true, ..Settings::default().preferences() });
    let text = edited.to_string();
    assert!(text.starts_with("\u{feff}[settings]  # all of them\n"), "{text}");
    assert!(text.contains("start_at_login = true"));
}

#[test]
fn a_text_without_a_last_line_end() {
    let mut edited = document("[[service]]\nid = \"a\"\n\n[[service]]\nid = \"b\"");
    edited.reorder_services(&[id("b"), id("a")]).expect("an edit");
    let text = "[[service]]\nid = \"b\"\n\n[[service]]\nid = \"a\"\n";
    assert_eq!(edited.to_string(), text);
}

#[test]
fn services_that_are_no_blocks_are_left_alone() {
    let mut edited = document("service = [{ id = \"a\" }]\n");
    assert_eq!(edited.remove_service(&id("a")), Err(EditError::NotInBlocks));
    assert_eq!(edited.add_service(&values(json!({ "id": "b" }))), Err(EditError::NotInBlocks));
}

#[derive(Debug, Clone)]
enum Edit {
    Add(u8, Vec<(usize, serde_json::Value)>),
    Update(usize, Option<u8>, Vec<(usize, Option<serde_json::Value>)>),
    Remove(usize),
    Reorder(Vec<usize>),
    Prefer(Theme, bool),
}

const KEYS: [&str; 9] =
    ["name", "group", "url", "headers", "expect_json", "every", "depends_on", "body", "fail_after"];

fn any_value() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        "\\PC{0,12}".prop_map(|text| json!(text)),
        "[a\n\"'\\\\#]{0,8}".prop_map(|text| json!(text)),
        any::<i32>().prop_map(|number| json!(number)),
        any::<bool>().prop_map(|flag| json!(flag)),
        prop::collection::vec("s[0-9]", 0..4).prop_map(|ids| json!(ids)),
        prop::collection::hash_map("[A-Za-z -]{1,6}", "\\PC{0,6}", 0..3).prop_map(|map| json!(map)),
        Just(json!([{ "path": "$.status", "equals": "ok" }])),
    ]
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let key = || 0..KEYS.len();
    prop_oneof![
        (any::<u8>(), prop::collection::vec((key(), any_value()), 0..5))
            .prop_map(|(id, keys)| Edit::Add(id, keys)),
        (
            0..9usize,
            prop::option::of(any::<u8>()),
            prop::collection::vec((key(), prop::option::of(any_value())), 0..4)
        )
            .prop_map(|(at, id, keys)| Edit::Update(at, id, keys)),
        (0..9usize).prop_map(Edit::Remove),
        prop::collection::vec(0..9usize, 0..4).prop_map(Edit::Reorder),
        (prop_oneof![Just(Theme::Dark), Just(Theme::System)], any::<bool>())
            .prop_map(|(theme, flag)| Edit::Prefer(theme, flag)),
    ]
}

fn ids(document: &Document) -> Vec<ServiceId> {
    let values = document
        .service_positions()
        .map(|at| read(document.pieces[at].text(), SERVICE).expect("a service"));
    values.map(|values| id(values["id"].as_str().expect("an id"))).collect()
}

/// The blocks, but for what an edit of another service may change in them.
fn blocks(document: &Document) -> Vec<(ServiceId, String)> {
    let blocks = document.service_positions().map(|at| document.pieces[at].text());
    let without_dependencies = |text: &str| {
        let mut block: DocumentMut = text.parse().expect("TOML");
        block.get_mut(SERVICE).and_then(table_of).expect("a service").remove("depends_on");
        block.to_string()
    };
    ids(document).into_iter().zip(blocks.map(without_dependencies)).collect()
}

proptest! {
    /// Whatever is edited: the text stays TOML, it says what it was told to,
    /// and what the edit was not about is as it was.
    #[test]
    fn any_edits_keep_everything_else(edits in prop::collection::vec(any_edit(), 1..12)) {
        let mut edited = document(FILE);
        for edit in edits {
            let present = ids(&edited);
            let before = blocks(&edited);
            let mut touched = Vec::new();
            match edit {
                Edit::Add(new, keys) => {
                    let new = format!("s{new}");
                    if present.iter().any(|id| id.as_str() == new) { continue; }
                    let mut wanted = values(json!({ "id": new, "check": "http" }));
                    wanted.extend(keys.into_iter().map(|(key, value)| (KEYS[key].to_owned(), value)));
                    edited.add_service(&wanted).expect("an edit");
                    prop_assert_eq!(edited.service_values(&id(&new)).map(sorted), Some(sorted(wanted)));
                    prop_assert_eq!(ids(&edited).len(), present.len() + 1);
                }
                Edit::Update(at, new, keys) => {
                    let Some(of) = present.get(at) else { continue };
                    let mut wanted = edited.service_values(of).expect("a service");
                    let new = new.map_or(of.to_string(), |new| format!("s{new}"));
                    if present.iter().any(|id| id != of && id.as_str() == new) { continue; }
                    wanted.insert("id".to_owned(), json!(new));
                    for (key, value) in keys {
                        match value {
                            Some(value) => wanted.insert(KEYS[key].to_owned(), value),
                            None => wanted.shift_remove(KEYS[key]),
                        };
                    }
                    wanted.shift_remove("depends_on");
                    edited.update_service(of, &wanted).expect("an edit");
                    prop_assert_eq!(edited.service_values(&id(&new)).map(sorted), Some(sorted(wanted)));
                    touched.push(of.clone());
                }
                Edit::Remove(at) => {
                    let Some(of) = present.get(at) else { continue };
                    edited.remove_service(of).expect("an edit");
                    prop_assert!(edited.service_values(of).is_none());
                    touched.push(of.clone());
                }
                Edit::Reorder(order) => {
                    let order: Vec<_> = order.into_iter().filter_map(|at| present.get(at).cloned()).collect();
                    edited.reorder_services(&order).expect("an edit");
                    let mut now = ids(&edited);
                    now.sort();
                    let mut then = present.clone();
                    then.sort();
                    prop_assert_eq!(now, then);
                }
                Edit::Prefer(theme, start_at_login) => {
                    let preferences =
                        Preferences { theme, start_at_login, notifications: true, notify_recovery: true };
                    edited.set_preferences(preferences);
                }
            }
            let text = edited.to_string();
            let after = blocks(&edited);
            for untouched in before.iter().filter(|(id, _)| !touched.contains(id)) {
                prop_assert!(after.contains(untouched), "{:?} is not in {}", untouched, text);
            }
            for comment in ["# My services", "# all of them", "# ---- Edge ----", "# ---- Data ----", "# the end"] {
                prop_assert_eq!(text.matches(comment).count(), 1, "{}", &text);
            }
            let reparsed = document(&text);
            prop_assert_eq!(reparsed.to_string(), text);
            prop_assert_eq!(ids(&reparsed), ids(&edited));
            edited = reparsed;
        }
    }
}

fn sorted(mut values: Values) -> Values {
    values.sort_keys();
    values
}
