//! A connection on which a protocol is spoken message by message. What the
//! server sends is bounded, whatever lengths it claims.

use std::io;
use std::sync::Arc;

use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, Take,
};

use crate::failure::Failure;
use crate::stream::Traced;
use crate::trace::Trace;

/// What one message may take.
pub(crate) const LONGEST_MESSAGE: usize = 64 * 1024;

/// What a server may send in one check.
const LONGEST_DIALOGUE: u64 = 1024 * 1024;

/// What a TLS alert begins with: its type and the major version (RFC 8446,
/// section 5.1).
const TLS_ALERT: &[u8] = &[21, 3];

/// A connection to a server of a protocol.
#[derive(Debug)]
pub(crate) struct Dialogue<S> {
    stream: BufReader<Take<Traced<S>>>,
    trace: Arc<Trace>,
    /// Its name, for people.
    protocol: &'static str,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<S> {
    pub(crate) fn new(stream: Traced<S>, trace: &Arc<Trace>, protocol: &'static str) -> Self {
        let stream = BufReader::new(stream.take(LONGEST_DIALOGUE));
        Self { stream, trace: trace.clone(), protocol }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let stream = self.stream.get_mut().get_mut();
        let sent = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        sent.await.map_err(|error| Failure::io(&error, &self.trace))
    }

    /// Exactly that many bytes, of which there may be 64 KiB.
    pub(crate) async fn read(&mut self, length: usize) -> Result<Vec<u8>, Failure> {
        if length > LONGEST_MESSAGE {
            return Err(self.too_long());
        }
        let mut bytes = vec![0; length];
        match self.stream.read_exact(&mut bytes).await {
            Ok(_) => Ok(bytes),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// The same, in an array.
    pub(crate) async fn read_array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let mut bytes = [0; N];
        match self.stream.read_exact(&mut bytes).await {
            Ok(_) => Ok(bytes),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// A line without its end, CR LF.
    pub(crate) async fn line(&mut self) -> Result<Vec<u8>, Failure> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.stream).take(LONGEST_MESSAGE as u64);
        match bounded.read_until(b'\n', &mut line).await {
            Ok(_) if line.ends_with(b"\r\n") => {
                line.truncate(line.len() - 2);
                Ok(line)
            }
            Ok(_) if line.ends_with(b"\n") => Err(self.not_understood(&line)),
            Ok(LONGEST_MESSAGE) => Err(self.not_understood(&line)),
            Ok(_) if line.starts_with(TLS_ALERT) => Err(self.not_understood(&line)),
            Ok(_) => Err(self.broken(&io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// Whether all that has come has been read.
    pub(crate) fn is_quiet(&self) -> bool {
        self.stream.buffer().is_empty()
    }

    fn broken(&self, error: &io::Error) -> Failure {
        if error.kind() == io::ErrorKind::UnexpectedEof && self.stream.get_ref().limit() == 0 {
            return self.too_long();
        }
        Failure::io(error, &self.trace)
    }

    /// The server says more than is listened to.
    pub(crate) fn too_long(&self) -> Failure {
        Failure::Unexpected(format!(
            "the answer is too long ({}): ask for one value",
            self.trace.endpoint()
        ))
    }

    /// The server does not keep to the protocol.
    pub(crate) fn not_understood(&self, answer: &[u8]) -> Failure {
        self.trace.saw_body(answer);
        let (endpoint, protocol) = (self.trace.endpoint(), self.protocol);
        Failure::Unexpected(if answer.starts_with(TLS_ALERT) {
            format!("{endpoint} speaks TLS only: set `tls = true`")
        } else {
            format!("{endpoint} does not speak {protocol}: check `port` and `tls`")
        })
    }

    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
    }
}

/// Servers on loopback that say what a test has them say.
#[cfg(test)]
pub(crate) mod fake {
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
}
