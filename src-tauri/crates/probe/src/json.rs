//! What a JSON document must say.

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use regex::Regex;
use serde_json::{Number, Value};
use serde_json_path::JsonPath;

use crate::field::{FieldError, Parsed, Step, each, mistake, regex};
use crate::text::clean;

/// Every operator an assertion can have.
pub(crate) const OPERATORS: &[&str] = &[
    "equals",
    "not_equals",
    "any_equals",
    "less_than",
    "greater_than",
    "contains",
    "not_contains",
    "matches",
    "length",
    "min_length",
    "max_length",
    "exists",
];

/// What must hold of the nodes that a path selects.
///
/// 1. There must be one at least, but for `exists = false`.
/// 2. It must hold for every one of them, but for `any_equals`, for which one
///    is enough. "Any" with another operator is a filter in the path:
///    `$.disks[?@.free < 10]` with `exists`.
/// 3. A length is that of a list in items, of a text in characters, of a table
///    in keys; a list contains an equal item, a text another text.
#[derive(Debug)]
pub(crate) struct Assertion {
    path: JsonPath,
    written: String,
    operator: Operator,
    looks_straight: bool,
}

#[derive(Debug)]
enum Operator {
    Equals(Value),
    NotEquals(Value),
    AnyEquals(Value),
    LessThan(Number),
    GreaterThan(Number),
    Contains(Value),
    NotContains(Value),
    Matches(Regex),
    Length(RangeInclusive<usize>),
    Exists(bool),
}

impl Assertion {
    /// Whether no part of a document is looked at twice: with one way down, and
    /// neither filters nor patterns.
    pub(crate) const fn looks_straight(&self) -> bool {
        self.looks_straight
    }

    /// Holds it against `document`. `Err` says what was found instead.
    pub(crate) fn judge(&self, document: &Value) -> Result<(), String> {
        let path = &self.written;
        let nodes = self.path.query(document).all();
        match (&self.operator, nodes.first()) {
            (Operator::Exists(false), None) => Ok(()),
            (Operator::Exists(false), Some(found)) => {
                Err(format!("expected {path} to be missing, got {}", shown(found)))
            }
            (_, None) => Err(format!("{path} is missing")),
            (Operator::AnyEquals(wanted), Some(first)) => {
                if nodes.iter().any(|node| equal(node, wanted)) {
                    return Ok(());
                }
                let (wanted, got) = (shown(wanted), shown(first));
                Err(match nodes.len() {
                    1 => format!("expected {path} to equal {wanted}, got {got}"),
                    count => {
                        format!("expected one of {count} {path} to equal {wanted}, got {got}, …")
                    }
                })
            }
            _ => nodes.into_iter().try_for_each(|node| self.operator.judge(path, node)),
        }
    }
}

impl Operator {
    fn judge(&self, path: &str, node: &Value) -> Result<(), String> {
        let (holds, expected) = match self {
            Self::Contains(wanted) => match contains(node, wanted) {
                Some(holds) => (holds, format!("to contain {}", shown(wanted))),
                None => return Err(neither_list_nor_text(path, node)),
            },
            Self::NotContains(unwanted) => match contains(node, unwanted) {
                Some(holds) => (!holds, format!("not to contain {}", shown(unwanted))),
                None => return Err(neither_list_nor_text(path, node)),
            },
            Self::Matches(regex) => (
                node.as_str().is_some_and(|text| regex.is_match(text)),
                format!("to be a text that matches /{}/", clean(regex.as_str())),
            ),
            Self::Length(range) => match length(node) {
                Some(found) if range.contains(&found) => return Ok(()),
                Some(found) => {
                    return Err(format!("expected {path} to have {}, got {found}", lengths(range)));
                }
                None => {
                    let got = shown(node);
                    return Err(format!("expected {path} to have a length, got {got}"));
                }
            },
            Self::AnyEquals(wanted) | Self::Equals(wanted) => {
                (equal(node, wanted), format!("to equal {}", shown(wanted)))
            }
            Self::NotEquals(unwanted) => {
                (!equal(node, unwanted), format!("not to equal {}", shown(unwanted)))
            }
            Self::LessThan(limit) => {
                (order(node, limit) == Some(Ordering::Less), format!("to be less than {limit}"))
            }
            Self::GreaterThan(limit) => (
                order(node, limit) == Some(Ordering::Greater),
                format!("to be greater than {limit}"),
            ),
            Self::Exists(exists) => (*exists, "to be missing".to_owned()),
        };
        if holds { Ok(()) } else { Err(format!("expected {path} {expected}, got {}", shown(node))) }
    }
}

/// None: it cannot contain anything.
fn contains(node: &Value, wanted: &Value) -> Option<bool> {
    match node {
        Value::Array(items) => Some(items.iter().any(|item| equal(item, wanted))),
        Value::String(text) => Some(wanted.as_str().is_some_and(|wanted| text.contains(wanted))),
        _ => None,
    }
}

fn neither_list_nor_text(path: &str, node: &Value) -> String {
    format!("expected {path} to be a list or a text, got {}", shown(node))
}

fn length(node: &Value) -> Option<usize> {
    match node {
        Value::Array(items) => Some(items.len()),
        Value::String(text) => Some(text.chars().count()),
        Value::Object(table) => Some(table.len()),
        _ => None,
    }
}

/// `length 3`, `at least length 1`
fn lengths(range: &RangeInclusive<usize>) -> String {
    match (*range.start(), *range.end()) {
        (least, most) if least == most => format!("length {least}"),
        (least, usize::MAX) => format!("at least length {least}"),
        (_, most) => format!("at most length {most}"),
    }
}

/// Numbers are equal by value: `1` is `1.0`.
fn equal(a: &Value, b: &Value) -> bool {
    match b {
        Value::Number(number) => order(a, number) == Some(Ordering::Equal),
        _ => a == b,
    }
}

fn order(value: &Value, number: &Number) -> Option<Ordering> {
    let value = value.as_number()?;
    match (value.as_i128(), number.as_i128()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => value.as_f64()?.partial_cmp(&number.as_f64()?),
    }
}

fn shown(value: &Value) -> String {
    clean(&value.to_string())
}

/// Reads `[{ path = "$.status", equals = "ok" }]`.
pub(crate) fn assertions(value: &Value, operators: &[&str]) -> Parsed<Vec<Assertion>> {
    match value {
        Value::Array(items) => each(items, |item| assertion(item, operators)),
        _ => Err(vec![shape()]),
    }
}

fn shape() -> FieldError {
    mistake("expected a list of tables", "write [{ path = \"$.status\", equals = \"ok\" }]")
}

fn assertion(value: &Value, operators: &[&str]) -> Parsed<Assertion> {
    let Value::Object(table) = value else {
        return Err(vec![shape()]);
    };
    let one_of = format!("use one of {}", operators.join(", "));
    let mut mistakes: Vec<FieldError> = table
        .keys()
        .filter(|key| *key != "path" && !operators.contains(&key.as_str()))
        .map(|key| {
            mistake(format!("`{}` is not an operator", clean(key)), one_of.clone())
                .within(Step::Key(key.clone()))
        })
        .collect();
    let path = match table.get("path") {
        Some(path) => json_path(path).map_err(|m| m.within(Step::Key("path".to_owned()))),
        None => Err(mistake("`path` is missing", "say where to look: path = \"$.status\"")),
    };
    let mut used = operators.iter().filter_map(|name| Some((*name, table.get(*name)?)));
    let operator = match (used.next(), used.next()) {
        (Some((name, value)), None) => {
            operator(name, value).map_err(|m| m.within(Step::Key(name.to_owned())))
        }
        (Some(_), Some(_)) => Err(mistake("more than one operator", "write one table for each")),
        (None, _) if mistakes.is_empty() => Err(mistake("the operator is missing", one_of)),
        (None, _) => return Err(mistakes),
    };
    match (path, operator) {
        (Ok((path, written)), Ok(operator)) if mistakes.is_empty() => {
            let looks_straight = !matches!(operator, Operator::Matches(_))
                && !written.contains(['?', ',', '…'])
                && !written.contains("..");
            Ok(Assertion { path, written, operator, looks_straight })
        }
        (path, operator) => {
            mistakes.extend(path.err().into_iter().chain(operator.err()));
            Err(mistakes)
        }
    }
}

fn json_path(value: &Value) -> Result<(JsonPath, String), FieldError> {
    const HELP: &str = "write a JSON path: $.status, $.checks[0].ok";
    let Value::String(text) = value else {
        return Err(mistake("expected a JSON path", HELP));
    };
    match JsonPath::parse(text) {
        Ok(path) => Ok((path, clean(text))),
        Err(error) => Err(mistake(
            format!(
                "`{}` is not a JSON path: {} at position {}",
                clean(text),
                clean(error.message()),
                error.position()
            ),
            HELP,
        )),
    }
}

fn operator(name: &str, value: &Value) -> Result<Operator, FieldError> {
    let number = || {
        value
            .as_number()
            .cloned()
            .ok_or_else(|| mistake("expected a number", format!("write a number: {name} = 100")))
    };
    let count = || {
        let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
        count.ok_or_else(|| {
            mistake("expected a whole number from 0 on", format!("write a number: {name} = 3"))
        })
    };
    match name {
        "any_equals" => Ok(Operator::AnyEquals(value.clone())),
        "contains" => Ok(Operator::Contains(value.clone())),
        "not_contains" => Ok(Operator::NotContains(value.clone())),
        "matches" => regex(value).map(Operator::Matches).map_err(|mut found| found.remove(0)),
        "length" => count().map(|count| Operator::Length(count..=count)),
        "min_length" => count().map(|least| Operator::Length(least..=usize::MAX)),
        "max_length" => count().map(|most| Operator::Length(0..=most)),
        "equals" => Ok(Operator::Equals(value.clone())),
        "not_equals" => Ok(Operator::NotEquals(value.clone())),
        "less_than" => number().map(Operator::LessThan),
        "greater_than" => number().map(Operator::GreaterThan),
        "exists" => value.as_bool().map(Operator::Exists).ok_or_else(|| {
            mistake("expected true or false", "write exists = true or exists = false")
        }),
        _ => Err(mistake(
            format!("`{}` is not an operator", clean(name)),
            format!("use one of {}", OPERATORS.join(", ")),
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(assertion: &Value, document: &Value) -> Result<(), String> {
        let parsed = assertions(&json!([assertion]), OPERATORS).expect("valid");
        parsed.iter().try_for_each(|a| a.judge(document))
    }

    #[test]
    fn each_operator() {
        let document = json!({
            "status": "ok", "n": 5, "f": 1.0, "big": u64::MAX, "none": null, "tags": ["a", 2], "word": "äöü",
            "list": [{"up": true}, {"up": false}], "x\n": "a\u{7}b",
        });
        for (assertion, expected) in [
            (json!({"path": "$.status", "equals": "ok"}), Ok(())),
            (
                json!({"path": "$.status", "equals": "fine"}),
                Err("expected $.status to equal \"fine\", got \"ok\""),
            ),
            (json!({"path": "$.f", "equals": 1}), Ok(())),
            (json!({"path": "$.n", "equals": 5.0}), Ok(())),
            (json!({"path": "$.n", "equals": "5"}), Err("expected $.n to equal \"5\", got 5")),
            (json!({"path": "$.none", "equals": null}), Ok(())),
            (json!({"path": "$.status", "not_equals": "bad"}), Ok(())),
            (
                json!({"path": "$.status", "not_equals": "ok"}),
                Err("expected $.status not to equal \"ok\", got \"ok\""),
            ),
            (json!({"path": "$.gone", "not_equals": "ok"}), Err("$.gone is missing")),
            (json!({"path": "$.n", "less_than": 5.5}), Ok(())),
            (json!({"path": "$.n", "less_than": 5}), Err("expected $.n to be less than 5, got 5")),
            (
                json!({"path": "$.big", "less_than": 9}),
                Err("expected $.big to be less than 9, got 18446744073709551615"),
            ),
            (
                json!({"path": "$.status", "less_than": 5}),
                Err("expected $.status to be less than 5, got \"ok\""),
            ),
            (json!({"path": "$.n", "greater_than": 4}), Ok(())),
            (
                json!({"path": "$.n", "greater_than": 5}),
                Err("expected $.n to be greater than 5, got 5"),
            ),
            (json!({"path": "$.none", "exists": true}), Ok(())),
            (json!({"path": "$.gone", "exists": true}), Err("$.gone is missing")),
            (json!({"path": "$.gone", "exists": false}), Ok(())),
            (json!({"path": "$.n", "exists": false}), Err("expected $.n to be missing, got 5")),
            (json!({"path": "$.list[*].up", "exists": true}), Ok(())),
            (
                json!({"path": "$.list[*].up", "equals": true}),
                Err("expected $.list[*].up to equal true, got false"),
            ),
            (json!({"path": "$.nothing[*].up", "equals": true}), Err("$.nothing[*].up is missing")),
            (json!({"path": "$.list[*].up", "any_equals": false}), Ok(())),
            (
                json!({"path": "$.list[*].up", "any_equals": null}),
                Err("expected one of 2 $.list[*].up to equal null, got true, …"),
            ),
            (json!({"path": "$.n", "any_equals": 6}), Err("expected $.n to equal 6, got 5")),
            (json!({"path": "$.gone[*]", "any_equals": 6}), Err("$.gone[*] is missing")),
            (json!({"path": "$.list[?@.up == true]", "exists": true}), Ok(())),
            (json!({"path": "$.status", "contains": "k"}), Ok(())),
            (
                json!({"path": "$.status", "contains": "K"}),
                Err("expected $.status to contain \"K\", got \"ok\""),
            ),
            (
                json!({"path": "$.status", "contains": 1}),
                Err("expected $.status to contain 1, got \"ok\""),
            ),
            (json!({"path": "$.tags", "contains": "a"}), Ok(())),
            (json!({"path": "$.tags", "contains": 2.0}), Ok(())),
            (
                json!({"path": "$.tags", "contains": "b"}),
                Err("expected $.tags to contain \"b\", got [\"a\",2]"),
            ),
            (json!({"path": "$.tags", "not_contains": "b"}), Ok(())),
            (
                json!({"path": "$.tags", "not_contains": "a"}),
                Err("expected $.tags not to contain \"a\", got [\"a\",2]"),
            ),
            (
                json!({"path": "$.n", "contains": 5}),
                Err("expected $.n to be a list or a text, got 5"),
            ),
            (
                json!({"path": "$.n", "not_contains": 6}),
                Err("expected $.n to be a list or a text, got 5"),
            ),
            (json!({"path": "$.status", "matches": "^o.$"}), Ok(())),
            (
                json!({"path": "$.status", "matches": "^k"}),
                Err("expected $.status to be a text that matches /^k/, got \"ok\""),
            ),
            (
                json!({"path": "$.n", "matches": "5"}),
                Err("expected $.n to be a text that matches /5/, got 5"),
            ),
            (json!({"path": "$.tags", "length": 2}), Ok(())),
            (json!({"path": "$.word", "length": 3}), Ok(())),
            (json!({"path": "$.list[0]", "length": 1}), Ok(())),
            (
                json!({"path": "$.tags", "length": 3}),
                Err("expected $.tags to have length 3, got 2"),
            ),
            (json!({"path": "$.tags", "min_length": 2}), Ok(())),
            (
                json!({"path": "$.tags", "min_length": 3}),
                Err("expected $.tags to have at least length 3, got 2"),
            ),
            (json!({"path": "$.tags", "max_length": 2}), Ok(())),
            (
                json!({"path": "$.tags", "max_length": 1}),
                Err("expected $.tags to have at most length 1, got 2"),
            ),
            (json!({"path": "$.n", "max_length": 1}), Err("expected $.n to have a length, got 5")),
        ] {
            assert_eq!(
                judged(&assertion, &document),
                expected.map_err(str::to_owned),
                "{assertion}"
            );
        }
    }

    #[test]
    fn mistakes_in_operators() {
        for (assertion, message) in [
            (json!({"path": "$.a", "length": -1}), "expected a whole number from 0 on"),
            (json!({"path": "$.a", "max_length": 1.5}), "expected a whole number from 0 on"),
            (json!({"path": "$.a", "matches": 1}), "expected a text, found a number"),
            (json!({"path": "$.a", "less_than": "1"}), "expected a number"),
        ] {
            let mistakes = assertions(&json!([assertion]), OPERATORS).expect_err("a mistake");
            assert_eq!(mistakes[0].message, message, "{assertion}");
        }
    }

    #[test]
    fn what_was_found_is_cut() {
        let document = json!({"a": "x".repeat(10_000)});
        let message = judged(&json!({"path": "$.a", "equals": 1}), &document).unwrap_err();
        assert!(message.chars().count() < 300, "{message}");
    }
}
