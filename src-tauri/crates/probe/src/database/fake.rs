//! Servers on loopback that say what a test has them say.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a server does when it has said all.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Then {
    Close,
    /// Says the last part again and again.
    Repeat,
}

/// A server that says `parts` to the first who connects, each but the
/// first as soon as it has heard something. Its port.
pub(crate) async fn server(parts: &[&[u8]], then: Then) -> u16 {
    let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.expect("a client");
        for (index, part) in parts.iter().enumerate() {
            if index == 0 || client.read(&mut [0; 4096]).await.is_ok() {
                let _ = client.write_all(part).await;
            }
        }
        end(client, parts.last().map(Vec::as_slice).unwrap_or_default(), then).await;
    });
    port
}

async fn end(mut client: TcpStream, last: &[u8], then: Then) {
    if let Then::Repeat = then {
        let more = last.repeat(4096 / last.len().max(1) + 1);
        while client.write_all(&more).await.is_ok() {}
    }
    let _ = client.shutdown().await;
    // Unread bytes would reset the connection.
    let _ = tokio::io::copy(&mut client, &mut tokio::io::sink()).await;
}
