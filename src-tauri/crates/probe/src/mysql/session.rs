//! A connection to a server
//! (<https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_lifecycle.html>).

use std::sync::Arc;

use super::login::{self, CACHING_SHA2, Greeting};
use super::packet::{self, Rest};
use super::{Login, refusal};
use crate::dialogue::Dialogue;
use crate::failure::Failure;
use crate::server::Server;
use crate::text::clean;
use crate::trace::{Phase, Trace};

const COM_QUIT: u8 = 1;
const COM_QUERY: u8 = 3;

/// First bytes of packets.
const OK: u8 = 0;
const MORE: u8 = 1;
/// The end of a list, or a wish for another proof.
const EOF: u8 = 0xfe;
const ERR: u8 = 0xff;
/// A wish for a file of this machine (`LOAD DATA LOCAL`).
const LOCAL_FILE: u8 = 0xfb;

/// The longest packet that ends a list: a longer one is a row.
const LONGEST_EOF: usize = 8;

/// What `caching_sha2_password` says of a proof.
const FAST_LOGIN: &[u8] = &[MORE, 3];
const FULL_LOGIN: &[u8] = &[MORE, 4];

/// How often a server may ask for more in one login.
const MOST_ROUNDS: usize = 5;

pub(super) struct Session {
    dialogue: Dialogue,
    trace: Arc<Trace>,
    login: Login,
}

impl Session {
    /// Connects, in TLS where it is turned on, and logs in. The server's name
    /// and version: `MariaDB 10.11.14`.
    pub(super) async fn open(
        server: &Server,
        login: &Login,
        trace: &Arc<Trace>,
    ) -> Result<(Self, String), Failure> {
        let mut dialogue = Dialogue::plain(server, trace).await?.speaking("MySQL");
        trace.enter(Phase::Waiting);
        trace.step("waiting for the greeting");
        let (packet, number) = packet::read_first(&mut dialogue).await?;
        if packet.first() == Some(&ERR) {
            return Err(refusal::describe(&packet, login, trace));
        }
        let greeting = Greeting::read(&packet).filter(|_| dialogue.is_quiet());
        let greeting = greeting.ok_or_else(|| dialogue.not_understood(&packet))?;
        let (name, version) = greeting.server();
        trace.note("server_version", &version);

        let mut number = number.wrapping_add(1);
        if let Some(tls) = &server.tls {
            if !greeting.speaks_tls() {
                return Err(no_tls(trace));
            }
            packet::send(&mut dialogue, number, &greeting.tls_request(login)).await?;
            number = number.wrapping_add(1);
            dialogue = dialogue.encrypt(tls, &server.host).await?;
        }
        let mut session = Self { dialogue, trace: trace.clone(), login: login.clone() };
        session.log_in(&greeting, number).await?;
        Ok((session, format!("{name} {version}")))
    }

    async fn log_in(&mut self, greeting: &Greeting, number: u8) -> Result<(), Failure> {
        self.trace.step("logging in");
        packet::send(&mut self.dialogue, number, &greeting.login(&self.login)).await?;
        for _ in 0..MOST_ROUNDS {
            let (packet, number) = packet::read(&mut self.dialogue).await?;
            let answer = match packet.first() {
                Some(&OK) => return Ok(()),
                Some(&ERR) => return Err(self.refusal(&packet)),
                Some(&EOF) => self.other_proof(&packet)?,
                Some(&MORE) if packet == FAST_LOGIN => continue,
                Some(&MORE) if packet == FULL_LOGIN && self.login.tls => login::clear(&self.login),
                Some(&MORE) if packet == FULL_LOGIN => return Err(self.wants_tls(CACHING_SHA2)),
                _ => return Err(self.dialogue.not_understood(&packet)),
            };
            packet::send(&mut self.dialogue, number.wrapping_add(1), &answer).await?;
        }
        Err(self.dialogue.not_understood(b"a login without end"))
    }

    /// The proof that the server asks for instead of the first.
    fn other_proof(&self, packet: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut rest = Rest(&packet[1..]);
        let plugin = rest.until_nul().unwrap_or(b"mysql_old_password");
        let plugin = clean(&String::from_utf8_lossy(plugin));
        match login::answer(&plugin, rest.0, &self.login) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(Failure::Unexpected(format!(
                "the login by `{plugin}` is not supported ({}): identify the user by \
                 `{CACHING_SHA2}` or `{}`",
                self.trace.endpoint(),
                login::NATIVE
            ))),
            Err(()) => Err(self.wants_tls(&plugin)),
        }
    }

    /// Asks for a value: the first column of the first row. All rows are read,
    /// as what comes after them may be an error.
    pub(super) async fn ask(&mut self, statement: &str) -> Result<Option<String>, Failure> {
        let question = [&[COM_QUERY], statement.as_bytes()].concat();
        packet::send(&mut self.dialogue, 0, &question).await?;
        let head = self.packet().await?;
        let columns = match head.first() {
            Some(&OK) => return Ok(None),
            Some(&LOCAL_FILE) => {
                let at = self.trace.endpoint();
                return Err(Failure::Unexpected(format!(
                    "the server wants a file of this machine, and does not get it ({at})"
                )));
            }
            _ => Rest(&head).count().ok_or_else(|| self.dialogue.not_understood(&head))?,
        };
        for _ in 0..columns {
            self.packet().await?;
        }
        let end = self.packet().await?;
        if !ends(&end) {
            return Err(self.dialogue.not_understood(&end));
        }
        let mut first = None;
        loop {
            let row = self.packet().await?;
            if ends(&row) {
                return Ok(first.flatten());
            }
            if first.is_none() {
                let value = Rest(&row).value();
                let value = value.ok_or_else(|| self.dialogue.not_understood(&row))?;
                first = Some(value.map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
            }
        }
    }

    /// Says goodbye: a server logs connections that just end.
    pub(super) async fn close(&mut self) {
        // All that was asked is known.
        let _ = packet::send(&mut self.dialogue, 0, &[COM_QUIT]).await;
    }

    async fn packet(&mut self) -> Result<Vec<u8>, Failure> {
        let (packet, _) = packet::read(&mut self.dialogue).await?;
        match packet.first() {
            Some(&ERR) => Err(self.refusal(&packet)),
            Some(_) => Ok(packet),
            None => Err(self.dialogue.not_understood(&packet)),
        }
    }

    fn refusal(&self, packet: &[u8]) -> Failure {
        refusal::describe(packet, &self.login, &self.trace)
    }

    fn wants_tls(&self, plugin: &str) -> Failure {
        let at = self.trace.endpoint();
        Failure::Unexpected(format!("the login by `{plugin}` needs TLS ({at}): set `tls = true`"))
    }
}

fn ends(packet: &[u8]) -> bool {
    packet.first() == Some(&EOF) && packet.len() <= LONGEST_EOF
}

fn no_tls(trace: &Trace) -> Failure {
    let at = trace.endpoint();
    Failure::Unexpected(format!(
        "no TLS on this server ({at}): give it a certificate, or turn `tls` off"
    ))
}
