//! Why a check got no answer, in plain words.

use std::error::Error;
use std::io;
use std::iter::successors;

use rustls::CertificateError;

use crate::net::{LookupFailure, describe_io};
use crate::text::clean;
use crate::tls::Chain;
use crate::trace::Trace;

const NAMES_SHOWN: usize = 3;

/// Why a check failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There was no answer, or not all of it.
    NoAnswer(String),
    /// There was one, but not as expected.
    Unexpected(String),
}

impl Failure {
    /// There was no answer because of `error`, whatever is behind it: the
    /// lookup, TLS or the connection; else `otherwise` in its own words.
    pub(crate) fn of(error: &(dyn Error + 'static), trace: &Trace, otherwise: &str) -> Self {
        Self::NoAnswer(describe(error, trace).unwrap_or_else(|| {
            let deepest = causes(error).last().map(ToString::to_string).unwrap_or_default();
            format!("{otherwise}: {} ({})", clean(&deepest), trace.endpoint())
        }))
    }

    /// The connection failed while talking.
    pub(crate) fn io(error: &io::Error, trace: &Trace) -> Self {
        Self::of(error, trace, "the connection failed")
    }
}

/// What the most telling cause of `error` says, and where it happened unless
/// that goes without saying; nothing if it is neither lookup, TLS nor the
/// connection.
pub(crate) fn describe(error: &(dyn Error + 'static), trace: &Trace) -> Option<String> {
    if let Some(lookup) = cause::<LookupFailure>(error) {
        return Some(lookup.to_string());
    }
    if let Some(tls) = cause::<rustls::Error>(error) {
        return Some(describe_tls(tls, trace));
    }
    innermost::<io::Error>(error)
        .filter(|io| io.get_ref().is_none() || io.kind() != io::ErrorKind::Other)
        .map(|io| located(describe_io(io, &trace.endpoint()), trace))
}

/// The error and all its causes, including what an `io::Error` wraps, which
/// its `source` leaves out.
pub(crate) fn causes<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    successors(Some(error), |&error| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match wrapped {
            Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

/// The first cause of that type.
pub(crate) fn cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    causes(error).find_map(|error| error.downcast_ref())
}

fn innermost<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    causes(error).filter_map(|error| error.downcast_ref()).last()
}

/// Whether what came was not HTTP/2 at all. hyper hides the type that says so.
pub(crate) fn is_not_http2(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| cause.to_string().starts_with("connection error detected"))
}

/// Adds what was being done, unless the message already says that there was no
/// connection yet.
pub(crate) fn located(message: String, trace: &Trace) -> String {
    if trace.is_connecting() { message } else { format!("{message}, {}", trace.doing()) }
}

fn describe_tls(error: &rustls::Error, trace: &Trace) -> String {
    let endpoint = trace.endpoint();
    match error {
        rustls::Error::InvalidCertificate(reason) => {
            let chain = trace.certificates();
            let reason = describe_certificate(reason, chain.as_deref(), &trace.host());
            format!("{reason} ({endpoint})")
        }
        rustls::Error::InvalidMessage(_) => {
            format!("{endpoint} did not answer in TLS: does it speak TLS on this port?")
        }
        rustls::Error::AlertReceived(alert) => {
            format!("{endpoint} refused the TLS connection: {}", describe_alert(*alert))
        }
        rustls::Error::PeerIncompatible(reason) => {
            format!("{endpoint} speaks no TLS version or cipher that is allowed: {reason:?}")
        }
        error => format!("TLS failed: {} ({endpoint})", clean(&error.to_string())),
    }
}

fn describe_alert(alert: rustls::AlertDescription) -> String {
    use rustls::AlertDescription as Alert;
    match alert {
        Alert::ProtocolVersion => "it speaks other TLS versions only".to_owned(),
        Alert::CertificateRequired => {
            "it wants a client certificate: set `cert_file` and `key_file`".to_owned()
        }
        Alert::BadCertificate
        | Alert::UnknownCA
        | Alert::CertificateUnknown
        | Alert::CertificateExpired
        | Alert::CertificateRevoked
        | Alert::AccessDenied => {
            format!("it does not accept the client certificate ({alert:?})")
        }
        Alert::NoApplicationProtocol => "it speaks none of the protocols offered (ALPN)".to_owned(),
        Alert::UnrecognisedName => "it knows no host of that name".to_owned(),
        alert => format!("{alert:?}"),
    }
}

fn describe_certificate(reason: &CertificateError, chain: Option<&Chain>, host: &str) -> String {
    use CertificateError as Reason;
    let invalid = || format!("certificate is not valid: {}", clean(&reason.to_string()));
    let Some(chain) = chain else {
        return invalid();
    };
    match reason {
        Reason::Expired | Reason::ExpiredContext { .. } => {
            let ago = span(chain.seen_at.saturating_sub(chain.expires_at()));
            format!("certificate expired {ago} ago")
        }
        Reason::NotValidYet | Reason::NotValidYetContext { .. } => {
            let ahead = span(chain.valid_from().saturating_sub(chain.seen_at));
            format!("certificate becomes valid in {ahead}")
        }
        Reason::NotValidForName | Reason::NotValidForNameContext { .. } => {
            format!("certificate is {}, not {host}", whose(&chain.names))
        }
        Reason::Revoked => "certificate was revoked".to_owned(),
        // A self-signed authority posing as a server has a reason of its own, and one that is
        // named like a trusted authority two more.
        Reason::UnknownIssuer
        | Reason::Other(_)
        | Reason::BadSignature
        | Reason::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
            if chain.self_signed =>
        {
            "certificate is self-signed: to trust it, name it in `ca_file`".to_owned()
        }
        Reason::BadSignature | Reason::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "certificate is not signed by the trusted CA that it names: if that was renewed, name \
             the new one in `ca_file`"
                .to_owned()
        }
        Reason::UnknownIssuer => {
            "certificate is from an unknown issuer: to trust it, name its CA in `ca_file`"
                .to_owned()
        }
        _ => invalid(),
    }
}

fn whose(names: &[String]) -> String {
    let shown = names.iter().take(NAMES_SHOWN).map(String::as_str).collect::<Vec<_>>();
    match (shown.as_slice(), names.len().saturating_sub(NAMES_SHOWN)) {
        ([], _) => "for no host".to_owned(),
        (shown, 0) => format!("for {}", clean(&shown.join(", "))),
        (shown, more) => format!("for {} and {more} more", clean(&shown.join(", "))),
    }
}

/// Seconds for people, in whole units: `3 days`, `1 hour`.
fn span(seconds: i64) -> String {
    let (count, unit) = match seconds {
        86_400.. => (seconds / 86_400, "day"),
        3600.. => (seconds / 3600, "hour"),
        _ => (seconds / 60, "minute"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use health::Certificate;

    use super::*;

    fn chain() -> Chain {
        Chain {
            names: vec!["other.example.com".to_owned()],
            certificates: vec![Certificate {
                subject: "CN=other.example.com".to_owned(),
                issuer: "CN=CA".to_owned(),
                not_before: 0,
                not_after: 1000,
            }],
            self_signed: false,
            seen_at: 1000 + 3 * 86_400,
        }
    }

    #[test]
    fn certificates_in_plain_words() {
        let describe =
            |reason, chain: &Chain| describe_certificate(&reason, Some(chain), "api.example.com");
        let plain = chain();
        let own = Chain { self_signed: true, ..chain() };
        let mut early = chain();
        early.certificates[0].not_before = plain.seen_at + 3600;
        for (message, expected) in [
            (describe(CertificateError::Expired, &plain), "certificate expired 3 days ago"),
            (
                describe(CertificateError::NotValidForName, &plain),
                "certificate is for other.example.com, not api.example.com",
            ),
            (
                describe(CertificateError::UnknownIssuer, &plain),
                "certificate is from an unknown issuer: to trust it, name its CA in `ca_file`",
            ),
            (
                describe(CertificateError::UnknownIssuer, &own),
                "certificate is self-signed: to trust it, name it in `ca_file`",
            ),
            (
                describe(CertificateError::BadSignature, &own),
                "certificate is self-signed: to trust it, name it in `ca_file`",
            ),
            (
                describe(CertificateError::BadSignature, &plain),
                "certificate is not signed by the trusted CA that it names: if that was renewed, \
                 name the new one in `ca_file`",
            ),
            (
                describe(CertificateError::NotValidYet, &early),
                "certificate becomes valid in 1 hour",
            ),
            (describe(CertificateError::Revoked, &plain), "certificate was revoked"),
        ] {
            assert_eq!(message, expected);
        }
        let unread = describe_certificate(&CertificateError::BadEncoding, None, "x");
        assert!(unread.starts_with("certificate is not valid: "), "{unread}");
    }

    #[test]
    fn many_names_are_counted() {
        let names = |count: usize| (0..count).map(|n| format!("n{n}")).collect::<Vec<_>>();
        assert_eq!(whose(&names(0)), "for no host");
        assert_eq!(whose(&names(3)), "for n0, n1, n2");
        assert_eq!(whose(&names(10)), "for n0, n1, n2 and 7 more");
        assert!(whose(&["x".repeat(10_000)]).chars().count() < 250);
    }

    #[test]
    fn spans_in_whole_units() {
        for (seconds, text) in [
            (0, "0 minutes"),
            (119, "1 minute"),
            (7199, "1 hour"),
            (86_400, "1 day"),
            (i64::MAX, "106751991167300 days"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
