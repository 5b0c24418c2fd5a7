//! What every kind of check does with the network: look a host up, connect,
//! and say in plain words what went wrong.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dns_lookup::{LookupError, LookupErrorKind};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use url::Url;

use crate::failure::Failure;
use crate::field::{Field, FieldType, Form, Parsed, Section, Step, mistake, text};
use crate::text::clean;
use crate::trace::Trace;

/// How long an attempt to connect goes on alone before the next address is
/// tried beside it (RFC 8305, section 8).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// `db.internal:5432`, `[::1]:5432`; with port 0, where there are no ports,
/// the host alone.
pub(crate) fn endpoint(host: &str, port: u16) -> String {
    match port {
        0 => host.to_owned(),
        _ if host.contains(':') => format!("[{host}]:{port}"),
        _ => format!("{host}:{port}"),
    }
}

/// The host of `url` without the brackets of an IPv6 address.
pub(crate) fn host_of(url: &Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether `host` (without brackets) is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = host.trim_end_matches('.');
    if let Ok(address) = name.parse::<IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// The host to check; the key of every kind that connects to one.
pub(crate) const HOST: Field =
    Field::required("host", "Host", "The name or address of the machine.", FieldType::Host);

/// The port to check, where the protocol has a usual one.
pub(crate) const fn port(usual: &'static str) -> Field {
    Field::optional("port", "Port", "The port it listens on.", PORT).or(usual)
}

/// What a port may be.
pub(crate) const PORT: FieldType = FieldType::Integer { min: 1, max: 65535 };

/// Which addresses of a host are used.
pub(crate) const FAMILY: Field = Field::optional(
    "ip_version",
    "IP version",
    "Which addresses of the host are used.",
    FieldType::Choice { of: &["any", "4", "6"] },
)
.or("any")
.within(Section::Advanced);

/// The addresses of a host that are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Family {
    #[default]
    Any,
    V4,
    V6,
}

impl Family {
    /// Reads [`FAMILY`].
    pub(crate) fn read(form: &Form<'_>) -> Parsed<Self> {
        Ok(match form.or("ip_version", "any", text)? {
            "4" => Self::V4,
            "6" => Self::V6,
            _ => Self::Any,
        })
    }

    /// # Errors
    /// `host` is an address of the other family.
    pub(crate) fn fits(self, host: &str) -> Parsed<()> {
        let Ok(address) = host.parse() else { return Ok(()) };
        self.choose(host, vec![address]).map(drop).map_err(|found| {
            let help = "leave this out, or write the host's name";
            vec![mistake(found.to_string(), help).within(Step::Key("ip_version".to_owned()))]
        })
    }

    /// Those of the family, or that there is none.
    pub(crate) fn choose(
        self,
        host: &str,
        addresses: Vec<IpAddr>,
    ) -> Result<Vec<IpAddr>, LookupFailure> {
        let fits = |address: &IpAddr| match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        };
        let chosen: Vec<_> = addresses.into_iter().filter(fits).collect();
        if chosen.is_empty() {
            let version = if self == Self::V6 { "IPv6" } else { "IPv4" };
            return Err(LookupFailure::NoSuchAddress { host: clean(host), version });
        }
        Ok(chosen)
    }
}

/// Why a host has no addresses, in plain words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LookupFailure {
    #[error("no such host: {0}")]
    NoSuchHost(String),
    #[error("{host} has no {version} address")]
    NoSuchAddress { host: String, version: &'static str },
    #[error("cannot look up {0}: the name server does not answer or fails")]
    NoAnswer(String),
    #[error("cannot look up {host}: {reason}")]
    Other { host: String, reason: String },
}

impl LookupFailure {
    fn new(host: &str, error: LookupError) -> Self {
        let host = clean(host);
        match error.kind() {
            LookupErrorKind::NoName | LookupErrorKind::NoData => Self::NoSuchHost(host),
            LookupErrorKind::Again | LookupErrorKind::Fail => Self::NoAnswer(host),
            LookupErrorKind::Badflags
            | LookupErrorKind::Family
            | LookupErrorKind::Socktype
            | LookupErrorKind::Service
            | LookupErrorKind::Memory
            | LookupErrorKind::System
            | LookupErrorKind::Unknown
            | LookupErrorKind::IO => {
                Self::Other { host, reason: clean(&io::Error::from(error).to_string()) }
            }
        }
    }
}

/// The addresses of `host` as this machine sees them, best first and families
/// taking turns, so that a dead IPv6 delays IPv4 by one attempt only. Never none.
pub(crate) async fn look_up(host: &str) -> Result<Vec<IpAddr>, LookupFailure> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let name = host.to_owned();
    let found =
        spawn_blocking(move || dns_lookup::lookup_host(&name).map(Iterator::collect::<Vec<_>>))
            .await
            .unwrap_or_else(|stopped| Err(io::Error::other(stopped).into()));
    match found {
        Ok(addresses) if addresses.is_empty() => Err(LookupFailure::NoSuchHost(clean(host))),
        Ok(addresses) => Ok(take_turns(addresses)),
        Err(error) => Err(LookupFailure::new(host, error)),
    }
}

fn take_turns(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let best = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == best);
    let turns = first.len().max(second.len());
    (0..turns).flat_map(|turn| [first.get(turn), second.get(turn)]).flatten().copied().collect()
}

/// Connects to `host`, which may have several addresses: the first one to
/// accept is used.
pub(crate) async fn connect(
    trace: &Trace,
    host: &str,
    port: u16,
    family: Family,
) -> Result<TcpStream, Failure> {
    let addresses = addresses(trace, host, family).await?;
    let targets = addresses.into_iter().map(|ip| SocketAddr::new(ip, port));
    let stream = first_to_accept(targets).await.map_err(|error| Failure::io(&error, trace))?;
    trace.connected(stream.peer_addr().ok());
    // Questions are small, and their time is measured.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Looks up `host`, and goes on to connecting to it.
pub(crate) async fn addresses(
    trace: &Trace,
    host: &str,
    family: Family,
) -> Result<Vec<IpAddr>, Failure> {
    let addresses = find(trace, host, family).await?;
    trace.connect_to(host, &addresses);
    Ok(addresses)
}

/// Looks up the one address of `host` that is used where nothing tells a dead
/// one from a silent one.
pub(crate) async fn address(trace: &Trace, host: &str, family: Family) -> Result<IpAddr, Failure> {
    let address = find(trace, host, family).await?[0];
    trace.aim_at(host, &[address]);
    Ok(address)
}

async fn find(trace: &Trace, host: &str, family: Family) -> Result<Vec<IpAddr>, Failure> {
    trace.look_up(host);
    let found = async { family.choose(host, look_up(host).await?) }.await;
    found.map_err(|failure| Failure::NoAnswer(failure.to_string()))
}

async fn first_to_accept(
    targets: impl ExactSizeIterator<Item = SocketAddr>,
) -> io::Result<TcpStream> {
    let mut targets = targets;
    if targets.len() == 1
        && let Some(only) = targets.next()
    {
        return TcpStream::connect(only).await;
    }
    let mut attempts = FuturesUnordered::new();
    let mut first_error = None;
    loop {
        if let Some(target) = targets.next() {
            attempts.push(TcpStream::connect(target));
        }
        tokio::select! {
            ended = attempts.next() => match ended {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => { first_error.get_or_insert(error); }
                None => return Err(first_error.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into())),
            },
            () = sleep(NEXT_ADDRESS_AFTER), if targets.len() > 0 => {}
        }
    }
}

/// What went wrong on the way to `endpoint`, in plain words.
pub(crate) fn describe_io(error: &io::Error, endpoint: &str) -> String {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => format!("connection refused ({endpoint})"),
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => {
            format!("connection reset by {endpoint}")
        }
        Kind::UnexpectedEof => format!("connection closed by {endpoint}"),
        Kind::TimedOut => format!("connection timed out ({endpoint})"),
        Kind::HostUnreachable => format!("host unreachable ({endpoint})"),
        Kind::NetworkUnreachable => format!("network unreachable ({endpoint})"),
        Kind::NetworkDown => format!("network down ({endpoint})"),
        Kind::PermissionDenied => format!("connection not permitted ({endpoint})"),
        _ => format!("{} ({endpoint})", clean(&error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn families_take_turns() {
        let ips = |texts: &[&str]| -> Vec<IpAddr> {
            texts.iter().map(|text| text.parse().expect("an address")).collect()
        };
        let sorted = ips(&["::1", "::2", "::3", "10.0.0.1"]);
        assert_eq!(take_turns(sorted), ips(&["::1", "10.0.0.1", "::2", "::3"]));
        let sorted = ips(&["10.0.0.1", "::1", "10.0.0.2"]);
        assert_eq!(take_turns(sorted), ips(&["10.0.0.1", "::1", "10.0.0.2"]));
        assert_eq!(take_turns(Vec::new()), Vec::<IpAddr>::new());
    }

    #[test]
    fn endpoints_for_people() {
        assert_eq!(endpoint("db", 5432), "db:5432");
        assert_eq!(endpoint("::1", 5432), "[::1]:5432");
        assert_eq!(endpoint("::1", 0), "::1");
    }

    #[test]
    fn this_machine_is_known_by_all_its_names() {
        for host in [
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example.com", "mylocalhost", "10.0.0.1", "::2", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn errors_in_plain_words() {
        use io::ErrorKind as Kind;
        for (kind, message) in [
            (Kind::ConnectionRefused, "connection refused (x:1)"),
            (Kind::ConnectionReset, "connection reset by x:1"),
            (Kind::UnexpectedEof, "connection closed by x:1"),
            (Kind::TimedOut, "connection timed out (x:1)"),
            (Kind::HostUnreachable, "host unreachable (x:1)"),
            (Kind::NetworkUnreachable, "network unreachable (x:1)"),
        ] {
            assert_eq!(describe_io(&kind.into(), "x:1"), message);
        }
        assert_eq!(describe_io(&io::Error::other("odd\n"), "x:1"), "odd (x:1)");
    }

    #[test]
    fn lookups_fail_in_plain_words() {
        let failure = |code| LookupFailure::new("db.internal", LookupError::new(code)).to_string();
        if cfg!(target_os = "linux") {
            assert_eq!(failure(-2), "no such host: db.internal");
            assert_eq!(
                failure(-3),
                "cannot look up db.internal: the name server does not answer or fails"
            );
        }
        let other = LookupFailure::new("db.internal", io::Error::other("odd").into());
        assert_eq!(other.to_string(), "cannot look up db.internal: odd");
    }

    #[tokio::test]
    async fn a_dead_address_does_not_stop_the_next() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let alive = listener.local_addr().expect("bound");
        let dead = {
            let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
            closed.local_addr().expect("bound")
        };
        let stream = first_to_accept([dead, alive].into_iter()).await.expect("connected");
        assert_eq!(stream.peer_addr().expect("connected"), alive);
        let refused = first_to_accept([dead, dead].into_iter()).await.expect_err("refused");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert!(first_to_accept(std::iter::empty()).await.is_err());
    }
}
