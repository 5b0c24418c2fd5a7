//! reqwest, made to tell what it is doing.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Response;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tower::util::MapFutureLayer;

use super::body::Body;
use super::failure;
use super::proxy::{self, Proxy};
use super::request::Request;
use crate::failure::Failure;
use crate::field::{Form, Parsed, text};
use crate::net::{self, Family};
use crate::tls::Tls;
use crate::trace::{Phase, Trace, with_current};

const USER_AGENT: &str = concat!("Pilotlight/", env!("CARGO_PKG_VERSION"));
const MAX_HTTP2_HEADER_BYTES: u32 = 256 * 1024;

/// What makes one client differ from another.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) reuse_connection: bool,
    pub(super) tls: Tls,
    pub(super) family: Family,
    pub(super) version: Version,
    pub(super) proxy: Proxy,
}

/// The version of HTTP to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Any,
    Http1,
    Http2,
}

impl Version {
    /// Reads `http_version`.
    pub(super) fn read(form: &Form<'_>) -> Parsed<Self> {
        Ok(match form.or("http_version", "any", text)? {
            "1.1" => Self::Http1,
            "2" => Self::Http2,
            _ => Self::Any,
        })
    }

    /// As TLS calls it (ALPN), best first.
    const fn protocols(self) -> &'static [&'static [u8]] {
        match self {
            Self::Any => &[b"h2", b"http/1.1"],
            Self::Http1 => &[b"http/1.1"],
            Self::Http2 => &[b"h2"],
        }
    }
}

/// The client of one probe. All share the system's authorities, the only part
/// that is large.
#[derive(Debug)]
pub(super) struct Client {
    inner: reqwest::Client,
    proxies: Option<Matcher>,
    version: Version,
}

impl Client {
    /// One for requests to `host`, and wherever it redirects to.
    pub(super) fn new(host: &str, options: &Options) -> reqwest::Result<Self> {
        let version = options.version;
        let tls = options.tls.clone().offering(version.protocols()).config();
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tls_backend_preconfigured(tls)
            .http2_max_header_list_size(MAX_HTTP2_HEADER_BYTES)
            .dns_resolver(TellingResolver { family: options.family })
            .connector_layer(MapFutureLayer::new(telling_connect::<_, _, _>));
        let builder =
            if options.reuse_connection { builder } else { builder.pool_max_idle_per_host(0) };
        let builder = match version {
            Version::Any => builder,
            Version::Http1 => builder.http1_only(),
            Version::Http2 => builder.http2_prior_knowledge(),
        };
        let (builder, proxies) = options.proxy.set(builder, host)?;
        Ok(Self { inner: builder.build()?, proxies, version })
    }

    /// Sends `request` and waits for the head of the response. `step` is what
    /// it is for, where it is not the check itself.
    pub(super) async fn send(
        &self,
        request: &Request,
        trace: &Arc<Trace>,
        step: impl Into<Option<&'static str>>,
    ) -> Result<Response, Failure> {
        trace.head_for(request.host(), request.port());
        if let Some(step) = step.into() {
            trace.step(step);
        }
        if let Some(proxy) = proxy::before(&request.url, self.proxies.as_ref()) {
            trace.pass_through(proxy);
        }
        // A connection that there is already needs no other phase before.
        trace.enter(Phase::Waiting);
        let mut sending = self
            .inner
            .request(request.method.clone(), request.url.clone())
            .headers(request.headers.clone());
        if let Some(body) = &request.body {
            sending = sending.body(reqwest::Body::wrap(Body::new(body.clone(), trace)));
        }
        let response = sending.send().await.map_err(|error| self.failure(&error, trace))?;
        trace.connected(response.remote_addr());
        Ok(response)
    }

    /// Why there is no response, or not all of it.
    pub(super) fn failure(&self, error: &reqwest::Error, trace: &Trace) -> Failure {
        failure::of(error, self.version, trace)
    }
}

async fn telling_connect<F, C, E>(connecting: F) -> Result<C, E>
where
    F: Future<Output = Result<C, E>>,
{
    with_current(Trace::connect_unless_named);
    let connection = connecting.await?;
    with_current(|trace| trace.enter(Phase::Waiting));
    Ok(connection)
}

struct TellingResolver {
    family: Family,
}

impl Resolve for TellingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let family = self.family;
        Box::pin(async move {
            let name = name.as_str();
            with_current(|trace| trace.look_up(name));
            let addresses = family.choose(name, net::look_up(name).await?)?;
            with_current(|trace| trace.connect_to(name, &addresses));
            // Port 0 leaves the choice to the URL.
            let targets = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(targets) as Addrs)
        })
    }
}
