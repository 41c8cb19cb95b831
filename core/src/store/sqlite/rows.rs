//! Rows of the tables as what they stand for.

use rusqlite::Row;

use crate::store::{Bucket, Hold, Operation, OperationKind, Part};
use crate::window::Window;

/// Reads an operation by its id, with the account of its bucket, and the one before it.
pub(super) const OPERATION: &str = "SELECT o.id, o.kind, b.account, o.member, o.actor, o.key, o.at, o.of, o.until, o.committed, o.released,
    o.bucket, o.used, o.held, o.top_up, o.back, o.more, o.previous FROM operations o JOIN buckets b ON b.id = o.bucket WHERE o.id = ?1";

pub(super) fn bucket(row: &Row<'_>) -> rusqlite::Result<Bucket> {
    let window = Window { start: row.get(1)?, end: row.get(2)? };
    Ok(Bucket { id: id(row.get(0)?), window, used: row.get(3)?, held: row.get(5)?, top_up: row.get(4)? })
}

pub(super) fn id(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// As a row's number; one that no row has stays one that none has.
pub(super) fn row(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(-1)
}

/// The numbers stand in files: new kinds come at the end.
const KINDS: [OperationKind; 13] = [
    OperationKind::Consume,
    OperationKind::Free,
    OperationKind::Set,
    OperationKind::Reserve,
    OperationKind::Commit,
    OperationKind::Release,
    OperationKind::Refund,
    OperationKind::TopUp,
    OperationKind::CarryOver,
    OperationKind::Command,
    OperationKind::Payment,
    OperationKind::Reversal,
    OperationKind::RevokeTopUp,
];

pub(super) fn kind_number(kind: OperationKind) -> i64 {
    KINDS.iter().position(|known| *known == kind).and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)
}

fn kind(number: i64) -> rusqlite::Result<OperationKind> {
    let known = usize::try_from(number).ok().and_then(|at| KINDS.get(at).copied());
    known.ok_or(rusqlite::Error::IntegralValueOutOfRange(1, number))
}

/// The parts of an operation after its first.
pub(super) fn more_text(parts: &[Part]) -> Option<String> {
    let rows: Vec<[i64; 5]> = parts.iter().map(|part| [row(part.bucket), part.used, part.held, part.top_up, part.back]).collect();
    if rows.is_empty() { None } else { serde_json::to_string(&rows).ok() }
}

/// The same, read; text that is none of ours is no part.
pub(super) fn parts(more: Option<&str>) -> Vec<Part> {
    let rows: Vec<[i64; 5]> = more.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    rows.into_iter().map(|[bucket, used, held, top_up, back]| Part { bucket: id(bucket), used, held, top_up, back }).collect()
}

/// An operation of [`OPERATION`], and the one before it.
pub(super) fn operation(row: &Row<'_>) -> rusqlite::Result<(Operation, Option<i64>)> {
    let [committed, released, until] = [row.get::<_, Option<i64>>(9)?, row.get(10)?, row.get(8)?];
    let hold = committed.map(|by| Hold::Committed(id(by))).or(released.map(|by| Hold::Released(id(by)))).or(until.map(Hold::Until));
    let first = Part { bucket: id(row.get(11)?), used: row.get(12)?, held: row.get(13)?, top_up: row.get(14)?, back: row.get(15)? };
    let more: Option<String> = row.get(16)?;
    let operation = Operation {
        id: id(row.get(0)?),
        kind: kind(row.get(1)?)?,
        account: row.get(2)?,
        member: row.get(3)?,
        actor: row.get(4)?,
        key: row.get(5)?,
        at: row.get(6)?,
        of: row.get::<_, Option<i64>>(7)?.map(id),
        hold,
        parts: std::iter::once(first).chain(parts(more.as_deref())).collect(),
    };
    Ok((operation, row.get(17)?))
}
