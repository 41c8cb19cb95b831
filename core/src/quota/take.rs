//! Consumes limits: `consume`, `reserve`, `set_stock` and `free`, and checks whether they would be
//! allowed.

use std::sync::Arc;

use super::idempotency::{StoredAnswer, answered};
use super::{MeterRequest, QuotaSubject};
use crate::api::decision::Decision;
use crate::api::quota::{CountReceipt, MemberQuota, Quota};
use crate::model::answer_code::AnswerCode;
use crate::model::calendar::Window;
use crate::model::catalog::MeterKind;
use crate::model::limit::{EffectiveLimit, Limit, MeterCount, QuotaFacts};
use crate::store::{
    Bucket, BucketDelta, CountOwner, CountTx, NewOperation, OperationKind, TxOutcome,
};
use crate::util::error::Error;

/// Retention of an idempotency key after its window, or after its operation if the window never
/// ends: 35 days.
pub(super) const IDEMPOTENCY_RETENTION_MS: i64 = 35 * 86_400_000;

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

/// The current bucket of a counter, if it is open, and its window.
#[derive(Debug, Clone, Copy)]
pub(super) struct CurrentBucket {
    pub(super) bucket: Option<Bucket>,
    pub(super) window: Window,
    /// The number of records, if the directory counts the stock. The bucket then has the number
    /// after the last command.
    counted: Option<i64>,
}

impl CurrentBucket {
    pub(super) fn find(
        ledger: &mut dyn CountTx,
        whose: CountOwner<'_>,
        line: &MeterRequest<'_>,
        subject: &QuotaSubject<'_>,
    ) -> Result<Self, Error> {
        let (latest, now) = (ledger.current_bucket(whose, line.meter)?, ledger.now());
        let counted = line
            .counted
            .filter(|_| whose.member.is_none())
            .map(|records| records.count(now));
        // An open window keeps its end, even if the account's time zone or anchor changes.
        // Otherwise the account would get a second budget.
        if let Some(bucket) = latest.filter(|bucket| bucket.window.contains(now)) {
            return Ok(Self {
                bucket: Some(bucket),
                window: bucket.window,
                counted,
            });
        }
        let mut window = match line.kind {
            MeterKind::Stock => Window::ALWAYS,
            MeterKind::Flow => subject.calendar.window(line.window, now)?,
        };
        if let Some(last) = latest {
            window.start = window.start.max(last.window.end);
        }
        Ok(Self {
            bucket: None,
            window,
            counted,
        })
    }

    fn used(&self) -> i64 {
        self.counted
            .unwrap_or_else(|| self.bucket.map_or(0, |bucket| bucket.used))
    }

    fn held(&self) -> i64 {
        self.bucket.map_or(0, |bucket| bucket.held)
    }

    fn count(&self, limit: Limit) -> MeterCount {
        let limit = if let Limit::Number(number) = limit {
            Some(number)
        } else {
            None
        };
        MeterCount {
            used: self.used(),
            held: self.held(),
            limit,
        }
    }

    /// Returns whether the counter can grow by the amount without an overflow.
    fn has_room(&self, amount: i64) -> bool {
        self.used()
            .checked_add(self.held())
            .and_then(|sum| sum.checked_add(amount))
            .is_some()
    }
}

/// A meter request with its counters.
struct MeterState<'a> {
    line: MeterRequest<'a>,
    account: CurrentBucket,
    member: Option<CurrentBucket>,
}

impl MeterState<'_> {
    /// Returns the account's limit in force.
    fn limit(&self) -> Limit {
        in_force(
            self.line.allowance,
            self.account.bucket.map_or(0, |bucket| bucket.top_up),
        )
    }

    fn sub_limit(&self) -> Limit {
        self.line.sub_limit.unwrap_or(Limit::Unlimited)
    }

    fn facts(&self, amount: i64) -> QuotaFacts<'_> {
        let member = self.member.map(|member| member.count(self.sub_limit()));
        QuotaFacts {
            meter: self.line.meter,
            amount,
            account: self.account.count(self.limit()),
            member,
        }
    }

    fn has_room(&self, amount: i64) -> bool {
        self.account.has_room(amount) && self.member.is_none_or(|member| member.has_room(amount))
    }

    /// Returns the amount that is left by the limits alone.
    fn left(&self) -> i64 {
        let of = |place: CurrentBucket, limit: Limit| match limit
            .remaining(place.used(), place.held())
        {
            Limit::Number(number) => number,
            Limit::Unlimited => i64::MAX
                .saturating_sub(place.used())
                .saturating_sub(place.held()),
        };
        self.member
            .map_or(i64::MAX, |member| of(member, self.sub_limit()))
            .min(of(self.account, self.limit()))
    }

    /// Returns the change of usage for an amount.
    fn change(&self, amount: i64, taking: ConsumeMode) -> i64 {
        match taking {
            ConsumeMode::Sub => 0_i64.saturating_sub(amount),
            _ if self.line.decreases => 0_i64.saturating_sub(amount),
            ConsumeMode::Set => amount.saturating_sub(self.account.used()),
            ConsumeMode::Consume { .. } | ConsumeMode::Reserve { .. } | ConsumeMode::Add => amount,
        }
    }
}

/// Returns the limit in force: the effective limit plus the top-up of the bucket's window.
pub(super) fn in_force(allowance: EffectiveLimit, top_up: i64) -> Limit {
    match allowance.limit() {
        Limit::Unlimited => Limit::Unlimited,
        Limit::Number(number) => Limit::Number(number.saturating_add(top_up).min(Limit::MOST)),
    }
}

fn load_meters<'a>(
    ledger: &mut dyn CountTx,
    asked: &ConsumeRequest<'a>,
) -> Result<Vec<MeterState<'a>>, Error> {
    let QuotaSubject {
        account, member, ..
    } = asked.subject;
    let mut placed = Vec::with_capacity(asked.lines.len());
    for line in asked.lines {
        let mut at = |member| {
            CurrentBucket::find(ledger, CountOwner { account, member }, line, &asked.subject)
        };
        placed.push(MeterState {
            line: *line,
            account: at(None)?,
            member: member.map(|member| at(Some(member))).transpose()?,
        });
    }
    Ok(placed)
}

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

/// Returns the change of a meter. A record that no longer counts, such as an expired invitation,
/// frees nothing.
fn bounded_change(placed: &MeterState<'_>, amount: i64, taking: ConsumeMode) -> i64 {
    let change = placed.change(amount, taking);
    if placed.line.counted.is_some() {
        change.max(placed.account.used().saturating_neg())
    } else {
        change
    }
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

/// Authorizes the full amount. If it is denied and `up_to` is set, authorizes the largest allowed
/// amount, and also returns that amount.
fn decide_amount(
    placed: &[MeterState<'_>],
    taking: ConsumeMode,
    decide: AuthorizeAmount<'_>,
) -> Result<(Decision, Option<i64>), Error> {
    let decision = decided(placed, None, taking, decide)?;
    if let (false, ConsumeMode::Consume { up_to: true }) = (decision.allowed, taking)
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

/// Records an allowed request: applies the changes to the buckets and appends the operation. Returns
/// the decision with its receipt. `done` has the granted amount and the change of each meter.
fn record_consume(
    ledger: &mut dyn CountTx,
    asked: &ConsumeRequest<'_>,
    taking: ConsumeMode,
    placed: &mut [MeterState<'_>],
    done: &[(i64, i64)],
    decision: Decision,
) -> Result<Decision, Error> {
    let now = ledger.now();
    let until = match taking {
        ConsumeMode::Reserve { ttl } => Some(now.saturating_add(ttl)),
        _ => None,
    };
    let parts = parts(ledger, placed, &asked.subject, done, until.is_some())?;
    let keep = placed
        .iter()
        .map(|placed| retain_until(placed.line.kind, placed.account.window, now))
        .max()
        .unwrap_or(now);
    let frees = placed.iter().all(|placed| placed.line.decreases);
    let mut answer = with_quotas(decision, placed, &asked.subject, done, until);
    if until.is_some() {
        set_reserved(&mut answer, done);
    }
    let id = ledger.append(NewOperation {
        kind: kind(taking, frees),
        account: asked.subject.account,
        member: asked.subject.member,
        actor: asked.subject.actor,
        key: asked.key,
        of: None,
        until,
        keep: keep.max(until.unwrap_or(keep)),
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

pub(super) fn with_operation_id(mut decision: Decision, id: u64) -> Decision {
    if let Some(counted) = &mut decision.counted {
        counted.operation = Some(id);
    }
    decision
}

/// Returns the instant until which an operation of this window is retained.
pub(super) fn retain_until(kind: MeterKind, window: Window, now: i64) -> i64 {
    match kind {
        MeterKind::Stock => now.saturating_add(IDEMPOTENCY_RETENTION_MS),
        // A window that never ends is retained like a stock.
        MeterKind::Flow => if window.end == i64::MAX {
            now
        } else {
            window.end
        }
        .saturating_add(IDEMPOTENCY_RETENTION_MS),
    }
}

/// Returns the stored answer of the idempotency key, if there is one.
pub(crate) fn replay(
    ledger: &mut dyn CountTx,
    account: &str,
    key: Option<(&str, [u8; 32])>,
) -> Result<Option<Decision>, Error> {
    Ok(answered::<StoredAnswer>(ledger, account, key)?.map(StoredAnswer::again))
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
    holds: bool,
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
                parts.push(if holds {
                    BucketDelta {
                        held: change,
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

/// Adds the receipt to the decision. `done` has the granted amount and the change of each meter.
fn with_quotas(
    mut decision: Decision,
    placed: &[MeterState<'_>],
    subject: &QuotaSubject<'_>,
    done: &[(i64, i64)],
    until: Option<i64>,
) -> Decision {
    let quotas = placed.iter().enumerate().map(|(at, placed)| {
        let (amount, change) = done.get(at).copied().unwrap_or((placed.line.amount, 0));
        quota_of(placed, subject.member, amount, change, 0)
    });
    decision.counted = Some(Box::new(CountReceipt {
        quota: quotas.collect(),
        expires_at: until,
        ..CountReceipt::default()
    }));
    decision
}

/// Moves the changes in the receipt from used to held.
fn set_reserved(decision: &mut Decision, done: &[(i64, i64)]) {
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

fn quota_of(
    placed: &MeterState<'_>,
    named: Option<&str>,
    amount: i64,
    change: i64,
    held: i64,
) -> Quota {
    let MeterState {
        line,
        account,
        member,
    } = placed;
    let (used, held, limit) = (
        account.used().saturating_add(change),
        account.held().saturating_add(held),
        placed.limit(),
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
            limit: placed.sub_limit(),
            remaining: placed.sub_limit().remaining(used, held),
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
