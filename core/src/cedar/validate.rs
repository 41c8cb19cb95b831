//! Runs Cedar's validator and converts its findings to diagnostics.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, TryLockError};

use cedar_policy::{
    PolicyId, PolicySet, Schema, ValidationError, ValidationMode, ValidationWarning, Validator,
};

use super::options::Validation;
use super::source::{CATALOG, File};
use super::{default_bundle, findings};
use crate::util::digest;
use crate::util::error::{Diagnostic, Diagnostics, Error};

/// Maximum number of files that are remembered as valid.
const REMEMBERED: usize = 1_024;

/// A policy file that was found valid.
#[derive(Debug, Clone, Copy)]
struct ValidFile {
    /// The hash of the file and of the schema that it was validated against.
    hash: [u8; 32],
    has_warnings: bool,
}

/// The policy files that were found valid in this process.
static VALID: Mutex<VecDeque<ValidFile>> = Mutex::new(VecDeque::new());

/// The policy files of a bundle that must be validated.
///
/// The validator and the warnings judge each policy by itself against the schema. So a file that
/// was found valid with the same schema is valid still. The files of the shipped bundle were found
/// valid and without warnings when the library was tested.
#[derive(Debug)]
pub(crate) struct FilesToValidate {
    /// Places of the files in the bundle, with their hashes.
    files: Vec<(usize, [u8; 32])>,
    /// Places of the valid files that have warnings.
    with_warnings: HashSet<usize>,
}

impl FilesToValidate {
    pub(crate) fn new(files: &[File], validation: Validation) -> Self {
        let shipped = default_bundle::files();
        let schemas = |files: &[File]| -> Vec<File> {
            let schemas = files.iter().filter(|file| !file.is_policies());
            schemas
                .filter(|file| file.name != CATALOG)
                .cloned()
                .collect()
        };
        // Links are validated with the templates that they fill in, so they count as schema here.
        let context = schemas(files);
        let is_shipped_schema = context == schemas(&shipped);
        let mode = [validation as u8];
        let parts = context
            .iter()
            .flat_map(|file| [file.name.as_bytes(), file.text.as_bytes()]);
        let context = digest::sha256(std::iter::once(&mode[..]).chain(parts));
        let valid = remembered();
        let mut to_validate = Self {
            files: Vec::new(),
            with_warnings: HashSet::new(),
        };
        for (at, file) in files.iter().enumerate() {
            if !file.is_policies() || is_shipped_schema && shipped.contains(file) {
                continue;
            }
            let hash = digest::sha256([&context[..], file.text.as_bytes()]);
            let mut known = valid.iter().flat_map(|valid| valid.iter());
            match known.find(|known| known.hash == hash) {
                None => to_validate.files.push((at, hash)),
                Some(known) if known.has_warnings => drop(to_validate.with_warnings.insert(at)),
                Some(_) => {}
            }
        }
        to_validate
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Returns whether the file at this place of the bundle must be validated.
    pub(crate) fn contains(&self, at: usize) -> bool {
        self.files.iter().any(|(file, _)| *file == at)
    }

    /// Returns whether the file at this place is known to be valid and without warnings.
    pub(crate) fn is_clean(&self, at: usize) -> bool {
        !self.contains(at) && !self.with_warnings.contains(&at)
    }

    /// Records that the files are valid, and which of them have warnings.
    pub(crate) fn remember(&self, with_warnings: &HashSet<usize>) {
        if let Some(mut valid) = remembered() {
            for (at, hash) in &self.files {
                valid.push_front(ValidFile {
                    hash: *hash,
                    has_warnings: with_warnings.contains(at),
                });
            }
            valid.truncate(REMEMBERED);
        }
    }
}

/// Never blocks on the lock. A child process that was forked while a thread held it would wait for
/// ever.
fn remembered() -> Option<MutexGuard<'static, VecDeque<ValidFile>>> {
    match VALID.try_lock() {
        Ok(valid) => Some(valid),
        Err(TryLockError::Poisoned(valid)) => Some(valid.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// A file, and the byte range of a policy in it.
pub(crate) type PolicyLocation<'a> = (&'a File, Option<(usize, usize)>);

/// The faults of names that nothing declares, by policy.
pub(crate) type Undeclared = HashMap<PolicyId, Vec<Diagnostic>>;

/// Validates in strict mode. Warnings are faults too if `validation` is `Strict`. Faults that only
/// follow from another fault of the same policy are left out.
pub(crate) fn validate<'a>(
    schema: &Schema,
    set: &PolicySet,
    validation: Validation,
    undeclared: Undeclared,
    home: impl Fn(&PolicyId) -> Option<PolicyLocation<'a>>,
) -> Result<(), Error> {
    let result = Validator::new(schema.clone()).validate(set, ValidationMode::Strict);
    let mut faults: Vec<Diagnostic> = Vec::new();
    // Nothing more can be said about a policy with an unknown name in it.
    let unrecognized: HashSet<&PolicyId> = result
        .validation_errors()
        .filter(|error| is_unrecognized(error))
        .map(ValidationError::policy_id)
        .collect();
    for error in result.validation_errors() {
        let id = error.policy_id();
        if is_unrecognized(error) || !unrecognized.contains(id) {
            faults.extend(findings::error(schema, error, home(id)));
        }
    }
    if validation == Validation::Strict {
        let inapplicable: HashSet<&PolicyId> = result
            .validation_warnings()
            .filter(|found| matches!(found, ValidationWarning::InvalidActionApplication(_)))
            .map(ValidationWarning::policy_id)
            .collect();
        for warning in result.validation_warnings() {
            let id = warning.policy_id();
            let is_impossible = matches!(warning, ValidationWarning::ImpossiblePolicy(_));
            let follows =
                is_impossible && (inapplicable.contains(id) || undeclared.contains_key(id));
            if !follows && !unrecognized.contains(id) {
                faults.extend(findings::warning(schema, set, warning, home(id)));
            }
        }
    }
    let undeclared = undeclared.into_iter();
    let rest = undeclared.filter(|(id, _)| !unrecognized.contains(id));
    faults.extend(rest.flat_map(|(_, faults)| faults));
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

fn is_unrecognized(error: &ValidationError) -> bool {
    matches!(
        error,
        ValidationError::UnrecognizedActionId(_) | ValidationError::UnrecognizedEntityType(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(schema: &str, policies: &[&str]) -> Vec<File> {
        let file = |name: String, text: &&str| File {
            name,
            text: (*text).to_owned(),
        };
        std::iter::once(file("x.cedarschema".to_owned(), &schema))
            .chain(
                (0..)
                    .zip(policies)
                    .map(|(at, text)| file(format!("{at}.cedar"), text)),
            )
            .collect()
    }

    /// Only files that were not found valid with this schema and mode are validated.
    #[test]
    fn only_new_files_are_validated() {
        let places = |files: &[File], validation| -> Vec<usize> {
            let to_validate = FilesToValidate::new(files, validation);
            (0..files.len())
                .filter(|at| to_validate.contains(*at))
                .collect()
        };
        let one = bundle("s", &["first", "second"]);
        assert_eq!(places(&one, Validation::Strict), [1, 2]);
        assert_eq!(places(&one, Validation::Strict), [1, 2], "not yet valid");
        FilesToValidate::new(&one, Validation::Strict).remember(&HashSet::from([2]));
        let known = FilesToValidate::new(&one, Validation::Strict);
        assert!(known.is_empty() && known.is_clean(1) && !known.is_clean(2));
        assert_eq!(places(&one, Validation::Errors), [1, 2]);
        let changed = bundle("s", &["first", "third"]);
        assert_eq!(places(&changed, Validation::Strict), [2]);
        assert_eq!(places(&bundle("t", &["first"]), Validation::Strict), [1]);
        let mut linked = one;
        linked.push(File {
            name: "links.json".to_owned(),
            text: "[]".to_owned(),
        });
        assert_eq!(places(&linked, Validation::Strict), [1, 2]);
    }

    /// The shipped files need no validation and have no warnings, because this test validates them.
    #[test]
    fn shipped_bundle_is_valid() {
        let mut files = default_bundle::files();
        assert!(FilesToValidate::new(&files, Validation::Strict).is_empty());
        for file in files.iter_mut().filter(|file| file.is_schema()) {
            file.text.push_str("\n// Another schema.\n");
        }
        let policies = files.iter().filter(|file| file.is_policies()).count();
        let to_validate = FilesToValidate::new(&files, Validation::Strict);
        assert_eq!(to_validate.files.len(), policies);
        let loaded = crate::cedar::bundle::load(
            &files,
            Validation::Strict,
            &crate::util::parse_limits::ParseLimits::default(),
        );
        let loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    }
}
