//! The named values of a store.

use rusqlite::params;
use rusqlite::types::{FromSql, ToSql, ToSqlOutput, ValueRef};

use super::checksum::{ChecksumKey, RowTable, mismatch};
use super::prepared_connection::PreparedConnection;

/// Returns the value with this name, or `None` if there is none.
pub(super) fn read<T: FromSql>(
    connection: &PreparedConnection,
    key: &ChecksumKey,
    name: &str,
) -> rusqlite::Result<Option<T>> {
    let sql = "SELECT value, checksum FROM meta WHERE name = ?1";
    connection.query_one(sql, [name], |row| {
        let checksum = value_checksum(key, name, row.get_ref(0)?);
        if checksum == row.get::<_, i64>(1)? {
            row.get(0)
        } else {
            Err(mismatch(RowTable::Meta, &name))
        }
    })
}

/// Writes a value in place of the previous one.
pub(super) fn write(
    connection: &PreparedConnection,
    key: &ChecksumKey,
    name: &str,
    value: &dyn ToSql,
) -> rusqlite::Result<()> {
    let checksum = match value.to_sql()? {
        ToSqlOutput::Borrowed(value) => value_checksum(key, name, value),
        ToSqlOutput::Owned(value) => value_checksum(key, name, ValueRef::from(&value)),
        _ => value_checksum(key, name, ValueRef::Null),
    };
    let sql = "INSERT OR REPLACE INTO meta VALUES (?1, ?2, ?3)";
    connection
        .execute(sql, params![name, value, checksum])
        .map(drop)
}

/// Returns the checksum of a row.
pub(super) fn value_checksum(key: &ChecksumKey, name: &str, value: ValueRef<'_>) -> i64 {
    key.row_checksum(RowTable::Meta, &[ValueRef::Text(name.as_bytes()), value])
}

/// Returns the id of a store, and the key of its checksums.
pub(super) fn identity(connection: &PreparedConnection) -> rusqlite::Result<(String, ChecksumKey)> {
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
