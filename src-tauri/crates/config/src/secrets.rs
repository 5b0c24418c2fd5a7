use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::PoisonError;

use probe::{Field, FieldType, Step, Values};
use serde_json::Value;

use crate::keychain::{self, KeychainError};
use crate::place::Finding;

const KEYCHAIN_SERVICE: &str = "pilotlight";
const KEYCHAIN_PREFIX: &str = "keyring:";
const MASK: &str = "***";

/// Where secrets come from: environment variables and the OS keychain.
///
/// It asks the keychain for each name once, as that may take a while or even
/// ask the person: make a new one for every load, and keep it for the reviews
/// until the next.
pub struct Environment {
    variable: Box<Lookup<Option<String>>>,
    keychain: Box<Lookup<Entry>>,
    asked: Asked,
}

type Lookup<T> = dyn Fn(&str) -> T + Send + Sync;
type Entry = Result<String, KeychainError>;

#[allow(clippy::disallowed_types)] // only loads and reviews wait for each other, and no check for them
type Asked = std::sync::Mutex<HashMap<String, Entry>>;

impl Environment {
    /// This process's variables and this person's keychain. Reading the
    /// keychain blocks.
    pub fn system() -> Self {
        let keychain = |name: &str| keychain::read(KEYCHAIN_SERVICE, name);
        Self::new(|name| std::env::var(name).ok(), keychain)
    }

    /// Secrets from elsewhere: `variable` by name, `keychain` by entry.
    pub fn new(
        variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        keychain: impl Fn(&str) -> Result<String, KeychainError> + Send + Sync + 'static,
    ) -> Self {
        Self { variable: Box::new(variable), keychain: Box::new(keychain), asked: Asked::default() }
    }

    fn keychain_entry(&self, name: &str) -> Result<String, KeychainError> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.entry(name.to_owned()).or_insert_with(|| (self.keychain)(name)).clone()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

/// The secrets of one service, to be taken out of every text about it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Every form a secret may show up in, longest first, so that none is
    /// left in part.
    forms: Vec<String>,
}

impl Secrets {
    /// There is nothing to take out.
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// `text` with `***` for each secret in it, as written or as it looks
    /// within a URL or within quotes.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for form in &self.forms {
            if text.contains(form.as_str()) {
                text = Cow::Owned(text.replace(form.as_str(), MASK));
            }
        }
        self.redact_end(text)
    }

    /// The same where the text was cut within a secret.
    fn redact_end<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        let Some(kept) = text.strip_suffix(CUT) else { return text };
        for form in &self.forms {
            let cuts = form.char_indices().map(|(at, _)| at).filter(|at| *at >= TELLING);
            for at in cuts.rev() {
                if let Some(before) = kept.strip_suffix(&form[..at]) {
                    return Cow::Owned(format!("{before}{MASK}{CUT}"));
                }
            }
        }
        text
    }

    fn add(&mut self, secret: &str) {
        self.forms.extend(forms(secret).into_iter().filter(|form| !form.is_empty()));
        self.forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.forms.dedup();
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(***)")
    }
}

fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned(), secret.trim().to_owned()];
    for quoted in [format!("{secret:?}"), Value::from(secret).to_string()] {
        forms.push(quoted[1..quoted.len() - 1].to_owned());
    }
    forms.push(url::form_urlencoded::byte_serialize(secret.as_bytes()).collect());
    if let Ok(mut url) = url::Url::parse("http://host/") {
        if url.set_password(Some(secret)).is_ok() {
            forms.extend(url.password().map(str::to_owned));
        }
        url.set_query(Some(secret));
        forms.extend(url.query().map(str::to_owned));
        url.set_path(secret);
        forms.push(url.path().trim_start_matches('/').to_owned());
    }
    forms
}

/// A kind's keys with the secrets filled in.
pub(crate) struct Resolved {
    pub(crate) values: Values,
    pub(crate) secrets: Secrets,
    /// Secrets that could not be had; their values are left as they were.
    pub(crate) findings: Vec<Finding>,
}

/// What texts end with that were too long.
const CUT: char = '…';
/// Bytes of a secret's beginning that tell something of it.
const TELLING: usize = 4;

/// Bytes of a secret in the file itself that is no common word.
const LONG_ENOUGH: usize = 12;

impl Resolved {
    /// Treats what is written into a secret key itself like any other secret.
    /// A short one would blot out words that happen to be the same.
    pub(crate) fn keep_to_itself(&mut self, fields: &[Field]) {
        let secret = fields
            .iter()
            .filter(|field| matches!(field.value, FieldType::Secret | FieldType::Token));
        let values = secret.filter_map(|field| self.values.get(field.key)?.as_str());
        for value in values.filter(|value| value.len() >= LONG_ENOUGH) {
            self.secrets.add(value);
        }
    }
}

/// Fills the secrets into every string of `values`:
/// 1. A string that is `keyring:NAME` as a whole becomes the entry NAME of
///    the OS keychain.
/// 2. Else each `${NAME}` in it becomes the environment variable NAME.
/// 3. Else each `$${` in it becomes `${`.
pub(crate) fn resolve(values: &Values, environment: &Environment) -> Resolved {
    let mut resolved =
        Resolved { values: values.clone(), secrets: Secrets::default(), findings: Vec::new() };
    let mut values = std::mem::take(&mut resolved.values);
    for (key, value) in &mut values {
        resolve_value(value, &mut vec![Step::Key(key.clone())], environment, &mut resolved);
    }
    Resolved { values, ..resolved }
}

fn resolve_value(
    value: &mut Value,
    path: &mut Vec<Step>,
    environment: &Environment,
    out: &mut Resolved,
) {
    match value {
        Value::String(text) => match resolve_text(text, environment, &mut out.secrets) {
            Ok(resolved) => *text = resolved,
            Err(Missing { message, help }) => {
                out.findings.push(Finding::at(path.clone(), message, help));
            }
        },
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                path.push(Step::Index(index));
                resolve_value(item, path, environment, out);
                path.pop();
            }
        }
        Value::Object(entries) => {
            for (key, entry) in entries.iter_mut() {
                path.push(Step::Key(key.clone()));
                resolve_value(entry, path, environment, out);
                path.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A secret that could not be had.
#[derive(Debug, PartialEq, Eq)]
struct Missing {
    message: String,
    help: String,
}

fn missing(message: impl Into<String>, help: impl Into<String>) -> Missing {
    Missing { message: message.into(), help: help.into() }
}

fn resolve_text(
    text: &str,
    environment: &Environment,
    secrets: &mut Secrets,
) -> Result<String, Missing> {
    if let Some(name) = text.strip_prefix(KEYCHAIN_PREFIX) {
        let secret = from_keychain(name, environment)?;
        secrets.add(&secret);
        return Ok(secret);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let (name, after) = rest[at + 2..].split_once('}').ok_or_else(|| {
            missing(
                "`${` is never closed",
                "write `${NAME}` for an environment variable, `$${` for the characters",
            )
        })?;
        let secret = from_variable(name, environment)?;
        secrets.add(&secret);
        out.push_str(&secret);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn from_variable(name: &str, environment: &Environment) -> Result<String, Missing> {
    let is_name = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err(missing(
            format!("`${{{name}}}` names no environment variable"),
            "use letters, digits and `_` between the braces, or write `$${` for the characters `${`",
        ));
    }
    (environment.variable)(name).ok_or_else(|| {
        missing(
            format!("environment variable {name} is not set"),
            "set it before starting Pilotlight, or write the value itself",
        )
    })
}

fn from_keychain(name: &str, environment: &Environment) -> Result<String, Missing> {
    if name.is_empty() {
        return Err(missing("`keyring:` names no entry of the keychain", "write `keyring:NAME`"));
    }
    environment.keychain_entry(name).map_err(|error| match error {
        KeychainError::NoEntry => missing(
            format!("the keychain has no entry `{name}`"),
            format!("add one with the service `{KEYCHAIN_SERVICE}` and the account `{name}`"),
        ),
        KeychainError::Unreachable(reason) => missing(
            format!("the keychain cannot be read for `{name}`: {reason}"),
            format!(
                "unlock or start it, or use an environment variable: `${{{}}}`",
                variable_name(name)
            ),
        ),
    })
}

/// `api-token` -> `API_TOKEN`
fn variable_name(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn environment() -> Environment {
        Environment::new(
            |name| match name {
                "TOKEN" => Some("s3cret".to_owned()),
                "ODD" => Some("a b\"c/ü".to_owned()),
                "EMPTY" => Some(String::new()),
                _ => None,
            },
            |name| match name {
                "api" => Ok("from the chain".to_owned()),
                "locked" => Err(KeychainError::Unreachable("no bus".to_owned())),
                _ => Err(KeychainError::NoEntry),
            },
        )
    }

    fn text(text: &str) -> Result<String, Missing> {
        resolve_text(text, &environment(), &mut Secrets::default())
    }

    #[test]
    fn fills_in_variables_and_entries() {
        for (written, meant) in [
            ("plain", "plain"),
            ("Bearer ${TOKEN}", "Bearer s3cret"),
            ("${TOKEN}${TOKEN}!", "s3crets3cret!"),
            ("$${TOKEN}", "${TOKEN}"),
            ("$$${TOKEN}", "$${TOKEN}"),
            ("costs $5, {ok}", "costs $5, {ok}"),
            ("${EMPTY}", ""),
            ("keyring:api", "from the chain"),
            ("see keyring:api", "see keyring:api"),
        ] {
            assert_eq!(text(written).as_deref(), Ok(meant), "{written}");
        }
    }

    #[test]
    fn says_what_is_missing() {
        for (written, message) in [
            ("${NOPE}", "environment variable NOPE is not set"),
            ("${TOKEN", "`${` is never closed"),
            ("${a b}", "`${a b}` names no environment variable"),
            ("${}", "`${}` names no environment variable"),
            ("keyring:", "`keyring:` names no entry of the keychain"),
            ("keyring:other", "the keychain has no entry `other`"),
            ("keyring:locked", "the keychain cannot be read for `locked`: no bus"),
        ] {
            assert_eq!(
                text(written).map_err(|missing| missing.message),
                Err(message.to_owned()),
                "{written}"
            );
        }
    }

    #[test]
    fn asks_the_keychain_once() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let environment = Environment::new(
            |_| None,
            move |_| {
                counter.fetch_add(1, Ordering::Relaxed);
                Ok("x".to_owned())
            },
        );
        for _ in 0..3 {
            assert_eq!(environment.keychain_entry("a").as_deref(), Ok("x"));
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn redacts_every_form() {
        let mut secrets = Secrets::default();
        secrets.add("a b\"c/ü");
        for shown in [
            "got a b\"c/ü back",
            "https://x:a%20b%22c%2F%C3%BC@host/",
            "https://host/?q=a+b%22c%2F%C3%BC",
            "https://host/?q=a%20b%22c/%C3%BC",
            "https://host/a%20b%22c/%C3%BC",
            "said \"a b\\\"c/ü\"",
        ] {
            let redacted = secrets.redact(shown);
            assert!(
                redacted.contains("***") && !redacted.contains("c/") && !redacted.contains("c%"),
                "{redacted}"
            );
        }
        assert!(matches!(secrets.redact("nothing"), Cow::Borrowed("nothing")));
        assert_eq!(format!("{secrets:?}"), "Secrets(***)");
    }

    #[test]
    fn looks_into_nested_values() {
        let values = serde_json::json!({ "headers": { "A": "${TOKEN}", "B": "${NOPE}" }, "list": [1, "${TOKEN}"] });
        let resolved = resolve(values.as_object().expect("an object"), &environment());
        assert_eq!(resolved.values["headers"]["A"], "s3cret");
        assert_eq!(resolved.values["headers"]["B"], "${NOPE}");
        assert_eq!(resolved.values["list"][1], "s3cret");
        assert_eq!(crate::place::path_text(&resolved.findings[0].path), "headers.B");
    }
}
