//! The close of a month, which fixes its figures, its seed and its order. Nobody is disabled.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::draw;
use super::month_list::{BillingMonth, ClosedBounds};
use super::periods::{BillingLedger, ClosedMonth};
use super::statement::Statement;
use crate::model::pending_email;
use crate::util::error::Error;

/// A closed month of an owner (B8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthClosing {
    /// The owner's account.
    pub owner: String,
    /// The month.
    pub period: String,
    /// The sum due for the month. Payments are not subtracted.
    pub due_cents: i64,
    /// The number of clients that will be disabled if nothing more is received.
    pub at_risk: i64,
    /// The first instant at which the month may be settled, as RFC 3339 in UTC.
    pub settle_from: String,
}

impl From<Statement> for MonthClosing {
    fn from(statement: Statement) -> Self {
        Self {
            owner: statement.owner,
            period: statement.period,
            due_cents: statement.due_cents,
            at_risk: statement.unpaid,
            settle_from: statement.settle_from,
        }
    }
}

/// The result of [`Engine::close_due`](crate::Engine::close_due).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosingProgress {
    /// The months that the call closed, by owner and month.
    pub closed: Vec<MonthClosing>,
    /// The closed months of the same owners that are neither paid nor settled, by owner and month.
    /// Each call returns them, whatever closed them and when.
    pub unsettled: Vec<MonthClosing>,
    /// The owner after which the next call goes on. `None` if no owner is left.
    pub next: Option<String>,
}

impl BillingLedger<'_> {
    /// Closes the months that are over. Called before each change of the owner's figures, so that
    /// they are the figures of those months (B8).
    pub(crate) fn close_over(&mut self) -> Result<(), Error> {
        let mut has_closed = false;
        while let Some(month) = self.months.open.clone() {
            if month.end > self.tx.now() {
                break;
            }
            self.close(&month)?;
            self.months.open = Some(month.next(self.directory.calendar(self.number))?);
            has_closed = true;
        }
        if has_closed {
            return self.save_months();
        }
        Ok(())
    }

    /// Closes a month that is over, and the months before it. Returns its statement.
    ///
    /// # Errors
    /// [`Error::Period`]; [`Error::PeriodOpen`] if the month is not over.
    pub(crate) fn close_month(&mut self, name: &str) -> Result<Statement, Error> {
        let period = self.period(name)?;
        if period.end > self.tx.now() {
            return Err(Error::PeriodOpen {
                owner: self.owner.to_owned(),
                period: period.name,
            });
        }
        self.close_over()?;
        self.build_statement(&period)
    }

    /// Returns whether a month is over, and whether it may be settled by now. Returns `None` if there
    /// is no such month.
    pub(crate) fn month_phase(&mut self, name: &str) -> Result<Option<(bool, bool)>, Error> {
        let Ok(month) = self.period(name) else {
            return Ok(None);
        };
        let now = self.tx.now();
        let settle_from = match self.closed(name)? {
            Some(closed) => closed.settle_from,
            None => self.settle_from(&month),
        };
        Ok(Some((month.end <= now, settle_from <= now)))
    }

    /// Ends the billing of an owner that is about to be closed (B10). The month that runs ends now.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        self.close_over()?;
        let now = self.tx.now();
        if let Some(month) = self.months.open.take()
            && month.start < now
        {
            self.close(&BillingMonth { end: now, ..month })?;
        }
        self.save_months()
    }

    /// Begins the billing of an owner that is new or reopened. The first month of a new owner is
    /// the calendar's. A reopened owner begins a new month now (B10).
    pub(crate) fn begin(&mut self) -> Result<(), Error> {
        let calendar = self.directory.calendar(self.number);
        let now = self.tx.now();
        if !self.is_stored {
            let first = calendar.month_of(now)?;
            self.months.open = Some(BillingMonth::new(first));
        } else if self.months.open.is_none() {
            let last = self.months.closed.last_key_value();
            let start = last.map_or(now, |(_, bounds)| bounds.end.max(now));
            let last = last.map(|(name, _)| name.as_str());
            let first = calendar.month_after(start, last)?;
            self.months.open = Some(BillingMonth::new(first));
        }
        self.save_months()
    }

    /// Keeps the bounds of the month that runs, before the owner's calendar changes (B10).
    pub(crate) fn pin_running(&mut self) -> Result<(), Error> {
        if self.is_stored {
            return Ok(());
        }
        self.save_months()
    }

    /// Fixes the figures, the seed and the order of a month. The caller saves the list of months.
    fn close(&mut self, month: &BillingMonth) -> Result<(), Error> {
        let figures = self.figures(month)?;
        let (rule, seed) = self.draw_rule(&figures)?;
        let seed = match seed {
            Some(seed) => seed,
            None => pending_email::token()?,
        };
        let closed = ClosedMonth {
            start: month.start,
            end: month.end,
            settle_from: figures.settle_from,
            draw: draw::order(&rule, &seed, &figures.clients),
            included: figures.included,
            price: figures.price,
            rule,
            seed,
            settled: false,
            disabled: BTreeSet::new(),
        };
        self.save_closed(&month.name, &closed)?;
        let bounds = ClosedBounds {
            start: month.start,
            end: month.end,
            due: figures.due(),
        };
        self.months.closed.insert(month.name.clone(), bounds);
        self.months.owing = self.months.find_owing();
        let statement = self.of_closed(&month.name, &closed);
        self.closings.push(statement.into());
        Ok(())
    }

    /// Returns the closed months that are neither paid nor settled.
    pub(crate) fn find_unsettled(&mut self) -> Result<Vec<MonthClosing>, Error> {
        let mut unsettled = Vec::new();
        for name in self.months.find_owing() {
            if let Some(closed) = self.closed(&name)?.filter(|closed| !closed.settled) {
                unsettled.push(MonthClosing::from(self.of_closed(&name, &closed)));
            }
        }
        // A month whose excess clients are gone owes money, but it disables nobody.
        unsettled.retain(|month| month.at_risk > 0);
        Ok(unsettled)
    }
}
