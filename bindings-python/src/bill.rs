//! The owner's bill: statements and payments are `dict`s, the same JSON as in the other languages.

use pyo3::prelude::*;
use sublet::Statement;

use crate::Engine;
use crate::answers::plain;
use crate::arguments::{self, entries};
use crate::count::{Given, key};
use crate::errors::OrRaise;
use crate::values::{amount, object, text};
use crate::waiting::wait;

#[pymethods]
impl Engine {
    /// What an owner owes for one of his months.
    fn statement<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::owner)] owner: &str,
        #[pyo3(from_py_with = arguments::period)] period: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        plain(py, &wait(py, || self.inner.statement(owner, period))?)
    }

    /// The statement of the month that runs.
    fn preview<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::owner)] owner: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        plain(py, &wait(py, || self.inner.preview(owner))?)
    }

    /// Records that so many cents were received for a month.
    #[pyo3(signature = (owner, period, cents, *, key=None))]
    fn record_payment<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::owner)] owner: &str,
        #[pyo3(from_py_with = arguments::period)] period: &str,
        cents: &Bound<'_, PyAny>,
        key: Given<'_, '_>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (cents, key) = (amount(cents)?, self::key(key)?);
        plain(
            py,
            &wait(py, || self.inner.record_payment(owner, period, cents, key))?,
        )
    }

    /// Takes a payment back, whole.
    #[pyo3(signature = (payment, *, key=None))]
    fn reverse_payment<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::payment)] payment: u64,
        key: Given<'_, '_>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let key = self::key(key)?;
        plain(py, &wait(py, || self.inner.reverse_payment(payment, key))?)
    }

    /// Closes a month that is over, and puts its draw in force.
    #[pyo3(signature = (owner, period, *, choice=None))]
    fn settle<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::owner)] owner: &str,
        #[pyo3(from_py_with = arguments::period)] period: &str,
        choice: Given<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let choice = choice.map_or_else(|| Ok(Vec::new()), |ids| entries("choice", ids))?;
        let choice = choice
            .iter()
            .map(|id| text("choice", id.as_borrowed()).map(str::to_owned))
            .collect::<PyResult<Vec<_>>>()?;
        plain(py, &wait(py, || self.inner.settle(owner, period, &choice))?)
    }

    /// Whether a statement's sums and draw are right: from the statement alone.
    #[staticmethod]
    fn verify_draw(statement: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(sublet::verify_draw(
            &Statement::from_value(object("statement", statement)?.into()).or_raise()?,
        ))
    }
}
