//! Operations that follow up another one: `commit` and `release` of a reservation, and `refund`.
//! Also `revoke_top_up`.

use super::MeterRequest;
use super::idempotency::{find_replay, retention_end};
use super::receipt::{quotas, stored_receipt, with_receipt_id};
use crate::api::quota::CountReceipt;
use crate::store::{
    self, BucketDelta, CountTx, KeyLookup, NewOperation, Operation, OperationKind,
    ReservationState, Store, TxOutcome,
};
use crate::util::error::Error;

/// The kind of follow-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FollowUp {
    /// Consumes the given amount of each reserved meter, or the whole reservation for `None`.
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
    if let Some(answer) = replay_receipt(ledger, &operation.account, asked.key)? {
        return Ok((answer, TxOutcome::Rollback));
    }
    match how {
        FollowUp::Refund(amount) => refund(ledger, asked, &mut operation, amount),
        FollowUp::Commit(_) | FollowUp::Release => {
            let Some(reservation) = operation.reservation else {
                return Err(Error::NoReservation {
                    operation: operation.id,
                });
            };
            match (how, reservation) {
                (FollowUp::Commit(amount), ReservationState::Open(expires_at))
                    if expires_at > ledger.now() =>
                {
                    commit(ledger, asked, &mut operation, amount)
                }
                (FollowUp::Commit(_), ReservationState::Open(_)) => Err(Error::HoldExpired {
                    operation: operation.id,
                }),
                (FollowUp::Commit(amount), ReservationState::Committed(by)) => {
                    replay_follow_up(ledger, asked, &operation, by, amount)
                }
                (FollowUp::Release, ReservationState::Open(_)) => {
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

pub(super) fn replay_receipt(
    ledger: &mut dyn CountTx,
    account: &str,
    key: Option<(&str, [u8; 32])>,
) -> Result<Option<CountReceipt>, Error> {
    Ok(
        find_replay::<CountReceipt>(ledger, account, key)?.map(|counted| CountReceipt {
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
        let amount = amount.unwrap_or(part.reserved);
        if amount < 0 || amount > part.reserved {
            return Err(Error::CommitTooMuch {
                operation: operation.id,
                amount,
                held: part.reserved,
            });
        }
        parts.push(BucketDelta {
            used: amount,
            reserved: part.reserved.saturating_neg(),
            ..BucketDelta::for_bucket(part.bucket)
        });
    }
    let (counted, id) = record(ledger, asked, operation, OperationKind::Commit, &parts)?;
    operation.reservation = Some(ReservationState::Committed(id));
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
            reserved: part.reserved.saturating_neg(),
            ..BucketDelta::for_bucket(part.bucket)
        })
        .collect();
    let (counted, id) = record(ledger, asked, operation, OperationKind::Release, &parts)?;
    operation.reservation = Some(ReservationState::Released(id));
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
    match top_up.reservation {
        Some(ReservationState::Released(by)) => replay_follow_up(ledger, &asked, &top_up, by, None),
        _ => revoke_amount(ledger, &asked, &mut top_up, None),
    }
}

/// Takes back a top-up, or the given amount of it, in the window that it was added to.
fn revoke_amount(
    ledger: &mut dyn CountTx,
    asked: &FollowUpRequest<'_>,
    operation: &mut Operation,
    amount: Option<i64>,
) -> Result<(CountReceipt, TxOutcome), Error> {
    let mut parts = Vec::with_capacity(operation.parts.len());
    for part in &mut operation.parts {
        let left = part.top_up.saturating_sub(part.refunded);
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
        part.refunded = part.refunded.saturating_add(amount);
    }
    let (counted, id) = record(ledger, asked, operation, OperationKind::RevokeTopUp, &parts)?;
    if operation
        .parts
        .iter()
        .all(|part| part.refunded == part.top_up)
    {
        operation.reservation = Some(ReservationState::Released(id));
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
        return revoke_amount(ledger, asked, operation, amount);
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
        let left = part.used.saturating_sub(part.refunded);
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
        part.refunded = part.refunded.saturating_add(amount);
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
    let mut retain_until = now;
    for part in parts {
        let Some(named) = ledger.bucket(part.bucket)? else {
            continue;
        };
        if let Some(line) = (asked.lines)(&named.meter, None) {
            retain_until = retain_until.max(retention_end(line.kind, named.bucket.window, now));
        }
    }
    let quota = quotas(ledger, asked.lines, parts, parts)?;
    let answer = CountReceipt {
        quota,
        ..CountReceipt::default()
    };
    let id = ledger.append(NewOperation {
        kind,
        account: &operation.account,
        member: operation.member.as_deref(),
        actor: None,
        idempotency_key: asked.key,
        parent: Some(operation.id),
        expires_at: None,
        retain_until,
        parts,
        answer: &mut |id| stored_receipt(&answer, id),
    })?;
    Ok((with_receipt_id(&answer, id), id))
}
