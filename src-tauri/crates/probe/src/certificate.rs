//! `check = "tls"`: a certificate that is valid, and for how long.

#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use health::{Certificate, Thresholds};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use rustls::version::TLS13;
use rustls::{ALL_VERSIONS, ClientConnection};
use serde_json::Value;

use crate::dialogue::Dialogue;
use crate::failure::Failure;
use crate::field::{
    Field, FieldError, FieldType, Form, Parsed, Section, Values, host_name, mistake, text,
};
use crate::server::Server;
use crate::starttls::StartTls;
use crate::text::clean;
use crate::tls::{Chain, Tls};
use crate::trace::Trace;
use crate::{Checking, Context, Probe, net, tls};

pub(crate) const LABEL: &str = "TLS certificate";
pub(crate) const HELP: &str =
    "Looks at a server's certificate: valid, trusted, for its host, and for how long.";
pub(crate) const EXAMPLE: &str = r#"host = "www.example.com"
min_version = "1.3"
cert_warn_days = 21"#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::OTHER;

const HTTPS: u16 = 443;

pub(crate) const FIELDS: &[Field] = &[
    net::HOST,
    Field::optional(
        "port",
        "Port",
        "The port it listens on. With STARTTLS, else the usual one of that protocol.",
        net::PORT,
    )
    .or("443"),
    Field::optional(
        "server_name",
        "Server name",
        "The name to ask for and to find in the certificate, if it is not the host's.",
        FieldType::Host,
    ),
    Field::optional(
        "starttls",
        "STARTTLS",
        "The protocol in which to ask for TLS first; without one, the port speaks TLS from the start. \
         MySQL counts each check as an aborted connection.",
        FieldType::Choice { of: StartTls::NAMES },
    )
    .or("none")
    .within(Section::Request),
    Field::optional(
        "fingerprint",
        "Fingerprint",
        "SHA-256 of the only certificate that will do, in hex as `openssl x509 -fingerprint -sha256` \
         prints it.",
        FieldType::Text,
    )
    .within(Section::Expect),
    tls::WARN_DAYS,
    Field::optional(
        "min_version",
        "Oldest version",
        "The oldest version of TLS that will do.",
        FieldType::Choice { of: &["1.2", "1.3"] },
    )
    .or("1.2")
    .within(Section::Tls),
    tls::VERIFY,
    tls::CA_FILE,
    tls::CERT_FILE,
    tls::KEY_FILE,
    net::FAMILY,
];

struct TlsProbe {
    server: Server,
    name: String,
    tls: Tls,
    starttls: Option<StartTls>,
    fingerprint: Option<Fingerprint>,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    let starttls = StartTls::from_name(form.or("starttls", "none", text)?);
    let server = Server::in_the_clear(&form, starttls.map_or(HTTPS, StartTls::usual_port))?;
    let versions = match form.or("min_version", "1.2", text)? {
        "1.3" => &[&TLS13],
        _ => ALL_VERSIONS,
    };
    Ok(Box::new(TlsProbe {
        name: form.or("server_name", server.host.clone(), host_name)?,
        tls: Tls::with_versions(&form, versions)?.minding_expiry(&form)?,
        fingerprint: form.optional("fingerprint", fingerprint)?,
        starttls,
        server,
    }))
}

impl TlsProbe {
    async fn run(&self, trace: &Arc<Trace>) -> Result<String, Failure> {
        let mut dialogue = Dialogue::open(&self.server, trace).await?;
        if let Some(protocol) = self.starttls {
            protocol.ask(&mut dialogue).await?;
        }
        trace.expect_host(&self.name);
        let stream = self.tls.handshake(trace, &self.name, dialogue.end()?).await?;
        let connection = stream.get_ref().1;
        if let Some(cipher) = connection.negotiated_cipher_suite() {
            trace.note("cipher", cipher.suite().as_str().unwrap_or("unknown"));
        }
        self.judge(trace, connection)
    }

    fn judge(&self, trace: &Trace, connection: &ClientConnection) -> Result<String, Failure> {
        let endpoint = trace.endpoint();
        let Some(chain) = trace.certificates() else {
            return Err(Failure::Unexpected(format!("certificate is not readable ({endpoint})")));
        };
        let own = &chain.certificates[0];
        trace.note("subject", &own.subject);
        trace.note("issuer", &own.issuer);
        trace.note("not_after", date(own.not_after));
        let shown = connection.peer_certificates().and_then(<[_]>::first);
        let shown = shown.map(|certificate| Fingerprint::of(certificate));
        if let Some((expected, shown)) = self.fingerprint.zip(shown)
            && expected != shown
        {
            return Err(Failure::Unexpected(format!(
                "certificate is not the one of `fingerprint` ({endpoint}): it has {}; if it was \
                 renewed, write that instead",
                shown.hex()
            )));
        }
        let days = days_left(own, &chain);
        if days < 0 {
            let ended = date(own.not_after);
            return Err(Failure::Unexpected(format!(
                "certificate expired on {ended} ({endpoint})"
            )));
        }
        let unit = if days == 1 { "day" } else { "days" };
        Ok(format!(
            "{}, certificate of {} valid for {days} more {unit}",
            tls::version(connection),
            whose(own, &chain)
        ))
    }
}

fn days_left(certificate: &Certificate, chain: &Chain) -> i64 {
    certificate.not_after.saturating_sub(chain.seen_at).div_euclid(24 * 3600)
}

fn whose(certificate: &Certificate, chain: &Chain) -> String {
    match (certificate.subject.as_str(), chain.names.first()) {
        ("", Some(name)) => clean(name),
        ("", None) => "nobody".to_owned(),
        (subject, _) => subject.to_owned(),
    }
}

/// The day in UTC, `2027-02-20`, of seconds since the Unix epoch.
fn date(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .map_or_else(|_| "never".to_owned(), |time| time.strftime("%F").to_string())
}

/// SHA-256 of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(certificate: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, certificate).as_ref());
        Self(bytes)
    }

    /// `AB:CD:…`, as openssl prints it.
    fn hex(&self) -> String {
        self.0.iter().enumerate().fold(String::new(), |mut text, (place, byte)| {
            let colon = if place == 0 { "" } else { ":" };
            // Writing to a text cannot fail.
            let _ = write!(text, "{colon}{byte:02X}");
            text
        })
    }
}

/// Reads hex with or without colons, and what openssl prints before it.
fn fingerprint(value: &Value) -> Parsed<Fingerprint> {
    let text = text(value)?;
    let digits = text.rsplit_once('=').map_or(text, |(_, digits)| digits).trim();
    let digits: Vec<_> =
        digits.chars().filter(|c| *c != ':').map(|digit| digit.to_digit(16)).collect();
    let bytes = digits.chunks(2).map(|pair| match pair {
        [Some(high), Some(low)] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    });
    let bytes: Option<Vec<_>> = bytes.collect();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok()).map(Fingerprint);
    bytes.ok_or_else(|| {
        vec![mistake(
            format!("`{}` is not a SHA-256 fingerprint", clean(text)),
            "write 64 hex digits: `openssl x509 -noout -fingerprint -sha256 -in cert.pem`",
        )]
    })
}

impl Probe for TlsProbe {
    fn check<'a>(&'a self, timeout: Duration, _: &'a Context) -> Checking<'a> {
        Box::pin(self.server.observe(timeout, move |trace| async move { self.run(&trace).await }))
    }

    fn target(&self) -> String {
        self.server.endpoint()
    }

    fn host(&self) -> &str {
        &self.server.host
    }
}
