//! Converts Python values to those of the engine, exactly or not at all.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple};
use serde_json::{Map, Value};
use sublet::Error;

use crate::errors::Raise;
use crate::refusal::{
    INTEGER_OVER_64_BITS, LONE_SURROGATE, refused, type_name, unknown_field, unreadable, wrong_type,
};

/// Nesting limit of values, equal to the engine's limit. Checked here first because the conversion
/// recurses.
const MAX_NESTING: usize = 64;

/// A Python value that its owner keeps alive for `'a`.
pub(crate) type PyArg<'a, 'py> = Borrowed<'a, 'py, PyAny>;

/// An optional argument of a Python method.
pub(crate) type OptionalPyArg<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// Returns the text of a `str`. Reads its characters and calls no method of a subclass. Fails for
/// lone surrogates.
#[inline]
pub(crate) fn read_str<'a>(what: &str, value: PyArg<'a, '_>) -> PyResult<&'a str> {
    value
        .extract::<&'a str>()
        .map_err(|_| not_text(what, value))
}

#[cold]
fn not_text(what: &str, value: PyArg<'_, '_>) -> PyErr {
    if value.is_instance_of::<PyString>() {
        return refused(what, LONE_SURROGATE);
    }
    wrong_type(what, &value, "a `str`")
}

/// Reads the values of a `dict` under the given names, in their order; fails for other names. No
/// code of the host runs during the walk, so the `dict` cannot change. Python interns names in
/// source code, so most names are found by their address.
#[inline]
pub(crate) fn read_fields<'py, const N: usize>(
    what: &str,
    dict: &Bound<'py, PyDict>,
    names: [&Bound<'py, PyString>; N],
) -> PyResult<[Option<Bound<'py, PyAny>>; N]> {
    let mut values = [const { None }; N];
    for (key, value) in dict.iter() {
        let at = match names.iter().position(|name| key.is(*name)) {
            Some(at) => Some(at),
            None => check_field_name(what, &key, &names)?,
        };
        if let Some(slot) = at.and_then(|at| values.get_mut(at)) {
            *slot = Some(value);
        }
    }
    Ok(values)
}

#[cold]
fn check_field_name(
    what: &str,
    key: &Bound<'_, PyAny>,
    names: &[&Bound<'_, PyString>],
) -> PyResult<Option<usize>> {
    let key = read_str(what, key.as_borrowed())?;
    let at = names
        .iter()
        .position(|name| name.to_str().is_ok_and(|name| name == key));
    at.map(Some).ok_or_else(|| unknown_field(what, key))
}

/// Converts a value. It may be nested `left` levels deep.
fn to_json(what: &str, value: &Bound<'_, PyAny>, left: usize, nullable: bool) -> PyResult<Value> {
    let below = || {
        left.checked_sub(1).ok_or_else(|| {
            Error::Nesting {
                what: what.to_owned(),
                limit: MAX_NESTING,
            }
            .raise()
        })
    };
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(Value::Bool(flag.is_true()));
    }
    if value.is_exact_instance_of::<PyInt>() {
        return value
            .extract::<i64>()
            .map(Value::from)
            .map_err(|_| refused(what, INTEGER_OVER_64_BITS));
    }
    if value.is_instance_of::<PyString>() {
        return read_str(what, value.as_borrowed()).map(Value::from);
    }
    let sequence = match (value.cast::<PyList>(), value.cast::<PyTuple>()) {
        (Ok(list), _) => Some(list.to_tuple()),
        (_, Ok(tuple)) => Some(tuple.clone()),
        _ => None,
    };
    if let Some(items) = sequence {
        let left = below()?;
        return items
            .iter()
            .map(|item| to_json(what, &item, left, nullable))
            .collect::<PyResult<Vec<_>>>()
            .map(Value::Array);
    }
    if value.is_instance_of::<PySet>() || value.is_instance_of::<PyFrozenSet>() {
        let left = below()?;
        return value
            .try_iter()?
            .map(|item| to_json(what, &item?, left, nullable))
            .collect::<PyResult<Vec<_>>>()
            .map(Value::Array);
    }
    if let Ok(fields) = value.cast::<PyDict>() {
        return to_json_object(what, fields, below()?, nullable).map(Value::Object);
    }
    if nullable && value.is_none() {
        return Ok(Value::Null);
    }
    Err(unreadable(what, value))
}

/// Converts a `dict` with string keys.
fn to_json_object(
    what: &str,
    fields: &Bound<'_, PyDict>,
    left: usize,
    nullable: bool,
) -> PyResult<Map<String, Value>> {
    let mut map = Map::new();
    // Copied first: a value may be of a class whose code changes this `dict`, and the walk would
    // end in a panic.
    let entries: Vec<_> = fields.iter().collect();
    for (key, value) in entries {
        map.insert(
            read_str(what, key.as_borrowed())?.to_owned(),
            to_json(what, &value, left, nullable)?,
        );
    }
    Ok(map)
}

/// Converts a `dict` of values that a policy can read.
pub(crate) fn read_object(what: &str, value: &Bound<'_, PyAny>) -> PyResult<Map<String, Value>> {
    to_json_object(what, read_dict(what, value)?, MAX_NESTING, false)
}

/// Converts a record or a part of one. Its fields may be `None`.
pub(crate) fn read_record(value: &Bound<'_, PyAny>) -> PyResult<Map<String, Value>> {
    to_json_object("record", read_dict("record", value)?, MAX_NESTING, true)
}

fn read_dict<'a, 'py>(
    what: &str,
    value: &'a Bound<'py, PyAny>,
) -> PyResult<&'a Bound<'py, PyDict>> {
    value
        .cast::<PyDict>()
        .map_err(|_| wrong_type(what, value, "a `dict`"))
}

/// Returns an exact `int` from 0 to 2**63-1; fails for a bool, a float or a subclass.
pub(crate) fn read_amount(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    let exact = if value.is_exact_instance_of::<PyInt>() {
        value.extract::<i64>().ok()
    } else {
        None
    };
    exact.filter(|amount| *amount >= 0).ok_or_else(|| {
        Error::Amount {
            amount: short_repr(value),
        }
        .raise()
    })
}

/// Returns the start of the value's `repr`, or the name of its type if `repr` fails.
pub(crate) fn short_repr(value: &Bound<'_, PyAny>) -> String {
    let text = value
        .repr()
        .and_then(|text| text.to_cow().map(|text| text.chars().take(80).collect()));
    text.unwrap_or_else(|_| type_name(value))
}

/// Converts a JSON value to Python's types.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into_pyobject(py)?.into_any(),
            (_, Some(number)) => number.into_pyobject(py)?.into_any(),
            _ => number.as_f64().into_pyobject(py)?.into_any(),
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => PyList::new(
            py,
            items
                .iter()
                .map(|item| to_python(py, item))
                .collect::<PyResult<Vec<_>>>()?,
        )?
        .into_any(),
        Value::Object(fields) => {
            let dict = PyDict::new(py);
            for (key, value) in fields {
                dict.set_item(key, to_python(py, value)?)?;
            }
            dict.into_any()
        }
    })
}
