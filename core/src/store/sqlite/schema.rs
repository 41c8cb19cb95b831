//! The tables of a store, and the check that a file has them.

use once_cell::race::OnceBox;
use rusqlite::{Connection, OptionalExtension};

/// The tables of a new store.
pub(super) const SCHEMA: &str = include_str!("schema.sql");

/// The name and the text of each table and index.
type SchemaObjects = Vec<(String, String)>;

fn objects() -> rusqlite::Result<SchemaObjects> {
    let made = Connection::open_in_memory()?;
    made.execute_batch(SCHEMA)?;
    let mut statement =
        made.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
    statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Compares the tables of a store with those of `schema.sql`. Fails if a table or an index differs,
/// even in a default.
pub(super) fn compare(connection: &Connection) -> rusqlite::Result<()> {
    static OBJECTS: OnceBox<SchemaObjects> = OnceBox::new();
    let known = OBJECTS.get_or_try_init(|| objects().map(Box::new))?;
    let mut statement = connection.prepare("SELECT sql FROM sqlite_schema WHERE name = ?1")?;
    for (name, sql) in known {
        let found: Option<String> = statement.query_row([name], |row| row.get(0)).optional()?;
        if found.as_ref() != Some(sql) {
            return Err(rusqlite::Error::ToSqlConversionFailure(
                format!("`{name}` is not as it was made").into(),
            ));
        }
    }
    Ok(())
}
