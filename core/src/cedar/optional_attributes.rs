//! Finds policies that fail open if a request leaves something out. For example, `forbid ... when {
//! resource has created_by && ... }` does not apply to a campaign if its host does not say who
//! created it.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::Effect;
use serde_json::Value as Json;

use super::lint_request::{
    LintRequest, LintedPolicy, RequestShapes, conditions, only, tested, variable,
};
use super::source_scan::find_has;
use super::tenant_facts::is_directory_type;
use super::value_json::{CedarType, RecordType};
use crate::util::error::Diagnostic;

/// Path of the facts, which the engine adds itself.
const FACTS: &str = "context.facts";

/// Schema information about the contents of requests.
struct RequestContents<'a>(&'a RequestShapes<'a>);

/// Returns a warning for each optional part of a request whose absence makes the policy refuse
/// less.
pub(super) fn warnings(linted: &LintedPolicy<'_>) -> Vec<Diagnostic> {
    let contents = RequestContents(linted.shapes);
    let open = linted.part.body.effect() == Effect::Forbid;
    let mut found: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for request in linted.requests {
        let mut paths = Vec::new();
        for (body, holds) in conditions(linted.json) {
            contents.visit(request, body, open == holds, &mut paths);
        }
        for path in paths {
            found.entry(path).or_default().insert(request.name);
        }
    }
    found
        .into_iter()
        .map(|(path, actions)| fault(linted, &path, &actions))
        .collect()
}

impl RequestContents<'_> {
    /// Collects the paths of an expression. `open` tells whether the policy refuses less if the
    /// expression is false.
    fn visit(
        &self,
        request: &LintRequest<'_>,
        expression: &Json,
        open: bool,
        paths: &mut Vec<String>,
    ) {
        let Some((operator, operands)) = only(expression) else {
            return;
        };
        let side = |name: &str| operands.get(name).unwrap_or(&Json::Null);
        match operator {
            "&&" | "||" => {
                let (left, right) = (side("left"), side("right"));
                // If the other side decides alone, this side does not matter.
                let deciding = Some(operator == "||");
                if request.fold(right) != deciding {
                    self.visit(request, left, open, paths);
                }
                if request.fold(left) != deciding {
                    self.visit(request, right, open, paths);
                }
            }
            "!" => self.visit(request, side("arg"), !open, paths),
            "if-then-else" => {
                let (condition, then, otherwise) = (side("if"), side("then"), side("else"));
                match (request.fold(then), request.fold(otherwise)) {
                    // `if a then b else false` is `a && b`.
                    (_, Some(false)) | (Some(true), _) => {
                        self.visit(request, condition, open, paths);
                    }
                    (Some(false), _) | (_, Some(true)) => {
                        self.visit(request, condition, !open, paths);
                    }
                    // The policy states the result without the attribute, so it is not an
                    // oversight.
                    (None, None) => {}
                }
                self.visit(request, then, open, paths);
                self.visit(request, otherwise, open, paths);
            }
            "has" if open => {
                self.optional(request, side("left"), tested(operands), paths);
            }
            "hasTag"
                if open
                    && variable(side("left")) == Some("resource")
                    && !is_directory_type(request.resource) =>
            {
                let tag = side("right")
                    .get("Value")
                    .and_then(Json::as_str)
                    .unwrap_or("...");
                paths.push(format!("resource.getTag(\"{tag}\")"));
            }
            _ => {}
        }
    }

    /// Collects the attributes of a path that are part of a request and optional.
    fn optional<'n>(
        &self,
        request: &LintRequest<'_>,
        from: &Json,
        attributes: impl Iterator<Item = &'n str>,
        paths: &mut Vec<String>,
    ) {
        let Some((mut path, mut record)) = self.record(request, from) else {
            return;
        };
        for attribute in attributes {
            let Some(field) = record.field(attribute) else {
                return;
            };
            let is_required = field.required
                || path == "resource" && request.action.requires.contains(attribute)
                || is_filled(request, &path, attribute);
            path = format!("{path}.{attribute}");
            if !is_required {
                paths.push(path.clone());
            }
            match &field.ty {
                CedarType::Record(inner) if path != FACTS => record = inner,
                _ => return,
            }
        }
    }

    /// Returns the path and type of an expression that is a record within the request.
    fn record(
        &self,
        request: &LintRequest<'_>,
        expression: &Json,
    ) -> Option<(String, &RecordType)> {
        match variable(expression) {
            Some("resource") if !is_directory_type(request.resource) => {
                return Some((
                    "resource".to_owned(),
                    self.0
                        .types
                        .shape(request.resource)?
                        .attributes
                        .as_deref()?,
                ));
            }
            Some("context") => {
                return Some((
                    "context".to_owned(),
                    self.0
                        .types
                        .action("Action", request.name)?
                        .context
                        .as_deref()?,
                ));
            }
            Some(_) => return None,
            None => {}
        }
        let (".", operands) = only(expression)? else {
            return None;
        };
        let attribute = operands.get("attr")?.as_str()?;
        let (path, record) = self.record(request, operands.get("left")?)?;
        let path = format!("{path}.{attribute}");
        match &record.field(attribute)?.ty {
            CedarType::Record(inner) if path != FACTS => Some((path, inner)),
            _ => None,
        }
    }
}

/// Returns whether the engine fills this field of the context, or a part of it, for a command.
fn is_filled(request: &LintRequest<'_>, path: &str, attribute: &str) -> bool {
    let mut names = path.split('.').chain([attribute]);
    names.next() == Some("context")
        && names
            .next()
            .is_some_and(|field| request.action.is_filled(field))
}

fn fault(linted: &LintedPolicy<'_>, path: &str, actions: &BTreeSet<&str>) -> Diagnostic {
    let (from, name) = path.rsplit_once('.').unwrap_or(("", path));
    let (start, len) = linted.part.place(find_has(linted.text(), from, name));
    let id = linted.id();
    let message = format!(
        "policy `{id}` refuses less where a request leaves out `{path}`, which {} can",
        list_of(actions)
    );
    // `@requires` names only attributes of the resource.
    let help = match (from, name.ends_with(')')) {
        ("resource", false) => None,
        (_, true) => Some(format!(
            "refuse where the tag is absent: `unless {{ {} && ... }}`",
            path.replace("getTag", "hasTag")
        )),
        (_, false) => Some(format!(
            "make the field required in the schema, or refuse where it is absent: `unless {{ {from} has {name} && ... }}`"
        )),
    };
    let fault = linted.file.fault("bundle.left_out", message, start, len);
    fault.with_help(help)
}

/// Returns the first action, and how many more there are.
pub(super) fn list_of(actions: &BTreeSet<&str>) -> String {
    let first = actions.first().copied().unwrap_or_default();
    match actions.len().saturating_sub(1) {
        0 => format!("`{first}`"),
        1 => format!("`{first}` and 1 more action"),
        more => format!("`{first}` and {more} more actions"),
    }
}
