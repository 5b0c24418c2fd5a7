//! Bad days of a network: slow, closed and mute ports.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::{JoinHandle, JoinSet};

use crate::servers::free_ports;

/// A port that passes on to another and holds every answer back for a while,
/// TCP and UDP alike. It ends with the test.
pub struct Relay {
    port: u16,
    task: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    /// Passes on to `127.0.0.1:to`.
    pub async fn new(to: u16, delay: Duration) -> Self {
        let (port, listener, socket) = bind().await;
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            let mut datagram = vec![0; 65536];
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let (client, _) = accepted.expect("a connection");
                        connections.spawn(pass_on(client, to, delay));
                    }
                    received = socket.recv_from(&mut datagram) => {
                        // A client that has gone is reported here as an error.
                        let Ok((length, client)) = received else { continue };
                        let answer = ask(datagram[..length].to_vec(), to).await;
                        if let Some(answer) = answer {
                            tokio::time::sleep(delay).await;
                            let _ = socket.send_to(&answer, client).await;
                        }
                    }
                }
            }
        });
        Self { port, task }
    }

    /// Accepts and takes everything, and never answers.
    pub async fn mute() -> Self {
        let (port, listener, socket) = bind().await;
        let task = tokio::spawn(async move {
            let mut taken = Vec::new();
            while let Ok((client, _)) = listener.accept().await {
                taken.push(client);
            }
            drop(socket);
        });
        Self { port, task }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// A loopback port nobody listens on.
pub fn refused_port() -> u16 {
    free_ports::<1>()[0]
}

async fn bind() -> (u16, TcpListener, UdpSocket) {
    loop {
        let port = refused_port();
        let address = (Ipv4Addr::LOCALHOST, port);
        if let (Ok(listener), Ok(socket)) =
            (TcpListener::bind(address).await, UdpSocket::bind(address).await)
        {
            return (port, listener, socket);
        }
    }
}

async fn pass_on(client: TcpStream, to: u16, delay: Duration) {
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let questions = async {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
        let _ = to_server.shutdown().await;
    };
    let answers = async {
        let mut bytes = vec![0; 65536];
        while let Ok(length @ 1..) = from_server.read(&mut bytes).await {
            tokio::time::sleep(delay).await;
            if to_client.write_all(&bytes[..length]).await.is_err() {
                break;
            }
        }
        let _ = to_client.shutdown().await;
    };
    tokio::join!(questions, answers);
}

/// One datagram there, one back.
async fn ask(question: Vec<u8>, to: u16) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.ok()?;
    socket.send_to(&question, (Ipv4Addr::LOCALHOST, to)).await.ok()?;
    let mut answer = vec![0; 65536];
    let patience = Duration::from_secs(10);
    let length = tokio::time::timeout(patience, socket.recv(&mut answer)).await.ok()?.ok()?;
    answer.truncate(length);
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo() -> (u16, JoinHandle<()>) {
        let (port, listener, socket) = bind().await;
        let task = tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.expect("a connection");
            let mut word = [0; 4];
            client.read_exact(&mut word).await.expect("a word");
            client.write_all(&word).await.expect("sent");
            let (length, from) = socket.recv_from(&mut word).await.expect("a datagram");
            socket.send_to(&word[..length], from).await.expect("sent");
        });
        (port, task)
    }

    #[tokio::test]
    async fn a_relay_holds_answers_back() {
        let delay = Duration::from_millis(120);
        let (port, _echo) = echo().await;
        let relay = Relay::new(port, delay).await;
        let mut word = [0; 4];

        let start = tokio::time::Instant::now();
        let mut stream =
            TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port())).await.expect("connected");
        stream.write_all(b"ping").await.expect("sent");
        stream.read_exact(&mut word).await.expect("an answer");
        assert_eq!(&word, b"ping");
        assert!(start.elapsed() >= delay);

        let start = tokio::time::Instant::now();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bound");
        socket.send_to(b"pong", (Ipv4Addr::LOCALHOST, relay.port())).await.expect("sent");
        socket.recv(&mut word).await.expect("an answer");
        assert_eq!(&word, b"pong");
        assert!(start.elapsed() >= delay);
    }

    #[tokio::test]
    async fn nobody_listens_on_a_refused_port() {
        let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, refused_port())).await;
        assert_eq!(
            refused.map_err(|e| e.kind()).err(),
            Some(std::io::ErrorKind::ConnectionRefused)
        );
    }

    #[tokio::test]
    async fn a_mute_port_takes_and_gives_nothing() {
        let mute = Relay::mute().await;
        let mut stream =
            TcpStream::connect((Ipv4Addr::LOCALHOST, mute.port())).await.expect("connected");
        stream.write_all(b"hello").await.expect("sent");
        let answer = tokio::time::timeout(Duration::from_millis(50), stream.read_u8()).await;
        assert!(answer.is_err(), "{answer:?}");
    }
}
