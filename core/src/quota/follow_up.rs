//! Operations that follow up another one: `commit` and `release` of a reservation, and `refund`.
//! Also the host's adjustments of usage and limits: `top_up` and `carry_over`.

use std::sync::Arc;

use super::idempotency::answered;
use super::take::{CurrentBucket, in_force, retain_until};
use super::{MeterRequest, QuotaSubject};
use crate::api::quota::{CountReceipt, MemberQuota, Quota};
use crate::model::catalog::MeterKind;
use crate::model::limit::Limit;
use crate::store::{
    self, Bucket, BucketDelta, CountOwner, CountTx, Durability, KeyLookup, NewOperation, Operation,
    OperationKind, ReservationState, Store, TxOutcome,
};
use crate::util::error::Error;

/// The kind of follow-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FollowUp {
    /// Consumes the given amount of each held meter, or everything held for `None`.
    Commit(Option<i64>),
    Release,
    /// Gives back the given amount of each meter, or everything that is left for `None`.
    Refund(Option<i64>),
}

/// Looks up a meter of the account, and of a member if one is given, in the directory.
pub(crate) type MeterLookup<'l> = &'l dyn Fn(&str, Option<&str>) -> Option<MeterRequest<'l>>;

/// A follow-up of an operation.
pub(crate) struct FollowUpRequest<'a> {
    pub(crate) operation: u64,
    pub(crate) key: Option<(&'a str, [u8; 32])>,
    pub(crate) lines: MeterLookup<'a>,
}

/// Commits, releases or refunds an operation.
pub(crate) fn follow_up(
    ledger: &mut dyn CountTx,
    asked: &FollowUpRequest<'_>,
    how: FollowUp,
) -> Result<(CountReceipt, TxOutcome), Error> {
    let unknown = || Error::UnknownOperation {
        operation: asked.operation,
    };
    let mut operation = ledger.operation(asked.operation)?.ok_or_else(unknown)?;
    if let Some(answer) = replayed(ledger, &operation.account, asked.key)? {
        return Ok((answer, TxOutcome::Rollback));
    }
    match how {
        FollowUp::Refund(amount) => refund(ledger, asked, &mut operation, amount),
        FollowUp::Commit(_) | FollowUp::Release => {
            let Some(hold) = operation.hold else {
                return Err(Error::NoReservation {
                    operation: operation.id,
                });
            };
            match (how, hold) {
                (FollowUp::Commit(amount), ReservationState::Until(until))
                    if until > ledger.now() =>
                {
                    commit(ledger, asked, &mut operation, amount)
                }
                (FollowUp::Commit(_), ReservationState::Until(_)) => Err(Error::HoldExpired {
                    operation: operation.id,
                }),
                (FollowUp::Commit(amount), ReservationState::Committed(by)) => {
                    replay_follow_up(ledger, asked, &operation, by, amount)
                }
                (FollowUp::Release, ReservationState::Until(_)) => {
                    release(ledger, asked, &mut operation)
                }
                (FollowUp::Release, ReservationState::Released(by)) => {
                    replay_follow_up(ledger, asked, &operation, by, None)
                }
                _ => Err(Error::HoldSettled {
                    operation: operation.id,
                }),
            }
        }
    }
}

/// Returns whether the follow-up of an operation changes a limit. Such a change must survive a
/// power loss.
pub(crate) fn changes_limit(
    store: &dyn Store,
    account: &str,
    operation: u64,
) -> Result<bool, Error> {
    let found = store::view(store, account, |ledger| ledger.operation(operation))?;
    Ok(found.is_some_and(|found| found.kind == OperationKind::TopUp))
}

fn replayed(
    ledger: &mut dyn CountTx,
    account: &str,
    key: Option<(&str, [u8; 32])>,
) -> Result<Option<CountReceipt>, Error> {
    Ok(
        answered::<CountReceipt>(ledger, account, key)?.map(|counted| CountReceipt {
            replayed: true,
            ..counted
        }),
    )
}

/// Answers a repeated follow-up with the operation of the first one.
fn replay_follow_up(
    ledger: &mut dyn CountTx,
    asked: &FollowUpRequest<'_>,
    operation: &Operation,
    by: u64,
    amount: Option<i64>,
) -> Result<(CountReceipt, TxOutcome), Error> {
    if let (Some(amount), Some(settled)) = (amount, ledger.operation(by)?)
        && settled
            .parts
            .first()
            .is_some_and(|part| part.used != amount)
    {
        return Err(Error::HoldSettled {
            operation: operation.id,
        });
    }
    let quota = quotas(ledger, asked.lines, &operation.parts, &[])?;
    Ok((
        CountReceipt {
            quota,
            operation: Some(by),
            expires_at: None,
            replayed: true,
        },
        TxOutcome::Rollback,
    ))
}

fn commit(
    ledger: &mut dyn CountTx,
    asked: &FollowUpRequest<'_>,
    operation: &mut Operation,
    amount: Option<i64>,
) -> Result<(CountReceipt, TxOutcome), Error> {
    let mut parts = Vec::with_capacity(operation.parts.len());
    for part in &operation.parts {
        let amount = amount.unwrap_or(part.held);
        if amount < 0 || amount > part.held {
            return Err(Error::CommitTooMuch {
                operation: operation.id,
                amount,
                held: part.held,
            });
        }
        parts.push(BucketDelta {
            used: amount,
            held: part.held.saturating_neg(),
            ..BucketDelta::for_bucket(part.bucket)
        });
    }
    let (counted, id) = record(ledger, asked, operation, OperationKind::Commit, &parts)?;
    operation.hold = Some(ReservationState::Committed(id));
    ledger.update_operation(operation)?;
    Ok((counted, TxOutcome::Commit))
}

fn release(
    ledger: &mut dyn CountTx,
    asked: &FollowUpRequest<'_>,
    operation: &mut Operation,
) -> Result<(CountReceipt, TxOutcome), Error> {
    let parts: Vec<BucketDelta> = operation
        .parts
        .iter()
        .map(|part| BucketDelta {
            held: part.held.saturating_neg(),
            ..BucketDelta::for_bucket(part.bucket)
        })
        .collect();
    let (counted, id) = record(ledger, asked, operation, OperationKind::Release, &parts)?;
    operation.hold = Some(ReservationState::Released(id));
    ledger.update_operation(operation)?;
    Ok((counted, TxOutcome::Commit))
}

/// Revokes the top-up of an idempotency key. The limit falls at once, and what was used stays used
/// (B14). A repeated call returns the answer of the first one.
pub(crate) fn revoke_top_up(
    ledger: &mut dyn CountTx,
    account: &str,
    key: &str,
    lines: MeterLookup<'_>,
) -> Result<(CountReceipt, TxOutcome), Error> {
    let unknown = || Error::UnknownTopUp {
        account: crate::util::text::short(account),
        key: crate::util::text::short(key),
    };
    let answer = match ledger.find_key(account, key)? {
        KeyLookup::Answered(_, answer) => answer,
        KeyLookup::Expired => {
            return Err(Error::KeyPruned {
                key: key.to_owned(),
            });
        }
        KeyLookup::Unknown => return Err(unknown()),
    };
    let operation = serde_json::from_slice::<CountReceipt>(&answer)
        .ok()
        .and_then(|counted| counted.operation)
        .ok_or_else(unknown)?;
    let top_up = ledger
        .operation(operation)?
        .filter(|found| found.kind == OperationKind::TopUp);
    let mut top_up = top_up.ok_or_else(unknown)?;
    let asked = FollowUpRequest {
        operation,
        key: None,
        lines,
    };
    match top_up.hold {
        Some(ReservationState::Released(by)) => replay_follow_up(ledger, &asked, &top_up, by, None),
        _ => take_back(ledger, &asked, &mut top_up, None),
    }
}

/// Takes back a top-up, or the given amount of it, in the window that it was added to.
fn take_back(
    ledger: &mut dyn CountTx,
    asked: &FollowUpRequest<'_>,
    operation: &mut Operation,
    amount: Option<i64>,
) -> Result<(CountReceipt, TxOutcome), Error> {
    let mut parts = Vec::with_capacity(operation.parts.len());
    for part in &mut operation.parts {
        let left = part.top_up.saturating_sub(part.back);
        let amount = amount.unwrap_or(left);
        if amount < 0 || amount > left {
            return Err(Error::RefundTooMuch {
                operation: operation.id,
                amount,
                left,
            });
        }
        parts.push(BucketDelta {
            top_up: amount.saturating_neg(),
            ..BucketDelta::for_bucket(part.bucket)
        });
        part.back = part.back.saturating_add(amount);
    }
    let (counted, id) = record(ledger, asked, operation, OperationKind::RevokeTopUp, &parts)?;
    if operation.parts.iter().all(|part| part.back == part.top_up) {
        operation.hold = Some(ReservationState::Released(id));
    }
    ledger.update_operation(operation)?;
    Ok((counted, TxOutcome::Commit))
}

fn refund(
    ledger: &mut dyn CountTx,
    asked: &FollowUpRequest<'_>,
    operation: &mut Operation,
    amount: Option<i64>,
) -> Result<(CountReceipt, TxOutcome), Error> {
    if operation.kind == OperationKind::TopUp {
        return take_back(ledger, asked, operation, amount);
    }
    if !matches!(
        operation.kind,
        OperationKind::Consume | OperationKind::Commit
    ) {
        return Err(Error::NotRefundable {
            operation: operation.id,
            kind: operation.kind.as_str(),
        });
    }
    for part in &operation.parts {
        if let Some(named) = ledger.bucket(part.bucket)?
            && let Some(line) = (asked.lines)(&named.meter, None)
        {
            line.refuse_counted()?;
        }
    }
    let mut parts = Vec::with_capacity(operation.parts.len());
    for part in &mut operation.parts {
        let left = part.used.saturating_sub(part.back);
        let amount = amount.unwrap_or(left);
        if amount < 0 || amount > left {
            return Err(Error::RefundTooMuch {
                operation: operation.id,
                amount,
                left,
            });
        }
        // A stock may have been freed since, so never give back more than is still used.
        let used = ledger
            .bucket(part.bucket)?
            .map_or(0, |named| named.bucket.used);
        parts.push(BucketDelta {
            used: amount.min(used).saturating_neg(),
            ..BucketDelta::for_bucket(part.bucket)
        });
        part.back = part.back.saturating_add(amount);
    }
    let (counted, _) = record(ledger, asked, operation, OperationKind::Refund, &parts)?;
    ledger.update_operation(operation)?;
    Ok((counted, TxOutcome::Commit))
}

fn record(
    ledger: &mut dyn CountTx,
    asked: &FollowUpRequest<'_>,
    operation: &Operation,
    kind: OperationKind,
    parts: &[BucketDelta],
) -> Result<(CountReceipt, u64), Error> {
    let now = ledger.now();
    let mut keep = now;
    for part in parts {
        let Some(named) = ledger.bucket(part.bucket)? else {
            continue;
        };
        if let Some(line) = (asked.lines)(&named.meter, None) {
            keep = keep.max(retain_until(line.kind, named.bucket.window, now));
        }
    }
    let quota = quotas(ledger, asked.lines, parts, parts)?;
    let answer = CountReceipt {
        quota,
        operation: None,
        expires_at: None,
        replayed: false,
    };
    let id = ledger.append(NewOperation {
        kind,
        account: &operation.account,
        member: operation.member.as_deref(),
        actor: None,
        key: asked.key,
        of: Some(operation.id),
        until: None,
        keep,
        parts,
        answer: &mut |id| {
            serde_json::to_vec(&CountReceipt {
                operation: Some(id),
                ..answer.clone()
            })
            .unwrap_or_default()
        },
    })?;
    Ok((
        CountReceipt {
            operation: Some(id),
            ..answer
        },
        id,
    ))
}

/// Returns the quotas of the meters of `parts`, after `changes`.
fn quotas(
    ledger: &mut dyn CountTx,
    lines: MeterLookup<'_>,
    parts: &[BucketDelta],
    changes: &[BucketDelta],
) -> Result<Vec<Quota>, Error> {
    let mut quotas: Vec<Quota> = Vec::new();
    for part in parts {
        let Some(mut named) = ledger.bucket(part.bucket)? else {
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
        bucket.held = bucket.held.saturating_add(change.held).max(0);
        if let (Some(member), Some(quota)) = (&named.member, quotas.last_mut()) {
            let limit = lines(&named.meter, Some(member))
                .and_then(|line| line.sub_limit)
                .unwrap_or(Limit::Unlimited);
            let (used, held) = (named.bucket.used, named.bucket.held);
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
                .map_or(named.bucket.used, |records| records.count(ledger.now()));
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
        held: bucket.held,
        limit,
        source: line.allowance.source,
        base: line.allowance.base,
        over: line.allowance.over,
        top_up: bucket.top_up,
        remaining: limit.remaining(bucket.used, bucket.held),
        resets_at: bucket.window.resets_at(),
        member: None,
    }
}

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
                let before = bucket.used.saturating_add(bucket.held);
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
    ledger: &mut dyn CountTx,
    subject: &QuotaSubject<'_>,
    line: &MeterRequest<'_>,
    key: Option<(&str, [u8; 32])>,
    what: Adjustment,
) -> Result<(CountReceipt, TxOutcome), Error> {
    if let Some(answer) = replayed(ledger, subject.account, key)? {
        return Ok((answer, TxOutcome::Rollback));
    }
    if let Adjustment::CarryOver(_) = what {
        line.refuse_counted()?;
    }
    let mut parts = Vec::with_capacity(2);
    let mut end = CurrentBucket::find(
        ledger,
        CountOwner {
            account: subject.account,
            member: None,
        },
        line,
        subject,
    )?
    .window;
    for member in std::iter::once(None).chain(subject.member.map(Some)) {
        let whose = CountOwner {
            account: subject.account,
            member,
        };
        let place = CurrentBucket::find(ledger, whose, line, subject)?;
        let bucket = match place.bucket {
            Some(bucket) => bucket,
            None => ledger.open(whose, line.meter, place.window)?,
        };
        parts.push(what.delta(&bucket)?);
        end = if member.is_none() { place.window } else { end };
    }
    let until_end = retain_until(line.kind, end, ledger.now());
    let (kind, keep) = match (what, line.kind) {
        // A top-up can be taken back for as long as it counts (B14).
        (Adjustment::TopUp(_), MeterKind::Stock) => (OperationKind::TopUp, i64::MAX),
        (Adjustment::TopUp(_), MeterKind::Flow) => (OperationKind::TopUp, until_end),
        (Adjustment::CarryOver(_), _) => (OperationKind::CarryOver, until_end),
    };
    let quota = quotas(ledger, &|_, _| Some(*line), &parts, &parts)?;
    let answer = CountReceipt {
        quota,
        ..CountReceipt::default()
    };
    let id = ledger.append(NewOperation {
        kind,
        account: subject.account,
        member: subject.member,
        actor: None,
        key,
        of: None,
        until: None,
        keep,
        parts: &parts,
        answer: &mut |id| {
            serde_json::to_vec(&CountReceipt {
                operation: Some(id),
                ..answer.clone()
            })
            .unwrap_or_default()
        },
    })?;
    Ok((
        CountReceipt {
            operation: Some(id),
            ..answer
        },
        TxOutcome::Commit,
    ))
}
