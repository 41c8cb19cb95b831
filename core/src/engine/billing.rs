//! The owner's bill: statements, payments and the draw of clients (B2 to B7).

use super::quota_request::idempotency_digest;
use super::sync::NewSnapshot;
use super::{Engine, Snapshot};
use crate::billing::{BillingLedger, Payment, Statement};
use crate::directory::{Change, Directory};
use crate::model::record::Record;
use crate::store::{self, CountTx, TxOutcome};
use crate::util::error::Error;
use crate::util::panic::catch_panic;

/// Writes an entry to an owner's billing ledger, once for its key.
type PaymentTx<'e> =
    &'e dyn Fn(&mut BillingLedger<'_>, Option<(&str, [u8; 32])>) -> Result<Payment, Error>;

impl Engine {
    /// Returns the amount that an owner owes in one month, `YYYY-MM`, for client accounts over the
    /// package's number (B2, B4). For the running month it is the present amount, otherwise the
    /// amount at the month's last instant.
    ///
    /// The commands of [`Engine::perform`] record the number of clients at the last instant. The
    /// first command after the end that changes the number closes the month. Records that the host
    /// puts count from the time of the put.
    ///
    /// # Errors
    /// Fails with [`Error::Period`], with [`Error::BillsNoClient`] for a client account (B1), with
    /// `directory.unknown_account`, and with the codes of the store.
    ///
    /// # Example: thirteen clients on a package of ten
    /// ```
    /// use sublet::{Clock, Engine, Limit, ManualClock, Options, StatementStatus};
    /// let clock = ManualClock::new("2026-10-31T12:00:00Z")?;
    /// let engine = Engine::open(Options { clock: Clock::Manual(clock.clone()), ..Options::default() })?;
    /// let mut lines = r#"{"type": "Account", "id": "acme", "email": "o@acme.example", "package": "agency", "confirmed": true}"#.to_owned();
    /// for id in 0..13 {
    ///     lines += &format!("\n{{\"type\": \"Account\", \"id\": \"c{id}\", \"email\": \"c{id}@c.example\", \"owner\": \"acme\", \"confirmed\": true}}");
    /// }
    /// engine.import(lines.as_bytes(), None, None)?;
    /// let preview = engine.preview_statement("acme")?;
    /// assert_eq!((preview.excess, preview.due_cents, preview.included), (3, 1_500, Limit::Number(10)));
    ///
    /// clock.set("2026-11-01T00:00:00Z")?;
    /// let settled = engine.settle_overage("acme", "2026-10", &[])?;
    /// assert_eq!((settled.status, settled.disabled.len()), (StatementStatus::Settled, 3));
    /// assert!(sublet::verify_draw(&settled));
    /// let payment = engine.record_payment("acme", "2026-10", 1_000, Some("bank/17"))?;
    /// assert_eq!(payment.statement.disabled.len(), 1);
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn statement(&self, owner: &str, period: &str) -> Result<Statement, Error> {
        self.count_error(
            "statement",
            self.read_billing(owner, &|books| books.statement(period)),
        )
    }

    /// Returns the statement of the running month: the amount that will be owed if nothing changes,
    /// and the clients at risk (B6).
    ///
    /// # Errors
    /// Fails with the same errors as [`Engine::statement`].
    pub fn preview_statement(&self, owner: &str) -> Result<Statement, Error> {
        self.count_error(
            "preview_statement",
            self.read_billing(owner, &|books| books.preview()),
        )
    }

    /// Records that `cents` were received for a month, as a full or a partial payment. In a settled
    /// month each full price enables one client (B4, B5). The payment survives a loss of power, and
    /// a retry with the same `idempotency_key` records nothing.
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::statement`], with [`Error::Amount`] for less than one
    /// cent, and with the codes of keys.
    pub fn record_payment(
        &self,
        owner: &str,
        period: &str,
        cents: i64,
        idempotency_key: Option<&str>,
    ) -> Result<Payment, Error> {
        self.record_payment_tx(
            "record_payment",
            owner,
            [owner, period, &cents.to_string()],
            idempotency_key,
            None,
            &|books, idempotency_key| books.pay(period, cents, idempotency_key),
        )
    }

    /// Reverses a whole payment, such as one that the bank returned. In a settled month the clients
    /// that it had enabled are disabled again.
    ///
    /// # Errors
    /// Fails with [`Error::UnknownPayment`], [`Error::PaymentReversed`], and the codes of keys and
    /// of the store.
    pub fn reverse_payment(
        &self,
        payment: u64,
        idempotency_key: Option<&str>,
    ) -> Result<Payment, Error> {
        const VERB: &str = "reverse_payment";
        let owner = self.count_error(
            VERB,
            catch_panic(|| {
                self.current()?
                    .store
                    .account_of(payment)?
                    .ok_or(Error::UnknownPayment { payment })
            }),
        )?;
        self.record_payment_tx(
            VERB,
            &owner,
            [&owner, &payment.to_string(), ""],
            idempotency_key,
            Some(payment),
            &|books, idempotency_key| books.reverse(payment, idempotency_key),
        )
    }

    /// Closes a month that is over, and enforces its draw. Disables for overage exactly as many
    /// clients as are neither included, nor paid for, nor gone (B3, B4, B5). A second call changes
    /// nothing. A call that is killed has done all or nothing.
    ///
    /// `choice` names the clients to disable first, if the catalog's `excess_order` leaves that to
    /// the owner. Otherwise it is empty.
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::statement`], with [`Error::PeriodOpen`] and
    /// [`Error::ExcessChoice`], and with `internal.random` if the operating system gives no seed.
    pub fn settle_overage(
        &self,
        owner: &str,
        period: &str,
        choice: &[String],
    ) -> Result<Statement, Error> {
        self.write_billing("settle_overage", owner, |books| {
            books.settle(period, choice)?;
            books.statement(period)
        })
    }

    fn read_billing(
        &self,
        owner: &str,
        read: &dyn Fn(&mut BillingLedger<'_>) -> Result<Statement, Error>,
    ) -> Result<Statement, Error> {
        catch_panic(|| {
            self.retry_on_new_snapshot(|state| {
                let found = store::view(&*state.store, owner, |tx| {
                    read(&mut state.billing_ledger(&state.directory, tx, owner)?)
                })?;
                Ok(Some(found).filter(|_| self.is_latest(state)))
            })
        })
    }

    fn record_payment_tx(
        &self,
        verb: &'static str,
        owner: &str,
        texts: [&str; 3],
        idempotency_key: Option<&str>,
        parent: Option<u64>,
        enter: PaymentTx<'_>,
    ) -> Result<Payment, Error> {
        let idempotency_key = self.count_error(
            verb,
            idempotency_digest(idempotency_key, std::iter::once(verb).chain(texts)),
        )?;
        let payment = self.write_billing(verb, owner, |books| enter(books, idempotency_key))?;
        self.emit_payment(verb, parent, &payment);
        Ok(payment)
    }

    /// Writes to an owner's billing ledger, and changes the directory accordingly, in one
    /// transaction.
    fn write_billing<T>(
        &self,
        verb: &'static str,
        owner: &str,
        write: impl Fn(&mut BillingLedger<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let booked = catch_panic(|| {
            self.transact(
                verb,
                |_| Ok(vec![owner.to_owned()]),
                |state, tx| {
                    let mut books = state.billing_ledger(&state.directory, tx, owner)?;
                    let answer = write(&mut books)?;
                    if !books.has_changes() {
                        return Ok((answer, None, TxOutcome::Rollback));
                    }
                    let changes = books.overage()?;
                    Ok((answer, state.changed(changes)?, TxOutcome::Commit))
                },
            )
        });
        let (answer, changed) = self.count_error(verb, booked)?;
        self.emit_change(verb, changed.as_ref());
        Ok(answer)
    }
}

impl Snapshot {
    pub(super) fn billing_ledger<'b>(
        &'b self,
        directory: &'b Directory,
        tx: &'b mut dyn CountTx,
        owner: &'b str,
    ) -> Result<BillingLedger<'b>, Error> {
        BillingLedger::open(tx, directory, &self.tenancy("statement")?.catalog, owner)
    }

    /// Returns the snapshot after these changes, or `None` if there are none.
    fn changed(&self, changes: Vec<Change>) -> Result<Option<NewSnapshot>, Error> {
        if changes.is_empty() {
            return Ok(None);
        }
        let bundle = self.tenancy("settle_overage")?;
        let references = self.directory.references(&changes);
        Ok(Some((
            self.with_directory(
                self.directory
                    .apply(changes, &bundle.catalog, bundle, None)?,
            )?,
            Some(references),
        )))
    }

    /// Closes the past months of the billed accounts, before their clients change.
    pub(super) fn close_books(
        &self,
        tx: &mut dyn CountTx,
        accounts: &[String],
    ) -> Result<(), Error> {
        accounts
            .iter()
            .filter(|account| self.is_billed(account))
            .try_for_each(|account| {
                self.billing_ledger(&self.directory, tx, account)?
                    .close_last()
            })
    }

    /// Returns the changes together with the resulting changes of clients that are disabled for
    /// overage, or `None` if there are none. A client that is closed or leaves its owner enables
    /// another.
    pub(super) fn with_overage(
        &self,
        tx: &mut dyn CountTx,
        changes: &[Change],
        after: &Directory,
        accounts: &[String],
    ) -> Result<Option<Vec<Change>>, Error> {
        let mut more = Vec::new();
        for account in accounts.iter().filter(|account| {
            self.is_billed(account) && self.changes_client_access(account, changes)
        }) {
            more.extend(self.billing_ledger(after, tx, account)?.overage()?);
        }
        if more.is_empty() {
            return Ok(None);
        }
        let is_put_again = |change: &Change| {
            match change {
            Change::Put(Record::Account(before)) => more.iter().any(|change| matches!(change, Change::Put(Record::Account(after)) if after.id == before.id)),
            _ => false,
        }
        };
        let mut all: Vec<Change> = changes
            .iter()
            .filter(|change| !is_put_again(change))
            .cloned()
            .collect();
        all.extend(more);
        Ok(Some(all))
    }

    /// Returns whether an existing client leaves the owner or comes back. A new client belongs to
    /// no closed month yet.
    fn changes_client_access(&self, owner: &str, changes: &[Change]) -> bool {
        let Some(number) = self.directory.account_number(owner) else {
            return false;
        };
        changes.iter().any(|change| match change {
            Change::Put(Record::Account(after)) => {
                let is_client = after.owner() == Some(owner) && !after.is_closed();
                self.directory.account_number(after.id()).is_some()
                    && self.directory.has_client(number, after.id()) != is_client
            }
            _ => false,
        })
    }

    fn is_billed(&self, account: &str) -> bool {
        self.directory.account_number(account).is_some()
            && self.directory.owner_of(account).is_none()
    }
}
