//! The settlement of a month, which puts its order into force, and the clients that are disabled
//! for overage.

use std::collections::BTreeSet;

use super::draw::{self, DrawRule};
use super::periods::{BillingLedger, ClosedMonth};
use crate::directory::Change;
use crate::model::account::DisableReason;
use crate::model::calendar::instant_text;
use crate::model::catalog::ExcessOrder;
use crate::model::record::Record;
use crate::util::error::Error;

impl BillingLedger<'_> {
    /// Puts the order of a month into force, once. [`BillingLedger::overage`] returns the resulting
    /// changes of the directory.
    pub(crate) fn settle(&mut self, name: &str, choice: &[String]) -> Result<(), Error> {
        self.close_month(name)?;
        let Some(closed) = self.closed(name)? else {
            return Err(Error::Period {
                period: crate::util::text::short(name),
            });
        };
        if closed.settled {
            return Ok(());
        }
        if self.tx.now() < closed.settle_from {
            return Err(Error::Grace {
                owner: self.owner.to_owned(),
                period: name.to_owned(),
                until: instant_text(closed.settle_from).unwrap_or_default(),
            });
        }
        self.check_choice(&closed, choice)?;
        let rule = DrawRule {
            choice: choice.to_vec(),
            ..closed.rule
        };
        let settled = ClosedMonth {
            settled: true,
            draw: draw::order(&rule, &closed.seed, &closed.draw),
            rule,
            ..closed
        };
        self.save_closed(name, &settled)
    }

    /// Fails with [`Error::ExcessChoice`] if the owner may not choose, or names an account that is
    /// not one of the clients.
    fn check_choice(&self, closed: &ClosedMonth, choice: &[String]) -> Result<(), Error> {
        let wrong = |reason: String| Error::ExcessChoice {
            owner: self.owner.to_owned(),
            reason,
        };
        if !choice.is_empty() && closed.rule.order != ExcessOrder::OwnersChoice {
            return Err(wrong("the platform's order is another".to_owned()));
        }
        let mut seen = BTreeSet::new();
        let strange = choice
            .iter()
            .find(|id| !closed.draw.contains(id) || !seen.insert(id.as_str()));
        strange.map_or(Ok(()), |strange| {
            Err(wrong(format!(
                "`{}` is none of its clients, or stands twice",
                crate::util::text::short(strange)
            )))
        })
    }

    /// Returns the changes that disable clients for overage or lift it. Evaluates the settled
    /// months that are not paid, or were not until now. Other reasons to disable a client stay.
    ///
    /// `changed` are the clients whose records changed. If a settled month decides over the owner's
    /// clients, none of them is disabled for overage without being drawn.
    pub(crate) fn overage(&mut self, changed: &BTreeSet<String>) -> Result<Vec<Change>, Error> {
        let owing = self.months.find_owing();
        let (mut before, mut wanted) = (BTreeSet::new(), BTreeSet::new());
        for name in owing.union(&self.months.owing.clone()) {
            let Some(closed) = self.closed(name)?.filter(|closed| closed.settled) else {
                continue;
            };
            let statement = self.of_closed(name, &closed);
            let disabled: BTreeSet<String> = statement.disabled.into_iter().collect();
            before.extend(closed.disabled.iter().cloned());
            wanted.extend(disabled.iter().cloned());
            if disabled != closed.disabled {
                self.save_closed(name, &ClosedMonth { disabled, ..closed })?;
            }
        }
        if owing != self.months.owing {
            self.months.owing = owing;
            self.save_months()?;
        }
        let mut strays = changed.difference(&wanted);
        if strays.any(|id| self.with_overage(id, false).is_some()) && self.has_settled()? {
            before.extend(changed.iter().cloned());
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

    fn has_settled(&mut self) -> Result<bool, Error> {
        for name in self.closed_months() {
            if self.closed(&name)?.is_some_and(|closed| closed.settled) {
                return Ok(true);
            }
        }
        Ok(false)
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
