//! A socket for ICMP, as far as this process may have one.

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;

use crate::failure::Failure;
use crate::net::describe_io;
use crate::trace::Trace;

/// A socket that speaks ICMP with `address`. It is a datagram socket, whatever
/// its type says.
///
/// 1. A datagram socket for ICMP: on macOS for everybody, on Linux for the
///    groups in `net.ipv4.ping_group_range`.
/// 2. Where there is none, a raw one: for root, with `CAP_NET_RAW`, and for
///    administrators of Windows.
pub(super) fn open(address: IpAddr, trace: &Trace) -> Result<UdpSocket, Failure> {
    let domain = Domain::for_address(SocketAddr::new(address, 0));
    let protocol = if address.is_ipv4() { Protocol::ICMPV4 } else { Protocol::ICMPV6 };
    let opened = Socket::new(domain, Type::DGRAM, Some(protocol))
        .or_else(|_| Socket::new(domain, Type::RAW, Some(protocol)));
    let socket = opened.map_err(|error| refused(&error, trace))?;
    connected(socket, address)
        .map_err(|error| Failure::NoAnswer(describe_io(&error, &trace.endpoint())))
}

fn connected(socket: Socket, address: IpAddr) -> io::Result<UdpSocket> {
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::from(SocketAddr::new(address, 0)))?;
    UdpSocket::from_std(socket.into())
}

fn refused(error: &io::Error, trace: &Trace) -> Failure {
    Failure::NoAnswer(match error.kind() {
        io::ErrorKind::PermissionDenied => format!("ping is not permitted: {}", remedy()),
        _ => describe_io(error, &trace.endpoint()),
    })
}

fn remedy() -> String {
    if cfg!(target_os = "linux") {
        let program = std::env::current_exe();
        let program =
            program.as_ref().map_or("/path/of/pilotlight".into(), |p| p.to_string_lossy());
        format!(
            "allow it with `sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"` or \
             `setcap cap_net_raw+ep {program}`"
        )
    } else {
        "start Pilotlight as an administrator".to_owned()
    }
}
