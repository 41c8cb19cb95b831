//! The named values of a store.

use rusqlite::types::{FromSql, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, params};

use super::checksum::{ChecksumKey, RowTable, mismatch};

/// Returns the value with this name, or `None` if there is none.
pub(super) fn read<T: FromSql>(
    connection: &Connection,
    key: &ChecksumKey,
    name: &str,
) -> rusqlite::Result<Option<T>> {
    let mut statement =
        connection.prepare_cached("SELECT value, checksum FROM meta WHERE name = ?1")?;
    let found = statement.query_row([name], |row| {
        let checksum = value_checksum(key, name, row.get_ref(0)?);
        if checksum == row.get::<_, i64>(1)? {
            row.get(0)
        } else {
            Err(mismatch(RowTable::Meta, &name))
        }
    });
    found.optional()
}

/// Writes a value in place of the previous one.
pub(super) fn write(
    connection: &Connection,
    key: &ChecksumKey,
    name: &str,
    value: &dyn ToSql,
) -> rusqlite::Result<()> {
    let checksum = match value.to_sql()? {
        ToSqlOutput::Borrowed(value) => value_checksum(key, name, value),
        ToSqlOutput::Owned(value) => value_checksum(key, name, ValueRef::from(&value)),
        _ => value_checksum(key, name, ValueRef::Null),
    };
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2, ?3)")?
        .execute(params![name, value, checksum])
        .map(drop)
}

/// Returns the checksum of a row.
pub(super) fn value_checksum(key: &ChecksumKey, name: &str, value: ValueRef<'_>) -> i64 {
    key.row_checksum(RowTable::Meta, &[ValueRef::Text(name.as_bytes()), value])
}

/// Returns the id of a store, and the key of its checksums.
pub(super) fn identity(connection: &Connection) -> rusqlite::Result<(String, ChecksumKey)> {
    let id: String =
        connection.query_row("SELECT value FROM meta WHERE name = 'store'", [], |row| {
            row.get(0)
        })?;
    let key = ChecksumKey::new(&id);
    match read::<String>(connection, &key, "store")? {
        Some(id) => Ok((id, key)),
        None => Err(mismatch(RowTable::Meta, &"store")),
    }
}
