//! What is counted: how much of a limit is used, and the verbs that take and give back. Everything that a verb decides it
//! decides inside one transaction of the store, so that nothing comes between a decision and its debit.

mod cached_grant;
mod follow_up;
mod history;
mod idempotency;
mod stock;
mod take;

use std::sync::Arc;

pub(crate) use self::cached_grant::{Known, note, take_known};
pub(crate) use self::follow_up::{
    Asked as SettlingAsked, Settling, Statement, changes_limit, revoke_top_up, settle, state,
};
pub(crate) use self::history::history;
pub use self::history::{HistoryEntry, HistoryPart};
pub(crate) use self::idempotency::answered;
pub(crate) use self::stock::{UNCOUNTED, keep, limit_of, remember, write_down};
pub(crate) use self::take::{Asked, Taking, count, replayed, take, usage};
use crate::api::consume_options::Take;
use crate::directory::CountedRecords;
use crate::model::calendar::Calendar;
use crate::model::catalog::{MeterKind, WindowKind};
use crate::model::limit::{Allowance, Limit};
use crate::util::error::Error;

/// One meter of what is asked, as the bundle and the directory say it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) meter: &'a Arc<str>,
    pub(crate) kind: MeterKind,
    /// A flow's.
    pub(crate) window: WindowKind,
    /// Whether the action gives back.
    pub(crate) frees: bool,
    pub(crate) amount: i64,
    pub(crate) allowance: Allowance,
    /// A member's own part, where it has one.
    pub(crate) sub_limit: Option<Limit>,
    /// The records that are its count, of a stock that the directory is the count of.
    pub(crate) counted: Option<CountedRecords<'a>>,
}

impl<'a> Line<'a> {
    /// A stock of which nothing is asked, as the ledger has it.
    pub(crate) fn of_stock(meter: &'a Arc<str>, allowance: Allowance) -> Self {
        Self {
            meter,
            kind: MeterKind::Stock,
            window: WindowKind::Lifetime,
            frees: false,
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
pub(crate) fn check_meters(take: &Take<'_>, lines: &[Line<'_>]) -> Result<(), Error> {
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
pub(crate) struct Subject<'a> {
    pub(crate) account: &'a str,
    pub(crate) member: Option<&'a str>,
    pub(crate) actor: Option<&'a str>,
    pub(crate) calendar: &'a Calendar,
}
