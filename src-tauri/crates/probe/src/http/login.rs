//! Who asks: user and password, or a token.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::field::{Field, FieldError, FieldType, Form, Parsed, Section, line, mistake_at};
use crate::trace::Trace;

pub(crate) const USER: Field =
    Field::optional("user", "User", "Name to log in with (Basic authentication).", FieldType::Text)
        .within(Section::Login);

pub(crate) const PASSWORD: Field =
    Field::optional("password", "Password", "The password of `user`.", FieldType::Secret)
        .within(Section::Login);

pub(crate) const BEARER_TOKEN: Field = Field::optional(
    "bearer_token",
    "Bearer token",
    "Token or API key sent as `Authorization: Bearer …`.",
    FieldType::Secret,
)
.within(Section::Login);

/// The value of `Authorization`.
#[derive(Clone)]
pub(crate) struct Credentials {
    header: HeaderValue,
    /// The part of it that nobody may read.
    secret: Arc<str>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}

impl Credentials {
    /// User and password (RFC 7617).
    fn basic(user: &str, password: &str) -> Option<Self> {
        let secret = BASE64_STANDARD.encode(format!("{user}:{password}"));
        Self::new(format!("Basic {secret}"), secret)
    }

    /// A token (RFC 6750); none if a header cannot hold it.
    pub(super) fn bearer(token: &str) -> Option<Self> {
        Self::new(format!("Bearer {token}"), token.to_owned())
    }

    /// Id and secret of a client that fetches tokens (RFC 6749, section 2.3.1).
    pub(super) fn client(id: &str, secret: &str) -> Option<Self> {
        let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        Self::basic(&encode(id), &encode(secret))
    }

    fn new(header: String, secret: String) -> Option<Self> {
        let mut header = HeaderValue::try_from(header).ok()?;
        header.set_sensitive(true);
        Some(Self { header, secret: secret.into() })
    }

    /// Puts it into the request, and out of everything that is told of it.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap, trace: &Trace) {
        trace.conceal(&self.secret);
        headers.insert(AUTHORIZATION, self.header.clone());
    }
}

/// Reads [`USER`], [`PASSWORD`] and [`BEARER_TOKEN`] of a request that has
/// this URL and these headers.
///
/// # Errors
/// There is more than one way to log in, URL and headers included.
pub(crate) fn read(form: &Form<'_>, url: &Url, headers: &HeaderMap) -> Parsed<Option<Credentials>> {
    let user = form.optional("user", line)?;
    let token = form.optional("bearer_token", line)?;
    let in_url = !url.username().is_empty() || url.password().is_some();
    only_one(&[
        ("url", in_url),
        ("headers", headers.contains_key(AUTHORIZATION)),
        ("user", user.is_some()),
        ("bearer_token", token.is_some()),
        ("oauth_token_url", form.has("oauth_token_url")),
    ])?;
    let password = form.optional("password", line)?;
    match (user, password, token) {
        (Some(user), _, _) if user.contains(':') => {
            Err(mistake_at("user", "a user name cannot hold `:`", "write the name alone"))
        }
        (Some(user), password, _) => {
            let credentials = Credentials::basic(user, password.unwrap_or_default());
            credentials.map(Some).ok_or_else(|| unfit("user"))
        }
        (None, Some(_), _) => {
            Err(mistake_at("user", "`user` is missing", "a password needs a `user`"))
        }
        (None, None, Some(token)) => {
            Credentials::bearer(token).map(Some).ok_or_else(|| unfit("bearer_token"))
        }
        (None, None, None) => Ok(None),
    }
}

fn only_one(ways: &[(&str, bool)]) -> Parsed<()> {
    let mut used = ways.iter().filter(|(_, used)| *used).map(|(key, _)| key);
    match (used.next(), used.next()) {
        (Some(first), Some(second)) => Err(mistake_at(
            second,
            format!("more than one way to log in: `{first}` and `{second}`"),
            "keep one of them",
        )),
        _ => Ok(()),
    }
}

pub(super) fn unfit(key: &str) -> Vec<FieldError> {
    mistake_at(
        key,
        format!("`{key}` has characters that a header cannot hold"),
        "write it in one line, without control characters",
    )
}
