//! Handles: names that an engine looks up once, as frozen Python objects. They are compared, hashed
//! and pickled by their names.

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use sublet::EntityRef;

use crate::arguments;
use crate::convert::read_str;
use crate::errors::OrRaise;

/// Returns the `repr` of a handle, such as `Principal('Account', 'acme')`.
fn format_handle(py: Python<'_>, class: &str, names: &[&str]) -> PyResult<String> {
    let names: PyResult<Vec<String>> = names
        .iter()
        .map(|name| Ok(PyString::new(py, name).repr()?.to_string()))
        .collect();
    Ok(format!("{class}({})", names?.join(", ")))
}

/// Returns Python's hash of the name, whose seed differs in each process.
fn hash_name(py: Python<'_>, class: &str, name: &EntityRef) -> PyResult<isize> {
    PyTuple::new(py, [class, name.kind(), name.id()])?.hash()
}

/// Lets Python compare and hash handles by their names.
macro_rules! compare_by_name {
    ($($handle:ident),*) => {$(
        #[pymethods]
        impl $handle {
            fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
                other
                    .cast::<Self>()
                    .is_ok_and(|other| other.get().0 == self.0)
            }

            fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
                hash_name(py, stringify!($handle), self.0.reference())
            }
        }
    )*};
}

compare_by_name!(Principal, Action, ResourceType, Host);

/// A principal that an engine looks up once: a login, or the account that a resource belongs
/// to.
///
/// Pass it in place of a type and an id. It outlives changes, reloads and imports, works
/// with any engine, and equals another principal with the same type and id.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Principal(pub(crate) sublet::Principal);

#[pymethods]
impl Principal {
    #[new]
    #[pyo3(signature = (r#type, id, /))]
    fn new(r#type: &Bound<'_, PyAny>, id: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self(sublet::Principal::new(
            read_str("type", r#type.as_borrowed())?,
            read_str("id", id.as_borrowed())?,
        )))
    }

    /// The type: `Account`, `TeamMember` or `Operator`.
    #[getter]
    fn r#type(&self) -> &str {
        self.0.reference().kind()
    }

    /// The id.
    #[getter]
    fn id(&self) -> &str {
        self.0.reference().id()
    }

    fn __getnewargs__(&self) -> (&str, &str) {
        (self.r#type(), self.id())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        format_handle(py, "Principal", &[self.r#type(), self.id()])
    }
}

/// An action that an engine looks up once.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Action(pub(crate) sublet::Action);

#[pymethods]
impl Action {
    #[new]
    #[pyo3(signature = (name_or_type, id=None, /))]
    fn new(name_or_type: &Bound<'_, PyAny>, id: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let first = read_str("action", name_or_type.as_borrowed())?;
        Ok(Self(match id {
            Some(id) => sublet::Action::new(first, read_str("action", id.as_borrowed())?),
            None => sublet::Action::new("Action", first),
        }))
    }

    /// The type of the action, in most cases `Action`.
    #[getter]
    fn r#type(&self) -> &str {
        self.0.reference().kind()
    }

    /// The name of the action.
    #[getter]
    fn id(&self) -> &str {
        self.0.reference().id()
    }

    fn __getnewargs__(&self) -> (&str, &str) {
        (self.r#type(), self.id())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let names = [self.r#type(), self.id()];
        format_handle(
            py,
            "Action",
            if names == ["Action", self.id()] {
                names.get(1..).unwrap_or_default()
            } else {
                &names
            },
        )
    }
}

/// A type of resources that an engine looks up once.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct ResourceType(pub(crate) sublet::ResourceType);

#[pymethods]
impl ResourceType {
    #[new]
    #[pyo3(signature = (name, /))]
    fn new(name: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self(sublet::ResourceType::new(read_str(
            "resource type",
            name.as_borrowed(),
        )?)))
    }

    /// The name of the type.
    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    fn __getnewargs__(&self) -> (&str,) {
        (self.name(),)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        format_handle(py, "ResourceType", &[self.name()])
    }
}

/// A host name as in an HTTP header, which an engine looks up once.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct Host(pub(crate) sublet::Host);

#[pymethods]
impl Host {
    #[new]
    #[pyo3(signature = (name, /))]
    fn new(name: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self(sublet::Host::new(read_str(
            "host",
            name.as_borrowed(),
        )?)))
    }

    /// The host name as it was passed.
    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    fn __getnewargs__(&self) -> (&str,) {
        (self.name(),)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        format_handle(py, "Host", &[self.name()])
    }
}

/// A clock that stands until it is set, for tests. Instants are RFC 3339.
///
/// The engine trusts it: setting it far ahead causes no `store.clock_jump`. Counted time
/// never goes back: if the clock is set back, the time of the engine stands until
/// `reset_counts`.
#[pyclass(frozen, module = "sublet")]
pub(crate) struct ManualClock(pub(crate) sublet::ManualClock);

#[pymethods]
impl ManualClock {
    #[new]
    fn new(#[pyo3(from_py_with = arguments::at)] at: &str) -> PyResult<Self> {
        sublet::ManualClock::new(at).map(Self).or_raise()
    }

    /// Sets the clock, forward or back.
    ///
    /// Raises a `SubletError` with the code `input.instant`.
    fn set(&self, #[pyo3(from_py_with = arguments::at)] at: &str) -> PyResult<()> {
        self.0.set(at).or_raise()
    }

    /// Moves the clock by milliseconds, back if they are negative.
    fn advance(&self, #[pyo3(from_py_with = arguments::milliseconds)] milliseconds: i64) {
        self.0.advance(milliseconds);
    }

    /// Returns the instant of the clock, RFC 3339.
    fn now(&self) -> String {
        self.0.now()
    }

    fn __repr__(&self) -> String {
        format!("ManualClock({:?})", self.0.now())
    }
}
