//! The keys of `check = "http"`.

use super::{login, template};
use crate::field::{Field, FieldType, Section};
use crate::{json, net, tls};

pub(super) const SCHEMES: &[&str] = &["http", "https"];
pub(super) const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

pub(crate) const FIELDS: &[Field] = &[
    Field::required(
        "url",
        "URL",
        concat!("The address to ask, in full; its query may hold ", template::help!(), "."),
        FieldType::Url { schemes: SCHEMES },
    ),
    login::USER,
    login::PASSWORD,
    login::BEARER_TOKEN,
    Field::optional(
        "oauth_token_url",
        "OAuth2 token URL",
        "Where a token is fetched first, with the client's own credentials.",
        FieldType::Url { schemes: SCHEMES },
    )
    .within(Section::Login),
    Field::optional(
        "oauth_client_id",
        "OAuth2 client",
        "The client id that the token is fetched with.",
        FieldType::Text,
    )
    .within(Section::Login),
    Field::optional(
        "oauth_client_secret",
        "OAuth2 client secret",
        "The secret of that client.",
        FieldType::Secret,
    )
    .within(Section::Login),
    Field::optional(
        "oauth_scope",
        "OAuth2 scope",
        "What the token is to be good for: scopes, with spaces between.",
        FieldType::Text,
    )
    .within(Section::Login),
    Field::optional("method", "Method", "What to do there.", FieldType::Choice { of: METHODS })
        .or("GET")
        .within(Section::Request),
    Field::optional(
        "headers",
        "Headers",
        concat!(
            "Sent along, but never to another origin that a redirect leads to; may hold ",
            template::help!(),
            "."
        ),
        FieldType::Headers,
    )
    .within(Section::Request),
    Field::optional(
        "body",
        "Body",
        concat!(
            "Sent along as it is; give its Content-Type in the headers. May hold ",
            template::help!(),
            ", each with one value a check."
        ),
        FieldType::Multiline,
    )
    .within(Section::Request),
    Field::optional(
        "max_redirects",
        "Redirects",
        "How many redirects are followed; with 0 the redirect itself is the response.",
        FieldType::Integer { min: 0, max: 20 },
    )
    .or("5")
    .within(Section::Request),
    Field::optional(
        "expect_status",
        "Expected status",
        "Statuses and ranges that are fine. A redirect listed here is not followed.",
        FieldType::StatusList,
    )
    .or("200-299")
    .within(Section::Expect),
    Field::optional(
        "expect_header",
        "Expected headers",
        "Headers of the response and their exact values; /…/ is a regular expression.",
        FieldType::Variables,
    )
    .within(Section::Expect),
    Field::optional(
        "expect_text",
        "Expected text",
        "Text that the first 1 MiB of the response contains.",
        FieldType::Text,
    )
    .within(Section::Expect),
    Field::optional(
        "expect_no_text",
        "Unexpected text",
        "Text that the first 1 MiB of the response must not contain.",
        FieldType::Text,
    )
    .within(Section::Expect),
    Field::optional(
        "expect_regex",
        "Expected pattern",
        "Regular expression that the first 1 MiB of the response matches.",
        FieldType::Regex,
    )
    .within(Section::Expect),
    Field::optional(
        "expect_json",
        "Expected JSON",
        "What the response, as JSON of up to 1 MiB, says under JSON paths; of several values \
         under one path, each.",
        FieldType::JsonAssertions { operators: json::OPERATORS },
    )
    .within(Section::Expect),
    tls::VERIFY,
    tls::CA_FILE,
    tls::CERT_FILE,
    tls::KEY_FILE,
    tls::WARN_DAYS,
    net::FAMILY,
    Field::optional(
        "http_version",
        "HTTP version",
        "The only version of HTTP to speak; 2 without TLS is spoken from the first byte.",
        FieldType::Choice { of: &["any", "1.1", "2"] },
    )
    .or("any")
    .within(Section::Advanced),
    Field::optional(
        "proxy",
        "Proxy",
        "http://, https://, socks5:// or socks5h:// URL, or none. Without it, the environment's, \
         but never for this machine.",
        FieldType::Text,
    )
    .within(Section::Advanced),
    Field::optional(
        "reuse_connection",
        "Reuse connection",
        "Keeps the connection for the next check, which then does not notice when new \
         connections fail. Reads every response up to 1 MiB.",
        FieldType::Boolean,
    )
    .or("false")
    .within(Section::Advanced),
];
