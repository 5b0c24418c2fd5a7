//! Servers of unit tests: whatever a test has them do.

use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server on a free loopback port that treats every connection the same. It
/// ends with the test.
pub(crate) struct Server {
    pub(crate) port: u16,
    accepting: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Server {
    pub(crate) async fn new<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
        Self { port, accepting }
    }

    /// Reads a request, writes `response` as it is, and closes.
    pub(crate) async fn answering(response: impl Into<Vec<u8>>) -> Self {
        let response = Arc::new(response.into());
        Self::new(move |mut stream| {
            let response = response.clone();
            async move {
                read_request(&mut stream).await;
                // The client may have had enough before all is written.
                let _ = stream.write_all(&response).await;
            }
        })
        .await
    }
}

/// The request up to its body: `GET / HTTP/1.1`, then a line a header.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Vec<String> {
    let mut lines = BufReader::new(stream).lines();
    let mut request = Vec::new();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.is_empty() {
            break;
        }
        request.push(line);
    }
    request
}
