//! What follows an operation: `commit` and `release` of a reservation, `refund`; and what the host itself says of counts:
//! `top_up` and `carry_over`.

use std::sync::Arc;

use super::idempotency::answered;
use super::take::{Place, in_force, kept_until};
use super::{Line, Subject};
use crate::api::quota::{Counted, MemberQuota, Quota};
use crate::model::catalog::MeterKind;
use crate::model::limit::Limit;
use crate::store::{
    self, Bucket, Durability, Hold, Keep, Ledger, New, Operation, OperationKind, Part, Seen, Store,
    Whose,
};
use crate::util::error::Error;

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settling {
    /// Takes so much of what is held of each meter; all, if it is not said.
    Commit(Option<i64>),
    Release,
    /// Gives back so much of each meter; all that is left, if it is not said.
    Refund(Option<i64>),
}

/// What the directory says of a meter of this account, and of this member.
pub(crate) type Lines<'l> = &'l dyn Fn(&str, Option<&str>) -> Option<Line<'l>>;

/// Who settles what.
pub(crate) struct Asked<'a> {
    pub(crate) operation: u64,
    pub(crate) key: Option<(&'a str, [u8; 32])>,
    pub(crate) lines: Lines<'a>,
}

/// Settles an operation.
pub(crate) fn settle(
    ledger: &mut dyn Ledger,
    asked: &Asked<'_>,
    how: Settling,
) -> Result<(Counted, Keep), Error> {
    let unknown = || Error::UnknownOperation {
        operation: asked.operation,
    };
    let mut operation = ledger.operation(asked.operation)?.ok_or_else(unknown)?;
    if let Some(answer) = replayed(ledger, &operation.account, asked.key)? {
        return Ok((answer, Keep::No));
    }
    match how {
        Settling::Refund(amount) => refund(ledger, asked, &mut operation, amount),
        Settling::Commit(_) | Settling::Release => {
            let Some(hold) = operation.hold else {
                return Err(Error::NoReservation {
                    operation: operation.id,
                });
            };
            match (how, hold) {
                (Settling::Commit(amount), Hold::Until(until)) if until > ledger.now() => {
                    commit(ledger, asked, &mut operation, amount)
                }
                (Settling::Commit(_), Hold::Until(_)) => Err(Error::HoldExpired {
                    operation: operation.id,
                }),
                (Settling::Commit(amount), Hold::Committed(by)) => {
                    again(ledger, asked, &operation, by, amount)
                }
                (Settling::Release, Hold::Until(_)) => release(ledger, asked, &mut operation),
                (Settling::Release, Hold::Released(by)) => {
                    again(ledger, asked, &operation, by, None)
                }
                _ => Err(Error::HoldSettled {
                    operation: operation.id,
                }),
            }
        }
    }
}

/// Whether what settles an operation changes a limit: that is not to be lost with the machine's power.
pub(crate) fn changes_limit(
    store: &dyn Store,
    account: &str,
    operation: u64,
) -> Result<bool, Error> {
    let found = store::view(store, account, |ledger| ledger.operation(operation))?;
    Ok(found.is_some_and(|found| found.kind == OperationKind::TopUp))
}

fn replayed(
    ledger: &mut dyn Ledger,
    account: &str,
    key: Option<(&str, [u8; 32])>,
) -> Result<Option<Counted>, Error> {
    Ok(
        answered::<Counted>(ledger, account, key)?.map(|counted| Counted {
            replayed: true,
            ..counted
        }),
    )
}

/// A second call says what the first did: it was settled by this operation.
fn again(
    ledger: &mut dyn Ledger,
    asked: &Asked<'_>,
    operation: &Operation,
    by: u64,
    amount: Option<i64>,
) -> Result<(Counted, Keep), Error> {
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
        Counted {
            quota,
            operation: Some(by),
            expires_at: None,
            replayed: true,
        },
        Keep::No,
    ))
}

fn commit(
    ledger: &mut dyn Ledger,
    asked: &Asked<'_>,
    operation: &mut Operation,
    amount: Option<i64>,
) -> Result<(Counted, Keep), Error> {
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
        parts.push(Part {
            used: amount,
            held: part.held.saturating_neg(),
            ..Part::of(part.bucket)
        });
    }
    let (counted, id) = record(ledger, asked, operation, OperationKind::Commit, &parts)?;
    operation.hold = Some(Hold::Committed(id));
    ledger.amend(operation)?;
    Ok((counted, Keep::Yes))
}

fn release(
    ledger: &mut dyn Ledger,
    asked: &Asked<'_>,
    operation: &mut Operation,
) -> Result<(Counted, Keep), Error> {
    let parts: Vec<Part> = operation
        .parts
        .iter()
        .map(|part| Part {
            held: part.held.saturating_neg(),
            ..Part::of(part.bucket)
        })
        .collect();
    let (counted, id) = record(ledger, asked, operation, OperationKind::Release, &parts)?;
    operation.hold = Some(Hold::Released(id));
    ledger.amend(operation)?;
    Ok((counted, Keep::Yes))
}

/// Takes back the top-up of that key: the limit falls at once, and what was used stays used (B14). A second call says what the first
/// did.
pub(crate) fn revoke_top_up(
    ledger: &mut dyn Ledger,
    account: &str,
    key: &str,
    lines: Lines<'_>,
) -> Result<(Counted, Keep), Error> {
    let unknown = || Error::UnknownTopUp {
        account: crate::util::text::short(account),
        key: crate::util::text::short(key),
    };
    let answer = match ledger.seen(account, key)? {
        Seen::Answered(_, answer) => answer,
        Seen::Pruned => {
            return Err(Error::KeyPruned {
                key: key.to_owned(),
            });
        }
        Seen::Never => return Err(unknown()),
    };
    let operation = serde_json::from_slice::<Counted>(&answer)
        .ok()
        .and_then(|counted| counted.operation)
        .ok_or_else(unknown)?;
    let top_up = ledger
        .operation(operation)?
        .filter(|found| found.kind == OperationKind::TopUp);
    let mut top_up = top_up.ok_or_else(unknown)?;
    let asked = Asked {
        operation,
        key: None,
        lines,
    };
    match top_up.hold {
        Some(Hold::Released(by)) => again(ledger, &asked, &top_up, by, None),
        _ => take_back(ledger, &asked, &mut top_up, None),
    }
}

/// Takes back what a top-up added, or so much of it, in the window that it was added to.
fn take_back(
    ledger: &mut dyn Ledger,
    asked: &Asked<'_>,
    operation: &mut Operation,
    amount: Option<i64>,
) -> Result<(Counted, Keep), Error> {
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
        parts.push(Part {
            top_up: amount.saturating_neg(),
            ..Part::of(part.bucket)
        });
        part.back = part.back.saturating_add(amount);
    }
    let (counted, id) = record(ledger, asked, operation, OperationKind::RevokeTopUp, &parts)?;
    if operation.parts.iter().all(|part| part.back == part.top_up) {
        operation.hold = Some(Hold::Released(id));
    }
    ledger.amend(operation)?;
    Ok((counted, Keep::Yes))
}

fn refund(
    ledger: &mut dyn Ledger,
    asked: &Asked<'_>,
    operation: &mut Operation,
    amount: Option<i64>,
) -> Result<(Counted, Keep), Error> {
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
        // A stock may have been freed since: what is not there any more is not given back twice.
        let used = ledger
            .bucket(part.bucket)?
            .map_or(0, |named| named.bucket.used);
        parts.push(Part {
            used: amount.min(used).saturating_neg(),
            ..Part::of(part.bucket)
        });
        part.back = part.back.saturating_add(amount);
    }
    let (counted, _) = record(ledger, asked, operation, OperationKind::Refund, &parts)?;
    ledger.amend(operation)?;
    Ok((counted, Keep::Yes))
}

fn record(
    ledger: &mut dyn Ledger,
    asked: &Asked<'_>,
    operation: &Operation,
    kind: OperationKind,
    parts: &[Part],
) -> Result<(Counted, u64), Error> {
    let now = ledger.now();
    let mut keep = now;
    for part in parts {
        let Some(named) = ledger.bucket(part.bucket)? else {
            continue;
        };
        if let Some(line) = (asked.lines)(&named.meter, None) {
            keep = keep.max(kept_until(line.kind, named.bucket.window, now));
        }
    }
    let quota = quotas(ledger, asked.lines, parts, parts)?;
    let answer = Counted {
        quota,
        operation: None,
        expires_at: None,
        replayed: false,
    };
    let id = ledger.record(New {
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
            serde_json::to_vec(&Counted {
                operation: Some(id),
                ..answer.clone()
            })
            .unwrap_or_default()
        },
    })?;
    Ok((
        Counted {
            operation: Some(id),
            ..answer
        },
        id,
    ))
}

/// The meters of these parts, after these changes.
fn quotas(
    ledger: &mut dyn Ledger,
    lines: Lines<'_>,
    parts: &[Part],
    changes: &[Part],
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
            .unwrap_or(Part::of(part.bucket));
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

fn of_bucket(line: &Line<'_>, bucket: Bucket, amount: i64) -> Quota {
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

/// What the host itself says of an account's meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Statement {
    /// So much is added to the limit for this window.
    TopUp(i64),
    /// So much more was used in this window before Sublet counted.
    CarryOver(i64),
}

impl Statement {
    /// What changes a limit is not to be lost with the machine's power.
    pub(crate) fn durability(self) -> Durability {
        match self {
            Self::TopUp(_) => Durability::Power,
            Self::CarryOver(_) => Durability::Process,
        }
    }
}

/// Writes what the host says: of the account, and where a member is named of his own part too (M2).
pub(crate) fn state(
    ledger: &mut dyn Ledger,
    subject: &Subject<'_>,
    line: &Line<'_>,
    key: Option<(&str, [u8; 32])>,
    what: Statement,
) -> Result<(Counted, Keep), Error> {
    if let Some(answer) = replayed(ledger, subject.account, key)? {
        return Ok((answer, Keep::No));
    }
    if let Statement::CarryOver(_) = what {
        line.refuse_counted()?;
    }
    let mut parts = Vec::with_capacity(2);
    let mut end = Place::find(
        ledger,
        Whose {
            account: subject.account,
            member: None,
        },
        line,
        subject,
    )?
    .window;
    for member in std::iter::once(None).chain(subject.member.map(Some)) {
        let whose = Whose {
            account: subject.account,
            member,
        };
        let place = Place::find(ledger, whose, line, subject)?;
        let bucket = match place.bucket {
            Some(bucket) => bucket,
            None => ledger.open(whose, line.meter, place.window)?,
        };
        let part = Part::of(bucket.id);
        let (part, before, amount) = match what {
            Statement::TopUp(amount) => (
                Part {
                    top_up: amount,
                    ..part
                },
                bucket.top_up,
                amount,
            ),
            Statement::CarryOver(amount) => (
                Part {
                    used: amount,
                    ..part
                },
                bucket.used.saturating_add(bucket.held),
                amount,
            ),
        };
        if before.checked_add(amount).is_none() {
            return Err(Error::Amount {
                amount: amount.to_string(),
            });
        }
        parts.push(part);
        end = if member.is_none() { place.window } else { end };
    }
    let now = ledger.now();
    let (kind, keep) = match (what, line.kind) {
        // It may be taken back for as long as it counts (B14).
        (Statement::TopUp(_), MeterKind::Stock) => (OperationKind::TopUp, i64::MAX),
        (Statement::TopUp(_), MeterKind::Flow) => {
            (OperationKind::TopUp, kept_until(line.kind, end, now))
        }
        (Statement::CarryOver(_), _) => (OperationKind::CarryOver, kept_until(line.kind, end, now)),
    };
    let quota = quotas(ledger, &|_, _| Some(*line), &parts, &parts)?;
    let answer = Counted {
        quota,
        ..Counted::default()
    };
    let id = ledger.record(New {
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
            serde_json::to_vec(&Counted {
                operation: Some(id),
                ..answer.clone()
            })
            .unwrap_or_default()
        },
    })?;
    Ok((
        Counted {
            operation: Some(id),
            ..answer
        },
        Keep::Yes,
    ))
}
