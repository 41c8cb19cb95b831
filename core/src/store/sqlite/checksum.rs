//! Checksums of rows, so that a flipped bit on the disk is a fault and never an answer.
//!
//! A checksum is the SipHash-1-3 of the row's columns, with the store's id as its key. So a row of
//! another store or of another table is a fault too.

use std::hash::Hasher;

use rusqlite::types::ValueRef;
use siphasher::sip::SipHasher13;

/// The table of a row. It is the first input of the row's checksum.
#[derive(Debug, Clone, Copy)]
pub(super) enum RowTable {
    Meta = 1,
    /// The columns of a bucket that never change.
    BucketName = 2,
    Buckets = 3,
    Operations = 4,
    IdempotencyKeys = 5,
    Reservations = 6,
    Records = 7,
    Changes = 8,
    Documents = 9,
}

impl RowTable {
    fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::BucketName | Self::Buckets => "buckets",
            Self::Operations => "operations",
            Self::IdempotencyKeys => "idempotency_keys",
            Self::Reservations => "reservations",
            Self::Records => "records",
            Self::Changes => "changes",
            Self::Documents => "documents",
        }
    }
}

/// The key of one store's checksums.
#[derive(Debug, Clone)]
pub(super) struct ChecksumKey(SipHasher13);

impl ChecksumKey {
    /// Returns the key of the store with this id.
    pub(super) fn new(store: &str) -> Self {
        let mut hasher = SipHasher13::new();
        hasher.write(store.as_bytes());
        Self(SipHasher13::new_with_keys(
            hasher.finish(),
            !hasher.finish(),
        ))
    }

    /// Begins the checksum of a row.
    #[inline]
    pub(super) fn begin(&self, table: RowTable) -> RowHasher {
        let mut hasher = self.0;
        hasher.write_u8(table as u8);
        RowHasher(hasher)
    }

    /// Returns the checksum of a row of short columns, in their order.
    pub(super) fn row_checksum(&self, table: RowTable, columns: &[ValueRef<'_>]) -> i64 {
        columns
            .iter()
            .fold(self.begin(table), |row, column| row.value(*column))
            .finish()
    }
}

/// A checksum under construction, which receives the columns in their order.
#[derive(Debug)]
pub(super) struct RowHasher(SipHasher13);

impl RowHasher {
    #[inline]
    pub(super) fn number(mut self, number: i64) -> Self {
        self.0.write_i64(number);
        self
    }

    #[inline]
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.write_usize(bytes.len());
        self.0.write(bytes);
        self
    }

    #[inline]
    pub(super) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Adds a bit for each column: whether it is not null.
    #[inline]
    pub(super) fn present(mut self, columns: u16) -> Self {
        self.0.write_u16(columns);
        self
    }

    fn value(mut self, value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => self.present(0),
            ValueRef::Integer(number) => self.present(1).number(number),
            ValueRef::Real(number) => self
                .present(2)
                .number(i64::from_ne_bytes(number.to_ne_bytes())),
            ValueRef::Text(text) => {
                self = self.present(3);
                self.bytes(text)
            }
            ValueRef::Blob(bytes) => self.present(4).bytes(bytes),
        }
    }

    #[inline]
    pub(super) fn finish(self) -> i64 {
        self.0.finish().cast_signed()
    }
}

/// Returns the error of a row that does not agree with its checksum. The error becomes
/// `store.corrupt`.
#[cold]
pub(super) fn mismatch(table: RowTable, row: &dyn std::fmt::Display) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(
        format!(
            "row `{row}` of `{}` does not agree with its checksum",
            table.name()
        )
        .into(),
    )
}

/// Returns whether this is the error of a row that does not agree with its checksum.
pub(super) fn is_mismatch(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::ToSqlConversionFailure(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> ValueRef<'_> {
        ValueRef::Text(text.as_bytes())
    }

    #[test]
    fn checksum_covers_column_table_and_store() {
        let key = ChecksumKey::new("a");
        let row = |columns: &[ValueRef<'_>]| key.row_checksum(RowTable::Meta, columns);
        let one = row(&[text("seen"), ValueRef::Integer(7)]);
        assert_eq!(one, row(&[text("seen"), ValueRef::Integer(7)]));
        assert_ne!(one, row(&[text("seen"), ValueRef::Integer(8)]));
        assert_ne!(one, row(&[text("see"), ValueRef::Integer(7)]));
        assert_ne!(one, row(&[text("seen"), text("7")]));
        assert_ne!(row(&[text("a"), text("bc")]), row(&[text("ab"), text("c")]));
        assert_ne!(row(&[ValueRef::Null]), row(&[ValueRef::Integer(0)]));
        assert_ne!(
            one,
            key.row_checksum(RowTable::Documents, &[text("seen"), ValueRef::Integer(7)])
        );
        assert_ne!(
            one,
            ChecksumKey::new("b")
                .row_checksum(RowTable::Meta, &[text("seen"), ValueRef::Integer(7)])
        );
    }
}
