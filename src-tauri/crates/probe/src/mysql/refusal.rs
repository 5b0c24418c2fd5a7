//! What a server's errors mean
//! (<https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>).

use super::Login;
use super::packet::Rest;
use crate::failure::Failure;
use crate::text::clean;
use crate::trace::Trace;

/// Why the server refused, in plain words, from an error packet.
pub(super) fn describe(packet: &[u8], login: &Login, trace: &Trace) -> Failure {
    let at = trace.endpoint();
    let mut rest = Rest(packet.get(1..).unwrap_or_default());
    let code = rest.number(2).unwrap_or_default();
    // SQLSTATE follows a mark, once the protocol is agreed on.
    if rest.0.first() == Some(&b'#') {
        let _sqlstate = rest.bytes(6);
    }
    let message = clean(&String::from_utf8_lossy(rest.0));
    let user = clean(&login.user);
    let database = clean(login.database.as_deref().unwrap_or_default());
    Failure::Unexpected(match code {
        1045 | 1698 => format!("login refused ({at}): check `user` and `password`"),
        1044 => format!("`{user}` may not use database `{database}` ({at}): grant it there"),
        1049 => format!("database `{database}` does not exist ({at}): check `database`"),
        1040 => format!("too many connections ({at}): raise `max_connections` there"),
        1203 | 1226 => format!("too many connections of `{user}` ({at}): {message}"),
        1129 => {
            format!("it blocks this machine after too many errors ({at}): run `FLUSH HOSTS` there")
        }
        1130 => format!("it takes no connections from this machine ({at}): create a user for it"),
        3159 => format!("it wants TLS ({at}): set `tls = true`"),
        1142 | 1143 | 1227 => format!("{message} ({at}): grant it to `{user}`"),
        1290 | 1792 => {
            format!("the query wants to write, and checks only read ({at}): {message}")
        }
        1046 => format!("the query needs a database ({at}): set `database`"),
        1054 | 1064 | 1146 => format!("the query failed ({at}): {message}; check `query`"),
        _ => format!("it failed ({at}): {message} (error {code})"),
    })
}
