//! One request of a chain of redirects.

use std::borrow::Cow;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use url::Url;

use super::fields::SCHEMES;
use super::{redirect, template};
use crate::failure::Failure;
use crate::field::{FieldError, Form, Parsed, Step, header_map, mistake, text, url};
use crate::net;

#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    /// Whether there is anything to fill in.
    pub(super) has_placeholders: bool,
}

impl Request {
    /// Reads the keys. Placeholders are still in it.
    pub(super) fn read(form: &Form<'_>) -> Parsed<Self> {
        let method = form.or("method", "GET", text)?;
        let body = form.optional("body", text)?;
        let mut request = Self {
            method: Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET),
            url: form.required("url", |value| url(value, SCHEMES))?,
            headers: form.or("headers", HeaderMap::new(), header_map)?,
            body: body.map(|body| Bytes::copy_from_slice(body.as_bytes())),
            has_placeholders: false,
        };
        let has_placeholders = request.texts().any(|text| template::has_placeholders(&text));
        request.has_placeholders = has_placeholders;
        let mistakes = request.placeholder_mistakes(form.required("url", text)?);
        if mistakes.is_empty() { Ok(request) } else { Err(mistakes) }
    }

    fn placeholder_mistakes(&self, written_url: &str) -> Vec<FieldError> {
        let within = |key: &str, found: Vec<FieldError>| {
            let step = Step::Key(key.to_owned());
            found.into_iter().map(move |mistake| mistake.within(step.clone()))
        };
        let mut mistakes = Vec::new();
        if written_url.split('?').next().is_some_and(template::has_placeholders) {
            let message = "placeholders stand in the query of the URL only";
            mistakes.extend(within("url", vec![mistake(message, "write them after the `?`")]));
        }
        mistakes.extend(within("url", template::mistakes(self.url.query().unwrap_or_default())));
        for (name, value) in &self.headers {
            let found = template::mistakes(&lossless(value.as_bytes()));
            let found = found.into_iter().map(|m| m.within(Step::Key(name.to_string())));
            mistakes.extend(within("headers", found.collect()));
        }
        let body = self.body.as_deref().map(lossless);
        mistakes.extend(within("body", template::mistakes(&body.unwrap_or_default())));
        mistakes
    }

    /// What may hold placeholders.
    fn texts(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let query = self.url.query().map(Cow::Borrowed);
        let body = self.body.as_deref().map(lossless);
        let headers = self.headers.values().map(|value| lossless(value.as_bytes()));
        query.into_iter().chain(body).chain(headers)
    }

    /// With the values of one check in the place of placeholders.
    pub(super) fn filled(&self) -> Result<Cow<'_, Self>, Failure> {
        if !self.has_placeholders {
            return Ok(Cow::Borrowed(self));
        }
        let mut request = self.clone();
        let values = template::Values::new()?;
        let query = self.url.query().map(|query| values.fill(query));
        request.url.set_query(query.as_deref());
        request.body = self.body.as_deref().map(|body| values.fill(&lossless(body)).into());
        for value in request.headers.values_mut() {
            // Digits and letters fit into any header.
            if let Ok(filled) = HeaderValue::try_from(values.fill(&lossless(value.as_bytes()))) {
                *value = filled;
                value.set_sensitive(true);
            }
        }
        Ok(Cow::Owned(request))
    }

    /// The host without the brackets of an IPv6 address.
    pub(super) fn host(&self) -> &str {
        net::host_of(&self.url)
    }

    pub(super) fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }

    /// The request that a redirect with `status` to `location` asks for.
    ///
    /// 1. 301, 302 and 303 turn anything but HEAD into a GET without a body;
    ///    307 and 308 keep both.
    /// 2. The configured headers, credentials and body go to their own origin
    ///    only: any of them may be a secret.
    pub(super) fn redirected(
        self,
        status: StatusCode,
        location: &HeaderValue,
    ) -> Result<Self, String> {
        let url = redirect::url(&self.url, location)?;
        let keeps_method =
            matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT)
                || self.method == Method::HEAD;
        let (method, body) =
            if keeps_method { (self.method, self.body) } else { (Method::GET, None) };
        let mut headers = self.headers;
        if url.origin() != self.url.origin() {
            headers.clear();
            if body.is_some() {
                return Err(format!(
                    "redirected to {}, which the request's body is not for: check `url`",
                    redirect::without_secrets(&url)
                ));
            }
        }
        if body.is_none() {
            headers.remove(CONTENT_TYPE);
        }
        Ok(Self { method, url, headers, body, has_placeholders: false })
    }
}

/// All of it was read from text.
fn lossless(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
