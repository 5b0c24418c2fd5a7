//! A connection to a server
//! (<https://www.postgresql.org/docs/current/protocol-flow.html>).
//!
//! By the codec of `tokio-postgres` and not by that client itself, whose
//! messages may be of any length.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{DataRowBody, ErrorResponseBody, Message};
use postgres_protocol::message::frontend;

use super::{Login, refusal};
use crate::database::LONGEST_MESSAGE;
use crate::dialogue::Dialogue;
use crate::failure::Failure;
use crate::net;
use crate::server::Server;
use crate::text::clean;
use crate::trace::Trace;

/// Columns of a row that are looked at.
const COLUMNS: usize = 3;

/// Message types that may well be long: rows, their description, notices and
/// errors. Any other that long is not PostgreSQL's.
const LONG_TYPES: [u8; 4] = [b'D', b'T', b'N', b'E'];

/// The first columns of a row, as text.
pub(super) type Row = Vec<Option<String>>;

/// The first row of what a statement gave, or why it failed.
pub(super) type Answer = Result<Option<Row>, ServerError>;

/// An error as the server tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServerError {
    /// SQLSTATE.
    pub(super) code: String,
    pub(super) message: String,
    /// The server hangs up after it.
    fatal: bool,
}

pub(super) struct Session {
    dialogue: Dialogue,
    trace: Arc<Trace>,
    /// Nobody on the way can listen.
    confidential: bool,
}

impl Session {
    /// Connects, and asks for TLS where it is turned on.
    pub(super) async fn open(server: &Server, trace: &Arc<Trace>) -> Result<Self, Failure> {
        let mut dialogue = Dialogue::plain(server, trace).await?.speaking("PostgreSQL");
        if let Some(tls) = &server.tls {
            trace.step("asking for TLS");
            dialogue.send(&message(frontend::ssl_request)).await?;
            let answer = dialogue.read_array::<1>().await?;
            match answer {
                [b'S'] if dialogue.is_quiet() => {}
                [b'N'] => return Err(no_tls(trace)),
                _ => return Err(dialogue.not_understood(&answer)),
            }
            dialogue = dialogue.encrypt(tls, &server.host).await?;
        }
        let confidential = server.tls.is_some() || net::is_loopback(&server.host);
        Ok(Self { dialogue, trace: trace.clone(), confidential })
    }

    /// Logs in; the server's version, if it tells.
    pub(super) async fn log_in(&mut self, login: &Login) -> Result<Option<String>, Failure> {
        self.trace.step("logging in");
        let parameters = [
            ("user", login.user.as_str()),
            ("database", &login.database),
            ("client_encoding", "UTF8"),
            ("application_name", "Pilotlight"),
        ];
        self.send(|buffer| frontend::startup_message(parameters, buffer)).await?;
        match self.message(login).await? {
            Message::AuthenticationOk => {}
            Message::AuthenticationCleartextPassword if !self.confidential => {
                return Err(Failure::Unexpected(format!(
                    "the server wants the password in the clear ({}): set `tls = true`",
                    self.trace.endpoint()
                )));
            }
            Message::AuthenticationCleartextPassword => {
                let password = self.password(login)?;
                self.send(|buffer| frontend::password_message(password.as_bytes(), buffer)).await?;
                self.let_in(login).await?;
            }
            Message::AuthenticationMd5Password(body) => {
                let password = self.password(login)?;
                let hash = md5_hash(login.user.as_bytes(), password.as_bytes(), body.salt());
                self.send(|buffer| frontend::password_message(hash.as_bytes(), buffer)).await?;
                self.let_in(login).await?;
            }
            Message::AuthenticationSasl(body) => {
                let scram = body.mechanisms().any(|name| Ok(name == SCRAM_SHA_256));
                if !scram.map_err(|error| self.garbled(&error))? {
                    return Err(self.unsupported());
                }
                self.scram(login).await?;
                self.let_in(login).await?;
            }
            Message::AuthenticationGss
            | Message::AuthenticationSspi
            | Message::AuthenticationKerberosV5
            | Message::AuthenticationScmCredential => return Err(self.unsupported()),
            _ => return Err(self.out_of_turn()),
        }
        self.settled(login).await
    }

    /// SCRAM-SHA-256 (RFC 7677). The codec refuses to hash for ever.
    async fn scram(&mut self, login: &Login) -> Result<(), Failure> {
        let password = self.password(login)?;
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        let first = scram.message().to_vec();
        self.send(|buffer| frontend::sasl_initial_response(SCRAM_SHA_256, &first, buffer)).await?;
        let Message::AuthenticationSaslContinue(body) = self.message(login).await? else {
            return Err(self.out_of_turn());
        };
        scram.update(body.data()).map_err(|error| self.garbled(&error))?;
        let proof = scram.message().to_vec();
        self.send(|buffer| frontend::sasl_response(&proof, buffer)).await?;
        let Message::AuthenticationSaslFinal(body) = self.message(login).await? else {
            return Err(self.out_of_turn());
        };
        scram.finish(body.data()).map_err(|_| {
            let at = self.trace.endpoint();
            Failure::Unexpected(format!(
                "the server did not prove that it knows the password ({at}): is it the right one?"
            ))
        })
    }

    async fn let_in(&mut self, login: &Login) -> Result<(), Failure> {
        match self.message(login).await? {
            Message::AuthenticationOk => Ok(()),
            _ => Err(self.out_of_turn()),
        }
    }

    /// Reads what the server says of itself before it is ready.
    async fn settled(&mut self, login: &Login) -> Result<Option<String>, Failure> {
        let mut version = None;
        loop {
            match self.message(login).await? {
                Message::ParameterStatus(body) => {
                    // `15.14 (Debian 15.14-0+deb12u1)`
                    let value = body.value().unwrap_or_default();
                    if body.name().is_ok_and(|name| name == "server_version") {
                        version = value.split(' ').next().map(clean);
                    }
                }
                Message::BackendKeyData(_) => {}
                Message::ReadyForQuery(_) => return Ok(version),
                _ => return Err(self.out_of_turn()),
            }
        }
    }

    /// Asks all at once, and reads the answers of all.
    pub(super) async fn ask<const N: usize>(
        &mut self,
        statements: [&str; N],
    ) -> Result<[Answer; N], Failure> {
        self.send(|buffer| {
            statements.iter().try_for_each(|statement| frontend::query(statement, buffer))
        })
        .await?;
        let mut answers = [const { Ok(None) }; N];
        for answer in &mut answers {
            *answer = self.answer().await?;
        }
        Ok(answers)
    }

    async fn answer(&mut self) -> Result<Answer, Failure> {
        let mut answer = Ok(None);
        loop {
            match self.next().await? {
                Message::DataRow(body) if answer == Ok(None) => {
                    answer = Ok(Some(row(&body).map_err(|error| self.garbled(&error))?));
                }
                Message::ErrorResponse(body) => {
                    let error = ServerError::read(&body);
                    if error.fatal {
                        return Err(refusal::hung_up(&error, &self.trace));
                    }
                    answer = answer.and(Err(error));
                }
                Message::ReadyForQuery(_) => return Ok(answer),
                _ => {}
            }
        }
    }

    /// Says goodbye: a server logs connections that just end.
    pub(super) async fn close(&mut self) {
        // All that was asked is known.
        let _ = self.dialogue.send(&message(frontend::terminate)).await;
    }

    /// The next message that matters while logging in; an error is a failure.
    async fn message(&mut self, login: &Login) -> Result<Message, Failure> {
        loop {
            match self.next().await? {
                Message::NoticeResponse(_) => {}
                Message::ErrorResponse(body) => {
                    return Err(refusal::describe(&ServerError::read(&body), login, &self.trace));
                }
                message => return Ok(message),
            }
        }
    }

    async fn next(&mut self) -> Result<Message, Failure> {
        let [kind, length @ ..] = self.dialogue.read_array::<5>().await?;
        let body_length = u32::from_be_bytes(length).checked_sub(4);
        let body_length = body_length.and_then(|length| usize::try_from(length).ok());
        let head = [&[kind], &length[..]].concat();
        let body = match body_length {
            None => return Err(self.dialogue.not_understood(&head)),
            Some(length) if length > LONGEST_MESSAGE && !LONG_TYPES.contains(&kind) => {
                return Err(self.dialogue.not_understood(&head));
            }
            Some(length) => self.dialogue.read(length).await?,
        };
        let mut buffer = BytesMut::from(&[head, body].concat()[..]);
        match Message::parse(&mut buffer.clone()) {
            Ok(Some(message)) => Ok(message),
            Ok(None) | Err(_) => Err(self.dialogue.not_understood(&buffer.split())),
        }
    }

    async fn send(
        &mut self,
        write: impl FnOnce(&mut BytesMut) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let mut buffer = BytesMut::new();
        write(&mut buffer).map_err(|error| Failure::io(&error, &self.trace))?;
        self.dialogue.send(&buffer).await
    }

    fn password<'l>(&self, login: &'l Login) -> Result<&'l str, Failure> {
        login.password.as_deref().ok_or_else(|| {
            let at = self.trace.endpoint();
            Failure::Unexpected(format!("login needs a password ({at}): set `password`"))
        })
    }

    fn unsupported(&self) -> Failure {
        let at = self.trace.endpoint();
        Failure::Unexpected(format!(
            "it wants a kind of login that is not supported ({at}): \
             let the user in by `scram-sha-256` in pg_hba.conf there"
        ))
    }

    fn garbled(&self, error: &io::Error) -> Failure {
        self.dialogue.not_understood(error.to_string().as_bytes())
    }

    fn out_of_turn(&self) -> Failure {
        self.dialogue.not_understood(b"a message out of turn")
    }
}

impl ServerError {
    fn read(body: &ErrorResponseBody) -> Self {
        let mut error = Self::default();
        let mut fields = body.fields();
        // What is cut off says as much as there is.
        while let Ok(Some(field)) = fields.next() {
            let value = String::from_utf8_lossy(field.value_bytes());
            match field.type_() {
                b'C' => error.code = value.into_owned(),
                b'M' => error.message = clean(&value),
                // In the server's language, and then, by newer ones, in English.
                b'S' | b'V' => error.fatal = matches!(&*value, "FATAL" | "PANIC"),
                _ => {}
            }
        }
        error
    }
}

fn row(body: &DataRowBody) -> io::Result<Row> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ranges = body.ranges().take(COLUMNS);
    ranges.map(|range| Ok(range.map(|range| text(&body.buffer()[range])))).collect()
}

fn message(write: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut buffer = BytesMut::new();
    write(&mut buffer);
    buffer
}

fn no_tls(trace: &Trace) -> Failure {
    let at = trace.endpoint();
    Failure::Unexpected(format!("no TLS on this server ({at}): turn `ssl` on there, or `tls` off"))
}
