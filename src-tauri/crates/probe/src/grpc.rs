//! `check = "grpc"`: a gRPC server says that it is serving, over the standard
//! health protocol (<https://grpc.io/docs/guides/health-checking/>).

mod connection;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use health::Thresholds;
use reqwest::header::HeaderMap;
use tonic::codegen::http::Uri;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::failure::Failure;
use crate::field::{
    Field, FieldError, FieldType, Form, Section, Step, Values, header_map, line, mistake,
};
use crate::server::Server;
use crate::text::clean;
use crate::trace::Trace;
use crate::{Checking, Context, Probe, net, tls};

pub(crate) const LABEL: &str = "gRPC";
pub(crate) const HELP: &str = "Asks a gRPC server's health service whether it is serving.";
pub(crate) const EXAMPLE: &str = r#"host = "orders.internal"
port = 50051
service = "shop.v1.Orders"
tls = true"#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::OTHER;

/// A health response is a few bytes.
const MOST_BYTES: usize = 64 * 1024;

pub(crate) const FIELDS: &[Field] = &[
    net::HOST,
    Field::required("port", "Port", "The port it listens on.", net::PORT),
    Field::optional(
        "headers",
        "Metadata",
        "Sent along with the request; a login goes here.",
        FieldType::Headers,
    )
    .within(Section::Login),
    Field::optional(
        "service",
        "Service",
        "The service to ask about, in full: shop.v1.Orders. Without it, the whole server.",
        FieldType::Text,
    )
    .within(Section::Request),
    tls::ENCRYPT,
    tls::VERIFY,
    tls::CA_FILE,
    tls::CERT_FILE,
    tls::KEY_FILE,
    tls::WARN_DAYS,
    net::FAMILY,
];

#[derive(Debug)]
struct GrpcProbe {
    server: Server,
    origin: Uri,
    headers: HeaderMap,
    /// Empty: the whole server.
    service: String,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    let mut server = Server::read(&form, 0)?;
    server.tls = server.tls.map(|tls| tls.offering(&[b"h2"]));
    let scheme = if server.tls.is_some() { "https" } else { "http" };
    let origin = format!("{scheme}://{}", server.endpoint()).parse().map_err(|_| {
        let host = clean(&server.host);
        vec![
            mistake(format!("`{host}` cannot be written in a URL"), "write a name or an address")
                .within(Step::Key("host".to_owned())),
        ]
    })?;
    Ok(Box::new(GrpcProbe {
        server,
        origin,
        headers: form.or("headers", HeaderMap::new(), header_map)?,
        service: form.optional("service", line)?.unwrap_or_default().to_owned(),
    }))
}

impl GrpcProbe {
    async fn run(&self, trace: &Arc<Trace>) -> Result<String, Failure> {
        let stream = self.server.open(trace).await?;
        trace.step("asking for its health");
        let connection = connection::open(stream, trace).await?;
        let mut client = HealthClient::with_origin(connection.service(), self.origin.clone())
            .max_decoding_message_size(MOST_BYTES);
        let answer = client.check(self.request()).await;
        let answer = answer.map_err(|status| self.refused(&status, trace))?;
        self.judge(answer.into_inner().status, trace)
    }

    fn request(&self) -> Request<HealthCheckRequest> {
        let question = HealthCheckRequest { service: self.service.clone() };
        let metadata = MetadataMap::from_headers(self.headers.clone());
        Request::from_parts(metadata, tonic::Extensions::default(), question)
    }

    fn judge(&self, status: i32, trace: &Trace) -> Result<String, Failure> {
        let (what, endpoint) = (self.what(), trace.endpoint());
        Err(Failure::Unexpected(match ServingStatus::try_from(status) {
            Ok(ServingStatus::Serving) => return Ok(format!("{what} is serving")),
            Ok(ServingStatus::NotServing) => format!("{what} is not serving ({endpoint})"),
            Ok(ServingStatus::Unknown) => {
                format!("{what} says that its health is unknown ({endpoint})")
            }
            Ok(ServingStatus::ServiceUnknown) => self.no_such_service(trace),
            Err(_) => {
                format!("{what} says that its health is {status}, which means nothing ({endpoint})")
            }
        }))
    }

    fn refused(&self, status: &Status, trace: &Trace) -> Failure {
        if let Some(failure) = connection::failure(status, trace) {
            return failure;
        }
        let endpoint = trace.endpoint();
        trace.note("grpc_status", status.code() as i32);
        Failure::Unexpected(match status.code() {
            Code::NotFound => self.no_such_service(trace),
            Code::Unimplemented => format!(
                "the server has no health service ({endpoint}): add grpc.health.v1.Health to it, \
                 or check the port with `check = \"tcp\"`"
            ),
            Code::Unauthenticated | Code::PermissionDenied => {
                format!("login refused ({endpoint}): check `headers`")
            }
            code => {
                let reason = clean(status.message());
                let reason = if reason.is_empty() { code.description() } else { &reason };
                format!("the health service failed with {code:?} ({endpoint}): {reason}")
            }
        })
    }

    fn no_such_service(&self, trace: &Trace) -> String {
        let endpoint = trace.endpoint();
        if self.service.is_empty() {
            format!("the server does not know its own health ({endpoint}): name a `service`")
        } else {
            format!("the server knows no {} ({endpoint}): check `service`", self.what())
        }
    }

    fn what(&self) -> String {
        if self.service.is_empty() {
            "the server".to_owned()
        } else {
            format!("service `{}`", clean(&self.service))
        }
    }
}

impl Probe for GrpcProbe {
    fn check<'a>(&'a self, timeout: Duration, _: &'a Context) -> Checking<'a> {
        Box::pin(self.server.observe(timeout, move |trace| async move { self.run(&trace).await }))
    }

    fn target(&self) -> String {
        self.server.endpoint()
    }

    fn host(&self) -> &str {
        &self.server.host
    }
}
