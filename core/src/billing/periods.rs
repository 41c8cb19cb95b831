//! The billing ledger of one owner: the closed months with their figures and seeds, and the clients
//! disabled for each month.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::draw;
use super::statement::{Statement, StatementInputs, StatementStatus};
use crate::directory::{Change, Directory};
use crate::model::account::DisableReason;
use crate::model::calendar::{Window, instant_text};
use crate::model::catalog::{Catalog, CountedKind as Counted, ExcessOrder};
use crate::model::limit::Limit;
use crate::model::pending_email;
use crate::model::record::Record;
use crate::quota::{self, MeterRequest, QuotaSubject};
use crate::store::{CountOwner, CountTx};
use crate::util::error::Error;

/// The document that lists the months.
const LEDGER_DOCUMENT: &str = "books";

/// The months in an owner's billing ledger.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct BilledMonths {
    /// The closed months, each with its end.
    closed: BTreeMap<String, i64>,
    /// The settled months that are not paid.
    unpaid: BTreeSet<String>,
}

/// A closed month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ClosedMonth {
    start: i64,
    end: i64,
    /// The clients of the month, in the order in which they are disabled.
    draw: Vec<String>,
    /// The creation times of the clients, if they are known and the order needs them.
    created: BTreeMap<String, String>,
    included: Limit,
    price: u64,
    order: ExcessOrder,
    seed: String,
    choice: Vec<String>,
    settled: bool,
    /// The clients disabled for the month.
    disabled: BTreeSet<String>,
}

/// The figures of a month.
struct MonthFigures {
    clients: Vec<String>,
    created: BTreeMap<String, String>,
    included: Limit,
    price: u64,
    order: ExcessOrder,
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
    pub(super) ledger: &'b mut dyn CountTx,
    directory: &'b Directory,
    catalog: &'b Catalog,
    pub(super) owner: &'b str,
    number: u32,
    /// Whether the ledger was written to.
    pub(super) wrote: bool,
}

impl<'b> BillingLedger<'b> {
    /// Opens the billing ledger of an owner.
    ///
    /// # Errors
    /// [`Error::UnknownAccount`]; [`Error::BillsNoClient`] for a client account (B1).
    pub(crate) fn open(
        ledger: &'b mut dyn CountTx,
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
            ledger,
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
        let Some(text) = self.ledger.document(self.owner, name)? else {
            return Ok(None);
        };
        let read = serde_json::from_str(&text);
        read.map(Some).map_err(|found| Error::StoreCorrupt {
            store: "books".to_owned(),
            reason: format!("`{name}`: {found}"),
        })
    }

    fn write(&mut self, name: &str, document: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(document).map_err(|found| Error::Stream {
            reason: found.to_string(),
        })?;
        self.wrote = true;
        self.ledger.write_document(self.owner, name, &text)
    }

    fn months(&mut self) -> Result<BilledMonths, Error> {
        Ok(self.read(LEDGER_DOCUMENT)?.unwrap_or_default())
    }

    fn closed(&mut self, period: &str) -> Result<Option<ClosedMonth>, Error> {
        self.read(&document_name(period))
    }

    /// Returns a month that has begun. Fails with [`Error::Period`] for other names.
    pub(super) fn period(&self, name: &str) -> Result<BillingMonth, Error> {
        let known = self
            .directory
            .calendar(self.number)
            .month(name)
            .filter(|window| window.start <= self.ledger.now());
        let window = known.ok_or_else(|| Error::Period {
            period: crate::util::text::short(name),
        })?;
        Ok(BillingMonth {
            name: name.to_owned(),
            window,
        })
    }

    /// Returns the month that contains an instant.
    fn period_of(&self, at: i64) -> Result<BillingMonth, Error> {
        let (name, window) = self.directory.calendar(self.number).month_of(at)?;
        Ok(BillingMonth { name, window })
    }

    /// Returns the current figures.
    fn numbers(&mut self) -> Result<MonthFigures, Error> {
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
        quota::limit_of(self.ledger, &subject, &line)
    }

    /// Returns the figures of a month that is over. They are those of the first month closed after
    /// it, or else the current figures. This is exact, because a change of clients first closes the
    /// last month.
    fn numbers_of(
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
    fn seed(&mut self, months: &BilledMonths) -> Result<Option<String>, Error> {
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
    fn close(
        &mut self,
        period: &BillingMonth,
        months: &mut BilledMonths,
    ) -> Result<ClosedMonth, Error> {
        if let Some(closed) = self.closed(&period.name)? {
            return Ok(closed);
        }
        let MonthFigures {
            clients,
            created,
            included,
            price,
            order,
        } = self.numbers_of(period, months)?;
        let seed = match self.seed(months)? {
            Some(seed) => seed,
            None => pending_email::token()?,
        };
        let Window { start, end } = period.window;
        let (draw, choice) = (
            draw::order(order, &seed, &clients, &created, &[]),
            Vec::new(),
        );
        let closed = ClosedMonth {
            start,
            end,
            draw,
            created,
            included,
            price,
            order,
            seed,
            choice,
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
        let running = self.period_of(self.ledger.now())?;
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

    /// Returns the cents received for a month.
    pub(super) fn paid_cents(&mut self, period: &str) -> Result<i64, Error> {
        let whose = CountOwner {
            account: self.owner,
            member: None,
        };
        Ok(self
            .ledger
            .current_bucket(whose, &super::payment::payment_line(period))?
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
        let period = self.period_of(self.ledger.now())?;
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
        let over = period.window.end <= self.ledger.now();
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
        let gone = self.closed_clients(&clients);
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
            gone: &gone,
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

    fn of_closed(&self, name: &str, closed: &ClosedMonth, received: i64) -> Statement {
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
            gone: &self.closed_clients(&closed.draw),
            received,
        };
        Statement::new(&counts, is_known.then(|| closed.draw.clone()))
    }

    /// Puts the order of a month into force, once. [`BillingLedger::overage`] returns the resulting
    /// changes of the directory.
    pub(crate) fn settle(&mut self, name: &str, choice: &[String]) -> Result<(), Error> {
        let period = self.period(name)?;
        if period.window.end > self.ledger.now() {
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

/// Returns the name of the document of a closed month.
fn document_name(period: &str) -> String {
    format!("statement/{period}")
}
