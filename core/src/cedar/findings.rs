//! Converts the findings of Cedar's validator to diagnostics in the words of a policy author.

use cedar_policy::{
    Policy, PolicySet, Schema, ValidationError, ValidationMode, ValidationWarning, Validator,
};
use serde_json::Value as Json;

use super::diagnostics;
use super::lint_request::conditions;
use super::source_scan::PolicyOutline;
use super::validate::PolicyLocation;
use crate::util::error::Diagnostic;
use crate::util::spelling::closest;

/// Help for an access to something optional, as Cedar's own help begins.
const GUARD: &str = "try testing for the attribute's presence";

/// Returns the diagnostics of an error.
pub(super) fn error(
    schema: &Schema,
    found: &ValidationError,
    home: Option<PolicyLocation<'_>>,
) -> Vec<Diagnostic> {
    let mut faults = placed("bundle.validation", found, home);
    let snippet = snippet(found, home);
    if let (Some(fault), Some(snippet)) = (faults.first_mut(), snippet) {
        match found {
            ValidationError::UnrecognizedActionId(_) => {
                if let Some(action) = action_id(snippet) {
                    fault.message =
                        format!("for policy `{}`, no action `{action}`", found.policy_id());
                    fault.help = Some(action_help(schema, action));
                }
            }
            ValidationError::UnsafeOptionalAttributeAccess(_) => {
                let is_guard = fault
                    .help
                    .as_ref()
                    .is_some_and(|help| help.starts_with(GUARD));
                if let Some((path, name)) = access(snippet).filter(|_| is_guard) {
                    fault.help = Some(format!("test it first: `{path} has {name} && ...`"));
                }
            }
            _ => {}
        }
    }
    faults
}

/// Returns the diagnostics of a warning.
pub(super) fn warning(
    schema: &Schema,
    set: &PolicySet,
    found: &ValidationWarning,
    home: Option<PolicyLocation<'_>>,
) -> Vec<Diagnostic> {
    let mut faults = placed("bundle.warning", found, home);
    let start = span(found, home).map_or(0, |(start, _)| start);
    let (place, help) = match found {
        ValidationWarning::InvalidActionApplication(_) => (
            outline(found, home).and_then(|outline| outline.effect),
            "no action of the policy has such a principal and resource: see its `appliesTo` in the schema",
        ),
        ValidationWarning::ImpossiblePolicy(_) => {
            let clause = impossible_clause(schema, set, found, home);
            let help = match clause {
                Some(_) => {
                    "no request that fits the schema meets this clause: look for a type or an action that it cannot have here"
                }
                None => "no request that fits the schema meets its clauses: take them apart",
            };
            let effect = || outline(found, home).and_then(|outline| outline.effect);
            (clause.or_else(effect), help)
        }
        _ => return faults,
    };
    for fault in &mut faults {
        fault.help = Some(help.to_owned());
        if let (Some((at, len)), Some((file, _))) = (place, home) {
            fault.place = Some(file.place(start.saturating_add(at), len));
        }
    }
    faults
}

fn placed(
    code: &'static str,
    found: &dyn miette::Diagnostic,
    home: Option<PolicyLocation<'_>>,
) -> Vec<Diagnostic> {
    let (file, span) = home.map_or((None, None), |(file, span)| (Some(file), span));
    diagnostics::faults(code, found, file, span)
}

/// Returns the start and the length in bytes of what the finding marks.
fn span(
    found: &dyn miette::Diagnostic,
    home: Option<PolicyLocation<'_>>,
) -> Option<(usize, usize)> {
    let label = found.labels().and_then(|mut labels| labels.next());
    let marked = label.map(|label| (label.offset(), label.len()));
    marked.or(home?.1)
}

/// Returns the text that the finding marks.
fn snippet<'a>(
    found: &dyn miette::Diagnostic,
    home: Option<PolicyLocation<'a>>,
) -> Option<&'a str> {
    let (start, len) = span(found, home)?;
    home?.0.text.get(start..start.saturating_add(len))
}

/// Returns the id of `Action::"id"`.
fn action_id(snippet: &str) -> Option<&str> {
    let quoted = snippet.strip_prefix("Action")?.trim_start();
    let quoted = quoted.strip_prefix("::")?.trim();
    quoted.strip_prefix('"')?.strip_suffix('"')
}

fn action_help(schema: &Schema, action: &str) -> String {
    let actions: Vec<&str> = schema.actions().map(|uid| uid.id().unescaped()).collect();
    // `Action::"Action::x"` is `Action::"x"`.
    let bare = action
        .trim_start_matches("Action::")
        .trim_matches(['"', '\\']);
    match closest(bare, actions) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "the schema declares the actions".to_owned(),
    }
}

/// Returns the path and the name of an access such as `a.b.name`.
fn access(snippet: &str) -> Option<(String, &str)> {
    let (path, name) = snippet.rsplit_once('.')?;
    let name = name.trim();
    let is_word = |c: char| c == '_' || c.is_ascii_alphanumeric();
    let is_path = |c: char| is_word(c) || c == '.' || c.is_whitespace();
    (name.chars().all(is_word) && path.chars().all(is_path))
        .then(|| (path.split_whitespace().collect(), name))
}

/// Returns the parts of the policy that the finding marks.
fn outline<'a>(
    found: &ValidationWarning,
    home: Option<PolicyLocation<'a>>,
) -> Option<PolicyOutline<'a>> {
    snippet(found, home).map(PolicyOutline::new)
}

/// Returns the position in the policy of the first clause with which the policy becomes impossible.
fn impossible_clause(
    schema: &Schema,
    set: &PolicySet,
    found: &ValidationWarning,
    home: Option<PolicyLocation<'_>>,
) -> Option<(usize, usize)> {
    let id = found.policy_id();
    let whole = set.policy(id)?.to_json().ok()?;
    let clauses = outline(found, home)?.clauses;
    if conditions(&whole).count() != clauses.len() {
        return None;
    }
    let is_impossible_with = |count: usize| {
        let mut part = whole.clone();
        let kept = part.get_mut("conditions").and_then(Json::as_array_mut);
        kept?.truncate(count);
        let policy = Policy::from_json(Some(id.clone()), part).ok()?;
        let part = PolicySet::from_policies([policy]).ok()?;
        let result = Validator::new(schema.clone()).validate(&part, ValidationMode::Strict);
        let mut warnings = result.validation_warnings();
        warnings
            .any(|found| matches!(found, ValidationWarning::ImpossiblePolicy(_)))
            .then_some(())
    };
    let counts = clauses.iter().zip(1_usize..);
    let mut first = counts.filter(|(_, count)| is_impossible_with(*count).is_some());
    first.next().map(|(place, _)| *place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_findings_mark() {
        assert_eq!(action_id("Action::\"a.b\""), Some("a.b"));
        assert_eq!(action_id("Action :: \"a\""), Some("a"));
        assert_eq!(action_id("N::Action::\"a\""), None);
        assert_eq!(
            access("context.facts\n  .account.closed"),
            Some(("context.facts.account".to_owned(), "closed"))
        );
        assert_eq!(access("context[\"a.b\"]"), None);
        assert_eq!(access("x.getTag(\"a\").b"), None);
    }
}
