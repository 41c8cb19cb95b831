//! Names that are looked up once, as frozen Python objects: compared, hashed and pickled by their
//! name.

use pyo3::prelude::*;

use crate::errors::OrRaise;
use pyo3::types::{PyString, PyTuple};
use sublet::EntityRef;

use crate::arguments;
use crate::values::text;

/// `Principal('Account', 'acme')`: the class, and its words as Python would write them.
fn shown(py: Python<'_>, class: &str, words: &[&str]) -> PyResult<String> {
    let words: PyResult<Vec<String>> = words
        .iter()
        .map(|word| Ok(PyString::new(py, word).repr()?.to_string()))
        .collect();
    Ok(format!("{class}({})", words?.join(", ")))
}

/// Python's own hash, which it seeds anew in each process.
fn hash(py: Python<'_>, class: &str, name: &EntityRef) -> PyResult<isize> {
    PyTuple::new(py, [class, name.kind(), name.id()])?.hash()
}

/// A login, or the account that a resource belongs to: `Principal("Account", "acme")`.
///
/// Pass it wherever `("Account", "acme")` stands; each engine looks the name up once. It outlives
/// changes, reloads and imports, goes with any engine, and is equal to another of the same name.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Principal(pub(crate) sublet::Principal);

#[pymethods]
impl Principal {
    #[new]
    #[pyo3(signature = (r#type, id, /))]
    fn new(r#type: &Bound<'_, PyAny>, id: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self(sublet::Principal::new(
            text("type", r#type.as_borrowed())?,
            text("id", id.as_borrowed())?,
        )))
    }

    #[getter]
    fn r#type(&self) -> &str {
        self.0.reference().kind()
    }

    #[getter]
    fn id(&self) -> &str {
        self.0.reference().id()
    }

    fn __getnewargs__(&self) -> (&str, &str) {
        (self.r#type(), self.id())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other
            .cast::<Self>()
            .is_ok_and(|other| other.get().0 == self.0)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        hash(py, "Principal", self.0.reference())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        shown(py, "Principal", &[self.r#type(), self.id()])
    }
}

/// An action, looked up once: `Action("campaign.read")`, or `Action("App::Action", "view")`.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Action(pub(crate) sublet::Action);

#[pymethods]
impl Action {
    #[new]
    #[pyo3(signature = (name_or_type, id=None, /))]
    fn new(name_or_type: &Bound<'_, PyAny>, id: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let first = text("action", name_or_type.as_borrowed())?;
        Ok(Self(match id {
            Some(id) => sublet::Action::new(first, text("action", id.as_borrowed())?),
            None => sublet::Action::new("Action", first),
        }))
    }

    #[getter]
    fn r#type(&self) -> &str {
        self.0.reference().kind()
    }

    #[getter]
    fn id(&self) -> &str {
        self.0.reference().id()
    }

    fn __getnewargs__(&self) -> (&str, &str) {
        (self.r#type(), self.id())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other
            .cast::<Self>()
            .is_ok_and(|other| other.get().0 == self.0)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        hash(py, "Action", self.0.reference())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let words = [self.r#type(), self.id()];
        shown(
            py,
            "Action",
            if words == ["Action", self.id()] {
                words.get(1..).unwrap_or_default()
            } else {
                &words
            },
        )
    }
}

/// A type of resource, looked up once: `ResourceType("Campaign")`.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct ResourceType(pub(crate) sublet::ResourceType);

#[pymethods]
impl ResourceType {
    #[new]
    #[pyo3(signature = (name, /))]
    fn new(name: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self(sublet::ResourceType::new(text(
            "resource type",
            name.as_borrowed(),
        )?)))
    }

    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    fn __getnewargs__(&self) -> (&str,) {
        (self.name(),)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other
            .cast::<Self>()
            .is_ok_and(|other| other.get().0 == self.0)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        hash(py, "ResourceType", self.0.reference())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        shown(py, "ResourceType", &[self.name()])
    }
}

/// A host name as an HTTP header says it, looked up once: `Host("dash.example")`.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Host(pub(crate) sublet::Host);

#[pymethods]
impl Host {
    #[new]
    #[pyo3(signature = (name, /))]
    fn new(name: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self(sublet::Host::new(text("host", name.as_borrowed())?)))
    }

    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    fn __getnewargs__(&self) -> (&str,) {
        (self.name(),)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other
            .cast::<Self>()
            .is_ok_and(|other| other.get().0 == self.0)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        hash(py, "Host", self.0.reference())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        shown(py, "Host", &[self.name()])
    }
}

/// A clock that stands until it is set.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct ManualClock(pub(crate) sublet::ManualClock);

#[pymethods]
impl ManualClock {
    #[new]
    fn new(#[pyo3(from_py_with = arguments::at)] at: &str) -> PyResult<Self> {
        sublet::ManualClock::new(at).map(Self).or_raise()
    }

    fn set(&self, #[pyo3(from_py_with = arguments::at)] at: &str) -> PyResult<()> {
        self.0.set(at).or_raise()
    }

    /// Moves it by so many milliseconds.
    fn advance(&self, #[pyo3(from_py_with = arguments::milliseconds)] milliseconds: i64) {
        self.0.advance(milliseconds);
    }

    fn now(&self) -> String {
        self.0.now()
    }

    fn __repr__(&self) -> String {
        format!("ManualClock({:?})", self.0.now())
    }
}
