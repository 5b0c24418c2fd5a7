//! Packets and what they are made of
//! (<https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html>).
//!
//! By hand: clients in Rust connect by themselves, and the codec they share
//! brings a score of crates for half a dozen packets.

use crate::database::LONGEST_MESSAGE;
use crate::dialogue::Dialogue;
use crate::failure::Failure;

/// Reads one packet; it and its number, which the next one sent follows.
pub(super) async fn read(dialogue: &mut Dialogue) -> Result<(Vec<u8>, u8), Failure> {
    let [a, b, c, number] = dialogue.read_array().await?;
    let length = u32::from_le_bytes([a, b, c, 0]) as usize;
    Ok((dialogue.read(length).await?, number))
}

/// The same for the first packet, whose length tells what is no MySQL.
pub(super) async fn read_first(dialogue: &mut Dialogue) -> Result<(Vec<u8>, u8), Failure> {
    let head @ [a, b, c, number] = dialogue.read_array().await?;
    let length = u32::from_le_bytes([a, b, c, 0]) as usize;
    if length > LONGEST_MESSAGE || number > 1 {
        return Err(dialogue.not_understood(&head));
    }
    Ok((dialogue.read(length).await?, number))
}

/// Sends one packet.
pub(super) async fn send(
    dialogue: &mut Dialogue,
    number: u8,
    payload: &[u8],
) -> Result<(), Failure> {
    // Texts have 64 KiB at most.
    let length = u32::try_from(payload.len()).unwrap_or_default().to_le_bytes();
    let head = [length[0], length[1], length[2], number];
    dialogue.send(&[&head, payload].concat()).await
}

/// What is left of a packet. Each method gives `None` where it is cut off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest<'p>(pub(super) &'p [u8]);

impl<'p> Rest<'p> {
    pub(super) fn bytes(&mut self, length: usize) -> Option<&'p [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    /// Little-endian, of up to eight bytes.
    pub(super) fn number(&mut self, length: usize) -> Option<u64> {
        let bytes = self.bytes(length)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// Up to a NUL, which is left out.
    pub(super) fn until_nul(&mut self) -> Option<&'p [u8]> {
        let length = self.0.iter().position(|byte| *byte == 0)?;
        let taken = self.bytes(length);
        self.bytes(1)?;
        taken
    }

    /// A number whose first byte tells its length.
    fn length_encoded(&mut self) -> Option<u64> {
        match self.byte()? {
            short @ ..=0xfa => Some(u64::from(short)),
            0xfc => self.number(2),
            0xfd => self.number(3),
            0xfe => self.number(8),
            0xfb | 0xff => None,
        }
    }

    /// How many columns a result has.
    pub(super) fn count(&mut self) -> Option<u64> {
        self.length_encoded()
    }

    /// A value of a row; NULL is `Some(None)`.
    #[allow(clippy::option_option, reason = "cut off is not NULL")]
    pub(super) fn value(&mut self) -> Option<Option<&'p [u8]>> {
        if self.0.first() == Some(&0xfb) {
            return Some(None);
        }
        let length = usize::try_from(self.length_encoded()?).ok()?;
        self.bytes(length).map(Some)
    }
}
