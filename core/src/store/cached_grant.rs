//! A cached grant: the result of the limit policies for a bucket, with the range of usage for which
//! the result is valid.
//!
//! Because the range is part of the grant, a rollback does not have to remove it. Stores may ignore
//! grants.

use super::Bucket;
use crate::model::limit::EffectiveLimit;

/// The parts of a request for a bucket on which the answer depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GrantKey {
    /// The version of the directory and policies. No two versions share a number.
    pub(crate) version: u64,
    /// The kind of request and the domain of the request, as numbers of that version.
    pub(crate) kind: u32,
    pub(crate) domain: u32,
    pub(crate) amount: i64,
}

/// The answer to a request, valid while the bucket's counts are in a range.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CachedGrant {
    pub(crate) grant_key: GrantKey,
    /// The number of the answer within that version.
    pub(crate) answer: u16,
    /// The limit that the directory gives.
    pub(crate) allowance: EffectiveLimit,
    /// The least and the greatest usage for which the answer is valid.
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) reserved: i64,
    pub(crate) top_up: i64,
}

impl CachedGrant {
    /// Returns whether the grant is valid for this request and for the present counts of the
    /// bucket.
    #[inline]
    pub(super) fn answers(&self, grant_key: &GrantKey, bucket: &Bucket) -> bool {
        let counts = (self.from..=self.to).contains(&bucket.used)
            && self.reserved == bucket.reserved
            && self.top_up == bucket.top_up;
        counts && self.grant_key == *grant_key
    }
}

/// A cached grant that answers a request, with the bucket of the grant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GrantHit {
    pub(crate) bucket: Bucket,
    pub(crate) answer: u16,
    pub(crate) allowance: EffectiveLimit,
}
