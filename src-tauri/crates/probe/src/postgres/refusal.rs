//! What a server's errors mean
//! (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).

use super::Login;
use super::session::ServerError;
use crate::failure::Failure;
use crate::text::clean;
use crate::trace::Trace;

/// Why the server refused, in plain words.
pub(super) fn describe(error: &ServerError, login: &Login, trace: &Trace) -> Failure {
    let at = trace.endpoint();
    let ServerError { code, message, .. } = error;
    let (user, database) = (clean(&login.user), clean(&login.database));
    Failure::Unexpected(match code.as_str() {
        "28P01" => format!("login refused ({at}): check `user` and `password`"),
        "28000" if message.contains("pg_hba.conf") => {
            let or_tls = if login.tls { "" } else { ", or set `tls = true`" };
            format!(
                "pg_hba.conf does not let `{user}` into `{database}` ({at}): \
                 add an entry there{or_tls}"
            )
        }
        "28000" => format!("login refused ({at}): {message}"),
        "3D000" => format!("database `{database}` does not exist ({at}): check `database`"),
        "42501" => format!("{message} ({at}): grant it to `{user}`"),
        "57P03" => format!("not ready for connections ({at}): {message}"),
        "53300" => format!("{message} ({at}): raise the limit there, or close some"),
        "25006" => format!("the query wants to write, and checks only read ({at}): {message}"),
        // The data or the query itself.
        _ if code.starts_with("22") || code.starts_with("42") => {
            format!("the query failed ({at}): {message}; check `query`")
        }
        _ if code.starts_with("57P") => hung_up_because(message, &at),
        _ => format!("it failed ({at}): {message} (SQLSTATE {})", clean(code)),
    })
}

/// The server ended the connection while it was asked.
pub(super) fn hung_up(error: &ServerError, trace: &Trace) -> Failure {
    Failure::Unexpected(hung_up_because(&error.message, &trace.endpoint()))
}

fn hung_up_because(message: &str, at: &str) -> String {
    format!("the server ended the connection ({at}): {message}")
}
