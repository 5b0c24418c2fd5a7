//! Why a request got no response, in plain words.

use std::error::Error;
use std::io;
use std::iter::successors;

use rustls::CertificateError;

use super::client::Hop;
use super::tls::Certificate;
use crate::net::{LookupFailure, describe_io};
use crate::text::clean;
use crate::trace::Phase;

const NAMES_SHOWN: usize = 3;

/// Says why the request of `hop` ended with `error`: the most telling of its
/// causes, and where it happened unless that goes without saying.
pub(super) fn describe(error: &reqwest::Error, hop: &Hop) -> String {
    let phase = hop.trace.phase();
    if let Some(lookup) = cause::<LookupFailure>(error) {
        return lookup.to_string();
    }
    if let Some(tls) = cause::<rustls::Error>(error) {
        return describe_tls(tls, hop);
    }
    if let Some(io) = innermost::<io::Error>(error) {
        return located(describe_io(io, &hop.trace.endpoint()), &phase);
    }
    if let Some(http) = cause::<hyper::Error>(error)
        && let Some(message) = describe_http(http, &hop.trace.endpoint(), &phase)
    {
        return message;
    }
    let deepest = causes(error).last().map(ToString::to_string);
    format!("request failed: {}", clean(&deepest.unwrap_or_default()))
}

/// The error and all its causes, including what an `io::Error` wraps, which
/// its `source` leaves out.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    successors(Some(error), |&error| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match wrapped {
            Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

fn cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    causes(error).find_map(|error| error.downcast_ref())
}

fn innermost<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    causes(error).filter_map(|error| error.downcast_ref()).last()
}

fn located(message: String, phase: &Phase) -> String {
    match phase {
        Phase::LookingUp(_) | Phase::Connecting(_) => message,
        Phase::Handshake | Phase::Waiting | Phase::Reading => format!("{message}, {phase}"),
    }
}

fn describe_http(error: &hyper::Error, endpoint: &str, phase: &Phase) -> Option<String> {
    if error.is_parse() {
        let reason = clean(&error.to_string());
        Some(format!("the answer of {endpoint} is not valid HTTP: {reason}"))
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        let closed = io::ErrorKind::UnexpectedEof.into();
        Some(located(describe_io(&closed, endpoint), phase))
    } else {
        None
    }
}

fn describe_tls(error: &rustls::Error, hop: &Hop) -> String {
    let endpoint = hop.trace.endpoint();
    match error {
        rustls::Error::InvalidCertificate(reason) => {
            describe_certificate(reason, hop.certificate.get(), &hop.host)
        }
        rustls::Error::InvalidMessage(_) => format!("{endpoint} did not answer in TLS"),
        rustls::Error::AlertReceived(alert) => {
            format!("{endpoint} refused the TLS connection: {alert:?}")
        }
        error => format!("TLS failed: {}", clean(&error.to_string())),
    }
}

fn describe_certificate(
    reason: &CertificateError,
    certificate: Option<&Certificate>,
    host: &str,
) -> String {
    use CertificateError as Reason;
    let invalid = || format!("certificate is not valid: {}", clean(&reason.to_string()));
    let Some(certificate) = certificate else {
        return invalid();
    };
    let self_signed = "certificate is self-signed".to_owned();
    match reason {
        Reason::Expired | Reason::ExpiredContext { .. } => {
            let ago = span(certificate.seen_at.saturating_sub(certificate.not_after));
            format!("certificate expired {ago} ago")
        }
        Reason::NotValidYet | Reason::NotValidYetContext { .. } => {
            let ahead = span(certificate.not_before.saturating_sub(certificate.seen_at));
            format!("certificate becomes valid in {ahead}")
        }
        Reason::NotValidForName | Reason::NotValidForNameContext { .. } => {
            format!("certificate is {}, not {host}", whose(&certificate.names))
        }
        Reason::Revoked => "certificate was revoked".to_owned(),
        // A self-signed authority posing as a server has a reason of its own.
        Reason::UnknownIssuer | Reason::Other(_) if certificate.self_signed => self_signed,
        Reason::UnknownIssuer => "certificate is from an unknown issuer".to_owned(),
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
    use super::*;

    fn certificate() -> Certificate {
        Certificate {
            names: vec!["other.example.com".to_owned()],
            not_before: 0,
            not_after: 1000,
            self_signed: false,
            seen_at: 1000 + 3 * 86_400,
        }
    }

    #[test]
    fn certificates_in_plain_words() {
        let describe = |reason, certificate: &Certificate| {
            describe_certificate(&reason, Some(certificate), "api.example.com")
        };
        let plain = certificate();
        let own = Certificate { self_signed: true, ..certificate() };
        let early = Certificate { not_before: plain.seen_at + 3600, ..certificate() };
        for (message, expected) in [
            (describe(CertificateError::Expired, &plain), "certificate expired 3 days ago"),
            (
                describe(CertificateError::NotValidForName, &plain),
                "certificate is for other.example.com, not api.example.com",
            ),
            (
                describe(CertificateError::UnknownIssuer, &plain),
                "certificate is from an unknown issuer",
            ),
            (describe(CertificateError::UnknownIssuer, &own), "certificate is self-signed"),
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
