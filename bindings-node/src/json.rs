//! JSON text both ways: arguments as strictly as the core reads them, and answers whose integers
//! JavaScript can hold.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::ser::Formatter;
use sublet::Error;

/// Returns the JSON of an answer.
pub(crate) fn text_of(answer: &impl Serialize) -> std::result::Result<String, Error> {
    serde_json::to_string(answer).map_err(|error| Error::Value {
        what: "answer".to_owned(),
        reason: error.to_string(),
    })
}

/// Reads the JSON of the argument `what`.
pub(crate) fn read<T: for<'a> Deserialize<'a>>(
    what: &str,
    given: &str,
) -> std::result::Result<T, Error> {
    let value = sublet::read_json(what, given)?;
    serde_json::from_value(value).map_err(|error| Error::Json {
        what: what.to_owned(),
        line: 1,
        column: 1,
        reason: error.to_string(),
    })
}

/// Largest integer up to which JavaScript numbers are exact.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// A formatter of compact JSON that writes unsafe integers as text.
struct ExactFormatter;

impl Formatter for ExactFormatter {
    fn write_i64<W: ?Sized + Write>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        if value.unsigned_abs() <= MAX_SAFE_INTEGER {
            write!(writer, "{value}")
        } else {
            write!(writer, "\"{value}\"")
        }
    }

    fn write_u64<W: ?Sized + Write>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        if value <= MAX_SAFE_INTEGER {
            write!(writer, "{value}")
        } else {
            write!(writer, "\"{value}\"")
        }
    }
}

/// Returns the JSON of an answer, with unsafe integers as text.
pub(crate) fn exact_text(answer: &impl Serialize) -> std::result::Result<String, Error> {
    let unwritable = |reason: String| Error::Value {
        what: "answer".to_owned(),
        reason,
    };
    let mut text = Vec::with_capacity(256);
    answer
        .serialize(&mut serde_json::Serializer::with_formatter(
            &mut text,
            ExactFormatter,
        ))
        .map_err(|error| unwritable(error.to_string()))?;
    String::from_utf8(text).map_err(|error| unwritable(error.to_string()))
}
