//! The books of one owner: which months are closed, with which numbers and seed, and who is
//! disabled for which.

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

/// The document that says which months there are.
const LEDGER_DOCUMENT: &str = "books";

/// Which months of an owner there are.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct BilledMonths {
    /// Those that are closed, and where each ended.
    closed: BTreeMap<String, i64>,
    /// Those that are settled, and not paid.
    unpaid: BTreeSet<String>,
}

/// A month that is closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ClosedMonth {
    start: i64,
    end: i64,
    /// Its clients in the order in which they are disabled.
    draw: Vec<String>,
    /// When they were created, where it is known and matters.
    created: BTreeMap<String, String>,
    included: Limit,
    price: u64,
    order: ExcessOrder,
    seed: String,
    choice: Vec<String>,
    settled: bool,
    /// Who is disabled for it.
    disabled: BTreeSet<String>,
}

/// The numbers of a month.
struct MonthFigures {
    clients: Vec<String>,
    created: BTreeMap<String, String>,
    included: Limit,
    price: u64,
    order: ExcessOrder,
}

/// A month of an owner: its name, and its time.
#[derive(Debug, Clone)]
pub(super) struct BillingMonth {
    pub(super) name: String,
    pub(super) window: Window,
}

/// An owner's books in one transaction, with the directory as it is, or is to be, in it.
pub(crate) struct BillingLedger<'b> {
    pub(super) ledger: &'b mut dyn CountTx,
    directory: &'b Directory,
    catalog: &'b Catalog,
    pub(super) owner: &'b str,
    number: u32,
    /// Whether something was written.
    pub(super) wrote: bool,
}

impl<'b> BillingLedger<'b> {
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

    /// Whether something was written.
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

    /// A month that has begun.
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

    /// The month of an instant.
    fn period_of(&self, at: i64) -> Result<BillingMonth, Error> {
        let (name, window) = self.directory.calendar(self.number).month_of(at)?;
        Ok(BillingMonth { name, window })
    }

    /// The numbers as they are now.
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

    /// How many clients the package includes: the limit of the stock that is the number of clients.
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

    /// The numbers of a month that is over: since no change of clients passes by an open month,
    /// those of the first month that was closed after it; else as they are now.
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

    /// The seed that a month takes over, if it does: that of the last that is unpaid.
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

    /// Fixes the numbers and the seed of a month that is over.
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

    /// Closes the last month that is over, before the first change after its end.
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

    /// How much was received for a month.
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

    /// The statement of a month.
    pub(crate) fn statement(&mut self, name: &str) -> Result<Statement, Error> {
        let period = self.period(name)?;
        let received = self.paid_cents(name)?;
        self.build_statement(&period, received)
    }

    /// The statement of the month that runs (B6).
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
        // Before the draw its order is known where none decides, or where it goes on from an
        // earlier month.
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

    /// Those that are closed, or another owner's.
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

    /// Puts the draw of a month in force: once. What it changes in the directory,
    /// [`BillingLedger::overage`] says.
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

    /// Looks at a settled month again, of which a payment was received or reversed.
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

    /// Who is to be disabled for overage from now on, and who no more: of the clients of months
    /// that are settled and were not paid until now. What else disables a client stays.
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

    /// The owner's client with that reason, or without it, unless it is so.
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

/// The document of a closed month.
fn document_name(period: &str) -> String {
    format!("statement/{period}")
}
