//! Compares every row with its checksum and every bucket with the sum of its operations. The
//! comparison runs in one view of the file and blocks no writer.

use rusqlite::{Connection, ErrorCode, OpenFlags, Row};

use super::checksum::{ChecksumKey, RowTable, mismatch};
use super::directory::{change_checksum, record};
use super::prepared_connection::PreparedConnection;
use super::row_codec::{BucketRow, OperationRow, bucket_columns, operation_columns};
use super::store_path::StorePath;
use super::transaction::{key_checksum, reservation_checksum, texts_checksum};
use super::{connection, meta, schema};
use crate::store::{KEY_REST, Verification};
use crate::util::error::Error;

const SUMS_SQL: &str = "WITH parts (bucket, used, top_up) AS (
        SELECT bucket, used, top_up FROM operations
        UNION ALL SELECT j.value ->> 0, j.value ->> 1, j.value ->> 3 FROM operations o, json_each(o.other_deltas) j WHERE o.other_deltas IS NOT NULL
    ), sums AS (SELECT bucket, sum(used) AS used, sum(top_up) AS top_up, count(*) AS operations FROM parts GROUP BY bucket)
    SELECT b.account, b.member, b.meter, b.used, b.top_up, b.pruned_used + coalesce(s.used, 0) AS sum_used,
        b.pruned_top_up + coalesce(s.top_up, 0) AS sum_top_up, b.operations, coalesce(s.operations, 0) AS sum_operations
    FROM buckets b LEFT JOIN sums s ON s.bucket = b.id
    WHERE b.used <> sum_used OR b.top_up <> sum_top_up OR b.operations <> sum_operations";
const RESERVATIONS_SQL: &str =
    "SELECT b.account, b.member, b.meter, b.reservations, count(h.operation) AS found
    FROM buckets b LEFT JOIN reservations h ON h.bucket = b.id GROUP BY b.id HAVING b.reservations <> found";
const ORPHANS_SQL: &str =
    "SELECT count(*) FROM operations o LEFT JOIN buckets b ON b.id = o.bucket WHERE b.id IS NULL";
/// Selects buckets whose newest operation is newer than all operations. The end of the table was
/// then lost or removed.
const LOST_SQL: &str = "SELECT coalesce(max(last), 0) FROM buckets WHERE last > (SELECT coalesce(max(id), 0) FROM operations)";
/// Selects operations whose key is missing or belongs to an earlier operation. A key is removed
/// [`KEY_REST`] after its operation has expired, at the earliest.
fn keyless_sql() -> String {
    format!(
        "SELECT count(*) FROM operations o JOIN buckets b ON b.id = o.bucket
        LEFT JOIN idempotency_keys k ON k.account = b.account AND k.key = o.idempotency_key
        WHERE o.idempotency_key IS NOT NULL AND coalesce(k.operation, 0) < o.id
            AND o.retain_until + {KEY_REST} > (SELECT at FROM operations ORDER BY id DESC LIMIT 1)"
    )
}

/// The greatest number of faults reported by one query.
const MAX_FAULTS: usize = 100;

pub(super) fn verify(place: &StorePath) -> Result<Verification, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(&place.path, flags).map_err(|error| place.sqlite(&error))?;
    connection::version(place, &connection)?;
    view(&PreparedConnection::new(connection)).map_err(|error| place.sqlite(&error))
}

/// Returns the message of a fault of the file. Other errors are returned as errors.
fn fault(error: rusqlite::Error) -> rusqlite::Result<String> {
    match error.sqlite_error_code() {
        None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Ok(error.to_string()),
        Some(_) => Err(error),
    }
}

/// A verification in one view of the file.
struct Verifier<'c> {
    view: &'c PreparedConnection,
    found: Verification,
}

impl Verifier<'_> {
    /// Adds the fault that `check_row` finds in each row, and every row that cannot be read.
    /// Returns the number of rows.
    fn each(
        &mut self,
        sql: &str,
        mut check_row: impl FnMut(&Row<'_>) -> rusqlite::Result<Option<String>>,
    ) -> rusqlite::Result<u64> {
        let (mut count, mut reported) = (0_u64, 0_usize);
        let walked = self.view.prepare(sql).and_then(|mut statement| {
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                count = count.saturating_add(1);
                let message = match check_row(row) {
                    Ok(message) => message,
                    Err(error) => Some(fault(error)?),
                };
                if let Some(message) = message.filter(|_| reported < MAX_FAULTS) {
                    reported = reported.saturating_add(1);
                    self.found.faults.push(message);
                }
            }
            Ok(())
        });
        if let Err(error) = walked {
            self.found.faults.push(fault(error)?);
        }
        Ok(count)
    }

    /// Compares every row of every table with its checksum.
    fn check_rows(&mut self, key: &ChecksumKey) -> rusqlite::Result<()> {
        let number = |row: &Row<'_>, at: usize| row.get::<_, i64>(at);
        self.each("SELECT name, value, checksum FROM meta", |row| {
            let name = row.get_ref(0)?.as_str()?;
            compare_checksums(
                RowTable::Meta,
                name,
                meta::value_checksum(key, name, row.get_ref(1)?),
                number(row, 2)?,
            )
        })?;
        self.found.buckets = self.each(
            concat!("SELECT ", bucket_columns!(), " FROM buckets b"),
            |row| BucketRow::read(key, row, 0).map(|_| None),
        )?;
        let operations = concat!("SELECT ", operation_columns!(), " FROM operations o");
        self.found.operations = self.each(operations, |row| {
            OperationRow::read(key, row, 0)?.operation("").map(|_| None)
        })?;
        self.each(
            "SELECT account, key, operation, expires_at, checksum FROM idempotency_keys",
            |row| {
                let (account, name) = (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
                compare_checksums(
                    RowTable::IdempotencyKeys,
                    name,
                    key_checksum(key, (account, name), number(row, 2)?, number(row, 3)?),
                    number(row, 4)?,
                )
            },
        )?;
        self.each(
            "SELECT bucket, operation, amount, expires_at, checksum FROM reservations",
            |row| {
                let [bucket, operation, amount, expires_at] = [
                    number(row, 0)?,
                    number(row, 1)?,
                    number(row, 2)?,
                    number(row, 3)?,
                ];
                compare_checksums(
                    RowTable::Reservations,
                    operation,
                    reservation_checksum(key, bucket, operation, amount, expires_at),
                    number(row, 4)?,
                )
            },
        )?;
        self.check_directory_rows(key)
    }

    /// Checks the rows of the directory and of its documents.
    fn check_directory_rows(&mut self, key: &ChecksumKey) -> rusqlite::Result<()> {
        let number = |row: &Row<'_>, at: usize| row.get::<_, i64>(at);
        self.each(
            "SELECT revision, total, checksum, changes FROM changes",
            |row| {
                let revision = number(row, 0)?;
                compare_checksums(
                    RowTable::Changes,
                    revision,
                    change_checksum(key, revision, number(row, 1)?, row.get_ref(3)?.as_str()?),
                    number(row, 2)?,
                )
            },
        )?;
        self.each(
            "SELECT account, name, text, checksum FROM documents",
            |row| {
                let [account, name, text] = [
                    row.get_ref(0)?.as_str()?,
                    row.get_ref(1)?.as_str()?,
                    row.get_ref(2)?.as_str()?,
                ];
                compare_checksums(
                    RowTable::Documents,
                    format_args!("{account} {name}"),
                    texts_checksum(key, RowTable::Documents, [account, name, text]),
                    number(row, 3)?,
                )
            },
        )?;
        let mut all = 0_i64;
        self.each("SELECT type, id, record, checksum FROM records", |row| {
            all ^= record(key, row)?.1;
            Ok(None)
        })?;
        match meta::read::<i64>(self.view, key, "records") {
            Ok(records) if records.unwrap_or(0) != all => self
                .found
                .faults
                .push("its records do not agree with their checksum".to_owned()),
            _ => {}
        }
        Ok(())
    }

    /// Compares values that are stored in several tables.
    fn check_sums(&mut self) -> rusqlite::Result<()> {
        let number = |row: &Row<'_>, at: usize| row.get::<_, i64>(at);
        self.each(SUMS_SQL, |row| {
            let [used, top_up, sum_used, sum_top_up] = [number(row, 3)?, number(row, 4)?, number(row, 5)?, number(row, 6)?];
            let [operations, sum] = [number(row, 7)?, number(row, 8)?];
            let name = name(row)?;
            Ok(Some(if operations == sum {
                format!("{name}: {used} used and {top_up} topped up, where the operations sum to {sum_used} and {sum_top_up}")
            } else {
                format!("{name}: {used} used by {operations} operations, where {sum} are kept and sum to {sum_used}")
            }))
        })?;
        self.each(RESERVATIONS_SQL, |row| {
            Ok(Some(format!(
                "{}: {} reservations, where {} are kept",
                name(row)?,
                number(row, 3)?,
                number(row, 4)?
            )))
        })?;
        let some = |count: i64, what: &str| (count > 0).then(|| format!("{count} {what}"));
        self.each(ORPHANS_SQL, |row| {
            Ok(some(number(row, 0)?, "operations have no bucket"))
        })?;
        self.each(LOST_SQL, |row| {
            Ok(some(
                number(row, 0)?,
                "was the last operation, and it is lost with others before it",
            ))
        })?;
        self.each(&keyless_sql(), |row| {
            Ok(some(number(row, 0)?, "operations have lost their key"))
        })?;
        self.each("PRAGMA integrity_check", |row| {
            Ok(Some(row.get::<_, String>(0)?).filter(|word| word != "ok"))
        })?;
        Ok(())
    }
}

fn compare_checksums(
    table: RowTable,
    row: impl std::fmt::Display,
    checksum: i64,
    stored: i64,
) -> rusqlite::Result<Option<String>> {
    if checksum == stored {
        Ok(None)
    } else {
        Err(mismatch(table, &row))
    }
}

fn name(row: &Row<'_>) -> rusqlite::Result<String> {
    let member: String = row.get(1)?;
    let member = if member.is_empty() {
        member
    } else {
        format!(" of member `{member}`")
    };
    Ok(format!(
        "`{}`{member}, meter `{}`",
        row.get::<_, String>(0)?,
        row.get::<_, String>(2)?
    ))
}

fn view(connection: &PreparedConnection) -> rusqlite::Result<Verification> {
    let _view = connection.unchecked_transaction()?;
    let mut verifier = Verifier {
        view: connection,
        found: Verification::default(),
    };
    if let Err(error) = schema::compare(connection) {
        verifier.found.faults.push(fault(error)?);
    }
    // Without the checksum key no row can be compared.
    match meta::identity(connection) {
        Ok((_, key)) => verifier.check_rows(&key)?,
        Err(error) => verifier.found.faults.push(fault(error)?),
    }
    verifier.check_sums()?;
    Ok(verifier.found)
}
