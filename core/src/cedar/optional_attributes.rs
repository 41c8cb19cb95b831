//! Finds policies that fail open if a request leaves something out. For example, `forbid ... when {
//! resource has created_by && ... }` does not apply to a campaign if its host does not say who
//! created it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cedar_policy::{Effect, Entities};
use serde_json::Value as Json;

use super::lint_request::{LintRequest, only, variable};
use super::policy_list::{ParsedPolicy, PolicyBody};
use super::schema::SchemaFile;
use super::source::File;
use super::tenant_facts::is_directory_type;
use super::value_json::{CedarType, CedarTypes, RecordType};
use crate::util::error::Diagnostic;

/// Path of the facts, which the engine adds itself.
const FACTS: &str = "context.facts";

/// Schema information about the contents of requests.
struct RequestContents<'a> {
    names: &'a SchemaFile,
    types: &'a CedarTypes,
    above: HashMap<String, HashSet<String>>,
}

/// Returns a warning for each policy and each optional part of a request whose absence makes the
/// policy refuse less.
pub(crate) fn warnings(
    parts: &[ParsedPolicy],
    files: &[File],
    names: &SchemaFile,
    types: &CedarTypes,
    actions: &Entities,
) -> Vec<Diagnostic> {
    let mut above: HashMap<String, HashSet<String>> = HashMap::new();
    for action in actions.iter() {
        let uid = action.uid();
        let groups = actions
            .ancestors(&uid)
            .into_iter()
            .flatten()
            .map(|group| group.id().unescaped().to_owned())
            .collect();
        above.insert(uid.id().unescaped().to_owned(), groups);
    }
    let brought = RequestContents {
        names,
        types,
        above,
    };
    parts
        .iter()
        .flat_map(|part| brought.of_policy(part, files))
        .collect()
}

impl RequestContents<'_> {
    fn of_policy(&self, part: &ParsedPolicy, files: &[File]) -> Vec<Diagnostic> {
        let policy = match &part.body {
            PolicyBody::Static(policy) => policy.to_json(),
            PolicyBody::Template(template) => template.to_json(),
        };
        let (Ok(policy), Some(file)) = (policy, files.get(part.file)) else {
            return Vec::new();
        };
        if part.body.annotation("warns").is_some() || !tests_request_values(&policy) {
            return Vec::new();
        }
        let mut found: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for (name, action) in &self.names.actions {
            let Some(above) = self.above.get(name) else {
                continue;
            };
            for (principal, resource) in action.principals.iter().flat_map(|principal| {
                action
                    .resources
                    .iter()
                    .map(move |resource| (principal, resource))
            }) {
                let request = LintRequest {
                    name,
                    action,
                    above,
                    principal,
                    resource,
                };
                if request.is_in_scope(&policy) {
                    let open = part.body.effect() == Effect::Forbid;
                    for path in self.left_out(&request, &policy, open) {
                        found.entry(path).or_default().insert(name);
                    }
                }
            }
        }
        let id = part.body.annotation("id").unwrap_or_default();
        found
            .into_iter()
            .map(|(path, actions)| fault(part, file, id, &path, &actions))
            .collect()
    }

    /// Returns the paths whose absence makes the policy refuse less.
    fn left_out(&self, request: &LintRequest<'_>, policy: &Json, open: bool) -> Vec<String> {
        let conditions = policy
            .get("conditions")
            .and_then(Json::as_array)
            .into_iter()
            .flatten();
        let mut conditions: Vec<(&Json, bool)> = conditions
            .filter_map(|condition| {
                Some((
                    condition.get("body")?,
                    condition.get("kind")?.as_str()? == "when",
                ))
            })
            .collect();
        if conditions
            .iter()
            .any(|(body, holds)| request.fold(body) == Some(!holds))
        {
            return Vec::new();
        }
        let mut paths = Vec::new();
        conditions
            .drain(..)
            .for_each(|(body, holds)| self.visit(request, body, open == holds, &mut paths));
        paths
    }

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
                // `resource has a.b` lists its attributes.
                let attributes = side("attr")
                    .as_array()
                    .map_or_else(|| std::slice::from_ref(side("attr")), Vec::as_slice);
                self.optional(
                    request,
                    side("left"),
                    attributes.iter().filter_map(Json::as_str),
                    paths,
                );
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
            let is_required =
                field.required || path == "resource" && request.action.requires.contains(attribute);
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
                    self.types.shape(request.resource)?.attributes.as_deref()?,
                ));
            }
            // The engine supplies the context of an action that a command requests.
            Some("context") if request.action.asks.is_empty() => {
                return Some((
                    "context".to_owned(),
                    self.types
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

/// Returns whether a policy tests the presence of anything that may come with a request. Most
/// policies test only facts.
fn tests_request_values(policy: &Json) -> bool {
    let mut left = vec![policy];
    while let Some(value) = left.pop() {
        match value {
            Json::Object(fields) => {
                let tested = fields
                    .get("has")
                    .or_else(|| fields.get("hasTag"))
                    .and_then(|operands| operands.get("left"));
                if tested.is_some_and(|from| !is_of_facts(from)) {
                    return true;
                }
                left.extend(fields.values());
            }
            Json::Array(items) => left.extend(items),
            _ => {}
        }
    }
    false
}

/// Returns whether the expression is a path from `principal` or `context.facts`.
fn is_of_facts(mut expression: &Json) -> bool {
    let mut attribute = "";
    loop {
        if let Some(name) = variable(expression) {
            return name == "principal" || name == "context" && attribute == "facts";
        }
        let Some(operands) = expression.get(".") else {
            return false;
        };
        attribute = operands
            .get("attr")
            .and_then(Json::as_str)
            .unwrap_or_default();
        expression = operands.get("left").unwrap_or(&Json::Null);
    }
}

fn fault(
    part: &ParsedPolicy,
    file: &File,
    id: &str,
    path: &str,
    actions: &BTreeSet<&str>,
) -> Diagnostic {
    let first = actions.first().copied().unwrap_or_default();
    let others = match actions.len().saturating_sub(1) {
        0 => String::new(),
        1 => " and 1 more action".to_owned(),
        more => format!(" and {more} more actions"),
    };
    let name = path.rsplit('.').next().unwrap_or(path);
    let policy = file
        .text
        .get(part.start..part.start.saturating_add(part.len))
        .unwrap_or_default();
    let (start, len) = match policy.find(&format!("has {name}")) {
        Some(at) => (part.start.saturating_add(at), name.len().saturating_add(4)),
        None => (part.start, part.len),
    };
    let message = format!(
        "policy `{id}` refuses less where a request leaves out `{path}`, which `{first}`{others} can"
    );
    file.fault("bundle.left_out", message, start, len)
}
