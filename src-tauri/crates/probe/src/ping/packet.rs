//! Echo requests and replies: RFC 792 and, for IPv6, RFC 4443, section 4.

use std::net::IpAddr;

/// Header and data: as long as what `ping` sends.
pub(super) const LENGTH: usize = 64;

const HEADER: usize = 8;

/// What tells the replies to one check from those to others: the system may
/// change the identifier, and hands some of them to everybody.
pub(super) type Token = [u8; 16];

/// The numbers of the protocol: version 4 and 6 differ in them only.
struct Types {
    request: u8,
    reply: u8,
}

fn types(address: IpAddr) -> Types {
    match address {
        IpAddr::V4(_) => Types { request: 8, reply: 0 },
        IpAddr::V6(_) => Types { request: 128, reply: 129 },
    }
}

/// The `sequence`th question to `address`.
pub(super) fn request(address: IpAddr, token: &Token, sequence: u16) -> [u8; LENGTH] {
    let mut packet = [0; LENGTH];
    packet[0] = types(address).request;
    packet[4..6].copy_from_slice(&token[..2]);
    packet[6..HEADER].copy_from_slice(&sequence.to_be_bytes());
    packet[HEADER..HEADER + token.len()].copy_from_slice(token);
    // Over IPv6 it takes in the addresses, and is the system's to write.
    if address.is_ipv4() {
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

/// To which question `packet`, as it comes from a socket, is the reply; none
/// if it is anything else.
pub(super) fn reply(address: IpAddr, token: &Token, packet: &[u8]) -> Option<u16> {
    let packet = match address {
        IpAddr::V4(_) => without_ip_header(packet)?,
        IpAddr::V6(_) => packet,
    };
    let (header, data) = packet.split_at_checked(HEADER)?;
    let [kind, code, _, _, _, _, high, low] = *header else { return None };
    (kind == types(address).reply && code == 0 && data.starts_with(token))
        .then_some(u16::from_be_bytes([high, low]))
}

/// Some systems put the header of IPv4 (RFC 791, section 3.1) before it. No
/// message of ICMP begins like one.
fn without_ip_header(packet: &[u8]) -> Option<&[u8]> {
    let first = *packet.first()?;
    if first >> 4 != 4 {
        return Some(packet);
    }
    packet.get(usize::from(first & 0x0f) * 4..)
}

/// The complement of the sum in ones' complement (RFC 1071).
fn checksum(packet: &[u8; LENGTH]) -> u16 {
    let words = packet.chunks_exact(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    const TOKEN: Token = *b"sixteen bytes ok";
    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    #[test]
    fn the_checksum_makes_the_sum_all_ones() {
        let packet = request(V4, &TOKEN, 0x0102);
        assert_eq!(checksum(&packet), 0);
        assert_eq!(&packet[..2], &[8, 0]);
        assert_eq!(&packet[4..8], b"si\x01\x02");
        assert_eq!(&request(V6, &TOKEN, 1)[..4], &[128, 0, 0, 0]);
    }

    #[test]
    fn only_replies_to_the_check_count() {
        for (address, kind) in [(V4, 0), (V6, 129)] {
            let question = request(address, &TOKEN, 513);
            assert_eq!(reply(address, &TOKEN, &question), None, "its own question");
            let mut answer = question;
            answer[0] = kind;
            assert_eq!(reply(address, &TOKEN, &answer), Some(513));
            assert_eq!(reply(address, b"sixteen bytes no", &answer), None, "another's");
            assert_eq!(reply(address, &TOKEN, &answer[..20]), None, "cut off");
            answer[1] = 1;
            assert_eq!(reply(address, &TOKEN, &answer), None, "unknown code");
        }
    }

    #[test]
    fn a_header_of_ipv4_is_passed_over() {
        let mut answer = request(V4, &TOKEN, 7);
        answer[0] = 0;
        for words in [5, 15_u8] {
            let mut packet = vec![0x40 | words];
            packet.resize(usize::from(words) * 4, 0);
            packet.extend_from_slice(&answer);
            assert_eq!(reply(V4, &TOKEN, &packet), Some(7));
            assert_eq!(reply(V4, &TOKEN, &packet[..10]), None);
        }
    }

    proptest! {
        #[test]
        fn anything_may_come(packet in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(reply(V4, &TOKEN, &packet), None);
            prop_assert_eq!(reply(V6, &TOKEN, &packet), None);
        }
    }
}
