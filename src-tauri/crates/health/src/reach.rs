use std::net::IpAddr;

/// How far away a target is, and so what must work here before a failure of it
/// says anything about the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reach {
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
}
