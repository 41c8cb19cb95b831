//! A cached grant: the result of the limit policies for a bucket, with the range of usage for which
//! the result is valid.
//!
//! Because the range is part of the grant, a rollback does not have to remove it. Stores may ignore
//! grants.

use super::Bucket;
use crate::model::calendar::Window;
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
    /// Returns the hit if the grant is valid for this request, at this instant and for the present
    /// counts of the bucket.
    #[inline]
    pub(super) fn find(
        &self,
        grant_key: &GrantKey,
        now: i64,
        window: Window,
        bucket: Option<Bucket>,
    ) -> Option<GrantHit> {
        let (used, reserved, top_up) = bucket.map_or((0, 0, 0), |bucket| {
            (bucket.used, bucket.reserved, bucket.top_up)
        });
        let is_valid = (self.from..=self.to).contains(&used)
            && self.reserved == reserved
            && self.top_up == top_up
            && self.grant_key == *grant_key
            && window.contains(now);
        is_valid.then_some(GrantHit {
            window,
            bucket,
            answer: self.answer,
            allowance: self.allowance,
        })
    }
}

/// A cached grant that answers a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GrantHit {
    pub(crate) window: Window,
    /// The bucket of that window, or `None` if nothing has opened it.
    pub(crate) bucket: Option<Bucket>,
    pub(crate) answer: u16,
    pub(crate) allowance: EffectiveLimit,
}
