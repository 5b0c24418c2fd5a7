//! Who is asked.

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;
use url::Url;

use crate::field::{Form, Parsed, Step, host_name, line, mistake, text, url};
use crate::http::get::Getter;
use crate::net::{self, Family};
use crate::server::Server;
use crate::tls::Tls;

const PORT: u16 = 53;
/// RFC 7858, section 3.1.
const TLS_PORT: u16 = 853;
/// By convention; RFC 8484 leaves the path to the server.
const PATH: &str = "/dns-query";

/// Who is asked, and how.
#[derive(Debug)]
pub(super) enum Resolver {
    /// Whoever this machine asks, at the moment of the check.
    System { tcp: bool, family: Family },
    /// RFC 1035, section 4.2.1.
    Udp(Server),
    /// RFC 1035, section 4.2.2, or RFC 7858 with TLS.
    Tcp(Server),
    /// RFC 8484.
    Https { url: Url, getter: Box<Getter> },
}

impl Resolver {
    /// Reads `resolver`, `transport`, [`net::FAMILY`] and the keys of [`Tls`].
    pub(super) fn read(form: &Form<'_>) -> Parsed<Self> {
        let transport = form.or("transport", "udp", text)?;
        let family = Family::read(form)?;
        let tls = Tls::read(form)?;
        let named = form.optional("resolver", line)?;
        let within = |mistakes: Vec<crate::FieldError>| -> Vec<crate::FieldError> {
            mistakes.into_iter().map(|m| m.within(Step::Key("resolver".to_owned()))).collect()
        };
        let server = |usual_port, tls| {
            let (host, port) = named.map_or_else(missing, host_and_port).map_err(within)?;
            Parsed::Ok(Server::at(host, port.unwrap_or(usual_port), family, tls))
        };
        Ok(match transport {
            "https" => {
                let url = named.map_or_else(missing, https_url).map_err(within)?;
                let getter = Getter::new(net::host_of(&url), tls, family)?;
                Self::Https { url, getter: Box::new(getter) }
            }
            "tls" => Self::Tcp(server(TLS_PORT, Some(tls))?),
            transport if named.is_none() => Self::System { tcp: transport == "tcp", family },
            "tcp" => Self::Tcp(server(PORT, None)?),
            _ => Self::Udp(server(PORT, None)?),
        })
    }
}

fn missing<T>() -> Parsed<T> {
    let help = "name one that speaks TLS: \"dns.example.com\"";
    Err(vec![mistake("`resolver` is missing", help)])
}

/// `9.9.9.9`, `::1`, `[::1]:5353`, `ns.example.com:5353`.
fn host_and_port(text: &str) -> Parsed<(String, Option<u16>)> {
    let host = |text: &str| host_name(&Value::String(text.to_owned()));
    if text.parse::<IpAddr>().is_ok() {
        return Ok((host(text)?, None));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok((address.ip().to_string(), Some(in_range(address.port())?)));
    }
    match text.rsplit_once(':').map(|(name, port)| (name, port.parse())) {
        Some((name, Ok(port))) => Ok((host(name)?, Some(in_range(port)?))),
        _ => Ok((host(text)?, None)),
    }
}

fn in_range(port: u16) -> Parsed<u16> {
    match port {
        0 => Err(vec![mistake("port 0 is out of range", "use a number from 1 to 65535")]),
        port => Ok(port),
    }
}

/// A URL in full, or a host that answers at the usual path.
fn https_url(text: &str) -> Parsed<Url> {
    let in_full = if text.contains("://") {
        text.to_owned()
    } else {
        let (host, port) = host_and_port(text)?;
        format!("https://{}{PATH}", net::endpoint(&host, port.unwrap_or(443)))
    };
    url(&Value::String(in_full), &["https"])
}

/// The first resolver that this machine asks, at this moment.
#[cfg(not(windows))]
pub(super) fn of_this_machine() -> Option<IpAddr> {
    first_in(&std::fs::read_to_string("/etc/resolv.conf").ok()?)
}

/// The first resolver that this machine asks, at this moment.
#[cfg(windows)]
pub(super) fn of_this_machine() -> Option<IpAddr> {
    let adapters = ipconfig::get_adapters().ok()?;
    let connected = adapters.iter().filter(|adapter| {
        adapter.oper_status() == ipconfig::OperStatus::IfOperStatusUp
            && !adapter.gateways().is_empty()
    });
    connected.flat_map(ipconfig::Adapter::dns_servers).next().copied()
}

/// As resolv.conf(5) has it. Addresses that hold for one interface only are
/// passed over.
#[cfg(not(windows))]
fn first_in(resolv_conf: &str) -> Option<IpAddr> {
    resolv_conf.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == "nameserver").then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_may_have_a_port() {
        for (text, host, port) in [
            ("9.9.9.9", "9.9.9.9", None),
            ("9.9.9.9:5353", "9.9.9.9", Some(5353)),
            ("2620:fe::fe", "2620:fe::fe", None),
            ("[2620:fe::fe]:5353", "2620:fe::fe", Some(5353)),
            ("[::1]", "::1", None),
            ("NS.example.com:53", "ns.example.com", Some(53)),
            ("ns.example.com", "ns.example.com", None),
        ] {
            assert_eq!(host_and_port(text), Ok((host.to_owned(), port)), "{text}");
        }
        for (text, message) in [
            ("ns.example.com:0", "port 0 is out of range"),
            ("9.9.9.9:0", "port 0 is out of range"),
            ("https://dns.example", "`https://dns.example` is a URL"),
            (":53", "the host is empty"),
        ] {
            assert_eq!(host_and_port(text).expect_err(text)[0].message, message);
        }
    }

    #[test]
    fn a_host_answers_at_the_usual_path() {
        for (text, in_full) in [
            ("dns.example", "https://dns.example/dns-query"),
            ("[::1]:8443", "https://[::1]:8443/dns-query"),
            ("https://dns.example/ask?x", "https://dns.example/ask?x"),
        ] {
            assert_eq!(https_url(text).expect("valid").as_str(), in_full);
        }
        let mistakes = https_url("http://dns.example/").expect_err("a mistake");
        assert_eq!(mistakes[0].message, "the URL has the scheme `http`");
    }

    #[cfg(not(windows))]
    #[test]
    fn the_first_of_the_machine_is_used() {
        let file = "# nameserver 10.0.0.1\nsearch example\nnameserver fe80::1%eth0\n\
                    nameserver\t10.0.0.2 \nnameserver 10.0.0.3";
        assert_eq!(first_in(file), Some(IpAddr::from([10, 0, 0, 2])));
        assert_eq!(first_in("search example\nnameserver\n"), None);
    }
}
