//! HTTP/2 over the check's own connection, as gRPC wants it.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;

use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::header::CONTENT_TYPE;
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use reqwest::StatusCode;
use tokio::sync::mpsc;
use tonic::Status;
use tonic::body::Body;
use tonic::client::GrpcService;
use tower::service_fn;

use crate::failure::{Failure, cause, describe, is_not_http2};
use crate::http::status_line;
use crate::stream::{Stream, Traced};
use crate::text::clean;
use crate::trace::Trace;

const MAX_HEADER_BYTES: u32 = 64 * 1024;

type BoxError = Box<dyn Error + Send + Sync>;

/// Ends with the check, whatever the server does.
pub(super) struct Connection {
    sender: SendRequest<Body>,
    _checking: mpsc::Receiver<Infallible>,
}

/// Runs the tasks of a connection until the check is over.
#[derive(Clone)]
struct UntilChecked(mpsc::Sender<Infallible>);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for UntilChecked {
    fn execute(&self, task: F) {
        let checking = self.0.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = task => {}
                () = checking.closed() => {}
            }
        });
    }
}

/// Greets the server in HTTP/2.
pub(super) async fn open(
    stream: Traced<Box<dyn Stream>>,
    trace: &Trace,
) -> Result<Connection, Failure> {
    let (sender, checking) = mpsc::channel(1);
    let executor = UntilChecked(sender);
    let opened = Builder::new(executor.clone())
        .max_header_list_size(MAX_HEADER_BYTES)
        .handshake(TokioIo::new(stream))
        .await;
    let (sender, connection) = opened.map_err(|error| of_http(&error, trace))?;
    executor.execute(connection);
    Ok(Connection { sender, _checking: checking })
}

impl Connection {
    /// Sends requests over it.
    pub(super) fn service(
        &self,
    ) -> impl GrpcService<Body, ResponseBody = Incoming, Error = BoxError, Future: Send> + use<>
    {
        let sender = self.sender.clone();
        service_fn(move |request| {
            let mut sender = sender.clone();
            async move {
                sender.ready().await?;
                is_grpc(sender.send_request(request).await?)
            }
        })
    }
}

/// An answer that is no gRPC: its status line says what it is instead.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotGrpc(String);

fn is_grpc(response: Response<Incoming>) -> Result<Response<Incoming>, BoxError> {
    let content_type = response.headers().get(CONTENT_TYPE);
    let content_type = content_type.map(|value| String::from_utf8_lossy(value.as_bytes()));
    let content_type = content_type.unwrap_or_default();
    if response.status() == StatusCode::OK && content_type.starts_with("application/grpc") {
        return Ok(response);
    }
    let status = status_line(response.status());
    Err(Box::new(NotGrpc(match &*content_type {
        "" => status,
        content_type => format!("{status}, {}", clean(content_type)),
    })))
}

/// Why there is no answer in gRPC, unless `status` is one.
pub(super) fn failure(status: &Status, trace: &Trace) -> Option<Failure> {
    if let Some(NotGrpc(answer)) = cause(status) {
        let endpoint = trace.endpoint();
        return Some(Failure::Unexpected(format!(
            "the server answered in HTTP, not in gRPC ({endpoint}): {answer}"
        )));
    }
    cause::<hyper::Error>(status).map(|error| of_http(error, trace))
}

fn of_http(error: &hyper::Error, trace: &Trace) -> Failure {
    if let Some(known) = describe(error, trace) {
        return Failure::NoAnswer(known);
    }
    if error.is_closed() || error.is_canceled() || error.is_incomplete_message() {
        return Failure::io(&io::ErrorKind::UnexpectedEof.into(), trace);
    }
    if is_not_http2(error) {
        let endpoint = trace.endpoint();
        return Failure::NoAnswer(format!(
            "the server did not answer in HTTP/2 ({endpoint}): check `port` and `tls`"
        ));
    }
    Failure::of(error, trace, "the request failed")
}
