//! Placeholders in a request, so that no cache answers it.

use rustls::crypto::ring;
use rustls::pki_types::UnixTime;

use crate::failure::Failure;
use crate::field::{FieldError, mistake};
use crate::text::clean;

const NAMES: [&str; 3] = ["random", "timestamp", "uuid"];

/// What a text may hold, for help.
macro_rules! help {
    () => {
        "{{random}}, {{timestamp}} (seconds since 1970) and {{uuid}}"
    };
}
pub(super) use help;

/// Every placeholder in `text` that is not known. What is not closed is text.
pub(super) fn mistakes(text: &str) -> Vec<FieldError> {
    let unknown = placeholders(text).filter(|name| !NAMES.contains(name));
    unknown
        .map(|name| {
            mistake(
                format!("`{{{{{}}}}}` is not a placeholder", clean(name)),
                concat!("use ", help!()),
            )
        })
        .collect()
}

/// Whether there is anything to fill in.
pub(super) fn has_placeholders(text: &str) -> bool {
    placeholders(text).next().is_some()
}

/// What stands between `{{` and the next `}}`.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0))
}

/// The values of one check: the same wherever they stand in it.
#[derive(Debug)]
pub(super) struct Values {
    random: String,
    timestamp: String,
    uuid: String,
}

impl Values {
    /// # Errors
    /// This machine gives no random numbers.
    pub(super) fn new() -> Result<Self, Failure> {
        let mut bytes = [0; 24];
        let filled = ring::default_provider().secure_random.fill(&mut bytes);
        filled.map_err(|_| Failure::NoAnswer("this machine gives no random numbers".to_owned()))?;
        Ok(Self::of(bytes, UnixTime::now().as_secs()))
    }

    fn of(bytes: [u8; 24], seconds: u64) -> Self {
        let (mut uuid, mut random) = ([0; 16], [0; 8]);
        uuid.copy_from_slice(&bytes[..16]);
        random.copy_from_slice(&bytes[16..]);
        Self {
            random: format!("{:016x}", u64::from_be_bytes(random)),
            timestamp: seconds.to_string(),
            uuid: version_4(u128::from_be_bytes(uuid)),
        }
    }

    pub(super) fn fill(&self, text: &str) -> String {
        text.replace("{{random}}", &self.random)
            .replace("{{timestamp}}", &self.timestamp)
            .replace("{{uuid}}", &self.uuid)
    }
}

/// A random UUID (RFC 9562, section 5.4): version 4, variant 0b10.
fn version_4(random: u128) -> String {
    let bits = random & !(0xf << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
    let hex = format!("{bits:032x}");
    let groups = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_forms() {
        let values = Values::of([0xff; 24], 1_700_000_000);
        assert_eq!(
            values.fill("{{random}} {{timestamp}} {{uuid}} {{other}} {{"),
            "ffffffffffffffff 1700000000 ffffffff-ffff-4fff-bfff-ffffffffffff {{other}} {{"
        );
        let values = Values::of([0; 24], 0);
        assert_eq!(
            values.fill("{{uuid}}{{uuid}}"),
            "00000000-0000-4000-8000-00000000000000000000-0000-4000-8000-000000000000"
        );
        let (first, second) = (Values::new().expect("random"), Values::new().expect("random"));
        assert_ne!(first.fill("{{uuid}}"), second.fill("{{uuid}}"));
        assert_ne!(first.fill("{{random}}"), second.fill("{{random}}"));
    }

    #[test]
    fn unknown_placeholders_are_mistakes() {
        let messages = |text: &str| -> Vec<String> {
            mistakes(text).into_iter().map(|mistake| mistake.message).collect()
        };
        assert_eq!(messages("a{{random}}b{{uuid}}{{timestamp}}"), [""; 0]);
        assert_eq!(messages(r#"{"a": {"b": {}}} {{ not closed }"#), [""; 0]);
        assert_eq!(
            messages("{{uid}} {{}} {{ uuid }} {{uuid}}"),
            [
                "`{{uid}}` is not a placeholder",
                "`{{}}` is not a placeholder",
                "`{{uuid}}` is not a placeholder",
            ]
        );
    }
}
