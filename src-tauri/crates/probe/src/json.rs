//! What a JSON document must say.

use std::cmp::Ordering;

use serde_json::{Number, Value};
use serde_json_path::JsonPath;

use crate::field::{FieldError, Parsed, Step, each, mistake};
use crate::text::clean;

/// Every operator an assertion can have.
pub(crate) const OPERATORS: &[&str] =
    &["equals", "not_equals", "less_than", "greater_than", "exists"];

/// What must hold for every node that a path selects, of which there must be
/// one at least.
#[derive(Debug)]
pub(crate) struct Assertion {
    path: JsonPath,
    written: String,
    operator: Operator,
}

#[derive(Debug)]
enum Operator {
    Equals(Value),
    NotEquals(Value),
    LessThan(Number),
    GreaterThan(Number),
    Exists(bool),
}

impl Assertion {
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
            _ => nodes.into_iter().try_for_each(|node| self.operator.judge(path, node)),
        }
    }
}

impl Operator {
    fn judge(&self, path: &str, node: &Value) -> Result<(), String> {
        let (holds, expected) = match self {
            Self::Equals(wanted) => (equal(node, wanted), format!("to equal {}", shown(wanted))),
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
            Ok(Assertion { path, written, operator })
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
    match name {
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
            "status": "ok", "n": 5, "f": 1.0, "big": u64::MAX, "none": null,
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
        ] {
            assert_eq!(
                judged(&assertion, &document),
                expected.map_err(str::to_owned),
                "{assertion}"
            );
        }
    }

    #[test]
    fn what_was_found_is_cut() {
        let document = json!({"a": "x".repeat(10_000)});
        let message = judged(&json!({"path": "$.a", "equals": 1}), &document).unwrap_err();
        assert!(message.chars().count() < 300, "{message}");
    }
}
