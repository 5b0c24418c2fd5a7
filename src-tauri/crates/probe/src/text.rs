//! Text from elsewhere, made fit for one line on a screen.

const MAX_CHARS: usize = 200;

/// `text` with everything that is not printable escaped, cut to 200
/// characters. For all that a server or a file sent, before it gets into a
/// message.
pub(crate) fn clean(text: &str) -> String {
    let text = text.trim();
    if is_plain(text) {
        return text.to_owned();
    }
    let mut cleaned = String::new();
    let mut chars = 0;
    for c in text.chars() {
        let escaped = is_deceptive(c).then(|| c.escape_default());
        chars += escaped.as_ref().map_or(1, ExactSizeIterator::len);
        if chars > MAX_CHARS {
            cleaned.push('…');
            break;
        }
        match escaped {
            Some(escaped) => cleaned.extend(escaped),
            None => cleaned.push(c),
        }
    }
    cleaned
}

/// The same of a text that is not needed any more.
pub(crate) fn cleaned(text: String) -> String {
    if is_plain(&text) && text.trim().len() == text.len() { text } else { clean(&text) }
}

/// Whether there is nothing to escape or to cut, as in most texts.
fn is_plain(text: &str) -> bool {
    text.len() <= MAX_CHARS && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

const MAX_EXCERPT_BYTES: usize = 2048;

/// As much of `bytes` as its [`excerpt`] is made of.
pub(crate) fn beginning(bytes: &[u8]) -> &[u8] {
    // One more tells that there is more.
    &bytes[..bytes.len().min(MAX_EXCERPT_BYTES + 1)]
}

/// The first 2 KiB of what a server sent, as text that keeps its lines.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let cut = bytes.len() > MAX_EXCERPT_BYTES;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_EXCERPT_BYTES)]);
    let mut shown = String::new();
    for c in text.replace("\r\n", "\n").chars() {
        if is_deceptive(c) && !matches!(c, '\n' | '\t') {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if cut {
        shown.push('…');
    }
    shown
}

/// Control characters, and those that reorder or hide the text around them.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_printable_is_escaped() {
        assert_eq!(clean(" grün \n"), "grün");
        assert_eq!(clean("a\nb\tc\u{1b}[31m"), "a\\nb\\tc\\u{1b}[31m");
        assert_eq!(clean("safe\u{202e}exe"), "safe\\u{202e}exe");
    }

    #[test]
    fn an_excerpt_keeps_lines_and_is_bounded() {
        assert_eq!(excerpt(b"a\r\n\tb\x1b[31m\xff"), "a\n\tb\\u{1b}[31m\u{fffd}");
        let long = excerpt(&vec![b'x'; 100_000]);
        assert_eq!(long.len(), MAX_EXCERPT_BYTES + '…'.len_utf8());
    }

    #[test]
    fn long_text_is_cut() {
        let cut = clean(&"é".repeat(100_000));
        assert_eq!(cut.chars().count(), MAX_CHARS + 1);
        assert!(cut.ends_with('…'));
        assert!(clean(&"\u{0}".repeat(100_000)).chars().count() <= MAX_CHARS + 1);
        assert_eq!(clean(&"x".repeat(MAX_CHARS)).len(), MAX_CHARS);
    }
}
