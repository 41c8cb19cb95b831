//! Validates the system clock when a store is opened.
//!
//! A large gap since the last recorded instant is normal after downtime but wrong after a clock
//! jump. The time since boot, which cannot be set, distinguishes the two.

use rusqlite::OptionalExtension;

use super::checksum::{ChecksumKey, is_mismatch};
use super::meta;
use super::prepared_connection::PreparedConnection;
use super::row_codec::{OperationRow, operation_columns};
use crate::model::clock::{Clock, DAY, HighWater};

/// Returns the id of this boot of the machine, and the instant of the boot by the system clock in
/// milliseconds.
fn start(now: i64) -> Option<(String, i64)> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let (whole, parts) = uptime.split_whitespace().next()?.split_once('.')?;
    let parts: i64 = parts.get(..2)?.parse().ok()?;
    let uptime = whole
        .parse::<i64>()
        .ok()?
        .checked_mul(1_000)?
        .checked_add(parts.checked_mul(10)?)?;
    Some((id.trim().to_owned(), now.checked_sub(uptime)?))
}

/// Selects the last operation.
pub(super) const LAST: &str = concat!(
    "SELECT ",
    operation_columns!(),
    " FROM operations o ORDER BY o.id DESC LIMIT 1"
);

/// Returns the time of the system clock.
pub(super) fn clock_now() -> i64 {
    Clock::System.now()
}

/// Returns the value of a row and whether the row is damaged. A damaged row has no value.
fn intact<T>(found: rusqlite::Result<Option<T>>) -> rusqlite::Result<(Option<T>, bool)> {
    match found {
        Ok(value) => Ok((value, false)),
        Err(error) if is_mismatch(&error) => Ok((None, true)),
        Err(error) => Err(error),
    }
}

/// Returns the clock of a store, with the high-water mark from the database.
///
/// A damaged row confirms no instant. Rights are then answered without the mark. Consumes require
/// [`accept_clock`](super::accept_clock), unless another row confirms the clock.
pub(super) fn open_high_water(
    clock: Clock,
    connection: &PreparedConnection,
    key: &ChecksumKey,
) -> rusqlite::Result<HighWater> {
    let (last, is_last_damaged) = intact(
        connection
            .query_row(LAST, [], |row| Ok(OperationRow::read(key, row, 0)?.at))
            .optional(),
    )?;
    let (seen, is_seen_damaged) = intact(meta::read(connection, key, "seen"))?;
    let unknown = if is_last_damaged || is_seen_damaged {
        0
    } else {
        i64::MIN
    };
    let mark = last.max(seen).unwrap_or(unknown);
    let (now, system) = (clock.now(), matches!(clock, Clock::System));
    let water = HighWater::new(clock, mark);
    let Some((id, ahead)) = start(now).filter(|_| system) else {
        return Ok(water);
    };
    let (known, _) = intact(meta::read::<String>(connection, key, "boot"))?;
    let known = known
        .as_deref()
        .and_then(|text| text.split_once(' '))
        .and_then(|(id, ahead)| Some((id, ahead.parse::<i64>().ok()?)));
    let vouched = known.is_some_and(|(known, before)| {
        known == id && ahead.saturating_sub(before).saturating_abs() <= DAY
    });
    if vouched && now > mark {
        water.raise(now);
    }
    let leapt = mark != i64::MIN && now.saturating_sub(mark) > DAY;
    if !vouched && !leapt {
        meta::write(connection, key, "boot", &format!("{id} {ahead}"))?;
    }
    Ok(water)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    /// After a long pause the time since boot shows whether the clock jumped.
    #[test]
    #[cfg(target_os = "linux")]
    fn boot_time_separates_downtime_from_jump() -> rusqlite::Result<()> {
        let (id, ahead) = start(clock_now()).expect("`/proc` has the time of the boot");
        let store = PreparedConnection::new(Connection::open_in_memory()?);
        store.execute_batch(crate::store::sqlite::schema::SCHEMA)?;
        // The last operation was recorded three days ago.
        let last = clock_now() - 3 * DAY;
        let key = ChecksumKey::new("");
        let done = OperationRow {
            id: 1,
            at: last,
            bucket: 1,
            used: 1,
            ..OperationRow::default()
        };
        let sql = "INSERT INTO operations (kind, at, retain_until, bucket, used, reserved, top_up, refunded, checksum) VALUES (0, ?1, 0, 1, 1, 0, 0, 0, ?2)";
        store.execute(sql, [last, done.checksum(&key)])?;
        let jump = |ahead: Option<(&str, i64)>| {
            store.execute("DELETE FROM meta WHERE name = 'boot'", [])?;
            if let Some((id, ahead)) = ahead {
                meta::write(&store, &key, "boot", &format!("{id} {ahead}"))?;
            }
            let water = open_high_water(Clock::System, &store, &key)?;
            Ok::<_, rusqlite::Error>(
                water
                    .now()
                    .is_err_and(|error| error.code() == "store.clock_jump"),
            )
        };
        assert!(jump(None)?, "nobody vouches");
        assert!(
            jump(Some(("another start", ahead)))?,
            "another start vouches for nothing"
        );
        assert!(
            jump(Some((&id, ahead - 2 * DAY)))?,
            "the clock was set meanwhile"
        );
        assert!(!jump(Some((&id, ahead)))?, "the machine has run since");
        // An accepted clock needs no confirmation by the boot time.
        meta::write(&store, &key, "seen", &clock_now())?;
        assert!(!jump(None)?, "it was accepted");
        store.execute("UPDATE operations SET at = at - 1", [])?;
        assert!(
            !jump(None)?,
            "it was accepted, whatever the last operation says"
        );
        store.execute("UPDATE meta SET value = value + 1", [])?;
        assert!(jump(None)?, "nothing that is whole vouches");
        store.execute("DELETE FROM meta", [])?;
        assert!(jump(None)?, "a damaged operation is no new store");
        assert!(!jump(Some((&id, ahead)))?, "the machine has run since");
        Ok(())
    }
}
