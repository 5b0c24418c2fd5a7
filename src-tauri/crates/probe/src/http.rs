//! `check = "http"`: an HTTP request gets the expected response.

mod body;
mod client;
pub(crate) mod evidence;
mod expect;
mod failure;
mod fields;
#[cfg(feature = "dns")]
pub(crate) mod get;
pub(crate) mod login;
mod oauth;
mod proxy;
mod redirect;
mod request;
mod template;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use health::Thresholds;
use parking_lot::Mutex;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response, StatusCode};
use tokio::task::spawn_blocking;

use self::client::{Client, Options, Version};
pub(crate) use self::expect::status_line;
use self::expect::{Body, Expectations};
pub(crate) use self::fields::FIELDS;
use self::login::Credentials;
use self::oauth::OAuth;
use self::proxy::Proxy;
pub(crate) use self::redirect::without_secrets;
use self::request::Request;
use crate::failure::Failure;
use crate::field::{FieldError, Form, Parsed, Step, Values, boolean, mistake, whole};
use crate::net::Family;
use crate::tls::{Chain, Tls};
use crate::trace::{Phase, Trace};
use crate::{Checking, Context, Probe};

pub(crate) const LABEL: &str = "HTTP";
pub(crate) const HELP: &str =
    "Sends a request and looks at status, headers, text or JSON of the response.";
pub(crate) const EXAMPLE: &str = r#"url = "https://api.example.com/health"
bearer_token = "keyring:api-token"
expect_json = [{ path = "$.status", equals = "ok" }]"#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::HTTP;

const MAX_REDIRECTS: u32 = 5;

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    Ok(Box::new(HttpProbe::new(values)?))
}

#[derive(Debug)]
struct HttpProbe {
    client: Client,
    tls: Tls,
    request: Request,
    host: String,
    login: Login,
    expectations: Arc<Expectations>,
    max_redirects: u32,
    reads_body: bool,
    /// What a connection that is used again showed when it was new.
    chain: Mutex<Option<Arc<Chain>>>,
}

/// What is added to the request to say who asks.
#[derive(Debug)]
enum Login {
    /// Nothing: what URL and headers say.
    Written,
    Fixed(Credentials),
    Fetched(Box<OAuth>),
}

impl HttpProbe {
    fn new(values: &Values) -> Parsed<Self> {
        let form = Form::new(FIELDS, values)?;
        let request = Request::read(&form)?;
        let expectations = Expectations::read(&form)?;
        if request.method == Method::HEAD {
            expectations.without_body().map_err(|key| {
                let mistake = mistake("a HEAD request gets no body", "use GET, or leave this out");
                vec![mistake.within(Step::Key(key.to_owned()))]
            })?;
        }
        let options = Options {
            reuse_connection: form.or("reuse_connection", false, boolean)?,
            tls: Tls::read(&form)?,
            family: Family::read(&form)?,
            version: Version::read(&form)?,
            proxy: Proxy::read(&form)?,
        };
        let host = request.host().to_owned();
        options.family.fits(&host)?;
        Ok(Self {
            client: client(&host, &options)?,
            login: Login::read(&form, &request, &options)?,
            host,
            reads_body: options.reuse_connection || expectations.without_body().is_err(),
            chain: Mutex::new(None),
            max_redirects: form.or("max_redirects", MAX_REDIRECTS, whole)?,
            expectations: Arc::new(expectations),
            request,
            tls: options.tls,
        })
    }

    async fn request(&self, trace: &Arc<Trace>) -> Result<String, Failure> {
        let mut response = self.ask(trace).await?;
        let status = response.status();
        trace.note("http_status", status.as_u16());
        trace.note("http_version", format_args!("{:?}", response.version()));
        if let Some(content_type) = response.headers().get(CONTENT_TYPE) {
            trace.note("content_type", String::from_utf8_lossy(content_type.as_bytes()));
        }
        let headers = response.headers().clone();
        trace.saw_headers(move || evidence::headers(&headers));
        self.remember_certificates(trace);
        self.tls.look_at_expiry(trace);
        let head = self.expectations.judge_status(status);
        let head = head.map_err(|unexpected| expect::through_proxy(unexpected, &response, trace));
        if let Err(unexpected) =
            head.and_then(|()| self.expectations.judge_headers(response.headers()))
        {
            evidence::keep_body(&mut response, trace).await;
            return Err(Failure::Unexpected(unexpected));
        }
        if self.reads_body {
            let body = self.read_body(&mut response, trace).await?;
            trace.note("body_bytes", body.bytes.len());
            trace.saw_body(&body.bytes);
            self.judge_body(body).await.map_err(Failure::Unexpected)?;
        }
        Ok(status_line(status))
    }

    /// Sends the request with what says who asks.
    ///
    /// A token that was good once and is refused now (401) is fetched anew, and
    /// the request sent again, once.
    async fn ask(&self, trace: &Arc<Trace>) -> Result<Response, Failure> {
        let request = self.request.filled()?;
        let with = |credentials: &Credentials| {
            let mut request = request.clone().into_owned();
            credentials.add_to(&mut request.headers, trace);
            Cow::Owned(request)
        };
        let oauth = match &self.login {
            Login::Written => return self.follow(request, trace).await,
            Login::Fixed(credentials) => return self.follow(with(credentials), trace).await,
            Login::Fetched(oauth) => oauth,
        };
        let (token, is_new) = oauth.token(trace).await?;
        let response = self.follow(with(&token), trace).await?;
        let status = response.status();
        if status != StatusCode::UNAUTHORIZED || self.expectations.judge_status(status).is_ok() {
            return Ok(response);
        }
        oauth.forget().await;
        if is_new {
            return Ok(response);
        }
        let (token, _) = oauth.token(trace).await?;
        self.follow(with(&token), trace).await
    }

    /// Sends the request, and those that redirects ask for.
    ///
    /// 1. A status that is expected is the answer, redirect or not.
    /// 2. With `max_redirects = 0`, or without a `Location`, so is any other.
    /// 3. Else the redirect is followed, up to `max_redirects` times.
    async fn follow(
        &self,
        first: Cow<'_, Request>,
        trace: &Arc<Trace>,
    ) -> Result<Response, Failure> {
        let mut request = first;
        let mut followed = 0;
        loop {
            let response = self.client.send(&request, trace, None).await?;
            let status = response.status();
            let Some(location) = redirect::location(&response).filter(|_| {
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
            let next = request.into_owned().redirected(status, location);
            request = Cow::Owned(next.map_err(Failure::Unexpected)?);
        }
    }

    async fn read_body(&self, response: &mut Response, trace: &Trace) -> Result<Body, Failure> {
        trace.enter(Phase::Receiving);
        let mut body = Body::default();
        while !body.is_full() {
            match response.chunk().await {
                Ok(Some(chunk)) => body.push(&chunk),
                Ok(None) => break,
                Err(error) => return Err(self.client.failure(&error, trace)),
            }
        }
        Ok(body)
    }

    /// A connection that is used again shows its certificates no second time.
    fn remember_certificates(&self, trace: &Trace) {
        if let Some(chain) = trace.certificates() {
            *self.chain.lock() = Some(chain);
        } else if let Some(chain) = &*self.chain.lock()
            && *trace.host() == *self.host
            && self.request.url.scheme() == "https"
        {
            trace.saw_certificates(chain.by_now());
        }
    }

    /// Off the asynchronous threads where it may take long enough to hold up
    /// other checks: an unlucky expression over 1 MiB does.
    async fn judge_body(&self, body: Body) -> Result<(), String> {
        if self.expectations.are_judged_quickly(&body) {
            return self.expectations.judge_body(&body);
        }
        let expectations = self.expectations.clone();
        spawn_blocking(move || expectations.judge_body(&body))
            .await
            .unwrap_or_else(|stopped| Err(format!("the response could not be judged: {stopped}")))
    }
}

impl Login {
    fn read(form: &Form<'_>, request: &Request, options: &Options) -> Parsed<Self> {
        let fixed = login::read(form, &request.url, &request.headers)?;
        let options = Options { reuse_connection: false, version: Version::Any, ..options.clone() };
        Ok(match (fixed, OAuth::read(form, |host| client(host, &options))?) {
            (_, Some(oauth)) => Self::Fetched(Box::new(oauth)),
            (Some(credentials), None) => Self::Fixed(credentials),
            (None, None) => Self::Written,
        })
    }
}

fn client(host: &str, options: &Options) -> Parsed<Client> {
    Client::new(host, options)
        .map_err(|error| vec![mistake(format!("cannot set up HTTP: {error}"), "")])
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
