//! The settlement of a month, which puts its order into force, and the clients that are disabled
//! for overage.

use std::collections::BTreeSet;

use super::draw;
use super::periods::{BillingLedger, ClosedMonth, LEDGER_DOCUMENT, document_name};
use crate::directory::Change;
use crate::model::account::DisableReason;
use crate::model::catalog::ExcessOrder;
use crate::model::record::Record;
use crate::util::error::Error;

impl BillingLedger<'_> {
    /// Puts the order of a month into force, once. [`BillingLedger::overage`] returns the resulting
    /// changes of the directory.
    pub(crate) fn settle(&mut self, name: &str, choice: &[String]) -> Result<(), Error> {
        let period = self.period(name)?;
        if period.window.end > self.tx.now() {
            return Err(Error::PeriodOpen {
                owner: self.owner.to_owned(),
                period: period.name,
            });
        }
        let mut months = self.months()?;
        let closed = self.close(&period, &mut months)?;
        if closed.settled {
            return Ok(());
        }
        let wrong = |reason: String| Error::ExcessChoice {
            owner: self.owner.to_owned(),
            reason,
        };
        if !choice.is_empty() && closed.order != ExcessOrder::OwnersChoice {
            return Err(wrong("the platform's order is another".to_owned()));
        }
        let mut seen = BTreeSet::new();
        if let Some(strange) = choice
            .iter()
            .find(|id| !closed.draw.contains(id) || !seen.insert(id.as_str()))
        {
            return Err(wrong(format!(
                "`{}` is none of its clients, or stands twice",
                crate::util::text::short(strange)
            )));
        }
        let draw = draw::order(
            closed.order,
            &closed.seed,
            &closed.draw,
            &closed.created,
            choice,
        );
        self.write(
            &document_name(name),
            &ClosedMonth {
                settled: true,
                draw,
                choice: choice.to_vec(),
                ..closed
            },
        )?;
        months.unpaid.insert(period.name);
        self.write(LEDGER_DOCUMENT, &months)
    }

    /// Lists a settled month as unpaid again after a payment or a reversal, so that it is evaluated
    /// again.
    pub(super) fn reopen(&mut self, name: &str) -> Result<(), Error> {
        if !self.closed(name)?.is_some_and(|closed| closed.settled) {
            return Ok(());
        }
        let mut months = self.months()?;
        if months.unpaid.insert(name.to_owned()) {
            self.write(LEDGER_DOCUMENT, &months)
        } else {
            Ok(())
        }
    }

    /// Returns the changes that disable clients for overage or lift it. Evaluates the settled
    /// months that were not paid until now. Other reasons to disable a client stay.
    pub(crate) fn overage(&mut self) -> Result<Vec<Change>, Error> {
        let mut months = self.months()?;
        let (mut before, mut wanted, mut paid) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for name in &months.unpaid {
            let Some(closed) = self.closed(name)? else {
                continue;
            };
            let received = self.paid_cents(name)?;
            let statement = self.of_closed(name, &closed, received);
            let disabled: BTreeSet<String> = statement.disabled.into_iter().collect();
            before.extend(closed.disabled.iter().cloned());
            wanted.extend(disabled.iter().cloned());
            if statement.paid >= statement.excess {
                paid.push(name.clone());
            }
            if disabled != closed.disabled {
                self.write(&document_name(name), &ClosedMonth { disabled, ..closed })?;
            }
        }
        if !paid.is_empty() {
            months.unpaid.retain(|name| !paid.contains(name));
            self.write(LEDGER_DOCUMENT, &months)?;
        }
        let freed = before
            .difference(&wanted)
            .filter_map(|id| self.with_overage(id, false));
        Ok(wanted
            .iter()
            .filter_map(|id| self.with_overage(id, true))
            .chain(freed)
            .collect())
    }

    /// Returns the change that adds the overage reason to a client of the owner, or removes it.
    /// Returns `None` if nothing changes.
    fn with_overage(&self, id: &str, put: bool) -> Option<Change> {
        let mut client = self
            .directory
            .account(id)
            .filter(|client| client.owner() == Some(self.owner))?;
        let changed = if put {
            client.disabled.insert(DisableReason::Overage)
        } else {
            client.disabled.remove(&DisableReason::Overage)
        };
        changed.then_some(Change::Put(Record::Account(client)))
    }
}
