use health::Phases;
use rusqlite::Row;

use crate::rollup::{damaged, microseconds};

/// Phases that cannot be read: not as this app writes them.
#[derive(Debug, thiserror::Error)]
#[error("damaged phases")]
struct Damaged;

/// Packs phases into a few bytes; `None` when there are none. The first byte
/// says which there are: bit 0 `dns`, then on in the order of [`Phases`]. Each
/// follows in whole microseconds, in LEB128.
pub(crate) fn pack(phases: &Phases) -> Option<Vec<u8>> {
    let Phases { dns, connect, tls, send, wait, receive } = *phases;
    let mut bytes = vec![0];
    for (bit, ms) in [dns, connect, tls, send, wait, receive].into_iter().enumerate() {
        if let Some(us) = microseconds(ms) {
            bytes[0] |= 1 << bit;
            push(&mut bytes, us.unsigned_abs());
        }
    }
    (bytes[0] != 0).then_some(bytes)
}

/// Reads packed phases, none where the column is null.
pub(crate) fn read(row: &Row, column: usize) -> rusqlite::Result<Phases> {
    match row.get_ref(column)?.as_blob_or_null().map_err(|error| damaged(column, error))? {
        None => Ok(Phases::default()),
        Some(bytes) => unpack(bytes).ok_or_else(|| damaged(column, Damaged)),
    }
}

fn unpack(bytes: &[u8]) -> Option<Phases> {
    let (present, mut rest) = bytes.split_first()?;
    let mut phases = Phases::default();
    let Phases { dns, connect, tls, send, wait, receive } = &mut phases;
    for (bit, phase) in [dns, connect, tls, send, wait, receive].into_iter().enumerate() {
        if present & (1 << bit) != 0 {
            *phase = Some(take(&mut rest)? as f64 / 1000.0);
        }
    }
    Some(phases)
}

fn push(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_come_back_to_the_microsecond() {
        let all = Phases {
            dns: Some(0.0),
            connect: Some(0.127),
            tls: Some(0.128),
            send: Some(1_234.567),
            wait: Some(604_800_000.0),
            receive: Some(16.384),
        };
        let some = Phases { dns: None, send: None, ..all };
        for phases in [all, some, Phases { receive: Some(3.0), ..Phases::default() }] {
            assert_eq!(unpack(&pack(&phases).expect("bytes")), Some(phases));
        }
        assert_eq!(pack(&all).map(|bytes| bytes.len()), Some(1 + 1 + 1 + 2 + 3 + 6 + 3));
    }

    #[test]
    fn what_is_no_time_takes_no_room() {
        assert_eq!(pack(&Phases::default()), None);
        assert_eq!(pack(&Phases { dns: Some(f64::NAN), ..Phases::default() }), None);
        let endless = Phases { dns: Some(f64::INFINITY), ..Phases::default() };
        let longest = i64::MAX as f64 / 1000.0;
        let unpacked = unpack(&pack(&endless).expect("bytes"));
        assert_eq!(unpacked.and_then(|phases| phases.dns), Some(longest));
    }

    #[test]
    fn damaged_bytes_are_no_phases() {
        for bytes in [
            &[][..],
            &[1],
            &[1, 0x80],
            &[3, 1],
            &[1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
        ] {
            assert_eq!(unpack(bytes), None, "{bytes:?}");
        }
    }
}
