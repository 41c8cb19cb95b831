//! Decisions and explanations as frozen Python objects, and the conversions that all results share.

use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use serde::Serialize;

use crate::convert::to_python;

/// Converts texts to a tuple of strings.
pub(crate) fn to_str_tuple<'py>(
    py: Python<'py>,
    texts: &[Arc<str>],
) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, texts.iter().map(AsRef::as_ref).collect::<Vec<&str>>())
}

/// Converts a reference to a type and an id.
pub(crate) fn to_entity_tuple<'py>(
    py: Python<'py>,
    reference: Option<&sublet::EntityRef>,
) -> PyResult<Option<Bound<'py, PyTuple>>> {
    reference
        .map(|entity| PyTuple::new(py, [entity.kind(), entity.id()]))
        .transpose()
}

/// Converts a result to `dict`s, lists and strings, with the field names of the other languages.
pub(crate) fn to_python_object<'py>(
    py: Python<'py>,
    result: &impl Serialize,
) -> PyResult<Bound<'py, PyAny>> {
    to_python(py, &serde_json::to_value(result).unwrap_or_default())
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
        to_str_tuple(py, &self.0.policies)
    }

    /// The words of advice of the determining policies, and the warnings of an allowed decision.
    #[getter]
    fn advice<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        to_str_tuple(py, &self.0.advice)
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
        to_entity_tuple(py, self.0.actor.as_deref())
    }

    /// The principal, if an actor acts as the principal, or `None` (A1).
    #[getter]
    fn subject<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        to_entity_tuple(py, self.0.subject.as_deref())
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
        to_quota_tuple(
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
        to_instant(
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

/// The explanation of a decision: `str()` is its text for people, of at most 25 lines (E8).
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Explanation(pub(crate) sublet::Explanation);

#[pymethods]
impl Explanation {
    /// The explained decision.
    #[getter]
    fn decision(&self) -> Decision {
        Decision(self.0.decision.clone())
    }

    /// The decision code in words: those of the catalog, else the comment of the policy that
    /// decided.
    #[getter]
    fn words(&self) -> &str {
        &self.0.words
    }

    /// Details of this request in English: the login or account that is not known, or the meter
    /// about which the package is silent. Else `None`.
    #[getter]
    fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The advice of the decision in words.
    #[getter]
    fn advice_words(&self) -> Vec<&str> {
        self.0.advice_words.iter().map(|words| &**words).collect()
    }

    /// The policy that decided, with its comment, its facts and what would have to change. Else
    /// `None`.
    #[getter]
    fn because<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &self.0.because)
    }

    /// The other policies that give the same answer, in gate order.
    #[getter]
    fn also<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &self.0.also)
    }

    /// The permits that came nearest, if the code is `not_permitted`.
    #[getter]
    fn nearest<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python_object(py, &self.0.nearest)
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

    /// Returns the text with every policy that can apply, its outcome and its facts.
    fn verbose(&self) -> String {
        self.0.verbose()
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
pub(crate) fn to_quota_tuple<'py>(
    py: Python<'py>,
    quota: &[sublet::Quota],
) -> PyResult<Bound<'py, PyTuple>> {
    let dicts: PyResult<Vec<_>> = quota.iter().map(|quota| to_quota_dict(py, quota)).collect();
    PyTuple::new(py, dicts?)
}

/// Converts a quota to the `dict` of its JSON form, without the way through JSON: it is read after
/// most calls that consume.
fn to_quota_dict<'py>(py: Python<'py>, quota: &sublet::Quota) -> PyResult<Bound<'py, PyDict>> {
    let limit = |limit| to_limit(py, limit);
    let member = quota.member.as_ref();
    let member = member
        .map(|member| to_member_dict(py, member))
        .transpose()?;
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "meter"), &*quota.meter)?;
    dict.set_item(intern!(py, "amount"), quota.amount)?;
    dict.set_item(intern!(py, "used"), quota.used)?;
    dict.set_item(intern!(py, "held"), quota.held)?;
    dict.set_item(intern!(py, "limit"), limit(Some(quota.limit))?)?;
    dict.set_item(intern!(py, "source"), quota.source.as_str())?;
    dict.set_item(intern!(py, "base"), limit(quota.base)?)?;
    dict.set_item(intern!(py, "override"), limit(quota.over)?)?;
    dict.set_item(intern!(py, "top_up"), quota.top_up)?;
    dict.set_item(intern!(py, "remaining"), limit(Some(quota.remaining))?)?;
    dict.set_item(intern!(py, "resets_at"), to_instant(py, quota.resets_at))?;
    dict.set_item(intern!(py, "member"), member)?;
    Ok(dict)
}

fn to_member_dict<'py>(
    py: Python<'py>,
    member: &sublet::MemberQuota,
) -> PyResult<Bound<'py, PyDict>> {
    let limit = |limit| to_limit(py, Some(limit));
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "id"), &*member.id)?;
    dict.set_item(intern!(py, "used"), member.used)?;
    dict.set_item(intern!(py, "held"), member.held)?;
    dict.set_item(intern!(py, "limit"), limit(member.limit)?)?;
    dict.set_item(intern!(py, "remaining"), limit(member.remaining)?)?;
    Ok(dict)
}

/// Converts a limit to an `int` or `unlimited`.
fn to_limit<'py>(
    py: Python<'py>,
    limit: Option<sublet::Limit>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    Ok(match limit {
        None => None,
        Some(sublet::Limit::Number(number)) => Some(number.into_pyobject(py)?.into_any()),
        Some(sublet::Limit::Unlimited) => Some(intern!(py, "unlimited").clone().into_any()),
    })
}

/// Converts an instant to RFC 3339.
fn to_instant<'py>(py: Python<'py>, at: Option<i64>) -> Option<Bound<'py, PyString>> {
    at.and_then(sublet::instant_text)
        .map(|text| PyString::new(py, &text))
}
