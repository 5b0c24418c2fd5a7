use std::ops::Range;

use probe::{Step, Values};
use serde_json::{Number, Value};
use toml_edit::{Array, InlineTable, Item, TableLike};

/// A table as JSON. What JSON lacks (dates, infinities) becomes its text, so
/// that whoever expects a number or a word says what is wrong.
pub(crate) fn values_of(table: &dyn TableLike) -> Values {
    table.iter().filter_map(|(key, item)| Some((key.to_owned(), json_of(item)?))).collect()
}

/// A key's value as JSON; nothing for nothing.
pub(crate) fn json_of(item: &Item) -> Option<Value> {
    match item {
        Item::None => None,
        Item::Value(value) => Some(json_of_value(value)),
        Item::Table(table) => Some(Value::Object(values_of(table))),
        Item::ArrayOfTables(tables) => {
            Some(tables.iter().map(|table| Value::Object(values_of(table))).collect())
        }
    }
}

fn json_of_value(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => text.value().as_str().into(),
        toml_edit::Value::Integer(number) => (*number.value()).into(),
        toml_edit::Value::Float(number) => Number::from_f64(*number.value())
            .map_or_else(|| number.value().to_string().into(), Value::Number),
        toml_edit::Value::Boolean(flag) => (*flag.value()).into(),
        toml_edit::Value::Datetime(date) => date.value().to_string().into(),
        toml_edit::Value::Array(items) => items.iter().map(json_of_value).collect(),
        toml_edit::Value::InlineTable(table) => Value::Object(values_of(table)),
    }
}

/// JSON as TOML on one line; a null is nothing.
pub(crate) fn toml_of(value: &Value) -> Option<toml_edit::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64()?.into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().filter_map(toml_of).collect::<Array>().into(),
        Value::Object(entries) => entries
            .iter()
            .filter_map(|(key, value)| Some((key.as_str(), toml_of(value)?)))
            .collect::<InlineTable>()
            .into(),
    })
}

/// Where in the text the value at `path` is, or what is left of it: a key
/// that is missing is at the table it is missing from.
pub(crate) fn span_of_value(
    table: &dyn TableLike,
    table_span: Range<usize>,
    path: &[Step],
) -> Range<usize> {
    let Some((Step::Key(key), rest)) = path.split_first() else {
        return table_span;
    };
    table.get(key).map_or(table_span, |item| span_in_item(item, rest))
}

/// Where in the text the key at the start of `path` is.
pub(crate) fn span_of_key(
    table: &dyn TableLike,
    table_span: Range<usize>,
    path: &[Step],
) -> Range<usize> {
    let Some(Step::Key(key)) = path.first() else {
        return table_span;
    };
    table.get_key_value(key).and_then(|(key, _)| key.span()).unwrap_or(table_span)
}

fn span_in_item(item: &Item, path: &[Step]) -> Range<usize> {
    let here = item.span().unwrap_or_default();
    match (item, path.split_first()) {
        (Item::Value(value), Some(_)) => span_in_value(value, path),
        (Item::Table(table), Some(_)) => span_of_value(table, here, path),
        (Item::ArrayOfTables(tables), Some((Step::Index(index), rest))) => {
            let table = tables.get(*index);
            table.map_or(here, |table| span_of_value(table, table.span().unwrap_or_default(), rest))
        }
        (Item::None | Item::ArrayOfTables(_), _) | (_, None) => here,
    }
}

fn span_in_value(value: &toml_edit::Value, path: &[Step]) -> Range<usize> {
    let here = value.span().unwrap_or_default();
    match (value, path.split_first()) {
        (toml_edit::Value::Array(items), Some((Step::Index(index), rest))) => {
            items.get(*index).map_or(here, |item| span_in_value(item, rest))
        }
        (toml_edit::Value::InlineTable(table), Some(_)) => span_of_value(table, here, path),
        _ => here,
    }
}
