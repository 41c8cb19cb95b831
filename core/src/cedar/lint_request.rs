//! A request shape, and the value of a policy's expressions for all requests of that shape.

use std::collections::HashSet;

use serde_json::Value as Json;

use super::schema::Action;

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
