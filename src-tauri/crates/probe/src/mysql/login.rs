//! How a server greets, and how a password is proven to it.

use ring::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

use super::Login;
use super::packet::Rest;
use crate::text::clean;

pub(super) const NATIVE: &str = "mysql_native_password";
pub(super) const CACHING_SHA2: &str = "caching_sha2_password";
/// Those that send the password itself, for which there is TLS.
const CLEAR: [&str; 2] = ["sha256_password", "mysql_clear_password"];

/// What both sides can do
/// (<https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html>).
mod capability {
    pub(super) const LONG_PASSWORD: u32 = 1;
    pub(super) const LONG_FLAG: u32 = 1 << 2;
    pub(super) const CONNECT_WITH_DB: u32 = 1 << 3;
    pub(super) const PROTOCOL_41: u32 = 1 << 9;
    pub(super) const SSL: u32 = 1 << 11;
    pub(super) const TRANSACTIONS: u32 = 1 << 13;
    pub(super) const SECURE_CONNECTION: u32 = 1 << 15;
    pub(super) const PLUGIN_AUTH: u32 = 1 << 19;
}
use capability::{
    CONNECT_WITH_DB, LONG_FLAG, LONG_PASSWORD, PLUGIN_AUTH, PROTOCOL_41, SECURE_CONNECTION, SSL,
    TRANSACTIONS,
};

/// The longest packet that is accepted, as told to the server.
const LONGEST_PACKET: u32 = 1 << 24;

/// `utf8mb4_general_ci`
const UTF8: u8 = 45;

/// The first packet of a server, in version 10 of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) version: String,
    capabilities: u32,
    /// What the password is mixed with.
    pub(super) salt: Vec<u8>,
    /// How it would like the password to be proven.
    plugin: String,
}

impl Greeting {
    /// `None` where it is none, or one of a server before MySQL 4.1.
    pub(super) fn read(packet: &[u8]) -> Option<Self> {
        let mut rest = Rest(packet);
        if rest.byte()? != 10 {
            return None;
        }
        let version = String::from_utf8_lossy(rest.until_nul()?).into_owned();
        let _thread = rest.bytes(4)?;
        let mut salt = rest.bytes(8)?.to_vec();
        let _filler = rest.byte()?;
        let low = rest.number(2)?;
        let _charset_and_status = rest.bytes(3)?;
        let high = rest.number(2)?;
        let capabilities = u32::try_from(low | high << 16).ok()?;
        let salt_length = usize::from(rest.byte()?);
        let _reserved = rest.bytes(10)?;
        salt.extend(rest.bytes(salt_length.saturating_sub(8).max(13))?);
        // It ends with a NUL that is not part of it.
        salt.truncate(20);
        let plugin = match capabilities & PLUGIN_AUTH {
            0 => NATIVE.to_owned(),
            _ => String::from_utf8_lossy(rest.until_nul().unwrap_or(rest.0)).into_owned(),
        };
        let needed = PROTOCOL_41 | SECURE_CONNECTION;
        let fits = capabilities & needed == needed;
        fits.then_some(Self { version, capabilities, salt, plugin })
    }

    pub(super) fn speaks_tls(&self) -> bool {
        self.capabilities & SSL != 0
    }

    /// The request for TLS: what the login begins with.
    pub(super) fn tls_request(&self, login: &Login) -> Vec<u8> {
        let wanted = LONG_PASSWORD | LONG_FLAG | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION;
        let mut flags = wanted | (self.capabilities & PLUGIN_AUTH);
        if login.tls {
            flags |= SSL;
        }
        if login.database.is_some() {
            flags |= CONNECT_WITH_DB;
        }
        let mut packet = flags.to_le_bytes().to_vec();
        packet.extend(LONGEST_PACKET.to_le_bytes());
        packet.push(UTF8);
        packet.extend([0; 23]);
        packet
    }

    /// The login, with the proof that the server likes if it needs nothing but
    /// the salt; else it asks for another.
    pub(super) fn login(&self, login: &Login) -> Vec<u8> {
        let plugin = if self.plugin == CACHING_SHA2 { CACHING_SHA2 } else { NATIVE };
        let proof = prove(plugin, &login.password, &self.salt);
        let mut packet = self.tls_request(login);
        packet.extend(login.user.bytes());
        packet.push(0);
        packet.push(u8::try_from(proof.len()).unwrap_or_default());
        packet.extend(proof);
        if let Some(database) = &login.database {
            packet.extend(database.bytes());
            packet.push(0);
        }
        if self.capabilities & PLUGIN_AUTH != 0 {
            packet.extend(plugin.bytes());
            packet.push(0);
        }
        packet
    }

    /// `MariaDB 10.11.14`, of `5.5.5-10.11.14-MariaDB-0+deb12u2`.
    pub(super) fn server(&self) -> (&'static str, String) {
        let number = |version: &str| clean(version.split('-').next().unwrap_or_default());
        if self.version.contains("MariaDB") {
            // What old replicas take for the version comes first.
            let version = self.version.strip_prefix("5.5.5-").unwrap_or(&self.version);
            return ("MariaDB", number(version));
        }
        ("MySQL", number(&self.version))
    }
}

/// What answers a server that asks for a proof by `plugin`; `Err` where that
/// needs TLS, `Ok(None)` where it is not known.
pub(super) fn answer(plugin: &str, salt: &[u8], login: &Login) -> Result<Option<Vec<u8>>, ()> {
    match plugin {
        NATIVE | CACHING_SHA2 => Ok(Some(prove(plugin, &login.password, salt))),
        _ if CLEAR.contains(&plugin) && login.tls => Ok(Some(clear(login))),
        _ if CLEAR.contains(&plugin) => Err(()),
        _ => Ok(None),
    }
}

/// The password itself.
pub(super) fn clear(login: &Login) -> Vec<u8> {
    [login.password.as_bytes(), b"\0"].concat()
}

/// Nothing is what an empty password is proven by. Otherwise, by either hash:
///
/// - `mysql_native_password`: H(password) XOR H(salt + H(H(password)))
/// - `caching_sha2_password`: H(password) XOR H(H(H(password)) + salt)
fn prove(plugin: &str, password: &str, salt: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let salt = salt.strip_suffix(b"\0").filter(|salt| salt.len() == 20).unwrap_or(salt);
    let (hash, mask) = if plugin == CACHING_SHA2 {
        let hash = digest(&SHA256, &[password.as_bytes()]);
        let twice = digest(&SHA256, &[&hash]);
        (hash, digest(&SHA256, &[&twice, salt]))
    } else {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[password.as_bytes()]);
        let twice = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[&hash]);
        (hash, digest(&SHA1_FOR_LEGACY_USE_ONLY, &[salt, &twice]))
    };
    hash.iter().zip(mask).map(|(hash, mask)| hash ^ mask).collect()
}

fn digest(algorithm: &'static Algorithm, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(algorithm);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}
