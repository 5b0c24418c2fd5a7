//! Bytes written as text.

use serde_json::Value;

use super::parse::{Parsed, mistake, text};
use crate::text::clean;

const HELP: &str = r"write \r, \n, \t, \xNN with two hexadecimal digits, and \\ for a backslash";

/// Reads bytes: text as UTF-8, in which `\r`, `\n`, `\t`, `\xNN` and `\\`
/// stand for what a keyboard does not have.
pub(crate) fn escaped(value: &Value) -> Parsed<Vec<u8>> {
    let text = text(value)?;
    if text.is_empty() {
        let help = "write something, or leave the key out";
        return Err(vec![mistake("the text is empty", help)]);
    }
    unescape(text).map_err(|message| vec![mistake(message, HELP)])
}

fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut parts = text.split('\\');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    while let Some(part) = parts.next() {
        let mut chars = part.chars();
        let rest = match chars.next() {
            Some('r') => literal(&mut bytes, b'\r', chars.as_str()),
            Some('n') => literal(&mut bytes, b'\n', chars.as_str()),
            Some('t') => literal(&mut bytes, b'\t', chars.as_str()),
            Some('x') => {
                let digits = chars.as_str().get(..2).filter(|digits| is_hex(digits));
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                let byte = byte.ok_or_else(|| r"`\x` needs two hexadecimal digits".to_owned())?;
                literal(&mut bytes, byte, &chars.as_str()[2..])
            }
            Some(other) => {
                return Err(format!(r"`\{}` stands for nothing", clean(&other.to_string())));
            }
            // Two backslashes have nothing between them.
            None => match parts.next() {
                Some(rest) => literal(&mut bytes, b'\\', rest),
                None => return Err(r"the text ends in a single `\`".to_owned()),
            },
        };
        bytes.extend_from_slice(rest.as_bytes());
    }
    Ok(bytes)
}

fn literal<'t>(bytes: &mut Vec<u8>, byte: u8, rest: &'t str) -> &'t str {
    bytes.push(byte);
    rest
}

fn is_hex(digits: &str) -> bool {
    digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_bytes() {
        for (text, bytes) in [
            ("PING\\r\\n", b"PING\r\n".as_slice()),
            ("a\nb", b"a\nb"),
            (r"\x00\xfF\t", b"\0\xff\t"),
            (r"\\r\\\\x", br"\r\\x"),
            (r"a\\", br"a\"),
            ("é", "é".as_bytes()),
        ] {
            assert_eq!(unescape(text).as_deref(), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, message) in [
            (r"\q", r"`\q` stands for nothing"),
            ("\\\u{1b}", r"`\\u{1b}` stands for nothing"),
            (r"a\", r"the text ends in a single `\`"),
            (r"\x", r"`\x` needs two hexadecimal digits"),
            (r"\x1", r"`\x` needs two hexadecimal digits"),
            (r"\x+1", r"`\x` needs two hexadecimal digits"),
            (r"\xé", r"`\x` needs two hexadecimal digits"),
            (r"\x\\", r"`\x` needs two hexadecimal digits"),
        ] {
            assert_eq!(unescape(text), Err(message.to_owned()), "{text}");
        }
        let empty = escaped(&Value::String(String::new())).expect_err("a mistake");
        assert_eq!(empty[0].message, "the text is empty");
    }

    proptest! {
        #[test]
        fn whatever_is_escaped_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            let text: String = bytes.iter().map(|byte| match byte {
                b'\\' => r"\\".to_owned(),
                b' '..=b'~' => char::from(*byte).to_string(),
                _ => format!(r"\x{byte:02x}"),
            }).collect();
            prop_assert_eq!(unescape(&text), Ok(bytes));
        }

        #[test]
        fn any_text_is_read_or_refused(text in r"[\\xrnt0-9é]{0,12}") {
            let _ = unescape(&text);
        }
    }
}
