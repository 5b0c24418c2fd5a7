//! `check = "http"`: an HTTP request gets the expected response.

mod client;
mod expect;
mod failure;
#[cfg(test)]
mod tests;
mod tls;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use health::{Observation, Thresholds};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Client, Method, Response, StatusCode};
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use tokio::task::spawn_blocking;
use url::Url;

use self::client::Hop;
use self::expect::{Body, Expectations};
use crate::Probe;
use crate::field::{
    Field, FieldError, FieldType, Form, Parsed, StatusRange, Step, Values, boolean, header_map,
    line, mistake, regex, status_ranges, text, url, whole,
};
use crate::json;
use crate::text::clean;
use crate::trace::{Failure, Phase, Trace};

pub(crate) const LABEL: &str = "HTTP";
pub(crate) const HELP: &str = "Sends a request and looks at status, text or JSON of the response.";
pub(crate) const THRESHOLDS: Thresholds = Thresholds::HTTP;

const SCHEMES: &[&str] = &["http", "https"];
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const MAX_REDIRECTS: u32 = 5;

pub(crate) const FIELDS: &[Field] = &[
    Field {
        key: "url",
        label: "URL",
        help: "The address to ask, in full.",
        required: true,
        default: "",
        value: FieldType::Url { schemes: SCHEMES },
    },
    Field {
        key: "method",
        label: "Method",
        help: "What to do there.",
        required: false,
        default: "GET",
        value: FieldType::Choice { of: METHODS },
    },
    Field {
        key: "headers",
        label: "Headers",
        help: "Sent along, but never to another origin that a redirect leads to.",
        required: false,
        default: "",
        value: FieldType::Headers,
    },
    Field {
        key: "body",
        label: "Body",
        help: "Sent along as it is; give its Content-Type in the headers.",
        required: false,
        default: "",
        value: FieldType::Multiline,
    },
    Field {
        key: "expect_status",
        label: "Expected status",
        help: "Statuses and ranges that are fine. A redirect listed here is not followed.",
        required: false,
        default: "200-299",
        value: FieldType::StatusList,
    },
    Field {
        key: "expect_text",
        label: "Expected text",
        help: "Text that the first 1 MiB of the response contains.",
        required: false,
        default: "",
        value: FieldType::Text,
    },
    Field {
        key: "expect_regex",
        label: "Expected pattern",
        help: "Regular expression that the first 1 MiB of the response matches.",
        required: false,
        default: "",
        value: FieldType::Regex,
    },
    Field {
        key: "expect_json",
        label: "Expected JSON",
        help: "What the response, as JSON of up to 1 MiB, says under JSON paths.",
        required: false,
        default: "",
        value: FieldType::JsonAssertions { operators: json::OPERATORS },
    },
    Field {
        key: "max_redirects",
        label: "Redirects",
        help: "How many redirects are followed; with 0 the redirect itself is the response.",
        required: false,
        default: "5",
        value: FieldType::Integer { min: 0, max: 20 },
    },
    Field {
        key: "verify_tls",
        label: "Verify certificate",
        help: "Whether the certificate must be valid for the host and trusted by this machine.",
        required: false,
        default: "true",
        value: FieldType::Boolean,
    },
    Field {
        key: "reuse_connection",
        label: "Reuse connection",
        help: "Keeps the connection for the next check, which then does not notice when new \
               connections fail. Reads every response up to 1 MiB.",
        required: false,
        default: "false",
        value: FieldType::Boolean,
    },
];

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    Ok(Box::new(HttpProbe::new(values, &[])?))
}

struct HttpProbe {
    client: Client,
    request: Request,
    host: String,
    expectations: Arc<Expectations>,
    max_redirects: u32,
    reads_body: bool,
}

/// One request of a chain of redirects.
#[derive(Clone)]
struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<String>,
}

impl HttpProbe {
    /// `extra_roots` are trusted beside those of the system.
    fn new(values: &Values, extra_roots: &[CertificateDer<'static>]) -> Parsed<Self> {
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
        let host = bare_host(&request.url);
        let client = client::build(&client::Options {
            host: &host,
            reuse_connection,
            verify_tls: form.or("verify_tls", true, boolean)?,
            extra_roots,
        })
        .map_err(|error| vec![mistake(format!("cannot set up HTTP: {error}"), "")])?;
        Ok(Self {
            client,
            host,
            reads_body: reuse_connection || expectations.without_body().is_err(),
            max_redirects: form.or("max_redirects", MAX_REDIRECTS, whole)?,
            expectations: Arc::new(expectations),
            request,
        })
    }

    async fn request(&self, trace: &Arc<Trace>) -> Result<String, Failure> {
        let (mut response, hop) = self.follow(trace).await?;
        let status = response.status();
        trace.note("http_status", status.as_u16());
        trace.note("http_version", format_args!("{:?}", response.version()));
        if let Some(content_type) = response.headers().get(CONTENT_TYPE) {
            trace.note("content_type", String::from_utf8_lossy(content_type.as_bytes()));
        }
        self.expectations.judge_status(status).map_err(Failure::Unexpected)?;
        if self.reads_body {
            let body = read_body(&mut response, &hop).await?;
            trace.note("body_bytes", body.bytes.len());
            self.judge_body(body).await.map_err(Failure::Unexpected)?;
        }
        Ok(expect::status_line(status))
    }

    /// Sends the request, and those that redirects ask for.
    ///
    /// 1. A status that is expected is the answer, redirect or not.
    /// 2. With `max_redirects = 0`, or without a `Location`, so is any other.
    /// 3. Else the redirect is followed, up to `max_redirects` times.
    async fn follow(&self, trace: &Arc<Trace>) -> Result<(Response, Arc<Hop>), Failure> {
        let mut request = self.request.clone();
        let mut followed = 0;
        loop {
            let hop = Arc::new(Hop::new(trace.clone(), &request.url));
            let response = client::send(&self.client, &request, &hop).await?;
            let status = response.status();
            let location = redirect_location(&response);
            let Some(location) = location.filter(|_| {
                self.max_redirects > 0 && self.expectations.judge_status(status).is_err()
            }) else {
                if followed > 0 {
                    trace.note("redirected_to", without_secrets(&request.url));
                    trace.note("redirects", followed);
                }
                return Ok((response, hop));
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
    fn check(&self, timeout: Duration) -> Pin<Box<dyn Future<Output = Observation> + Send + '_>> {
        Box::pin(async move {
            let trace = Arc::new(Trace::new(self.target()));
            trace.observe(timeout, self.request(&trace)).await
        })
    }

    fn target(&self) -> String {
        without_secrets(&self.request.url)
    }

    fn host(&self) -> &str {
        &self.host
    }
}

impl Request {
    fn new(form: &Form<'_>) -> Parsed<Self> {
        let method = form.or("method", "GET", text)?;
        Ok(Self {
            method: Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET),
            url: form.required("url", |value| url(value, SCHEMES))?,
            headers: form.or("headers", HeaderMap::new(), header_map)?,
            body: form.optional("body", text)?.map(str::to_owned),
        })
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

async fn read_body(response: &mut Response, hop: &Hop) -> Result<Body, Failure> {
    hop.trace.enter(Phase::Reading);
    let mut body = Body::default();
    while !body.is_full() {
        match response.chunk().await {
            Ok(Some(chunk)) => body.push(&chunk),
            Ok(None) => break,
            Err(error) => return Err(Failure::NoAnswer(failure::describe(&error, hop))),
        }
    }
    Ok(body)
}

/// The host without the brackets of an IPv6 address.
fn bare_host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
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
