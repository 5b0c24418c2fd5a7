use std::convert::Infallible;
use std::net::Ipv4Addr;

use health::{Observation, Outcome};
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tonic::Response;
use tonic::body::Body;
use tonic::codegen::tokio_stream::Stream;
use tonic::codegen::{InterceptedService, Pin};
use tonic::service::Routes;
use tonic::transport::Server as GrpcServer;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus as Health;
use tonic_health::pb::HealthCheckResponse;
use tonic_health::pb::health_server::{Health as HealthService, HealthServer};

use super::*;

const PATIENT: Duration = Duration::from_secs(30);
/// For what never answers, after what does.
const SHORT: Duration = Duration::from_secs(1);

/// Something that listens, until the test ends.
struct Host {
    port: u16,
    serving: JoinHandle<()>,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Host {
    async fn new<F>(serve: impl FnOnce(TcpListener) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        Self { port, serving: tokio::spawn(serve(listener)) }
    }

    /// Does the same to every connection.
    async fn doing<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::new(|listener| async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        })
        .await
    }

    /// Sends this, whatever it is asked.
    async fn saying(bytes: &'static [u8]) -> Self {
        Self::doing(move |mut stream| async move {
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked).await;
            let _ = stream.write_all(bytes).await;
            while stream.read(&mut asked).await.is_ok_and(|length| length > 0) {}
        })
        .await
    }

    async fn check_within(&self, timeout: Duration, mut keys: Value) -> Observation {
        keys["host"] = "127.0.0.1".into();
        keys["port"] = self.port.into();
        let probe = probe(keys.as_object().expect("a table")).expect("valid");
        let mut seen = probe.check(timeout, &Context::default()).await;
        if let Outcome::Unhealthy(message) = &mut seen.outcome {
            *message = message.replace(&self.port.to_string(), "PORT");
        }
        seen
    }

    async fn check(&self, keys: Value) -> Outcome {
        self.check_within(PATIENT, keys).await.outcome
    }
}

/// Answers every question the same.
#[derive(Clone)]
struct Always(Result<i32, Status>);

#[tonic::async_trait]
impl HealthService for Always {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.0.clone().map(|status| Response::new(HealthCheckResponse { status }))
    }

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("nobody watches"))
    }
}

async fn always(answer: Result<i32, Status>) -> Host {
    serving(HealthServer::new(Always(answer))).await
}

async fn serving<S: HealthService>(service: HealthServer<S>) -> Host {
    Host::new(|listener| async move {
        let router = GrpcServer::builder().add_service(service);
        router.serve_with_incoming(TcpIncoming::from(listener)).await.expect("served");
    })
    .await
}

fn ok(message: &str) -> Outcome {
    Outcome::Healthy(message.to_owned())
}

fn failed(message: &str) -> Outcome {
    Outcome::Unhealthy(message.to_owned())
}

#[tokio::test]
async fn what_a_health_service_says() {
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_service_status("shop.v1.Orders", Health::Serving).await;
    reporter.set_service_status("shop.v1.Returns", Health::NotServing).await;
    reporter.set_service_status("shop.v1.New", Health::Unknown).await;
    let host = serving(service).await;
    for (keys, expected) in [
        (json!({}), ok("the server is serving")),
        (json!({"service": "shop.v1.Orders"}), ok("service `shop.v1.Orders` is serving")),
        (
            json!({"service": "shop.v1.Returns"}),
            failed("service `shop.v1.Returns` is not serving (127.0.0.1:PORT)"),
        ),
        (
            json!({"service": "shop.v1.New"}),
            failed("service `shop.v1.New` says that its health is unknown (127.0.0.1:PORT)"),
        ),
        (
            json!({"service": "shop.v1.Gone"}),
            failed("the server knows no service `shop.v1.Gone` (127.0.0.1:PORT): check `service`"),
        ),
    ] {
        let seen = host.check_within(PATIENT, keys.clone()).await;
        assert_eq!(seen.outcome, expected, "{keys}");
        let took = seen.response_time.expect("it answered").as_secs_f64() * 1000.0;
        assert!((took - seen.phases.total()).abs() < 1.0, "{took} ms, but {:?}", seen.phases);
        assert!(seen.phases.send.is_some() && seen.phases.wait.is_some(), "{:?}", seen.phases);
    }
}

#[tokio::test]
async fn odd_answers() {
    for (answer, message) in [
        (Ok(2), "the server is not serving (127.0.0.1:PORT)"),
        (Ok(3), "the server does not know its own health (127.0.0.1:PORT): name a `service`"),
        (Ok(-7), "the server says that its health is -7, which means nothing (127.0.0.1:PORT)"),
        (
            Err(Status::not_found("no")),
            "the server does not know its own health (127.0.0.1:PORT): name a `service`",
        ),
        (Err(Status::unauthenticated("no")), "login refused (127.0.0.1:PORT): check `headers`"),
        (Err(Status::permission_denied("no")), "login refused (127.0.0.1:PORT): check `headers`"),
        (
            Err(Status::unavailable("not\nyet")),
            "the health service failed with Unavailable (127.0.0.1:PORT): not\\nyet",
        ),
        (
            Err(Status::internal("")),
            "the health service failed with Internal (127.0.0.1:PORT): Internal error",
        ),
    ] {
        let host = always(answer).await;
        let seen = host.check_within(PATIENT, json!({})).await;
        assert_eq!(seen.outcome, failed(message));
        assert!(seen.response_time.is_some());
    }
}

#[tokio::test]
async fn a_server_without_a_health_service() {
    let host = Host::new(|listener| async move {
        let router = GrpcServer::builder().add_routes(Routes::default());
        router.serve_with_incoming(TcpIncoming::from(listener)).await.expect("served");
    })
    .await;
    assert_eq!(
        host.check(json!({})).await,
        failed(
            "the server has no health service (127.0.0.1:PORT): add grpc.health.v1.Health to it, \
             or check the port with `check = \"tcp\"`"
        )
    );
}

#[tokio::test]
async fn metadata_is_sent_along() {
    let (reporter, service) = tonic_health::server::health_reporter();
    let guarded = InterceptedService::new(service, |request: Request<()>| {
        let token = request.metadata().get("authorization");
        if token.is_some_and(|token| token == "Bearer secret") {
            Ok(request)
        } else {
            Err(Status::unauthenticated("who are you?"))
        }
    });
    let host = Host::new(|listener| async move {
        let _watched = reporter;
        let router = GrpcServer::builder().add_service(guarded);
        router.serve_with_incoming(TcpIncoming::from(listener)).await.expect("served");
    })
    .await;
    let login = json!({"headers": {"Authorization": "Bearer secret"}});
    assert_eq!(host.check(login).await, ok("the server is serving"));
    let refused = failed("login refused (127.0.0.1:PORT): check `headers`");
    assert_eq!(host.check(json!({})).await, refused);
}

/// An HTTP/2 server's settings, all by default, and its agreement to ours.
const GREETING: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0";

#[tokio::test]
async fn servers_that_hang() {
    let mute = Host::saying(b"").await;
    let greeting = Host::saying(GREETING).await;
    for host in [&mute, &greeting] {
        let seen = host.check_within(SHORT, json!({})).await;
        let message = "timed out after 1 s, asking for its health (127.0.0.1:PORT)";
        assert_eq!(seen.outcome, failed(message));
        assert_eq!(seen.response_time, None);
    }
}

#[tokio::test]
async fn servers_that_speak_something_else() {
    let http = Host::saying(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    let ssh = Host::saying(b"SSH-2.0-OpenSSH_9.6\r\n").await;
    // A frame of 16 MiB, of which none comes.
    let lying = Host::saying(b"\xff\xff\xff\x04\0\0\0\0\0").await;
    for host in [&http, &ssh, &lying] {
        let message =
            "the server did not answer in HTTP/2 (127.0.0.1:PORT): check `port` and `tls`";
        assert_eq!(host.check(json!({})).await, failed(message));
    }
}

#[tokio::test]
async fn connections_that_break() {
    let closing = Host::doing(|mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
    })
    .await;
    let outcome = closing.check(json!({})).await;
    assert!(
        [
            "connection closed by 127.0.0.1:PORT, asking for its health",
            "connection reset by 127.0.0.1:PORT, asking for its health",
        ]
        .contains(&outcome.message()),
        "{outcome:?}"
    );
    // GOAWAY with the code INTERNAL_ERROR.
    let leaving =
        Host::saying(b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x02").await;
    let outcome = leaving.check(json!({})).await;
    let message = outcome.message();
    assert!(matches!(outcome, Outcome::Unhealthy(_)), "{outcome:?}");
    assert!(message.contains("127.0.0.1:PORT") && !message.contains("HTTP/2"), "{message}");
}

/// Answers the first request over HTTP/2 with `answer`.
async fn over_http2(
    answer: impl Fn() -> hyper::Response<Body> + Clone + Send + Sync + 'static,
) -> Host {
    Host::doing(move |stream| {
        let answer = answer.clone();
        async move {
            let service = hyper::service::service_fn(move |_| {
                let answer = answer();
                async move { Ok::<_, Infallible>(answer) }
            });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        }
    })
    .await
}

fn answer(status: u16, content_type: &str, body: &[u8]) -> hyper::Response<Body> {
    let body = Body::new(Full::from(body.to_vec()));
    let answer = hyper::Response::builder().status(status).header("content-type", content_type);
    answer.body(body).expect("valid")
}

#[tokio::test]
async fn answers_that_are_not_grpc() {
    let page = over_http2(|| answer(200, "text/html", b"<html>")).await;
    assert_eq!(
        page.check(json!({})).await,
        failed("the server answered in HTTP, not in gRPC (127.0.0.1:PORT): 200 OK, text/html")
    );
    let missing = over_http2(|| answer(404, "text/plain", b"")).await;
    assert_eq!(
        missing.check(json!({})).await,
        failed(
            "the server answered in HTTP, not in gRPC (127.0.0.1:PORT): 404 Not Found, text/plain"
        )
    );
    for (body, what) in [
        (&b""[..], "nothing"),
        (b"\0\0\0\0\x02\x08", "cut off"),
        (b"\0\0\0\0\x02\xff\xff", "garbage"),
        (b"\0\xff\xff\xff\xff\x08\x01", "4 GiB announced"),
        (b"\x01\0\0\0\x02\x08\x01", "compressed unasked"),
    ] {
        let host = over_http2(move || answer(200, "application/grpc", body)).await;
        let outcome = host.check(json!({})).await;
        let start = "the health service failed with ";
        assert!(outcome.message().starts_with(start), "{what}: {outcome:?}");
        assert!(outcome.message().contains("(127.0.0.1:PORT)"), "{what}: {outcome:?}");
    }
}

#[test]
fn its_target() {
    let values = json!({"host": "::1", "port": 50051, "tls": true});
    let probe = probe(values.as_object().expect("a table")).expect("valid");
    assert_eq!(probe.target(), "[::1]:50051");
    assert_eq!(probe.host(), "::1");
}
