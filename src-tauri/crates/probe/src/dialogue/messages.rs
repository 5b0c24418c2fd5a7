//! A talk in messages of a protocol, which servers of others do not answer in.

use super::Dialogue;

impl Dialogue {
    /// From now on in messages of `protocol`. They are no evidence, as they
    /// may be anything and hold secrets, unless they are not understood.
    pub(crate) fn speaking(self, protocol: &'static str) -> Self {
        Self { protocol: Some(protocol), ..self }
    }

    /// Its name, for people.
    pub(crate) fn protocol(&self) -> &'static str {
        self.protocol.unwrap_or_default()
    }

    /// What has come and was not read yet.
    #[cfg(any(feature = "amqp", feature = "mqtt", feature = "nats", feature = "redis"))]
    pub(crate) fn ahead(&self) -> &[u8] {
        &self.ahead
    }
}

/// What a server that expects TLS says to anything else (RFC 8446, section
/// 5.1): record type 21, version 3.
pub(crate) fn is_tls_alert(bytes: &[u8]) -> bool {
    bytes.starts_with(&[21, 3])
}
