//! The conversion between rows of the tables and values of the store.

use rusqlite::Row;

use super::checksum::{ChecksumKey, RowTable, mismatch};
use crate::model::calendar::Window;
use crate::store::{Bucket, BucketDelta, Operation, OperationKind, ReservationState};

/// The columns of a bucket's row, in the order in which [`BucketRow::read`] reads them.
macro_rules! bucket_columns {
    () => {
        "b.id, b.account, b.member, b.meter, b.start, b.\"end\", b.used, b.top_up, b.reservations, b.operations, b.pruned_used, b.pruned_top_up, b.last, b.checksum"
    };
}
/// The columns of an operation's row, in the order in which [`OperationRow::read`] reads them.
macro_rules! operation_columns {
    () => {
        "o.id, o.kind, o.at, o.retain_until, o.bucket, o.used, o.reserved, o.top_up, o.refunded, o.other_deltas, o.previous, o.member, o.actor, \
        o.parent, o.expires_at, o.committed, o.released, o.idempotency_key, o.digest, o.answer, o.checksum"
    };
}
/// The condition of the index `operations_long`: the retention is above `PRUNE_AGE`. SQLite uses a
/// partial index only if a query repeats the text of its condition.
macro_rules! outlives_pruning {
    () => {
        "retain_until > at + 5788800000"
    };
}
pub(super) use {bucket_columns, operation_columns, outlives_pruning};

/// The number of columns of a bucket's row.
pub(super) const BUCKET_WIDTH: usize = 14;
/// The number of columns of an operation's row.
pub(super) const OPERATION_WIDTH: usize = 21;

/// A bucket's row.
#[derive(Debug, Clone, Copy)]
pub(super) struct BucketRow {
    pub(super) id: i64,
    pub(super) window: Window,
    pub(super) used: i64,
    pub(super) top_up: i64,
    /// The number of its rows in `reservations`.
    pub(super) reservations: i64,
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
            reservations: 0,
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
            reservations: number(8)?,
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
            .number(self.reservations)
            .number(self.operations);
        // No operation has the id 0, so 0 can stand for `None`.
        row.number(self.pruned_used)
            .number(self.pruned_top_up)
            .number(self.last.unwrap_or(0))
            .finish()
    }

    /// Returns the bucket with the given reserved amount.
    pub(super) fn bucket(&self, reserved: i64) -> Bucket {
        Bucket {
            id: id(self.id),
            window: self.window,
            used: self.used,
            reserved,
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
    pub(super) retain_until: i64,
    pub(super) bucket: i64,
    pub(super) used: i64,
    pub(super) reserved: i64,
    pub(super) top_up: i64,
    pub(super) refunded: i64,
    pub(super) other_deltas: Option<&'r str>,
    pub(super) previous: Option<i64>,
    pub(super) member: Option<&'r str>,
    pub(super) actor: Option<&'r str>,
    pub(super) parent: Option<i64>,
    pub(super) expires_at: Option<i64>,
    pub(super) committed: Option<i64>,
    pub(super) released: Option<i64>,
    pub(super) idempotency_key: Option<&'r str>,
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
            retain_until: number(3)?,
            bucket: number(4)?,
            used: number(5)?,
            reserved: number(6)?,
            top_up: number(7)?,
            refunded: number(8)?,
            other_deltas: text(9)?,
            previous: optional(10)?,
            member: text(11)?,
            actor: text(12)?,
            parent: optional(13)?,
            expires_at: optional(14)?,
            committed: optional(15)?,
            released: optional(16)?,
            idempotency_key: text(17)?,
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
            self.retain_until,
            self.bucket,
            self.used,
            self.reserved,
            self.top_up,
            self.refunded,
        ];
        let row = numbers.into_iter().fold(
            key.begin(RowTable::Operations),
            super::checksum::RowHasher::number,
        );
        let (optional, texts) = (
            [
                self.previous,
                self.parent,
                self.expires_at,
                self.committed,
                self.released,
            ],
            [
                self.other_deltas,
                self.member,
                self.actor,
                self.idempotency_key,
            ],
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
            idempotency_key: text(self.idempotency_key),
            at: self.at,
            parent: self.parent.map(id),
            reservation: settled.or(self.expires_at.map(ReservationState::Open)),
            parts: self.parts().collect(),
        })
    }

    /// Returns the delta of the operation in each bucket.
    pub(super) fn parts(&self) -> impl Iterator<Item = BucketDelta> {
        let first = BucketDelta {
            bucket: id(self.bucket),
            used: self.used,
            reserved: self.reserved,
            top_up: self.top_up,
            refunded: self.refunded,
        };
        std::iter::once(first).chain(decode_deltas(self.other_deltas))
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
pub(super) fn encode_deltas(parts: &[BucketDelta]) -> Option<String> {
    let rows: Vec<[i64; 5]> = parts
        .iter()
        .map(|part| {
            [
                row(part.bucket),
                part.used,
                part.reserved,
                part.top_up,
                part.refunded,
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
fn decode_deltas(other_deltas: Option<&str>) -> Vec<BucketDelta> {
    let rows: Vec<[i64; 5]> = other_deltas
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    rows.into_iter()
        .map(|[bucket, used, reserved, top_up, refunded]| BucketDelta {
            bucket: id(bucket),
            used,
            reserved,
            top_up,
            refunded,
        })
        .collect()
}
