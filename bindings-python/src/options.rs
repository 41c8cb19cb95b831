//! Options of an engine, and the input of an import.

use std::io::{BufRead, BufReader, Cursor};

use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyBytes, PyDict, PyString};
use sublet::{CedarProgram, Error, ParseLimits, PolicySource};

use crate::arguments::{is_about_values, path};
use crate::convert::{self, OptionalPyArg, refused, shown};
use crate::errors::Raise;
use crate::handles::ManualClock;

fn text(what: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    convert::text(what, value.as_borrowed()).map(str::to_owned)
}

pub(crate) fn caps(given: Option<&Bound<'_, PyDict>>) -> PyResult<ParseLimits> {
    let mut caps = ParseLimits::default();
    for (key, value) in given.into_iter().flatten() {
        let name = text("caps", &key)?;
        let wrong = || {
            Error::OptionValue {
                option: format!("caps.{name}"),
                value: shown(&value),
            }
            .raise()
        };
        let number = if value.is_exact_instance_of::<pyo3::types::PyInt>() {
            value.extract::<usize>().map_err(|_| wrong())?
        } else {
            return Err(wrong());
        };
        let cap = match name.as_str() {
            "file_bytes" => &mut caps.file_bytes,
            "entities_bytes" => &mut caps.entities_bytes,
            "record_bytes" => &mut caps.record_bytes,
            "nesting" => &mut caps.nesting,
            "chain" => &mut caps.chain,
            "depth" => &mut caps.depth,
            "value_nesting" => &mut caps.value_nesting,
            _ => return Err(wrong()),
        };
        *cap = number;
    }
    Ok(caps)
}

pub(crate) fn source(policies: OptionalPyArg<'_, '_>) -> PyResult<PolicySource> {
    let Some(policies) = policies else {
        return Ok(PolicySource::Shipped);
    };
    if let Ok(files) = policies.cast::<PyDict>() {
        let files: PyResult<Vec<_>> = files
            .iter()
            .map(|(name, body)| Ok((text("policies", &name)?, text("policies", &body)?)))
            .collect();
        return Ok(PolicySource::Files(files?));
    }
    Ok(PolicySource::Folder(path("policies", policies)?))
}

/// Returns text unchanged, and any other value as JSON.
fn text_or_json(what: &str, value: OptionalPyArg<'_, '_>) -> PyResult<Option<String>> {
    let Some(value) = value else { return Ok(None) };
    if value.is_instance_of::<PyString>() {
        return text(what, value).map(Some);
    }
    let py = value.py();
    let json = py.import("json")?.call_method(
        "dumps",
        (value,),
        Some(&[("allow_nan", false)].into_py_dict(py)?),
    );
    let json = json.map_err(|error| {
        if is_about_values(py, &error) {
            refused(
                what,
                format!("a value that is no JSON: {}", error.value(py)),
            )
        } else {
            error
        }
    })?;
    text(what, &json).map(Some)
}

pub(crate) fn program(
    policies: OptionalPyArg<'_, '_>,
    schema: OptionalPyArg<'_, '_>,
    links: OptionalPyArg<'_, '_>,
    entities: OptionalPyArg<'_, '_>,
    validate_requests: Option<bool>,
) -> PyResult<PolicySource> {
    Ok(PolicySource::Cedar(CedarProgram {
        policies: text_or_json("policies", policies)?.unwrap_or_default(),
        schema: text_or_json("schema", schema)?,
        links: text_or_json("links", links)?,
        entities: text_or_json("entities", entities)?,
        validate_requests,
    }))
}

/// Returns a reader of bytes, of text, or of the file that a path names.
pub(crate) fn lines_of(lines: &Bound<'_, PyAny>) -> PyResult<Box<dyn BufRead + Send>> {
    if let Ok(bytes) = lines.cast::<PyBytes>() {
        return Ok(Box::new(Cursor::new(bytes.as_bytes().to_vec())));
    }
    if lines.is_instance_of::<PyString>() {
        return Ok(Box::new(Cursor::new(text("lines", lines)?.into_bytes())));
    }
    let path = path("lines", lines)?;
    let file = std::fs::File::open(&path).map_err(|why| {
        Error::Stream {
            reason: format!("{}: {why}", path.display()),
        }
        .raise()
    })?;
    Ok(Box::new(BufReader::new(file)))
}

/// Returns the clock for a new engine.
pub(crate) fn clock(given: OptionalPyArg<'_, '_>) -> PyResult<sublet::Clock> {
    match given {
        None => Ok(sublet::Clock::System),
        Some(given) => given
            .cast_exact::<ManualClock>()
            .map(|clock| sublet::Clock::Manual(clock.get().0.clone()))
            .map_err(|_| refused("clock", "a `ManualClock` is needed")),
    }
}
