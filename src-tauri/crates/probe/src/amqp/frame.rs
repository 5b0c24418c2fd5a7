//! Frames of AMQP 0-9-1 and the values in them: specification, section 4.2,
//! and the field table as `RabbitMQ` writes it (rabbitmq.com, "AMQP 0-9-1
//! Errata", section 3).

use crate::broker::{Nonsense, Taken};

/// The longest frame that is taken, and the longest message.
pub(super) const LONGEST: u32 = 64 * 1024;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;
const END: u8 = 0xce;
/// Type, channel, length.
const HEAD: usize = 7;
const LONGEST_SHORT_TEXT: usize = 255;

/// Class and method.
pub(super) type Id = (u16, u16);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Method(Id, Arguments),
    /// A message of so many bytes.
    Header(u64),
    Body(Vec<u8>),
    Heartbeat,
}

/// The first frame in `bytes`, of whatever channel: there is but one.
pub(super) fn frame(bytes: &[u8]) -> Taken<Frame> {
    if bytes.starts_with(b"AMQP") {
        return other_protocol(bytes);
    }
    if bytes.first().is_some_and(|kind| ![METHOD, HEADER, BODY, HEARTBEAT].contains(kind)) {
        return Err(Nonsense::Foreign);
    }
    let Some(&[kind, _, _, a, b, c, d]) = bytes.first_chunk::<HEAD>() else { return Ok(None) };
    let length = u32::from_be_bytes([a, b, c, d]);
    if length > LONGEST {
        return Err(Nonsense::Refused(format!("the broker sent a frame of {length} bytes")));
    }
    let end = HEAD + length as usize;
    let Some((&last, payload)) = bytes.get(HEAD..=end).and_then(<[u8]>::split_last) else {
        return Ok(None);
    };
    let read = if last == END { read(kind, payload) } else { None };
    Ok(Some((read.ok_or(Nonsense::Foreign)?, end + 1)))
}

fn read(kind: u8, payload: &[u8]) -> Option<Frame> {
    let mut values = Arguments(payload.to_vec());
    Some(match kind {
        METHOD => Frame::Method((values.short()?, values.short()?), values),
        HEADER => {
            let (_class, _weight) = (values.short()?, values.short()?);
            Frame::Header(values.long_long()?)
        }
        BODY => Frame::Body(values.0),
        _ => Frame::Heartbeat,
    })
}

/// What a broker answers that speaks another version only (section 4.2.2).
fn other_protocol(bytes: &[u8]) -> Taken<Frame> {
    match bytes {
        [_, _, _, _, _, major, minor, revision, ..] => Err(Nonsense::Refused(format!(
            "the broker speaks AMQP {major}-{minor}-{revision}, not 0-9-1"
        ))),
        _ => Ok(None),
    }
}

/// Values in their order; `None` where there is none or no such one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arguments(Vec<u8>);

impl Arguments {
    fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        if count > self.0.len() {
            return None;
        }
        let rest = self.0.split_off(count);
        Some(std::mem::replace(&mut self.0, rest))
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn octet(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn short(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn long(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn long_long(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// What is not UTF-8 is replaced.
    pub(super) fn short_text(&mut self) -> Option<String> {
        let length = self.octet()?;
        self.take(length.into()).map(|text| String::from_utf8_lossy(&text).into_owned())
    }

    fn long_bytes(&mut self) -> Option<Vec<u8>> {
        let length = self.long()?;
        self.take(usize::try_from(length).ok()?)
    }

    pub(super) fn long_text(&mut self) -> Option<String> {
        self.long_bytes().map(|text| String::from_utf8_lossy(&text).into_owned())
    }

    /// The texts of a table; tables in it and everything else are left out.
    pub(super) fn texts(&mut self) -> Option<Vec<(String, String)>> {
        let mut table = Self(self.long_bytes()?);
        let mut texts = Vec::new();
        while !table.0.is_empty() {
            let name = table.short_text()?;
            match table.octet()? {
                b'S' => texts.push((name, table.long_text()?)),
                kind => table.skip(kind)?,
            }
        }
        Some(texts)
    }

    fn skip(&mut self, kind: u8) -> Option<()> {
        let length = match kind {
            b'V' => 0,
            b't' | b'b' | b'B' => 1,
            b's' | b'u' => 2,
            b'I' | b'i' | b'f' => 4,
            b'D' => 5,
            b'L' | b'l' | b'd' | b'T' => 8,
            b'A' | b'F' | b'x' => usize::try_from(self.long()?).ok()?,
            _ => return None,
        };
        self.take(length).map(drop)
    }
}

/// A method that is being written.
pub(super) struct Method(Vec<u8>);

impl Method {
    pub(super) fn new((class, method): Id) -> Self {
        Self(Vec::new()).short(class).short(method)
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn octet(self, value: u8) -> Self {
        self.bytes(&[value])
    }

    pub(super) fn short(self, value: u16) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(super) fn long(self, value: u32) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// At most 255 bytes of it.
    pub(super) fn short_text(self, text: &str) -> Self {
        let bytes = &text.as_bytes()[..text.len().min(LONGEST_SHORT_TEXT)];
        self.octet(u8::try_from(bytes.len()).unwrap_or(u8::MAX)).bytes(bytes)
    }

    pub(super) fn long_bytes(self, bytes: &[u8]) -> Self {
        self.long(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).bytes(bytes)
    }

    /// A table of entries that are written already.
    pub(super) fn table(self, entries: &[Vec<u8>]) -> Self {
        self.long_bytes(&entries.concat())
    }

    pub(super) fn on(self, channel: u16) -> Vec<u8> {
        framed(METHOD, channel, &self.0)
    }
}

/// One entry of a table.
pub(super) fn entry(name: &str, kind: u8, value: impl FnOnce(Method) -> Method) -> Vec<u8> {
    value(Method(Vec::new()).short_text(name).octet(kind)).0
}

/// Header and body of a message without properties.
pub(super) fn content(channel: u16, class: u16, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u64).to_be_bytes();
    let (weight, properties) = (0, 0);
    let header = Method(Vec::new()).short(class).short(weight).bytes(&length).short(properties);
    [framed(HEADER, channel, &header.0), framed(BODY, channel, body)].concat()
}

fn framed(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    Method(vec![kind]).short(channel).long_bytes(payload).octet(END).0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_are_told_apart() {
        let method = Method::new((10, 40)).short_text("/").octet(1).on(7);
        assert_eq!(method, b"\x01\0\x07\0\0\0\x07\0\x0a\0\x28\x01/\x01\xce");
        for (bytes, expected) in [
            (method, Frame::Method((10, 40), Arguments(b"\x01/\x01".to_vec()))),
            (b"\x08\0\0\0\0\0\0\xce".to_vec(), Frame::Heartbeat),
            (b"\x03\0\x01\0\0\0\x02hi\xce".to_vec(), Frame::Body(b"hi".to_vec())),
        ] {
            for cut in 0..bytes.len() {
                assert_eq!(frame(&bytes[..cut]), Ok(None), "{bytes:?}, {cut}");
            }
            let more = [&bytes[..], b"\x08"].concat();
            assert_eq!(frame(&more), Ok(Some((expected, bytes.len()))));
        }
        let content = content(1, 60, b"hi");
        let (header, length) = frame(&content).expect("a frame").expect("whole");
        assert_eq!(header, Frame::Header(2));
        let (body, _) = frame(&content[length..]).expect("a frame").expect("whole");
        assert_eq!(body, Frame::Body(b"hi".to_vec()));
    }

    #[test]
    fn nonsense_is_told() {
        for bytes in [
            &b"HTTP/1.1 400"[..],
            b"\0",
            b"\x01\0\0\0\0\0\0\xce",
            b"\x01\0\0\0\0\0\x03\0\x0a\0\xce",
            b"\x02\0\x01\0\0\0\x04\0\x3c\0\0\xce",
            b"\x08\0\0\0\0\0\0\xcd",
        ] {
            assert_eq!(frame(bytes), Err(Nonsense::Foreign), "{bytes:?}");
        }
        let refused = |text: &str| Err(Nonsense::Refused(text.to_owned()));
        let too_long = refused("the broker sent a frame of 65537 bytes");
        assert_eq!(frame(b"\x01\0\0\0\x01\0\x01"), too_long);
        let version = refused("the broker speaks AMQP 1-0-0, not 0-9-1");
        assert_eq!(frame(b"AMQP\0\x01\0\0"), version);
        assert_eq!(frame(b"AMQP\0\x01\0"), Ok(None));
    }

    #[test]
    fn tables_give_their_texts() {
        let text = |text: &'static str| move |m: Method| m.long_bytes(text.as_bytes());
        let deep = (0..5000).fold(Vec::new(), |inner, _| entry("x", b'F', |m| m.table(&[inner])));
        let entries = [
            entry("product", b'S', text("RabbitMQ")),
            entry("yes", b't', |m| m.octet(1)),
            entry("nothing", b'V', |m| m),
            entry("amount", b'D', |m| m.octet(2).long(5)),
            entry("list", b'A', text("whatever")),
            deep,
            entry("version", b'S', text("3.12.1")),
        ];
        let table = || Method(Vec::new()).table(&entries).0;
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let expected = Some(vec![pair("product", "RabbitMQ"), pair("version", "3.12.1")]);
        assert_eq!(Arguments(table()).texts(), expected);
        let mut cut = table();
        cut.pop();
        assert_eq!(Arguments(cut).texts(), None);
        let unknown = Method(Vec::new()).table(&[entry("odd", b'?', |m| m)]).0;
        assert_eq!(Arguments(unknown).texts(), None);
    }

    #[test]
    fn texts_fit_their_lengths() {
        let text = Method(Vec::new()).short_text(&"x".repeat(300)).0;
        assert_eq!((text[0], text.len()), (255, 256));
        assert_eq!(Arguments(text).short_text().map(|text| text.len()), Some(255));
        assert_eq!(Arguments(b"\x02a".to_vec()).short_text(), None);
        assert_eq!(Arguments(b"\xff\xff\xff\xffa".to_vec()).long_text(), None);
    }

    proptest! {
        #[test]
        fn anything_is_answered(
            kind in prop_oneof![1..=3u8, Just(8), any::<u8>()],
            rest in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            for bytes in [framed(kind, 1, &rest), [&[kind], &rest[..]].concat()] {
                if let Ok(Some((found, length))) = frame(&bytes) {
                    prop_assert!(length <= bytes.len());
                    if let Frame::Method(_, mut arguments) = found {
                        let _ = arguments.texts();
                    }
                }
            }
        }
    }
}
