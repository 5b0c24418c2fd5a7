use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use super::failure::Outcome;

/// Where Linux takes the ports of outgoing connections from, unless told else.
const USUAL_FLOOR: u16 = 32_768;
/// How many ports below that may be taken.
const ROOM: u16 = 20_000;

/// Free ports on loopback, below those of outgoing connections: a check of a
/// closed port among them would one day connect to itself.
pub(crate) fn free(count: usize) -> Outcome<Vec<u16>> {
    let floor = floor_of_outgoing();
    let offset = u16::try_from(std::process::id() % u32::from(ROOM / 2)).unwrap_or(0);
    let candidates = floor.saturating_sub(ROOM).max(1_024)..floor;
    let candidates = candidates.skip(usize::from(offset));
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let ports: Vec<u16> = candidates.filter(free).take(count).collect();
    if ports.len() < count {
        return Err("there are not enough free ports on loopback: end other servers".into());
    }
    Ok(ports)
}

fn floor_of_outgoing() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    range.split_whitespace().next().and_then(|low| low.parse().ok()).unwrap_or(USUAL_FLOOR)
}
