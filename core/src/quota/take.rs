//! Consumes limits: `consume`, `reserve`, `set_stock` and `free`, and checks whether they would be
//! allowed.

use std::sync::Arc;

use super::idempotency::{StoredAnswer, find_replay, retention_end};
use super::meter_state::{CurrentBucket, MeterState, bounded_change, load_meters};
use super::receipt::{quota_of, set_reserved, with_operation_id, with_quotas};
use super::{MeterRequest, QuotaSubject};
use crate::api::decision::Decision;
use crate::api::quota::Quota;
use crate::model::answer_code::AnswerCode;
use crate::model::limit::QuotaFacts;
use crate::store::{BucketDelta, CountOwner, CountTx, NewOperation, OperationKind, TxOutcome};
use crate::util::error::Error;

/// The verb that changes usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConsumeMode {
    /// Consumes the full amount, or with `allow_partial` the largest amount allowed.
    Consume { allow_partial: bool },
    /// Holds the amount for `ttl` milliseconds.
    Reserve { ttl: i64 },
    /// Sets a stock to the amount.
    Set,
    /// Increases a stock.
    Add,
    /// Decreases a stock, whether the action counts the stock or frees it.
    Sub,
}

impl ConsumeMode {
    /// Returns whether the verb applies to stocks only.
    pub(crate) fn is_of_stocks(self) -> bool {
        matches!(self, Self::Set | Self::Add | Self::Sub)
    }
}

/// A request to change usage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConsumeRequest<'a> {
    pub(crate) subject: QuotaSubject<'a>,
    pub(crate) lines: &'a [MeterRequest<'a>],
    /// The idempotency key, and the digest of the request that came with it.
    pub(crate) key: Option<(&'a str, [u8; 32])>,
    /// Whether the request comes from a command, which changes the directory in the same
    /// transaction.
    pub(crate) by_command: bool,
}

/// Authorizes an amount of a meter, or only the action if nothing is metered.
pub(crate) type AuthorizeAmount<'d> =
    &'d mut dyn FnMut(Option<&QuotaFacts<'_>>) -> Result<Decision, Error>;

/// Returns the decision that a request would get. Consumes nothing.
pub(crate) fn count(
    ledger: &mut dyn CountTx,
    asked: &ConsumeRequest<'_>,
    decide: AuthorizeAmount<'_>,
) -> Result<Decision, Error> {
    let placed = load_meters(ledger, asked)?;
    let decision = decided(
        &placed,
        None,
        ConsumeMode::Consume {
            allow_partial: false,
        },
        decide,
    )?;
    Ok(with_quotas(decision, &placed, &asked.subject, &[], None))
}

/// Returns the quotas of the account, and of the member if one is named.
pub(crate) fn usage(
    ledger: &mut dyn CountTx,
    subject: &QuotaSubject<'_>,
    lines: &[MeterRequest<'_>],
) -> Result<Vec<Quota>, Error> {
    let placed = load_meters(
        ledger,
        &ConsumeRequest {
            subject: *subject,
            lines,
            key: None,
            by_command: false,
        },
    )?;
    Ok(placed
        .iter()
        .map(|placed| quota_of(placed, subject.member, 0, 0, 0))
        .collect())
}

/// Consumes if the policies allow it, or returns the stored answer of the idempotency key.
pub(crate) fn take(
    ledger: &mut dyn CountTx,
    asked: &ConsumeRequest<'_>,
    taking: ConsumeMode,
    decide: AuthorizeAmount<'_>,
) -> Result<(Decision, TxOutcome), Error> {
    if let Some(answer) = replay(ledger, asked.subject.account, asked.key)? {
        return Ok((answer, TxOutcome::Rollback));
    }
    let mut placed = load_meters(ledger, asked)?;
    let (decision, granted) = decide_amount(&placed, taking, decide)?;
    let done: Vec<(i64, i64)> = placed
        .iter()
        .map(|placed| {
            let amount = granted.unwrap_or(placed.line.amount);
            (amount, bounded_change(placed, amount, taking))
        })
        .collect();
    if !decision.allowed
        || done.iter().all(|(_, change)| *change == 0)
            && taking != ConsumeMode::Set
            && !asked.by_command
    {
        return Ok((
            with_quotas(decision, &placed, &asked.subject, &[], None),
            TxOutcome::Rollback,
        ));
    }
    if !asked.by_command {
        refuse_counted_meters(&placed, &done, taking)?;
    }
    let answer = record_consume(ledger, asked, taking, &mut placed, &done, decision)?;
    Ok((answer, TxOutcome::Commit))
}

/// Authorizes the full amount. If it is denied and `allow_partial` is set, authorizes the largest
/// allowed amount, and also returns that amount.
fn decide_amount(
    placed: &[MeterState<'_>],
    taking: ConsumeMode,
    decide: AuthorizeAmount<'_>,
) -> Result<(Decision, Option<i64>), Error> {
    let decision = decided(placed, None, taking, decide)?;
    if let (
        false,
        ConsumeMode::Consume {
            allow_partial: true,
        },
    ) = (decision.allowed, taking)
        && let Some(amount) = largest_allowed_amount(placed, taking, decide)?
    {
        let decision = decided(placed, Some(amount), taking, decide)?;
        return Ok((decision, Some(amount)));
    }
    Ok((decision, None))
}

/// Fails with [`Error::CountedByDirectory`] if the request would change a stock that the directory
/// counts.
fn refuse_counted_meters(
    placed: &[MeterState<'_>],
    done: &[(i64, i64)],
    taking: ConsumeMode,
) -> Result<(), Error> {
    let has_effect = |change: i64| taking == ConsumeMode::Set || change != 0;
    placed
        .iter()
        .zip(done)
        .filter(|(_, (_, change))| has_effect(*change))
        .try_for_each(|(placed, _)| placed.line.refuse_counted())
}

/// Records an allowed request: opens missing buckets and appends the operation. Returns the
/// decision with its receipt. `done` has the granted amount and the change of each meter.
fn record_consume(
    ledger: &mut dyn CountTx,
    asked: &ConsumeRequest<'_>,
    taking: ConsumeMode,
    placed: &mut [MeterState<'_>],
    done: &[(i64, i64)],
    decision: Decision,
) -> Result<Decision, Error> {
    let now = ledger.now();
    let expires_at = match taking {
        ConsumeMode::Reserve { ttl } => Some(now.saturating_add(ttl)),
        _ => None,
    };
    let parts = parts(ledger, placed, &asked.subject, done, expires_at.is_some())?;
    let retain_until = placed
        .iter()
        .map(|placed| retention_end(placed.line.kind, placed.account.window, now))
        .max()
        .unwrap_or(now);
    let frees = placed.iter().all(|placed| placed.line.decreases);
    let mut answer = with_quotas(decision, placed, &asked.subject, done, expires_at);
    if expires_at.is_some() {
        set_reserved(&mut answer, done);
    }
    let id = ledger.append(NewOperation {
        kind: kind(taking, frees),
        account: asked.subject.account,
        member: asked.subject.member,
        actor: asked.subject.actor,
        idempotency_key: asked.key,
        parent: None,
        expires_at,
        retain_until: retain_until.max(expires_at.unwrap_or(retain_until)),
        parts: &parts,
        answer: &mut |id| StoredAnswer::bytes(&with_operation_id(answer.clone(), id)),
    })?;
    Ok(with_operation_id(answer, id))
}

fn kind(taking: ConsumeMode, frees: bool) -> OperationKind {
    match taking {
        ConsumeMode::Set => OperationKind::Set,
        ConsumeMode::Reserve { .. } => OperationKind::Reserve,
        ConsumeMode::Sub => OperationKind::Free,
        ConsumeMode::Consume { .. } | ConsumeMode::Add if frees => OperationKind::Free,
        ConsumeMode::Consume { .. } | ConsumeMode::Add => OperationKind::Consume,
    }
}

/// Returns the stored answer of the idempotency key, if there is one.
pub(crate) fn replay(
    ledger: &mut dyn CountTx,
    account: &str,
    key: Option<(&str, [u8; 32])>,
) -> Result<Option<Decision>, Error> {
    Ok(find_replay::<StoredAnswer>(ledger, account, key)?.map(StoredAnswer::into_replay))
}

/// Authorizes all meters. Returns an allow for all of them, or the first denial.
fn decided(
    placed: &[MeterState<'_>],
    amount: Option<i64>,
    taking: ConsumeMode,
    decide: AuthorizeAmount<'_>,
) -> Result<Decision, Error> {
    let mut all: Option<Decision> = None;
    for placed in placed.iter().filter(|placed| !placed.line.decreases) {
        // A stock that decreases consumes nothing.
        let wanted = placed
            .change(amount.unwrap_or(placed.line.amount), taking)
            .max(0);
        let mut decision = decide(Some(&placed.facts(wanted)))?;
        if decision.allowed && !placed.has_room(wanted) {
            decision = Decision {
                allowed: false,
                code: AnswerCode::QuotaExceeded.into(),
                policies: Arc::from([]),
                advice: Vec::new(),
                ..decision
            };
        }
        if !decision.allowed {
            return Ok(decision);
        }
        all = Some(match all {
            None => decision,
            Some(mut first) => {
                let new = decision
                    .advice
                    .into_iter()
                    .filter(|word| !first.advice.contains(word))
                    .collect::<Vec<_>>();
                first.advice.extend(new);
                first
            }
        });
    }
    all.map_or_else(|| decide(None), Ok)
}

/// Returns the largest allowed amount below the denied one. It is the maximum if the policies that
/// allow an amount allow every smaller amount. Otherwise it is an allowed amount whose successor is
/// denied.
fn largest_allowed_amount(
    placed: &[MeterState<'_>],
    taking: ConsumeMode,
    decide: AuthorizeAmount<'_>,
) -> Result<Option<i64>, Error> {
    let metered = || placed.iter().filter(|placed| !placed.line.decreases);
    let mut fits =
        |amount| decided(placed, Some(amount), taking, decide).map(|decision| decision.allowed);
    let (mut low, mut high) = (
        0,
        metered()
            .map(|placed| placed.line.amount)
            .min()
            .unwrap_or(0),
    );
    // In most cases the limits alone determine the amount.
    let guess = metered().map(MeterState::left).min().unwrap_or(0);
    if guess > 0 && guess < high {
        if fits(guess)? {
            low = guess;
            if !fits(guess.saturating_add(1))? {
                return Ok(Some(low));
            }
        } else {
            high = guess;
        }
    }
    while high.saturating_sub(low) > 1 {
        let middle = low.saturating_add(high.saturating_sub(low) / 2);
        if fits(middle)? {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(Some(low).filter(|low| *low > 0))
}

/// Returns the deltas of the operation. Opens the buckets that do not exist yet.
fn parts(
    ledger: &mut dyn CountTx,
    placed: &mut [MeterState<'_>],
    subject: &QuotaSubject<'_>,
    done: &[(i64, i64)],
    is_reservation: bool,
) -> Result<Vec<BucketDelta>, Error> {
    let mut parts = Vec::with_capacity(placed.len().saturating_mul(2));
    for (placed, (_, change)) in placed.iter_mut().zip(done) {
        let line = placed.line;
        let mut put =
            |place: &mut CurrentBucket, member: Option<&str>, change: i64| -> Result<(), Error> {
                let bucket = match place.bucket {
                    Some(bucket) => bucket,
                    None => ledger.open(
                        CountOwner {
                            account: subject.account,
                            member,
                        },
                        line.meter,
                        place.window,
                    )?,
                };
                place.bucket = Some(bucket);
                let part = BucketDelta::for_bucket(bucket.id);
                parts.push(if is_reservation {
                    BucketDelta {
                        reserved: change,
                        ..part
                    }
                } else {
                    BucketDelta {
                        used: change,
                        ..part
                    }
                });
                Ok(())
            };
        let used = placed.account.used();
        if used.saturating_add(*change) < 0 {
            return Err(Error::BelowZero {
                meter: line.meter.to_string(),
                used,
                amount: change.saturating_neg(),
            });
        }
        put(&mut placed.account, None, *change)?;
        if let Some(member) = &mut placed.member {
            // A member may free what others added to a stock, so the member's own counter stops at
            // zero.
            let change = (*change).max(0_i64.saturating_sub(member.used()));
            put(member, subject.member, change)?;
        }
    }
    Ok(parts)
}
