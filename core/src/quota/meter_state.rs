//! The counters of a request's meters: their current buckets and the limits in force.

use super::take::{ConsumeMode, ConsumeRequest};
use super::{MeterRequest, QuotaSubject};
use crate::model::calendar::Window;
use crate::model::catalog::MeterKind;
use crate::model::limit::{EffectiveLimit, Limit, MeterCount, QuotaFacts};
use crate::store::{Bucket, CountOwner, CountTx};
use crate::util::error::Error;

/// The current bucket of a counter, if it is open, and its window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CurrentBucket {
    pub(super) bucket: Option<Bucket>,
    pub(super) window: Window,
    /// The number of records, if the directory counts the stock. The bucket then has the number
    /// after the last command.
    counted: Option<i64>,
}

impl CurrentBucket {
    pub(super) fn find(
        tx: &mut dyn CountTx,
        owner: CountOwner<'_>,
        line: &MeterRequest<'_>,
        subject: &QuotaSubject<'_>,
    ) -> Result<Self, Error> {
        let (latest, now) = (tx.current_bucket(owner, line.meter)?, tx.now());
        let counted = line
            .counted
            .filter(|_| owner.member.is_none())
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

    pub(super) fn used(&self) -> i64 {
        self.counted
            .unwrap_or_else(|| self.bucket.map_or(0, |bucket| bucket.used))
    }

    pub(super) fn held(&self) -> i64 {
        self.bucket.map_or(0, |bucket| bucket.reserved)
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
pub(super) struct MeterState<'a> {
    pub(super) line: MeterRequest<'a>,
    pub(super) account: CurrentBucket,
    pub(super) member: Option<CurrentBucket>,
}

impl MeterState<'_> {
    /// Returns the account's limit in force.
    pub(super) fn limit(&self) -> Limit {
        in_force(
            self.line.allowance,
            self.account.bucket.map_or(0, |bucket| bucket.top_up),
        )
    }

    pub(super) fn sub_limit(&self) -> Limit {
        self.line.sub_limit.unwrap_or(Limit::Unlimited)
    }

    pub(super) fn facts(&self, amount: i64) -> QuotaFacts<'_> {
        let member = self.member.map(|member| member.count(self.sub_limit()));
        QuotaFacts {
            meter: self.line.meter,
            amount,
            account: self.account.count(self.limit()),
            member,
        }
    }

    pub(super) fn has_room(&self, amount: i64) -> bool {
        self.account.has_room(amount) && self.member.is_none_or(|member| member.has_room(amount))
    }

    /// Returns the amount that is left by the limits alone.
    pub(super) fn remaining_amount(&self) -> i64 {
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
    pub(super) fn change(&self, amount: i64, taking: ConsumeMode) -> i64 {
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
        Limit::Number(number) => Limit::Number(number.saturating_add(top_up).min(Limit::MAX)),
    }
}

pub(super) fn load_meters<'a>(
    tx: &mut dyn CountTx,
    request: &ConsumeRequest<'a>,
) -> Result<Vec<MeterState<'a>>, Error> {
    let QuotaSubject {
        account, member, ..
    } = request.subject;
    let mut meters = Vec::with_capacity(request.lines.len());
    for line in request.lines {
        let mut at = |member| {
            CurrentBucket::find(tx, CountOwner { account, member }, line, &request.subject)
        };
        meters.push(MeterState {
            line: *line,
            account: at(None)?,
            member: member.map(|member| at(Some(member))).transpose()?,
        });
    }
    Ok(meters)
}

/// Returns the change of a meter. A record that no longer counts, such as an expired invitation,
/// frees nothing.
pub(super) fn bounded_change(meter: &MeterState<'_>, amount: i64, taking: ConsumeMode) -> i64 {
    let change = meter.change(amount, taking);
    if meter.line.counted.is_some() {
        change.max(meter.account.used().saturating_neg())
    } else {
        change
    }
}
