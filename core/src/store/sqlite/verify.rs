//! Compares every bucket with the sum of its operations, in one view of the file that keeps no writer waiting.

use rusqlite::{Connection, OpenFlags};

use super::file::{self, Place};
use crate::Error;
use crate::store::Verification;

const SUMS: &str = "WITH parts (bucket, used, top_up) AS (
        SELECT bucket, used, top_up FROM operations
        UNION ALL SELECT j.value ->> 0, j.value ->> 1, j.value ->> 3 FROM operations o, json_each(o.more) j WHERE o.more IS NOT NULL
    ), sums AS (SELECT bucket, sum(used) AS used, sum(top_up) AS top_up FROM parts GROUP BY bucket)
    SELECT b.account, b.member, b.meter, b.used, b.top_up,
        b.pruned_used + coalesce(s.used, 0) AS sum_used, b.pruned_top_up + coalesce(s.top_up, 0) AS sum_top_up
    FROM buckets b LEFT JOIN sums s ON s.bucket = b.id WHERE b.used <> sum_used OR b.top_up <> sum_top_up";
const HOLDS: &str = "SELECT b.account, b.member, b.meter, b.holds, count(h.operation) AS found
    FROM buckets b LEFT JOIN holds h ON h.bucket = b.id GROUP BY b.id HAVING b.holds <> found";
const LOOSE: &str = "SELECT count(*) FROM operations o LEFT JOIN buckets b ON b.id = o.bucket WHERE b.id IS NULL";

pub(super) fn verify(place: &Place) -> Result<Verification, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&place.path, flags).map_err(|found| place.sqlite(&found))?;
    file::version(place, &connection)?;
    view(&connection).map_err(|found| place.sqlite(&found))
}

fn view(connection: &Connection) -> rusqlite::Result<Verification> {
    let view = connection.unchecked_transaction()?;
    let count = |sql: &str| view.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|number| u64::try_from(number).unwrap_or(0));
    let mut found = Verification { buckets: count("SELECT count(*) FROM buckets")?, operations: count("SELECT count(*) FROM operations")?, faults: Vec::new() };
    let name = |row: &rusqlite::Row<'_>| {
        let member: String = row.get(1)?;
        let member = if member.is_empty() { member } else { format!(" of member `{member}`") };
        Ok::<_, rusqlite::Error>(format!("`{}`{member}, meter `{}`", row.get::<_, String>(0)?, row.get::<_, String>(2)?))
    };
    let number = |row: &rusqlite::Row<'_>, at: usize| row.get::<_, i64>(at);
    let mut statement = view.prepare(SUMS)?;
    let sums = statement.query_map([], |row| {
        let [used, top_up, sum_used, sum_top_up] = [number(row, 3)?, number(row, 4)?, number(row, 5)?, number(row, 6)?];
        Ok(format!("{}: {used} used and {top_up} topped up, where the operations sum to {sum_used} and {sum_top_up}", name(row)?))
    })?;
    found.faults.extend(sums.collect::<rusqlite::Result<Vec<_>>>()?);
    let mut statement = view.prepare(HOLDS)?;
    let holds = statement.query_map([], |row| Ok(format!("{}: {} holds, where {} are kept", name(row)?, number(row, 3)?, number(row, 4)?)))?;
    found.faults.extend(holds.collect::<rusqlite::Result<Vec<_>>>()?);
    let loose = count(LOOSE)?;
    if loose > 0 {
        found.faults.push(format!("{loose} operations have no bucket"));
    }
    let mut statement = view.prepare("PRAGMA quick_check")?;
    let checked = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    found.faults.extend(checked.into_iter().filter(|word| word != "ok"));
    Ok(found)
}
