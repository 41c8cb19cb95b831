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
    pub(crate) asked: GrantKey,
}

/// Consumes if a cached grant allows it. Returns the answer in the grant's slot, and the receipt.
/// `find` returns the answer in a slot, or `None` if it is a denial.
pub(crate) fn consume_cached<A>(
    ledger: &mut dyn CountTx,
    known: &FastConsumeRequest<'_>,
    find: impl FnOnce(u8) -> Option<A>,
) -> Result<Option<(A, Box<CountReceipt>)>, Error> {
    let FastConsumeRequest {
        account,
        meter,
        kind,
        asked,
    } = known;
    let Some(noted) = ledger.find_cached_grant(account, meter, asked) else {
        return Ok(None);
    };
    let Some(answer) = find(noted.answer) else {
        return Ok(None);
    };
    let GrantHit { bucket, .. } = noted;
    let id = ledger.consume_fast(
        account,
        bucket.id,
        asked.amount,
        retention_end(*kind, bucket.window, ledger.now()),
    )?;
    Ok(Some((
        answer,
        Box::new(CountReceipt {
            quota: vec![quota_of_grant(known, &noted)],
            operation: Some(id),
            ..CountReceipt::default()
        }),
    )))
}

/// Returns the quota after the consume.
fn quota_of_grant(known: &FastConsumeRequest<'_>, noted: &GrantHit) -> Quota {
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
    } = *noted;
    let (amount, limit) = (known.asked.amount, in_force(noted.allowance, top_up));
    let used = noted.bucket.used.saturating_add(amount);
    Quota {
        meter: Arc::clone(known.meter),
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
/// the answer in the given slot.
pub(crate) fn cache_grant(
    ledger: &mut dyn CountTx,
    known: &FastConsumeRequest<'_>,
    line: &MeterRequest<'_>,
    held: i64,
    (from, to, answer): (i64, i64, u8),
) -> Result<(), Error> {
    let FastConsumeRequest {
        account,
        meter,
        asked,
        ..
    } = *known;
    let Some(bucket) = ledger
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
    let most = i64::MAX.saturating_sub(held).saturating_sub(asked.amount);
    ledger.cache_grant(
        account,
        meter,
        CachedGrant {
            asked,
            answer,
            allowance: line.allowance,
            from,
            to: to.min(most),
            held,
            top_up: bucket.top_up,
        },
    );
    Ok(())
}
