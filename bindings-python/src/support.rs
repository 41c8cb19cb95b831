//! Members whose names begin with an underscore. They are no part of the public interface: the
//! package's own Python modules, its tests and its benchmark need them, and any version may change
//! them. The classes `_Call` and `_EventQueue` are of this kind too, and stand beside their
//! subjects.

use std::time::Duration;

use pyo3::prelude::*;

use crate::engine::Engine;
use crate::errors::OrRaise;
use crate::methods::request_methods;
use crate::waiting::wait_in_slices;

/// Time that the end of the interpreter waits for all logs together.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

/// Closes every log and returns whether all events were delivered. A second Ctrl-C ends the wait.
#[pyfunction]
pub(crate) fn _close_logs(py: Python<'_>) -> PyResult<bool> {
    wait_in_slices(py, EXIT_TIMEOUT, sublet::_close_all_logs)
}

/// Reports an exception of a callback with `sys.unraisablehook`.
#[pyfunction]
pub(crate) fn _show(error: &Bound<'_, PyAny>, callback: &Bound<'_, PyAny>) {
    PyErr::from_value(error.clone()).write_unraisable(error.py(), Some(callback));
}

#[pymethods]
impl Engine {
    /// Panics in the core: the tests check that Python gets an exception.
    fn _panic(&self) -> PyResult<()> {
        self.inner._panic().or_raise()
    }
}

request_methods! {
#[pymethods]
impl Engine {
    /// The baseline of the benchmark: takes the arguments of `check` and does nothing.
    fn _empty(
        &self, py, principal, action, resource, *, [amount], ..environment
    ) -> PyResult<bool> {
        let _ = (self, py, principal, action, resource, amount, environment);
        Ok(false)
    }
}
}
