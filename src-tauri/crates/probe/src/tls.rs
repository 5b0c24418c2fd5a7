//! TLS as a monitor wants it: every handshake in full, and what the server's
//! certificates say kept even when they are refused.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use health::Certificate;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, NamedGroup, ProtocolVersion,
    SignatureScheme, SupportedProtocolVersion,
};
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::failure::Failure;
use crate::field::{
    Field, FieldType, Form, Parsed, Section, boolean, file, mistake, mistake_at, whole,
};
use crate::text::clean;
use crate::trace::{Phase, Trace, with_current};

/// Whether to speak TLS at all, where the protocol leaves the choice.
pub(crate) const ENCRYPT: Field = Field::optional(
    "tls",
    "Encrypt",
    "Speaks TLS, and fails where the server does not.",
    FieldType::Boolean,
)
.or("false")
.within(Section::Tls);

/// The keys of every kind that speaks TLS: what is trusted, and who asks.
pub(crate) const VERIFY: Field = Field::optional(
    "verify_tls",
    "Verify certificate",
    "Whether the certificate must be valid for the host and trusted by this machine.",
    FieldType::Boolean,
)
.or("true")
.within(Section::Tls);

pub(crate) const CA_FILE: Field = Field::optional(
    "ca_file",
    "Own CA",
    "PEM file of authorities, or of the server's own certificate, trusted beside the system's.",
    FieldType::File,
)
.within(Section::Tls);

pub(crate) const CERT_FILE: Field = Field::optional(
    "cert_file",
    "Client certificate",
    "PEM file with the certificate shown to the server, and those that vouch for it.",
    FieldType::File,
)
.within(Section::Tls);

pub(crate) const KEY_FILE: Field = Field::optional(
    "key_file",
    "Client key",
    "PEM file with the private key of the client certificate.",
    FieldType::File,
)
.within(Section::Tls);

pub(crate) const WARN_DAYS: Field = Field::optional(
    "cert_warn_days",
    "Warn of expiry",
    "Degraded when a certificate of the chain expires in fewer days.",
    FieldType::Integer { min: 0, max: 3650 },
)
.or("14")
.of("days")
.within(Section::Tls);

const DEFAULT_WARN_DAYS: i64 = 14;
const DAY: i64 = 24 * 3600;

/// How a service is spoken to in TLS.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    /// None where any certificate will do.
    warn_days: Option<i64>,
}

impl Tls {
    /// Reads the keys above.
    pub(crate) fn read(form: &Form<'_>) -> Parsed<Self> {
        Self::with_versions(form, rustls::ALL_VERSIONS)
    }

    /// The same, in these versions of the protocol only.
    pub(crate) fn with_versions(
        form: &Form<'_>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Parsed<Self> {
        let verifier = verifier(form)?;
        let failed = |error: Error| vec![mistake(format!("cannot set up TLS: {error}"), "")];
        let builder = ClientConfig::builder_with_provider(PROVIDER.clone())
            .with_protocol_versions(versions)
            .map_err(failed)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match client_certificate(form)? {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|error| {
                mistake_at(
                    "key_file",
                    format!("the key cannot be used: {error}"),
                    "name the private key that belongs to `cert_file`",
                )
            })?,
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::store(Arc::new(NoSessions));
        let trusts_anything = !form.or("verify_tls", true, boolean)?;
        let warn_days = form.or("cert_warn_days", DEFAULT_WARN_DAYS, whole)?;
        Ok(Self { config: Arc::new(config), warn_days: (!trusts_anything).then_some(warn_days) })
    }

    /// The same, offering these protocols (ALPN), best first.
    #[must_use]
    pub(crate) fn offering(mut self, protocols: &[&[u8]]) -> Self {
        Arc::make_mut(&mut self.config).alpn_protocols =
            protocols.iter().map(|name| name.to_vec()).collect();
        self
    }

    /// The same, minding the days until expiry where any certificate will do.
    pub(crate) fn minding_expiry(mut self, form: &Form<'_>) -> Parsed<Self> {
        self.warn_days = Some(form.or("cert_warn_days", DEFAULT_WARN_DAYS, whole)?);
        Ok(self)
    }

    /// For libraries that do the handshake themselves.
    pub(crate) fn config(&self) -> ClientConfig {
        ClientConfig::clone(&self.config)
    }

    /// Encrypts `stream`, which leads to `host`.
    pub(crate) async fn handshake<S>(
        &self,
        trace: &Trace,
        host: &str,
        stream: S,
    ) -> Result<TlsStream<S>, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            Failure::NoAnswer(format!("`{}` is no name that TLS knows", clean(host)))
        })?;
        trace.enter(Phase::Handshake);
        let connector = TlsConnector::from(self.config.clone());
        let connected = connector.connect(name, stream).await;
        let stream = connected.map_err(|error| Failure::io(&error, trace))?;
        trace.note("tls_version", version(stream.get_ref().1));
        self.look_at_expiry(trace);
        Ok(stream)
    }

    /// Warns when the certificates expire soon.
    pub(crate) fn look_at_expiry(&self, trace: &Trace) {
        let Some(chain) = trace.certificates() else { return };
        let days = chain.days_left();
        if self.warn_days.is_some_and(|limit| days < limit) {
            let (whose, first) = chain.first_to_expire();
            let unit = if days == 1 { "day" } else { "days" };
            let subject = clean(&first.subject);
            trace.warn(match whose {
                0 => format!("its certificate expires in {days} {unit}"),
                _ => format!("the certificate of {subject} in its chain expires in {days} {unit}"),
            });
        }
    }
}

/// The version that was agreed on: `TLS 1.3`.
pub(crate) fn version(connection: &ClientConnection) -> &'static str {
    match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS",
    }
}

fn verifier(form: &Form<'_>) -> Parsed<Arc<Witness>> {
    let verify = form.or("verify_tls", true, boolean)?;
    match form.optional("ca_file", file)? {
        _ if !verify => Ok(TRUSTING.clone()),
        None => Ok(VERIFYING.clone()),
        Some(path) => {
            let roots = certificates("ca_file", &path)?;
            Ok(Arc::new(Witness::verifying(roots)))
        }
    }
}

type KeyPair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn client_certificate(form: &Form<'_>) -> Parsed<Option<KeyPair>> {
    const HELP: &str = "a client certificate needs both `cert_file` and `key_file`";
    match (form.optional("cert_file", file)?, form.optional("key_file", file)?) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(mistake_at("key_file", "`key_file` is missing".to_owned(), HELP)),
        (None, Some(_)) => Err(mistake_at("cert_file", "`cert_file` is missing".to_owned(), HELP)),
        (Some(cert), Some(key)) => {
            let chain = certificates("cert_file", &cert)?;
            let key = PrivateKeyDer::from_pem_file(&key)
                .map_err(|error| unreadable("key_file", &key, &error.to_string(), "private key"))?;
            Ok(Some((chain, key)))
        }
    }
}

fn certificates(key: &str, path: &Path) -> Parsed<Vec<CertificateDer<'static>>> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    match read() {
        Ok(found) if found.is_empty() => Err(unreadable(key, path, "it holds none", "certificate")),
        Ok(found) => Ok(found),
        Err(error) => Err(unreadable(key, path, &error.to_string(), "certificate")),
    }
}

fn unreadable(key: &str, path: &Path, reason: &str, what: &str) -> Vec<crate::FieldError> {
    let path = clean(&path.to_string_lossy());
    mistake_at(
        key,
        format!("no {what} can be read from {path}: {}", clean(reason)),
        "name a PEM file that this user may read",
    )
}

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(ring::default_provider()));
/// The system's authorities are large: one copy for all.
static VERIFYING: LazyLock<Arc<Witness>> =
    LazyLock::new(|| Arc::new(Witness::verifying(Vec::new())));
static TRUSTING: LazyLock<Arc<Witness>> = LazyLock::new(|| Arc::new(Witness { verifier: None }));

/// What a server's certificates say: its own, and those it sent along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The hosts that the server's own is for.
    pub(crate) names: Vec<String>,
    /// The server's own first.
    pub(crate) certificates: Vec<Certificate>,
    /// The server's own vouches for itself.
    pub(crate) self_signed: bool,
    /// When they were shown, in seconds since the Unix epoch.
    pub(crate) seen_at: i64,
}

/// Certificates of a chain that are looked at: a server may send any number.
const LONGEST_CHAIN: usize = 8;

impl Chain {
    fn read(
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Option<Self> {
        let (_, own) = X509Certificate::from_der(end_entity).ok()?;
        let others = intermediates.iter().take(LONGEST_CHAIN - 1).filter_map(|der| {
            X509Certificate::from_der(der).ok().map(|(_, certificate)| describe(&certificate))
        });
        Some(Self {
            names: names(&own),
            certificates: std::iter::once(describe(&own)).chain(others).collect(),
            self_signed: own.subject().as_raw() == own.issuer().as_raw(),
            seen_at: seconds(now),
        })
    }

    /// Which of them expires first, and its place in the chain. One that was
    /// sent along though it has expired already is not needed: the chain would
    /// not have been accepted.
    pub(crate) fn first_to_expire(&self) -> (usize, &Certificate) {
        let mut first = (0, &self.certificates[0]);
        for (place, certificate) in self.certificates.iter().enumerate().skip(1) {
            let in_use = certificate.not_after > self.seen_at;
            if in_use && certificate.not_after < first.1.not_after {
                first = (place, certificate);
            }
        }
        first
    }

    /// In seconds since the Unix epoch.
    pub(crate) fn expires_at(&self) -> i64 {
        self.first_to_expire().1.not_after
    }

    /// In seconds since the Unix epoch.
    pub(crate) fn valid_from(&self) -> i64 {
        self.certificates.iter().map(|certificate| certificate.not_before).max().unwrap_or(0)
    }

    /// The same, as it is now.
    pub(crate) fn by_now(&self) -> Self {
        Self { seen_at: seconds(UnixTime::now()), ..self.clone() }
    }

    /// Whole days until the first of them expires; negative when it has.
    pub(crate) fn days_left(&self) -> i64 {
        self.expires_at().saturating_sub(self.seen_at).div_euclid(DAY)
    }
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

fn describe(certificate: &X509Certificate<'_>) -> Certificate {
    let validity = certificate.validity();
    Certificate {
        subject: clean(&certificate.subject().to_string()),
        issuer: clean(&certificate.issuer().to_string()),
        not_before: validity.not_before.timestamp(),
        not_after: validity.not_after.timestamp(),
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension.value.general_names.iter();
    names.filter_map(name).collect()
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(v4).to_string());
    }
    let v6 = <[u8; 16]>::try_from(bytes).ok()?;
    Some(std::net::Ipv6Addr::from(v6).to_string())
}

/// Remembers the certificates, then has them verified, or trusts anything.
#[derive(Debug)]
struct Witness {
    verifier: Option<Result<Verifier, Error>>,
}

impl Witness {
    /// Trusts `extra_roots` beside those of the system.
    fn verifying(extra_roots: Vec<CertificateDer<'static>>) -> Self {
        let verifier = Verifier::new_with_extra_roots(extra_roots, PROVIDER.clone());
        Self { verifier: Some(verifier) }
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        with_current(|trace| {
            if let Some(chain) = Chain::read(end_entity, intermediates, now) {
                trace.saw_certificates(chain);
            }
        });
        match &self.verifier {
            None => Ok(ServerCertVerified::assertion()),
            Some(Err(error)) => Err(error.clone()),
            Some(Ok(verifier)) => verifier.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            ),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &PROVIDER.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &PROVIDER.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER.signature_verification_algorithms.supported_schemes()
    }
}

/// Keeps no session: resuming one would skip the certificate. Being asked for a
/// ticket is what rustls does first in every handshake, and the only sign of
/// its beginning.
#[derive(Debug)]
struct NoSessions;

impl ClientSessionStore for NoSessions {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {}

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        with_current(Trace::shake_hands);
        None
    }
}
