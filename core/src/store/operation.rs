//! Operations, and the buckets that they change.

use std::fmt;

use crate::model::calendar::Window;

/// The owner of a count: an account, or one of its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CountOwner<'a> {
    pub(crate) account: &'a str,
    pub(crate) member: Option<&'a str>,
}

/// The count of one meter in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) id: u64,
    pub(crate) window: Window,
    pub(crate) used: i64,
    /// The amount of open reservations: those not committed, released or expired.
    pub(crate) reserved: i64,
    /// The amount added to the limit for this window.
    pub(crate) top_up: i64,
}

/// A bucket with its account, member and meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnedBucket {
    pub(crate) account: String,
    pub(crate) member: Option<String>,
    pub(crate) meter: String,
    pub(crate) bucket: Bucket,
}

/// The kind of an operation in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Debited an amount from a limit.
    Consume,
    /// Returned an amount to a stock.
    Free,
    /// Set a stock to the number of existing things.
    Set,
    /// Reserved a part of a limit.
    Reserve,
    /// Debited a reserved amount, or less.
    Commit,
    /// Released a reserved amount.
    Release,
    /// Returned the amount of an earlier operation.
    Refund,
    /// Added an amount to a limit for its window.
    TopUp,
    /// Added usage from before Sublet counted.
    CarryOver,
    /// Changed the directory without changing counts.
    Command,
    /// Recorded a payment in cents for a month (B4).
    Payment,
    /// Reversed a payment.
    Reversal,
    /// Revoked a top-up (B14).
    RevokeTopUp,
}

impl OperationKind {
    /// Returns the name of the kind, which is the same in every language.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Consume => "consume",
            Self::Free => "free",
            Self::Set => "set",
            Self::Reserve => "reserve",
            Self::Commit => "commit",
            Self::Release => "release",
            Self::Refund => "refund",
            Self::TopUp => "top_up",
            Self::CarryOver => "carry_over",
            Self::Command => "command",
            Self::Payment => "payment",
            Self::Reversal => "reversal",
            Self::RevokeTopUp => "revoke_top_up",
        }
    }
}

/// The change that an operation made in one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BucketDelta {
    pub(crate) bucket: u64,
    pub(crate) used: i64,
    pub(crate) reserved: i64,
    pub(crate) top_up: i64,
    /// The part of the amount that was refunded since.
    pub(crate) refunded: i64,
}

impl BucketDelta {
    pub(crate) fn for_bucket(bucket: u64) -> Self {
        Self {
            bucket,
            used: 0,
            reserved: 0,
            top_up: 0,
            refunded: 0,
        }
    }
}

/// The state of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReservationState {
    /// Open until this instant.
    Open(i64),
    /// Committed by the operation with this id.
    Committed(u64),
    Released(u64),
}

/// An operation as a store returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) id: u64,
    pub(crate) kind: OperationKind,
    pub(crate) account: String,
    /// The member who made the request, if there is one.
    pub(crate) member: Option<String>,
    /// The login that acted as the account, if there is one.
    pub(crate) actor: Option<String>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) at: i64,
    /// The operation that this one commits, releases, refunds or reverses.
    pub(crate) parent: Option<u64>,
    pub(crate) reservation: Option<ReservationState>,
    pub(crate) parts: Vec<BucketDelta>,
}

/// An operation that a transaction appends.
pub(crate) struct NewOperation<'a> {
    pub(crate) kind: OperationKind,
    pub(crate) account: &'a str,
    pub(crate) member: Option<&'a str>,
    pub(crate) actor: Option<&'a str>,
    /// The caller's idempotency key and the digest of the request.
    pub(crate) idempotency_key: Option<(&'a str, [u8; 32])>,
    pub(crate) parent: Option<u64>,
    /// The instant at which the reservation expires.
    pub(crate) expires_at: Option<i64>,
    /// The instant until which the operation and its key are stored. [`i64::MAX`] means for ever.
    pub(crate) retain_until: i64,
    pub(crate) parts: &'a [BucketDelta],
    /// Builds the answer that a retry with the same key receives, from the operation's id. A store
    /// calls it only if there is a key.
    pub(crate) answer: &'a mut dyn FnMut(u64) -> Box<dyn RetryAnswer>,
}

/// The answer that a retry with the same key receives. A store in memory keeps the value, because
/// few answers are ever read again.
pub(crate) trait RetryAnswer: fmt::Debug + Send + Sync {
    /// Returns the form in which [`KeyLookup::Answered`] returns the answer.
    fn to_bytes(&self) -> Vec<u8>;
}

impl RetryAnswer for Vec<u8> {
    fn to_bytes(&self) -> Vec<u8> {
        self.clone()
    }
}

/// The result of the look-up of an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyLookup {
    Unknown,
    /// The digest of the request and the stored answer.
    Answered([u8; 32], Vec<u8>),
    /// The key's time is over and its answer was removed.
    Expired,
}
