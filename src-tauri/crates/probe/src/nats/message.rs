//! What a server says, in lines.

use serde_json::Value;

use crate::broker::{Nonsense, Taken};

/// The longest greeting, which lists the servers of a cluster.
const LONGEST_INFO: usize = 64 * 1024;
/// The longest line that is none (`MAX_CONTROL_LINE_SIZE` of the server).
const LONGEST_LINE: usize = 4 * 1024;
/// The longest message that is read.
const LONGEST_PAYLOAD: usize = 64 * 1024;
const LINE_END: &[u8] = b"\r\n";

#[derive(Debug, PartialEq)]
pub(super) enum Message {
    Info(Value),
    Done,
    Refused(String),
    Ping,
    Pong,
    Delivered { subject: String, payload: Vec<u8> },
}

/// The first message in `bytes`.
pub(super) fn message(bytes: &[u8]) -> Taken<Message> {
    let Some(end) = bytes.windows(LINE_END.len()).position(|two| two == LINE_END) else {
        let longest = if begins_with("INFO", bytes) { LONGEST_INFO } else { LONGEST_LINE };
        return if bytes.len() > longest { Err(Nonsense::Foreign) } else { Ok(None) };
    };
    let line = std::str::from_utf8(&bytes[..end]).map_err(|_| Nonsense::Foreign)?;
    let (verb, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let start = end + LINE_END.len();
    let message = match verb.to_ascii_uppercase().as_str() {
        "INFO" if end <= LONGEST_INFO => info(rest)?,
        _ if end > LONGEST_LINE => return Err(Nonsense::Foreign),
        "+OK" => Message::Done,
        "-ERR" => Message::Refused(rest.trim().trim_matches('\'').to_owned()),
        "PING" => Message::Ping,
        "PONG" => Message::Pong,
        "MSG" => return delivered(rest, bytes, start),
        _ => return Err(Nonsense::Foreign),
    };
    Ok(Some((message, start)))
}

fn begins_with(verb: &str, bytes: &[u8]) -> bool {
    bytes.get(..verb.len()).is_some_and(|first| first.eq_ignore_ascii_case(verb.as_bytes()))
}

fn info(rest: &str) -> Result<Message, Nonsense> {
    match serde_json::from_str(rest) {
        Ok(info @ Value::Object(_)) => Ok(Message::Info(info)),
        _ => Err(Nonsense::Foreign),
    }
}

/// `MSG <subject> <sid> [reply-to] <#bytes>`, and the payload from `start` on.
fn delivered(line: &str, bytes: &[u8], start: usize) -> Taken<Message> {
    let parts: Vec<_> = line.split_ascii_whitespace().collect();
    let ([subject, _, length] | [subject, _, _, length]) = parts[..] else {
        return Err(Nonsense::Foreign);
    };
    let length: usize = length.parse().map_err(|_| Nonsense::Foreign)?;
    if length > LONGEST_PAYLOAD {
        return Err(Nonsense::Refused(format!("the server sent a message of {length} bytes")));
    }
    let (end, next) = (start + length, start + length + LINE_END.len());
    match bytes.get(start..next) {
        None => Ok(None),
        Some(all) if all.ends_with(LINE_END) => {
            let payload = bytes[start..end].to_vec();
            Ok(Some((Message::Delivered { subject: subject.to_owned(), payload }, next)))
        }
        Some(_) => Err(Nonsense::Foreign),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_are_told_apart() {
        let delivered = |subject: &str, payload: &str| Message::Delivered {
            subject: subject.to_owned(),
            payload: payload.into(),
        };
        for (text, expected) in [
            ("INFO {\"version\":\"2.9\"}\r\n", Message::Info(json!({"version": "2.9"}))),
            ("info\t{} \r\n", Message::Info(json!({}))),
            ("+OK\r\n", Message::Done),
            ("-ERR 'Stale Connection'\r\n", Message::Refused("Stale Connection".to_owned())),
            ("PING\r\n", Message::Ping),
            ("PONG\r\n", Message::Pong),
            ("MSG a 1 5\r\nhello\r\n", delivered("a", "hello")),
            ("MSG a 1 reply.to 2\r\n\r\n\r\n", delivered("a", "\r\n")),
            ("MSG a 1 0\r\n\r\n", delivered("a", "")),
        ] {
            let more = format!("{text}PING\r\n");
            assert_eq!(message(more.as_bytes()), Ok(Some((expected, text.len()))));
            for cut in 0..text.len() {
                assert_eq!(message(&text.as_bytes()[..cut]), Ok(None), "{text}, {cut}");
            }
        }
    }

    #[test]
    fn nonsense_is_told() {
        for text in [
            "\r\n",
            "HTTP/1.1 400 Bad Request\r\n",
            "INFO\r\n",
            "INFO []\r\n",
            "MSG a\r\n",
            "MSG a 1 -1\r\n",
            "MSG a 1 99999999999999999999\r\n",
            "MSG a 1 2\r\nhello\r\n",
            "\u{e4}\r\n",
        ] {
            assert_eq!(message(text.as_bytes()), Err(Nonsense::Foreign), "{text}");
        }
        assert_eq!(message(b"\xff\r\n"), Err(Nonsense::Foreign));
    }

    #[test]
    fn what_grows_too_long_is_given_up() {
        let line = vec![b'x'; LONGEST_LINE];
        assert_eq!(message(&line), Ok(None));
        assert_eq!(message(&[line, b"x".to_vec()].concat()), Err(Nonsense::Foreign));
        let mut info = b"INFO ".to_vec();
        info.resize(LONGEST_INFO, b' ');
        assert_eq!(message(&info), Ok(None));
        info.push(b' ');
        assert_eq!(message(&info), Err(Nonsense::Foreign));
        let reason = "the server sent a message of 65537 bytes".to_owned();
        assert_eq!(message(b"MSG a 1 65537\r\n"), Err(Nonsense::Refused(reason)));
        let deep = format!("INFO {}\r\n", "{\"a\":".repeat(10_000));
        assert_eq!(message(deep.as_bytes()), Err(Nonsense::Foreign));
    }

    proptest! {
        #[test]
        fn anything_is_answered(
            verb in prop_oneof![Just("INFO "), Just("MSG a 1 "), Just("-ERR "), Just("")],
            rest in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let bytes = [verb.as_bytes(), &rest, b"\r\n"].concat();
            if let Ok(Some((_, length))) = message(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
