//! Errors on their way to JavaScript, and the errors that JavaScript raises itself. The core has all
//! texts.

use std::panic::{AssertUnwindSafe, catch_unwind};

use napi::{Error as NapiError, Result, Status};
use napi_derive::napi;
use serde_json::json;
use sublet::{ArgumentFault, Error};

/// Returns an error as the JSON from which `errors.js` makes a `SubletError`.
pub(crate) fn error_text(error: &Error) -> String {
    json!({"code": error.code(), "message": error.to_string(), "help": error.help(), "faults": error.faults()}).to_string()
}

pub(crate) fn raise_text(text: String) -> NapiError {
    NapiError::new(Status::GenericFailure, text)
}

/// Runs `work`. An error or a panic becomes a `SubletError`.
pub(crate) fn guarded<T>(work: impl FnOnce() -> std::result::Result<T, Error>) -> Result<T> {
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(binding_panic()));
    result.map_err(|error| raise_text(error_text(&error)))
}

/// Returns the error of a panic in this crate.
#[cold]
pub(crate) fn binding_panic() -> Error {
    internal("a panic in the binding")
}

/// Returns the error of a broken invariant of this crate.
#[cold]
pub(crate) fn internal(reason: &str) -> Error {
    Error::Panic {
        reason: reason.to_owned(),
    }
}

/// Returns an error that JavaScript found, as JSON. `values` are the texts in its message.
#[napi(js_name = "error")]
pub fn error_json(code: String, values: Vec<String>) -> String {
    let value = |at: usize| values.get(at).cloned().unwrap_or_default();
    let number = |at: usize| value(at).parse().unwrap_or_default();
    error_text(&match code.as_str() {
        "directory.cancelled" => Error::Cancelled { records: 0 },
        "input.amount" => Error::Amount { amount: value(0) },
        "input.item" => Error::Item {
            index: number(0),
            code: known_code(&value(1)),
            reason: value(2),
        },
        "input.nesting" => Error::Nesting {
            what: value(0),
            limit: number(1),
        },
        "input.ttl" => Error::Ttl { ttl: value(0) },
        _ => internal("no answer"),
    })
}

/// Returns the code of the core that equals `code`. A host may have made an error with its own.
fn known_code(code: &str) -> &'static str {
    let codes = sublet::error_codes();
    let known = codes.into_iter().find(|(known, _)| *known == code);
    known.map_or("input.value", |(known, _)| known)
}

/// Returns the error of an argument that JavaScript refuses, as JSON.
#[napi]
pub fn argument_error(what: String, fault: String, detail: String) -> String {
    error_text(&ArgumentFault::from_name(&fault).map_or_else(
        || internal("no fault of that name"),
        |fault| fault.error(&what, &detail),
    ))
}

/// Returns every error code with its help, as JSON.
#[napi]
pub fn error_codes() -> Result<String> {
    guarded(|| crate::json::text_of(&sublet::error_codes()))
}
