//! `check = "http"`: an HTTP request gets the expected response.

pub(crate) mod client;
mod evidence;
pub(crate) mod expect;
pub(crate) mod failure;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use health::Thresholds;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;
use tokio::task::spawn_blocking;
use url::Url;

use self::expect::{Body, Expectations};
use crate::failure::Failure;
use crate::field::{
    Field, FieldError, FieldType, Form, Parsed, Section, StatusRange, Step, Values, boolean,
    header_map, line, mistake, regex, status_ranges, text, url, whole,
};
use crate::net::Family;
use crate::text::clean;
use crate::tls::Tls;
use crate::trace::{Phase, Trace};
use crate::{Checking, Context, Probe, json, net, tls};

pub(crate) const LABEL: &str = "HTTP";
pub(crate) const HELP: &str = "Sends a request and looks at status, text or JSON of the response.";
pub(crate) const EXAMPLE: &str = r#"url = "https://api.example.com/health"
headers = { Authorization = "keyring:api-token" }
expect_json = [{ path = "$.status", equals = "ok" }]"#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::HTTP;

const SCHEMES: &[&str] = &["http", "https"];
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const MAX_REDIRECTS: u32 = 5;

pub(crate) const FIELDS: &[Field] = &[
    Field::required(
        "url",
        "URL",
        "The address to ask, in full.",
        FieldType::Url { schemes: SCHEMES },
    ),
    Field::optional("method", "Method", "What to do there.", FieldType::Choice { of: METHODS })
        .or("GET")
        .within(Section::Request),
    Field::optional(
        "headers",
        "Headers",
        "Sent along, but never to another origin that a redirect leads to.",
        FieldType::Headers,
    )
    .within(Section::Request),
    Field::optional(
        "body",
        "Body",
        "Sent along as it is; give its Content-Type in the headers.",
        FieldType::Multiline,
    )
    .within(Section::Request),
    Field::optional(
        "max_redirects",
        "Redirects",
        "How many redirects are followed; with 0 the redirect itself is the response.",
        FieldType::Integer { min: 0, max: 20 },
    )
    .or("5")
    .within(Section::Request),
    Field::optional(
        "expect_status",
        "Expected status",
        "Statuses and ranges that are fine. A redirect listed here is not followed.",
        FieldType::StatusList,
    )
    .or("200-299")
    .within(Section::Expect),
    Field::optional(
        "expect_text",
        "Expected text",
        "Text that the first 1 MiB of the response contains.",
        FieldType::Text,
    )
    .within(Section::Expect),
    Field::optional(
        "expect_regex",
        "Expected pattern",
        "Regular expression that the first 1 MiB of the response matches.",
        FieldType::Regex,
    )
    .within(Section::Expect),
    Field::optional(
        "expect_json",
        "Expected JSON",
        "What the response, as JSON of up to 1 MiB, says under JSON paths.",
        FieldType::JsonAssertions { operators: json::OPERATORS },
    )
    .within(Section::Expect),
    tls::VERIFY,
    tls::CA_FILE,
    tls::CERT_FILE,
    tls::KEY_FILE,
    tls::WARN_DAYS,
    net::FAMILY,
    Field::optional(
        "reuse_connection",
        "Reuse connection",
        "Keeps the connection for the next check, which then does not notice when new \
         connections fail. Reads every response up to 1 MiB.",
        FieldType::Boolean,
    )
    .or("false")
    .within(Section::Advanced),
];

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    Ok(Box::new(HttpProbe::new(values)?))
}

struct HttpProbe {
    client: Client,
    tls: Tls,
    request: Request,
    host: String,
    expectations: Arc<Expectations>,
    max_redirects: u32,
    reads_body: bool,
}

/// One request of a chain of redirects.
#[derive(Clone)]
pub(crate) struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<String>,
}

impl HttpProbe {
    fn new(values: &Values) -> Parsed<Self> {
        let form = Form::new(FIELDS, values)?;
        let request = Request::new(&form)?;
        let expectations = Expectations {
            status: form.or("expect_status", vec![StatusRange::SUCCESS], status_ranges)?,
            text: form.optional("expect_text", line)?.map(str::to_owned),
            regex: form.optional("expect_regex", regex)?,
            json: form.or("expect_json", Vec::new(), all_assertions)?,
        };
        if request.method == Method::HEAD {
            expectations.without_body().map_err(|key| {
                let mistake = mistake("a HEAD request gets no body", "use GET, or leave this out");
                vec![mistake.within(Step::Key(key.to_owned()))]
            })?;
        }
        let reuse_connection = form.or("reuse_connection", false, boolean)?;
        let host = request.host();
        let tls = Tls::read(&form)?.offering(&[b"h2", b"http/1.1"]);
        let client = client::build(&client::Options {
            host: &host,
            reuse_connection,
            tls: &tls,
            family: Family::read(&form)?,
        })
        .map_err(|error| vec![mistake(format!("cannot set up HTTP: {error}"), "")])?;
        Ok(Self {
            client,
            tls,
            host,
            reads_body: reuse_connection || expectations.without_body().is_err(),
            max_redirects: form.or("max_redirects", MAX_REDIRECTS, whole)?,
            expectations: Arc::new(expectations),
            request,
        })
    }

    async fn request(&self, trace: &Arc<Trace>) -> Result<String, Failure> {
        let mut response = self.follow(trace).await?;
        let status = response.status();
        trace.note("http_status", status.as_u16());
        trace.note("http_version", format_args!("{:?}", response.version()));
        if let Some(content_type) = response.headers().get(CONTENT_TYPE) {
            trace.note("content_type", String::from_utf8_lossy(content_type.as_bytes()));
        }
        trace.saw_headers(evidence::headers(response.headers()));
        self.tls.look_at_expiry(trace);
        if let Err(unexpected) = self.expectations.judge_status(status) {
            evidence::keep_body(&mut response, trace).await;
            return Err(Failure::Unexpected(unexpected));
        }
        if self.reads_body {
            let body = read_body(&mut response, trace).await?;
            trace.note("body_bytes", body.bytes.len());
            trace.saw_body(&body.bytes);
            self.judge_body(body).await.map_err(Failure::Unexpected)?;
        }
        Ok(expect::status_line(status))
    }

    /// Sends the request, and those that redirects ask for.
    ///
    /// 1. A status that is expected is the answer, redirect or not.
    /// 2. With `max_redirects = 0`, or without a `Location`, so is any other.
    /// 3. Else the redirect is followed, up to `max_redirects` times.
    async fn follow(&self, trace: &Trace) -> Result<Response, Failure> {
        let mut request = self.request.clone();
        let mut followed = 0;
        loop {
            let response = client::send(&self.client, &request, trace).await?;
            let status = response.status();
            let location = redirect_location(&response);
            let Some(location) = location.filter(|_| {
                self.max_redirects > 0 && self.expectations.judge_status(status).is_err()
            }) else {
                if followed > 0 {
                    trace.note("redirected_to", without_secrets(&request.url));
                    trace.note("redirects", followed);
                }
                return Ok(response);
            };
            if followed == self.max_redirects {
                let limit = self.max_redirects;
                return Err(Failure::Unexpected(format!("too many redirects (more than {limit})")));
            }
            followed += 1;
            request = request.redirected(status, location).map_err(Failure::Unexpected)?;
        }
    }

    /// Off the asynchronous threads: an unlucky expression over 1 MiB takes
    /// long enough to hold up other checks.
    async fn judge_body(&self, body: Body) -> Result<(), String> {
        let expectations = self.expectations.clone();
        spawn_blocking(move || expectations.judge_body(&body))
            .await
            .unwrap_or_else(|stopped| Err(format!("the response could not be judged: {stopped}")))
    }
}

impl Probe for HttpProbe {
    fn check<'a>(&'a self, timeout: Duration, _: &'a Context) -> Checking<'a> {
        let port = self.request.port();
        Box::pin(Trace::observe(&self.host, port, timeout, move |trace| async move {
            self.request(&trace).await
        }))
    }

    fn target(&self) -> String {
        without_secrets(&self.request.url)
    }

    fn host(&self) -> &str {
        &self.host
    }
}

impl Request {
    /// Asks `url` for what it has as `media_type`.
    #[cfg(feature = "dns")]
    pub(crate) fn get(url: Url, media_type: &'static str) -> Self {
        let headers =
            HeaderMap::from_iter([(reqwest::header::ACCEPT, HeaderValue::from_static(media_type))]);
        Self { method: Method::GET, url, headers, body: None }
    }

    fn new(form: &Form<'_>) -> Parsed<Self> {
        let method = form.or("method", "GET", text)?;
        Ok(Self {
            method: Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET),
            url: form.required("url", |value| url(value, SCHEMES))?,
            headers: form.or("headers", HeaderMap::new(), header_map)?,
            body: form.optional("body", text)?.map(str::to_owned),
        })
    }

    /// The host without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']').to_owned()
    }

    pub(crate) fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }

    /// The request that a redirect with `status` to `location` asks for.
    ///
    /// 1. 301, 302 and 303 turn anything but HEAD into a GET without a body;
    ///    307 and 308 keep both.
    /// 2. The configured headers and credentials go to their own origin only:
    ///    any of them may be a secret.
    fn redirected(self, status: StatusCode, location: &HeaderValue) -> Result<Self, String> {
        let url = redirect_url(&self.url, location)?;
        let keeps_method =
            matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT)
                || self.method == Method::HEAD;
        let (method, body) =
            if keeps_method { (self.method, self.body) } else { (Method::GET, None) };
        let mut headers = self.headers;
        if url.origin() != self.url.origin() {
            headers.clear();
        }
        if body.is_none() {
            headers.remove(CONTENT_TYPE);
        }
        Ok(Self { method, url, headers, body })
    }
}

fn all_assertions(value: &Value) -> Parsed<Vec<json::Assertion>> {
    json::assertions(value, json::OPERATORS)
}

fn redirect_location(response: &Response) -> Option<&HeaderValue> {
    let follows = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    response.headers().get(LOCATION).filter(|_| follows)
}

fn redirect_url(from: &Url, location: &HeaderValue) -> Result<Url, String> {
    let text = String::from_utf8_lossy(location.as_bytes());
    let mut url = from
        .join(&text)
        .map_err(|error| format!("redirected to something that is not a URL: {error}"))?;
    if !SCHEMES.contains(&url.scheme()) {
        return Err(format!("redirected to {}, which is not HTTP", without_secrets(&url)));
    }
    let (user, password) =
        if url.origin() == from.origin() { (from.username(), from.password()) } else { ("", None) };
    set_credentials(&mut url, user, password);
    url.set_fragment(None);
    Ok(url)
}

fn set_credentials(url: &mut Url, user: &str, password: Option<&str>) {
    // These fail for URLs without a host only, which have no place for them.
    let _ = url.set_username(user);
    let _ = url.set_password(password);
}

async fn read_body(response: &mut Response, trace: &Trace) -> Result<Body, Failure> {
    trace.enter(Phase::Receiving);
    let mut body = Body::default();
    while !body.is_full() {
        match response.chunk().await {
            Ok(Some(chunk)) => body.push(&chunk),
            Ok(None) => break,
            Err(error) => return Err(failure::of(&error, trace)),
        }
    }
    Ok(body)
}

/// The URL for people and records: credentials and query may be secrets.
fn without_secrets(url: &Url) -> String {
    let mut shown = url.clone();
    set_credentials(&mut shown, "", None);
    shown.set_fragment(None);
    if shown.query().is_some() {
        shown.set_query(Some("…"));
    }
    clean(&shown.as_str().replace("%E2%80%A6", "…"))
}
