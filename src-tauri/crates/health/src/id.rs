use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A service's stable name, `[a-z0-9-]+`: history hangs on it, a rename of the
/// service keeps it. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "string", export_to = "bindings.ts")]
pub struct ServiceId(Arc<str>);

/// The text is no service id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a service id: use lower-case letters, digits and `-` only")]
pub struct InvalidId(pub String);

impl ServiceId {
    /// # Errors
    /// When `text` is empty or holds anything but `[a-z0-9-]`.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty() || !text.chars().all(allowed) {
            return Err(InvalidId(text.to_owned()));
        }
        Ok(Self(text.into()))
    }

    /// The id as written in config.toml.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for ServiceId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ServiceId {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::new(&text)
    }
}

impl From<ServiceId> for String {
    fn from(id: ServiceId) -> Self {
        id.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lower_case_letters_digits_and_dashes() {
        assert!(ServiceId::new("api-2").is_ok());
        for bad in ["", "API", "a b", "a_b", "ä"] {
            assert_eq!(ServiceId::new(bad), Err(InvalidId(bad.to_owned())));
        }
    }
}
