//! Readers of arguments. They accept exact types and fail with `InputError`, never with a bare
//! `TypeError`.
#![allow(
    clippy::needless_lifetimes,
    clippy::elidable_lifetime_names,
    reason = "the macro names it for the types that borrow from the value"
)]

use std::path::PathBuf;

use pyo3::exceptions::{PyOverflowError, PyTypeError, PyUnicodeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};

use crate::convert::{kind, refused, text};

/// Returns the text of a `str`.
fn word<'a>(what: &str, value: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    text(what, value.as_borrowed())
}

/// Returns the text of a `str`, or `None` for `None`.
fn word_or_none<'a>(what: &str, value: &'a Bound<'_, PyAny>) -> PyResult<Option<&'a str>> {
    if value.is_none() {
        Ok(None)
    } else {
        word(what, value).map(Some)
    }
}

/// Returns an exact `int` that the type holds: no bool, no float, no subclass.
fn whole<'a, 'py, N: FromPyObject<'a, 'py>>(
    what: &str,
    value: &'a Bound<'py, PyAny>,
) -> PyResult<N> {
    if !value.is_exact_instance_of::<PyInt>() {
        return Err(refused(
            what,
            format!("a `{}` where an `int` is needed", kind(value)),
        ));
    }
    value
        .extract()
        .map_err(|_| refused(what, "an `int` out of range"))
}

/// Returns an exact `int`, or `None` for `None`.
fn whole_or_none<'a, 'py, N: FromPyObject<'a, 'py>>(
    what: &str,
    value: &'a Bound<'py, PyAny>,
) -> PyResult<Option<N>> {
    if value.is_none() {
        Ok(None)
    } else {
        whole(what, value).map(Some)
    }
}

/// Returns a `bool`: no number stands for one.
fn flag(what: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    value
        .cast_exact::<PyBool>()
        .map(|flag| flag.is_true())
        .map_err(|_| {
            refused(
                what,
                format!("a `{}` where a `bool` is needed", kind(value)),
            )
        })
}

/// Returns a `bool`, or `None` for `None`.
fn flag_or_none(what: &str, value: &Bound<'_, PyAny>) -> PyResult<Option<bool>> {
    if value.is_none() {
        Ok(None)
    } else {
        flag(what, value).map(Some)
    }
}

/// Returns a finite `float` or `int`: no bool.
fn real(what: &str, value: &Bound<'_, PyAny>) -> PyResult<f64> {
    let number = if value.is_exact_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>() {
        value.extract::<f64>().ok()
    } else {
        None
    };
    number
        .filter(|number| number.is_finite())
        .ok_or_else(|| refused(what, "a finite number is needed"))
}

/// Returns a finite number, or `None` for `None`.
fn real_or_none(what: &str, value: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    if value.is_none() {
        Ok(None)
    } else {
        real(what, value).map(Some)
    }
}

/// Returns a `dict`, or `None` for `None`.
fn dict_or_none<'a, 'py>(
    what: &str,
    value: &'a Bound<'py, PyAny>,
) -> PyResult<Option<&'a Bound<'py, PyDict>>> {
    if value.is_none() {
        Ok(None)
    } else {
        value.cast::<PyDict>().map(Some).map_err(|_| {
            refused(
                what,
                format!("a `{}` where a `dict` is needed", kind(value)),
            )
        })
    }
}

/// Returns a callable, or `None` for `None`.
fn call_or_none(what: &str, value: &Bound<'_, PyAny>) -> PyResult<Option<Py<PyAny>>> {
    if value.is_none() {
        return Ok(None);
    }
    if value.is_callable() {
        Ok(Some(value.clone().unbind()))
    } else {
        Err(refused(
            what,
            format!("a `{}` where a function is needed", kind(value)),
        ))
    }
}

/// Returns a path. An error of the host's own `__fspath__` goes through.
pub(crate) fn path(what: &str, value: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    value.extract().map_err(|error: PyErr| {
        let ours = value.is_instance_of::<PyString>()
            || error.is_instance_of::<PyTypeError>(value.py())
            || error.is_instance_of::<PyUnicodeError>(value.py());
        if ours {
            refused(what, format!("a `{}` that is no path", kind(value)))
        } else {
            error
        }
    })
}

/// Returns a path, or `None` for `None`.
fn path_or_none(what: &str, value: &Bound<'_, PyAny>) -> PyResult<Option<PathBuf>> {
    if value.is_none() {
        Ok(None)
    } else {
        path(what, value).map(Some)
    }
}

/// Returns the entries of an iterable. Fails for text, whose entries would be its characters. An
/// error of the host's iterator goes through.
pub(crate) fn entries<'py>(
    what: &str,
    value: &Bound<'py, PyAny>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let wrong = || refused(what, format!("a `{}` where a list is needed", kind(value)));
    if value.is_instance_of::<PyString>() || value.is_instance_of::<PyDict>() {
        return Err(wrong());
    }
    let items = value.try_iter().map_err(|error| {
        if error.is_instance_of::<PyTypeError>(value.py()) {
            wrong()
        } else {
            error
        }
    })?;
    items.collect()
}

/// Returns whether an error is about the arguments of a function of the standard library.
pub(crate) fn is_about_values(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyTypeError>(py)
        || error.is_instance_of::<PyValueError>(py)
        || error.is_instance_of::<PyOverflowError>(py)
        || error.is_instance_of::<pyo3::exceptions::PyRecursionError>(py)
}

/// Defines one reader for each name: `#[pyo3(from_py_with = arguments::limit)]`.
macro_rules! arguments {
    ($($name:ident: $read:ident -> $type:ty;)*) => {
        $(pub(crate) fn $name<'a>(value: &'a Bound<'_, PyAny>) -> PyResult<$type> {
            $read(stringify!($name), value)
        })*
    };
}

arguments! {
    account: word -> &'a str;
    at: word -> &'a str;
    before: whole_or_none -> Option<u64>;
    callback: call_or_none -> Option<Py<PyAny>>;
    domain: word -> &'a str;
    expected_revision: whole_or_none -> Option<u64>;
    max_old_files: whole_or_none -> Option<u32>;
    limit: whole -> usize;
    log_path: path_or_none -> Option<PathBuf>;
    member: word_or_none -> Option<&'a str>;
    meter: word -> &'a str;
    milliseconds: whole -> i64;
    on: flag -> bool;
    operation: whole -> u64;
    optional_meter: word_or_none -> Option<&'a str>;
    owner: word -> &'a str;
    payment: whole -> u64;
    period: word -> &'a str;
    progress: call_or_none -> Option<Py<PyAny>>;
    queue: whole_or_none -> Option<usize>;
    resumed: flag -> bool;
    rotate_bytes: whole_or_none -> Option<u64>;
    sample_allowed: real_or_none -> Option<f64>;
    store: word -> &'a str;
    timeout: real -> f64;
    allow_partial: flag -> bool;
    validate_requests: flag_or_none -> Option<bool>;
    validation: word -> &'a str;
}

/// Returns the caps of an engine: a `dict`, or `None`.
pub(crate) fn caps<'a, 'py>(
    value: &'a Bound<'py, PyAny>,
) -> PyResult<Option<&'a Bound<'py, PyDict>>> {
    dict_or_none("caps", value)
}
