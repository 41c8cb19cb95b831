//! The subcommand `test`.

use std::collections::HashSet;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use sublet::{Engine, Validation};

use crate::cases::{CaseResult, run};
use crate::failure::Failure;
use crate::{FAULTS, OK, open};

/// The form and the strictness of the output.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    pub(crate) verbose: bool,
    pub(crate) strict: bool,
    pub(crate) json: bool,
}

/// Runs the cases, and lists the gates that no case refuses.
pub(crate) fn test(
    bundle: Option<PathBuf>,
    cases: Option<PathBuf>,
    form: Form,
    out: &mut dyn Write,
) -> Result<i32, Failure> {
    // Cases of another place are mostly a part, which need not decide every gate.
    let is_whole = form.strict || (bundle.is_some() && cases.is_none());
    let cases = cases.or_else(|| bundle.as_ref().map(|folder| folder.join("tests")));
    let cases = cases.ok_or_else(|| {
        Failure::Words("name the cases: `--cases PATH`, or a bundle's folder".to_owned())
    })?;
    let engine = open(bundle, Validation::Strict)?;
    let results = run(&engine, &cases).map_err(Failure::Words)?;
    if results.is_empty() {
        return Err(Failure::Words(format!("{}: no cases", cases.display())));
    }
    let failed = results
        .iter()
        .filter(|result| result.failure.is_some())
        .count();
    let undecided = if is_whole {
        undecided(&engine, &results)
    } else {
        Vec::new()
    };
    let ok = failed == 0 && (undecided.is_empty() || !form.strict);
    if form.json {
        let report = json!({"ok": ok, "cases": results, "undecided": undecided});
        writeln!(out, "{report}")?;
    } else {
        report(&results, failed, &undecided, form.verbose, out)?;
    }
    Ok(if ok { OK } else { FAULTS })
}

/// Returns the policies that refuse, without those that decide a case.
fn undecided(engine: &Engine, results: &[CaseResult]) -> Vec<Arc<str>> {
    let decided: HashSet<&str> = results
        .iter()
        .filter_map(|result| result.decided_by.as_deref())
        .collect();
    engine
        .bundle()
        .policies
        .iter()
        .filter(|policy| policy.effect == "forbid" && policy.code.is_some())
        .map(|policy| Arc::clone(&policy.id))
        .filter(|id| !decided.contains(id.as_ref()))
        .collect()
}

fn report(
    results: &[CaseResult],
    failed: usize,
    undecided: &[Arc<str>],
    verbose: bool,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    for result in results {
        let place = format!("{}:{}", result.file, result.line);
        match &result.failure {
            Some(failure) => writeln!(
                out,
                "FAILED  {place}: {}\n        {failure}",
                result.description
            )?,
            None if verbose => writeln!(out, "passed  {place}: {}", result.description)?,
            None => {}
        }
    }
    writeln!(
        out,
        "{} passed, {failed} failed",
        results.len().saturating_sub(failed)
    )?;
    let names: Vec<String> = undecided.iter().map(|id| format!("`{id}`")).collect();
    let names = names.join(", ");
    match undecided.len() {
        0 => Ok(()),
        1 => writeln!(out, "1 policy decides no case: {names}"),
        many => writeln!(out, "{many} policies decide no case: {names}"),
    }
}
