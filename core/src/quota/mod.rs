//! Quota: usage of limits, and the verbs that consume and give back. Each verb decides inside one
//! transaction of the store, so that nothing can happen between a decision and its debit.

mod adjustment;
mod cached_grant;
mod follow_up;
mod history;
mod idempotency;
mod meter_state;
mod receipt;
mod stock;
mod take;

use std::sync::Arc;

pub(crate) use self::adjustment::{Adjustment, record_adjustment};
pub(crate) use self::cached_grant::{FastConsumeRequest, cache_grant, consume_cached, with_quota};
pub(crate) use self::follow_up::{
    FollowUp, FollowUpRequest, changes_limit, follow_up, revoke_top_up,
};
pub(crate) use self::history::history;
pub use self::history::{HistoryDelta, HistoryEntry};
pub(crate) use self::idempotency::find_replay;
pub(crate) use self::meter_state::CurrentBucket;
pub(crate) use self::stock::{HISTORY_METER, limit_of, record_command, record_key, sync_stock};
pub(crate) use self::take::{ConsumeMode, ConsumeRequest, count, replay, take, usage};
use crate::api::consume_options::ConsumeOptions;
use crate::directory::CountedRecords;
use crate::model::calendar::Calendar;
use crate::model::catalog::{MeterKind, WindowKind};
use crate::model::limit::{EffectiveLimit, Limit};
use crate::util::error::Error;

/// One meter of a request, with its settings from the bundle and its limit from the directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MeterRequest<'a> {
    pub(crate) meter: &'a Arc<str>,
    pub(crate) kind: MeterKind,
    /// The window of a flow.
    pub(crate) window: WindowKind,
    /// Whether the action gives back.
    pub(crate) decreases: bool,
    pub(crate) amount: i64,
    pub(crate) allowance: EffectiveLimit,
    /// The member's own limit, if the member has one.
    pub(crate) sub_limit: Option<Limit>,
    /// The records to count, if the directory counts the stock.
    pub(crate) counted: Option<CountedRecords<'a>>,
}

impl<'a> MeterRequest<'a> {
    /// Returns a request of amount 0 for a stock, whose usage is read from the count store.
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

    /// Fails with [`Error::CountedByDirectory`] if the directory counts this stock, because only a
    /// directory change can change it.
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

/// The account, member and actor of an operation, and the calendar of the account's windows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QuotaSubject<'a> {
    pub(crate) account: &'a str,
    pub(crate) member: Option<&'a str>,
    pub(crate) actor: Option<&'a str>,
    pub(crate) calendar: &'a Calendar,
}
