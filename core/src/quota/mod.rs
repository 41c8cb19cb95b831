//! What is counted: how much of a limit is used, and the verbs that take and give back. Everything
//! that a verb decides it decides inside one transaction of the store, so that nothing comes
//! between a decision and its debit.

mod cached_grant;
mod follow_up;
mod history;
mod idempotency;
mod stock;
mod take;

use std::sync::Arc;

pub(crate) use self::cached_grant::{FastConsumeRequest, cache_grant, consume_cached};
pub(crate) use self::follow_up::{
    Adjustment, FollowUp, FollowUpRequest as SettlingAsked, changes_limit, follow_up,
    record_adjustment, revoke_top_up,
};
pub(crate) use self::history::history;
pub use self::history::{HistoryDelta, HistoryEntry};
pub(crate) use self::idempotency::answered;
pub(crate) use self::stock::{HISTORY_METER, limit_of, record_command, record_key, sync_stock};
pub(crate) use self::take::{ConsumeMode, ConsumeRequest, count, replay, take, usage};
use crate::api::consume_options::ConsumeOptions;
use crate::directory::CountedRecords;
use crate::model::calendar::Calendar;
use crate::model::catalog::{MeterKind, WindowKind};
use crate::model::limit::{EffectiveLimit, Limit};
use crate::util::error::Error;

/// One meter of what is asked, as the bundle and the directory say it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MeterRequest<'a> {
    pub(crate) meter: &'a Arc<str>,
    pub(crate) kind: MeterKind,
    /// A flow's.
    pub(crate) window: WindowKind,
    /// Whether the action gives back.
    pub(crate) decreases: bool,
    pub(crate) amount: i64,
    pub(crate) allowance: EffectiveLimit,
    /// A member's own part, where it has one.
    pub(crate) sub_limit: Option<Limit>,
    /// The records that are its count, of a stock that the directory is the count of.
    pub(crate) counted: Option<CountedRecords<'a>>,
}

impl<'a> MeterRequest<'a> {
    /// A stock of which nothing is asked, as the ledger has it.
    pub(crate) fn of_stock(meter: &'a Arc<str>, allowance: EffectiveLimit) -> Self {
        Self {
            meter,
            kind: MeterKind::Stock,
            window: WindowKind::Lifetime,
            decreases: false,
            amount: 0,
            allowance,
            sub_limit: None,
            counted: None,
        }
    }

    /// A stock that the directory is the count of is changed by changing the directory.
    pub(crate) fn refuse_counted(&self) -> Result<(), Error> {
        self.counted.map_or(Ok(()), |_| {
            Err(Error::CountedByDirectory {
                meter: self.meter.to_string(),
            })
        })
    }
}

/// Fails with [`Error::NoMeter`] if `take` names a meter that is none of the action's.
pub(crate) fn check_meters(
    take: &ConsumeOptions<'_>,
    lines: &[MeterRequest<'_>],
) -> Result<(), Error> {
    let strange = take
        .amounts
        .iter()
        .find(|(name, _)| !lines.iter().any(|line| **line.meter == **name));
    strange.map_or(Ok(()), |(name, _)| {
        Err(Error::NoMeter {
            meter: crate::util::text::short(name),
        })
    })
}

/// Whose counts are asked of, and from when their windows are counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QuotaSubject<'a> {
    pub(crate) account: &'a str,
    pub(crate) member: Option<&'a str>,
    pub(crate) actor: Option<&'a str>,
    pub(crate) calendar: &'a Calendar,
}
