//! Answers as frozen Python objects.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use serde::Serialize;

use crate::count::{instant, quotas};
use crate::values::to_python;

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

/// Any answer as plain `dict`s, lists and strings: the same fields as in the other languages.
pub(crate) fn plain<'py>(py: Python<'py>, answer: &impl Serialize) -> PyResult<Bound<'py, PyAny>> {
    to_python(py, &serde_json::to_value(answer).unwrap_or_default())
}

/// One answer. `bool(decision)` is the allow bit.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Decision(pub(crate) sublet::Decision);

#[pymethods]
impl Decision {
    #[getter]
    fn allowed(&self) -> bool {
        self.0.allowed
    }

    #[getter]
    fn code(&self) -> &str {
        &self.0.code
    }

    #[getter]
    fn policies<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        texts(py, &self.0.policies)
    }

    #[getter]
    fn advice<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        texts(py, &self.0.advice)
    }

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

    #[getter]
    fn actor<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        pair(py, self.0.actor.as_deref())
    }

    #[getter]
    fn subject<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        pair(py, self.0.subject.as_deref())
    }

    #[getter]
    fn revision(&self) -> u64 {
        self.0.revision
    }

    #[getter]
    fn bundle(&self) -> &str {
        &self.0.bundle
    }

    /// Each meter of the action, after the answer; empty where nothing is metered or no amount was
    /// asked for.
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

    #[getter]
    fn operation(&self) -> Option<u64> {
        self.0.counted.as_ref()?.operation
    }

    #[getter]
    fn replayed(&self) -> bool {
        self.0
            .counted
            .as_ref()
            .is_some_and(|counted| counted.replayed)
    }

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

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        plain(py, &self.0)
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

/// What was counted, by a verb that asks no policy.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Counted(pub(crate) sublet::CountReceipt);

#[pymethods]
impl Counted {
    #[getter]
    fn quota<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        quotas(py, &self.0.quota)
    }

    #[getter]
    fn operation(&self) -> Option<u64> {
        self.0.operation
    }

    #[getter]
    fn replayed(&self) -> bool {
        self.0.replayed
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        plain(py, &self.0)
    }

    fn __repr__(&self) -> String {
        format!(
            "Counted(operation={:?}, replayed={})",
            self.0.operation,
            if self.0.replayed { "True" } else { "False" }
        )
    }
}

/// May this login come in at this host?
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Login(pub(crate) sublet::Login);

#[pymethods]
impl Login {
    #[getter]
    fn allowed(&self) -> bool {
        self.0.allowed
    }

    #[getter]
    fn public_code(&self) -> &str {
        &self.0.public_code
    }

    #[getter]
    fn log_code(&self) -> &str {
        &self.0.log_code
    }

    #[getter]
    fn principal<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        pair(py, self.0.principal.as_ref())
    }

    #[getter]
    fn decision(&self) -> Option<Decision> {
        self.0.decision.clone().map(Decision)
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        plain(py, &self.0)
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

/// At which hosts may this login come in?
#[pyclass(frozen, module = "sublet")]
pub(crate) struct LoginHosts(pub(crate) sublet::LoginHosts);

#[pymethods]
impl LoginHosts {
    #[getter]
    fn code(&self) -> &str {
        &self.0.code
    }

    #[getter]
    fn hosts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        texts(py, &self.0.hosts)
    }

    #[getter]
    fn next(&self) -> Option<&str> {
        self.0.next.as_deref()
    }

    #[getter]
    fn decision(&self) -> Decision {
        Decision(self.0.decision.clone())
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        plain(py, &self.0)
    }

    fn __repr__(&self) -> String {
        format!(
            "LoginHosts(code={:?}, hosts={:?}, next={:?})",
            self.0.code, self.0.hosts, self.0.next
        )
    }
}

/// Who resolves a support ticket.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Desk(pub(crate) sublet::TicketRoute);

#[pymethods]
impl Desk {
    #[getter]
    fn desk(&self) -> Option<&str> {
        self.0.desk.as_deref()
    }

    #[getter]
    fn account(&self) -> Option<&str> {
        self.0.account.as_deref()
    }

    #[getter]
    fn code(&self) -> &str {
        &self.0.code
    }

    #[getter]
    fn decision(&self) -> Decision {
        Decision(self.0.decision.clone())
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        plain(py, &self.0)
    }

    fn __repr__(&self) -> String {
        format!("Desk(desk={:?}, code={:?})", self.0.desk, self.0.code)
    }
}

/// Why an answer is what it is: `str()` for people, `policies` as data.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Explanation(pub(crate) sublet::Explanation);

#[pymethods]
impl Explanation {
    #[getter]
    fn decision(&self) -> Decision {
        Decision(self.0.decision.clone())
    }

    #[getter]
    fn policies<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        plain(py, &self.0.policies)
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        plain(py, &self.0)
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
