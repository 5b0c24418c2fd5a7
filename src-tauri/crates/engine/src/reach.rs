use std::net::IpAddr;
use std::time::Duration;

use tokio::net::TcpStream;

/// How far away a target is, and so what must work here before a failure of it
/// says anything about the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// This machine: nothing.
    Loopback,
    /// The local network: an interface is up.
    Private,
    /// Anywhere else: the internet answers.
    Public,
}

impl Reach {
    /// Of a host as configured and, once known, the address it was reached at.
    pub fn of(host: &str, address: Option<IpAddr>) -> Self {
        let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        if let Some(address) = host.parse().ok().or(address) {
            return Self::of_address(address);
        }
        let name = host.to_ascii_lowercase();
        let local = [".local", ".lan", ".internal", ".home.arpa", ".intranet", ".home"];
        if name == "localhost" || name.ends_with(".localhost") {
            Self::Loopback
        } else if !name.contains('.') || local.iter().any(|suffix| name.ends_with(suffix)) {
            Self::Private
        } else {
            Self::Public
        }
    }

    fn of_address(address: IpAddr) -> Self {
        let (loopback, private) = match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, ..] = v4.octets();
                let shared = a == 100 && (64..128).contains(&b); // RFC 6598, used by overlay VPNs
                (
                    v4.is_loopback() || v4.is_unspecified(),
                    v4.is_private() || v4.is_link_local() || shared,
                )
            }
            IpAddr::V6(v6) => (
                v6.is_loopback() || v6.is_unspecified(),
                v6.is_unique_local() || v6.is_unicast_link_local(),
            ),
        };
        match (loopback, private) {
            (true, _) => Self::Loopback,
            (_, true) => Self::Private,
            _ => Self::Public,
        }
    }
}

/// An interface other than loopback is up and has an address.
pub(crate) fn interface_is_up() -> bool {
    // When the system can't tell, failures count: better an alarm too many.
    if_addrs::get_if_addrs().map_or(true, |interfaces| {
        interfaces.iter().any(|i| !i.is_loopback() && i.is_oper_up() && !i.is_link_local())
    })
}

/// How long one connectivity target may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Any of `targets` (`host:port`) accepts a connection. Without targets the
/// internet is taken to answer.
pub(crate) async fn internet_answers(targets: Vec<String>) -> bool {
    if targets.is_empty() {
        return true;
    }
    let mut tries = tokio::task::JoinSet::new();
    for target in targets {
        tries.spawn(async move {
            let connect = TcpStream::connect(&target);
            matches!(tokio::time::timeout(ANSWER_WITHIN, connect).await, Ok(Ok(_)))
        });
    }
    while let Some(answer) = tries.join_next().await {
        if matches!(answer, Ok(true)) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_address_then_by_name() {
        for (host, reach) in [
            ("localhost", Reach::Loopback),
            ("127.0.0.53", Reach::Loopback),
            ("[::1]", Reach::Loopback),
            ("::ffff:127.0.0.1", Reach::Loopback),
            ("10.0.4.12", Reach::Private),
            ("100.64.3.2", Reach::Private),
            ("fd00::1", Reach::Private),
            ("nas", Reach::Private),
            ("db.internal", Reach::Private),
            ("printer.local.", Reach::Private),
            ("api.example.com", Reach::Public),
            ("8.8.8.8", Reach::Public),
        ] {
            assert_eq!(Reach::of(host, None), reach, "{host}");
        }
        let address = Some("192.168.1.4".parse().expect("an address"));
        assert_eq!(Reach::of("git.example.com", address), Reach::Private);
    }

    #[tokio::test]
    async fn one_answer_is_enough() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let open = listener.local_addr().expect("bound").to_string();
        assert!(internet_answers(vec!["127.0.0.1:1".to_owned(), open]).await);
        assert!(!internet_answers(vec!["127.0.0.1:1".to_owned()]).await);
        assert!(internet_answers(vec![]).await);
    }
}
