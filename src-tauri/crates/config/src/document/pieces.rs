use std::ops::Range;

use toml_edit::{Item, RawString, Table, TomlError};

use crate::parse::{SERVICE, SETTINGS};

/// A stretch of whole lines of a config.toml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// One `[[service]]` with its comments.
    Service(String),
    /// `[settings]` with its comments.
    Settings(String),
    /// Anything else: other tables, and what is between blocks.
    Other(String),
}

impl Piece {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Service(text) | Self::Settings(text) | Self::Other(text) => text,
        }
    }

    fn text_mut(&mut self) -> &mut String {
        match self {
            Self::Service(text) | Self::Settings(text) | Self::Other(text) => text,
        }
    }

    pub(super) fn set_text(&mut self, text: String) {
        *self.text_mut() = text;
    }

    pub(super) fn is_blank(&self) -> bool {
        matches!(self, Self::Other(text) if text.trim().is_empty())
    }

    pub(super) fn ends_blank(&self) -> bool {
        let text = self.text();
        text.is_empty()
            || text.ends_with('\n') && text.lines().last().is_none_or(|line| line.trim().is_empty())
    }

    pub(super) fn starts_blank(&self) -> bool {
        self.text().lines().next().is_none_or(|line| line.trim().is_empty())
    }

    pub(super) fn trim_blank_start(&mut self) {
        let text = self.text_mut();
        let blank: usize = text
            .split_inclusive('\n')
            .take_while(|line| line.trim().is_empty())
            .map(str::len)
            .sum();
        text.drain(..blank);
    }

    /// With a line end, so that another piece can follow.
    pub(super) fn ended_by(mut self, newline: &str) -> Self {
        let text = self.text_mut();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push_str(newline);
        }
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Service(usize),
    Settings,
    Other,
}

/// A table's `[header]`.
struct Header {
    owner: Owner,
    /// Blank and comment lines above it.
    trivia: Range<usize>,
}

/// Takes a text apart:
/// 1. A table and those beneath it are one piece with the comment lines right
///    above its header.
/// 2. Comment lines right below its last key belong to it too, unless they
///    are right above the next header.
/// 3. What is left between two tables is a piece of its own.
pub(super) fn split(text: &str) -> Result<Vec<Piece>, TomlError> {
    let document = toml_edit::Document::parse(text)?;
    let mut headers = Vec::new();
    for (key, item) in document.iter() {
        match (key, item) {
            (SERVICE, Item::ArrayOfTables(tables)) => {
                for (index, table) in tables.iter().enumerate() {
                    collect(table, Owner::Service(index), &mut headers);
                }
            }
            (SETTINGS, item) => collect_item(item, Owner::Settings, &mut headers),
            (_, item) => collect_item(item, Owner::Other, &mut headers),
        }
    }
    headers.sort_by_key(|header| header.trivia.end);
    headers.dedup_by(|later, earlier| later.owner == earlier.owner);
    let end = document.trailing().span().map_or(text.len(), |span| span.start);
    Ok(pieces(text, &headers, end))
}

fn collect_item(item: &Item, owner: Owner, headers: &mut Vec<Header>) {
    match item {
        Item::Table(table) => collect(table, owner, headers),
        Item::ArrayOfTables(tables) => {
            tables.iter().for_each(|table| collect(table, owner, headers));
        }
        Item::None | Item::Value(_) => {}
    }
}

fn collect(table: &Table, owner: Owner, headers: &mut Vec<Header>) {
    if let Some(span) = table.span().filter(|_| !table.is_dotted() && !table.is_implicit()) {
        let above = table.decor().prefix().and_then(RawString::span);
        let start = above.map_or(span.start, |above| above.start);
        headers.push(Header { owner, trivia: start..span.start });
    }
    for (_, item) in table {
        collect_item(item, owner, headers);
    }
}

fn pieces(text: &str, headers: &[Header], end: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut owner = Owner::Other;
    let mut start = 0;
    for header in headers {
        let (below, above) = comments(&text[header.trivia.clone()], true);
        let (below, above) = (header.trivia.start + below, header.trivia.start + above);
        push(&mut pieces, owner, &text[start..below]);
        push(&mut pieces, Owner::Other, &text[below..above]);
        (owner, start) = (header.owner, above);
    }
    let (below, _) = comments(&text[end..], false);
    push(&mut pieces, owner, &text[start..end + below]);
    push(&mut pieces, Owner::Other, &text[end + below..]);
    pieces.into_iter().map(|(_, piece)| piece).collect()
}

/// A table that is torn apart by others is put together again.
fn push(pieces: &mut Vec<(Owner, Piece)>, owner: Owner, text: &str) {
    if text.is_empty() {
        return;
    }
    let same = match owner {
        Owner::Other => pieces.last_mut().filter(|(last, _)| *last == owner),
        Owner::Service(_) | Owner::Settings => {
            pieces.iter_mut().find(|(earlier, _)| *earlier == owner)
        }
    };
    if let Some((_, piece)) = same {
        piece.text_mut().push_str(text);
        return;
    }
    let piece = match owner {
        Owner::Service(_) => Piece::Service(text.to_owned()),
        Owner::Settings => Piece::Settings(text.to_owned()),
        Owner::Other => Piece::Other(text.to_owned()),
    };
    pieces.push((owner, piece));
}

/// Of blank and comment lines, where those end that belong to what is above,
/// and where those begin that belong to the header below.
fn comments(trivia: &str, header_follows: bool) -> (usize, usize) {
    let lines: Vec<&str> = trivia.split_inclusive('\n').collect();
    let length = |lines: &[&str]| lines.iter().map(|line| line.len()).sum::<usize>();
    let is_comment = |line: &&&str| line.trim_start().starts_with('#');
    // The last line may be what the header is indented by.
    let is_indent = |line: &&str| !line.ends_with('\n') && line.trim().is_empty();
    let indents = usize::from(header_follows && lines.last().is_some_and(is_indent));
    let (full, _) = lines.split_at(lines.len() - indents);
    let above = if header_follows { full.iter().rev().take_while(is_comment).count() } else { 0 };
    let (rest, _) = full.split_at(full.len() - above);
    let below = rest.iter().take_while(is_comment).count();
    (length(&rest[..below]), length(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_the_comments_next_to_them() {
        let text = "# the file\n\n# first\n[[service]]\nid = \"a\"\n# below\n\n# loose\n\n  # second\n  [[service]]\nid = \"b\"\n[service.headers]\nX = \"1\"\n\n[settings]\ntheme = \"dark\"\n# end\n";
        let found = split(text).expect("TOML");
        let expected = [
            Piece::Other("# the file\n\n".to_owned()),
            Piece::Service("# first\n[[service]]\nid = \"a\"\n# below\n".to_owned()),
            Piece::Other("\n# loose\n\n".to_owned()),
            Piece::Service(
                "  # second\n  [[service]]\nid = \"b\"\n[service.headers]\nX = \"1\"\n".to_owned(),
            ),
            Piece::Other("\n".to_owned()),
            Piece::Settings("[settings]\ntheme = \"dark\"\n# end\n".to_owned()),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_service_torn_apart_is_one_piece() {
        let text = "[[service]]\nid = \"a\"\n[settings]\n[service.headers]\nX = \"1\"\n";
        let found = split(text).expect("TOML");
        assert_eq!(
            found[0],
            Piece::Service("[[service]]\nid = \"a\"\n[service.headers]\nX = \"1\"\n".to_owned())
        );
        assert_eq!(found[1], Piece::Settings("[settings]\n".to_owned()));
    }

    #[test]
    fn a_hash_within_a_text_is_no_comment() {
        let text = "[[service]]\nbody = \"\"\"\n# x\"\"\"\n[[service]]\n";
        let found = split(text).expect("TOML");
        assert_eq!(found[1], Piece::Service("[[service]]\n".to_owned()));
    }
}
