mod parse;

use serde::Serialize;
use serde_json::Value;

use crate::json;
pub(crate) use parse::{
    Parsed, StatusRange, boolean, each, header_map, host_name, line, mistake, regex, status_ranges,
    text, url, whole,
};

type Parse<'v, T> = fn(&'v Value) -> Parsed<T>;

/// The keys of one service, as config.toml or a form has them.
pub type Values = serde_json::Map<String, Value>;

/// One key: what it is called, what it does, what it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ts_rs::TS)]
#[ts(export_to = "bindings.ts")]
pub struct Field {
    /// The key in config.toml.
    pub key: &'static str,
    /// The name for people.
    pub label: &'static str,
    /// One line saying what it does.
    pub help: &'static str,
    /// Whether a service needs it.
    pub required: bool,
    /// What holds when the key is absent, as text; empty if nothing does.
    pub default: &'static str,
    /// What it may hold.
    pub value: FieldType,
}

/// How a key is edited and what it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ts_rs::TS)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export_to = "bindings.ts")]
pub enum FieldType {
    /// One line of text.
    Text,
    /// Several lines of text.
    Multiline,
    /// An absolute URL.
    Url {
        /// Schemes it may have.
        schemes: &'static [&'static str],
    },
    /// A host name or an IP address.
    Host,
    /// A whole number.
    Integer {
        /// The smallest allowed.
        #[ts(type = "number")]
        min: i64,
        /// The greatest allowed.
        #[ts(type = "number")]
        max: i64,
    },
    /// `true` or `false`.
    Boolean,
    /// `"500ms"`, `"15s"`, `"3m"`, `"1h"`.
    Duration,
    /// A regular expression.
    Regex,
    /// One of a few words.
    Choice {
        /// The words.
        of: &'static [&'static str],
    },
    /// HTTP statuses and ranges: `["200-299", 301]`.
    StatusList,
    /// `{ "X-Key" = "value" }`.
    Headers,
    /// `[{ path = "$.status", equals = "ok" }]`, one operator each.
    JsonAssertions {
        /// The operators.
        operators: &'static [&'static str],
    },
    /// Ids of other services.
    Services,
}

/// One step from a service's table to the place of a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Into the value of a key.
    Key(String),
    /// Into an array.
    Index(usize),
}

/// A mistake in a value: where, what, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// From the service's table to the mistake; empty for the service itself.
    pub path: Vec<Step>,
    /// What is wrong: "port 0 is out of range".
    pub message: String,
    /// What would be right: "use a number from 1 to 65535".
    pub help: String,
}

impl FieldError {
    /// The same mistake, seen from one step further out.
    #[must_use]
    pub(crate) fn within(mut self, step: Step) -> Self {
        self.path.insert(0, step);
        self
    }
}

impl Field {
    /// Every mistake in the value of this key.
    pub fn check(&self, value: &Value) -> Vec<FieldError> {
        let mistakes = match self.value {
            FieldType::Text => parse::line(value).err(),
            FieldType::Multiline => parse::text(value).err(),
            FieldType::Url { schemes } => parse::url(value, schemes).err(),
            FieldType::Host => parse::host_name(value).err(),
            FieldType::Integer { min, max } => parse::integer(value, self.key, min, max).err(),
            FieldType::Boolean => parse::boolean(value).err(),
            FieldType::Duration => parse::duration(value).err(),
            FieldType::Regex => parse::regex(value).err(),
            FieldType::Choice { of } => parse::choice(value, of).err(),
            FieldType::StatusList => parse::status_ranges(value).err(),
            FieldType::Headers => parse::header_map(value).err(),
            FieldType::JsonAssertions { operators } => json::assertions(value, operators).err(),
            FieldType::Services => parse::services(value).err(),
        };
        within(self.key, mistakes.unwrap_or_default())
    }
}

/// Every mistake in the values of `fields`: wrong types, values out of range,
/// missing keys. Keys that are in `values` only are not looked at.
pub fn check_fields(fields: &[Field], values: &Values) -> Vec<FieldError> {
    fields
        .iter()
        .flat_map(|field| match values.get(field.key) {
            Some(value) => field.check(value),
            None if field.required => vec![missing(field)],
            None => Vec::new(),
        })
        .collect()
}

/// Values without a mistake, read by key.
pub(crate) struct Form<'v>(&'v Values);

impl<'v> Form<'v> {
    /// # Errors
    /// Every mistake that [`check_fields`] finds.
    pub(crate) fn new(fields: &[Field], values: &'v Values) -> Result<Self, Vec<FieldError>> {
        let mistakes = check_fields(fields, values);
        if mistakes.is_empty() { Ok(Self(values)) } else { Err(mistakes) }
    }

    /// The value of `key`, or what holds when it is absent.
    pub(crate) fn or<T>(&self, key: &str, absent: T, parse: Parse<'v, T>) -> Parsed<T> {
        Ok(self.optional(key, parse)?.unwrap_or(absent))
    }

    pub(crate) fn required<T>(&self, key: &str, parse: Parse<'v, T>) -> Parsed<T> {
        parse(self.0.get(key).unwrap_or(&Value::Null)).map_err(|found| within(key, found))
    }

    pub(crate) fn optional<T>(&self, key: &str, parse: Parse<'v, T>) -> Parsed<Option<T>> {
        let value = self.0.get(key).map(parse).transpose();
        value.map_err(|found| within(key, found))
    }
}

fn within(key: &str, mistakes: Vec<FieldError>) -> Vec<FieldError> {
    mistakes.into_iter().map(|mistake| mistake.within(Step::Key(key.to_owned()))).collect()
}

fn missing(field: &Field) -> FieldError {
    FieldError {
        path: vec![Step::Key(field.key.to_owned())],
        message: format!("`{}` is missing", field.key),
        help: format!("add `{}`: {}", field.key, field.help),
    }
}

#[cfg(test)]
mod tests;
