//! Options of an engine, and the input of an import.

use std::io::{BufRead, BufReader, Cursor};

use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyBytes, PyDict, PyString};
use sublet::{CedarProgram, Error, ParseLimits, PolicySource};

use crate::arguments::{is_about_values, read_path};
use crate::convert::{self, OptionalPyArg, short_repr};
use crate::errors::Raise;
use crate::handles::ManualClock;
use crate::refusal::{not_json, wrong_type};

/// Returns an owned copy of the text of a `str`.
fn read_string(what: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    convert::read_str(what, value.as_borrowed()).map(str::to_owned)
}

/// Reads the caps of an engine.
pub(crate) fn read_caps(caps: Option<&Bound<'_, PyDict>>) -> PyResult<ParseLimits> {
    let mut limits = ParseLimits::default();
    for (key, value) in caps.into_iter().flatten() {
        let name = read_string("caps", &key)?;
        let unknown = || {
            Error::OptionValue {
                option: format!("caps.{name}"),
                value: short_repr(&value),
            }
            .raise()
        };
        let number = if value.is_exact_instance_of::<pyo3::types::PyInt>() {
            value.extract::<usize>().map_err(|_| unknown())?
        } else {
            return Err(unknown());
        };
        let cap = match name.as_str() {
            "file_bytes" => &mut limits.file_bytes,
            "entities_bytes" => &mut limits.entities_bytes,
            "record_bytes" => &mut limits.record_bytes,
            "nesting" => &mut limits.nesting,
            "chain" => &mut limits.chain,
            "depth" => &mut limits.depth,
            "value_nesting" => &mut limits.value_nesting,
            _ => return Err(unknown()),
        };
        *cap = number;
    }
    Ok(limits)
}

/// Reads the source of a bundle: a folder, a `dict` of texts, or the shipped bundle.
pub(crate) fn read_source(policies: OptionalPyArg<'_, '_>) -> PyResult<PolicySource> {
    let Some(policies) = policies else {
        return Ok(PolicySource::Shipped);
    };
    if let Ok(files) = policies.cast::<PyDict>() {
        let files: PyResult<Vec<_>> = files
            .iter()
            .map(|(name, body)| {
                Ok((
                    read_string("policies", &name)?,
                    read_string("policies", &body)?,
                ))
            })
            .collect();
        return Ok(PolicySource::Files(files?));
    }
    Ok(PolicySource::Folder(read_path("policies", policies)?))
}

/// Returns text unchanged, and any other value as JSON.
fn read_text_or_json(what: &str, value: OptionalPyArg<'_, '_>) -> PyResult<Option<String>> {
    let Some(value) = value else { return Ok(None) };
    if value.is_instance_of::<PyString>() {
        return read_string(what, value).map(Some);
    }
    let py = value.py();
    let json = py.import("json")?.call_method(
        "dumps",
        (value,),
        Some(&[("allow_nan", false)].into_py_dict(py)?),
    );
    let json = json.map_err(|error| {
        if is_about_values(py, &error) {
            not_json(what, error.value(py))
        } else {
            error
        }
    })?;
    read_string(what, &json).map(Some)
}

/// Reads the parts of a plain Cedar program.
pub(crate) fn read_program(
    policies: OptionalPyArg<'_, '_>,
    schema: OptionalPyArg<'_, '_>,
    links: OptionalPyArg<'_, '_>,
    entities: OptionalPyArg<'_, '_>,
    validate_requests: Option<bool>,
) -> PyResult<PolicySource> {
    Ok(PolicySource::Cedar(CedarProgram {
        policies: read_text_or_json("policies", policies)?.unwrap_or_default(),
        schema: read_text_or_json("schema", schema)?,
        links: read_text_or_json("links", links)?,
        entities: read_text_or_json("entities", entities)?,
        validate_requests,
    }))
}

/// Returns a reader of bytes, of text, or of the file that a path names.
pub(crate) fn open_lines(lines: &Bound<'_, PyAny>) -> PyResult<Box<dyn BufRead + Send>> {
    if let Ok(bytes) = lines.cast::<PyBytes>() {
        return Ok(Box::new(Cursor::new(bytes.as_bytes().to_vec())));
    }
    if lines.is_instance_of::<PyString>() {
        return Ok(Box::new(Cursor::new(
            read_string("lines", lines)?.into_bytes(),
        )));
    }
    let path = read_path("lines", lines)?;
    let file = std::fs::File::open(&path).map_err(|error| {
        Error::Stream {
            reason: format!("{}: {error}", path.display()),
        }
        .raise()
    })?;
    Ok(Box::new(BufReader::new(file)))
}

/// Returns the clock for a new engine.
pub(crate) fn read_clock(clock: OptionalPyArg<'_, '_>) -> PyResult<sublet::Clock> {
    match clock {
        None => Ok(sublet::Clock::System),
        Some(clock) => clock
            .cast_exact::<ManualClock>()
            .map(|clock| sublet::Clock::Manual(clock.get().0.clone()))
            .map_err(|_| wrong_type("clock", clock, "a `ManualClock`")),
    }
}
