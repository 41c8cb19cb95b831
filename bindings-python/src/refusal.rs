//! Refused arguments. Code, message and help are those of `input.value` in the core. A reason names
//! types of Python, so that the reasons are written here, each of them once.

use pyo3::prelude::*;
use sublet::Error;

use crate::errors::Raise;

pub(crate) const INTEGER_OVER_64_BITS: &str = "an integer over 64 bits";
pub(crate) const INTEGER_OUT_OF_RANGE: &str = "an `int` out of range";
pub(crate) const NUMBER_NEEDED: &str = "a finite number is needed";
pub(crate) const SECONDS_NEEDED: &str = "a number of seconds is needed";
pub(crate) const LONE_SURROGATE: &str = "a string with a lone surrogate";
pub(crate) const PAIR_NEEDED: &str = "a type and an id are needed: (\"Account\", \"acme\")";
pub(crate) const RESOURCE_NEEDED: &str =
    "a type, an id and perhaps an account are needed: (\"Campaign\", \"spring\", \"acme\")";
pub(crate) const REQUESTS_AND_COLUMNS: &str = "either a list of requests or columns, not both";
pub(crate) const REQUESTS_NEEDED: &str = "a list of requests or columns are needed";
pub(crate) const SINK_NEEDED: &str = "one of `path`, `callback` and `logger` is needed";

/// Returns the error of an argument that is refused for this reason.
#[cold]
pub(crate) fn refused(what: &str, reason: impl Into<String>) -> PyErr {
    Error::Value {
        what: what.to_owned(),
        reason: reason.into(),
    }
    .raise()
}

/// Returns the error of a value whose type is not the needed one.
#[cold]
pub(crate) fn wrong_type(what: &str, value: &Bound<'_, PyAny>, needed: &str) -> PyErr {
    let found = type_name(value);
    refused(what, format!("a `{found}` where {needed} is needed"))
}

/// Returns the error of a value that no policy can read.
#[cold]
pub(crate) fn unreadable(what: &str, value: &Bound<'_, PyAny>) -> PyErr {
    let found = type_name(value);
    refused(
        what,
        format!("a `{found}` is no value that a policy can read"),
    )
}

/// Returns the error of a value that `json.dumps` refuses.
#[cold]
pub(crate) fn not_json(what: &str, reason: &Bound<'_, PyAny>) -> PyErr {
    refused(what, format!("a value that is no JSON: {reason}"))
}

/// Returns the error of a field that does not exist.
#[cold]
pub(crate) fn unknown_field(what: &str, name: &str) -> PyErr {
    refused(what, format!("no field `{name}`"))
}

/// Returns the error of a field that is required.
#[cold]
pub(crate) fn missing_field(what: &str, name: &str) -> PyErr {
    refused(what, format!("`{name}` is missing"))
}

/// Returns the name of the value's type.
pub(crate) fn type_name(value: &Bound<'_, PyAny>) -> String {
    value
        .get_type()
        .name()
        .map_or_else(|_| "object".to_owned(), |name| name.to_string())
}
