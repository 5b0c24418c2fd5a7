//! Ports for servers, outside of the range that outgoing connections use and
//! never given twice by one process.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

const FIRST: u32 = 10_000;
const COUNT: u32 = 22_000;

/// `N` different ports that are free on 127.0.0.1, TCP and UDP.
pub fn free_ports<const N: usize>() -> [u16; N] {
    // Processes side by side start far apart.
    static NEXT: LazyLock<AtomicU32> =
        LazyLock::new(|| AtomicU32::new(std::process::id().wrapping_mul(7919) % COUNT));
    std::array::from_fn(|_| {
        (0..COUNT)
            .map(|_| FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT)
            .filter_map(|port| u16::try_from(port).ok())
            .find(|port| {
                let address = (Ipv4Addr::LOCALHOST, *port);
                TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
            })
            .expect("a free port")
    })
}
