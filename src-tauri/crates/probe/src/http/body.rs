//! A request's body that tells its check how far it has got.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::trace::{Phase, Trace};

/// As much as is handed over at a time: little beside what the connection
/// holds back on its own.
const PIECE: usize = 16 * 1024;

/// From the first piece on, the check is `Sending`; from the last on, `Waiting`.
#[derive(Debug)]
pub(super) struct Body {
    left: Bytes,
    trace: Arc<Trace>,
}

impl Body {
    pub(super) fn new(bytes: Bytes, trace: &Arc<Trace>) -> Self {
        Self { left: bytes, trace: trace.clone() }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.left.is_empty() {
            return Poll::Ready(None);
        }
        this.trace.enter(Phase::Sending);
        let piece = this.left.split_to(PIECE.min(this.left.len()));
        if this.left.is_empty() {
            this.trace.enter(Phase::Waiting);
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
