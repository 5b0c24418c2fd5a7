use probe::Values;
use serde_json::Value;
use toml_edit::{Array, Item, RawString, TableLike};

use crate::toml::{json_of, toml_of};

const DEPENDS_ON: &str = "depends_on";

/// Sets the keys of `table` to `values`: keys that are equal stay as they are
/// written, keys that are not in `values` go, new ones take their place in
/// `order`. Returns the comments of removed keys that found no other key.
pub(super) fn apply(table: &mut dyn TableLike, values: &Values, order: &[String]) -> String {
    let gone: Vec<String> = table
        .iter()
        .map(|(key, _)| key.to_owned())
        .filter(|key| !values.contains_key(key))
        .collect();
    let left = gone.iter().map(|key| remove(table, key)).collect();
    for (key, value) in values {
        set(table, key, value, order);
    }
    left
}

/// Sets some keys of `table`; the others stay.
pub(super) fn set_all(table: &mut dyn TableLike, values: &Values) {
    for (key, value) in values {
        set(table, key, value, &[]);
    }
}

fn set(table: &mut dyn TableLike, key: &str, value: &Value, order: &[String]) {
    if let Some(item) = table.get_mut(key)
        && (json_of(item).as_ref() == Some(value) || replace(item, value))
    {
        return;
    }
    let place = if table.contains_key(key) {
        position(table, key)
    } else {
        insertion_point(table, key, order)
    };
    table.remove(key);
    if let Some(value) = toml_of(value) {
        table.insert(key, Item::Value(value));
        move_behind(table, key, place);
    }
}

/// Writes `value` where `item` is, if that has a place for it.
fn replace(item: &mut Item, value: &Value) -> bool {
    match (item, value) {
        (Item::Table(table), Value::Object(values)) if !values.is_empty() => {
            apply(table, values, &[]);
            true
        }
        (Item::Value(old), _) => {
            let Some(mut new) = edited(old, value).or_else(|| toml_of(value)) else {
                return false;
            };
            *new.decor_mut() = old.decor().clone();
            *old = new;
            true
        }
        (Item::None | Item::Table(_) | Item::ArrayOfTables(_), _) => false,
    }
}

/// A list or table that keeps its layout because only some of it changes.
fn edited(old: &toml_edit::Value, value: &Value) -> Option<toml_edit::Value> {
    match (old, value) {
        (toml_edit::Value::Array(array), Value::Array(items)) => {
            extended(array, items).map(toml_edit::Value::Array)
        }
        (toml_edit::Value::InlineTable(table), Value::Object(values)) => {
            let same_keys =
                table.len() == values.len() && values.keys().all(|key| table.contains_key(key));
            same_keys.then(|| {
                let mut table = table.clone();
                apply(&mut table, values, &[]);
                table.into()
            })
        }
        _ => None,
    }
}

/// The list without what is not in `items`, and with what is new, if that is
/// all it takes to make them equal.
fn extended(array: &Array, items: &[Value]) -> Option<Array> {
    let mut array = array.clone();
    for index in (0..array.len()).rev() {
        let is_kept = array.get(index).is_some_and(|old| items.contains(&json_of_element(old)));
        if !is_kept {
            remove_element(&mut array, index);
        }
    }
    let kept: Vec<Value> = array.iter().map(json_of_element).collect();
    let new = items.strip_prefix(kept.as_slice()).filter(|_| !kept.is_empty())?;
    for value in new.iter().filter_map(toml_of) {
        push_element(&mut array, value);
    }
    Some(array)
}

fn json_of_element(value: &toml_edit::Value) -> Value {
    json_of(&Item::Value(value.clone())).unwrap_or_default()
}

/// Adds an element laid out like the one before.
fn push_element(array: &mut Array, mut value: toml_edit::Value) {
    let last = array.len().checked_sub(1).and_then(|last| array.get_mut(last));
    if let Some(last) = last {
        let above = last.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
        let indent = above.rfind('\n').map_or(" ", |at| &above[at..]).to_owned();
        value.decor_mut().set_prefix(indent);
        if let Some(suffix) = last.decor().suffix().cloned() {
            value.decor_mut().set_suffix(suffix);
            last.decor_mut().set_suffix("");
        }
    }
    array.push_formatted(value);
}

/// Removes an element and the comment behind it. That of the element before
/// is behind the comma, so it is part of what is removed, and stays.
fn remove_element(array: &mut Array, index: usize) {
    let removed = array.remove(index);
    let decor = removed.decor();
    let text =
        |raw: Option<&RawString>| raw.and_then(RawString::as_str).unwrap_or_default().to_owned();
    let before = text(decor.prefix());
    if let Some(next) = array.get_mut(index) {
        let after = text(next.decor().prefix());
        let joined = joined(&before, &after).unwrap_or(before);
        next.decor_mut().set_prefix(joined);
        return;
    }
    let keep_comment = |after: String| {
        joined(&before, &after).unwrap_or(if before.contains('#') { before.clone() } else { after })
    };
    if array.trailing_comma() {
        let trailing = keep_comment(text(Some(array.trailing())));
        array.set_trailing(trailing);
    } else if let Some(last) = index.checked_sub(1).and_then(|last| array.get_mut(last)) {
        last.decor_mut().set_suffix(keep_comment(text(decor.suffix())));
    }
}

/// The rest of the line before, and the lines after; nothing if there is no
/// line after.
fn joined(before: &str, after: &str) -> Option<String> {
    let rest_of_line = before.split('\n').next().unwrap_or_default();
    after.find('\n').map(|at| format!("{}{}", rest_of_line, &after[at..]))
}

/// Removes a key with its comment; comments that an empty line sets apart
/// from it go to the next key, or are returned.
fn remove(table: &mut dyn TableLike, key: &str) -> String {
    let above =
        table.key(key).and_then(|key| key.leaf_decor().prefix()?.as_str()).unwrap_or_default();
    let mut kept = set_apart(above).to_owned();
    let next = keys(table)
        .into_iter()
        .skip(position(table, key) + 1)
        .find(|next| table.get(next).is_some_and(Item::is_value));
    table.remove(key);
    let Some(mut next) = next.as_deref().and_then(|next| table.key_mut(next)) else {
        return kept;
    };
    let decor = next.leaf_decor_mut();
    kept.push_str(decor.prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default());
    decor.set_prefix(kept);
    String::new()
}

/// The lines up to the last empty one.
fn set_apart(above: &str) -> &str {
    let mut end = 0;
    let mut at = 0;
    for line in above.split_inclusive('\n') {
        at += line.len();
        if line.ends_with('\n') && line.trim().is_empty() {
            end = at;
        }
    }
    &above[..end]
}

fn keys(table: &dyn TableLike) -> Vec<String> {
    table.iter().map(|(key, _)| key.to_owned()).collect()
}

fn position(table: &dyn TableLike, key: &str) -> usize {
    table.iter().take_while(|(other, _)| *other != key).count()
}

/// Behind the keys that come before it in `order`.
fn insertion_point(table: &dyn TableLike, key: &str, order: &[String]) -> usize {
    let rank = |key: &str| order.iter().position(|ordered| ordered == key);
    let Some(own) = rank(key) else {
        return table.iter().count();
    };
    let before = table.iter().enumerate().filter_map(|(at, (other, _))| Some((rank(other)?, at)));
    before.filter(|(rank, _)| *rank < own).max().map_or(0, |(_, at)| at + 1)
}

/// Moves the last key, `key`, to `place`, by moving all from there behind it.
fn move_behind(table: &mut dyn TableLike, key: &str, place: usize) {
    for other in keys(table).into_iter().skip(place).filter(|other| other != key) {
        if let Some(format) = table.get_key_value(&other).map(|(format, _)| format.clone())
            && let Some(item) = table.remove(&other)
        {
            table.entry_format(&format).or_insert(item);
        }
    }
}

/// Writes the new id where a service depends on the old one.
pub(super) fn rename_dependency(service: &mut dyn TableLike, old: &str, new: &str) {
    let Some(array) = service.get_mut(DEPENDS_ON).and_then(Item::as_array_mut) else {
        return;
    };
    for element in array.iter_mut().filter(|element| element.as_str() == Some(old)) {
        let mut renamed = toml_edit::Value::from(new);
        *renamed.decor_mut() = element.decor().clone();
        *element = renamed;
    }
}

/// Takes an id out of what a service depends on; an empty list goes too.
pub(super) fn remove_dependency(service: &mut dyn TableLike, id: &str) -> String {
    let Some(array) = service.get_mut(DEPENDS_ON).and_then(Item::as_array_mut) else {
        return String::new();
    };
    let depended = array.len();
    for index in (0..depended).rev() {
        if array.get(index).and_then(|element| element.as_str()) == Some(id) {
            remove_element(array, index);
        }
    }
    if array.is_empty() && depended > 0 { remove(service, DEPENDS_ON) } else { String::new() }
}
