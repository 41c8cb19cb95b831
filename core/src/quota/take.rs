//! Taking from limits: `consume`, `reserve`, `set` and `free`, and asking whether they would.

use std::sync::Arc;

use super::idempotency::{StoredAnswer, answered};
use super::{MeterRequest, QuotaSubject};
use crate::api::decision::Decision;
use crate::api::quota::{CountReceipt, MemberQuota, Quota};
use crate::model::answer_code::AnswerCode;
use crate::model::calendar::Window;
use crate::model::catalog::MeterKind;
use crate::model::limit::{Count, EffectiveLimit, Limit, QuotaFacts};
use crate::store::{
    Bucket, BucketDelta, CountOwner, CountTx, NewOperation, OperationKind, TxOutcome,
};
use crate::util::error::Error;

/// How long a key lives after its window, or after its operation where no window ends: 35 days.
pub(super) const IDEMPOTENCY_RETENTION_MS: i64 = 35 * 86_400_000;

/// Which verb takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConsumeMode {
    /// All, or with `up_to` what is left.
    Consume { up_to: bool },
    /// Holds it for so many milliseconds.
    Reserve { ttl: i64 },
    /// Makes it the count of a stock.
    Set,
    /// Adds to a stock.
    Add,
    /// Takes from a stock, whether the action is one that counts it or one that frees.
    Sub,
}

impl ConsumeMode {
    /// Whether it is about stocks alone.
    pub(crate) fn is_of_stocks(self) -> bool {
        matches!(self, Self::Set | Self::Add | Self::Sub)
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConsumeRequest<'a> {
    pub(crate) subject: QuotaSubject<'a>,
    pub(crate) lines: &'a [MeterRequest<'a>],
    /// The caller's key, and the digest of all that was asked with it.
    pub(crate) key: Option<(&'a str, [u8; 32])>,
    /// Whether a command asks, which changes the directory in the same transaction.
    pub(crate) by_command: bool,
}

/// What the policies say of so much of a meter; of the action alone where nothing is metered.
pub(crate) type AuthorizeAmount<'d> =
    &'d mut dyn FnMut(Option<&QuotaFacts<'_>>) -> Result<Decision, Error>;

/// Where a count stands: its bucket, if it was opened yet, and its window.
#[derive(Debug, Clone, Copy)]
pub(super) struct CurrentBucket {
    pub(super) bucket: Option<Bucket>,
    pub(super) window: Window,
    /// The count itself, where the directory is the count: the bucket's is that of the last
    /// command.
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
        // A window that was begun ends as it was begun, whatever zone or anchor the account has
        // now: no second budget.
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

    fn count(&self, limit: Limit) -> Count {
        let limit = if let Limit::Number(number) = limit {
            Some(number)
        } else {
            None
        };
        Count {
            used: self.used(),
            held: self.held(),
            limit,
        }
    }

    /// Whether so much more can be counted at all.
    fn has_room(&self, amount: i64) -> bool {
        self.used()
            .checked_add(self.held())
            .and_then(|sum| sum.checked_add(amount))
            .is_some()
    }
}

/// A line with its counts.
struct MeterState<'a> {
    line: MeterRequest<'a>,
    account: CurrentBucket,
    member: Option<CurrentBucket>,
}

impl MeterState<'_> {
    /// The account's limit in force.
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

    /// What is left, as far as the limits themselves say it.
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

    /// How much more is to be counted for that amount.
    fn change(&self, amount: i64, taking: ConsumeMode) -> i64 {
        match taking {
            ConsumeMode::Sub => 0_i64.saturating_sub(amount),
            _ if self.line.decreases => 0_i64.saturating_sub(amount),
            ConsumeMode::Set => amount.saturating_sub(self.account.used()),
            ConsumeMode::Consume { .. } | ConsumeMode::Reserve { .. } | ConsumeMode::Add => amount,
        }
    }
}

/// The limit in force, with what was added to it for the bucket's window.
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

/// Whether it would be allowed; takes nothing.
pub(crate) fn count(
    ledger: &mut dyn CountTx,
    asked: &ConsumeRequest<'_>,
    decide: AuthorizeAmount<'_>,
) -> Result<Decision, Error> {
    let placed = load_meters(ledger, asked)?;
    let decision = decided(&placed, None, ConsumeMode::Consume { up_to: false }, decide)?;
    Ok(with_quotas(decision, &placed, &asked.subject, &[], None))
}

/// How the account, or the member, stands.
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

/// Takes, if the policies allow it, or gives the answer that the key had before.
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
    let mut decision = decided(&placed, None, taking, decide)?;
    let mut granted = None;
    if let (false, ConsumeMode::Consume { up_to: true }) = (decision.allowed, taking) {
        granted = largest_allowed_amount(&placed, taking, decide)?;
        if let Some(amount) = granted {
            decision = decided(&placed, Some(amount), taking, decide)?;
        }
    }
    let amounts: Vec<i64> = placed
        .iter()
        .map(|placed| granted.unwrap_or(placed.line.amount))
        .collect();
    let change = |placed: &MeterState<'_>, amount: i64| {
        let change = placed.change(amount, taking);
        // What holds nothing any more, such as an invitation that is over, frees nothing.
        if placed.line.counted.is_some() {
            change.max(placed.account.used().saturating_neg())
        } else {
            change
        }
    };
    let changes: Vec<i64> = placed
        .iter()
        .zip(&amounts)
        .map(|(placed, amount)| change(placed, *amount))
        .collect();
    if !decision.allowed
        || changes.iter().all(|change| *change == 0)
            && taking != ConsumeMode::Set
            && !asked.by_command
    {
        return Ok((
            with_quotas(decision, &placed, &asked.subject, &[], None),
            TxOutcome::Rollback,
        ));
    }
    if !asked.by_command {
        let mut taken = placed
            .iter()
            .zip(&changes)
            .filter(|(_, change)| taking == ConsumeMode::Set || **change != 0);
        taken.try_for_each(|(placed, _)| placed.line.refuse_counted())?;
    }
    let parts = parts(
        ledger,
        &mut placed,
        &asked.subject,
        &changes,
        matches!(taking, ConsumeMode::Reserve { .. }),
    )?;
    let now = ledger.now();
    let until = if let ConsumeMode::Reserve { ttl } = taking {
        Some(now.saturating_add(ttl))
    } else {
        None
    };
    let keep = placed
        .iter()
        .map(|placed| retain_until(placed.line.kind, placed.account.window, now))
        .max()
        .unwrap_or(now);
    let frees = placed.iter().all(|placed| placed.line.decreases);
    let QuotaSubject {
        account,
        member,
        actor,
        ..
    } = asked.subject;
    let done: Vec<(i64, i64)> = amounts
        .iter()
        .copied()
        .zip(changes.iter().copied())
        .collect();
    let mut answer = with_quotas(decision, &placed, &asked.subject, &done, until);
    if until.is_some() {
        set_reserved(&mut answer, &changes);
    }
    let id = ledger.append(NewOperation {
        kind: kind(taking, frees),
        account,
        member,
        actor,
        key: asked.key,
        of: None,
        until,
        keep: keep.max(until.unwrap_or(keep)),
        parts: &parts,
        answer: &mut |id| StoredAnswer::bytes(&with_operation_id(answer.clone(), id)),
    })?;
    Ok((with_operation_id(answer, id), TxOutcome::Commit))
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

/// Until when an operation of this window is kept.
pub(super) fn retain_until(kind: MeterKind, window: Window, now: i64) -> i64 {
    match kind {
        MeterKind::Stock => now.saturating_add(IDEMPOTENCY_RETENTION_MS),
        // A window that never ends is over for nobody: what it counts is kept as that of a stock.
        MeterKind::Flow => if window.end == i64::MAX {
            now
        } else {
            window.end
        }
        .saturating_add(IDEMPOTENCY_RETENTION_MS),
    }
}

/// The answer that the key had, if it had one.
pub(crate) fn replay(
    ledger: &mut dyn CountTx,
    account: &str,
    key: Option<(&str, [u8; 32])>,
) -> Result<Option<Decision>, Error> {
    Ok(answered::<StoredAnswer>(ledger, account, key)?.map(StoredAnswer::again))
}

/// What the policies say of all meters: yes, or the first no.
fn decided(
    placed: &[MeterState<'_>],
    amount: Option<i64>,
    taking: ConsumeMode,
    decide: AuthorizeAmount<'_>,
) -> Result<Decision, Error> {
    let mut all: Option<Decision> = None;
    for placed in placed.iter().filter(|placed| !placed.line.decreases) {
        // A stock that is made less takes nothing.
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

/// The largest amount below what was refused that is allowed. For rules that allow less wherever
/// they allow more it is the largest of all; for others it is one that is allowed and whose
/// successor is not.
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
    // Mostly the limits themselves say it.
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

/// The parts of the operation; buckets that are not there yet are opened.
fn parts(
    ledger: &mut dyn CountTx,
    placed: &mut [MeterState<'_>],
    subject: &QuotaSubject<'_>,
    changes: &[i64],
    holds: bool,
) -> Result<Vec<BucketDelta>, Error> {
    let mut parts = Vec::with_capacity(placed.len().saturating_mul(2));
    for (placed, change) in placed.iter_mut().zip(changes) {
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
                let part = BucketDelta::parent(bucket.id);
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
            // What others added to a stock may be freed by a member who has added less.
            let change = (*change).max(0_i64.saturating_sub(member.used()));
            put(member, subject.member, change)?;
        }
    }
    Ok(parts)
}

/// The decision with its counts, after so much was granted and counted of each meter.
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

/// What was counted as used is held instead.
fn set_reserved(decision: &mut Decision, changes: &[i64]) {
    let quotas = decision
        .counted
        .iter_mut()
        .flat_map(|counted| &mut counted.quota);
    for (quota, change) in quotas.zip(changes) {
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
