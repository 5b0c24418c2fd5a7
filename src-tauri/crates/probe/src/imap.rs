//! `check = "imap"`: a mail server lets the user read mail.

mod response;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use health::{Measurement, Thresholds};

use self::response::{Response, Talk, modified_utf7};
use crate::dialogue::Dialogue;
use crate::failure::Failure;
use crate::field::{Field, FieldError, FieldType, Form, Parsed, Section, Values, line, mistake_at};
use crate::security::{Login, Ports, SECURITY, Secured};
use crate::text::clean;
use crate::trace::Trace;
use crate::{Checking, Context, Probe, net, starttls as upgrade, tls};

pub(crate) const LABEL: &str = "IMAP";
pub(crate) const HELP: &str =
    "Talks to a mail server: greeting, and if wanted a login and a mailbox. Changes nothing.";
pub(crate) const EXAMPLE: &str = r#"host = "mail.example.com"
security = "tls"
user = "monitor"
password = "keyring:mail-password"
mailbox = "INBOX""#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::OTHER;

const PORTS: Ports = Ports { none: 143, starttls: 143, tls: 993 };

pub(crate) const FIELDS: &[Field] = &[
    net::HOST,
    Field::optional(
        "port",
        "Port",
        "The port it listens on. If absent: 143, or 993 with TLS from the start.",
        net::PORT,
    )
    .or("143"),
    Login::USER,
    Login::PASSWORD,
    Field::optional(
        "mailbox",
        "Mailbox",
        "Opens this mailbox of the user, without changing it, and counts its messages: INBOX.",
        FieldType::Text,
    )
    .within(Section::Request),
    SECURITY,
    tls::VERIFY,
    tls::CA_FILE,
    tls::CERT_FILE,
    tls::KEY_FILE,
    tls::WARN_DAYS,
    net::FAMILY,
];

struct ImapProbe {
    secured: Secured,
    login: Option<Login>,
    mailbox: Option<String>,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    let secured = Secured::read(&form, &PORTS)?;
    let login = Login::read(&form, &secured)?;
    let mailbox = mailbox(&form, login.is_some())?;
    Ok(Box::new(ImapProbe { secured, login, mailbox }))
}

fn mailbox(form: &Form<'_>, logs_in: bool) -> Parsed<Option<String>> {
    let mailbox = form.optional("mailbox", line)?;
    if mailbox.is_some() && !logs_in {
        return Err(mistake_at("mailbox", "a mailbox needs a login", "add `user` and `password`"));
    }
    Ok(mailbox.map(str::to_owned))
}

impl ImapProbe {
    async fn run(&self, trace: &Arc<Trace>) -> Result<String, Failure> {
        let mut dialogue = Dialogue::open(&self.secured.server, trace).await?;
        greeting(&mut dialogue).await?;
        if let Some(tls) = &self.secured.starttls {
            starttls(&mut dialogue).await?;
            dialogue = self.secured.encrypt(dialogue, tls).await?;
        }
        let mut talk = Talk::new(dialogue);
        let capabilities = capabilities(&mut talk).await?;
        trace.note("capabilities", capabilities.join(" "));
        let mut seen = match capabilities.iter().find(|name| is_version(name)) {
            Some(version) => clean(version),
            None => return Err(talk.dialogue.not("IMAP4rev1", &capabilities.join(" "))),
        };
        if let Some(login) = &self.login {
            log_in(&mut talk, login, &capabilities).await?;
            seen.push_str(", logged in");
        }
        if let Some(mailbox) = &self.mailbox {
            let messages = examine(&mut talk, mailbox).await?;
            trace.measure(Measurement::new("messages", f64::from(messages), ""));
            let unit = if messages == 1 { "message" } else { "messages" };
            seen = format!("{seen}, {messages} {unit} in {}", clean(mailbox));
        }
        talk.dialogue.leave(b"z LOGOUT\r\n").await;
        Ok(seen)
    }
}

/// `IMAP4rev1`
fn is_version(capability: &str) -> bool {
    capability.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("IMAP4"))
}

/// Hears the greeting (RFC 3501, section 7.1).
pub(crate) async fn greeting(dialogue: &mut Dialogue) -> Result<(), Failure> {
    dialogue.step("waiting for the greeting");
    let greeting = dialogue.line().await?;
    let words = greeting.strip_prefix("* ").map(|rest| rest.split_once(' ').unwrap_or((rest, "")));
    let Some((word, text)) = words else {
        return Err(dialogue.not("an IMAP greeting", &greeting));
    };
    dialogue.trace().note("greeting", text);
    match word.to_ascii_uppercase().as_str() {
        "OK" | "PREAUTH" => Ok(()),
        "BYE" => Err(Failure::Unexpected(format!(
            "connection refused ({}): the server says \"{}\"",
            dialogue.trace().endpoint(),
            clean(text)
        ))),
        _ => Err(dialogue.not("an IMAP greeting", &greeting)),
    }
}

/// Asks for TLS (RFC 3501, section 6.2.1).
pub(crate) async fn starttls(dialogue: &mut Dialogue) -> Result<(), Failure> {
    dialogue.step("asking for TLS");
    let response = Response::to(dialogue, "s", "STARTTLS").await?;
    if response.is_ok() {
        return Ok(());
    }
    Err(upgrade::refused(dialogue, "STARTTLS", &response.text))
}

async fn capabilities(talk: &mut Talk) -> Result<Vec<String>, Failure> {
    talk.dialogue.step("asking for capabilities");
    let response = talk.ask("CAPABILITY").await?;
    let listed: Option<Vec<_>> = response.untagged.iter().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        words.next()?.eq_ignore_ascii_case("CAPABILITY").then(|| words.map(str::to_owned).collect())
    });
    match listed {
        Some(listed) if response.is_ok() => Ok(listed),
        _ => Err(talk.dialogue.not("capabilities", &response.to_string())),
    }
}

/// AUTHENTICATE PLAIN where the server has it, else LOGIN.
async fn log_in(talk: &mut Talk, login: &Login, capabilities: &[String]) -> Result<(), Failure> {
    talk.dialogue.step("logging in");
    talk.dialogue.hide(login.plain());
    let has = |name: &str| capabilities.iter().any(|listed| listed.eq_ignore_ascii_case(name));
    let endpoint = talk.dialogue.trace().endpoint();
    let response = if has("AUTH=PLAIN") {
        talk.authenticate_plain(&login.plain()).await?
    } else if has("LOGINDISABLED") {
        return Err(Failure::Unexpected(format!(
            "login refused ({endpoint}): the server wants it encrypted: set `security`"
        )));
    } else {
        talk.log_in(&login.user, &login.password).await?
    };
    if response.is_ok() {
        return Ok(());
    }
    let remedy = match response.code().as_deref() {
        Some("PRIVACYREQUIRED") => "the server wants it encrypted: set `security`",
        Some("UNAVAILABLE") => "the server cannot check it for the moment",
        Some("EXPIRED") => "the password has expired",
        _ => "check `user` and `password`",
    };
    Err(Failure::Unexpected(format!("login refused ({endpoint}): {remedy} ({response})")))
}

/// Opens the mailbox for reading: how many messages it has.
async fn examine(talk: &mut Talk, mailbox: &str) -> Result<u32, Failure> {
    talk.dialogue.step("opening the mailbox");
    let response = talk.ask_of("EXAMINE", &[&modified_utf7(mailbox)]).await?;
    if !response.is_ok() {
        return Err(Failure::Unexpected(format!(
            "mailbox `{}` cannot be opened ({}): check `mailbox` ({response})",
            clean(mailbox),
            talk.dialogue.trace().endpoint()
        )));
    }
    let count = response.untagged.iter().find_map(|line| {
        let (count, word) = line.split_once(' ')?;
        if word.eq_ignore_ascii_case("EXISTS") { count.parse().ok() } else { None }
    });
    count.ok_or_else(|| talk.dialogue.not("the number of messages", &response.to_string()))
}

impl Probe for ImapProbe {
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
