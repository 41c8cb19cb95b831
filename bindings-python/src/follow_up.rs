//! Methods that follow up an operation or correct a count. They check no policy, and return a
//! receipt.

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use sublet::Error;

use crate::arguments;
use crate::consume::{read_idempotency_key, read_optional_amount};
use crate::convert::{OptionalPyArg, read_amount, read_str};
use crate::engine::Engine;
use crate::results::{to_python_object, to_quota_tuple};
use crate::waiting::wait_if;

/// The receipt of a method that checks no policy.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct CountReceipt(pub(crate) sublet::CountReceipt);

#[pymethods]
impl CountReceipt {
    /// Each changed meter after the call.
    #[getter]
    fn quota<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        to_quota_tuple(py, &self.0.quota)
    }

    /// The recorded operation, or `None`.
    #[getter]
    fn operation(&self) -> Option<u64> {
        self.0.operation
    }

    /// Whether it is the receipt of an earlier call with the same key (Q7).
    #[getter]
    fn replayed(&self) -> bool {
        self.0.replayed
    }

    /// Returns the fields as a `dict`, with the names of the other languages.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &self.0)
    }

    fn __repr__(&self) -> String {
        format!(
            "CountReceipt(operation={:?}, replayed={})",
            self.0.operation,
            if self.0.replayed { "True" } else { "False" }
        )
    }
}

/// A method of the engine that follows up an operation.
type FollowUpMethod =
    fn(&sublet::Engine, u64, Option<i64>, Option<&str>) -> Result<sublet::CountReceipt, Error>;

impl Engine {
    fn follow_up(
        &self,
        py: Python<'_>,
        method: FollowUpMethod,
        (operation, amount, key): (u64, OptionalPyArg<'_, '_>, OptionalPyArg<'_, '_>),
    ) -> PyResult<CountReceipt> {
        let (amount, key) = (read_optional_amount(amount)?, read_idempotency_key(key)?);
        wait_if(py, self.files, || {
            method(&self.inner, operation, amount, key)
        })
        .map(CountReceipt)
    }
}

#[pymethods]
impl Engine {
    /// Consumes what a reservation holds, or `amount` of each of its meters, and gives back the
    /// rest; returns the receipt. A second call returns the first receipt (Q8).
    ///
    /// Raises a `SubletError` with the code `quota.unknown_operation`,
    /// `quota.not_a_reservation`, `quota.reservation_expired`, `quota.reservation_closed` or
    /// `quota.commit_too_much`.
    #[pyo3(signature = (operation, amount=None, *, idempotency_key=None))]
    fn commit(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::operation)] operation: u64,
        amount: OptionalPyArg<'_, '_>,
        idempotency_key: OptionalPyArg<'_, '_>,
    ) -> PyResult<CountReceipt> {
        self.follow_up(
            py,
            sublet::Engine::commit,
            (operation, amount, idempotency_key),
        )
    }

    /// Gives back what a reservation holds, and returns the receipt (Q8).
    ///
    /// Raises a `SubletError` with the code `quota.unknown_operation`, `quota.not_a_reservation`
    /// or `quota.reservation_closed`.
    #[pyo3(signature = (operation, *, idempotency_key=None))]
    fn release(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::operation)] operation: u64,
        idempotency_key: OptionalPyArg<'_, '_>,
    ) -> PyResult<CountReceipt> {
        let idempotency_key = read_idempotency_key(idempotency_key)?;
        wait_if(py, self.files, || {
            self.inner.release(operation, idempotency_key)
        })
        .map(CountReceipt)
    }

    /// Gives back what an operation consumed, or `amount` of each meter, in the window of the
    /// operation; returns the receipt. Never gives back more than was consumed. For a top-up,
    /// takes back what it added.
    ///
    /// Raises a `SubletError` with the code `quota.unknown_operation`, `quota.not_refundable` or
    /// `quota.refund_too_much`.
    #[pyo3(signature = (operation, amount=None, *, idempotency_key=None))]
    fn refund(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::operation)] operation: u64,
        amount: OptionalPyArg<'_, '_>,
        idempotency_key: OptionalPyArg<'_, '_>,
    ) -> PyResult<CountReceipt> {
        self.follow_up(
            py,
            sublet::Engine::refund,
            (operation, amount, idempotency_key),
        )
    }

    /// Adds to the limit of an account's meter for the current window, or without end for a
    /// stock; returns the receipt.
    ///
    /// Raises a `SubletError` with the code `directory.unknown_account`, `quota.unknown_meter`,
    /// `input.amount` or `input.idempotency_key`.
    #[pyo3(signature = (account, meter, amount, *, idempotency_key=None))]
    fn top_up(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::account)] account: &str,
        #[pyo3(from_py_with = arguments::meter)] meter: &str,
        amount: &Bound<'_, PyAny>,
        idempotency_key: OptionalPyArg<'_, '_>,
    ) -> PyResult<CountReceipt> {
        let (amount, idempotency_key) =
            (read_amount(amount)?, read_idempotency_key(idempotency_key)?);
        wait_if(py, self.files, || {
            self.inner.top_up(account, meter, amount, idempotency_key)
        })
        .map(CountReceipt)
    }

    /// Takes back what the top-up with this key added, for example after a chargeback; returns
    /// the receipt.
    ///
    /// The limit falls at once, and the usage stays. A second call changes nothing and is
    /// `replayed`. A top-up without a key is taken back with `refund` of its operation (B14).
    ///
    /// Raises a `SubletError` with the code `quota.unknown_top_up`,
    /// `quota.idempotency_key_pruned` or `directory.unknown_account`.
    fn revoke_top_up(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::account)] account: &str,
        idempotency_key: &Bound<'_, PyAny>,
    ) -> PyResult<CountReceipt> {
        let idempotency_key = read_str("idempotency_key", idempotency_key.as_borrowed())?;
        wait_if(py, self.files, || {
            self.inner.revoke_top_up(account, idempotency_key)
        })
        .map(CountReceipt)
    }

    /// Adds the usage of this window from before Sublet counted, of an account or of a member;
    /// returns the receipt. No limit is checked.
    ///
    /// Raises a `SubletError` with the code `directory.unknown_account`, `quota.unknown_meter`,
    /// `input.amount` or `input.idempotency_key`.
    #[pyo3(signature = (account, meter, amount, *, member=None, idempotency_key=None))]
    fn carry_over(
        &self,
        py: Python<'_>,
        #[pyo3(from_py_with = arguments::account)] account: &str,
        #[pyo3(from_py_with = arguments::meter)] meter: &str,
        amount: &Bound<'_, PyAny>,
        #[pyo3(from_py_with = arguments::member)] member: Option<&str>,
        idempotency_key: OptionalPyArg<'_, '_>,
    ) -> PyResult<CountReceipt> {
        let (amount, idempotency_key) =
            (read_amount(amount)?, read_idempotency_key(idempotency_key)?);
        wait_if(py, self.files, || {
            self.inner
                .carry_over(account, member, meter, amount, idempotency_key)
        })
        .map(CountReceipt)
    }
}
