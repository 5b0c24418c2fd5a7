//! TLS as a monitor wants it: every handshake in full, and what the server's
//! certificate says kept even when it is refused.

use std::sync::{Arc, LazyLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, NamedGroup, SignatureScheme};
use rustls_platform_verifier::Verifier;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::client::with_hop;
use crate::trace::Phase;

static VERIFYING: LazyLock<Result<ClientConfig, Error>> = LazyLock::new(|| build(true, &[]));
static TRUSTING: LazyLock<Result<ClientConfig, Error>> = LazyLock::new(|| build(false, &[]));

/// The configuration, shared in its large parts.
pub(super) fn config(
    verify: bool,
    extra_roots: &[CertificateDer<'static>],
) -> Result<ClientConfig, Error> {
    match (verify, extra_roots) {
        (false, _) => TRUSTING.clone(),
        (true, []) => VERIFYING.clone(),
        (true, extra_roots) => build(true, extra_roots),
    }
}

fn build(verify: bool, extra_roots: &[CertificateDer<'static>]) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = verify
        .then(|| Verifier::new_with_extra_roots(extra_roots.iter().cloned(), provider.clone()));
    let witness = Witness { provider: provider.clone(), verifier };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(witness))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.resumption = Resumption::store(Arc::new(NoSessions));
    Ok(config)
}

/// What a server's certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) names: Vec<String>,
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    pub(super) self_signed: bool,
    pub(super) seen_at: i64,
}

impl Certificate {
    fn read(der: &CertificateDer<'_>, now: UnixTime) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        Some(Self {
            names: names(&certificate),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
            self_signed: certificate.subject().as_raw() == certificate.issuer().as_raw(),
            seen_at: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        })
    }

    /// Whole days until it expires; negative when it has.
    pub(super) fn days_left(&self) -> i64 {
        self.not_after.saturating_sub(self.seen_at).div_euclid(24 * 3600)
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

/// Remembers the certificate, then has it verified, or trusts anything.
#[derive(Debug)]
struct Witness {
    provider: Arc<CryptoProvider>,
    verifier: Option<Result<Verifier, Error>>,
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
        with_hop(|hop| {
            if let Some(certificate) = Certificate::read(end_entity, now) {
                hop.certificate.get_or_init(|| certificate);
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
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
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
        with_hop(|hop| hop.trace.enter(Phase::Handshake));
        None
    }
}
