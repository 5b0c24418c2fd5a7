//! `check = "postgres"`: a PostgreSQL answers a query.

mod refusal;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use health::{Measurement, Thresholds};

use crate::database;
use crate::failure::Failure;
use crate::field::{Field, FieldError, FieldType, Form, Section, Values, line, text};
use crate::net;
use crate::server::Server;
use crate::text::clean;
use crate::tls;
use crate::trace::Trace;
use crate::{Checking, Context, Probe};
use session::{Answer, Row, Session};

pub(crate) const LABEL: &str = "PostgreSQL";
pub(crate) const HELP: &str =
    "Logs in to PostgreSQL, runs a query read-only and looks at its value and replication.";
pub(crate) const EXAMPLE: &str = r#"host = "db.internal"
user = "monitor"
password = "keyring:db-password"
database = "shop"
query = "SELECT count(*) FROM jobs WHERE state = 'failed'"
expect = "0""#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::OTHER;

const PORT: u16 = 5432;

pub(crate) const FIELDS: &[Field] = &[
    net::HOST,
    net::port("5432"),
    Field::optional(
        "database",
        "Database",
        "The database that is asked; without it, the one named like the user.",
        FieldType::Text,
    ),
    database::USER,
    database::PASSWORD,
    database::QUERY,
    database::EXPECT,
    Field::optional(
        "role",
        "Role",
        "What the server must be: a primary, or a standby, which is in recovery.",
        FieldType::Choice { of: &["any", "primary", "standby"] },
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

/// Whether it is in recovery; whether it receives from a primary; for how many
/// seconds it is behind. A standby that receives and has replayed all is not
/// behind, however long ago the last transaction was.
const STATE: &str = "\
SELECT pg_is_in_recovery(), \
EXISTS (SELECT 1 FROM pg_stat_wal_receiver), \
CASE WHEN EXISTS (SELECT 1 FROM pg_stat_wal_receiver) \
AND pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 \
ELSE greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp())) END";

#[derive(Debug)]
struct PostgresProbe {
    server: Server,
    login: Login,
    query: String,
    expect: Option<String>,
    role: Option<Role>,
}

/// Who asks which database.
#[derive(Debug)]
struct Login {
    user: String,
    password: Option<String>,
    database: String,
    /// Whether the connection is encrypted.
    tls: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Primary,
    Standby,
}

impl Role {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Standby => "standby",
        }
    }
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    let server = Server::read(&form, PORT)?;
    let user = form.required("user", database::name)?;
    let login = Login {
        user: user.to_owned(),
        password: form.optional("password", database::name)?.map(str::to_owned),
        database: form.or("database", user, database::name)?.to_owned(),
        tls: server.tls.is_some(),
    };
    Ok(Box::new(PostgresProbe {
        server,
        login,
        query: form.or("query", "SELECT 1", database::statement)?.to_owned(),
        expect: form.optional("expect", line)?.map(str::to_owned),
        role: match form.or("role", "any", text)? {
            "primary" => Some(Role::Primary),
            "standby" => Some(Role::Standby),
            _ => None,
        },
    }))
}

impl PostgresProbe {
    async fn run(&self, trace: &Arc<Trace>) -> Result<String, Failure> {
        let mut session = Session::open(&self.server, trace).await?;
        let version = session.log_in(&self.login).await?;
        if let Some(version) = &version {
            trace.note("server_version", version);
        }
        trace.step("waiting for the answer to the query");
        let statements = ["BEGIN READ ONLY", &self.query, STATE, "ROLLBACK"];
        let [begun, answer, state, _] = session.ask(statements).await?;
        session.close().await;
        let refused = |error| refusal::describe(&error, &self.login, trace);
        begun.map_err(refused)?;
        let answer = answer.map_err(refused)?;
        let role = match self.judge_role(state, trace)? {
            Some(role) => format!(", {}", role.as_str()),
            None => String::new(),
        };
        let value = first_of(answer);
        let expected = self.expect.as_deref();
        let seen = database::judge(value.as_deref(), expected, "the query", trace)?;
        let version = version.map(|version| format!(", PostgreSQL {version}")).unwrap_or_default();
        Ok(format!("{seen}{version}{role}"))
    }

    /// What the server is, if it is what it must be. Servers that are alike
    /// may not know the question.
    fn judge_role(&self, state: Answer, trace: &Trace) -> Result<Option<Role>, Failure> {
        let row = match state {
            Ok(row) => row.unwrap_or_default(),
            Err(_) if self.role.is_none() => return Ok(None),
            Err(error) => return Err(refusal::describe(&error, &self.login, trace)),
        };
        let column = |index: usize| row.get(index).and_then(Option::as_deref);
        let role = match column(0) {
            Some("t") => Some(Role::Standby),
            Some("f") => Some(Role::Primary),
            _ => None,
        };
        if let Some(role) = role {
            trace.note("role", role.as_str());
        }
        if role == Some(Role::Standby) {
            let receives = column(1) == Some("t");
            trace.note("replication", if receives { "streaming" } else { "not streaming" });
            if let Some(seconds) = column(2).and_then(|text| text.parse().ok()) {
                trace.measure(Measurement::new("replication lag", seconds, "s"));
            }
        }
        match self.role {
            Some(wanted) if role != Some(wanted) => Err(Failure::Unexpected(format!(
                "expected a {}, found {} ({})",
                wanted.as_str(),
                role.map_or("neither primary nor standby".to_owned(), |role| format!(
                    "a {}",
                    role.as_str()
                )),
                trace.endpoint()
            ))),
            _ => Ok(role),
        }
    }
}

fn first_of(row: Option<Row>) -> Option<String> {
    row.and_then(|columns| columns.into_iter().next()).flatten()
}

impl Probe for PostgresProbe {
    fn check<'a>(&'a self, timeout: Duration, _: &'a Context) -> Checking<'a> {
        Box::pin(self.server.observe(timeout, move |trace| async move { self.run(&trace).await }))
    }

    fn target(&self) -> String {
        format!("{}/{}", self.server.endpoint(), clean(&self.login.database))
    }

    fn host(&self) -> &str {
        &self.server.host
    }
}
