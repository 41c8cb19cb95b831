//! The billing ledger of one owner: the documents of its months, and the statements from them.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::closing::MonthClosing;
use super::draw::{self, DrawRule};
use super::figure_history::FigureHistory;
use super::month_list::{BillingMonth, MonthList, credit_after};
use super::statement::{Statement, StatementInputs, StatementStatus};
use crate::directory::Directory;
use crate::model::calendar::instant_text;
use crate::model::catalog::{Catalog, ExcessOrder};
use crate::model::limit::Limit;
use crate::store::CountTx;
use crate::util::error::Error;

/// The document that lists the months.
const LEDGER_DOCUMENT: &str = "months";

/// A closed month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ClosedMonth {
    pub(super) start: i64,
    pub(super) end: i64,
    /// The first instant at which the month may be settled.
    pub(super) settle_from: i64,
    /// The clients of the month, in the order in which they are disabled.
    pub(super) draw: Vec<String>,
    pub(super) included: Limit,
    pub(super) price: u64,
    pub(super) rule: DrawRule,
    pub(super) seed: String,
    pub(super) settled: bool,
    /// The clients disabled for the month.
    pub(super) disabled: BTreeSet<String>,
}

/// The billing ledger of one owner in a count transaction, with the directory as of the transaction
/// or as it will be after it.
pub(crate) struct BillingLedger<'b> {
    pub(super) tx: &'b mut dyn CountTx,
    pub(super) directory: &'b Directory,
    pub(super) catalog: &'b Catalog,
    pub(super) history: &'b FigureHistory,
    pub(super) owner: &'b str,
    pub(super) number: u32,
    pub(super) months: MonthList,
    /// Whether the store has the list of months.
    pub(super) is_stored: bool,
    /// Whether the ledger was written to.
    pub(super) wrote: bool,
    /// The months that were closed.
    pub(super) closings: Vec<MonthClosing>,
}

impl<'b> BillingLedger<'b> {
    /// Opens the billing ledger of an owner.
    ///
    /// An owner without a ledger has been there since the store began to keep the figures. Its
    /// first month is the month of that instant.
    ///
    /// # Errors
    /// [`Error::UnknownAccount`]; [`Error::BillsNoClient`] for a client account (B1).
    pub(crate) fn open(
        tx: &'b mut dyn CountTx,
        directory: &'b Directory,
        catalog: &'b Catalog,
        history: &'b FigureHistory,
        owner: &'b str,
    ) -> Result<Self, Error> {
        let number = directory
            .account_number(owner)
            .ok_or_else(|| Error::UnknownAccount {
                account: crate::util::text::short(owner),
            })?;
        if directory.owner_of(owner).is_some() {
            return Err(Error::BillsNoClient {
                account: owner.to_owned(),
            });
        }
        let mut ledger = Self {
            tx,
            directory,
            catalog,
            history,
            owner,
            number,
            months: MonthList::default(),
            is_stored: false,
            wrote: false,
            closings: Vec::new(),
        };
        if let Some(months) = ledger.read(LEDGER_DOCUMENT)? {
            (ledger.months, ledger.is_stored) = (months, true);
        } else if directory.has_open_owner(owner) {
            let first = directory.calendar(number).month_of(history.since)?;
            ledger.months.open = Some(BillingMonth::new(first));
        }
        Ok(ledger)
    }

    /// Returns whether the ledger was written to.
    pub(crate) fn has_changes(&self) -> bool {
        self.wrote
    }

    /// Returns the names of the closed months, oldest first.
    pub(crate) fn closed_months(&self) -> Vec<String> {
        self.months.closed.keys().cloned().collect()
    }

    /// Returns the months that were closed, for their events.
    pub(crate) fn into_closings(self) -> Vec<MonthClosing> {
        self.closings
    }

    fn read<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, Error> {
        let Some(text) = self.tx.document(self.owner, name)? else {
            return Ok(None);
        };
        let read = serde_json::from_str(&text);
        read.map(Some).map_err(|error| Error::StoreCorrupt {
            store: "billing".to_owned(),
            reason: format!("`{name}`: {error}"),
        })
    }

    fn write(&mut self, name: &str, document: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(document).map_err(|error| Error::Stream {
            reason: error.to_string(),
        })?;
        self.wrote = true;
        self.tx.write_document(self.owner, name, &text)
    }

    /// Writes the list of months.
    pub(super) fn save_months(&mut self) -> Result<(), Error> {
        self.is_stored = true;
        let months = self.months.clone();
        self.write(LEDGER_DOCUMENT, &months)
    }

    pub(super) fn save_closed(&mut self, name: &str, closed: &ClosedMonth) -> Result<(), Error> {
        self.write(&document_name(name), closed)
    }

    pub(super) fn closed(&mut self, period: &str) -> Result<Option<ClosedMonth>, Error> {
        self.read(&document_name(period))
    }

    /// Returns a month that has begun. Fails with [`Error::Period`] for other names.
    pub(super) fn period(&self, name: &str) -> Result<BillingMonth, Error> {
        if let Some(bounds) = self.months.closed.get(name) {
            return Ok(BillingMonth {
                name: name.to_owned(),
                start: bounds.start,
                end: bounds.end,
            });
        }
        let found = self.open_months()?;
        let mut found = found.into_iter().filter(|month| month.name == name);
        found.next().ok_or_else(|| Error::Period {
            period: crate::util::text::short(name),
        })
    }

    /// Returns the months that have begun and are not closed.
    fn open_months(&self) -> Result<Vec<BillingMonth>, Error> {
        let (now, calendar) = (self.tx.now(), self.directory.calendar(self.number));
        let mut months = Vec::new();
        let mut month = self.months.open.clone();
        while let Some(begun) = month.filter(|month| month.start <= now) {
            month = Some(begun.next(calendar)?);
            months.push(begun);
        }
        Ok(months)
    }

    /// Returns the month that runs. Fails with [`Error::NoMonth`] for a closed owner.
    pub(super) fn running(&self) -> Result<BillingMonth, Error> {
        self.open_months()?.pop().ok_or_else(|| Error::NoMonth {
            owner: self.owner.to_owned(),
        })
    }

    /// Returns the credit that the months before `name` leave (B9).
    fn credit(&mut self, name: &str) -> Result<i64, Error> {
        let mut credit = self.months.credit_before(name);
        for month in self.open_months()? {
            if month.name.as_str() >= name {
                break;
            }
            let due = self.figures(&month)?.due();
            credit = credit_after(credit, self.months.received(&month.name), due);
        }
        Ok(credit)
    }

    /// Returns the statement of a month.
    pub(crate) fn statement(&mut self, name: &str) -> Result<Statement, Error> {
        let period = self.period(name)?;
        self.build_statement(&period)
    }

    /// Returns the statement of the month that runs (B6).
    pub(crate) fn preview(&mut self) -> Result<Statement, Error> {
        let period = self.running()?;
        self.build_statement(&period)
    }

    pub(super) fn build_statement(&mut self, period: &BillingMonth) -> Result<Statement, Error> {
        if self.months.closed.contains_key(&period.name)
            && let Some(closed) = self.closed(&period.name)?
        {
            return Ok(self.of_closed(&period.name, &closed));
        }
        let cents = [
            self.months.received(&period.name),
            self.credit(&period.name)?,
        ];
        let figures = self.figures(period)?;
        let (rule, seed) = self.draw_rule(&figures)?;
        // Before a month is closed, its order is known only for newest first, or if the random
        // selection reuses the seed of an earlier month.
        let seed = match rule.order {
            ExcessOrder::NewestFirst => Some(seed.unwrap_or_default()),
            ExcessOrder::Random => seed,
            ExcessOrder::OwnersChoice => None,
        };
        let draw = seed.map(|seed| draw::order(&rule, &seed, &figures.clients));
        let departed = self.closed_clients(&figures.clients);
        let is_over = period.end <= self.tx.now();
        let counts = StatementInputs {
            owner: self.owner,
            period: &period.name,
            bounds: [period.start, period.end, figures.settle_from]
                .map(|at| instant_text(at).unwrap_or_default()),
            status: if is_over {
                StatementStatus::Ended
            } else {
                StatementStatus::Open
            },
            clients: &figures.clients,
            included: figures.included,
            price: figures.price,
            rule: &DrawRule {
                rounds: BTreeMap::new(),
                ..rule
            },
            seed: None,
            departed: &departed,
            cents,
        };
        Ok(Statement::new(&counts, draw))
    }

    /// Returns the clients that are closed or belong to another owner.
    fn closed_clients(&self, clients: &[String]) -> BTreeSet<String> {
        clients
            .iter()
            .filter(|id| !self.directory.has_client(self.number, id))
            .cloned()
            .collect()
    }

    /// Returns the statement of a closed month.
    pub(super) fn of_closed(&self, name: &str, closed: &ClosedMonth) -> Statement {
        let is_known = closed.settled || closed.rule.order != ExcessOrder::OwnersChoice;
        let counts = StatementInputs {
            owner: self.owner,
            period: name,
            bounds: [closed.start, closed.end, closed.settle_from]
                .map(|at| instant_text(at).unwrap_or_default()),
            status: if closed.settled {
                StatementStatus::Settled
            } else {
                StatementStatus::Closed
            },
            clients: &closed.draw,
            included: closed.included,
            price: closed.price,
            rule: &closed.rule,
            seed: Some(&closed.seed),
            departed: &self.closed_clients(&closed.draw),
            cents: [self.months.received(name), self.months.credit_before(name)],
        };
        Statement::new(&counts, is_known.then(|| closed.draw.clone()))
    }
}

/// Returns the name of the document of a closed month.
fn document_name(period: &str) -> String {
    format!("statement/{period}")
}
