//! A token for the client itself: client credentials of OAuth 2 (RFC 6749, section 4.4).

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;
use url::form_urlencoded::Serializer;

use super::client::Client;
use super::fields::SCHEMES;
use super::login::{Credentials, unfit};
use super::request::Request;
use super::status_line;
use crate::failure::Failure;
use crate::field::{Form, Parsed, line, mistake_at, url};
use crate::net;
use crate::text::clean;
use crate::trace::{Phase, Trace};

const MOST_BYTES: usize = 64 * 1024;
/// How long before its end a token is not used any more, where it lasts long
/// enough: the request that carries it takes its time.
const MARGIN: Duration = Duration::from_secs(30);

/// Who fetches tokens, and where.
#[derive(Debug)]
pub(super) struct OAuth {
    client: Client,
    request: Request,
    credentials: Credentials,
    token: Mutex<Option<Token>>,
}

#[derive(Debug, Clone)]
struct Token {
    credentials: Credentials,
    /// None: until it is refused.
    until: Option<Instant>,
}

impl OAuth {
    /// Reads the keys; none where there is no `oauth_token_url`. `client_for`
    /// makes a client for a host.
    pub(super) fn read(
        form: &Form<'_>,
        client_for: impl FnOnce(&str) -> Parsed<Client>,
    ) -> Parsed<Option<Self>> {
        const KEYS: [&str; 3] = ["oauth_client_id", "oauth_client_secret", "oauth_scope"];
        let Some(url) = form.optional("oauth_token_url", |value| url(value, SCHEMES))? else {
            return match KEYS.into_iter().find(|key| form.has(key)) {
                None => Ok(None),
                Some(key) => Err(mistake_at(
                    "oauth_token_url",
                    "`oauth_token_url` is missing",
                    format!("`{key}` needs it: where tokens are fetched"),
                )),
            };
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(mistake_at(
                "oauth_token_url",
                "the URL holds a login",
                "write it under `oauth_client_id` and `oauth_client_secret`",
            ));
        }
        let needed = |key: &'static str| {
            let missing =
                || mistake_at(key, format!("`{key}` is missing"), "a token is fetched with it");
            form.optional(key, line)?.ok_or_else(missing)
        };
        let (id, secret) = (needed("oauth_client_id")?, needed("oauth_client_secret")?);
        let scope = form.optional("oauth_scope", line)?;
        Ok(Some(Self {
            client: client_for(net::host_of(&url))?,
            request: request(url, scope),
            credentials: Credentials::client(id, secret).ok_or_else(|| unfit("oauth_client_id"))?,
            token: Mutex::new(None),
        }))
    }

    /// A token that is good as far as is known, and whether it is new.
    pub(super) async fn token(&self, trace: &Arc<Trace>) -> Result<(Credentials, bool), Failure> {
        let mut kept = self.token.lock().await;
        let now = Instant::now();
        if let Some(token) = &*kept
            && token.until.is_none_or(|until| now < until)
        {
            return Ok((token.credentials.clone(), false));
        }
        let token = self.fetch(trace).await?;
        let credentials = token.credentials.clone();
        *kept = Some(token);
        Ok((credentials, true))
    }

    /// Uses the token no more.
    pub(super) async fn forget(&self) {
        *self.token.lock().await = None;
    }

    async fn fetch(&self, trace: &Arc<Trace>) -> Result<Token, Failure> {
        let mut request = self.request.clone();
        self.credentials.add_to(&mut request.headers, trace);
        let asked = Instant::now();
        let answer = async {
            let mut response = self.client.send(&request, trace, "fetching a token").await?;
            let status = response.status();
            let body = read(&mut response, &self.client, trace).await?;
            Ok((status, body))
        };
        let (status, body) = answer.await.map_err(|failure| {
            let (Failure::NoAnswer(message) | Failure::Unexpected(message)) = failure;
            Failure::NoAnswer(format!("no token: {message}"))
        })?;
        // The service itself has not been asked.
        let token = token(status, &body, asked);
        token.map_err(|reason| {
            let endpoint = trace.endpoint();
            Failure::NoAnswer(format!("no token: the token endpoint {endpoint} {reason}"))
        })
    }
}

fn request(url: Url, scope: Option<&str>) -> Request {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if let Some(scope) = scope {
        form.append_pair("scope", scope);
    }
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    Request {
        method: Method::POST,
        url,
        headers,
        has_placeholders: false,
        body: Some(form.finish().into()),
    }
}

async fn read(response: &mut Response, client: &Client, trace: &Trace) -> Result<Vec<u8>, Failure> {
    trace.enter(Phase::Receiving);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| client.failure(&error, trace))? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST_BYTES {
            let endpoint = trace.endpoint();
            let message = format!("the token endpoint {endpoint} sent more than 64 KiB");
            return Err(Failure::NoAnswer(message));
        }
    }
    Ok(body)
}

/// The token in an answer, or what is wrong with the answer, without any of
/// its secrets.
fn token(status: StatusCode, body: &[u8], asked: Instant) -> Result<Token, String> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    if status != StatusCode::OK {
        let status = status_line(status);
        return Err(match answer["error"].as_str().filter(|code| is_code(code)) {
            Some(code) => format!("answered {status}, {code}{}", remedy(code)),
            None => format!("answered {status}"),
        });
    }
    let kind = answer["token_type"].as_str().unwrap_or("bearer");
    if !kind.eq_ignore_ascii_case("bearer") {
        return Err(format!("gives tokens of the type `{}`, not bearer", clean(kind)));
    }
    let token = answer["access_token"].as_str().filter(|token| !token.is_empty());
    let credentials = token.and_then(Credentials::bearer);
    let credentials =
        credentials.ok_or_else(|| format!("answered {} without a token", status_line(status)))?;
    let lasts = &answer["expires_in"];
    let lasts = lasts.as_u64().or_else(|| lasts.as_str()?.parse().ok());
    let until = lasts.map(Duration::from_secs).and_then(|lasts| {
        // Further than a clock goes is never.
        asked.checked_add(lasts.saturating_sub(MARGIN.min(lasts / 2)))
    });
    Ok(Token { credentials, until })
}

/// Whether it is an error code (RFC 6749, section 5.2), and no free text.
fn is_code(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn remedy(code: &str) -> &'static str {
    match code {
        "invalid_client" | "unauthorized_client" => {
            ": check `oauth_client_id` and `oauth_client_secret`"
        }
        "invalid_scope" => ": check `oauth_scope`",
        _ => "",
    }
}
