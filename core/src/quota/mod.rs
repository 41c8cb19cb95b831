//! What is counted: how much of a limit is used, and the verbs that take and give back. Everything that a verb decides it
//! decides inside one transaction of the store, so that nothing comes between a decision and its debit.

mod answer;
mod history;
mod known;
mod settle;
mod stock;
mod take;

use std::sync::Arc;

pub(crate) use self::answer::answered;
pub use self::answer::{Counted, LimitSource, MemberQuota, Quota};
pub(crate) use self::history::history;
pub use self::history::{HistoryEntry, HistoryPart};
pub(crate) use self::known::{Known, note, take_known};
pub(crate) use self::settle::{Asked as SettlingAsked, Settling, Statement, changes_limit, revoke_top_up, settle, state};
pub(crate) use self::stock::{UNCOUNTED, keep, limit_of, remember, write_down};
pub(crate) use self::take::{Asked, Taking, count, replayed, take, usage};
use crate::Error;
use crate::catalog::{MeterKind, WindowKind};
use crate::directory::CountedRecords;
use crate::limit::Limit;
use crate::window::Calendar;

/// A limit as the directory says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// From the package or the access level.
    pub(crate) base: Option<Limit>,
    pub(crate) source: LimitSource,
    /// Set on the account itself.
    pub(crate) over: Option<Limit>,
}

impl Allowance {
    /// The limit in force, without what was added for a window. What nobody states is none (Q3).
    pub(crate) fn limit(self) -> Limit {
        self.over.or(self.base).unwrap_or(Limit::Number(0))
    }
}

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
        Self { meter, kind: MeterKind::Stock, window: WindowKind::Lifetime, frees: false, amount: 0, allowance, sub_limit: None, counted: None }
    }

    /// A stock that the directory is the count of is changed by changing the directory.
    pub(crate) fn refuse_counted(&self) -> Result<(), Error> {
        self.counted.map_or(Ok(()), |_| Err(Error::CountedByDirectory { meter: self.meter.to_string() }))
    }
}

/// Whose counts are asked of, and from when their windows are counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) account: &'a str,
    pub(crate) member: Option<&'a str>,
    pub(crate) actor: Option<&'a str>,
    pub(crate) calendar: &'a Calendar,
}
