//! A certificate authority of the test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A certificate in one PEM file and its key in another.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate, PEM.
    pub cert_file: PathBuf,
    /// Its private key, PEM (PKCS #8).
    pub key_file: PathBuf,
}

/// Issues certificates nobody trusts who is not told to. Its files last as
/// long as it does.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
    issued: AtomicUsize,
}

impl Authority {
    /// A new one, with a certificate valid for ten years.
    pub fn new() -> Self {
        let mut params = params(&[], "Pilotlight test authority", 3650);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.extended_key_usages = Vec::new();
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("an authority");
        let dir = tempfile::Builder::new()
            .permissions(crate::servers::mode(0o755))
            .tempdir()
            .expect("a temporary directory");
        fs::write(dir.path().join("ca.pem"), issuer.pem()).expect("written");
        Self { issuer, dir, issued: AtomicUsize::new(0) }
    }

    /// Its certificate, PEM: what a client has to trust.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Its certificate, DER.
    pub fn der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// For a server of these names and addresses, valid for 90 days.
    pub fn server(&self, names: &[&str]) -> Identity {
        self.issue(names, 90)
    }

    /// For 127.0.0.1 and localhost, valid for that many days and an hour.
    pub fn expiring_in(&self, days: i64) -> Identity {
        self.issue(LOOPBACK, days)
    }

    /// For 127.0.0.1 and localhost, until yesterday.
    pub fn expired(&self) -> Identity {
        self.issue(LOOPBACK, -1)
    }

    /// For 127.0.0.1 and localhost, signed by itself.
    pub fn self_signed(&self) -> Identity {
        let key = key();
        let certificate = params(LOOPBACK, "localhost", 90).self_signed(&key).expect("signed");
        self.write(&certificate, &key)
    }

    /// For a client, signed by this authority.
    pub fn client(&self) -> Identity {
        let mut params = params(&[], "test client", 90);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        self.write(&certificate, &key)
    }

    fn issue(&self, names: &[&str], days: i64) -> Identity {
        let key = key();
        let name = names.first().copied().unwrap_or("nameless");
        let certificate = params(names, name, days).signed_by(&key, &self.issuer).expect("signed");
        self.write(&certificate, &key)
    }

    fn write(&self, certificate: &Certificate, key: &KeyPair) -> Identity {
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let file = |ending: &str, text: &str| {
            let path = self.dir.path().join(format!("{number}.{ending}"));
            fs::write(&path, text).expect("written");
            path
        };
        Identity {
            cert_file: file("pem", &certificate.pem()),
            key_file: file("key", &key.serialize_pem()),
        }
    }
}

/// The names a server of a test has.
pub const LOOPBACK: &[&str] = &["localhost", "127.0.0.1", "::1"];

/// The path as a config value.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("temporary directories have plain names")
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// From a hundred days ago until that many days from now, and an hour.
fn params(names: &[&str], common_name: &str, days: i64) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("valid names");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    #[allow(clippy::disallowed_methods, reason = "certificates are judged by the machine's clock")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let epoch = date_time_ymd(1970, 1, 1);
    let span = DAY * u32::try_from(days.unsigned_abs()).expect("days");
    let end = if days < 0 { now.checked_sub(span) } else { now.checked_add(span) };
    params.not_before = epoch + now.checked_sub(100 * DAY).expect("long after 1970");
    params.not_after = epoch + end.expect("long after 1970") + Duration::from_secs(3600);
    params
}
