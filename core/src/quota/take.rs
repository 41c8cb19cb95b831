//! Consumes limits: `consume`, `reserve`, `set_stock` and `free`, and checks whether they would be
//! allowed.

use std::sync::Arc;

use super::idempotency::{StoredAnswer, find_replay, retention_end};
use super::meter_state::{CurrentBucket, MeterState, bounded_change, load_meters};
use super::receipt::{quota_of, set_reserved, with_operation_id, with_quotas};
use super::{MeterRequest, QuotaSubject};
use crate::api::decision::{Decision, PolicyAnswer};
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
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Consume { .. } => "consume",
            Self::Reserve { .. } => "reserve",
            Self::Set => "set_stock",
            Self::Add => "increase_stock",
            Self::Sub => "decrease_stock",
        }
    }

    /// Returns the lifetime of the reservation in milliseconds, or 0 for other verbs.
    pub(crate) fn ttl(self) -> i64 {
        match self {
            Self::Reserve { ttl } => ttl,
            _ => 0,
        }
    }

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
    pub(crate) idempotency_key: Option<(&'a str, [u8; 32])>,
    /// Whether the request comes from a command, which changes the directory in the same
    /// transaction.
    pub(crate) by_command: bool,
}

/// Authorizes an amount of a meter, or only the action if nothing is metered.
pub(crate) type AuthorizeAmount<'d> =
    &'d mut dyn FnMut(Option<&QuotaFacts<'_>>) -> Result<Decision, Error>;

/// Returns the decision that a request would get, and the account's bucket of the first meter.
/// Consumes nothing.
pub(crate) fn count(
    tx: &mut dyn CountTx,
    request: &ConsumeRequest<'_>,
    decide: AuthorizeAmount<'_>,
) -> Result<(Decision, Option<CurrentBucket>), Error> {
    let meters = load_meters(tx, request)?;
    let decision = authorize_meters(
        &meters,
        None,
        ConsumeMode::Consume {
            allow_partial: false,
        },
        decide,
    )?;
    let decision = with_quotas(decision, &meters, &request.subject, &[], None);
    Ok((decision, meters.first().map(|meter| meter.account)))
}

/// Returns the quotas of the account, and of the member if one is named.
pub(crate) fn usage(
    tx: &mut dyn CountTx,
    subject: &QuotaSubject<'_>,
    lines: &[MeterRequest<'_>],
) -> Result<Vec<Quota>, Error> {
    let meters = load_meters(
        tx,
        &ConsumeRequest {
            subject: *subject,
            lines,
            idempotency_key: None,
            by_command: false,
        },
    )?;
    Ok(meters
        .iter()
        .map(|meter| quota_of(meter, subject.member, 0, 0, 0))
        .collect())
}

/// Consumes if the policies allow it, or returns the stored answer of the idempotency key. Also
/// returns the account's bucket of the first meter, if something was consumed.
pub(crate) fn take(
    tx: &mut dyn CountTx,
    request: &ConsumeRequest<'_>,
    taking: ConsumeMode,
    decide: AuthorizeAmount<'_>,
) -> Result<(Decision, TxOutcome, Option<CurrentBucket>), Error> {
    if let Some(answer) = replay(tx, request.subject.account, request.idempotency_key)? {
        return Ok((answer, TxOutcome::Rollback, None));
    }
    let mut meters = load_meters(tx, request)?;
    let (decision, granted) = decide_amount(&meters, taking, decide)?;
    let done: Vec<(i64, i64)> = meters
        .iter()
        .map(|meter| {
            let amount = granted.unwrap_or(meter.line.amount);
            (amount, bounded_change(meter, amount, taking))
        })
        .collect();
    if !decision.allowed
        || done.iter().all(|(_, change)| *change == 0)
            && taking != ConsumeMode::Set
            && !request.by_command
    {
        let decision = with_quotas(decision, &meters, &request.subject, &[], None);
        return Ok((decision, TxOutcome::Rollback, None));
    }
    if !request.by_command {
        refuse_counted_meters(&meters, &done, taking)?;
    }
    let answer = record_consume(tx, request, taking, &mut meters, &done, decision)?;
    let place = meters.first().map(|meter| meter.account);
    Ok((answer, TxOutcome::Commit, place))
}

/// Authorizes the full amount. If it is denied and `allow_partial` is set, authorizes the largest
/// allowed amount, and also returns that amount.
fn decide_amount(
    meters: &[MeterState<'_>],
    taking: ConsumeMode,
    decide: AuthorizeAmount<'_>,
) -> Result<(Decision, Option<i64>), Error> {
    let decision = authorize_meters(meters, None, taking, decide)?;
    if let (
        false,
        ConsumeMode::Consume {
            allow_partial: true,
        },
    ) = (decision.allowed, taking)
        && let Some(amount) = largest_allowed_amount(meters, taking, decide)?
    {
        let decision = authorize_meters(meters, Some(amount), taking, decide)?;
        return Ok((decision, Some(amount)));
    }
    Ok((decision, None))
}

/// Fails with [`Error::CountedByDirectory`] if the request would change a stock that the directory
/// counts.
fn refuse_counted_meters(
    meters: &[MeterState<'_>],
    done: &[(i64, i64)],
    taking: ConsumeMode,
) -> Result<(), Error> {
    let has_effect = |change: i64| taking == ConsumeMode::Set || change != 0;
    meters
        .iter()
        .zip(done)
        .filter(|(_, (_, change))| has_effect(*change))
        .try_for_each(|(meter, _)| meter.line.refuse_counted())
}

/// Records an allowed request: opens missing buckets and appends the operation. Returns the
/// decision with its receipt. `done` has the granted amount and the change of each meter.
fn record_consume(
    tx: &mut dyn CountTx,
    request: &ConsumeRequest<'_>,
    taking: ConsumeMode,
    meters: &mut [MeterState<'_>],
    done: &[(i64, i64)],
    decision: Decision,
) -> Result<Decision, Error> {
    let now = tx.now();
    let expires_at = match taking {
        ConsumeMode::Reserve { ttl } => Some(now.saturating_add(ttl)),
        _ => None,
    };
    let parts = build_deltas(tx, meters, &request.subject, done, expires_at.is_some())?;
    let retain_until = meters
        .iter()
        .map(|meter| retention_end(meter.line.kind, meter.account.window, now))
        .max()
        .unwrap_or(now);
    let frees = meters.iter().all(|meter| meter.line.decreases);
    let mut answer = with_quotas(decision, meters, &request.subject, done, expires_at);
    if expires_at.is_some() {
        set_reserved(&mut answer, done);
    }
    let id = tx.append(NewOperation {
        kind: kind(taking, frees),
        account: request.subject.account,
        member: request.subject.member,
        actor: request.subject.actor,
        idempotency_key: request.idempotency_key,
        parent: None,
        expires_at,
        retain_until: retain_until.max(expires_at.unwrap_or(retain_until)),
        parts: &parts,
        answer: &mut |id| StoredAnswer::boxed(with_operation_id(answer.clone(), id)),
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
    tx: &mut dyn CountTx,
    account: &str,
    idempotency_key: Option<(&str, [u8; 32])>,
) -> Result<Option<Decision>, Error> {
    Ok(find_replay::<StoredAnswer>(tx, account, idempotency_key)?.map(StoredAnswer::into_replay))
}

/// Authorizes all meters. Returns an allow for all of them, or the first denial.
fn authorize_meters(
    meters: &[MeterState<'_>],
    amount: Option<i64>,
    taking: ConsumeMode,
    decide: AuthorizeAmount<'_>,
) -> Result<Decision, Error> {
    let mut all: Option<Decision> = None;
    for meter in meters.iter().filter(|meter| !meter.line.decreases) {
        // A stock that decreases consumes nothing.
        let wanted = meter
            .change(amount.unwrap_or(meter.line.amount), taking)
            .max(0);
        let mut decision = decide(Some(&meter.facts(wanted)))?;
        if decision.allowed && !meter.has_room(wanted) {
            decision = Decision {
                answer: Arc::new(PolicyAnswer {
                    allowed: false,
                    code: AnswerCode::QuotaExceeded.into(),
                    policies: Arc::from([]),
                    advice: Vec::new(),
                }),
                ..decision
            };
        }
        if !decision.allowed {
            return Ok(decision);
        }
        all = Some(match all {
            None => decision,
            Some(mut first) => {
                let more = decision.advice.iter();
                let new: Vec<_> = more
                    .filter(|word| !first.advice.contains(word))
                    .cloned()
                    .collect();
                if !new.is_empty() {
                    Arc::make_mut(&mut first.answer).advice.extend(new);
                }
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
    meters: &[MeterState<'_>],
    taking: ConsumeMode,
    decide: AuthorizeAmount<'_>,
) -> Result<Option<i64>, Error> {
    let metered = || meters.iter().filter(|meter| !meter.line.decreases);
    let mut fits = |amount| {
        authorize_meters(meters, Some(amount), taking, decide).map(|decision| decision.allowed)
    };
    let (mut low, mut high) = (
        0,
        metered().map(|meter| meter.line.amount).min().unwrap_or(0),
    );
    // In most cases the limits alone determine the amount.
    let guess = metered()
        .map(MeterState::remaining_amount)
        .min()
        .unwrap_or(0);
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
fn build_deltas(
    tx: &mut dyn CountTx,
    meters: &mut [MeterState<'_>],
    subject: &QuotaSubject<'_>,
    done: &[(i64, i64)],
    is_reservation: bool,
) -> Result<Vec<BucketDelta>, Error> {
    let mut parts = Vec::with_capacity(meters.len().saturating_mul(2));
    for (meter, (_, change)) in meters.iter_mut().zip(done) {
        let line = meter.line;
        let mut put =
            |place: &mut CurrentBucket, member: Option<&str>, change: i64| -> Result<(), Error> {
                let bucket = match place.bucket {
                    Some(bucket) => bucket,
                    None => tx.open(
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
        let used = meter.account.used();
        if used.saturating_add(*change) < 0 {
            return Err(Error::BelowZero {
                meter: line.meter.to_string(),
                used,
                amount: change.saturating_neg(),
            });
        }
        put(&mut meter.account, None, *change)?;
        if let Some(member) = &mut meter.member {
            // A member may free what others added to a stock, so the member's own counter stops at
            // zero.
            let change = (*change).max(0_i64.saturating_sub(member.used()));
            put(member, subject.member, change)?;
        }
    }
    Ok(parts)
}
