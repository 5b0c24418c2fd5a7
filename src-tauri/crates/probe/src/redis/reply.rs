//! What a server says, in RESP 2
//! (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).

use crate::database::LONGEST_MESSAGE;
use crate::dialogue::messages::is_tls_alert;
use crate::dialogue::{Dialogue, Found};
use crate::failure::Failure;

/// The answer to one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// A text or a number, as text.
    Text(String),
    /// No value.
    Nothing,
    /// A list, lists within it laid out flat.
    List(Vec<Option<String>>),
    /// A refusal: `WRONGPASS invalid username-password pair`.
    Error(String),
}

/// What a line of a server announces.
enum Item {
    Text(String),
    Nothing,
    Error(String),
    /// That many items.
    List(u64),
}

impl Reply {
    /// Reads one, of at most 64 KiB.
    pub(super) async fn read(dialogue: &mut Dialogue) -> Result<Self, Failure> {
        let mut room = LONGEST_MESSAGE;
        let mut awaited = match read_item(dialogue, &mut room).await? {
            Item::Text(text) => return Ok(Self::Text(text)),
            Item::Nothing => return Ok(Self::Nothing),
            Item::Error(error) => return Ok(Self::Error(error)),
            Item::List(length) => length,
        };
        let mut items = Vec::new();
        while awaited > 0 {
            awaited -= 1;
            match read_item(dialogue, &mut room).await? {
                Item::Text(text) | Item::Error(text) => items.push(Some(text)),
                Item::Nothing => items.push(None),
                Item::List(length) => awaited = awaited.saturating_add(length),
            }
        }
        Ok(Self::List(items))
    }

    /// As text, if there is a value. The items of a list stand side by side.
    pub(super) fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(items) if items.iter().any(Option::is_some) => {
                let items = items.iter().map(|item| item.as_deref().unwrap_or("(nil)"));
                Some(items.collect::<Vec<_>>().join(" "))
            }
            Self::List(_) | Self::Nothing | Self::Error(_) => None,
        }
    }
}

async fn read_item(dialogue: &mut Dialogue, room: &mut usize) -> Result<Item, Failure> {
    let line = dialogue.find(line).await?;
    let line = line.map_err(|()| dialogue.not_understood(dialogue.ahead()))?;
    take(dialogue, room, line.len() + 2)?;
    let Some((kind, rest)) = line.split_first() else {
        return Err(dialogue.not_understood(&line));
    };
    let text = String::from_utf8_lossy(rest);
    let number = match kind {
        b':' | b'*' | b'$' => text.parse::<i64>().map_err(|_| dialogue.not_understood(&line))?,
        _ => 0,
    };
    match kind {
        b'+' => Ok(Item::Text(text.into_owned())),
        b'-' => Ok(Item::Error(text.into_owned())),
        b':' => Ok(Item::Text(number.to_string())),
        b'*' => Ok(u64::try_from(number).map_or(Item::Nothing, Item::List)),
        b'$' => match usize::try_from(number) {
            Err(_) => Ok(Item::Nothing),
            Ok(length) => {
                take(dialogue, room, length)?;
                let mut bytes = dialogue.read(length + 2).await?;
                if bytes.split_off(length) != b"\r\n" {
                    return Err(dialogue.not_understood(&bytes));
                }
                Ok(Item::Text(String::from_utf8_lossy(&bytes).into_owned()))
            }
        },
        _ => Err(dialogue.not_understood(&line)),
    }
}

/// The first line without its end, CR LF, or that there is none.
fn line(bytes: &[u8]) -> Found<Vec<u8>, ()> {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => {
            let line = bytes[..end].strip_suffix(b"\r").ok_or(())?;
            Ok(Some((line.to_vec(), end + 1)))
        }
        None if bytes.len() >= LONGEST_MESSAGE || is_tls_alert(bytes) => Err(()),
        None => Ok(None),
    }
}

fn take(dialogue: &Dialogue, room: &mut usize, length: usize) -> Result<(), Failure> {
    *room = room.checked_sub(length).ok_or_else(|| dialogue.too_long())?;
    Ok(())
}
