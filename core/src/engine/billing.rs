//! The methods about the owner's bill: statements, payments and the draw of clients (B2 to B12).

use std::collections::BTreeSet;

use super::books::lock_with_store;
use super::quota_request::idempotency_digest;
use super::{Engine, Snapshot};
use crate::billing::{
    BillingLedger, ClosingProgress, FigureHistory, Payment, STORE_ACCOUNT, Statement,
};
use crate::store::{self, TxOutcome};
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
    /// A month is closed with the figures of its last instant by the first change of the owner's
    /// figures after its end: by a command, [`Engine::apply_changes`], an import or a top-up. Price
    /// and included number are kept with the instant from which they hold (B8). Months before the
    /// store first had the owner do not exist.
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
    /// let payment = engine.record_payment("acme", Some("2026-10"), 1_000, Some("bank/17"))?;
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
    /// Fails with the same errors as [`Engine::statement`], and with [`Error::NoMonth`] for a closed
    /// account (B10).
    pub fn preview_statement(&self, owner: &str) -> Result<Statement, Error> {
        self.count_error(
            "preview_statement",
            self.read_billing(owner, &|books| books.preview()),
        )
    }

    /// Records that `cents` were received for a month, as a full or a partial payment. Without a
    /// `period` they are for the oldest month that is not paid. Cents above the sum due are credit
    /// for the owner's next month (B9).
    ///
    /// In a settled month each full price enables one client (B4, B5). The payment survives a loss
    /// of power, and a retry with the same `idempotency_key` records nothing.
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::statement`], with [`Error::Amount`] for less than one
    /// cent, and with the codes of keys.
    pub fn record_payment(
        &self,
        owner: &str,
        period: Option<&str>,
        cents: i64,
        idempotency_key: Option<&str>,
    ) -> Result<Payment, Error> {
        self.record_payment_tx(
            "record_payment",
            owner,
            [owner, period.unwrap_or_default(), &cents.to_string()],
            idempotency_key,
            None,
            &|books, idempotency_key| books.pay(period, cents, idempotency_key),
        )
    }

    /// Reverses a whole payment, such as one that the bank returned. In a settled month the clients
    /// that it had enabled are disabled again. Credit that it left for later months is taken back
    /// (B9).
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

    /// Closes a month that is over, without disabling a client (B8). Fixes its figures, its seed and
    /// its order, and those of the months before it. From then on the statement says exactly which
    /// clients are disabled for what is not paid. A second call changes nothing.
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::statement`], with [`Error::PeriodOpen`], and with
    /// `internal.random` if the operating system gives no seed.
    pub fn close_month(&self, owner: &str, period: &str) -> Result<Statement, Error> {
        self.write_billing("close_month", owner, |books| books.close_month(period))
    }

    /// Closes the months that are over of the next `limit` owners, in the order of their ids. Begins
    /// after the id `after`. A scheduler calls it until `next` is `None`.
    ///
    /// A month is in `closed` once, and not if another method closed it. It is in `unsettled` of
    /// each call until it is paid or settled. So a scheduler that warns and settles by `unsettled`
    /// misses no month, even if it was killed.
    ///
    /// Each call is one transaction, so it may be repeated after any failure. `limit` is at least 1
    /// and at most 1,000; other values count as the nearest of these.
    ///
    /// # Errors
    /// Fails with the codes of the store, and with `internal.random` if the operating system gives
    /// no seed.
    ///
    /// # Example: all owners, in pages
    /// ```
    /// use sublet::{Engine, Options};
    /// let engine = Engine::open(Options::default())?;
    /// let mut after = None;
    /// loop {
    ///     let page = engine.close_due(100, after.as_deref())?;
    ///     for month in &page.unsettled {
    ///         println!("{} owes {} cents for {}", month.owner, month.due_cents, month.period);
    ///     }
    ///     after = page.next;
    ///     if after.is_none() {
    ///         break;
    ///     }
    /// }
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn close_due(&self, limit: usize, after: Option<&str>) -> Result<ClosingProgress, Error> {
        const VERB: &str = "close_due";
        let closed = catch_panic(|| {
            self.transact(
                VERB,
                |state| Ok(lock_with_store(state.owners_after(limit, after).0)),
                |state, tx| {
                    let (owners, next) = state.owners_after(limit, after);
                    let (closed, history) = state.close_books(tx, &owners)?;
                    let progress = ClosingProgress {
                        closed,
                        unsettled: state.find_unsettled(tx, &history, &owners)?,
                        next,
                    };
                    Ok((progress, None, TxOutcome::Commit))
                },
            )
        });
        let (progress, _) = self.count_error(VERB, closed)?;
        self.emit_closings(VERB, &progress.closed);
        Ok(progress)
    }

    /// Closes a month that is over, and enforces its draw, after the days of grace. Disables for overage exactly as many
    /// clients as are neither included, nor paid for, nor gone (B3, B4, B5). A second call changes
    /// nothing. A call that is killed has done all or nothing.
    ///
    /// `choice` names the clients to disable first, if the catalog's `excess_order` leaves that to
    /// the owner. Otherwise it is empty.
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::statement`], with [`Error::PeriodOpen`],
    /// [`Error::Grace`] and [`Error::ExcessChoice`], and with `internal.random` if the operating
    /// system gives no seed.
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
                // The figures of the past are only added to, so two views are as good as one.
                let history =
                    store::view(&*state.store, STORE_ACCOUNT, |tx| state.figure_history(tx))?;
                let found = store::view(&*state.store, owner, |tx| {
                    read(&mut state.billing_ledger(&state.directory, tx, &history, owner)?)
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
                |_| Ok(lock_with_store(vec![owner.to_owned()])),
                |state, tx| {
                    let history = state.figure_history(tx)?;
                    let mut books = state.billing_ledger(&state.directory, tx, &history, owner)?;
                    let answer = write(&mut books)?;
                    if !books.has_changes() {
                        return Ok(((answer, Vec::new()), None, TxOutcome::Rollback));
                    }
                    let changes = books.overage(&BTreeSet::new())?;
                    let closings = books.into_closings();
                    let answer = (answer, closings);
                    Ok((answer, state.changed(changes)?, TxOutcome::Commit))
                },
            )
        });
        let ((answer, closings), changed) = self.count_error(verb, booked)?;
        self.emit_closings(verb, &closings);
        self.emit_change(verb, changed.as_ref());
        Ok(answer)
    }

    /// Records the billing figures of a bundle that this process opened or reloaded, with the
    /// present instant, unless they are those that hold already (B8).
    ///
    /// A store that never had a directory has no owner to bill. Its first change records them.
    pub(super) fn record_figures(state: &Snapshot) -> Result<(), Error> {
        let Ok(bundle) = state.tenancy("reload") else {
            return Ok(());
        };
        if state.directory.revision() == 0 {
            return Ok(());
        }
        let is_known = store::view(&*state.store, STORE_ACCOUNT, |tx| {
            let now = tx.now();
            let known = FigureHistory::read(tx)?;
            Ok(known.is_some_and(|mut known| !known.add_catalog(&bundle.catalog, now)))
        })?;
        if is_known {
            return Ok(());
        }
        let durability = store::Durability::Power;
        store::transaction(&*state.store, &[STORE_ACCOUNT], durability, |tx| {
            let now = tx.now();
            let mut history = state.figure_history(tx)?;
            history.add_catalog(&bundle.catalog, now);
            history.write(tx)?;
            Ok(((), TxOutcome::Commit))
        })
    }
}
