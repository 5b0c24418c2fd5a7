//! reqwest, made to tell what it is doing.

use std::future::Future;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Response};
use tower::util::MapFutureLayer;

use super::Request;
use super::failure;
use crate::failure::Failure;
use crate::net::{self, Family};
use crate::tls::Tls;
use crate::trace::{Phase, Trace, with_current};

const USER_AGENT: &str = concat!("Pilotlight/", env!("CARGO_PKG_VERSION"));
const MAX_HTTP2_HEADER_BYTES: u32 = 256 * 1024;

/// What makes one client differ from another.
pub(crate) struct Options<'a> {
    pub(crate) host: &'a str,
    pub(crate) reuse_connection: bool,
    pub(crate) tls: &'a Tls,
    pub(crate) family: Family,
}

/// A client for one probe. All share the system's authorities, the only part
/// that is large.
pub(crate) fn build(options: &Options<'_>) -> Result<Client, String> {
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .tls_backend_preconfigured(options.tls.config())
        .http2_max_header_list_size(MAX_HTTP2_HEADER_BYTES)
        .dns_resolver(TellingResolver { family: options.family })
        .connector_layer(MapFutureLayer::new(telling_connect::<_, _, _>));
    let builder =
        if options.reuse_connection { builder } else { builder.pool_max_idle_per_host(0) };
    let builder = if net::is_loopback(options.host) { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| error.to_string())
}

/// Sends `request` and waits for the head of the response.
pub(crate) async fn send(
    client: &Client,
    request: &Request,
    trace: &Trace,
) -> Result<Response, Failure> {
    trace.head_for(&request.host(), request.port());
    // A connection that there is already needs no other phase before.
    trace.enter(Phase::Waiting);
    let mut sending = client
        .request(request.method.clone(), request.url.clone())
        .headers(request.headers.clone());
    if let Some(body) = &request.body {
        sending = sending.body(body.clone());
    }
    let response = sending.send().await.map_err(|error| failure::of(&error, trace))?;
    trace.connected(response.remote_addr());
    Ok(response)
}

async fn telling_connect<F, C, E>(connecting: F) -> Result<C, E>
where
    F: Future<Output = Result<C, E>>,
{
    with_current(|trace| {
        let host = trace.host();
        if let Ok(address) = host.parse() {
            trace.connect_to(&host, &[address]);
        }
    });
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
            with_current(|trace| trace.enter(Phase::LookingUp(name.to_owned())));
            let addresses = family.choose(name, net::look_up(name).await?)?;
            with_current(|trace| trace.connect_to(name, &addresses));
            // Port 0 leaves the choice to the URL.
            let targets = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(targets) as Addrs)
        })
    }
}
