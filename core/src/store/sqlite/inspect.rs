//! A read-only view of a live store, from any process. The view takes no lock of Sublet and blocks
//! no writer.

use std::collections::BTreeMap;

use rusqlite::{Connection, OpenFlags, Row};
use serde::Serialize;

use super::checksum::ChecksumKey;
use super::prepared_connection::PreparedConnection;
use super::row_codec::{BucketRow, bucket_columns};
use super::store_path::{StorePath, StoreUrl, parse_store_url};
use super::{clock_trust, connection, meta, transaction};
use crate::model::calendar;
use crate::store::Verification;
use crate::util::error::Error;

/// The contents of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// The store URL as it was given.
    pub store: String,
    /// The id that the store received when it was created. A copy has the same id.
    pub id: String,
    /// The version of the tables.
    pub version: i64,
    /// The directory's revision.
    pub revision: u64,
    /// The number of records of each type in the directory.
    pub records: BTreeMap<String, u64>,
    /// The number of accounts with counts.
    pub accounts: u64,
    /// The number of buckets.
    pub buckets: u64,
    /// The number of stored operations.
    pub operations: u64,
    /// The number of stored keys.
    pub keys: u64,
    /// The number of open reservations, and of expired ones that have not been removed yet.
    pub reservations: u64,
    /// The instants of the oldest and the newest stored operation (RFC 3339).
    pub oldest: Option<String>,
    /// See `oldest`.
    pub newest: Option<String>,
    /// The sizes of the database and of its log in bytes.
    pub bytes: u64,
    /// See `bytes`.
    pub log_bytes: u64,
    /// The buckets of the requested account, the newest window first.
    pub counts: Vec<InspectedCount>,
}

/// One bucket of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectedCount {
    /// The member whose count it is, or `None` for the account's own.
    pub member: Option<String>,
    /// The meter.
    pub meter: String,
    /// The begin and the end of the window (RFC 3339), or `None` if the window has no bounds.
    pub begins: Option<String>,
    /// See `begins`.
    pub ends: Option<String>,
    /// The amount used in the window.
    pub used: i64,
    /// The amount reserved in the window and not expired.
    pub held: i64,
    /// The amount added to the limit.
    pub top_up: i64,
}

/// Inspects the store with this URL (`sqlite:PATH`), which other processes may be using. Needs no
/// bundle and writes nothing.
///
/// # Errors
/// Fails with the `store.*` codes, and with [`Error::Store`] if the store is not in a file.
pub fn inspect_store(store: &str, account: Option<&str>) -> Result<Inspection, Error> {
    crate::util::panic::catch_panic(|| {
        let named = parse_store_url(store)?;
        view(&named, account)
    })
}

/// Compares every bucket of a store with the sum of its operations, as
/// [`Engine::verify`](crate::Engine::verify) does, and checks the file. Needs no bundle and writes
/// nothing.
///
/// # Errors
/// Fails with the same errors as [`inspect_store`].
pub fn verify_store(store: &str) -> Result<Verification, Error> {
    crate::util::panic::catch_panic(|| {
        let StoreUrl { place, .. } = parse_store_url(store)?;
        if !place.path.is_file() {
            return Err(place.missing());
        }
        crate::cedar::first_use::prepare();
        let _pass = crate::util::fork_guard::ForkGuard::new();
        super::verify::verify(&place)
    })
}

fn view(StoreUrl { place, .. }: &StoreUrl, account: Option<&str>) -> Result<Inspection, Error> {
    if !place.path.is_file() {
        return Err(place.missing());
    }
    crate::cedar::first_use::prepare();
    let _pass = crate::util::fork_guard::ForkGuard::new();
    let map_sqlite_error = |error: rusqlite::Error| place.sqlite(&error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&place.path, flags).map_err(map_sqlite_error)?;
    let connection = PreparedConnection::new(connection);
    let version = connection::version(place, &connection)?;
    read(place, &connection, version, account).map_err(map_sqlite_error)
}

fn number(row: &Row<'_>) -> rusqlite::Result<u64> {
    row.get::<_, i64>(0)
        .map(|number| u64::try_from(number).unwrap_or(0))
}

fn read(
    place: &StorePath,
    connection: &PreparedConnection,
    version: i64,
    account: Option<&str>,
) -> rusqlite::Result<Inspection> {
    let view = connection.unchecked_transaction()?;
    let count = |sql: &str| view.query_row(sql, [], number);
    let text = |at: Option<i64>| at.and_then(calendar::instant_text);
    let (oldest, newest) =
        view.query_row("SELECT min(at), max(at) FROM operations", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let mut kinds =
        view.prepare("SELECT count(*), type FROM records WHERE type <> 'Removed' GROUP BY type")?;
    let records = kinds
        .query_map([], |row| Ok((row.get(1)?, number(row)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let bytes = |path| std::fs::metadata(path).map_or(0, |found| found.len());
    let (id, key) = meta::identity(connection)?;
    Ok(Inspection {
        store: place.name.clone(),
        id,
        version,
        revision: meta::read::<i64>(connection, &key, "revision")?
            .and_then(|revision| u64::try_from(revision).ok())
            .unwrap_or(0),
        records,
        accounts: count("SELECT count(DISTINCT account) FROM buckets WHERE account <> ''")?,
        buckets: count("SELECT count(*) FROM buckets")?,
        operations: count("SELECT count(*) FROM operations")?,
        keys: count("SELECT count(*) FROM idempotency_keys")?,
        reservations: count("SELECT count(*) FROM reservations")?,
        oldest: text(oldest),
        newest: text(newest),
        bytes: bytes(place.path.clone()),
        log_bytes: bytes(place.with_suffix("-wal")),
        counts: account.map_or(Ok(Vec::new()), |account| counts(connection, &key, account))?,
    })
}

fn counts(
    connection: &PreparedConnection,
    key: &ChecksumKey,
    account: &str,
) -> rusqlite::Result<Vec<InspectedCount>> {
    let sql = concat!(
        "SELECT ",
        bucket_columns!(),
        " FROM buckets b WHERE b.account = ?1 AND b.meter <> '' ORDER BY b.start DESC, b.meter, b.member"
    );
    let (mut statement, now) = (connection.prepare(sql)?, clock_trust::clock_now());
    let rows = statement.query_map([account], |row| {
        let text = |at: i64| {
            Some(at)
                .filter(|at| ![i64::MIN, i64::MAX].contains(at))
                .and_then(calendar::instant_text)
        };
        let bucket = BucketRow::read(key, row, 0)?;
        Ok(InspectedCount {
            member: Some(row.get::<_, String>(2)?).filter(|member| !member.is_empty()),
            meter: row.get(3)?,
            begins: text(bucket.window.start),
            ends: text(bucket.window.end),
            used: bucket.used,
            held: transaction::reserved_amount(connection, key, &bucket, now)?,
            top_up: bucket.top_up,
        })
    })?;
    rows.collect()
}
