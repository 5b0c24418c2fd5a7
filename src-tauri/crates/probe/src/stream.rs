//! A connection that tells its check what it is doing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::trace::{Phase, Trace};

/// What every protocol is spoken over: plain TCP, or TLS.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection that puts the time of its check to the right phase:
///
/// 1. Whatever is written is `Sending`.
/// 2. Reading before the first byte has come is `Waiting`, even if none comes.
/// 3. From the first byte that comes on, it is `Receiving`, until something is
///    written again.
///
/// It carries its check with it: libraries poll it from tasks of their own.
#[derive(Debug)]
pub(crate) struct Traced<S> {
    stream: S,
    trace: Arc<Trace>,
}

impl<S> Traced<S> {
    pub(crate) fn new(stream: S, trace: &Arc<Trace>) -> Self {
        Self { stream, trace: trace.clone() }
    }

    /// The connection itself, to be encrypted.
    pub(crate) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Traced<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            this.trace.enter(Phase::Receiving);
        } else if !this.trace.is_in(Phase::Receiving) {
            this.trace.enter(Phase::Waiting);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Traced<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.trace.enter(Phase::Sending);
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, buf));
        Poll::Ready(written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use health::Phases;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_dialogue_is_put_to_its_phases() {
        let ms = Duration::from_millis;
        let (ours, mut theirs) = duplex(64);
        let server = tokio::spawn(async move {
            let mut buffer = [0; 4];
            sleep(ms(1)).await;
            theirs.write_all(b"hi").await.expect("sent");
            theirs.read_exact(&mut buffer).await.expect("a question");
            sleep(ms(10)).await;
            theirs.write_all(b"an").await.expect("sent");
            sleep(ms(100)).await;
            theirs.write_all(b"swer").await.expect("sent");
        });
        let seen = Trace::observe("db", 1, ms(1000), |trace| async move {
            let mut stream = Traced::new(ours, &trace);
            let mut buffer = [0; 6];
            stream.read_exact(&mut buffer[..2]).await.expect("a greeting");
            stream.write_all(b"ping").await.expect("sent");
            stream.read_exact(&mut buffer).await.expect("an answer");
            Ok(String::from_utf8_lossy(&buffer).into_owned())
        });
        let phases = seen.await.phases;
        let expected =
            Phases { send: Some(0.0), wait: Some(11.0), receive: Some(100.0), ..Phases::default() };
        assert_eq!(phases, expected);
        server.await.expect("no panic");
    }
}
