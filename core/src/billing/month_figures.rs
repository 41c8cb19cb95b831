//! The figures of a month, and the close of a month, which fixes them with a seed.

use std::collections::{BTreeMap, BTreeSet};

use super::draw;
use super::periods::{
    BilledMonths, BillingLedger, BillingMonth, ClosedMonth, LEDGER_DOCUMENT, document_name,
};
use crate::model::calendar::{Window, instant_text};
use crate::model::catalog::{CountedKind as Counted, ExcessOrder};
use crate::model::limit::Limit;
use crate::model::pending_email;
use crate::quota::{self, MeterRequest, QuotaSubject};
use crate::util::error::Error;

/// The figures of a month.
pub(super) struct MonthFigures {
    pub(super) clients: Vec<String>,
    pub(super) created: BTreeMap<String, String>,
    pub(super) included: Limit,
    pub(super) price: u64,
    pub(super) order: ExcessOrder,
}

impl BillingLedger<'_> {
    /// Returns the current figures.
    pub(super) fn numbers(&mut self) -> Result<MonthFigures, Error> {
        let order = self.catalog.excess_order();
        let clients = self.directory.clients_of(self.number);
        let created = if order == ExcessOrder::NewestFirst {
            let known = clients.iter().filter_map(|id| {
                Some((
                    id.clone(),
                    self.directory.created(id).and_then(instant_text)?,
                ))
            });
            known.collect()
        } else {
            BTreeMap::new()
        };
        Ok(MonthFigures {
            clients,
            created,
            included: self.included()?,
            price: self.catalog.excess_client_cents(),
            order,
        })
    }

    /// Returns the number of clients that the package includes, which is the limit of the stock
    /// that counts clients.
    fn included(&mut self) -> Result<Limit, Error> {
        let Some((meter, _)) = self
            .catalog
            .counted()
            .find(|(_, what)| *what == Counted::Clients)
        else {
            return Ok(Limit::Unlimited);
        };
        let line = MeterRequest::of_stock(
            meter,
            self.directory.allowance(self.number, meter, self.catalog),
        );
        let subject = QuotaSubject {
            account: self.owner,
            member: None,
            actor: None,
            calendar: self.directory.calendar(self.number),
        };
        quota::limit_of(self.tx, &subject, &line)
    }

    /// Returns the figures of a month that is over. They are those of the first month closed after
    /// it, or else the current figures. This is exact, because a change of clients first closes the
    /// last month.
    pub(super) fn numbers_of(
        &mut self,
        period: &BillingMonth,
        months: &BilledMonths,
    ) -> Result<MonthFigures, Error> {
        let later = months
            .closed
            .iter()
            .filter(|(_, end)| **end > period.window.end)
            .min_by_key(|(_, end)| **end);
        let Some(later) = later.map(|(name, _)| name.clone()) else {
            return self.numbers();
        };
        match self.closed(&later)? {
            Some(ClosedMonth {
                draw: mut clients,
                created,
                included,
                price,
                order,
                ..
            }) => {
                clients.sort_unstable();
                Ok(MonthFigures {
                    clients,
                    created,
                    included,
                    price,
                    order,
                })
            }
            None => self.numbers(),
        }
    }

    /// Returns the seed that a newly closed month reuses: that of the last unpaid month, if there
    /// is one.
    pub(super) fn seed(&mut self, months: &BilledMonths) -> Result<Option<String>, Error> {
        let Some(last) = months
            .unpaid
            .iter()
            .max_by_key(|name| months.closed.get(*name))
            .cloned()
        else {
            return Ok(None);
        };
        Ok(self.closed(&last)?.map(|closed| closed.seed))
    }

    /// Fixes the figures and the seed of a month that is over.
    pub(super) fn close(
        &mut self,
        period: &BillingMonth,
        months: &mut BilledMonths,
    ) -> Result<ClosedMonth, Error> {
        if let Some(closed) = self.closed(&period.name)? {
            return Ok(closed);
        }
        let figures = self.numbers_of(period, months)?;
        let seed = match self.seed(months)? {
            Some(seed) => seed,
            None => pending_email::token()?,
        };
        let Window { start, end } = period.window;
        let draw = draw::order(
            figures.order,
            &seed,
            &figures.clients,
            &figures.created,
            &[],
        );
        let closed = ClosedMonth {
            start,
            end,
            draw,
            created: figures.created,
            included: figures.included,
            price: figures.price,
            order: figures.order,
            seed,
            choice: Vec::new(),
            settled: false,
            disabled: BTreeSet::new(),
        };
        self.write(&document_name(&period.name), &closed)?;
        months.closed.insert(period.name.clone(), end);
        self.write(LEDGER_DOCUMENT, months)?;
        Ok(closed)
    }

    /// Closes the last month that is over. Called before the first change after its end.
    pub(crate) fn close_last(&mut self) -> Result<(), Error> {
        let running = self.period_of(self.tx.now())?;
        let mut months = self.months()?;
        if months
            .closed
            .values()
            .any(|end| *end >= running.window.start)
        {
            return Ok(());
        }
        let last = self.period_of(running.window.start.saturating_sub(1))?;
        self.close(&last, &mut months).map(drop)
    }
}
