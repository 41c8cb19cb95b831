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

use crate::convert::{self, OptionalPyArg};
use crate::refusal::{INTEGER_OUT_OF_RANGE, NUMBER_NEEDED, refused, wrong_type};

/// Returns `None` for Python's `None`, and what `read` returns for every other value.
fn read_optional<'a, 'py, T>(
    what: &str,
    value: &'a Bound<'py, PyAny>,
    read: impl FnOnce(&str, &'a Bound<'py, PyAny>) -> PyResult<T>,
) -> PyResult<Option<T>> {
    if value.is_none() {
        Ok(None)
    } else {
        read(what, value).map(Some)
    }
}

/// Returns the text of a `str`.
fn read_str<'a>(what: &str, value: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    convert::read_str(what, value.as_borrowed())
}

/// Returns an exact `int` that the type holds: no bool, no float, no subclass.
fn read_int<'a, 'py, N: FromPyObject<'a, 'py>>(
    what: &str,
    value: &'a Bound<'py, PyAny>,
) -> PyResult<N> {
    if !value.is_exact_instance_of::<PyInt>() {
        return Err(wrong_type(what, value, "an `int`"));
    }
    value
        .extract()
        .map_err(|_| refused(what, INTEGER_OUT_OF_RANGE))
}

/// Returns a `bool`: no number stands for one.
fn read_bool(what: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    value
        .cast_exact::<PyBool>()
        .map(|flag| flag.is_true())
        .map_err(|_| wrong_type(what, value, "a `bool`"))
}

/// Returns a finite `float` or `int`: no bool.
fn read_float(what: &str, value: &Bound<'_, PyAny>) -> PyResult<f64> {
    let number = if value.is_exact_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>() {
        value.extract::<f64>().ok()
    } else {
        None
    };
    number
        .filter(|number| number.is_finite())
        .ok_or_else(|| refused(what, NUMBER_NEEDED))
}

/// Returns a callable.
fn read_callable(what: &str, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    if value.is_callable() {
        Ok(value.clone().unbind())
    } else {
        Err(wrong_type(what, value, "a function"))
    }
}

/// Returns a path. An error of the host's own `__fspath__` goes through.
pub(crate) fn read_path(what: &str, value: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    value.extract().map_err(|error: PyErr| {
        let is_ours = value.is_instance_of::<PyString>()
            || error.is_instance_of::<PyTypeError>(value.py())
            || error.is_instance_of::<PyUnicodeError>(value.py());
        if is_ours {
            wrong_type(what, value, "a path")
        } else {
            error
        }
    })
}

/// Returns the entries of an iterable. Fails for text, whose entries would be its characters. An
/// error of the host's iterator goes through.
pub(crate) fn read_list<'py>(
    what: &str,
    value: &Bound<'py, PyAny>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    if value.is_instance_of::<PyString>() || value.is_instance_of::<PyDict>() {
        return Err(wrong_type(what, value, "a list"));
    }
    let items = value.try_iter().map_err(|error| {
        if error.is_instance_of::<PyTypeError>(value.py()) {
            wrong_type(what, value, "a list")
        } else {
            error
        }
    })?;
    items.collect()
}

/// Returns the entries of an iterable, or none if the caller passed nothing.
pub(crate) fn read_optional_list<'py>(
    what: &str,
    value: OptionalPyArg<'_, 'py>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    value.map_or_else(|| Ok(Vec::new()), |value| read_list(what, value))
}

/// Returns whether an error is about the arguments of a function of the standard library.
pub(crate) fn is_about_values(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyTypeError>(py)
        || error.is_instance_of::<PyValueError>(py)
        || error.is_instance_of::<PyOverflowError>(py)
        || error.is_instance_of::<pyo3::exceptions::PyRecursionError>(py)
}

/// Defines one reader for each name: `#[pyo3(from_py_with = arguments::limit)]`. An optional
/// argument may be `None`.
macro_rules! arguments {
    (
        required { $($name:ident: $read:ident -> $type:ty;)* }
        optional { $($optional:ident: $read_optional:ident -> $optional_type:ty;)* }
    ) => {
        $(pub(crate) fn $name<'a>(value: &'a Bound<'_, PyAny>) -> PyResult<$type> {
            $read(stringify!($name), value)
        })*
        $(pub(crate) fn $optional<'a>(
            value: &'a Bound<'_, PyAny>,
        ) -> PyResult<Option<$optional_type>> {
            read_optional(stringify!($optional), value, $read_optional)
        })*
    };
}

arguments! {
    required {
        account: read_str -> &'a str;
        allow_partial: read_bool -> bool;
        at: read_str -> &'a str;
        domain: read_str -> &'a str;
        limit: read_int -> usize;
        meter: read_str -> &'a str;
        milliseconds: read_int -> i64;
        on: read_bool -> bool;
        operation: read_int -> u64;
        owner: read_str -> &'a str;
        payment: read_int -> u64;
        period: read_str -> &'a str;
        resumed: read_bool -> bool;
        store: read_str -> &'a str;
        timeout: read_float -> f64;
        validation: read_str -> &'a str;
    }
    optional {
        before: read_int -> u64;
        callback: read_callable -> Py<PyAny>;
        expected_revision: read_int -> u64;
        log_path: read_path -> PathBuf;
        max_old_files: read_int -> u32;
        member: read_str -> &'a str;
        optional_meter: read_str -> &'a str;
        progress: read_callable -> Py<PyAny>;
        queue: read_int -> usize;
        rotate_bytes: read_int -> u64;
        sample_allowed: read_float -> f64;
        validate_requests: read_bool -> bool;
    }
}

/// Returns the caps of an engine: a `dict`, or `None`.
pub(crate) fn caps<'a, 'py>(
    value: &'a Bound<'py, PyAny>,
) -> PyResult<Option<&'a Bound<'py, PyDict>>> {
    read_optional("caps", value, |what, value| {
        value
            .cast::<PyDict>()
            .map_err(|_| wrong_type(what, value, "a `dict`"))
    })
}
