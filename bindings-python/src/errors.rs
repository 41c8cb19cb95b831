//! The engine's errors as exceptions: one class for each family, with `code`, `help` and `faults`.

use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};
use sublet::Error;

use crate::convert::to_python;

create_exception!(
    sublet,
    SubletError,
    PyException,
    "The base class of errors: there is no answer. `code` is stable, `help` says what to do,\n`faults` lists what is wrong in files."
);
create_exception!(
    sublet,
    BundleError,
    SubletError,
    "The error of policies, schema or catalog."
);
create_exception!(
    sublet,
    DirectoryError,
    SubletError,
    "The error of a change that breaks an invariant of the directory."
);
create_exception!(
    sublet,
    QuotaError,
    SubletError,
    "The error of a call about counts that cannot be made."
);
create_exception!(
    sublet,
    BillingError,
    SubletError,
    "The error of a call about statements or payments that cannot be made."
);
create_exception!(
    sublet,
    StoreError,
    SubletError,
    "The error of the store or of a stream."
);
create_exception!(
    sublet,
    InternalError,
    SubletError,
    "The error of a fault inside the engine. The engine continues to work."
);

/// The class for malformed arguments. Python's users expect a `TypeError` or a `ValueError`, so it
/// is both.
static INPUT_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();

fn input_error(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    let class = INPUT_ERROR.get_or_try_init(py, || {
        let bases = (
            py.get_type::<SubletError>(),
            py.get_type::<PyTypeError>(),
            py.get_type::<PyValueError>(),
        );
        let body = PyDict::new(py);
        body.set_item("__module__", "sublet")?;
        body.set_item(
            "__doc__",
            "The error of a malformed argument. It is a `TypeError` and a `ValueError` too.",
        )?;
        py.get_type::<PyType>()
            .call1(("InputError", bases, body))?
            .cast_into::<PyType>()
            .map(Bound::unbind)
            .map_err(PyErr::from)
    });
    class.map(|class| class.bind(py))
}

/// Converts an error to an exception.
pub(crate) trait Raise {
    /// Returns the exception.
    fn raise(self) -> PyErr;
}

impl Raise for Error {
    fn raise(self) -> PyErr {
        let (code, message) = (self.code(), self.to_string());
        let raised = match code.split('.').next() {
            Some("input") => Python::attach(|py| {
                input_error(py).map_or_else(
                    |error| error,
                    |class| PyErr::from_type(class.clone(), message),
                )
            }),
            Some("bundle") => BundleError::new_err(message),
            Some("directory") => DirectoryError::new_err(message),
            Some("quota") => QuotaError::new_err(message),
            Some("billing") => BillingError::new_err(message),
            Some("store") => StoreError::new_err(message),
            _ => InternalError::new_err(message),
        };
        Python::attach(|py| {
            let value = raised.value(py);
            let faults = serde_json::to_value(self.faults()).unwrap_or_default();
            // Setting attributes of a new exception fails only if memory runs out.
            let _ = value.setattr("code", code);
            let _ = value.setattr("help", self.help());
            if let Ok(faults) = to_python(py, &faults) {
                let _ = value.setattr("faults", faults);
            }
        });
        raised
    }
}

/// `?` for the engine's results.
pub(crate) trait OrRaise<T> {
    /// Returns the value, or fails with the exception.
    fn or_raise(self) -> PyResult<T>;
}

impl<T> OrRaise<T> for Result<T, Error> {
    fn or_raise(self) -> PyResult<T> {
        self.map_err(Raise::raise)
    }
}

/// Adds the classes to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let base = py.get_type::<SubletError>();
    base.setattr("code", "internal.panic")?;
    base.setattr("help", py.None())?;
    base.setattr("faults", pyo3::types::PyList::empty(py))?;
    module.add("SubletError", base)?;
    module.add("InputError", input_error(py)?)?;
    module.add("BundleError", py.get_type::<BundleError>())?;
    module.add("DirectoryError", py.get_type::<DirectoryError>())?;
    module.add("QuotaError", py.get_type::<QuotaError>())?;
    module.add("BillingError", py.get_type::<BillingError>())?;
    module.add("StoreError", py.get_type::<StoreError>())?;
    module.add("InternalError", py.get_type::<InternalError>())
}
