//! The billing ledger of one owner: the documents of its months, and the statements from them.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::draw;
use super::month_figures::MonthFigures;
use super::statement::{Statement, StatementInputs, StatementStatus};
use crate::directory::Directory;
use crate::model::calendar::{Window, instant_text};
use crate::model::catalog::{Catalog, ExcessOrder};
use crate::model::limit::Limit;
use crate::store::{CountOwner, CountTx};
use crate::util::error::Error;

/// The document that lists the months.
pub(super) const LEDGER_DOCUMENT: &str = "books";

/// The months in an owner's billing ledger.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct BilledMonths {
    /// The closed months, each with its end.
    pub(super) closed: BTreeMap<String, i64>,
    /// The settled months that are not paid.
    pub(super) unpaid: BTreeSet<String>,
}

/// A closed month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ClosedMonth {
    pub(super) start: i64,
    pub(super) end: i64,
    /// The clients of the month, in the order in which they are disabled.
    pub(super) draw: Vec<String>,
    /// The creation times of the clients, if they are known and the order needs them.
    pub(super) created: BTreeMap<String, String>,
    pub(super) included: Limit,
    pub(super) price: u64,
    pub(super) order: ExcessOrder,
    pub(super) seed: String,
    pub(super) choice: Vec<String>,
    pub(super) settled: bool,
    /// The clients disabled for the month.
    pub(super) disabled: BTreeSet<String>,
}

/// A month of an owner: its name and its window.
#[derive(Debug, Clone)]
pub(super) struct BillingMonth {
    pub(super) name: String,
    pub(super) window: Window,
}

/// The billing ledger of one owner in a count transaction, with the directory as of the transaction
/// or as it will be after it.
pub(crate) struct BillingLedger<'b> {
    pub(super) tx: &'b mut dyn CountTx,
    pub(super) directory: &'b Directory,
    pub(super) catalog: &'b Catalog,
    pub(super) owner: &'b str,
    pub(super) number: u32,
    /// Whether the ledger was written to.
    pub(super) wrote: bool,
}

impl<'b> BillingLedger<'b> {
    /// Opens the billing ledger of an owner.
    ///
    /// # Errors
    /// [`Error::UnknownAccount`]; [`Error::BillsNoClient`] for a client account (B1).
    pub(crate) fn open(
        tx: &'b mut dyn CountTx,
        directory: &'b Directory,
        catalog: &'b Catalog,
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
        Ok(Self {
            tx,
            directory,
            catalog,
            owner,
            number,
            wrote: false,
        })
    }

    /// Returns whether the ledger was written to.
    pub(crate) fn has_changes(&self) -> bool {
        self.wrote
    }

    fn read<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, Error> {
        let Some(text) = self.tx.document(self.owner, name)? else {
            return Ok(None);
        };
        let read = serde_json::from_str(&text);
        read.map(Some).map_err(|error| Error::StoreCorrupt {
            store: "books".to_owned(),
            reason: format!("`{name}`: {error}"),
        })
    }

    pub(super) fn write(&mut self, name: &str, document: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(document).map_err(|error| Error::Stream {
            reason: error.to_string(),
        })?;
        self.wrote = true;
        self.tx.write_document(self.owner, name, &text)
    }

    pub(super) fn months(&mut self) -> Result<BilledMonths, Error> {
        Ok(self.read(LEDGER_DOCUMENT)?.unwrap_or_default())
    }

    pub(super) fn closed(&mut self, period: &str) -> Result<Option<ClosedMonth>, Error> {
        self.read(&document_name(period))
    }

    /// Returns a month that has begun. Fails with [`Error::Period`] for other names.
    pub(super) fn period(&self, name: &str) -> Result<BillingMonth, Error> {
        let known = self
            .directory
            .calendar(self.number)
            .month(name)
            .filter(|window| window.start <= self.tx.now());
        let window = known.ok_or_else(|| Error::Period {
            period: crate::util::text::short(name),
        })?;
        Ok(BillingMonth {
            name: name.to_owned(),
            window,
        })
    }

    /// Returns the month that contains an instant.
    pub(super) fn period_of(&self, at: i64) -> Result<BillingMonth, Error> {
        let (name, window) = self.directory.calendar(self.number).month_of(at)?;
        Ok(BillingMonth { name, window })
    }

    /// Returns the cents received for a month.
    pub(super) fn paid_cents(&mut self, period: &str) -> Result<i64, Error> {
        let count_owner = CountOwner {
            account: self.owner,
            member: None,
        };
        Ok(self
            .tx
            .current_bucket(count_owner, &super::payment::payment_line(period))?
            .map_or(0, |bucket| bucket.used))
    }

    /// Returns the statement of a month.
    pub(crate) fn statement(&mut self, name: &str) -> Result<Statement, Error> {
        let period = self.period(name)?;
        let received = self.paid_cents(name)?;
        self.build_statement(&period, received)
    }

    /// Returns the statement of the current month (B6).
    pub(crate) fn preview(&mut self) -> Result<Statement, Error> {
        let period = self.period_of(self.tx.now())?;
        let received = self.paid_cents(&period.name)?;
        self.build_statement(&period, received)
    }

    pub(super) fn build_statement(
        &mut self,
        period: &BillingMonth,
        received: i64,
    ) -> Result<Statement, Error> {
        if let Some(closed) = self.closed(&period.name)? {
            return Ok(self.of_closed(&period.name, &closed, received));
        }
        let months = self.months()?;
        let over = period.window.end <= self.tx.now();
        let MonthFigures {
            clients,
            created,
            included,
            price,
            order,
        } = if over {
            self.numbers_of(period, &months)?
        } else {
            self.numbers()?
        };
        // Before a month is closed, its order is known only for newest first, or if the random
        // selection reuses the seed of an earlier month.
        let draw = match (order, self.seed(&months)?) {
            (ExcessOrder::NewestFirst, seed) => Some(seed.unwrap_or_default()),
            (ExcessOrder::Random, seed) => seed,
            (ExcessOrder::OwnersChoice, _) => None,
        };
        let draw = draw.map(|seed| draw::order(order, &seed, &clients, &created, &[]));
        let departed = self.closed_clients(&clients);
        let Window { start, end } = period.window;
        let counts = StatementInputs {
            owner: self.owner,
            period: &period.name,
            bounds: [start, end].map(|at| instant_text(at).unwrap_or_default()),
            status: if over {
                StatementStatus::Ended
            } else {
                StatementStatus::Open
            },
            clients: &clients,
            created: &created,
            included,
            price,
            order,
            seed: None,
            choice: &[],
            departed: &departed,
            received,
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

    pub(super) fn of_closed(&self, name: &str, closed: &ClosedMonth, received: i64) -> Statement {
        let is_known = closed.settled || closed.order != ExcessOrder::OwnersChoice;
        let counts = StatementInputs {
            owner: self.owner,
            period: name,
            bounds: [closed.start, closed.end].map(|at| instant_text(at).unwrap_or_default()),
            status: if closed.settled {
                StatementStatus::Settled
            } else {
                StatementStatus::Closed
            },
            clients: &closed.draw,
            created: &closed.created,
            included: closed.included,
            price: closed.price,
            order: closed.order,
            seed: Some(&closed.seed),
            choice: &closed.choice,
            departed: &self.closed_clients(&closed.draw),
            received,
        };
        Statement::new(&counts, is_known.then(|| closed.draw.clone()))
    }
}

/// Returns the name of the document of a closed month.
pub(super) fn document_name(period: &str) -> String {
    format!("statement/{period}")
}
