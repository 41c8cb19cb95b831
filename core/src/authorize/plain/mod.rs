//! Plain Cedar: policies, templates with links, and entities, under any schema or none, without the
//! tenant kernel.

pub(crate) mod entity_slice;
pub(crate) mod entity_table;
mod entity_values;
pub(crate) mod evaluate;
mod run_policies;

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::{Entities, EntityTypeName, EntityUid, PolicyId, PolicySet, Schema};

use super::plain::entity_table::EntityTable;
use super::program_set::ProgramSet;
use crate::cedar::load_program::{
    CedarProgram, DirectParents, entity_faults, is_json, link, parse_policies, parse_schema,
    read_entities, scan_file,
};
use crate::cedar::options::Validation;
use crate::cedar::policy_list::{PolicyList, PolicyOrigin, in_text_order};
use crate::cedar::source::{File, placeless};
use crate::cedar::validate::{self, Undeclared};
use crate::cedar::value_json::{CedarTypes, RecordType};
use crate::model::reference::EntityRef;
use crate::util::error::{Diagnostics, Error};
use crate::util::nesting_scan::Language;
use crate::util::parse_limits::ParseLimits;
use crate::util::stack;

/// A loaded [`CedarProgram`].
#[derive(Debug)]
pub(crate) struct CedarEvaluator {
    pub(crate) rules: PolicyList,
    pub(crate) schema: Option<Schema>,
    /// The attributes, tags and contexts that the schema declares.
    pub(crate) types: Option<CedarTypes>,
    pub(crate) validate_requests: bool,
    /// The generation of the numbers of entities and texts, which handles compare with.
    pub(crate) numbering: u32,
    /// The entities and policies in compiled form.
    pub(crate) resident: EntityTable,
    pub(crate) compiled: ProgramSet,
    /// The types that the schema allows, by action.
    pub(crate) admitted: HashMap<u32, AllowedTypes>,
    /// The types whose ids the schema lists, and those ids.
    pub(crate) enumerated: HashSet<u32>,
    pub(crate) choices: HashSet<u32>,
}

/// The principal and resource types of one action, and its context type.
#[derive(Debug)]
pub(crate) struct AllowedTypes {
    pub(crate) principals: Vec<u32>,
    pub(crate) resources: Vec<u32>,
    /// `None` if the context type is unknown.
    pub(crate) context: Option<Arc<RecordType>>,
}

/// Loads a program. Either all of it is loaded or nothing.
pub(crate) fn load(
    program: &CedarProgram,
    validation: Validation,
    caps: &ParseLimits,
) -> Result<CedarEvaluator, Error> {
    let file = |name: &str, text: &String| File {
        name: name.into(),
        text: text.clone(),
    };
    let policies = file("policies", &program.policies);
    let schema = program.schema.as_ref().map(|text| file("schema", text));
    let mut faults = Vec::new();
    let mut depth = 64;
    let schema_file = schema.iter().map(|file| (file, Language::Schema));
    for (file, language) in std::iter::once((&policies, Language::Policy)).chain(schema_file) {
        match scan_file(file, language, caps) {
            Ok(found) => depth = depth.max(found),
            Err(fault) => faults.push(fault),
        }
    }
    Diagnostics::into_result(faults)?;
    stack::run(depth, || {
        build(program, &policies, schema.as_ref(), depth, validation, caps)
    })
}

/// Returns the ids of policies and templates in the order of the text, each with its file and line.
/// Cedar's JSON form has no places.
fn policy_order(set: &PolicySet, policies: &File) -> Vec<PolicyOrigin> {
    if is_json(&policies.text) {
        return set
            .policies()
            .filter(|policy| policy.is_static())
            .map(cedar_policy::Policy::id)
            .chain(set.templates().map(cedar_policy::Template::id))
            .map(|id| PolicyOrigin::unplaced(id.clone()))
            .collect();
    }
    in_text_order(set, policies, 0)
        .iter()
        .map(|part| PolicyOrigin::in_file(part.body.id().clone(), policies, part.start))
        .collect()
}

fn build(
    program: &CedarProgram,
    policies: &File,
    schema: Option<&File>,
    depth: usize,
    validation: Validation,
    caps: &ParseLimits,
) -> Result<CedarEvaluator, Error> {
    let mut faults = Vec::new();
    let parsed_schema = schema
        .map(|file| parse_schema(file, caps))
        .transpose()
        .unwrap_or_else(|found| {
            faults.extend(found);
            None
        });
    let (parsed_schema, form) = parsed_schema.unzip();
    let mut set = parse_policies(policies, caps).unwrap_or_else(|found| {
        faults.extend(found);
        PolicySet::new()
    });
    Diagnostics::into_result(faults)?;
    if let Some(links) = &program.links {
        link(&mut set, links, caps)?;
    }
    let order = policy_order(&set, policies);
    if let Some(schema) = &parsed_schema
        && validation != Validation::Off
    {
        let home = |_: &PolicyId| Some((policies, None));
        validate::validate(schema, &set, validation, Undeclared::default(), home)?;
    }
    let (entities, mut parents) = match &program.entities {
        Some(text) => read_entities(text, parsed_schema.as_ref(), caps)?,
        None => (
            Entities::from_entities([], parsed_schema.as_ref())
                .map_err(|error| entity_faults(&error))?,
            DirectParents::new(),
        ),
    };
    let validate_requests = program
        .validate_requests
        .unwrap_or(validation != Validation::Off)
        && parsed_schema.is_some();
    let rules = PolicyList::new(set, &order, depth, false);
    let types = form.map(|form| CedarTypes::new(&[form]));
    for (kind, id, deed) in types.iter().flat_map(CedarTypes::actions) {
        let groups = deed.groups.iter();
        let above = groups.map(|(kind, id)| (kind.to_string(), id.to_string()));
        parents.insert((kind.to_owned(), id.to_owned()), above.collect());
    }
    let mut resident = EntityTable::new(&entities, &parents);
    let compiled = ProgramSet::new(&rules, &mut resident);
    let mut plain = CedarEvaluator {
        rules,
        schema: parsed_schema,
        types: None,
        validate_requests,
        numbering: crate::util::generation::numbering(),
        resident,
        compiled,
        admitted: HashMap::new(),
        enumerated: HashSet::new(),
        choices: HashSet::new(),
    };
    if let Some(types) = types {
        plain.declare(types);
    }
    if plain.resident.full {
        return Err(placeless(
            "bundle.too_large",
            "`entities` has more than can be numbered",
        )
        .into());
    }
    Ok(plain)
}

impl CedarEvaluator {
    /// Adds the schema's declarations of entity types and actions.
    fn declare(&mut self, types: CedarTypes) {
        for kind in types.kinds() {
            let text = self.resident.insert_type(&kind.name);
            if let Some(choices) = &kind.choices {
                self.enumerated.insert(text);
                let numbers = choices
                    .iter()
                    .map(|id| self.resident.number(&kind.name, id));
                self.choices.extend(numbers);
            }
        }
        for (kind, id, deed) in types.actions() {
            let number = self.resident.number(kind, id);
            let mut texts = |names: &[Box<str>]| {
                let names = names.iter();
                names.map(|name| self.resident.insert_type(name)).collect()
            };
            let admitted = AllowedTypes {
                principals: texts(&deed.principals),
                resources: texts(&deed.resources),
                context: deed.context.clone(),
            };
            self.admitted.insert(number, admitted);
        }
        self.types = Some(types);
    }

    pub(crate) fn actions_for(&self, principal: &str, resource: &str) -> Vec<EntityRef> {
        let Some(schema) = &self.schema else {
            return Vec::new();
        };
        let types = [principal, resource].map(EntityTypeName::from_str);
        let [Ok(principal), Ok(resource)] = types else {
            return Vec::new();
        };
        let mut actions: Vec<EntityRef> = schema
            .actions_for_principal_and_resource(&principal, &resource)
            .map(named)
            .collect();
        actions.sort();
        actions
    }

    /// Returns the names of the schema's actions, sorted.
    pub(crate) fn action_names(&self) -> Vec<Arc<str>> {
        let actions = self.schema.iter().flat_map(Schema::actions);
        let mut names: Vec<Arc<str>> = actions
            .map(|uid| Arc::from(named(uid).action_name()))
            .collect();
        names.sort();
        names
    }
}

fn named(uid: &EntityUid) -> EntityRef {
    EntityRef::new(uid.type_name().to_string(), uid.id().unescaped())
}
