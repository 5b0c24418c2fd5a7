//! `check = "mysql"`: a MySQL or `MariaDB` answers a query.

mod login;
mod packet;
mod refusal;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use health::Thresholds;

use crate::database;
use crate::failure::Failure;
use crate::field::{Field, FieldError, FieldType, Form, Values, line};
use crate::net;
use crate::server::Server;
use crate::text::clean;
use crate::tls;
use crate::trace::Trace;
use crate::{Checking, Context, Probe};
use session::Session;

pub(crate) const LABEL: &str = "MySQL / MariaDB";
pub(crate) const HELP: &str =
    "Logs in to MySQL or MariaDB, runs a query read-only and looks at its value.";
pub(crate) const EXAMPLE: &str = r#"host = "db.internal"
user = "monitor"
password = "keyring:db-password"
database = "shop"
query = "SELECT count(*) FROM jobs WHERE state = 'failed'"
expect = "0""#;
pub(crate) const THRESHOLDS: Thresholds = Thresholds::OTHER;

const PORT: u16 = 3306;

pub(crate) const FIELDS: &[Field] = &[
    net::HOST,
    net::port("3306"),
    Field::optional(
        "database",
        "Database",
        "The database that is asked; without it, none is chosen.",
        FieldType::Text,
    ),
    database::USER,
    database::PASSWORD,
    database::QUERY,
    database::EXPECT,
    tls::ENCRYPT,
    tls::VERIFY,
    tls::CA_FILE,
    tls::CERT_FILE,
    tls::KEY_FILE,
    tls::WARN_DAYS,
    net::FAMILY,
];

/// Every transaction of the session from then on, and statements on their own;
/// a transaction begun as read-only would end silently before a `CREATE`.
const READ_ONLY: &str = "SET SESSION TRANSACTION READ ONLY";

#[derive(Debug)]
struct MysqlProbe {
    server: Server,
    login: Login,
    query: String,
    expect: Option<String>,
}

/// Who asks which database.
#[derive(Debug, Clone)]
struct Login {
    user: String,
    password: String,
    database: Option<String>,
    /// Whether the connection is encrypted.
    tls: bool,
}

pub(crate) fn probe(values: &Values) -> Result<Box<dyn Probe>, Vec<FieldError>> {
    let form = Form::new(FIELDS, values)?;
    let server = Server::read(&form, PORT)?;
    let login = Login {
        user: form.required("user", database::name)?.to_owned(),
        password: form.or("password", "", database::name)?.to_owned(),
        database: form.optional("database", database::name)?.map(str::to_owned),
        tls: server.tls.is_some(),
    };
    Ok(Box::new(MysqlProbe {
        server,
        login,
        query: form.or("query", "SELECT 1", database::statement)?.to_owned(),
        expect: form.optional("expect", line)?.map(str::to_owned),
    }))
}

impl MysqlProbe {
    async fn run(&self, trace: &Arc<Trace>) -> Result<String, Failure> {
        let (mut session, version) = Session::open(&self.server, &self.login, trace).await?;
        trace.step("making the session read-only");
        session.ask(READ_ONLY).await?;
        trace.step("waiting for the answer to the query");
        let value = session.ask(&self.query).await?;
        session.close().await;
        let expected = self.expect.as_deref();
        let seen = database::judge(value.as_deref(), expected, "the query", trace)?;
        Ok(format!("{seen}, {version}"))
    }
}

impl Probe for MysqlProbe {
    fn check<'a>(&'a self, timeout: Duration, _: &'a Context) -> Checking<'a> {
        Box::pin(self.server.observe(timeout, move |trace| async move { self.run(&trace).await }))
    }

    fn target(&self) -> String {
        match &self.login.database {
            Some(database) => format!("{}/{}", self.server.endpoint(), clean(database)),
            None => self.server.endpoint(),
        }
    }

    fn host(&self) -> &str {
        &self.server.host
    }
}
