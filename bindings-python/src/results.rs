//! Results as frozen Python objects.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use serde::Serialize;

use crate::convert::to_python;

fn texts<'py>(py: Python<'py>, words: &[Arc<str>]) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, words.iter().map(AsRef::as_ref).collect::<Vec<&str>>())
}

fn pair<'py>(
    py: Python<'py>,
    reference: Option<&sublet::EntityRef>,
) -> PyResult<Option<Bound<'py, PyTuple>>> {
    reference
        .map(|found| PyTuple::new(py, [found.kind(), found.id()]))
        .transpose()
}

/// Converts a result to `dict`s, lists and strings, with the field names of the other languages.
pub(crate) fn to_python_object<'py>(
    py: Python<'py>,
    answer: &impl Serialize,
) -> PyResult<Bound<'py, PyAny>> {
    to_python(py, &serde_json::to_value(answer).unwrap_or_default())
}

/// A decision. `bool(decision)` is the allow bit.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Decision(pub(crate) sublet::Decision);

#[pymethods]
impl Decision {
    /// Whether the request is allowed.
    #[getter]
    fn allowed(&self) -> bool {
        self.0.allowed
    }

    /// The decision code: `ok`, or the stable code of the first gate that refused.
    #[getter]
    fn code(&self) -> &str {
        &self.0.code
    }

    /// The ids of the determining policies, in gate order.
    #[getter]
    fn policies<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        texts(py, &self.0.policies)
    }

    /// The words of advice of an allowed decision.
    #[getter]
    fn advice<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        texts(py, &self.0.advice)
    }

    /// The policies that failed, each with its message. If there is one, the request is denied.
    #[getter]
    fn errors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let items: PyResult<Vec<Bound<'py, PyDict>>> = self
            .0
            .errors
            .iter()
            .map(|error| {
                let item = PyDict::new(py);
                item.set_item("policy", error.policy.as_ref())?;
                item.set_item("message", &error.message)?;
                Ok(item)
            })
            .collect();
        PyTuple::new(py, items?)
    }

    /// The login that acts as the principal, or `None` (A1).
    #[getter]
    fn actor<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        pair(py, self.0.actor.as_deref())
    }

    /// The principal, if an actor acts as the principal, or `None` (A1).
    #[getter]
    fn subject<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        pair(py, self.0.subject.as_deref())
    }

    /// The revision of the directory that the decision used.
    #[getter]
    fn revision(&self) -> u64 {
        self.0.revision
    }

    /// The fingerprint of the policies.
    #[getter]
    fn bundle(&self) -> &str {
        &self.0.bundle
    }

    /// Each meter of the action after the decision. Empty without a meter or an amount (Q11).
    #[getter]
    fn quota<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        quotas(
            py,
            self.0
                .counted
                .as_ref()
                .map_or(&[], |counted| counted.quota.as_slice()),
        )
    }

    /// The recorded operation, for `refund`, `commit` and `release`, or `None`.
    #[getter]
    fn operation(&self) -> Option<u64> {
        self.0.counted.as_ref()?.operation
    }

    /// Whether it is the decision of an earlier call with the same key (Q7).
    #[getter]
    fn replayed(&self) -> bool {
        self.0
            .counted
            .as_ref()
            .is_some_and(|counted| counted.replayed)
    }

    /// The instant at which the reservation expires, RFC 3339, or `None`.
    #[getter]
    fn expires_at<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        instant(
            py,
            self.0
                .counted
                .as_ref()
                .and_then(|counted| counted.expires_at),
        )
    }

    /// Returns the fields as a `dict`, with the names of the other languages.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &self.0)
    }

    fn __bool__(&self) -> bool {
        self.0.allowed
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other
            .cast::<Self>()
            .is_ok_and(|other| other.get().0 == self.0)
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hash = DefaultHasher::new();
        (
            self.0.allowed,
            &self.0.code,
            &self.0.policies,
            self.0.revision,
        )
            .hash(&mut hash);
        hash.finish()
    }

    fn __repr__(&self) -> String {
        format!(
            "Decision(allowed={}, code={:?}, policies={:?})",
            if self.0.allowed { "True" } else { "False" },
            self.0.code,
            self.0.policies
        )
    }
}

/// The receipt of a method that checks no policy.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct CountReceipt(pub(crate) sublet::CountReceipt);

#[pymethods]
impl CountReceipt {
    /// Each changed meter after the call.
    #[getter]
    fn quota<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        quotas(py, &self.0.quota)
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

/// The answer to a login. It is true if the login is allowed.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Login(pub(crate) sublet::Login);

#[pymethods]
impl Login {
    /// Whether the login is allowed.
    #[getter]
    fn allowed(&self) -> bool {
        self.0.allowed
    }

    /// The code for the outside: `ok`, or `login_refused` for every refusal (D7).
    #[getter]
    fn public_code(&self) -> &str {
        &self.0.public_code
    }

    /// The precise code, for your log only.
    #[getter]
    fn log_code(&self) -> &str {
        &self.0.log_code
    }

    /// The login whose password to check, even if it is refused. Never a login of a realm that
    /// this host does not serve.
    #[getter]
    fn principal<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        pair(py, self.0.principal.as_ref())
    }

    /// The decision behind the answer, or `None` if no login was found.
    #[getter]
    fn decision(&self) -> Option<Decision> {
        self.0.decision.clone().map(Decision)
    }

    /// Returns the fields as a `dict`, with the names of the other languages.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &self.0)
    }

    fn __bool__(&self) -> bool {
        self.0.allowed
    }

    fn __repr__(&self) -> String {
        format!(
            "Login(allowed={}, public_code={:?}, log_code={:?})",
            if self.0.allowed { "True" } else { "False" },
            self.0.public_code,
            self.0.log_code
        )
    }
}

/// The hosts at which a login is admitted.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct LoginHosts(pub(crate) sublet::LoginHosts);

#[pymethods]
impl LoginHosts {
    /// The decision code: `ok`, or the precise reason why the named host refuses the login.
    #[getter]
    fn code(&self) -> &str {
        &self.0.code
    }

    /// The verified domains of this page at which the login is admitted, sorted by name.
    #[getter]
    fn hosts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        texts(py, &self.0.hosts)
    }

    /// The `after` of the next page, or `None` after the last. A page may be short, or empty.
    #[getter]
    fn next(&self) -> Option<&str> {
        self.0.next.as_deref()
    }

    /// The decision behind the code.
    #[getter]
    fn decision(&self) -> Decision {
        Decision(self.0.decision.clone())
    }

    /// Returns the fields as a `dict`, with the names of the other languages.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &self.0)
    }

    fn __repr__(&self) -> String {
        format!(
            "LoginHosts(code={:?}, hosts={:?}, next={:?})",
            self.0.code, self.0.hosts, self.0.next
        )
    }
}

/// The desk that resolves a support ticket.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct TicketRoute(pub(crate) sublet::TicketRoute);

#[pymethods]
impl TicketRoute {
    /// The desk, or `None` if no desk takes the ticket: then `code` says why.
    #[getter]
    fn desk(&self) -> Option<&str> {
        self.0.desk.as_deref()
    }

    /// The owner's account, if the desk is an owner's.
    #[getter]
    fn account(&self) -> Option<&str> {
        self.0.account.as_deref()
    }

    /// The decision code.
    #[getter]
    fn code(&self) -> &str {
        &self.0.code
    }

    /// The decision behind the answer.
    #[getter]
    fn decision(&self) -> Decision {
        Decision(self.0.decision.clone())
    }

    /// Returns the fields as a `dict`, with the names of the other languages.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &self.0)
    }

    fn __repr__(&self) -> String {
        format!(
            "TicketRoute(desk={:?}, code={:?})",
            self.0.desk, self.0.code
        )
    }
}

/// The explanation of a decision: `str()` for people, `policies` as data.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Explanation(pub(crate) sublet::Explanation);

#[pymethods]
impl Explanation {
    /// The explained decision.
    #[getter]
    fn decision(&self) -> Decision {
        Decision(self.0.decision.clone())
    }

    /// Each policy with its outcome, its clauses and the facts that it read.
    #[getter]
    fn policies<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &self.0.policies)
    }

    /// Returns the fields as a `dict`, with the names of the other languages.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &self.0)
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!(
            "Explanation(code={:?}, {} policies)",
            self.0.decision.code,
            self.0.policies.len()
        )
    }
}

/// Converts quotas to a tuple of `dict`s.
pub(crate) fn quotas<'py>(
    py: Python<'py>,
    quota: &[sublet::Quota],
) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(
        py,
        quota
            .iter()
            .map(|quota| to_python_object(py, quota))
            .collect::<PyResult<Vec<_>>>()?,
    )
}

/// Converts an instant to RFC 3339.
pub(crate) fn instant<'py>(py: Python<'py>, at: Option<i64>) -> Option<Bound<'py, PyString>> {
    at.and_then(sublet::instant_text)
        .map(|text| PyString::new(py, &text))
}
