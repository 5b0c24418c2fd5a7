//! One request of a chain of redirects.

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
    pub(super) body: Option<String>,
}

impl Request {
    /// Reads the keys. Placeholders are still in it.
    pub(super) fn read(form: &Form<'_>) -> Parsed<Self> {
        let method = form.or("method", "GET", text)?;
        let request = Self {
            method: Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET),
            url: form.required("url", |value| url(value, SCHEMES))?,
            headers: form.or("headers", HeaderMap::new(), header_map)?,
            body: form.optional("body", text)?.map(str::to_owned),
        };
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
            let found = template::mistakes(&lossless(value));
            let found = found.into_iter().map(|m| m.within(Step::Key(name.to_string())));
            mistakes.extend(within("headers", found.collect()));
        }
        mistakes
            .extend(within("body", template::mistakes(self.body.as_deref().unwrap_or_default())));
        mistakes
    }

    /// With the values of one check in the place of placeholders.
    pub(super) fn filled(&self) -> Result<Self, Failure> {
        let has = |text: Option<&str>| text.is_some_and(template::has_placeholders);
        let in_headers = |value| template::has_placeholders(&lossless(value));
        let mut request = self.clone();
        if !has(self.url.query())
            && !has(self.body.as_deref())
            && !self.headers.values().any(in_headers)
        {
            return Ok(request);
        }
        let values = template::Values::new()?;
        let query = self.url.query().map(|query| values.fill(query));
        request.url.set_query(query.as_deref());
        request.body = self.body.as_ref().map(|body| values.fill(body));
        for value in request.headers.values_mut() {
            // Digits and letters fit into any header.
            if let Ok(filled) = HeaderValue::try_from(values.fill(&lossless(value))) {
                *value = filled;
                value.set_sensitive(true);
            }
        }
        Ok(request)
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
        Ok(Self { method, url, headers, body })
    }
}

/// Values are made of text.
fn lossless(value: &HeaderValue) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}
