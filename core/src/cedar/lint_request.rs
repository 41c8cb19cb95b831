//! A request shape, and the value of a policy's expressions for all requests of that shape.

use std::collections::{HashMap, HashSet};

use cedar_policy::Entities;
use serde_json::Value as Json;

use super::policy_list::ParsedPolicy;
use super::schema::{Action, SchemaFile};
use super::source::File;
use super::value_json::CedarTypes;

/// All request shapes of a schema.
pub(super) struct RequestShapes<'a> {
    pub(super) names: &'a SchemaFile,
    pub(super) types: &'a CedarTypes,
    /// The groups of each action.
    above: HashMap<String, HashSet<String>>,
}

impl<'a> RequestShapes<'a> {
    pub(super) fn new(names: &'a SchemaFile, types: &'a CedarTypes, actions: &Entities) -> Self {
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
        Self {
            names,
            types,
            above,
        }
    }

    /// Returns the shapes of the requests to which the policy may apply.
    pub(super) fn of_policy(&self, policy: &Json) -> Vec<LintRequest<'_>> {
        let conditions: Vec<(&Json, bool)> = conditions(policy).collect();
        let mut found = Vec::new();
        for (name, action) in &self.names.actions {
            let Some(above) = self.above.get(name) else {
                continue;
            };
            for principal in &action.principals {
                for resource in &action.resources {
                    let request = LintRequest {
                        name,
                        action,
                        above,
                        principal,
                        resource,
                    };
                    let excludes =
                        |(body, holds): &(&Json, bool)| request.fold(body) == Some(!*holds);
                    if request.is_in_scope(policy) && !conditions.iter().any(excludes) {
                        found.push(request);
                    }
                }
            }
        }
        found
    }
}

/// A policy that the lints read, with the requests to which it may apply.
pub(super) struct LintedPolicy<'a> {
    pub(super) part: &'a ParsedPolicy,
    pub(super) file: &'a File,
    pub(super) json: &'a Json,
    pub(super) requests: &'a [LintRequest<'a>],
    pub(super) shapes: &'a RequestShapes<'a>,
}

impl LintedPolicy<'_> {
    pub(super) fn id(&self) -> &str {
        self.part.body.annotation("id").unwrap_or_default()
    }

    /// Returns the text from its `@id` or scope on.
    pub(super) fn text(&self) -> &str {
        self.part.text(self.file)
    }
}

/// Returns the clauses of a policy, each with the value that its expression must have.
pub(super) fn conditions(policy: &Json) -> impl Iterator<Item = (&Json, bool)> {
    let conditions = policy.get("conditions").and_then(Json::as_array);
    conditions.into_iter().flatten().filter_map(|condition| {
        let holds = condition.get("kind")?.as_str()? == "when";
        Some((condition.get("body")?, holds))
    })
}

/// A request shape: an action and the types of its principal and resource.
pub(super) struct LintRequest<'a> {
    pub(super) name: &'a str,
    pub(super) action: &'a Action,
    /// The action's groups.
    pub(super) above: &'a HashSet<String>,
    pub(super) principal: &'a str,
    pub(super) resource: &'a str,
}

impl LintRequest<'_> {
    pub(super) fn is_in_scope(&self, policy: &Json) -> bool {
        let part = |name: &str| policy.get(name).unwrap_or(&Json::Null);
        Self::is_of(part("principal"), self.principal)
            && Self::is_of(part("resource"), self.resource)
            && self.is_action(part("action")) != Some(false)
    }

    fn is_of(scope: &Json, kind: &str) -> bool {
        let named = scope
            .get("entity_type")
            .or_else(|| scope.get("entity").and_then(|entity| entity.get("type")))
            .and_then(Json::as_str);
        // Entities of any type may be in another entity.
        scope.get("op").and_then(Json::as_str) == Some("in")
            || named.is_none_or(|named| named == kind)
    }

    fn is_action(&self, scope: &Json) -> Option<bool> {
        let listed = scope
            .get("entities")
            .and_then(Json::as_array)
            .map(Vec::as_slice);
        let listed = listed.or_else(|| scope.get("entity").map(std::slice::from_ref))?;
        Some(
            listed
                .iter()
                .filter_map(|entity| entity.get("id")?.as_str())
                .any(|id| self.is_or_in(id)),
        )
    }

    fn is_or_in(&self, id: &str) -> bool {
        id == self.name || self.above.contains(id)
    }

    /// Returns the value of an expression if the request's types and action determine it.
    pub(super) fn fold(&self, expression: &Json) -> Option<bool> {
        let (operator, operands) = only(expression)?;
        let side = |name: &str| operands.get(name).unwrap_or(&Json::Null);
        match operator {
            "Value" => operands.as_bool(),
            "!" => self.fold(side("arg")).map(|value| !value),
            "&&" | "||" => match (self.fold(side("left")), self.fold(side("right"))) {
                (Some(left), Some(right)) => Some(if operator == "&&" {
                    left && right
                } else {
                    left || right
                }),
                (Some(one), None) | (None, Some(one)) if one == (operator == "||") => Some(one),
                _ => None,
            },
            "is" => {
                let kind = match variable(side("left"))? {
                    "principal" => self.principal,
                    "resource" => self.resource,
                    _ => return None,
                };
                side("entity_type").as_str().map(|named| named == kind)
            }
            "==" if variable(side("left")) == Some("action") => {
                entity(side("right")).map(|id| id == self.name)
            }
            "in" if variable(side("left")) == Some("action") => {
                match side("right").get("Set").and_then(Json::as_array) {
                    Some(list) => list
                        .iter()
                        .map(entity)
                        .collect::<Option<Vec<_>>>()
                        .map(|ids| ids.into_iter().any(|id| self.is_or_in(id))),
                    None => entity(side("right")).map(|id| self.is_or_in(id)),
                }
            }
            _ => None,
        }
    }
}

/// Returns whether a policy tests the presence of anything that may come with a request. Most
/// policies test only facts.
pub(super) fn tests_request_values(policy: &Json) -> bool {
    tests_any(policy, |from| !is_of_facts(from))
}

/// Returns whether a policy tests the presence of a field of the context.
pub(super) fn tests_context(policy: &Json) -> bool {
    tests_any(policy, |from| variable(from) == Some("context"))
}

/// Returns whether a policy has a test of presence on such an expression.
fn tests_any(policy: &Json, is_wanted: impl Fn(&Json) -> bool) -> bool {
    let mut left = vec![policy];
    while let Some(value) = left.pop() {
        match value {
            Json::Object(fields) => {
                let tested = fields
                    .get("has")
                    .or_else(|| fields.get("hasTag"))
                    .and_then(|operands| operands.get("left"));
                if tested.is_some_and(&is_wanted) {
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

/// Returns the attributes that a `has` names: `a has b.c` names two.
pub(super) fn tested(operands: &Json) -> impl Iterator<Item = &str> {
    let attributes = operands.get("attr").unwrap_or(&Json::Null);
    let attributes = attributes
        .as_array()
        .map_or_else(|| std::slice::from_ref(attributes), Vec::as_slice);
    attributes.iter().filter_map(Json::as_str)
}

/// Returns the operator and operands of an expression.
pub(super) fn only(expression: &Json) -> Option<(&str, &Json)> {
    expression
        .as_object()?
        .iter()
        .next()
        .map(|(operator, operands)| (operator.as_str(), operands))
}

pub(super) fn variable(expression: &Json) -> Option<&str> {
    expression.get("Var")?.as_str()
}

/// Returns the id of an entity that an expression names.
fn entity(expression: &Json) -> Option<&str> {
    expression
        .get("Value")?
        .get("__entity")?
        .get("id")?
        .as_str()
}
