//! The owner's bill. Statements and payments are `dict`s with the fields of the other languages.

use pyo3::prelude::*;
use sublet::Statement;

use crate::arguments::{self, read_optional_list};
use crate::consume::read_idempotency_key;
use crate::convert::{OptionalPyArg, read_amount, read_object, read_str};
use crate::engine::Engine;
use crate::errors::OrRaise;
use crate::results::to_python_object;
use crate::waiting::wait;

#[pymethods]
impl Engine {
    /// Returns the statement of an owner's month `YYYY-MM`: what the owner owes for excess
    /// clients (B2, B4).
    ///
    /// Raises a `SubletError` with the code `billing.period`, `billing.client` or
    /// `directory.unknown_account`.
    ///
    /// Example:
    ///
    ///     >>> import sublet
    ///     >>> engine = sublet.Engine.open(clock=sublet.ManualClock("2026-02-15T00:00:00Z"))
    ///     >>> acme = {"type": "Account", "id": "acme", "email": "owner@acme.example"}
    ///     >>> put = [{"type": "Platform", "id": "mmio"}, {**acme, "package": "agency"}]
    ///     >>> revision = engine.apply_changes(put)
    ///     >>> statement = engine.statement("acme", "2026-02")
    ///     >>> statement["status"], statement["due_cents"]
    ///     ('open', 0)
    fn statement<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::owner)] owner: &str,
        #[pyo3(from_py_with = arguments::period)] period: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &wait(py, || self.inner.statement(owner, period))?)
    }

    /// Returns the statement of the current month: what will be owed if nothing changes, and
    /// which clients are at risk (B6).
    ///
    /// Raises a `SubletError` with the code `billing.client`, `billing.no_month` or
    /// `directory.unknown_account`.
    fn preview_statement<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::owner)] owner: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &wait(py, || self.inner.preview_statement(owner))?)
    }

    /// Records cents that were received for a month, and returns the payment with the statement
    /// after it. Without a month they are for the oldest month that is not paid. Cents above the
    /// sum due are credit for the next month (B9). In a settled month each full price enables
    /// one client (B4, B5).
    ///
    /// Raises a `SubletError` with the code `billing.period`, `billing.client`, `input.amount`,
    /// `input.idempotency_key` or `quota.idempotency_mismatch`.
    #[pyo3(signature = (owner, period, cents, *, idempotency_key=None))]
    fn record_payment<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::owner)] owner: &str,
        period: OptionalPyArg<'_, '_>,
        cents: &Bound<'_, PyAny>,
        idempotency_key: OptionalPyArg<'_, '_>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let period = period
            .map(|period| read_str("period", period.as_borrowed()))
            .transpose()?;
        let (cents, idempotency_key) =
            (read_amount(cents)?, read_idempotency_key(idempotency_key)?);
        to_python_object(
            py,
            &wait(py, || {
                self.inner
                    .record_payment(owner, period, cents, idempotency_key)
            })?,
        )
    }

    /// Reverses a whole payment, and returns the reversal with the statement after it.
    ///
    /// Raises a `SubletError` with the code `billing.unknown_payment` or
    /// `billing.payment_reversed`.
    #[pyo3(signature = (payment, *, idempotency_key=None))]
    fn reverse_payment<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::payment)] payment: u64,
        idempotency_key: OptionalPyArg<'_, '_>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let idempotency_key = read_idempotency_key(idempotency_key)?;
        to_python_object(
            py,
            &wait(py, || self.inner.reverse_payment(payment, idempotency_key))?,
        )
    }

    /// Closes a month that is over, disables no client, and returns the statement (B8). From
    /// then on it says exactly which clients are disabled for what is not paid.
    ///
    /// Raises a `SubletError` with the code `billing.period`, `billing.period_open`,
    /// `billing.client` or `directory.unknown_account`.
    fn close_month<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::owner)] owner: &str,
        #[pyo3(from_py_with = arguments::period)] period: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &wait(py, || self.inner.close_month(owner, period))?)
    }

    /// Closes the months that are over of the next `limit` owners by id, at most 1,000 of them.
    /// Returns the closed months (B8), and all months of these owners that are neither paid nor
    /// settled. The `next` of the answer is the `after` of the next call, until it is absent.
    /// Each call is one transaction, so it may be repeated.
    ///
    /// Example:
    ///
    ///     >>> import sublet
    ///     >>> engine = sublet.Engine.open()
    ///     >>> engine.close_due(100)
    ///     {'closed': [], 'unsettled': [], 'next': None}
    #[pyo3(signature = (limit, *, after=None))]
    fn close_due<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::limit)] limit: usize,
        after: OptionalPyArg<'_, '_>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let after = after
            .map(|after| read_str("after", after.as_borrowed()))
            .transpose()?;
        to_python_object(py, &wait(py, || self.inner.close_due(limit, after))?)
    }

    /// Closes a month that is over, enforces its draw once, and returns the statement (B3, B4,
    /// B5). This is possible after the days of grace. `choice` names the clients that are
    /// disabled first, if the catalog leaves that to the owner.
    ///
    /// Raises a `SubletError` with the code `billing.period`, `billing.period_open`,
    /// `billing.grace`, `billing.choice` or `billing.client`.
    #[pyo3(signature = (owner, period, *, choice=None))]
    fn settle_overage<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::owner)] owner: &str,
        #[pyo3(from_py_with = arguments::period)] period: &str,
        choice: OptionalPyArg<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let choice = read_optional_list("choice", choice)?;
        let choice = choice
            .iter()
            .map(|id| read_str("choice", id.as_borrowed()).map(str::to_owned))
            .collect::<PyResult<Vec<_>>>()?;
        to_python_object(
            py,
            &wait(py, || self.inner.settle_overage(owner, period, &choice))?,
        )
    }

    /// Returns whether the sums and the draw of a statement are right, from the statement alone
    /// (B5).
    #[staticmethod]
    fn verify_draw(statement: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(sublet::verify_draw(
            &Statement::from_value(read_object("statement", statement)?.into()).or_raise()?,
        ))
    }
}
