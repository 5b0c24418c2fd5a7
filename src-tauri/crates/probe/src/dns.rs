//! `check = "dns"`: a name server or resolver gives the expected answer.

mod answer;
mod exchange;
mod question;
mod resolver;
mod value;

use std::sync::Arc;
use std::time::Duration;

use health::Thresholds;

use self::answer::Expected;
use self::question::Question;
use self::resolver::Resolver;
use crate::failure::Failure;
use crate::field::{Field, FieldError, FieldType, Form, Parsed, Section, Values};
use crate::net::Family;
use crate::server::Server;
use crate::trace::Trace;
use crate::{Checking, Context, Probe, net, tls};

pub(crate) const LABEL: &str = "DNS";
pub(crate) const HELP: &str =
    "Asks a resolver or name server for records of a name, and compares the answers.";
pub(crate) const EXAMPLE: &str = r#"lookup = "www.example.com"
resolver = "9.9.9.9"
expect = ["192.0.2.10"]"#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::OTHER;

const RECORDS: &[&str] = &["A", "AAAA", "CNAME", "MX", "TXT", "NS", "SRV", "CAA", "PTR"];

pub(crate) const FIELDS: &[Field] = &[
    Field::required(
        "lookup",
        "Look up",
        "What is asked for: a name, or with PTR an address.",
        FieldType::Text,
    ),
    Field::optional("record", "Record", "Which records of it.", FieldType::Choice { of: RECORDS })
        .or("A"),
    Field::optional(
        "resolver",
        "Resolver",
        "Who is asked: name or address, with `:port` where it is not the usual one, for https also \
         a URL. Without it the first resolver of this machine is asked.",
        FieldType::Text,
    ),
    Field::optional(
        "transport",
        "Transport",
        "How it is asked: over udp, tcp, tls (port 853) or https.",
        FieldType::Choice { of: &["udp", "tcp", "tls", "https"] },
    )
    .or("udp")
    .within(Section::Request),
    Field::optional(
        "expect",
        "Expected answers",
        "Values as in a zone file: 192.0.2.1, 10 mail.example.com, 0 5 5060 sip.example.com.",
        FieldType::List,
    )
    .within(Section::Expect),
    Field::optional(
        "match",
        "Comparison",
        "Whether all expected values must be among the answers, any, or exactly those.",
        FieldType::Choice { of: &["all", "any", "exact"] },
    )
    .or("all")
    .within(Section::Expect),
    Field::optional(
        "min_answers",
        "Fewest answers",
        "Unhealthy when there are fewer records.",
        FieldType::Integer { min: 1, max: 1000 },
    )
    .or("1")
    .within(Section::Expect),
    Field::optional(
        "dnssec",
        "Validated by DNSSEC",
        "Whether the answer must be marked as validated; it is the resolver that validates.",
        FieldType::Boolean,
    )
    .or("false")
    .within(Section::Expect),
    tls::VERIFY,
    tls::CA_FILE,
    tls::CERT_FILE,
    tls::KEY_FILE,
    tls::WARN_DAYS,
    net::FAMILY,
];

const PORT: u16 = 53;

#[derive(Debug)]
struct DnsProbe {
    question: Question,
    expected: Expected,
    resolver: Resolver,
    host: String,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    Ok(Box::new(DnsProbe::new(&Form::new(FIELDS, values)?)?))
}

impl DnsProbe {
    fn new(form: &Form<'_>) -> Parsed<Self> {
        let question = Question::read(form)?;
        let expected = Expected::read(form, question.record)?;
        let resolver = Resolver::read(form)?;
        let host = match &resolver {
            // Whoever it is at the moment: the name is what is looked at.
            Resolver::System { .. } => question::plain(&question.name),
            Resolver::Udp(server) | Resolver::Tcp(server) => server.host.clone(),
            Resolver::Https { url, .. } => {
                let host = url.host_str().unwrap_or_default();
                host.trim_start_matches('[').trim_end_matches(']').to_owned()
            }
        };
        Ok(Self { question, expected, resolver, host })
    }

    async fn ask(&self, trace: &Arc<Trace>) -> Result<String, Failure> {
        let message = match &self.resolver {
            Resolver::System { tcp, family } => {
                let server = system(*family)?;
                trace.head_for(&server.host, server.port);
                if *tcp {
                    self.question.over_tcp(&server, trace).await?
                } else {
                    self.question.over_udp(&server, trace).await?
                }
            }
            Resolver::Udp(server) => self.question.over_udp(server, trace).await?,
            Resolver::Tcp(server) => self.question.over_tcp(server, trace).await?,
            Resolver::Https { url, getter } => self.question.over_https(url, getter, trace).await?,
        };
        self.expected.judge(&self.question, &message, trace)
    }
}

fn system(family: Family) -> Result<Server, Failure> {
    let address = resolver::of_this_machine().ok_or_else(|| {
        Failure::NoAnswer("this machine has no resolver: name one under `resolver`".to_owned())
    })?;
    Ok(Server::at(address.to_string(), PORT, family, None))
}

impl Probe for DnsProbe {
    fn check<'a>(&'a self, timeout: Duration, _: &'a Context) -> Checking<'a> {
        let port = match &self.resolver {
            Resolver::System { .. } => PORT,
            Resolver::Udp(server) | Resolver::Tcp(server) => server.port,
            Resolver::Https { url, .. } => url.port_or_known_default().unwrap_or_default(),
        };
        Box::pin(Trace::observe(&self.host, port, timeout, move |trace| async move {
            self.ask(&trace).await
        }))
    }

    fn target(&self) -> String {
        let (name, record) = (self.question.shown(), self.question.record);
        let asked = match &self.resolver {
            Resolver::System { .. } => return format!("{name} {record}"),
            Resolver::Udp(server) | Resolver::Tcp(server) => server.endpoint(),
            Resolver::Https { url, .. } => {
                net::endpoint(&self.host, url.port_or_known_default().unwrap_or_default())
            }
        };
        format!("{name} {record} at {asked}")
    }

    fn host(&self) -> &str {
        &self.host
    }
}

#[cfg(test)]
mod tests;
