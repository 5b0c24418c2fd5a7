//! The other end of a connection.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use health::Observation;
use tokio::net::TcpStream;
#[cfg(feature = "websocket")]
use url::Url;

use crate::failure::Failure;
use crate::field::{Form, Parsed, boolean, host_name, whole};
use crate::net::{self, Family};
use crate::stream::{Stream, Traced};
use crate::tls::Tls;
use crate::trace::Trace;

/// Where a service is, and how it is spoken to.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) family: Family,
    /// None: in the clear.
    pub(crate) tls: Option<Tls>,
}

impl Server {
    /// Reads [`net::HOST`], [`net::port`], [`net::FAMILY`] and the keys of
    /// [`Tls`], of which [`ENCRYPT`](crate::tls::ENCRYPT) turns it on.
    pub(crate) fn read(form: &Form<'_>, usual_port: u16) -> Parsed<Self> {
        let encrypted = form.or("tls", false, boolean)?;
        let tls = Tls::read(form)?;
        Ok(Self { tls: encrypted.then_some(tls), ..Self::in_the_clear(form, usual_port)? })
    }

    /// The same without TLS.
    pub(crate) fn in_the_clear(form: &Form<'_>, usual_port: u16) -> Parsed<Self> {
        Ok(Self {
            host: form.required("host", host_name)?,
            port: form.or("port", usual_port, whole)?,
            family: Family::read(form)?,
            tls: None,
        })
    }

    /// Where `url` leads, in TLS that offers `protocols` (ALPN) if `encrypted`.
    #[cfg(feature = "websocket")]
    pub(crate) fn behind(
        form: &Form<'_>,
        url: &Url,
        encrypted: bool,
        protocols: &[&[u8]],
    ) -> Parsed<Self> {
        let tls = Tls::read(form)?.offering(protocols);
        Ok(Self {
            host: net::host_of(url).to_owned(),
            port: url.port_or_known_default().unwrap_or_default(),
            family: Family::read(form)?,
            tls: encrypted.then_some(tls),
        })
    }

    /// That one, found otherwise.
    #[cfg(feature = "dns")]
    pub(crate) fn at(host: String, port: u16, family: Family, tls: Option<Tls>) -> Self {
        Self { host, port, family, tls }
    }

    /// Does `check` and says what it saw, within `timeout`.
    pub(crate) fn observe<'a, C>(
        &self,
        timeout: Duration,
        check: impl FnOnce(Arc<Trace>) -> C + Send + 'a,
    ) -> impl Future<Output = Observation> + Send
    where
        C: Future<Output = Result<String, Failure>> + Send + 'a,
    {
        Trace::observe(&self.host, self.port, timeout, check)
    }

    /// Connects, without TLS yet.
    pub(crate) async fn connect(&self, trace: &Arc<Trace>) -> Result<TcpStream, Failure> {
        net::connect(trace, &self.host, self.port, self.family).await
    }

    /// Connects, in TLS where it is turned on.
    pub(crate) async fn open(
        &self,
        trace: &Arc<Trace>,
    ) -> Result<Traced<Box<dyn Stream>>, Failure> {
        let stream = self.connect(trace).await?;
        self.secure(trace, stream).await
    }

    /// Goes on over `stream`, in TLS where it is turned on.
    pub(crate) async fn secure(
        &self,
        trace: &Arc<Trace>,
        stream: TcpStream,
    ) -> Result<Traced<Box<dyn Stream>>, Failure> {
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some(tls) => Box::new(tls.handshake(trace, &self.host, stream).await?),
        };
        Ok(Traced::new(stream, trace))
    }

    /// `db.internal:5432`
    pub(crate) fn endpoint(&self) -> String {
        net::endpoint(&self.host, self.port)
    }
}
