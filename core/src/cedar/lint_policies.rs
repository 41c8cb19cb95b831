//! Looks for mistakes in policies that Cedar's validator does not report.

use std::collections::HashSet;

use cedar_policy::PolicyId;

use super::lint_request::{LintedPolicy, RequestShapes, tests_context, tests_request_values};
use super::options::Validation;
use super::policy_list::ParsedPolicy;
use super::source::File;
use super::validate::{FilesToValidate, Undeclared};
use super::{optional_attributes, undeclared};
use crate::util::error::Diagnostic;

/// The mistakes in policies that Cedar's validator does not look for.
#[derive(Default)]
pub(super) struct LintResult {
    pub(super) warnings: Vec<Diagnostic>,
    /// The faults of names that nothing declares. They are refused like the warnings of Cedar, so
    /// without strict validation they are warnings too.
    pub(super) undeclared: Undeclared,
    /// Places of the files that have warnings.
    pub(super) with_warnings: HashSet<usize>,
}

/// Looks for mistakes in the policies of all files that are not known to have none.
pub(super) fn lint(
    parts: &[ParsedPolicy],
    files: &[File],
    requests: &RequestShapes<'_>,
    validation: Validation,
    to_validate: &FilesToValidate,
) -> LintResult {
    let mut result = LintResult::default();
    let is_strict = validation == Validation::Strict;
    for part in parts.iter().filter(|part| !to_validate.is_clean(part.file)) {
        let (Some(file), Some(policy)) = (files.get(part.file), part.to_json()) else {
            continue;
        };
        let mut warnings = Vec::new();
        // A policy that only warns refuses nothing.
        let is_open = part.body.annotation("warns").is_none() && tests_request_values(&policy);
        let is_new = !is_strict || to_validate.contains(part.file);
        if !is_open && !is_new {
            continue;
        }
        let linted = LintedPolicy {
            part,
            file,
            json: &policy,
            requests: &requests.of_policy(&policy),
            shapes: requests,
        };
        if is_open {
            warnings.extend(optional_attributes::warnings(&linted));
        }
        if is_open && tests_context(&policy) {
            warnings.extend(undeclared::absent_fields(&linted));
        }
        if is_new {
            let faults = undeclared::faults(&linted);
            if !is_strict {
                warnings.extend(faults);
            } else if !faults.is_empty() {
                let id = PolicyId::new(linted.id());
                result.undeclared.insert(id, faults);
            }
        }
        if !warnings.is_empty() {
            result.with_warnings.insert(part.file);
        }
        result.warnings.extend(warnings);
    }
    result
}
