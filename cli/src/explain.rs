//! The subcommand `explain`.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use sublet::{DEFAULT_AMOUNT, Engine, Error, Options, Request, Validation};

use crate::check::Records;
use crate::failure::Failure;
use crate::{DENIED, OK, case_fields, cases, open, source, store};

/// The form of the output.
#[derive(Clone, Copy)]
pub(crate) struct Form<'a> {
    /// The language of the words of codes.
    pub(crate) language: Option<&'a str>,
    pub(crate) verbose: bool,
    pub(crate) json: bool,
}

/// Explains a request over a directory in memory, or over a store with its counts.
pub(crate) fn explain(
    bundle: Option<PathBuf>,
    records: &Records,
    text: &str,
    form: Form<'_>,
    out: &mut dyn Write,
) -> Result<i32, Failure> {
    let (case, request) = read(text)?;
    let engine = if let Some(url) = &records.store {
        of_store(bundle, url, &case)?
    } else {
        let engine = open(bundle, Validation::Strict)?;
        cases::prepare(&engine, &lines(records.directory.as_deref())?, &case)?;
        engine
    };
    let explanation = engine.explain_in(&request, form.language)?;
    if form.json {
        let value: Value = serde_json::to_value(&explanation).unwrap_or_default();
        writeln!(out, "{value}")?;
    } else if form.verbose {
        write!(out, "{}", explanation.verbose())?;
    } else {
        write!(out, "{explanation}")?;
    }
    Ok(if explanation.decision.allowed {
        OK
    } else {
        DENIED
    })
}

/// Reads a request, or a whole case. Returns the case with its request.
fn read(text: &str) -> Result<(Map<String, Value>, Request), Failure> {
    let Value::Object(case) = sublet::read_json("request", text)? else {
        return Ok((Map::new(), Request::from_json(text)?));
    };
    case_fields::check(&case).map_err(|reason| Error::Json {
        what: "request".to_owned(),
        line: 1,
        column: 1,
        reason,
    })?;
    let call = case_fields::call(&case);
    if !["authorize", "check", "consume"].contains(&call) {
        return Err(Failure::Words(format!(
            "`explain` explains a request, and not the call `{call}`"
        )));
    }
    let mut request = Request::from_json(&case_fields::request(&case))?;
    if call == "consume" {
        request.environment.amount.get_or_insert(DEFAULT_AMOUNT);
    }
    Ok((case, request))
}

/// Opens a store. The case must not bring records or counts, because the store has its own.
fn of_store(
    bundle: Option<PathBuf>,
    url: &str,
    case: &Map<String, Value>,
) -> Result<Engine, Failure> {
    let mut brought = ["given", "remove", "usage"].into_iter();
    if let Some(field) = brought.find(|field| case.contains_key(*field)) {
        return Err(Failure::Words(format!(
            "`{field}` needs `--directory`: a store has its own records and counts"
        )));
    }
    Ok(Engine::open(Options {
        policies: source(bundle),
        store: store::there(url),
        ..Options::default()
    })?)
}

fn lines(directory: Option<&Path>) -> Result<String, Failure> {
    let Some(path) = directory else {
        return Ok(String::new());
    };
    std::fs::read_to_string(path)
        .map_err(|why| Failure::Words(format!("{}: {why}", path.display())))
}
