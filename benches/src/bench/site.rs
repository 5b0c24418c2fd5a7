//! A server of the benchmark's own, to be taken down and brought back.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::failure::{Explain, Outcome};
use super::ports;

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: close\r\n\r\nfine\n";

/// Two ports on loopback that answer HTTP with 200 while they are up, and
/// refuse connections while they are down.
#[derive(Debug)]
pub(crate) struct Site {
    ports: [u16; 2],
    open: Vec<JoinHandle<()>>,
}

impl Site {
    /// Brings one up on free ports.
    pub async fn open() -> Outcome<Self> {
        let free = ports::free(2)?;
        let mut site = Self { ports: [free[0], free[1]], open: Vec::new() };
        site.bring_up().await?;
        Ok(site)
    }

    /// The two ports.
    pub fn ports(&self) -> [u16; 2] {
        self.ports
    }

    /// Both ports answer from now on.
    pub async fn bring_up(&mut self) -> Outcome<()> {
        for port in self.ports {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
            let listener = listener.explain(&format!("port {port} was taken: run it again"))?;
            self.open.push(tokio::spawn(serve(listener)));
        }
        Ok(())
    }

    /// Both ports refuse connections when this returns.
    pub async fn take_down(&mut self) {
        for task in self.open.drain(..) {
            task.abort();
            // It says that it was aborted.
            let _ = task.await;
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.open.iter().for_each(JoinHandle::abort);
    }
}

async fn serve(listener: TcpListener) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    }
}

async fn answer(mut stream: TcpStream) {
    let mut request = [0; 2_048];
    // Whoever has gone needs no answer.
    if stream.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {
        let _ = stream.write_all(ANSWER).await;
        let _ = stream.shutdown().await;
    }
}
