//! The conversion between rows of the tables and values of the store.

use rusqlite::Row;

use super::checksum::{ChecksumKey, RowTable, mismatch};
use crate::model::calendar::Window;
use crate::store::{Bucket, BucketDelta, Operation, OperationKind, ReservationState};

/// The columns of a bucket's row, in the order in which [`BucketRow::read`] reads them.
macro_rules! bucket_columns {
    () => {
        "b.id, b.account, b.member, b.meter, b.start, b.\"end\", b.used, b.top_up, b.holds, b.operations, b.pruned_used, b.pruned_top_up, b.last, b.checksum"
    };
}
/// The columns of an operation's row, in the order in which [`OperationRow::read`] reads them.
macro_rules! operation_columns {
    () => {
        "o.id, o.kind, o.at, o.keep, o.bucket, o.used, o.held, o.top_up, o.back, o.more, o.previous, o.member, o.actor, o.of, o.until, \
        o.committed, o.released, o.key, o.digest, o.answer, o.checksum"
    };
}
pub(super) use {bucket_columns, operation_columns};

/// The number of columns of an operation's row.
pub(super) const OPERATION_WIDTH: usize = 21;

/// A bucket's row.
#[derive(Debug, Clone, Copy)]
pub(super) struct BucketRow {
    pub(super) id: i64,
    pub(super) window: Window,
    pub(super) used: i64,
    pub(super) top_up: i64,
    /// The number of its rows in `holds`.
    pub(super) holds: i64,
    /// The number of deltas that stored operations have in the bucket.
    pub(super) operations: i64,
    pub(super) pruned_used: i64,
    pub(super) pruned_top_up: i64,
    pub(super) last: Option<i64>,
    /// The checksum of the columns that never change.
    name: i64,
}

impl BucketRow {
    /// Returns the row of a new bucket.
    pub(super) fn new(
        key: &ChecksumKey,
        id: i64,
        (account, member, meter): (&str, &str, &str),
        window: Window,
    ) -> Self {
        let name = key
            .begin(RowTable::BucketName)
            .number(id)
            .number(window.start)
            .number(window.end)
            .text(account)
            .text(member)
            .text(meter)
            .finish();
        Self {
            id,
            window,
            used: 0,
            top_up: 0,
            holds: 0,
            operations: 0,
            pruned_used: 0,
            pruned_top_up: 0,
            last: None,
            name,
        }
    }

    /// Reads the `bucket_columns!` from column `first` on, and verifies their checksum.
    pub(super) fn read(key: &ChecksumKey, row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        let column = |at: usize| first.saturating_add(at);
        let number = |at: usize| row.get::<_, i64>(column(at));
        let text = |at: usize| {
            row.get_ref(column(at))
                .and_then(|value| Ok(value.as_str()?))
        };
        let named = (text(1)?, text(2)?, text(3)?);
        let new = Self::new(
            key,
            number(0)?,
            named,
            Window {
                start: number(4)?,
                end: number(5)?,
            },
        );
        let read = Self {
            used: number(6)?,
            top_up: number(7)?,
            holds: number(8)?,
            operations: number(9)?,
            pruned_used: number(10)?,
            pruned_top_up: number(11)?,
            last: row.get(column(12))?,
            ..new
        };
        if read.checksum(key) == number(13)? {
            Ok(read)
        } else {
            Err(mismatch(RowTable::Buckets, &read.id))
        }
    }

    pub(super) fn checksum(&self, key: &ChecksumKey) -> i64 {
        let row = key
            .begin(RowTable::Buckets)
            .number(self.name)
            .number(self.used)
            .number(self.top_up)
            .number(self.holds)
            .number(self.operations);
        // No operation has the id 0, so 0 can stand for `None`.
        row.number(self.pruned_used)
            .number(self.pruned_top_up)
            .number(self.last.unwrap_or(0))
            .finish()
    }

    /// Returns the bucket with the given reserved amount.
    pub(super) fn bucket(&self, held: i64) -> Bucket {
        Bucket {
            id: id(self.id),
            window: self.window,
            used: self.used,
            held,
            top_up: self.top_up,
        }
    }
}

/// An operation's row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OperationRow<'r> {
    pub(super) id: i64,
    pub(super) kind: i64,
    pub(super) at: i64,
    pub(super) keep: i64,
    pub(super) bucket: i64,
    pub(super) used: i64,
    pub(super) held: i64,
    pub(super) top_up: i64,
    pub(super) back: i64,
    pub(super) more: Option<&'r str>,
    pub(super) previous: Option<i64>,
    pub(super) member: Option<&'r str>,
    pub(super) actor: Option<&'r str>,
    pub(super) of: Option<i64>,
    pub(super) until: Option<i64>,
    pub(super) committed: Option<i64>,
    pub(super) released: Option<i64>,
    pub(super) key: Option<&'r str>,
    pub(super) digest: Option<&'r [u8]>,
    pub(super) answer: Option<&'r [u8]>,
}

impl<'r> OperationRow<'r> {
    /// Reads the `operation_columns!` from column `first` on, and verifies their checksum.
    pub(super) fn read(
        key: &ChecksumKey,
        row: &'r Row<'_>,
        first: usize,
    ) -> rusqlite::Result<Self> {
        let column = |at: usize| first.saturating_add(at);
        let number = |at: usize| row.get::<_, i64>(column(at));
        let optional = |at: usize| row.get::<_, Option<i64>>(column(at));
        let text = |at: usize| {
            row.get_ref(column(at))
                .and_then(|value| Ok(value.as_str_or_null()?))
        };
        let blob = |at: usize| {
            row.get_ref(column(at))
                .and_then(|value| Ok(value.as_blob_or_null()?))
        };
        let read = Self {
            id: number(0)?,
            kind: number(1)?,
            at: number(2)?,
            keep: number(3)?,
            bucket: number(4)?,
            used: number(5)?,
            held: number(6)?,
            top_up: number(7)?,
            back: number(8)?,
            more: text(9)?,
            previous: optional(10)?,
            member: text(11)?,
            actor: text(12)?,
            of: optional(13)?,
            until: optional(14)?,
            committed: optional(15)?,
            released: optional(16)?,
            key: text(17)?,
            digest: blob(18)?,
            answer: blob(19)?,
        };
        if read.checksum(key) == number(20)? {
            Ok(read)
        } else {
            Err(mismatch(RowTable::Operations, &read.id))
        }
    }

    pub(super) fn checksum(&self, key: &ChecksumKey) -> i64 {
        let numbers = [
            self.id,
            self.kind,
            self.at,
            self.keep,
            self.bucket,
            self.used,
            self.held,
            self.top_up,
            self.back,
        ];
        let row = numbers.into_iter().fold(
            key.begin(RowTable::Operations),
            super::checksum::RowHasher::number,
        );
        let (optional, texts) = (
            [
                self.previous,
                self.of,
                self.until,
                self.committed,
                self.released,
            ],
            [self.more, self.member, self.actor, self.key],
        );
        let blobs = [self.digest, self.answer];
        let present = optional
            .iter()
            .map(Option::is_some)
            .chain(texts.iter().map(Option::is_some))
            .chain(blobs.iter().map(Option::is_some));
        let row = row.present(present.fold(0_u16, |bits, present| bits << 1 | u16::from(present)));
        let row = optional
            .into_iter()
            .flatten()
            .fold(row, super::checksum::RowHasher::number);
        let row = texts
            .into_iter()
            .flatten()
            .fold(row, super::checksum::RowHasher::text);
        blobs
            .into_iter()
            .flatten()
            .fold(row, super::checksum::RowHasher::bytes)
            .finish()
    }

    /// Returns the operation of an account.
    pub(super) fn operation(&self, account: &str) -> rusqlite::Result<Operation> {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let settled = self
            .committed
            .map(|by| ReservationState::Committed(id(by)))
            .or(self.released.map(|by| ReservationState::Released(id(by))));
        Ok(Operation {
            id: id(self.id),
            kind: kind(self.kind)?,
            account: account.to_owned(),
            member: text(self.member),
            actor: text(self.actor),
            key: text(self.key),
            at: self.at,
            of: self.of.map(id),
            hold: settled.or(self.until.map(ReservationState::Until)),
            parts: self.parts().collect(),
        })
    }

    /// Returns the delta of the operation in each bucket.
    pub(super) fn parts(&self) -> impl Iterator<Item = BucketDelta> {
        let first = BucketDelta {
            bucket: id(self.bucket),
            used: self.used,
            held: self.held,
            top_up: self.top_up,
            back: self.back,
        };
        std::iter::once(first).chain(parts(self.more))
    }
}

pub(super) fn id(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Returns the row number of an id. An id that no row has becomes -1, which no row has either.
pub(super) fn row(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(-1)
}

/// The kinds by number. Files contain the numbers, so new kinds are appended.
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
    KINDS
        .iter()
        .position(|known| *known == kind)
        .and_then(|at| i64::try_from(at).ok())
        .unwrap_or(-1)
}

fn kind(number: i64) -> rusqlite::Result<OperationKind> {
    let known = usize::try_from(number)
        .ok()
        .and_then(|at| KINDS.get(at).copied());
    known.ok_or(rusqlite::Error::IntegralValueOutOfRange(1, number))
}

/// Encodes the deltas of an operation after its first.
pub(super) fn more_text(parts: &[BucketDelta]) -> Option<String> {
    let rows: Vec<[i64; 5]> = parts
        .iter()
        .map(|part| {
            [
                row(part.bucket),
                part.used,
                part.held,
                part.top_up,
                part.back,
            ]
        })
        .collect();
    if rows.is_empty() {
        None
    } else {
        serde_json::to_string(&rows).ok()
    }
}

/// Decodes the deltas of an operation after its first. Returns none if the text is not valid.
fn parts(more: Option<&str>) -> Vec<BucketDelta> {
    let rows: Vec<[i64; 5]> = more
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    rows.into_iter()
        .map(|[bucket, used, held, top_up, back]| BucketDelta {
            bucket: id(bucket),
            used,
            held,
            top_up,
            back,
        })
        .collect()
}
