//! When a mail server's connection is encrypted.

use crate::dialogue::Dialogue;
use crate::failure::Failure;
use crate::field::{Field, FieldType, Form, Parsed, Section, line, mistake_at, text};
use crate::net::is_loopback;
use crate::server::Server;
use crate::tls::Tls;

/// Whether and when the connection is encrypted.
pub(crate) const SECURITY: Field = Field::optional(
    "security",
    "Encryption",
    "TLS from the start, or once the server has agreed to it (STARTTLS).",
    FieldType::Choice { of: &["none", "starttls", "tls"] },
)
.or("none")
.within(Section::Tls);

/// A protocol's usual ports.
pub(crate) struct Ports {
    pub(crate) none: u16,
    pub(crate) starttls: u16,
    pub(crate) tls: u16,
}

/// A server, and how the talk with it is encrypted.
pub(crate) struct Secured {
    pub(crate) server: Server,
    /// What encrypts it once the server has agreed.
    pub(crate) starttls: Option<Tls>,
}

impl Secured {
    /// Reads [`SECURITY`], the keys of [`Server`] and those of [`Tls`].
    pub(crate) fn read(form: &Form<'_>, usual: &Ports) -> Parsed<Self> {
        let tls = Tls::read(form)?;
        let server = |port| Server::in_the_clear(form, port);
        Ok(match form.or("security", "none", text)? {
            "tls" => {
                let mut server = server(usual.tls)?;
                server.tls = Some(tls);
                Self { server, starttls: None }
            }
            "starttls" => Self { server: server(usual.starttls)?, starttls: Some(tls) },
            _ => Self { server: server(usual.none)?, starttls: None },
        })
    }

    /// Encrypts the rest of the talk, which the server has agreed to.
    pub(crate) async fn encrypt(&self, dialogue: Dialogue, tls: &Tls) -> Result<Dialogue, Failure> {
        dialogue.encrypt(tls, &self.server.host).await
    }

    fn is_encrypted(&self) -> bool {
        self.server.tls.is_some() || self.starttls.is_some()
    }
}

/// Who logs in.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Login {
    pub(crate) const USER: Field = Field::optional(
        "user",
        "User",
        "Logs in as this user; without one, nobody logs in.",
        FieldType::Text,
    )
    .within(Section::Login);

    pub(crate) const PASSWORD: Field = Field::optional(
        "password",
        "Password",
        "The user's; only sent encrypted, or on this machine.",
        FieldType::Secret,
    )
    .within(Section::Login);

    /// Reads the keys above.
    pub(crate) fn read(form: &Form<'_>, secured: &Secured) -> Parsed<Option<Self>> {
        const HELP: &str = "a login needs both `user` and `password`";
        let (user, password) =
            match (form.optional("user", line)?, form.optional("password", line)?) {
                (None, None) => return Ok(None),
                (Some(user), Some(password)) => (user, password),
                (Some(_), None) => {
                    return Err(mistake_at("password", "`password` is missing", HELP));
                }
                (None, Some(_)) => return Err(mistake_at("user", "`user` is missing", HELP)),
            };
        for (key, text) in [("user", user), ("password", password)] {
            if text.contains('\0') {
                return Err(mistake_at(key, "no login can hold a NUL character", "leave it out"));
            }
        }
        if !secured.is_encrypted() && !is_loopback(&secured.server.host) {
            return Err(mistake_at(
                "security",
                "the password would be sent unencrypted",
                "set `security` to \"starttls\" or \"tls\"",
            ));
        }
        Ok(Some(Self { user: user.to_owned(), password: password.to_owned() }))
    }

    /// The message of SASL's PLAIN (RFC 4616), in base64.
    pub(crate) fn plain(&self) -> String {
        base64(&format!("\0{}\0{}", self.user, self.password))
    }
}

pub(crate) fn base64(text: &str) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    BASE64_STANDARD.encode(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_as_in_its_rfc() {
        let login = Login { user: "tim".to_owned(), password: "tanstaaftanstaaf".to_owned() };
        assert_eq!(login.plain(), "AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
    }
}
