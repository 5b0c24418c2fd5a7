//! What SSH is made of on the wire (RFC 4251, section 5, and RFC 4253, section
//! 6), before anything is encrypted.

use ring::rand::{SecureRandom, SystemRandom};

use crate::dialogue::Dialogue;
use crate::failure::Failure;
use crate::text::clean;

pub(super) const DISCONNECT: u8 = 1;
const IGNORE: u8 = 2;
const UNIMPLEMENTED: u8 = 3;
const DEBUG: u8 = 4;
pub(super) const KEXINIT: u8 = 20;
pub(super) const KEX_ECDH_INIT: u8 = 30;
pub(super) const KEX_ECDH_REPLY: u8 = 31;

/// The largest packet that has to be understood (RFC 4253, section 6.1).
const MAX_PACKET: usize = 35_000;
/// The most packets without meaning that are read over.
const MAX_IGNORED: usize = 16;
/// What packets are padded to while nothing is encrypted.
const BLOCK: usize = 8;

/// The payload as a packet. What is sent here is far below 4 GiB.
pub(super) fn packet(payload: &[u8]) -> Vec<u8> {
    const MIN_PADDING: usize = 4;
    let unpadded = 5 + payload.len() + MIN_PADDING;
    let padding = MIN_PADDING + (BLOCK - unpadded % BLOCK) % BLOCK;
    let mut packet = Writer::default();
    packet.u32(1 + payload.len() + padding);
    // Between 4 and 11.
    packet.0.push(u8::try_from(padding).unwrap_or(u8::MAX));
    packet.0.extend_from_slice(payload);
    packet.0.resize(packet.0.len() + padding, 0);
    packet.0
}

/// The payload of the next packet that means something.
pub(super) async fn read_packet(dialogue: &mut Dialogue) -> Result<Vec<u8>, Failure> {
    for _ in 0..=MAX_IGNORED {
        let payload = read_any_packet(dialogue).await?;
        match payload.first() {
            Some(&(IGNORE | UNIMPLEMENTED | DEBUG)) => {}
            Some(&DISCONNECT) => return Err(disconnected(dialogue, &payload)),
            _ => return Ok(payload),
        }
    }
    Err(broken(dialogue, "too many packets without meaning"))
}

async fn read_any_packet(dialogue: &mut Dialogue) -> Result<Vec<u8>, Failure> {
    let header = dialogue.exactly(5).await?;
    let length = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
    let padding = usize::from(header[4]);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    // One byte of padding length, one of payload at least.
    if length > MAX_PACKET || length < padding + 2 {
        return Err(broken(dialogue, "a packet of impossible length"));
    }
    let mut payload = dialogue.exactly(length - 1).await?;
    payload.truncate(length - 1 - padding);
    Ok(payload)
}

/// RFC 4253, section 11.1: a code, and why.
fn disconnected(dialogue: &Dialogue, payload: &[u8]) -> Failure {
    let mut reader = Reader(&payload[1..]);
    let why = reader.u32().and_then(|_| reader.string());
    let why = why.map(String::from_utf8_lossy).unwrap_or_default();
    Failure::Unexpected(format!(
        "the server hangs up ({}): \"{}\"",
        dialogue.trace().endpoint(),
        clean(&why)
    ))
}

/// The server breaks the rules of the protocol.
pub(super) fn broken(dialogue: &Dialogue, what: &str) -> Failure {
    Failure::Unexpected(format!(
        "the server's key exchange makes no sense ({}): {what}",
        dialogue.trace().endpoint()
    ))
}

/// By application (RFC 4253, section 11.1): all that was wanted was seen.
pub(super) fn goodbye() -> Vec<u8> {
    const BY_APPLICATION: usize = 11;
    let mut payload = Writer(vec![DISCONNECT]);
    payload.u32(BY_APPLICATION);
    payload.string(b"");
    payload.string(b"");
    packet(&payload.0)
}

/// Sixteen bytes that nobody foresees.
pub(super) fn cookie() -> Option<[u8; 16]> {
    let mut cookie = [0; 16];
    SystemRandom::new().fill(&mut cookie).ok()?;
    Some(cookie)
}

#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    /// A length or a code; those here are small.
    pub(super) fn u32(&mut self, number: usize) {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        self.0.extend(number.to_be_bytes());
    }

    pub(super) fn string(&mut self, bytes: &[u8]) {
        self.u32(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn names(&mut self, names: &[&str]) {
        self.string(names.join(",").as_bytes());
    }

    /// A number that is not negative, from its bytes, most significant first.
    pub(super) fn mpint(&mut self, bytes: &[u8]) {
        let bytes = without_zeros(bytes);
        let sign = usize::from(bytes.first().is_some_and(|first| first & 0x80 != 0));
        self.u32(sign + bytes.len());
        self.0.resize(self.0.len() + sign, 0);
        self.0.extend_from_slice(bytes);
    }
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    &bytes[start..]
}

/// Reads from untrusted bytes; nothing where they end too early.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'b>(pub(super) &'b [u8]);

impl<'b> Reader<'b> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }

    pub(super) fn boolean(&mut self) -> Option<bool> {
        self.take(1).map(|byte| byte != [0])
    }

    pub(super) fn string(&mut self) -> Option<&'b [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Option<&'b str> {
        std::str::from_utf8(self.string()?).ok()
    }

    pub(super) fn names(&mut self) -> Option<Vec<String>> {
        Some(self.text()?.split(',').map(str::to_owned).collect())
    }

    /// The bytes of a number, most significant first, without leading zeros.
    /// It must not be negative.
    pub(super) fn mpint(&mut self) -> Option<&'b [u8]> {
        let bytes = self.string()?;
        let is_negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
        (!is_negative).then(|| without_zeros(bytes))
    }

    /// Whether all has been read.
    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_in_the_rfc() {
        for (bytes, written) in [
            (&[][..], &[0, 0, 0, 0][..]),
            (&[0, 0], &[0, 0, 0, 0]),
            (&[0x80], &[0, 0, 0, 2, 0, 0x80]),
            (&[9, 0xa3, 0x78], &[0, 0, 0, 3, 9, 0xa3, 0x78]),
            (&[0, 0, 0x80], &[0, 0, 0, 2, 0, 0x80]),
        ] {
            let mut writer = Writer::default();
            writer.mpint(bytes);
            assert_eq!(writer.0, written);
            assert_eq!(Reader(written).mpint(), Some(without_zeros(bytes)));
        }
        assert_eq!(Reader(&[0, 0, 0, 1, 0x80]).mpint(), None);
    }

    #[test]
    fn packets_are_padded() {
        for length in 1..40 {
            let payload = vec![7; length];
            let packet = packet(&payload);
            assert_eq!(packet.len() % BLOCK, 0);
            let padding = usize::from(packet[4]);
            assert!(padding >= 4);
            assert_eq!(packet[5..packet.len() - padding], payload);
        }
    }

    #[test]
    fn what_ends_too_early_is_nothing() {
        for bytes in [&[][..], &[0], &[0, 0, 0, 5, 1], &[255, 255, 255, 255]] {
            assert_eq!(Reader(bytes).string(), None);
            assert_eq!(Reader(bytes).mpint(), None);
        }
        assert_eq!(Reader(&[0, 0, 0, 1, 0xff]).names(), None);
    }
}
