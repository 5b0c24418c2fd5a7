use std::collections::HashMap;

use rusqlite::Connection;
use rusqlite::types::Value;

/// Texts remembered at once; beyond, all are forgotten and learnt anew.
const REMEMBERED: usize = 4_096;

/// How messages and metadata are stored small: a text seen for the first time
/// is stored as it is, one seen again as the key of a row in `texts`. Texts
/// that are different every time so never fill that table.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    seen: HashMap<String, Option<i64>>,
}

impl Texts {
    pub fn store(&mut self, conn: &Connection, text: String) -> rusqlite::Result<Value> {
        if let Some(key) = self.seen.get_mut(&text) {
            let key = match key {
                Some(key) => *key,
                None => *key.insert(intern(conn, &text)?),
            };
            return Ok(Value::Integer(key));
        }
        if self.seen.len() >= REMEMBERED {
            self.seen.clear();
        }
        self.seen.insert(text.clone(), None);
        Ok(Value::Text(text))
    }
}

fn intern(conn: &Connection, text: &str) -> rusqlite::Result<i64> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO texts (text) VALUES (?1) ON CONFLICT (text) DO UPDATE SET text = text RETURNING key",
    )?;
    insert.query_row([text], |row| row.get(0))
}
