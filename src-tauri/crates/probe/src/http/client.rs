//! reqwest, made to tell what it is doing.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Response};
use rustls::pki_types::CertificateDer;
use tower::util::MapFutureLayer;
use url::Url;

use super::failure;
use super::tls::{self, Certificate};
use super::{Request, bare_host};
use crate::net;
use crate::trace::{Failure, Phase, Trace};

const USER_AGENT: &str = concat!("Pilotlight/", env!("CARGO_PKG_VERSION"));
const MAX_HTTP2_HEADER_BYTES: u32 = 256 * 1024;

/// One request on its way.
#[derive(Debug)]
pub(super) struct Hop {
    pub(super) trace: Arc<Trace>,
    pub(super) host: String,
    port: u16,
    pub(super) certificate: OnceLock<Certificate>,
}

tokio::task_local! {
    /// The hop that the running task works for. reqwest's hooks are shared by
    /// all requests of a client; this tells them whose turn it is.
    static HOP: Arc<Hop>;
}

/// Does `tell` with the current hop. A connection that is completed for a
/// later request has none.
pub(super) fn with_hop(tell: impl FnOnce(&Hop)) {
    // Nobody is waiting for what would be told.
    let _ = HOP.try_with(|hop| tell(hop));
}

impl Hop {
    pub(super) fn new(trace: Arc<Trace>, url: &Url) -> Self {
        Self {
            trace,
            host: bare_host(url),
            port: url.port_or_known_default().unwrap_or_default(),
            certificate: OnceLock::new(),
        }
    }

    fn connect_to(&self, name: &str, addresses: &[IpAddr]) {
        let endpoint = if name == self.host {
            net::name_endpoint(addresses, name, self.port)
        } else {
            format!("the proxy {name}")
        };
        self.trace.connect_to(addresses, endpoint);
    }
}

/// What makes one client differ from another.
pub(super) struct Options<'a> {
    pub(super) host: &'a str,
    pub(super) reuse_connection: bool,
    pub(super) verify_tls: bool,
    pub(super) extra_roots: &'a [CertificateDer<'static>],
}

/// A client for one probe. All share their TLS configuration, the only part
/// that is large.
pub(super) fn build(options: &Options<'_>) -> Result<Client, String> {
    let tls = tls::config(options.verify_tls, options.extra_roots).map_err(|e| e.to_string())?;
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .tls_backend_preconfigured(tls)
        .http2_max_header_list_size(MAX_HTTP2_HEADER_BYTES)
        .dns_resolver(TellingResolver)
        .connector_layer(MapFutureLayer::new(telling_connect::<_, _, _>));
    let builder =
        if options.reuse_connection { builder } else { builder.pool_max_idle_per_host(0) };
    let builder = if net::is_loopback(options.host) { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| error.to_string())
}

/// Sends `request` and waits for the head of the response.
pub(super) async fn send(
    client: &Client,
    request: &Request,
    hop: &Arc<Hop>,
) -> Result<Response, Failure> {
    hop.trace.head_for(net::endpoint(&hop.host, hop.port));
    let mut sending = client
        .request(request.method.clone(), request.url.clone())
        .headers(request.headers.clone());
    if let Some(body) = &request.body {
        sending = sending.body(body.clone());
    }
    let sent = HOP.scope(hop.clone(), sending.send()).await;
    if let Some(certificate) = hop.certificate.get() {
        hop.trace.note("certificate_days_left", certificate.days_left());
    }
    let response = sent.map_err(|error| Failure::NoAnswer(failure::describe(&error, hop)))?;
    hop.trace.connected(response.remote_addr());
    Ok(response)
}

async fn telling_connect<F, C, E>(connecting: F) -> Result<C, E>
where
    F: Future<Output = Result<C, E>>,
{
    with_hop(|hop| {
        if let Ok(address) = hop.host.parse() {
            hop.connect_to(&hop.host, &[address]);
        }
    });
    let connection = connecting.await?;
    with_hop(|hop| hop.trace.enter(Phase::Waiting));
    Ok(connection)
}

struct TellingResolver;

impl Resolve for TellingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let name = name.as_str();
            with_hop(|hop| hop.trace.enter(Phase::LookingUp(name.to_owned())));
            let addresses = net::look_up(name).await?;
            with_hop(|hop| hop.connect_to(name, &addresses));
            // Port 0 leaves the choice to the URL.
            let targets = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(targets) as Addrs)
        })
    }
}
