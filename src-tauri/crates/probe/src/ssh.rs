//! `check = "ssh"`: an SSH server greets, and proves whose key it has.

mod exchange;
mod key;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use health::Thresholds;

use self::exchange::Offer;
use self::key::{Algorithm, Fingerprint, HostKey};
use crate::dialogue::Dialogue;
use crate::failure::Failure;
use crate::field::{Field, FieldError, FieldType, Form, Section, Values};
use crate::server::Server;
use crate::text::clean;
use crate::trace::Trace;
use crate::{Checking, Context, Probe, net};

pub(crate) const LABEL: &str = "SSH";
pub(crate) const HELP: &str =
    "Greets an SSH server and has it prove its host key, which can be pinned. Logs nobody in.";
pub(crate) const EXAMPLE: &str = r#"host = "git.example.com"
fingerprint = "SHA256:y3EJYBivT/BdeWkzjnFRo/oRJesderJLBoofJ7XQDK8""#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::OTHER;

const USUAL_PORT: u16 = 22;

pub(crate) const FIELDS: &[Field] = &[
    net::HOST,
    net::port("22"),
    Field::optional(
        "fingerprint",
        "Host key",
        "The host key that the server has to have: SHA256:… as `ssh-keygen -l` prints it.",
        FieldType::Text,
    )
    .within(Section::Expect),
    net::FAMILY,
];

struct SshProbe {
    server: Server,
    pinned: Option<Fingerprint>,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    Ok(Box::new(SshProbe {
        server: Server::in_the_clear(&form, USUAL_PORT)?,
        pinned: form.optional("fingerprint", key::fingerprint)?,
    }))
}

/// What a connection has shown.
struct Seen {
    software: String,
    /// The key of one of the algorithms that were asked for, proven.
    key: Option<HostKey>,
    /// The algorithms for which the server has keys.
    has: Vec<Algorithm>,
}

impl SshProbe {
    /// A server has a key of each of several types, and shows one a
    /// connection. The pinned one may be any: each is asked for in turn.
    async fn run(&self, trace: &Arc<Trace>) -> Result<String, Failure> {
        let Seen { software, key, mut has } = self.look(trace, Algorithm::ALL).await?;
        trace.note("software", &software);
        let Some(first) = key else {
            return self.without_key(trace, &software);
        };
        let mut found = first.clone();
        while self.pinned.is_some_and(|pinned| pinned != found.fingerprint) {
            has.retain(|algorithm| algorithm.key_type() != found.key_type);
            if has.is_empty() {
                return Err(self.changed(trace, &first));
            }
            match self.look(trace, &has).await?.key {
                Some(key) => found = key,
                None => return Err(self.changed(trace, &first)),
            }
        }
        trace.note("host_key", found.fingerprint);
        trace.note("host_key_type", found.key_type);
        Ok(match self.pinned {
            Some(_) => format!("{software}, host key as expected ({})", found.key_type),
            None => software,
        })
    }

    /// Connects anew, asking for a key of one of these algorithms.
    async fn look(&self, trace: &Arc<Trace>, algorithms: &[Algorithm]) -> Result<Seen, Failure> {
        let mut dialogue = Dialogue::open(&self.server, trace).await?;
        dialogue.step("waiting for the banner");
        dialogue.say(exchange::OWN_BANNER).await?;
        let banner = banner(&mut dialogue).await?;
        dialogue.step("exchanging keys");
        let (offer, key) = exchange::host_key(&mut dialogue, &banner, algorithms).await?;
        dialogue.leave(&wire::goodbye()).await;
        let Offer { host_keys, .. } = offer;
        let has = Algorithm::ALL.iter().copied();
        Ok(Seen {
            software: software(&banner),
            key,
            has: has.filter(|known| host_keys.iter().any(|name| name == known.name())).collect(),
        })
    }

    /// The server has no method of the exchange, or no key, that is good enough.
    fn without_key(&self, trace: &Trace, software: &str) -> Result<String, Failure> {
        match self.pinned {
            None => Ok(software.to_owned()),
            Some(_) => Err(Failure::Unexpected(format!(
                "host key cannot be verified ({}): the server offers old methods or a short key only",
                trace.endpoint()
            ))),
        }
    }

    fn changed(&self, trace: &Trace, got: &HostKey) -> Failure {
        let expected = self.pinned.map(|pinned| pinned.to_string()).unwrap_or_default();
        Failure::Unexpected(format!(
            "host key changed ({}): expected {expected}, got {} ({}); only if the change was meant, \
             write the new one in `fingerprint`",
            trace.endpoint(),
            got.fingerprint,
            got.key_type
        ))
    }
}

/// The most lines that may come before the banner.
const MAX_LINES_BEFORE: usize = 50;

/// Hears the banner, the whole line, and skips what comes before it (RFC 4253,
/// section 4.2).
async fn banner(dialogue: &mut Dialogue) -> Result<String, Failure> {
    let mut before: Option<String> = None;
    for _ in 0..MAX_LINES_BEFORE {
        let line = match (dialogue.line().await, before.as_ref()) {
            (Ok(line), _) => line,
            (Err(Failure::NoAnswer(_)), Some(said)) => {
                return Err(dialogue.not("an SSH banner", said));
            }
            (Err(failure), _) => return Err(failure),
        };
        if line.starts_with("SSH-2.0-") || line.starts_with("SSH-1.99-") {
            return Ok(line);
        }
        if line.starts_with("SSH-") {
            return Err(dialogue.not("version 2 of SSH", &line));
        }
        before.get_or_insert(line);
    }
    Err(dialogue.not("an SSH banner", &before.unwrap_or_default()))
}

/// `OpenSSH_9.2p1 Debian-2` of `SSH-2.0-OpenSSH_9.2p1 Debian-2`.
fn software(banner: &str) -> String {
    clean(banner.splitn(3, '-').nth(2).unwrap_or_default())
}

impl Probe for SshProbe {
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
