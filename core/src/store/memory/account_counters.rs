//! The counters of one account: its buckets, operations and keys, as a shard stores them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::model::calendar::Window;
use crate::store::{
    BucketDelta, CachedGrant, CountOwner, OperationKind, ReservationState, RetryAnswer,
};
use crate::util::text::same_bytes;

/// One bucket as the shard stores it.
#[derive(Debug, Clone)]
pub(super) struct StoredBucket {
    /// The number of the bucket among all buckets that the account ever had.
    pub(super) nth: usize,
    /// The number of deltas in this bucket from stored operations outside the tail.
    pub(super) operations: u32,
    pub(super) member: Option<Arc<str>>,
    /// The index of the meter in the shard's list of meters.
    pub(super) meter: u32,
    pub(super) window: Window,
    pub(super) used: i64,
    pub(super) top_up: i64,
    /// The reservations: operation, amount and expiry of each.
    pub(super) reservations: Vec<(u64, i64, i64)>,
    /// The sums of `used` and `top_up` over operations that were removed or are in the tail.
    ///
    /// Operations leave the tail at any time, and a look-up of their accounts then would cost more
    /// than the consume itself.
    pub(super) removed_sums: (i64, i64),
    /// Cached grant for the next consume from this bucket.
    pub(super) cached_grant: Option<CachedGrant>,
}

impl StoredBucket {
    pub(super) fn is(&self, owner: CountOwner<'_>, meter: u32) -> bool {
        self.meter == meter && self.member.as_deref() == owner.member
    }
}

/// An operation as the shard stores it. The type is small because most operations are written once
/// and never read.
#[derive(Debug, Clone)]
pub(super) struct StoredOperation {
    pub(super) id: u64,
    pub(super) kind: OperationKind,
    pub(super) account: u32,
    pub(super) at: i64,
    pub(super) retain_until: i64,
    pub(super) parts: SmallVec<[BucketDelta; 1]>,
    pub(super) idempotency_key: Option<Arc<str>>,
    pub(super) rest: Option<Box<OperationExtras>>,
}

/// Rarely used fields of an operation, stored apart to keep most operations small.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OperationExtras {
    pub(super) member: Option<Arc<str>>,
    pub(super) actor: Option<Arc<str>>,
    pub(super) parent: Option<u64>,
    pub(super) reservation: Option<ReservationState>,
}

impl OperationExtras {
    /// Boxes the fields, or returns `None` if all of them are empty.
    pub(super) fn into_box(self) -> Option<Box<Self>> {
        if self == Self::default() {
            None
        } else {
            Some(Box::new(self))
        }
    }
}

/// An account's id. Short ids are stored inline beside the counts.
#[derive(Debug)]
pub(super) struct AccountName(SmallVec<[u8; 24]>);

impl AccountName {
    pub(super) fn new(name: &str) -> Self {
        Self(SmallVec::from_slice(name.as_bytes()))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    #[inline]
    pub(super) fn is(&self, name: &str) -> bool {
        same_bytes(&self.0, name.as_bytes())
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// An entry that expires.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ExpiryTarget {
    Operation(u64),
    Key(Arc<str>),
    /// The bucket with this number.
    Row(usize),
}

/// An idempotency key as the shard stores it.
#[derive(Debug)]
pub(super) struct StoredKey {
    /// The digest of the request.
    pub(super) digest: [u8; 32],
    /// The answer, or `None` after its removal.
    pub(super) answer: Option<Box<dyn RetryAnswer>>,
    pub(super) retain_until: i64,
}

/// The counts, operations and keys of one account.
#[derive(Debug)]
pub(super) struct AccountCounters {
    pub(super) name: AccountName,
    /// The buckets. Most accounts have one.
    pub(super) rows: SmallVec<[StoredBucket; 1]>,
    /// The operations with keys and the reservations.
    pub(super) operations: BTreeMap<u64, StoredOperation>,
    pub(super) keys: HashMap<Arc<str>, StoredKey>,
    /// The number of buckets that the account ever had.
    pub(super) opened: usize,
    /// The grant for a bucket that is not open yet.
    pub(super) unopened: Option<Box<UnopenedGrant>>,
}

/// The cached grant of a meter and a window without a bucket. A question about an amount makes one,
/// because it must not open the bucket: an open window keeps its end.
#[derive(Debug)]
pub(super) struct UnopenedGrant {
    pub(super) meter: u32,
    pub(super) window: Window,
    pub(super) grant: CachedGrant,
}

impl AccountCounters {
    /// Returns the index of the bucket with this number.
    #[inline]
    pub(super) fn place(&self, nth: usize) -> Option<usize> {
        match self.rows.get(nth) {
            Some(row) if row.nth == nth => Some(nth),
            _ => self.rows.binary_search_by_key(&nth, |row| row.nth).ok(),
        }
    }
}
