//! Answers by a cached grant: one meter of an account that asks for itself. The answers equal those
//! of [`take`](fn@super::take) and [`count`](fn@super::count), but neither policies nor directory
//! are read.

use std::sync::Arc;

use super::MeterRequest;
use super::idempotency::{StoredAnswer, retention_end};
use super::meter_state::{CurrentBucket, in_force};
use super::receipt::{set_operation_id, with_operation_id};
use crate::api::decision::PlainDecision;
use crate::api::quota::{CountReceipt, Quota};
use crate::model::catalog::MeterKind;
use crate::model::limit::EffectiveLimit;
use crate::store::{
    BucketDelta, CachedGrant, CountOwner, CountTx, GrantHit, GrantKey, KeyLookup, NewOperation,
    OperationKind, RetryAnswer,
};
use crate::util::error::Error;

/// A request that a cached grant may answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FastConsumeRequest<'a> {
    pub(crate) account: &'a str,
    pub(crate) meter: &'a Arc<str>,
    pub(crate) kind: MeterKind,
    pub(crate) grant_key: GrantKey,
    /// The idempotency key, and the digest of the request that came with it.
    pub(crate) idempotency_key: Option<(&'a str, [u8; 32])>,
}

/// Consumes if a cached grant allows it and the idempotency key is new. Returns the decision.
/// `decide` returns the answer with a number, or `None` if it is a denial.
#[inline(always)]
pub(crate) fn consume_cached(
    tx: &mut dyn CountTx,
    request: &FastConsumeRequest<'_>,
    decide: impl FnOnce(u16) -> Option<PlainDecision>,
) -> Result<Option<PlainDecision>, Error> {
    let FastConsumeRequest {
        account,
        meter,
        kind,
        grant_key,
        idempotency_key,
    } = *request;
    let Some(hit) = tx.find_cached_grant(account, meter, &grant_key) else {
        return tx.take_grant_error().map(|()| None);
    };
    if let Some((key, _)) = idempotency_key
        && tx.find_key(account, key)? != KeyLookup::Unknown
    {
        return Ok(None);
    }
    let Some(decision) = decide(hit.answer) else {
        return Ok(None);
    };
    let owner = CountOwner {
        account,
        member: None,
    };
    let bucket = match hit.bucket {
        Some(bucket) => bucket,
        None => tx.open(owner, meter, hit.window)?,
    };
    let amount = grant_key.amount;
    let retain_until = retention_end(kind, hit.window, tx.now());
    let id = if idempotency_key.is_none() {
        tx.consume_fast(account, bucket.id, amount, retain_until)?
    } else {
        let part = BucketDelta {
            used: amount,
            ..BucketDelta::for_bucket(bucket.id)
        };
        tx.append(NewOperation {
            kind: OperationKind::Consume,
            account,
            member: None,
            actor: None,
            idempotency_key,
            parent: None,
            expires_at: None,
            retain_until,
            parts: &[part],
            answer: &mut |id| {
                Box::new(GrantedAnswer {
                    decision: decision.clone(),
                    meter: Arc::clone(meter),
                    amount,
                    hit,
                    id,
                })
            },
        })?
    };
    let mut decision = with_quota(decision, (meter, amount), &hit, amount);
    set_operation_id(&mut decision.counted, id);
    Ok(Some(decision))
}

/// The stored answer of a consume under a cached grant. It holds what the receipt is computed from,
/// in half the memory of the [`StoredAnswer`] that it is read as.
#[derive(Debug)]
struct GrantedAnswer {
    decision: PlainDecision,
    meter: Arc<str>,
    amount: i64,
    hit: GrantHit,
    id: u64,
}

impl RetryAnswer for GrantedAnswer {
    fn to_bytes(&self) -> Vec<u8> {
        let Self {
            decision,
            meter,
            amount,
            hit,
            id,
        } = self;
        let decision = with_quota(decision.clone(), (meter, *amount), hit, *amount);
        StoredAnswer(with_operation_id(decision.into(), *id)).to_bytes()
    }
}

/// Adds the quota of a grant for an amount of a meter, after a change of its usage.
pub(crate) fn with_quota(
    decision: PlainDecision,
    requested: (&Arc<str>, i64),
    hit: &GrantHit,
    change: i64,
) -> PlainDecision {
    PlainDecision {
        counted: Some(Box::new(CountReceipt {
            quota: vec![quota_of_grant(requested, hit, change)],
            ..CountReceipt::default()
        })),
        ..decision
    }
}

/// Returns the quota after a change of usage.
fn quota_of_grant((meter, amount): (&Arc<str>, i64), hit: &GrantHit, change: i64) -> Quota {
    let EffectiveLimit { base, source, over } = hit.allowance;
    let (used, held, top_up) = hit.bucket.map_or((0, 0, 0), |bucket| {
        (bucket.used, bucket.reserved, bucket.top_up)
    });
    let used = used.saturating_add(change);
    let limit = in_force(hit.allowance, top_up);
    Quota {
        meter: Arc::clone(meter),
        amount,
        used,
        held,
        limit,
        source,
        base,
        over,
        top_up,
        remaining: limit.remaining(used, held),
        resets_at: hit.window.resets_at(),
        member: None,
    }
}

/// Caches a grant: a consume like the last one stays allowed for usage from `from` to `to`, with
/// the answer with the given number. A stock that the directory counts gets none, because its usage
/// is not that of the bucket.
pub(crate) fn cache_grant(
    tx: &mut dyn CountTx,
    request: &FastConsumeRequest<'_>,
    (line, place): (&MeterRequest<'_>, &CurrentBucket),
    held: i64,
    (from, to, answer): (i64, i64, u16),
) {
    let FastConsumeRequest {
        account,
        meter,
        grant_key,
        ..
    } = *request;
    if place.held() != held || line.counted.is_some() {
        return;
    }
    // Above this usage the counters would overflow.
    let most = i64::MAX
        .saturating_sub(held)
        .saturating_sub(grant_key.amount);
    let grant = CachedGrant {
        grant_key,
        answer,
        allowance: line.allowance,
        from,
        to: to.min(most),
        reserved: held,
        top_up: place.bucket.map_or(0, |bucket| bucket.top_up),
    };
    let bucket = (place.window, place.bucket.map(|bucket| bucket.id));
    tx.cache_grant(account, meter, bucket, grant);
}
