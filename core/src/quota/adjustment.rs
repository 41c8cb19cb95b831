//! The host's adjustments of usage and limits: `top_up` and `carry_over`.

use super::follow_up::replay_receipt;
use super::idempotency::retention_end;
use super::meter_state::CurrentBucket;
use super::receipt::{quotas, stored_receipt, with_receipt_id};
use super::{MeterRequest, QuotaSubject};
use crate::api::quota::CountReceipt;
use crate::model::catalog::MeterKind;
use crate::store::{
    Bucket, BucketDelta, CountOwner, CountTx, Durability, NewOperation, OperationKind, TxOutcome,
};
use crate::util::error::Error;

/// An adjustment of an account's meter by the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adjustment {
    /// Adds the amount to the limit for this window.
    TopUp(i64),
    /// Adds usage of this window from before Sublet counted.
    CarryOver(i64),
}

impl Adjustment {
    /// Returns the change of a bucket. Fails with [`Error::Amount`] if its total would overflow.
    fn delta(self, bucket: &Bucket) -> Result<BucketDelta, Error> {
        let none = BucketDelta::for_bucket(bucket.id);
        let (delta, before, amount) = match self {
            Self::TopUp(amount) => (
                BucketDelta {
                    top_up: amount,
                    ..none
                },
                bucket.top_up,
                amount,
            ),
            Self::CarryOver(amount) => {
                let before = bucket.used.saturating_add(bucket.reserved);
                (
                    BucketDelta {
                        used: amount,
                        ..none
                    },
                    before,
                    amount,
                )
            }
        };
        before
            .checked_add(amount)
            .map(|_| delta)
            .ok_or_else(|| Error::Amount {
                amount: amount.to_string(),
            })
    }
}

impl Adjustment {
    /// Returns the required durability. A change of a limit must survive a power loss.
    pub(crate) fn durability(self) -> Durability {
        match self {
            Self::TopUp(_) => Durability::Power,
            Self::CarryOver(_) => Durability::Process,
        }
    }
}

/// Records an adjustment for the account, and for the member's own counter if a member is named
/// (M2).
pub(crate) fn record_adjustment(
    tx: &mut dyn CountTx,
    subject: &QuotaSubject<'_>,
    line: &MeterRequest<'_>,
    idempotency_key: Option<(&str, [u8; 32])>,
    what: Adjustment,
) -> Result<(CountReceipt, TxOutcome), Error> {
    if let Some(answer) = replay_receipt(tx, subject.account, idempotency_key)? {
        return Ok((answer, TxOutcome::Rollback));
    }
    if let Adjustment::CarryOver(_) = what {
        line.refuse_counted()?;
    }
    let mut parts = Vec::with_capacity(2);
    // The account's window, which is found first.
    let mut window = None;
    for member in std::iter::once(None).chain(subject.member.map(Some)) {
        let owner = CountOwner {
            account: subject.account,
            member,
        };
        let place = CurrentBucket::find(tx, owner, line, subject)?;
        let bucket = match place.bucket {
            Some(bucket) => bucket,
            None => tx.open(owner, line.meter, place.window)?,
        };
        parts.push(what.delta(&bucket)?);
        window.get_or_insert(place.window);
    }
    let now = tx.now();
    let until_end = window.map_or(now, |window| retention_end(line.kind, window, now));
    let (kind, retain_until) = match (what, line.kind) {
        // A top-up can be taken back for as long as it counts (B14).
        (Adjustment::TopUp(_), MeterKind::Stock) => (OperationKind::TopUp, i64::MAX),
        (Adjustment::TopUp(_), MeterKind::Flow) => (OperationKind::TopUp, until_end),
        (Adjustment::CarryOver(_), _) => (OperationKind::CarryOver, until_end),
    };
    let quota = quotas(tx, &|_, _| Some(*line), &parts, &parts)?;
    let answer = CountReceipt {
        quota,
        ..CountReceipt::default()
    };
    let id = tx.append(NewOperation {
        kind,
        account: subject.account,
        member: subject.member,
        actor: None,
        idempotency_key,
        parent: None,
        expires_at: None,
        retain_until,
        parts: &parts,
        answer: &mut |id| Box::new(stored_receipt(&answer, id)),
    })?;
    Ok((with_receipt_id(&answer, id), TxOutcome::Commit))
}
