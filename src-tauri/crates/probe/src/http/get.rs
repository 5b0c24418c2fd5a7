//! HTTP for kinds of check that only carry something over it.

use std::sync::Arc;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use url::Url;

use super::client::{Client, Options, Version};
use super::proxy::Proxy;
use super::request::Request;
use crate::failure::Failure;
use crate::field::{Parsed, mistake};
use crate::net::Family;
use crate::tls::Tls;
use crate::trace::Trace;

/// Gets what is behind URLs of one host.
#[derive(Debug)]
pub(crate) struct Getter {
    client: Client,
    tls: Tls,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) media_type: Vec<u8>,
    /// As far as it was read.
    pub(crate) body: Vec<u8>,
}

impl Getter {
    pub(crate) fn new(host: &str, tls: Tls, family: Family) -> Parsed<Self> {
        let options = Options {
            reuse_connection: false,
            tls: tls.clone(),
            family,
            version: Version::Any,
            proxy: Proxy::Environment,
        };
        let client = Client::new(host, &options)
            .map_err(|error| vec![mistake(format!("cannot set up HTTP: {error}"), "")])?;
        Ok(Self { client, tls })
    }

    /// Asks `url` for what it has as `media_type`, and reads little more than
    /// `most` bytes of it.
    pub(crate) async fn get(
        &self,
        url: Url,
        media_type: &'static str,
        most: usize,
        trace: &Arc<Trace>,
    ) -> Result<Got, Failure> {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(media_type))]);
        let request =
            Request { method: Method::GET, url, headers, body: None, has_placeholders: false };
        let mut response = self.client.send(&request, trace, None).await?;
        self.tls.look_at_expiry(trace);
        let media_type = response.headers().get(CONTENT_TYPE);
        let media_type = media_type.map(|value| value.as_bytes().to_vec()).unwrap_or_default();
        let mut body = Vec::new();
        while body.len() <= most {
            match response.chunk().await.map_err(|error| self.client.failure(&error, trace))? {
                Some(chunk) => body.extend_from_slice(&chunk),
                None => break,
            }
        }
        Ok(Got { status: response.status(), media_type, body })
    }
}
