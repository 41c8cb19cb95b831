//! Finds each `has` with a name that nothing declares, and each `hasTag` where there are no tags.
//! Cedar allows both, and they are always false: a misspelled name would switch a rule off.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::lint_request::{
    LintRequest, LintedPolicy, RequestShapes, conditions, only, tested, variable,
};
use super::optional_attributes::list_of;
use super::source_scan::{find_has, find_name};
use super::value_json::{CedarType, RecordType};
use crate::util::error::Diagnostic;
use crate::util::spelling::did_you_mean;

/// The record in which a `has` looks.
struct Owner<'a> {
    record: &'a RecordType,
    /// The declaration of the record, for messages.
    words: String,
}

/// Stands for the name if a policy tests a tag.
const HAS_TAG: &str = "hasTag()";

/// One name that a policy tests, as the schema declares it for all requests of the policy.
#[derive(Default)]
struct TestedName<'a> {
    declared: BTreeSet<&'a str>,
    /// Actions for which nothing declares the name.
    absent: BTreeSet<&'a str>,
    /// The declarations that were expected to have it.
    owners: BTreeSet<String>,
    /// Names that the owners declare.
    names: BTreeSet<&'a str>,
}

/// The names that a policy tests, by path and name.
type TestedNames<'a> = BTreeMap<(String, String), TestedName<'a>>;

/// Returns a fault for each tested name that no type at its place declares.
pub(super) fn faults(linted: &LintedPolicy<'_>) -> Vec<Diagnostic> {
    let found = tested_names(linted);
    let is_known_elsewhere = |name: &str| match name {
        HAS_TAG => linted.shapes.types.has_tags(),
        _ => linted.shapes.types.is_attribute(name),
    };
    let unknown = found.iter().filter(|((path, name), tested)| {
        let is_open = tested.owners.len() > 1 && !path.contains('.') && path != "context";
        tested.declared.is_empty()
            && !tested.absent.is_empty()
            // A policy about all types may test what only types of another product have.
            && !(is_open && is_known_elsewhere(name))
    });
    let id = linted.id();
    let fault = |((path, name), tested): (&(String, String), &TestedName<'_>)| {
        let what = if path == "context" {
            "field"
        } else {
            "attribute"
        };
        let owners: BTreeSet<&str> = tested.owners.iter().map(String::as_str).collect();
        let owner = owners.first().copied().unwrap_or_default();
        let more = match owners.len().saturating_sub(1) {
            0 => String::new(),
            more => format!(" or of {more} more"),
        };
        let (message, place) = if name == HAS_TAG {
            (
                format!("policy `{id}`: the schema declares no tags of {owner}{more}"),
                find_name(linted.text(), "hasTag"),
            )
        } else {
            (
                format!("policy `{id}`: `{name}` is no {what} of {owner}{more}"),
                find_has(linted.text(), path, name),
            )
        };
        let (start, len) = linted.part.place(place);
        let fault = linted
            .file
            .fault("bundle.unknown_attribute", message, start, len);
        fault.with_help(did_you_mean(name, tested.names.iter().copied()))
    };
    unknown.map(fault).collect()
}

/// Returns a warning for each context field that a policy tests, and that only a part of its
/// actions declares.
pub(super) fn absent_fields(linted: &LintedPolicy<'_>) -> Vec<Diagnostic> {
    let found = tested_names(linted);
    let partly = found.iter().filter(|((path, _), tested)| {
        path == "context" && !tested.declared.is_empty() && !tested.absent.is_empty()
    });
    let id = linted.id();
    let fault = |((path, name), tested): (&(String, String), &TestedName<'_>)| {
        let message = format!(
            "`context.{name}` is absent from {}, to which policy `{id}` applies",
            list_of(&tested.absent)
        );
        let (start, len) = linted.part.place(find_has(linted.text(), path, name));
        linted
            .file
            .fault("bundle.absent_field", message, start, len)
    };
    partly.map(fault).collect()
}

fn tested_names<'a>(linted: &LintedPolicy<'a>) -> TestedNames<'a> {
    let mut found = TestedNames::new();
    for request in linted.requests {
        let mut walk = Walk {
            request,
            shapes: linted.shapes,
            found: &mut found,
        };
        for (body, _) in conditions(linted.json) {
            walk.visit(body);
        }
    }
    found
}

/// A walk through the expressions of a policy for the requests of one shape.
struct Walk<'w, 'a, 's> {
    request: &'a LintRequest<'a>,
    shapes: &'a RequestShapes<'s>,
    found: &'w mut TestedNames<'a>,
}

impl<'a> Walk<'_, 'a, '_> {
    fn visit(&mut self, expression: &Json) {
        let Some((operator, operands)) = only(expression) else {
            return;
        };
        let side = |name: &str| operands.get(name).unwrap_or(&Json::Null);
        match operator {
            "Value" | "Var" => {}
            "&&" | "||" => {
                self.visit(side("left"));
                // Otherwise the left side decides, and the right side is never read.
                if self.request.fold(side("left")) != Some(operator == "||") {
                    self.visit(side("right"));
                }
            }
            "if-then-else" => {
                let condition = self.request.fold(side("if"));
                self.visit(side("if"));
                if condition != Some(false) {
                    self.visit(side("then"));
                }
                if condition != Some(true) {
                    self.visit(side("else"));
                }
            }
            "has" => {
                self.visit(side("left"));
                self.test(side("left"), tested(operands));
            }
            "hasTag" => {
                self.visit(side("left"));
                self.visit(side("right"));
                self.test_tags(side("left"));
            }
            _ => match operands {
                Json::Object(fields) => fields.values().for_each(|one| self.visit(one)),
                Json::Array(items) => items.iter().for_each(|one| self.visit(one)),
                _ => {}
            },
        }
    }

    /// Records the names that a `has` tests, up to the first that nothing declares.
    fn test<'n>(&mut self, from: &Json, names: impl Iterator<Item = &'n str>) {
        let Some((mut path, mut place)) = self.place(from) else {
            return;
        };
        for name in names {
            let Some(owner) = self.owner(&place, &path) else {
                return;
            };
            let key = (path.clone(), name.to_owned());
            let tested = self.found.entry(key).or_default();
            let Some(field) = owner.record.field(name) else {
                tested.absent.insert(self.request.name);
                tested.owners.insert(owner.words);
                tested.names.extend(owner.record.names());
                return;
            };
            tested.declared.insert(self.request.name);
            path = format!("{path}.{name}");
            place = Place::Value(&field.ty);
        }
    }

    /// Records whether the type of an expression has tags.
    fn test_tags(&mut self, from: &Json) {
        let Some((path, place)) = self.place(from) else {
            return;
        };
        let kind = match place {
            Place::Entity(kind) => kind,
            Place::Value(CedarType::Entity(kind)) => &kind.name,
            Place::Context | Place::Value(_) => return,
        };
        let Some(shape) = self.shapes.types.shape(kind) else {
            return;
        };
        let tested = self.found.entry((path, HAS_TAG.to_owned())).or_default();
        if shape.tags.is_some() {
            tested.declared.insert(self.request.name);
        } else {
            tested.absent.insert(self.request.name);
            tested.owners.insert(format!("`{kind}`"));
        }
    }

    /// Returns the path of an expression and what it leads to, if both are known.
    fn place(&self, expression: &Json) -> Option<(String, Place<'a>)> {
        if let Some(name) = variable(expression) {
            let place = match name {
                "principal" => Place::Entity(self.request.principal),
                "resource" => Place::Entity(self.request.resource),
                "context" => Place::Context,
                _ => return None,
            };
            return Some((name.to_owned(), place));
        }
        let (".", operands) = only(expression)? else {
            return None;
        };
        let name = operands.get("attr")?.as_str()?;
        let (path, place) = self.place(operands.get("left")?)?;
        let field = self.owner(&place, &path)?.record.field(name)?;
        Some((format!("{path}.{name}"), Place::Value(&field.ty)))
    }

    /// Returns the record of a place.
    fn owner(&self, place: &Place<'a>, path: &str) -> Option<Owner<'a>> {
        let of_entity = |kind: &str| {
            Some(Owner {
                record: self.shapes.types.shape(kind)?.attributes.as_deref()?,
                words: format!("`{kind}`"),
            })
        };
        match place {
            Place::Entity(kind) => of_entity(kind),
            Place::Context => Some(Owner {
                record: self
                    .shapes
                    .types
                    .action("Action", self.request.name)?
                    .context
                    .as_deref()?,
                words: format!("the context of `{}`", self.request.name),
            }),
            Place::Value(CedarType::Entity(kind)) => of_entity(&kind.name),
            Place::Value(CedarType::Record(record)) => Some(Owner {
                record,
                words: format!("`{}`", record.name().unwrap_or(path)),
            }),
            Place::Value(_) => None,
        }
    }
}

/// The thing to which a path leads.
#[derive(Clone, Copy)]
enum Place<'a> {
    Entity(&'a str),
    Context,
    Value(&'a CedarType),
}
