//! Methods about the counters: usage, history, verification and the clock of the store.

use pyo3::prelude::*;

use crate::arguments;
use crate::engine::Engine;
use crate::results::to_python_object;
use crate::waiting::wait;

#[pymethods]
impl Engine {
    /// Returns the quota of every meter of an account, or of one meter; with the part of a named
    /// member (Q11).
    ///
    /// Raises a `SubletError` with the code `directory.unknown_account`,
    /// `directory.unknown_record` or `quota.unknown_meter`.
    #[pyo3(signature = (account, *, member=None, meter=None))]
    fn usage<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::account)] account: &str,
        #[pyo3(from_py_with = arguments::member)] member: Option<&str>,
        #[pyo3(from_py_with = arguments::optional_meter)] meter: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &wait(py, || self.inner.usage(account, member, meter))?)
    }

    /// Returns the operations on an account's counts, the newest first: at most `limit` (100),
    /// older than the operation `before`.
    #[pyo3(signature = (account, *, before=None, limit=100))]
    fn history<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = arguments::account)] account: &str,
        #[pyo3(from_py_with = arguments::before)] before: Option<u64>,
        #[pyo3(from_py_with = arguments::limit)] limit: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(
            py,
            &wait(py, || self.inner.history(account, before, limit))?,
        )
    }

    /// Compares every count with the sum of its operations, and returns the result. Its `faults`
    /// are empty if all agree.
    fn verify<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &wait(py, || self.inner.verify())?)
    }

    /// Clears every count and key of a store in memory, and the latest recorded instant. It is
    /// for tests, between two cases.
    fn reset_counts(&self, py: Python<'_>) -> PyResult<()> {
        wait(py, || self.inner.reset_counts())
    }

    /// Accepts the clock after `store.clock_jump`: as much time has passed as the clock says.
    fn accept_clock(&self, py: Python<'_>) -> PyResult<()> {
        wait(py, || self.inner.accept_clock())
    }
}
