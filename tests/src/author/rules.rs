//! Random policies: scopes, clauses, templates with links.

use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Value, json};

use super::atoms::AtomWriter;
use super::kinds::any_id;
use super::operators::{ATOMS, Atom, SELDOM};
use super::paths::{Path, RuleTypes, all_paths};
use super::schema::AuthorSchema;
use crate::{CedarFacts, Random};

/// An action that policies and requests are about.
#[derive(Debug, Clone)]
pub struct RuleAction {
    /// The id of the action.
    pub name: String,
    /// The groups that the action is a member of.
    pub groups: Vec<String>,
    /// The types of its principals.
    pub principals: Vec<&'static str>,
    /// The types of its resources.
    pub resources: Vec<&'static str>,
}

impl RuleAction {
    /// Returns the actions that can be requested. Their types become constants of the process.
    #[must_use]
    pub fn all(facts: &CedarFacts) -> Vec<Self> {
        let constants = |names: Vec<&str>| -> Vec<&'static str> {
            let names = names.into_iter().map(|name| &*name.to_owned().leak());
            names.collect()
        };
        let actions = facts
            .signatures()
            .map(|(name, principals, resources)| Self {
                name: name.to_owned(),
                groups: facts.groups(name).into_iter().map(str::to_owned).collect(),
                principals: constants(principals),
                resources: constants(resources),
            });
        actions.collect()
    }
}

/// One policy, or a template with its links.
#[derive(Debug, Clone)]
pub struct AuthorRule {
    /// The value of `@id`.
    pub id: String,
    /// The policy as Cedar text.
    pub text: String,
    /// The scope of the policy, or of one link of the template.
    pub scope: String,
    /// The conditions that the clauses join.
    pub atoms: Vec<Atom>,
    /// The links of a template.
    pub links: Vec<Value>,
}

/// Writes the policies of an author who has extended the schema.
pub struct RuleWriter<'a> {
    schema: &'a AuthorSchema,
    paths: HashMap<String, Rc<[Path]>>,
}

/// The variable of a scope.
struct Scope {
    text: String,
    /// The scope of a link, if `text` has a slot.
    link: Option<(String, Value)>,
    is_fixed: bool,
}

impl<'a> RuleWriter<'a> {
    /// Creates a writer.
    #[must_use]
    pub fn new(schema: &'a AuthorSchema) -> Self {
        Self {
            schema,
            paths: HashMap::new(),
        }
    }

    /// Returns one random policy about one of the actions.
    pub fn rule(&mut self, random: &mut Random, id: &str, actions: &[RuleAction]) -> AuthorRule {
        let action = random.pick(actions).clone();
        let is_template = random.once_in(16);
        let principal = *random.pick(&action.principals);
        let mut principal = variable(random, "principal", principal, is_template);
        let kind = *random.pick(&action.resources);
        let resource = variable(random, "resource", kind, false);
        let types = RuleTypes {
            principal: principal.1,
            is_principal_fixed: principal.0.is_fixed,
            action: action.name.clone(),
            resource: resource.1,
            is_resource_fixed: resource.0.is_fixed,
        };
        let mut names: Vec<String> = actions.iter().map(|action| action.name.clone()).collect();
        names.extend(action.groups.iter().cloned());
        let action = action_scope(random, &action, actions);
        let scope = |principal: &str| format!("({principal}, {action}, {})", resource.0.text);
        let (head, linked) = (scope(&principal.0.text), principal.0.link.take());
        let counted = linked
            .as_ref()
            .map_or(head.clone(), |(text, _)| scope(text));
        let paths = self.paths(&types);
        let mut atoms = Vec::new();
        let mut body = String::new();
        for _ in 0..1 + usize::from(random.once_in(3)) {
            let word = if random.once_in(4) { "unless" } else { "when" };
            let mut writer = AtomWriter::new(random, &paths, &names);
            body += &format!(" {word} {{ {} }}", Self::clause(&mut writer, &mut atoms));
        }
        let words = if random.below(100) < 62 {
            format!("@code(\"{id}\") forbid")
        } else {
            "permit".to_owned()
        };
        let links = linked.into_iter().map(|(_, value)| {
            let values = json!({ "?principal": value });
            json!({ "templateId": id, "newId": format!("{id}-link"), "values": values })
        });
        AuthorRule {
            id: id.to_owned(),
            text: format!("@id(\"{id}\") {words} {head}{body};\n"),
            scope: counted,
            atoms,
            links: links.collect(),
        }
    }

    fn paths(&mut self, types: &RuleTypes) -> Rc<[Path]> {
        let key = format!("{types:?}");
        let paths = self
            .paths
            .entry(key)
            .or_insert_with(|| all_paths(self.schema, types).into());
        Rc::clone(paths)
    }

    /// Returns a clause that joins up to three conditions, and adds these.
    fn clause(writer: &mut AtomWriter<'_>, atoms: &mut Vec<Atom>) -> String {
        let count = 1 + writer.random.below(3);
        let mut parts = Vec::new();
        while parts.len() < count {
            let mut operator = writer.random.pick(ATOMS).0;
            if writer.random.once_in(6) {
                operator = *writer.random.pick(&SELDOM);
            }
            if writer.has_tags() && writer.random.once_in(2) {
                operator = *writer.random.pick(&["getTag", "hasTag"]);
            }
            // Tags are declared for campaigns only.
            if operator.ends_with("Tag") && !writer.has_tags() && !writer.random.once_in(40) {
                continue;
            }
            if let Some(atom) = writer.atom(operator) {
                parts.push(format!("({})", atom.text()));
                atoms.push(atom);
            }
        }
        let random = &mut *writer.random;
        let mut clause = parts.remove(0);
        for part in parts {
            clause = match random.below(8) {
                0..=2 => format!("{clause} && {part}"),
                3..=5 => format!("({clause} || {part})"),
                6 => format!("(if {clause} then {part} else true)"),
                _ => format!("!({clause} || !{part})"),
            };
        }
        if random.once_in(8) {
            format!("!({clause})")
        } else {
            clause
        }
    }
}

fn variable(
    random: &mut Random,
    name: &str,
    kind: &'static str,
    is_template: bool,
) -> (Scope, &'static str) {
    let id = any_id(random, kind);
    if is_template {
        let value = json!({ "type": kind, "id": id });
        let link = format!("{name} == {kind}::\"{id}\"");
        let scope = Scope {
            text: format!("{name} == ?{name}"),
            link: Some((link, value)),
            is_fixed: false,
        };
        return (scope, kind);
    }
    let (text, is_fixed) = match random.below(20) {
        0 => (format!("{name} == {kind}::\"{id}\""), true),
        1 => (format!("{name} is {kind} in {kind}::\"{id}\""), true),
        2 if kind == "Broadcast" => (format!("{name} in Campaign::\"k\""), false),
        2 => (format!("{name} in {kind}::\"{id}\""), false),
        3..=8 => (name.to_owned(), false),
        _ => (format!("{name} is {kind}"), true),
    };
    let scope = Scope {
        text,
        link: None,
        is_fixed,
    };
    (scope, kind)
}

fn action_scope(random: &mut Random, action: &RuleAction, actions: &[RuleAction]) -> String {
    let name = &action.name;
    match random.below(8) {
        0 => "action".to_owned(),
        1 | 2 if !action.groups.is_empty() => {
            format!("action in Action::\"{}\"", random.pick(&action.groups))
        }
        3 => {
            let other = &random.pick(actions).name;
            format!("action in [Action::\"{name}\", Action::\"{other}\"]")
        }
        _ => format!("action == Action::\"{name}\""),
    }
}
