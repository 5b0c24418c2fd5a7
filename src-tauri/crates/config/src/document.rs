mod pieces;
mod table;

use std::collections::HashMap;
use std::fmt;

use health::ServiceId;
use probe::{Kind, Values};
use toml_edit::visit_mut::VisitMut;
use toml_edit::{DocumentMut, Formatted, Item, Table, TableLike};

use crate::parse::{SERVICE, SETTINGS, syntax_problem};
use crate::problem::Invalid;
use crate::schema::{SLO, fields_of};
use crate::settings::{Preferences, Settings};
use crate::toml::values_of;
use pieces::{Piece, split};

/// The text of a config.toml under edit.
///
/// It is held as pieces: the block of each service, which is its tables with
/// the comment lines right above and below, and what is between them. An edit
/// changes the blocks it is about, and not a byte of the others. It need not
/// be valid, only TOML: one broken service does not keep a person from editing
/// another.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    pieces: Vec<Piece>,
    newline: &'static str,
}

/// An edit that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The service is not (or no longer) in the file.
    #[error("there is no service `{0}` in the config file")]
    NoSuchService(String),
    /// Services that are written as one array of inline tables.
    #[error(
        "the services of this config file are not written as [[service]] blocks: edit it by hand"
    )]
    NotInBlocks,
}

impl Document {
    /// Takes a text apart; `source_name` is what messages call it.
    ///
    /// # Errors
    /// When it is not TOML.
    pub fn parse(source_name: &str, text: &str) -> Result<Self, Invalid> {
        let pieces = split(text)
            .map_err(|error| Invalid::new(source_name, text, vec![syntax_problem(text, &error)]))?;
        Ok(Self { pieces, newline: if text.contains("\r\n") { "\r\n" } else { "\n" } })
    }

    /// The keys of a service as the file has them.
    pub fn service_values(&self, id: &ServiceId) -> Option<Values> {
        let at = self.position(id.as_str())?;
        read(self.pieces[at].text(), SERVICE)
    }

    /// Writes a new service after the others.
    ///
    /// # Errors
    /// When the file has services that are not blocks.
    pub fn add_service(&mut self, values: &Values) -> Result<(), EditError> {
        self.require_blocks()?;
        let block = Piece::Service(self.written(&mut new_block(SERVICE, values)));
        let after = self.pieces.iter().rposition(|piece| matches!(piece, Piece::Service(_)));
        self.insert_apart(after.map_or(self.pieces.len(), |at| at + 1), block);
        Ok(())
    }

    /// Sets the keys of a service to `values`: keys that are equal stay as
    /// they are written, keys that are not in `values` go. A new id is also
    /// written where others depend on it.
    ///
    /// # Errors
    /// When there is no such service.
    pub fn update_service(&mut self, id: &ServiceId, values: &Values) -> Result<(), EditError> {
        let at = self.require(id)?;
        let mut values = values.clone();
        normalize(&mut values);
        let order = key_order(&values);
        self.edit(at, SERVICE, |document_table| table::apply(document_table, &values, &order));
        let new_id = values.get("id").and_then(|id| id.as_str()).unwrap_or(id.as_str());
        if new_id != id.as_str() {
            self.edit_services(|service| {
                table::rename_dependency(service, id.as_str(), new_id);
                String::new()
            });
        }
        Ok(())
    }

    /// Takes a service out, and out of what others depend on.
    ///
    /// # Errors
    /// When there is no such service.
    pub fn remove_service(&mut self, id: &ServiceId) -> Result<(), EditError> {
        let at = self.require(id)?;
        self.pieces.remove(at);
        self.close_gap(at);
        self.edit_services(|service| table::remove_dependency(service, id.as_str()));
        Ok(())
    }

    /// Puts services into this order, each block with its comments; what is
    /// between blocks stays where it is. Services that are not named follow
    /// in the order they have.
    ///
    /// # Errors
    /// When one of them is not there; then nothing is moved.
    pub fn reorder_services(&mut self, ids: &[ServiceId]) -> Result<(), EditError> {
        self.require_blocks()?;
        let positions: HashMap<String, usize> =
            self.service_positions().filter_map(|at| Some((self.id_at(at)?, at))).collect();
        let mut order = Vec::new();
        for id in ids {
            let at = positions.get(id.as_str());
            let at = *at.ok_or_else(|| EditError::NoSuchService(id.to_string()))?;
            if !order.contains(&at) {
                order.push(at);
            }
        }
        let slots: Vec<usize> = self.service_positions().collect();
        let rest: Vec<usize> = slots.iter().copied().filter(|at| !order.contains(at)).collect();
        let newline = self.newline;
        let blocks: Vec<Piece> = order
            .into_iter()
            .chain(rest)
            .map(|at| self.pieces[at].clone().ended_by(newline))
            .collect();
        for (slot, block) in slots.into_iter().zip(blocks) {
            self.pieces[slot] = block;
        }
        Ok(())
    }

    /// Writes what a person changed in the window; what is at its default and
    /// not in the file stays out.
    pub fn set_preferences(&mut self, preferences: Preferences) {
        let defaults = preference_values(Settings::default().preferences());
        let wanted = preference_values(preferences);
        let place = self.settings_position();
        let present =
            place.and_then(|at| read(self.pieces[at].text(), SETTINGS)).unwrap_or_default();
        let changed: Values = wanted
            .into_iter()
            .filter(|(key, value)| present.get(key).or_else(|| defaults.get(key)) != Some(value))
            .collect();
        if changed.is_empty() {
            return;
        }
        if let Some(at) = place {
            self.edit(at, SETTINGS, |settings| {
                table::set_all(settings, &changed);
                String::new()
            });
        } else {
            let block = Piece::Settings(self.written(&mut new_block(SETTINGS, &changed)));
            let first = self.service_positions().next().unwrap_or(self.pieces.len());
            self.insert_apart(first, block);
        }
    }

    fn service_positions(&self) -> impl Iterator<Item = usize> {
        self.pieces
            .iter()
            .enumerate()
            .filter(|(_, piece)| matches!(piece, Piece::Service(_)))
            .map(|(at, _)| at)
    }

    fn id_at(&self, at: usize) -> Option<String> {
        let values = read(self.pieces[at].text(), SERVICE)?;
        values.get("id")?.as_str().map(str::to_owned)
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.service_positions().find(|at| self.id_at(*at).is_some_and(|found| found == id))
    }

    fn require(&self, id: &ServiceId) -> Result<usize, EditError> {
        self.require_blocks()?;
        self.position(id.as_str()).ok_or_else(|| EditError::NoSuchService(id.to_string()))
    }

    fn require_blocks(&self) -> Result<(), EditError> {
        let has_other =
            |piece: &Piece| matches!(piece, Piece::Other(text) if item_of(text, SERVICE).is_some());
        if self.pieces.iter().any(has_other) { Err(EditError::NotInBlocks) } else { Ok(()) }
    }

    fn settings_position(&self) -> Option<usize> {
        self.pieces.iter().position(|piece| match piece {
            Piece::Settings(_) => true,
            Piece::Other(text) => item_of(text, SETTINGS).is_some_and(|item| item.is_table_like()),
            Piece::Service(_) => false,
        })
    }

    /// Edits the table `name` of a piece. An edit that changes nothing leaves
    /// its bytes; comments that it returns go to the piece's end.
    fn edit(&mut self, at: usize, name: &str, change: impl FnOnce(&mut dyn TableLike) -> String) {
        let Ok(mut document) = self.pieces[at].text().parse::<DocumentMut>() else {
            return;
        };
        let before = document.to_string();
        let Some(table) = document.get_mut(name).and_then(table_of) else {
            return;
        };
        let left = change(table);
        if !left.is_empty() {
            let trailing = document.trailing().as_str().unwrap_or_default().to_owned();
            document.set_trailing(left + &trailing);
        }
        if document.to_string() != before {
            let text = self.written(&mut document);
            self.pieces[at].set_text(text);
        }
    }

    fn edit_services(&mut self, change: impl Fn(&mut dyn TableLike) -> String) {
        for at in self.service_positions().collect::<Vec<_>>() {
            self.edit(at, SERVICE, &change);
        }
    }

    /// Inserts a piece with an empty line to each side that has a piece.
    fn insert_apart(&mut self, at: usize, piece: Piece) {
        let newline = self.newline;
        if let Some(before) = at.checked_sub(1).map(|before| &mut self.pieces[before]) {
            *before = before.clone().ended_by(newline);
        }
        let blank = || Piece::Other(newline.to_owned());
        let after_blank = at == 0 || self.pieces[at - 1].ends_blank();
        let before_blank = self.pieces.get(at).is_none_or(Piece::starts_blank);
        let mut inserted = Vec::new();
        if !after_blank {
            inserted.push(blank());
        }
        inserted.push(piece);
        if !before_blank {
            inserted.push(blank());
        }
        self.pieces.splice(at..at, inserted);
    }

    /// Takes away the empty lines that a removed piece leaves double.
    fn close_gap(&mut self, at: usize) {
        let is_blank = |piece: Option<&Piece>| piece.is_some_and(Piece::is_blank);
        if is_blank(self.pieces.get(at)) {
            self.pieces.remove(at);
        } else if at == self.pieces.len() && at > 0 && is_blank(self.pieces.get(at - 1)) {
            self.pieces.remove(at - 1);
        } else if at > 0
            && self.pieces[at - 1].ends_blank()
            && self.pieces.get(at).is_some_and(Piece::starts_blank)
        {
            self.pieces[at].trim_blank_start();
        }
    }

    /// The text with the line ends of this file.
    fn written(&self, document: &mut DocumentMut) -> String {
        if self.newline == "\n" {
            return document.to_string();
        }
        OneLine.visit_document_mut(document);
        document.to_string().replace("\r\n", "\n").replace('\n', self.newline)
    }
}

/// Writes new texts of several lines in one, as in a file with Windows' line
/// ends they would get those too.
struct OneLine;

impl VisitMut for OneLine {
    fn visit_string_mut(&mut self, text: &mut Formatted<String>) {
        let written = text.display_repr();
        if !written.contains('\n') || written.contains("\r\n") {
            return;
        }
        // TOML has JSON's escapes.
        let escaped = serde_json::Value::from(text.value().as_str()).to_string();
        if let Ok(toml_edit::Value::String(mut one_line)) = escaped.parse() {
            *one_line.decor_mut() = text.decor().clone();
            *text = one_line;
        }
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| f.write_str(piece.text()))
    }
}

impl fmt::Debug for Document {
    /// Without the text: people write passwords into it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").finish_non_exhaustive()
    }
}

fn item_of(text: &str, name: &str) -> Option<Item> {
    text.parse::<DocumentMut>().ok()?.remove(name)
}

fn table_of(item: &mut Item) -> Option<&mut dyn TableLike> {
    match item {
        Item::ArrayOfTables(tables) => tables.get_mut(0).map(|table| table as &mut dyn TableLike),
        other => other.as_table_like_mut(),
    }
}

fn read(text: &str, name: &str) -> Option<Values> {
    let mut item = item_of(text, name)?;
    table_of(&mut item).map(|table| values_of(table))
}

fn new_block(name: &str, values: &Values) -> DocumentMut {
    let mut values = values.clone();
    normalize(&mut values);
    let mut table = Table::new();
    for key in key_order(&values) {
        if let Some(value) = values.get(&key).and_then(crate::toml::toml_of) {
            table.insert(&key, Item::Value(value));
        }
    }
    let mut document = DocumentMut::new();
    let item = match name {
        SERVICE => Item::ArrayOfTables(std::iter::once(table).collect()),
        _ => Item::Table(table),
    };
    document.insert(name, item);
    document
}

/// What the form has as text and the file as a number.
fn normalize(values: &mut Values) {
    let number =
        values.get(SLO).and_then(|slo| slo.as_str()?.trim().parse::<serde_json::Number>().ok());
    if let Some(number) = number {
        values.insert(SLO.to_owned(), serde_json::Value::Number(number));
    }
    values.retain(|_, value| !value.is_null());
}

/// The keys of a service in the order a new one is written; keys of no
/// declared field last.
fn key_order(values: &Values) -> Vec<String> {
    let kind = values.get("check").and_then(|check| check.as_str()).and_then(Kind::from_name);
    let mut order: Vec<String> = fields_of(kind).map(|field| field.key.to_owned()).collect();
    let rest: Vec<String> = values.keys().filter(|key| !order.contains(key)).cloned().collect();
    order.extend(rest);
    order
}

fn preference_values(preferences: Preferences) -> Values {
    let Preferences { theme, start_at_login, notifications, notify_recovery } = preferences;
    let mut values = Values::new();
    values.insert("theme".to_owned(), theme.as_str().into());
    values.insert("start_at_login".to_owned(), start_at_login.into());
    values.insert("notifications".to_owned(), notifications.into());
    values.insert("notify_recovery".to_owned(), notify_recovery.into());
    values
}

#[cfg(test)]
mod tests;
