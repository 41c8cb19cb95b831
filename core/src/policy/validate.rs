//! Cedar's validator, its findings as faults.

use cedar_policy::{PolicyId, PolicySet, Schema, ValidationMode, Validator};

use super::diagnose;
use super::source::File;
use crate::error::{Fault, Faults};
use crate::{Error, Validation};

/// A file, and the bytes in it that hold a policy.
pub(crate) type Home<'a> = (&'a File, Option<(usize, usize)>);

/// Validates in strict mode; warnings are faults too unless `validation` says otherwise.
pub(crate) fn validate<'a>(schema: &Schema, set: &PolicySet, validation: Validation, home: impl Fn(&PolicyId) -> Option<Home<'a>>) -> Result<(), Error> {
    let result = Validator::new(schema.clone()).validate(set, ValidationMode::Strict);
    let mut faults: Vec<Fault> = Vec::new();
    for error in result.validation_errors() {
        faults.extend(placed("bundle.validation", error, home(error.policy_id())));
    }
    if validation == Validation::Strict {
        for warning in result.validation_warnings() {
            faults.extend(placed("bundle.warning", warning, home(warning.policy_id())));
        }
    }
    // Errors before warnings: the first fault names the bundle's error.
    faults.sort_by_key(|fault| (fault.code == "bundle.warning", fault.place.as_ref().map(|place| (place.file.clone(), place.line, place.column))));
    Faults::into_result(faults)
}

fn placed(code: &'static str, found: &dyn miette::Diagnostic, home: Option<Home<'_>>) -> Vec<Fault> {
    let (file, span) = home.map_or((None, None), |(file, span)| (Some(file), span));
    diagnose::faults(code, found, file, span)
}
