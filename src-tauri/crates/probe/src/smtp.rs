//! `check = "smtp"`: a mail server greets, and lets the user in.

mod reply;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use health::Thresholds;
use serde_json::Value;

use self::reply::Reply;
use crate::dialogue::Dialogue;
use crate::failure::Failure;
use crate::field::{
    Field, FieldError, FieldType, Form, Parsed, Section, Values, line, list, mistake,
};
use crate::security::{Login, Ports, SECURITY, Secured, base64};
use crate::starttls;
use crate::text::clean;
use crate::trace::Trace;
use crate::{Checking, Context, Probe, net, tls};

pub(crate) const LABEL: &str = "SMTP";
pub(crate) const HELP: &str =
    "Talks to a mail server: greeting, extensions, and a login if wanted. Sends no mail.";
pub(crate) const EXAMPLE: &str = r#"host = "mail.example.com"
security = "starttls"
user = "monitor"
password = "keyring:mail-password""#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::OTHER;

const PORTS: Ports = Ports { none: 25, starttls: 587, tls: 465 };

pub(crate) const FIELDS: &[Field] = &[
    net::HOST,
    Field::optional(
        "port",
        "Port",
        "The port it listens on. If absent: 25, 587 with STARTTLS, 465 with TLS from the start.",
        net::PORT,
    )
    .or("25"),
    Login::USER,
    Login::PASSWORD,
    Field::optional(
        "ehlo_name",
        "Own name",
        "How this machine introduces itself; its address if absent.",
        FieldType::Text,
    )
    .within(Section::Request),
    Field::optional(
        "expect_capability",
        "Expected extensions",
        "What the server has to offer, once encrypted if it is: [\"SIZE\", \"AUTH PLAIN\"].",
        FieldType::List,
    )
    .within(Section::Expect),
    SECURITY,
    tls::VERIFY,
    tls::CA_FILE,
    tls::CERT_FILE,
    tls::KEY_FILE,
    tls::WARN_DAYS,
    net::FAMILY,
];

struct SmtpProbe {
    secured: Secured,
    login: Option<Login>,
    name: Option<String>,
    expected: Vec<String>,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    let secured = Secured::read(&form, &PORTS)?;
    Ok(Box::new(SmtpProbe {
        login: Login::read(&form, &secured)?,
        name: form.optional("ehlo_name", ehlo_name)?.map(str::to_owned),
        expected: form.or("expect_capability", Vec::new(), list)?,
        secured,
    }))
}

/// One word, as RFC 5321 wants a domain or an address literal.
fn ehlo_name(value: &Value) -> Parsed<&str> {
    let name = line(value)?;
    if name.len() <= 255 && name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(name);
    }
    let help = "write one word: monitor.example.com, [192.0.2.1]";
    Err(vec![mistake(format!("`{}` is not a name for EHLO", clean(name)), help)])
}

impl SmtpProbe {
    async fn run(&self, trace: &Arc<Trace>) -> Result<String, Failure> {
        let mut dialogue = Dialogue::open(&self.secured.server, trace).await?;
        let name = self.name.clone().unwrap_or_else(|| literal(dialogue.local()));
        let greeted_by = greeting(&mut dialogue).await?;
        let mut offers = ehlo(&mut dialogue, &name).await?;
        if let Some(tls) = &self.secured.starttls {
            starttls(&mut dialogue).await?;
            dialogue = self.secured.encrypt(dialogue, tls).await?;
            offers = ehlo(&mut dialogue, &name).await?;
        }
        trace.note("extensions", offers.join(", "));
        self.judge(&offers, trace)?;
        let mut seen = format!("greeted by {greeted_by}");
        if let Some(login) = &self.login {
            log_in(&mut dialogue, login, &offers).await?;
            seen.push_str(", logged in");
        }
        dialogue.leave(b"QUIT\r\n").await;
        Ok(seen)
    }

    fn judge(&self, offers: &[String], trace: &Trace) -> Result<(), Failure> {
        let is_missing = |expected: &&String| !offers.iter().any(|offer| offered(offer, expected));
        let Some(missing) = self.expected.iter().find(is_missing) else { return Ok(()) };
        let name = missing.split_ascii_whitespace().next().unwrap_or_default();
        let got = match offers.iter().find(|offer| offered(offer, name)) {
            Some(offer) => offer.clone(),
            None => offers.join(", "),
        };
        Err(Failure::Unexpected(format!(
            "expected the extension \"{}\", got \"{}\" ({})",
            clean(missing),
            clean(&got),
            trace.endpoint()
        )))
    }
}

/// Whether `offer` has all the words of `expected`, the first of which is its
/// name: `AUTH LOGIN PLAIN` has `AUTH PLAIN`.
fn offered(offer: &str, expected: &str) -> bool {
    let mut words = offer.split_ascii_whitespace();
    let mut wanted = expected.split_ascii_whitespace();
    let same_name = match (words.next(), wanted.next()) {
        (Some(name), Some(wanted)) => name.eq_ignore_ascii_case(wanted),
        _ => false,
    };
    let words: Vec<_> = words.collect();
    same_name && wanted.all(|wanted| words.iter().any(|word| word.eq_ignore_ascii_case(wanted)))
}

/// An address as a name for EHLO (RFC 5321, section 4.1.3).
pub(crate) fn literal(local: Option<IpAddr>) -> String {
    match local.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => format!("[{address}]"),
        Some(IpAddr::V6(address)) => format!("[IPv6:{address}]"),
        None => "[127.0.0.1]".to_owned(),
    }
}

/// Hears the greeting: by whom.
pub(crate) async fn greeting(dialogue: &mut Dialogue) -> Result<String, Failure> {
    dialogue.step("waiting for the greeting");
    let reply = Reply::read(dialogue, "an SMTP greeting").await?;
    if reply.code != 220 {
        return Err(reply.refuses(dialogue, "connection"));
    }
    let text = reply.text();
    dialogue.trace().note("greeting", &text);
    Ok(clean(text.split_ascii_whitespace().next().unwrap_or("a server without a name")))
}

/// Introduces this machine: the extensions that the server offers.
pub(crate) async fn ehlo(dialogue: &mut Dialogue, name: &str) -> Result<Vec<String>, Failure> {
    dialogue.step("introducing itself");
    let reply = Reply::to(dialogue, &format!("EHLO {name}")).await?;
    if reply.code != 250 {
        return Err(reply.refuses(dialogue, "EHLO"));
    }
    Ok(reply.lines.into_iter().skip(1).collect())
}

/// Asks for TLS (RFC 3207).
pub(crate) async fn starttls(dialogue: &mut Dialogue) -> Result<(), Failure> {
    dialogue.step("asking for TLS");
    let reply = Reply::to(dialogue, "STARTTLS").await?;
    match reply.code {
        220 => Ok(()),
        _ => Err(starttls::refused(dialogue, "STARTTLS", &reply.to_string())),
    }
}

/// RFC 4954, and the LOGIN that was there before it.
async fn log_in(dialogue: &mut Dialogue, login: &Login, offers: &[String]) -> Result<(), Failure> {
    dialogue.step("logging in");
    dialogue.hide(login.plain());
    dialogue.hide(base64(&login.password));
    let offers = |mechanism: &str| {
        // Some still write `AUTH=LOGIN`.
        offers.iter().any(|offer| offered(&offer.replacen('=', " ", 1), mechanism))
    };
    let reply = if offers("AUTH PLAIN") {
        Reply::to(dialogue, &format!("AUTH PLAIN {}", login.plain())).await?
    } else if offers("AUTH LOGIN") {
        let mut reply = Reply::to(dialogue, "AUTH LOGIN").await?;
        for answer in [&login.user, &login.password] {
            if reply.code == 334 {
                reply = Reply::to(dialogue, &base64(answer)).await?;
            }
        }
        reply
    } else {
        let endpoint = dialogue.trace().endpoint();
        let message = if offers("AUTH") {
            format!("{endpoint} offers no login by PLAIN or LOGIN")
        } else {
            format!("{endpoint} offers no login here: check `port` and `security`")
        };
        return Err(Failure::Unexpected(message));
    };
    match reply.code {
        235 => Ok(()),
        _ => Err(reply.refuses(dialogue, "login")),
    }
}

impl Probe for SmtpProbe {
    fn check<'a>(&'a self, timeout: Duration, _: &'a Context) -> Checking<'a> {
        let server = &self.secured.server;
        Box::pin(server.observe(timeout, move |trace| async move { self.run(&trace).await }))
    }

    fn target(&self) -> String {
        self.secured.server.endpoint()
    }

    fn host(&self) -> &str {
        &self.secured.server.host
    }
}
