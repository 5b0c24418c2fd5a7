//! What stands between us and the server.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::ClientBuilder;
use serde_json::Value;
use url::Url;

use crate::field::{Form, Parsed, line, url};
use crate::net;
use crate::trace;

const SCHEMES: &[&str] = &["http", "https", "socks5", "socks5h"];

/// The proxy of a check.
#[derive(Debug, Clone)]
pub(super) enum Proxy {
    /// What the environment says, but never for this machine.
    Environment,
    None,
    Own(Url),
}

impl Proxy {
    /// Reads `proxy`.
    pub(super) fn read(form: &Form<'_>) -> Parsed<Self> {
        form.or("proxy", Self::Environment, |value: &Value| match line(value)? {
            "none" => Ok(Self::None),
            _ => Ok(Self::Own(url(value, SCHEMES)?)),
        })
    }

    /// Tells the client, and gives back who else goes by the same rule.
    pub(super) fn set(
        &self,
        builder: ClientBuilder,
        host: &str,
    ) -> reqwest::Result<(ClientBuilder, Option<Matcher>)> {
        Ok(match self {
            Self::Environment if !net::is_loopback(host) => (builder, Some(Matcher::from_system())),
            Self::Environment | Self::None => (builder.no_proxy(), None),
            Self::Own(url) => {
                let proxy = reqwest::Proxy::all(url.clone())?;
                let matcher = Matcher::builder().all(url.as_str()).build();
                (builder.proxy(proxy), Some(matcher))
            }
        })
    }
}

/// The proxy that a request for `url` goes through.
pub(super) fn before(url: &Url, matcher: Option<&Matcher>) -> Option<trace::Proxy> {
    let found = matcher?.intercept(&url.as_str().parse().ok()?)?;
    let proxy = Url::parse(&found.uri().to_string()).ok()?;
    let usual = if proxy.scheme().starts_with("socks") { 1080 } else { 80 };
    Some(trace::Proxy {
        host: net::host_of(&proxy).into(),
        port: proxy.port_or_known_default().unwrap_or(usual),
        encrypted: proxy.scheme() == "https",
    })
}
