//! Asking a server of another protocol to go on in TLS.

use crate::dialogue::Dialogue;
use crate::failure::Failure;
use crate::text::clean;
use crate::{imap, smtp};

/// A protocol that begins unencrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartTls {
    Smtp,
    Imap,
    Pop3,
    Postgres,
    MySql,
}

impl StartTls {
    pub(crate) const NAMES: &[&str] = &["none", "smtp", "imap", "pop3", "postgres", "mysql"];

    /// The protocol with that name in config.toml.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "smtp" => Some(Self::Smtp),
            "imap" => Some(Self::Imap),
            "pop3" => Some(Self::Pop3),
            "postgres" => Some(Self::Postgres),
            "mysql" => Some(Self::MySql),
            _ => None,
        }
    }

    pub(crate) const fn usual_port(self) -> u16 {
        match self {
            Self::Smtp => 25,
            Self::Imap => 143,
            Self::Pop3 => 110,
            Self::Postgres => 5432,
            Self::MySql => 3306,
        }
    }

    /// Goes as far as to the server's consent.
    pub(crate) async fn ask(self, dialogue: &mut Dialogue) -> Result<(), Failure> {
        match self {
            Self::Smtp => {
                let name = smtp::literal(dialogue.local());
                smtp::greeting(dialogue).await?;
                smtp::ehlo(dialogue, &name).await?;
                smtp::starttls(dialogue).await
            }
            Self::Imap => {
                imap::greeting(dialogue).await?;
                imap::starttls(dialogue).await
            }
            Self::Pop3 => pop3(dialogue).await,
            Self::Postgres => postgres(dialogue).await,
            Self::MySql => mysql(dialogue).await,
        }
    }
}

/// That the server speaks the protocol, but not in TLS: `why` in its words.
pub(crate) fn refused(dialogue: &Dialogue, what: &str, why: &str) -> Failure {
    let endpoint = dialogue.trace().endpoint();
    let why = if why.is_empty() { String::new() } else { format!(": {}", clean(why)) };
    Failure::Unexpected(format!("{endpoint} refuses to encrypt ({what}){why}"))
}

/// RFC 2595, section 4.
async fn pop3(dialogue: &mut Dialogue) -> Result<(), Failure> {
    dialogue.step("waiting for the greeting");
    let greeting = dialogue.line().await?;
    if !greeting.starts_with("+OK") {
        return Err(dialogue.not("a POP3 greeting", &greeting));
    }
    dialogue.step("asking for TLS");
    dialogue.say("STLS").await?;
    let answer = dialogue.line().await?;
    match answer.strip_prefix("-ERR") {
        _ if answer.starts_with("+OK") => Ok(()),
        Some(why) => Err(refused(dialogue, "STLS", why)),
        None => Err(dialogue.not("an answer to STLS", &answer)),
    }
}

/// `SSLRequest` of PostgreSQL's protocol 3.0, answered by one byte.
async fn postgres(dialogue: &mut Dialogue) -> Result<(), Failure> {
    const REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
    dialogue.step("asking for TLS");
    dialogue.send(&REQUEST).await?;
    match dialogue.exactly(1).await?.as_slice() {
        b"S" => Ok(()),
        b"N" => Err(refused(dialogue, "SSLRequest", "it has `ssl = off`")),
        b"E" => Err(refused(dialogue, "SSLRequest", "it answers with an error")),
        other => {
            let got = String::from_utf8_lossy(other).into_owned();
            Err(dialogue.not("an answer of PostgreSQL", &got))
        }
    }
}

const MYSQL_SECURE_CONNECTION: u32 = 0x8000;
const MYSQL_PROTOCOL_41: u32 = 0x0200;
const MYSQL_SSL: u32 = 0x0800;
const MYSQL_PLUGIN_AUTH: u32 = 0x0008_0000;
const MYSQL_LONGEST_GREETING: usize = 1024;

/// `SSLRequest` of the MySQL protocol, sent in place of a login after the
/// server's greeting, and answered by nothing.
async fn mysql(dialogue: &mut Dialogue) -> Result<(), Failure> {
    dialogue.step("waiting for the greeting");
    let header = dialogue.exactly(4).await?;
    let length =
        usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16;
    if header[3] != 0 || !(1..=MYSQL_LONGEST_GREETING).contains(&length) {
        let got = String::from_utf8_lossy(&header).into_owned();
        return Err(dialogue.not("a MySQL greeting", &got));
    }
    let greeting = dialogue.exactly(length).await?;
    match mysql_capabilities(&greeting) {
        Some(capabilities) if capabilities & MYSQL_SSL == 0 => {
            Err(refused(dialogue, "SSLRequest", "it has no certificate set up"))
        }
        Some(_) => {
            dialogue.step("asking for TLS");
            dialogue.send(&mysql_request()).await
        }
        None if greeting[0] == 0xff => {
            let why = String::from_utf8_lossy(greeting.get(3..).unwrap_or_default()).into_owned();
            Err(Failure::Unexpected(format!(
                "{} refuses connections: {}",
                dialogue.trace().endpoint(),
                clean(&why)
            )))
        }
        None => {
            let got = String::from_utf8_lossy(&greeting).into_owned();
            Err(dialogue.not("a MySQL greeting", &got))
        }
    }
}

/// What the server can, out of its greeting: protocol 10, the version up to a
/// NUL, 13 bytes, then the lower half.
fn mysql_capabilities(greeting: &[u8]) -> Option<u32> {
    let (&10, rest) = greeting.split_first()? else { return None };
    let version = rest.iter().position(|byte| *byte == 0)?;
    let low = rest.get(version + 1 + 13..)?.first_chunk::<2>()?;
    Some(u32::from(u16::from_le_bytes(*low)))
}

fn mysql_request() -> Vec<u8> {
    const UTF8MB4: u8 = 45;
    let capabilities = MYSQL_PROTOCOL_41 | MYSQL_SSL | MYSQL_SECURE_CONNECTION | MYSQL_PLUGIN_AUTH;
    let mut packet = vec![32, 0, 0, 1];
    packet.extend(capabilities.to_le_bytes());
    packet.extend((1_u32 << 24).to_le_bytes());
    packet.push(UTF8MB4);
    packet.extend([0; 23]);
    packet
}
