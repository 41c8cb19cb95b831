//! Runs Cedar's validator and converts its findings to diagnostics.

use std::collections::VecDeque;
use std::sync::{Mutex, TryLockError};

use cedar_policy::{PolicyId, PolicySet, Schema, ValidationMode, Validator};

use super::diagnostics;
use super::options::Validation;
use super::source::File;
use crate::util::digest;
use crate::util::error::{Diagnostic, Diagnostics, Error};

/// Maximum number of bundles that are remembered as valid.
const REMEMBERED: usize = 16;

/// Hashes of the bundles that were found valid in this process. A process that opens several
/// engines, such as a test suite, validates a bundle once. Validation is half of the time to open
/// an engine.
static VALID: Mutex<VecDeque<[u8; 32]>> = Mutex::new(VecDeque::new());

/// Runs the validation, unless it has succeeded before for these files.
pub(crate) fn once(
    files: &[File],
    validation: Validation,
    work: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    let mode = [validation as u8];
    let texts = files
        .iter()
        .flat_map(|file| [file.name.as_bytes(), file.text.as_bytes()]);
    let hash = digest::sha256(std::iter::once(&mode[..]).chain(texts));
    // Never block on this lock. A child process that was forked while a thread held it would wait
    // for ever.
    let valid = || match VALID.try_lock() {
        Ok(valid) => Some(valid),
        Err(TryLockError::Poisoned(valid)) => Some(valid.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    };
    if valid().is_some_and(|valid| valid.contains(&hash)) {
        return Ok(());
    }
    work()?;
    if let Some(mut valid) = valid() {
        valid.truncate(REMEMBERED.saturating_sub(1));
        valid.push_front(hash);
    }
    Ok(())
}

/// A file, and the byte range of a policy in it.
pub(crate) type PolicyLocation<'a> = (&'a File, Option<(usize, usize)>);

/// Validates in strict mode. Warnings are faults too if `validation` is `Strict`.
pub(crate) fn validate<'a>(
    schema: &Schema,
    set: &PolicySet,
    validation: Validation,
    home: impl Fn(&PolicyId) -> Option<PolicyLocation<'a>>,
) -> Result<(), Error> {
    let result = Validator::new(schema.clone()).validate(set, ValidationMode::Strict);
    let mut faults: Vec<Diagnostic> = Vec::new();
    for error in result.validation_errors() {
        faults.extend(placed("bundle.validation", error, home(error.policy_id())));
    }
    if validation == Validation::Strict {
        for warning in result.validation_warnings() {
            faults.extend(placed("bundle.warning", warning, home(warning.policy_id())));
        }
    }
    // Sort errors before warnings, because the first fault names the bundle's error.
    faults.sort_by_key(|fault| {
        (
            fault.code == "bundle.warning",
            fault
                .place
                .as_ref()
                .map(|place| (place.file.clone(), place.line, place.column)),
        )
    });
    Diagnostics::into_result(faults)
}

fn placed(
    code: &'static str,
    found: &dyn miette::Diagnostic,
    home: Option<PolicyLocation<'_>>,
) -> Vec<Diagnostic> {
    let (file, span) = home.map_or((None, None), |(file, span)| (Some(file), span));
    diagnostics::faults(code, found, file, span)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A valid bundle is not validated again, but an invalid one always is. The cache evicts the
    /// oldest bundles.
    #[test]
    fn only_valid_bundles_are_cached() -> Result<(), Error> {
        let file = |text: &str| {
            vec![File {
                name: "x.cedar".into(),
                text: text.into(),
            }]
        };
        let runs = std::cell::Cell::new(0);
        let ask = |text: &str, validation, is_valid: bool| {
            once(&file(text), validation, || {
                runs.set(runs.get() + 1);
                if is_valid {
                    Ok(())
                } else {
                    Err(crate::cedar::source::placeless("bundle.validation", "a fault").into())
                }
            })
        };
        ask("one", Validation::Strict, true)?;
        ask("one", Validation::Strict, false)?;
        assert_eq!(runs.get(), 1);
        assert!(
            ask("one", Validation::Errors, false).is_err(),
            "validated otherwise"
        );
        assert!(ask("two", Validation::Strict, false).is_err());
        assert!(ask("two", Validation::Strict, false).is_err());
        assert_eq!(runs.get(), 4);
        for number in 0..2 * REMEMBERED {
            ask(&format!("more {number}"), Validation::Strict, true)?;
        }
        ask("one", Validation::Strict, true)?;
        assert_eq!(runs.get(), 5 + 2 * REMEMBERED, "the oldest are forgotten");
        Ok(())
    }
}
