//! The quotas of a receipt, from the states of meters or from the buckets of an operation.

use std::sync::Arc;

use super::follow_up::MeterLookup;
use super::meter_state::{MeterState, in_force};
use super::{MeterRequest, QuotaSubject};
use crate::api::decision::Decision;
use crate::api::quota::{CountReceipt, MemberQuota, Quota};
use crate::model::limit::Limit;
use crate::store::{Bucket, BucketDelta, CountTx};
use crate::util::error::Error;

/// Adds the receipt to the decision. `done` has the granted amount and the change of each meter.
pub(super) fn with_quotas(
    mut decision: Decision,
    meters: &[MeterState<'_>],
    subject: &QuotaSubject<'_>,
    done: &[(i64, i64)],
    expires_at: Option<i64>,
) -> Decision {
    let quotas = meters.iter().enumerate().map(|(at, meter)| {
        let (amount, change) = done.get(at).copied().unwrap_or((meter.line.amount, 0));
        quota_of(meter, subject.member, amount, change, 0)
    });
    decision.counted = Some(Box::new(CountReceipt {
        quota: quotas.collect(),
        expires_at,
        ..CountReceipt::default()
    }));
    decision
}

/// Returns the receipt with the operation's id.
pub(super) fn with_receipt_id(receipt: &CountReceipt, id: u64) -> CountReceipt {
    CountReceipt {
        operation: Some(id),
        ..receipt.clone()
    }
}

/// Returns the receipt of an operation as a retry with the same key receives it.
pub(super) fn stored_receipt(receipt: &CountReceipt, id: u64) -> Vec<u8> {
    serde_json::to_vec(&with_receipt_id(receipt, id)).unwrap_or_default()
}

/// Moves the changes in the receipt from used to held.
pub(super) fn set_reserved(decision: &mut Decision, done: &[(i64, i64)]) {
    let quotas = decision
        .counted
        .iter_mut()
        .flat_map(|counted| &mut counted.quota);
    for (quota, (_, change)) in quotas.zip(done) {
        quota.used = quota.used.saturating_sub(*change);
        quota.held = quota.held.saturating_add(*change);
        if let Some(member) = &mut quota.member {
            member.used = member.used.saturating_sub(*change);
            member.held = member.held.saturating_add(*change);
        }
    }
}

pub(super) fn quota_of(
    meter: &MeterState<'_>,
    named: Option<&str>,
    amount: i64,
    change: i64,
    held: i64,
) -> Quota {
    let MeterState {
        line,
        account,
        member,
    } = meter;
    let (used, held, limit) = (
        account.used().saturating_add(change),
        account.held().saturating_add(held),
        meter.limit(),
    );
    let member = member.zip(named).map(|(place, id)| {
        let (used, held) = (
            place
                .used()
                .saturating_add(change.max(0_i64.saturating_sub(place.used()))),
            place.held(),
        );
        MemberQuota {
            id: Arc::from(id),
            used,
            held,
            limit: meter.sub_limit(),
            remaining: meter.sub_limit().remaining(used, held),
        }
    });
    Quota {
        meter: Arc::clone(line.meter),
        amount,
        used,
        held,
        limit,
        source: line.allowance.source,
        base: line.allowance.base,
        over: line.allowance.over,
        top_up: account.bucket.map_or(0, |bucket| bucket.top_up),
        remaining: limit.remaining(used, held),
        resets_at: account.window.resets_at(),
        member,
    }
}

pub(super) fn with_operation_id(mut decision: Decision, id: u64) -> Decision {
    set_operation_id(&mut decision.counted, id);
    decision
}

/// Sets the operation's id in a receipt.
pub(super) fn set_operation_id(receipt: &mut Option<Box<CountReceipt>>, id: u64) {
    if let Some(receipt) = receipt {
        receipt.operation = Some(id);
    }
}

/// Returns the quotas of the meters of `parts`, after `changes`.
pub(super) fn quotas(
    tx: &mut dyn CountTx,
    lines: MeterLookup<'_>,
    parts: &[BucketDelta],
    changes: &[BucketDelta],
) -> Result<Vec<Quota>, Error> {
    let mut quotas: Vec<Quota> = Vec::new();
    for part in parts {
        let Some(mut named) = tx.bucket(part.bucket)? else {
            continue;
        };
        let change = changes
            .iter()
            .find(|change| change.bucket == part.bucket)
            .copied()
            .unwrap_or(BucketDelta::for_bucket(part.bucket));
        let bucket = &mut named.bucket;
        bucket.used = bucket.used.saturating_add(change.used);
        bucket.top_up = bucket.top_up.saturating_add(change.top_up);
        bucket.reserved = bucket.reserved.saturating_add(change.reserved).max(0);
        if let (Some(member), Some(quota)) = (&named.member, quotas.last_mut()) {
            let limit = lines(&named.meter, Some(member))
                .and_then(|line| line.sub_limit)
                .unwrap_or(Limit::Unlimited);
            let (used, held) = (named.bucket.used, named.bucket.reserved);
            quota.member = Some(MemberQuota {
                id: member.as_str().into(),
                used,
                held,
                limit,
                remaining: limit.remaining(used, held),
            });
        } else {
            let Some(line) = lines(&named.meter, None) else {
                continue;
            };
            let used = line
                .counted
                .map_or(named.bucket.used, |records| records.count(tx.now()));
            let bucket = Bucket {
                used,
                ..named.bucket
            };
            quotas.push(of_bucket(
                &line,
                bucket,
                change
                    .used
                    .saturating_abs()
                    .max(change.top_up.saturating_abs()),
            ));
        }
    }
    Ok(quotas)
}

fn of_bucket(line: &MeterRequest<'_>, bucket: Bucket, amount: i64) -> Quota {
    let limit = in_force(line.allowance, bucket.top_up);
    Quota {
        meter: Arc::clone(line.meter),
        amount,
        used: bucket.used,
        held: bucket.reserved,
        limit,
        source: line.allowance.source,
        base: line.allowance.base,
        over: line.allowance.over,
        top_up: bucket.top_up,
        remaining: limit.remaining(bucket.used, bucket.reserved),
        resets_at: bucket.window.resets_at(),
        member: None,
    }
}
