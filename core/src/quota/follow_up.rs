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
    pub(crate) idempotency_key: Option<(&'a str, [u8; 32])>,
    pub(crate) lines: MeterLookup<'a>,
}

/// Commits, releases or refunds an operation.
pub(crate) fn follow_up(
    tx: &mut dyn CountTx,
    request: &FollowUpRequest<'_>,
    how: FollowUp,
) -> Result<(CountReceipt, TxOutcome), Error> {
    let unknown = || Error::UnknownOperation {
        operation: request.operation,
    };
    let mut operation = tx.operation(request.operation)?.ok_or_else(unknown)?;
    if let Some(answer) = replay_receipt(tx, &operation.account, request.idempotency_key)? {
        return Ok((answer, TxOutcome::Rollback));
    }
    match how {
        FollowUp::Refund(amount) => refund(tx, request, &mut operation, amount),
        FollowUp::Commit(_) | FollowUp::Release => {
            let Some(reservation) = operation.reservation else {
                return Err(Error::NoReservation {
                    operation: operation.id,
                });
            };
            match (how, reservation) {
                (FollowUp::Commit(amount), ReservationState::Open(expires_at))
                    if expires_at > tx.now() =>
                {
                    commit(tx, request, &mut operation, amount)
                }
                (FollowUp::Commit(_), ReservationState::Open(_)) => {
                    Err(Error::ReservationExpired {
                        operation: operation.id,
                    })
                }
                (FollowUp::Commit(amount), ReservationState::Committed(by)) => {
                    replay_follow_up(tx, request, &operation, by, amount)
                }
                (FollowUp::Release, ReservationState::Open(_)) => {
                    release(tx, request, &mut operation)
                }
                (FollowUp::Release, ReservationState::Released(by)) => {
                    replay_follow_up(tx, request, &operation, by, None)
                }
                _ => Err(Error::ReservationClosed {
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
    let found = store::view(store, account, |tx| tx.operation(operation))?;
    Ok(found.is_some_and(|found| found.kind == OperationKind::TopUp))
}

pub(super) fn replay_receipt(
    tx: &mut dyn CountTx,
    account: &str,
    idempotency_key: Option<(&str, [u8; 32])>,
) -> Result<Option<CountReceipt>, Error> {
    Ok(
        find_replay::<CountReceipt>(tx, account, idempotency_key)?.map(|counted| CountReceipt {
            replayed: true,
            ..counted
        }),
    )
}

/// Answers a repeated follow-up with the operation of the first one.
fn replay_follow_up(
    tx: &mut dyn CountTx,
    request: &FollowUpRequest<'_>,
    operation: &Operation,
    by: u64,
    amount: Option<i64>,
) -> Result<(CountReceipt, TxOutcome), Error> {
    if let (Some(amount), Some(settled)) = (amount, tx.operation(by)?)
        && settled
            .parts
            .first()
            .is_some_and(|part| part.used != amount)
    {
        return Err(Error::ReservationClosed {
            operation: operation.id,
        });
    }
    let quota = quotas(tx, request.lines, &operation.parts, &[])?;
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
    tx: &mut dyn CountTx,
    request: &FollowUpRequest<'_>,
    operation: &mut Operation,
    amount: Option<i64>,
) -> Result<(CountReceipt, TxOutcome), Error> {
    for part in &operation.parts {
        let amount = amount.unwrap_or(part.reserved);
        if amount < 0 || amount > part.reserved {
            return Err(Error::CommitTooMuch {
                operation: operation.id,
                amount,
                reserved: part.reserved,
            });
        }
    }
    let used = |part: &BucketDelta| amount.unwrap_or(part.reserved);
    let (kind, state) = (OperationKind::Commit, ReservationState::Committed);
    close_reservation(tx, request, operation, (kind, &used), state)
}

fn release(
    tx: &mut dyn CountTx,
    request: &FollowUpRequest<'_>,
    operation: &mut Operation,
) -> Result<(CountReceipt, TxOutcome), Error> {
    let (kind, state) = (OperationKind::Release, ReservationState::Released);
    close_reservation(tx, request, operation, (kind, &|_| 0), state)
}

/// Records the follow-up that closes a reservation and uses a part of what it holds, and the
/// reservation's new state.
fn close_reservation(
    tx: &mut dyn CountTx,
    request: &FollowUpRequest<'_>,
    operation: &mut Operation,
    (kind, used): (OperationKind, &dyn Fn(&BucketDelta) -> i64),
    state: fn(u64) -> ReservationState,
) -> Result<(CountReceipt, TxOutcome), Error> {
    let closed = |part: &BucketDelta| BucketDelta {
        used: used(part),
        reserved: part.reserved.saturating_neg(),
        ..BucketDelta::for_bucket(part.bucket)
    };
    let parts: Vec<BucketDelta> = operation.parts.iter().map(closed).collect();
    let (counted, id) = record(tx, request, operation, kind, &parts)?;
    operation.reservation = Some(state(id));
    tx.update_operation(operation)?;
    Ok((counted, TxOutcome::Commit))
}

/// Revokes the top-up of an idempotency key. The limit falls at once, and what was used stays used
/// (B14). A repeated call returns the answer of the first one.
pub(crate) fn revoke_top_up(
    tx: &mut dyn CountTx,
    account: &str,
    idempotency_key: &str,
    lines: MeterLookup<'_>,
) -> Result<(CountReceipt, TxOutcome), Error> {
    let unknown = || Error::UnknownTopUp {
        account: crate::util::text::short(account),
        key: crate::util::text::short(idempotency_key),
    };
    let answer = match tx.find_key(account, idempotency_key)? {
        KeyLookup::Answered(_, answer) => answer,
        KeyLookup::Expired => {
            return Err(Error::IdempotencyKeyPruned {
                key: idempotency_key.to_owned(),
            });
        }
        KeyLookup::Unknown => return Err(unknown()),
    };
    let operation = serde_json::from_slice::<CountReceipt>(&answer)
        .ok()
        .and_then(|counted| counted.operation)
        .ok_or_else(unknown)?;
    let top_up = tx
        .operation(operation)?
        .filter(|found| found.kind == OperationKind::TopUp);
    let mut top_up = top_up.ok_or_else(unknown)?;
    let request = FollowUpRequest {
        operation,
        idempotency_key: None,
        lines,
    };
    match top_up.reservation {
        Some(ReservationState::Released(by)) => replay_follow_up(tx, &request, &top_up, by, None),
        _ => revoke_amount(tx, &request, &mut top_up, None),
    }
}

/// Returns the requested amount, or everything that remains for `None`. Fails with
/// [`Error::RefundTooMuch`] if less remains.
fn amount_to_refund(operation: u64, amount: Option<i64>, remaining: i64) -> Result<i64, Error> {
    match amount.unwrap_or(remaining) {
        amount if (0..=remaining).contains(&amount) => Ok(amount),
        amount => Err(Error::RefundTooMuch {
            operation,
            amount,
            remaining,
        }),
    }
}

/// Takes back a top-up, or the given amount of it, in the window that it was added to.
fn revoke_amount(
    tx: &mut dyn CountTx,
    request: &FollowUpRequest<'_>,
    operation: &mut Operation,
    amount: Option<i64>,
) -> Result<(CountReceipt, TxOutcome), Error> {
    let mut parts = Vec::with_capacity(operation.parts.len());
    for part in &mut operation.parts {
        let remaining = part.top_up.saturating_sub(part.refunded);
        let amount = amount_to_refund(operation.id, amount, remaining)?;
        parts.push(BucketDelta {
            top_up: amount.saturating_neg(),
            ..BucketDelta::for_bucket(part.bucket)
        });
        part.refunded = part.refunded.saturating_add(amount);
    }
    let (counted, id) = record(tx, request, operation, OperationKind::RevokeTopUp, &parts)?;
    if operation
        .parts
        .iter()
        .all(|part| part.refunded == part.top_up)
    {
        operation.reservation = Some(ReservationState::Released(id));
    }
    tx.update_operation(operation)?;
    Ok((counted, TxOutcome::Commit))
}

fn refund(
    tx: &mut dyn CountTx,
    request: &FollowUpRequest<'_>,
    operation: &mut Operation,
    amount: Option<i64>,
) -> Result<(CountReceipt, TxOutcome), Error> {
    if operation.kind == OperationKind::TopUp {
        return revoke_amount(tx, request, operation, amount);
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
        if let Some(named) = tx.bucket(part.bucket)?
            && let Some(line) = (request.lines)(&named.meter, None)
        {
            line.refuse_counted()?;
        }
    }
    let mut parts = Vec::with_capacity(operation.parts.len());
    for part in &mut operation.parts {
        let remaining = part.used.saturating_sub(part.refunded);
        let amount = amount_to_refund(operation.id, amount, remaining)?;
        // A stock may have been freed since, so never give back more than is still used.
        let used = tx.bucket(part.bucket)?.map_or(0, |named| named.bucket.used);
        parts.push(BucketDelta {
            used: amount.min(used).saturating_neg(),
            ..BucketDelta::for_bucket(part.bucket)
        });
        part.refunded = part.refunded.saturating_add(amount);
    }
    let (counted, _) = record(tx, request, operation, OperationKind::Refund, &parts)?;
    tx.update_operation(operation)?;
    Ok((counted, TxOutcome::Commit))
}

fn record(
    tx: &mut dyn CountTx,
    request: &FollowUpRequest<'_>,
    operation: &Operation,
    kind: OperationKind,
    parts: &[BucketDelta],
) -> Result<(CountReceipt, u64), Error> {
    let now = tx.now();
    let mut retain_until = now;
    for part in parts {
        let Some(named) = tx.bucket(part.bucket)? else {
            continue;
        };
        if let Some(line) = (request.lines)(&named.meter, None) {
            retain_until = retain_until.max(retention_end(line.kind, named.bucket.window, now));
        }
    }
    let quota = quotas(tx, request.lines, parts, parts)?;
    let answer = CountReceipt {
        quota,
        ..CountReceipt::default()
    };
    let id = tx.append(NewOperation {
        kind,
        account: &operation.account,
        member: operation.member.as_deref(),
        actor: None,
        idempotency_key: request.idempotency_key,
        parent: Some(operation.id),
        expires_at: None,
        retain_until,
        parts,
        answer: &mut |id| Box::new(stored_receipt(&answer, id)),
    })?;
    Ok((with_receipt_id(&answer, id), id))
}
