//! `check = "redis"`: a Redis, Valkey or alike answers a command.

mod reply;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use health::{Measurement, Thresholds};

use crate::database::{self, PASSWORD};
use crate::dialogue::Dialogue;
use crate::failure::Failure;
use crate::field::{
    Field, FieldError, FieldType, Form, Parsed, Section, Values, line, list, text, whole,
};
use crate::net;
use crate::server::Server;
use crate::text::clean;
use crate::tls;
use crate::trace::Trace;
use crate::{Checking, Context, Probe};
use reply::Reply;
use session::{Identity, Replication, Role, Session};

pub(crate) const LABEL: &str = "Redis";
pub(crate) const HELP: &str =
    "Logs in to Redis, Valkey or alike, runs a command and looks at its reply and replication.";
pub(crate) const EXAMPLE: &str = r#"host = "cache.internal"
password = "keyring:cache-password"
command = ["GET", "app:ready"]
expect = "yes""#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::OTHER;

const PORT: u16 = 6379;

pub(crate) const FIELDS: &[Field] = &[
    net::HOST,
    net::port("6379"),
    Field::optional(
        "user",
        "User",
        "The ACL user it logs in as; without it, the default user.",
        FieldType::Text,
    )
    .within(Section::Login),
    PASSWORD,
    Field::optional(
        "database",
        "Database",
        "The number of the database that the command is run in.",
        FieldType::Integer { min: 0, max: 65535 },
    )
    .or("0")
    .within(Section::Request),
    Field::optional(
        "command",
        "Command",
        "A command and its arguments that read: [\"GET\", \"key\"]; finding nothing is a failure.",
        FieldType::List,
    )
    .or("PING")
    .within(Section::Request),
    Field::optional(
        "expect",
        "Expected reply",
        "The reply must be exactly this, as text; the items of a list with spaces between them.",
        FieldType::Text,
    )
    .within(Section::Expect),
    Field::optional(
        "role",
        "Role",
        "What the server must be; of a replica, the link to its primary must be up, too.",
        FieldType::Choice { of: &["any", "primary", "replica"] },
    )
    .or("any")
    .within(Section::Expect),
    tls::ENCRYPT,
    tls::VERIFY,
    tls::CA_FILE,
    tls::CERT_FILE,
    tls::KEY_FILE,
    tls::WARN_DAYS,
    net::FAMILY,
];

#[derive(Debug)]
struct RedisProbe {
    server: Server,
    /// `AUTH` and what it takes; empty without a login.
    login: Vec<String>,
    database: u16,
    command: Vec<String>,
    expect: Option<String>,
    role: Option<Role>,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    Ok(Box::new(RedisProbe {
        server: Server::read(&form, PORT)?,
        login: read_login(&form)?,
        database: form.or("database", 0, whole)?,
        command: form.or("command", vec!["PING".to_owned()], list)?,
        expect: form.optional("expect", line)?.map(str::to_owned),
        role: match form.or("role", "any", text)? {
            "primary" => Some(Role::Primary),
            "replica" => Some(Role::Replica),
            _ => None,
        },
    }))
}

/// `AUTH` takes a password, or a user and theirs.
fn read_login(form: &Form<'_>) -> Parsed<Vec<String>> {
    let user = form.optional("user", line)?;
    let password = form.optional("password", line)?;
    let words = match (user, password) {
        (None, None) => vec![],
        (None, Some(password)) => vec!["AUTH", password],
        (Some(user), password) => vec!["AUTH", user, password.unwrap_or_default()],
    };
    Ok(words.into_iter().map(str::to_owned).collect())
}

impl RedisProbe {
    /// One round trip, and one more about replication where it matters.
    async fn run(&self, trace: &Arc<Trace>) -> Result<String, Failure> {
        let mut session = Session::new(Dialogue::open(&self.server, trace).await?);
        let (identity, reply) = self.ask(&mut session).await?;
        let identity = self.look_at_replication(&mut session, identity).await?;
        let what = clean(&self.command.join(" "));
        let text = match reply {
            Reply::Error(error) => return Err(session.refusal(&what, &error)),
            reply => reply.into_text(),
        };
        let value = database::judge(text.as_deref(), self.expect.as_deref(), &what, trace)?;
        Ok(identity.appended_to(value))
    }

    async fn ask(&self, session: &mut Session) -> Result<(Identity, Reply), Failure> {
        let database = self.database.to_string();
        let mut questions = Vec::new();
        if !self.login.is_empty() {
            session::question(&self.login, &mut questions);
        }
        session::question(&["HELLO", "2"], &mut questions);
        if self.database != 0 {
            session::question(&["SELECT", &database], &mut questions);
        }
        session::question(&self.command, &mut questions);

        let logs_in = !self.login.is_empty();
        session.step(if logs_in { "logging in" } else { "waiting for the first reply" });
        session.send(&questions).await?;
        if logs_in {
            session.accepted("the login").await?;
        }
        let identity = session.identity().await?;
        identity.note(session.trace());
        if self.database != 0 {
            session.step("choosing the database");
            session.accepted(&format!("database {database}")).await?;
        }
        session.step("waiting for the reply");
        Ok((identity, session.reply().await?))
    }

    /// Who may not ask for it goes without, unless it was wanted.
    async fn look_at_replication(
        &self,
        session: &mut Session,
        identity: Identity,
    ) -> Result<Identity, Failure> {
        if self.role.is_none() && identity.role == Some(Role::Primary) {
            return Ok(identity);
        }
        session.step("asking for its replication");
        let replication = match session.replication().await? {
            Ok(replication) => replication,
            Err(_) if self.role.is_none() => return Ok(identity),
            Err(error) => return Err(session.refusal("INFO replication", &error)),
        };
        replication.note(session.trace());
        let trace = session.trace();
        let failed = |message: String| Err(Failure::Unexpected(message));
        match (self.role, &replication) {
            (Some(Role::Primary), Replication::Replica { primary, .. }) => {
                return failed(format!(
                    "expected a primary, found a replica of {primary} ({})",
                    trace.endpoint()
                ));
            }
            (Some(Role::Replica), Replication::Primary { .. }) => {
                return failed(format!(
                    "expected a replica, found a primary ({})",
                    trace.endpoint()
                ));
            }
            (Some(Role::Replica), Replication::Replica { primary, up: false, .. }) => {
                return failed(format!(
                    "the link to its primary {primary} is down ({})",
                    trace.endpoint()
                ));
            }
            (None, Replication::Replica { primary, up: false, .. }) => {
                trace.warn(format!("the link to its primary {primary} is down"));
            }
            _ => {}
        }
        Ok(identity.with_role(replication.role()))
    }
}

impl Replication {
    fn note(&self, trace: &Trace) {
        trace.note("role", self.role());
        match self {
            Self::Primary { replicas, lag } => {
                trace.measure(Measurement::new("replicas", *replicas, ""));
                if let Some(bytes) = lag {
                    trace.measure(Measurement::new("replication lag", *bytes, "B"));
                }
            }
            Self::Replica { primary, up, lag, silent_for } => {
                trace.note("primary", primary);
                trace.note("link", if *up { "up" } else { "down" });
                if let Some(bytes) = lag {
                    trace.measure(Measurement::new("replication lag", *bytes, "B"));
                }
                if let Some(seconds) = silent_for {
                    trace.measure(Measurement::new("silence of the primary", *seconds, "s"));
                }
            }
        }
    }
}

impl Probe for RedisProbe {
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
