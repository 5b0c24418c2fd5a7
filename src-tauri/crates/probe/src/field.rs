mod escape;
mod parse;

use serde::Serialize;
use serde_json::Value;

use crate::json;
pub(crate) use escape::escaped;
pub(crate) use parse::{
    Parsed, StatusRange, boolean, duration, each, file, header_map, host_name, line, list, mistake,
    mistake_at, number, regex, services, size, status_ranges, text, token, url, variables, whole,
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
    /// What a number counts: "days", "%"; empty where it goes without saying.
    pub unit: &'static str,
    /// Where in the form it stands.
    pub section: Section,
    /// What it may hold.
    pub value: FieldType,
}

/// A part of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ts_rs::TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "bindings.ts")]
pub enum Section {
    /// What is checked.
    Target,
    /// Who asks.
    Login,
    /// What is asked.
    Request,
    /// What the answer must be.
    Expect,
    /// How the connection is encrypted, and what is trusted.
    Tls,
    /// What few need.
    Advanced,
}

impl Field {
    /// A key that may be left out.
    pub const fn optional(
        key: &'static str,
        label: &'static str,
        help: &'static str,
        value: FieldType,
    ) -> Self {
        let (required, default, unit, section) = (false, "", "", Section::Target);
        Self { key, label, help, required, default, unit, section, value }
    }

    /// A key that a service needs.
    pub const fn required(
        key: &'static str,
        label: &'static str,
        help: &'static str,
        value: FieldType,
    ) -> Self {
        Self { required: true, ..Self::optional(key, label, help, value) }
    }

    /// With what holds when it is absent.
    #[must_use]
    pub const fn or(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    /// With what it counts.
    #[must_use]
    pub const fn of(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// In another section than the target's.
    #[must_use]
    pub const fn within(self, section: Section) -> Self {
        Self { section, ..self }
    }
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
    /// `"500 MB"`, `"20 GiB"`.
    Size {
        /// Whether a share of the whole, `"10%"` or the number 10, is one too.
        percent: bool,
    },
    /// A regular expression.
    Regex,
    /// One of a few words.
    Choice {
        /// The words.
        of: &'static [&'static str],
    },
    /// A number with or without decimals.
    Number {
        /// The smallest allowed.
        min: f64,
        /// The greatest allowed.
        max: f64,
    },
    /// A password or a token: shown to nobody.
    Secret,
    /// A secret that others are told, so that they can report in.
    Token,
    /// The path of a file or folder on this machine.
    File,
    /// Texts in their order: a program and its arguments, values expected.
    List,
    /// `{ NAME = "value" }`, for the environment of a program.
    Variables,
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
            FieldType::Text | FieldType::Secret => parse::line(value).err(),
            FieldType::Multiline => parse::text(value).err(),
            FieldType::Url { schemes } => parse::url(value, schemes).err(),
            FieldType::Host => parse::host_name(value).err(),
            FieldType::Integer { min, max } => parse::integer(value, self.key, min, max).err(),
            FieldType::Boolean => parse::boolean(value).err(),
            FieldType::Duration => parse::duration(value).err(),
            FieldType::Size { percent } => parse::size_or(value, percent).err(),
            FieldType::Regex => parse::regex(value).err(),
            FieldType::Choice { of } => parse::choice(value, of).err(),
            FieldType::Number { min, max } => parse::number_within(value, self.key, min, max).err(),
            FieldType::Token => parse::token(value).err(),
            FieldType::File => parse::file(value).err(),
            FieldType::List => parse::list(value).err(),
            FieldType::Variables => parse::variables(value).err(),
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

    /// Whether there is a value for `key`.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
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
