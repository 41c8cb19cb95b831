//! What a bucket's next question need not ask again. A note is true whatever becomes of the bucket:
//! it says for which counts it speaks. So transactions that are undone leave it, and a store may
//! keep none.

use super::Bucket;
use crate::model::limit::EffectiveLimit;

/// What is asked of a bucket, as far as answers differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GrantKey {
    /// The version of directory and policies: no two have the same.
    pub(crate) version: u64,
    /// The kind of request, and the domain that it came to, by their numbers in that version.
    pub(crate) kind: u32,
    pub(crate) domain: u32,
    pub(crate) amount: i64,
}

/// The answer to what is asked, while the bucket's counts are in a range.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CachedGrant {
    pub(crate) asked: GrantKey,
    /// The version's own name for the answer.
    pub(crate) answer: u8,
    /// What the directory says of the limit.
    pub(crate) allowance: EffectiveLimit,
    /// How much is used at the least, and at the most.
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) held: i64,
    pub(crate) top_up: i64,
}

impl CachedGrant {
    /// Whether it speaks for this question, of a bucket that stands so.
    #[inline]
    pub(super) fn answers(&self, asked: &GrantKey, bucket: &Bucket) -> bool {
        let counts = (self.from..=self.to).contains(&bucket.used)
            && self.held == bucket.held
            && self.top_up == bucket.top_up;
        counts && self.asked == *asked
    }
}

/// What a note says, and of which bucket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GrantHit {
    pub(crate) bucket: Bucket,
    pub(crate) answer: u8,
    pub(crate) allowance: EffectiveLimit,
}
