//! Consumes by a cached grant: one meter of an account that consumes for itself, without an
//! idempotency key. The answer equals that of [`take`](fn@super::take), but neither policies nor
//! directory are read.

use std::sync::Arc;

use super::MeterRequest;
use super::idempotency::retention_end;
use super::meter_state::in_force;
use crate::api::quota::{CountReceipt, Quota};
use crate::model::catalog::MeterKind;
use crate::model::limit::EffectiveLimit;
use crate::store::{Bucket, CachedGrant, CountOwner, CountTx, GrantHit, GrantKey};
use crate::util::error::Error;

/// A request that a cached grant may answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FastConsumeRequest<'a> {
    pub(crate) account: &'a str,
    pub(crate) meter: &'a Arc<str>,
    pub(crate) kind: MeterKind,
    pub(crate) grant_key: GrantKey,
}

/// Consumes if a cached grant allows it. Returns the grant's answer, and the receipt. `find` returns
/// the answer with a number, or `None` if it is a denial.
pub(crate) fn consume_cached<A>(
    tx: &mut dyn CountTx,
    request: &FastConsumeRequest<'_>,
    find: impl FnOnce(u16) -> Option<A>,
) -> Result<Option<(A, Box<CountReceipt>)>, Error> {
    let FastConsumeRequest {
        account,
        meter,
        kind,
        grant_key,
    } = request;
    let Some(hit) = tx.find_cached_grant(account, meter, grant_key) else {
        return Ok(None);
    };
    let Some(answer) = find(hit.answer) else {
        return Ok(None);
    };
    let GrantHit { bucket, .. } = hit;
    let id = tx.consume_fast(
        account,
        bucket.id,
        grant_key.amount,
        retention_end(*kind, bucket.window, tx.now()),
    )?;
    Ok(Some((
        answer,
        Box::new(CountReceipt {
            quota: vec![quota_of_grant(request, &hit)],
            operation: Some(id),
            ..CountReceipt::default()
        }),
    )))
}

/// Returns the quota after the consume.
fn quota_of_grant(request: &FastConsumeRequest<'_>, hit: &GrantHit) -> Quota {
    let GrantHit {
        bucket:
            Bucket {
                window,
                reserved: held,
                top_up,
                ..
            },
        allowance: EffectiveLimit { base, source, over },
        ..
    } = *hit;
    let (amount, limit) = (request.grant_key.amount, in_force(hit.allowance, top_up));
    let used = hit.bucket.used.saturating_add(amount);
    Quota {
        meter: Arc::clone(request.meter),
        amount,
        used,
        held,
        limit,
        source,
        base,
        over,
        top_up,
        remaining: limit.remaining(used, held),
        resets_at: window.resets_at(),
        member: None,
    }
}

/// Caches a grant: a consume like the last one stays allowed for usage from `from` to `to`, with
/// the answer with the given number.
pub(crate) fn cache_grant(
    tx: &mut dyn CountTx,
    request: &FastConsumeRequest<'_>,
    line: &MeterRequest<'_>,
    held: i64,
    (from, to, answer): (i64, i64, u16),
) -> Result<(), Error> {
    let FastConsumeRequest {
        account,
        meter,
        grant_key,
        ..
    } = *request;
    let Some(bucket) = tx
        .current_bucket(
            CountOwner {
                account,
                member: None,
            },
            meter,
        )?
        .filter(|bucket| bucket.reserved == held)
    else {
        return Ok(());
    };
    // Above this usage the counters would overflow.
    let most = i64::MAX
        .saturating_sub(held)
        .saturating_sub(grant_key.amount);
    tx.cache_grant(
        account,
        meter,
        CachedGrant {
            grant_key,
            answer,
            allowance: line.allowance,
            from,
            to: to.min(most),
            reserved: held,
            top_up: bucket.top_up,
        },
    );
    Ok(())
}
