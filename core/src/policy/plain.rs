//! Plain Cedar: any schema (or none), policies, templates with links and entities, without the tenancy kernel.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::{Entities, EntityId, EntityTypeName, EntityUid, PolicyId, PolicySet, Schema, SchemaFragment, SlotId};
use serde_json::Value;

use super::diagnose;
use super::fast::Compiled;
use super::resident::Resident;
use super::rules::{Rules, in_text_order};
use super::source::{File, placeless};
use super::validate;
use super::values::{Record, Types};
use crate::error::{Fault, Faults};
use crate::scan::{self, Language};
use crate::{Caps, Error, Validation, json, stack};

/// A plain Cedar program: what `cedar-policy` itself would load.
///
/// `policies` and `schema` are Cedar text, or Cedar's JSON form: text whose first character is `{`. `links` is a JSON
/// list of `{"templateId", "newId", "values"}` as in Cedar's JSON policy sets, `entities` Cedar's JSON list of entities.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    /// Policies and templates. In Cedar text they are named `policy0`, `policy1`, ... as Cedar names them.
    pub policies: String,
    /// The schema, if there is one.
    pub schema: Option<String>,
    /// Links of the templates.
    pub links: Option<String>,
    /// The entities that every request sees.
    pub entities: Option<String>,
    /// Whether each request must fit the schema; unset: where there is a schema and it is used to validate.
    pub validate_requests: Option<bool>,
}

/// A loaded [`Program`].
#[derive(Debug)]
pub(crate) struct Plain {
    pub(crate) rules: Rules,
    pub(crate) schema: Option<Schema>,
    /// What the schema says of attributes, tags and contexts.
    pub(super) types: Option<Types>,
    pub(crate) validate_requests: bool,
    /// Of which numbering the numbers of entities and texts are, for handles.
    pub(super) numbering: u32,
    /// The entities and policies in the form that answers.
    pub(crate) resident: Resident,
    pub(crate) compiled: Compiled,
    /// What the schema says of each action.
    pub(super) admitted: HashMap<u32, Admitted>,
    /// The types whose ids are listed in the schema, and those ids.
    pub(super) enumerated: HashSet<u32>,
    pub(super) choices: HashSet<u32>,
}

/// The requests of one action, by numbers.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) principals: Vec<u32>,
    pub(super) resources: Vec<u32>,
    /// Nothing where it is not known.
    pub(super) context: Option<Arc<Record>>,
}

/// JSON forms nest twice for each level of an expression; the cap on depth is that of the text form.
fn json_nesting(caps: &Caps) -> usize {
    caps.depth.saturating_mul(2)
}

/// Loads a program, whole or not at all.
pub(crate) fn load(program: &Program, validation: Validation, caps: &Caps) -> Result<Plain, Error> {
    let policies = File { name: "policies".into(), text: program.policies.clone() };
    let schema = program.schema.as_ref().map(|text| File { name: "schema".into(), text: text.clone() });
    let mut faults = Vec::new();
    let mut depth = 64;
    for (file, language) in [Some((&policies, Language::Policy)), schema.as_ref().map(|file| (file, Language::Schema))].into_iter().flatten() {
        match scan_file(file, language, caps) {
            Ok(found) => depth = depth.max(found),
            Err(fault) => faults.push(fault),
        }
    }
    Faults::into_result(faults)?;
    stack::run(depth, || build(program, &policies, schema.as_ref(), depth, validation, caps))
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// The depth of the tree that the file's text would become, or the cap that it passes.
pub(crate) fn scan_file(file: &File, language: Language, caps: &Caps) -> Result<usize, Fault> {
    if file.text.len() > caps.file_bytes {
        return Err(placeless("bundle.too_large", format!("`{}` has {} bytes, more than {}", file.name, file.text.len(), caps.file_bytes)));
    }
    if is_json(&file.text) {
        return Ok(json::depth(&file.text));
    }
    scan::scan(&file.text, language, caps).map_err(|fault| file.fault(fault.code, fault.message, fault.offset, 1))
}

fn build(program: &Program, policies: &File, schema: Option<&File>, depth: usize, validation: Validation, caps: &Caps) -> Result<Plain, Error> {
    let mut faults = Vec::new();
    let parsed_schema = schema.map(|file| parse_schema(file, caps)).transpose().unwrap_or_else(|found| {
        faults.extend(found);
        None
    });
    let (parsed_schema, form) = parsed_schema.unzip();
    let set = parse_policies(policies, caps).unwrap_or_else(|found| {
        faults.extend(found);
        PolicySet::new()
    });
    Faults::into_result(faults)?;
    let mut set = set;
    if let Some(links) = &program.links {
        link(&mut set, links, caps)?;
    }
    let order: Vec<_> = if is_json(&policies.text) {
        set.policies()
            .filter(|policy| policy.is_static())
            .map(cedar_policy::Policy::id)
            .chain(set.templates().map(cedar_policy::Template::id))
            .map(|id| (id.clone(), None))
            .collect()
    } else {
        in_text_order(&set, policies, 0)
            .iter()
            .map(|part| (part.body.id().clone(), Some((policies.name.as_str().into(), policies.place(part.start, part.len).line))))
            .collect()
    };
    if let Some(schema) = &parsed_schema
        && validation != Validation::Off
    {
        validate::validate(schema, &set, validation, |_| Some((policies, None)))?;
    }
    let (entities, mut parents) = match &program.entities {
        Some(text) => read_entities(text, parsed_schema.as_ref(), caps)?,
        None => (Entities::from_entities([], parsed_schema.as_ref()).map_err(|found| entity_faults(&found))?, Parents::new()),
    };
    let validate_requests = program.validate_requests.unwrap_or(validation != Validation::Off) && parsed_schema.is_some();
    let rules = Rules::new(set, &order, depth, false);
    let types = form.map(|form| Types::new(&[form]));
    for (kind, id, deed) in types.iter().flat_map(Types::actions) {
        let above = deed.groups.iter().map(|(kind, id)| (kind.to_string(), id.to_string())).collect();
        parents.insert((kind.to_owned(), id.to_owned()), above);
    }
    let mut resident = Resident::new(&entities, &parents);
    let compiled = Compiled::new(&rules, &mut resident);
    let mut plain = Plain {
        rules,
        schema: parsed_schema,
        types: None,
        validate_requests,
        numbering: crate::handle::numbering(),
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
        return Err(placeless("bundle.too_large", "`entities` has more than can be numbered").into());
    }
    Ok(plain)
}

impl Plain {
    /// Takes in what the schema says of requests.
    fn declare(&mut self, types: Types) {
        for kind in types.kinds() {
            let text = self.resident.take_kind(&kind.name);
            if let Some(choices) = &kind.choices {
                self.enumerated.insert(text);
                self.choices.extend(choices.iter().map(|id| self.resident.number(&kind.name, id)));
            }
        }
        for (kind, id, deed) in types.actions() {
            let number = self.resident.number(kind, id);
            let mut texts = |names: &[Box<str>]| names.iter().map(|name| self.resident.take_kind(name)).collect();
            let admitted = Admitted { principals: texts(&deed.principals), resources: texts(&deed.resources), context: deed.context.clone() };
            self.admitted.insert(number, admitted);
        }
        self.types = Some(types);
    }
}

/// Those directly above each entity, by type and id: Cedar keeps them, but tells only all that are above.
type Parents = HashMap<(String, String), Vec<(String, String)>>;

fn name(value: &Value) -> Option<(String, String)> {
    let value = value.get("__entity").unwrap_or(value);
    Some((value.get("type")?.as_str()?.to_owned(), value.get("id")?.as_str()?.to_owned()))
}

fn parents_of(entities: &Value) -> Parents {
    let mut parents = Parents::new();
    for entity in entities.as_array().into_iter().flatten() {
        let above = entity.get("parents").and_then(Value::as_array).into_iter().flatten().filter_map(name).collect();
        if let Some(uid) = entity.get("uid").and_then(name) {
            parents.insert(uid, above);
        }
    }
    parents
}

fn entity_faults(found: &dyn miette::Diagnostic) -> Error {
    Faults::into_result(diagnose::faults("bundle.entities", found, None, None)).err().unwrap_or(Error::Bundle(Faults::default()))
}

fn read_entities(text: &str, schema: Option<&Schema>, caps: &Caps) -> Result<(Entities, Parents), Error> {
    if text.len() > caps.entities_bytes {
        return Err(placeless("bundle.too_large", format!("`entities` has {} bytes, more than {}", text.len(), caps.entities_bytes)).into());
    }
    let value = json::parse("entities", text, caps.value_nesting)?;
    let parents = parents_of(&value);
    let entities = Entities::from_json_value(value, schema).map_err(|found| entity_faults(&found))?;
    Ok((entities, parents))
}

/// The schema, and its JSON form.
fn parse_schema(file: &File, caps: &Caps) -> Result<(Schema, Value), Vec<Fault>> {
    let fragment = if is_json(&file.text) {
        let value = json::parse(&file.name, &file.text, json_nesting(caps)).map_err(|error| vec![json_fault(file, &error)])?;
        SchemaFragment::from_json_value(value).map_err(|found| diagnose::faults("bundle.schema", &found, None, None))
    } else {
        SchemaFragment::from_cedarschema_str(&file.text)
            .map(|(fragment, _)| fragment)
            .map_err(|found| diagnose::faults("bundle.syntax", &found, Some(file), None))
    }?;
    let form = fragment.clone().to_json_value().map_err(|found| diagnose::faults("bundle.schema", &found, Some(file), None))?;
    let schema = Schema::from_schema_fragments([fragment]).map_err(|found| diagnose::faults("bundle.schema", &found, Some(file), None))?;
    Ok((schema, form))
}

/// JSON errors as faults of a file.
pub(crate) fn json_fault(file: &File, error: &Error) -> Fault {
    let (code, place) = match error {
        Error::DuplicateKey { line, column, .. } => ("bundle.duplicate_key", Some((*line, *column))),
        Error::Json { line, column, .. } => ("bundle.json", Some((*line, *column))),
        Error::Nesting { .. } => ("bundle.too_deep", None),
        _ => ("bundle.json", None),
    };
    let offset = place.map(|(line, column)| file.offset(line, column));
    match offset {
        Some(offset) => file.fault(code, error.to_string(), offset, 1),
        None => placeless(code, error.to_string()),
    }
}

fn parse_policies(file: &File, caps: &Caps) -> Result<PolicySet, Vec<Fault>> {
    if is_json(&file.text) {
        let value = json::parse(&file.name, &file.text, json_nesting(caps)).map_err(|error| vec![json_fault(file, &error)])?;
        return PolicySet::from_json_value(value).map_err(|found| diagnose::faults("bundle.syntax", &found, None, None));
    }
    PolicySet::from_str(&file.text).map_err(|found| diagnose::faults("bundle.syntax", &found, Some(file), None))
}

/// Links templates as `links` says: a JSON list of `{"templateId", "newId", "values": {"?principal": {"type", "id"}}}`.
pub(crate) fn link(set: &mut PolicySet, links: &str, caps: &Caps) -> Result<(), Error> {
    let value = json::parse("links", links, caps.value_nesting)?;
    let wrong = |nth: usize, reason: &str| placeless("bundle.link", format!("link {nth}: {reason}"));
    let Value::Array(items) = value else { return Err(wrong(0, "links are a list").into()) };
    let mut faults = Vec::new();
    for (nth, item) in items.iter().enumerate() {
        let linked = read_link(item).and_then(|(template, id, values)| set.link(template, id, values).map_err(|found| found.to_string()));
        if let Err(reason) = linked {
            faults.push(wrong(nth, &reason));
        }
    }
    Faults::into_result(faults)
}

type Link = (PolicyId, PolicyId, HashMap<SlotId, EntityUid>);

fn read_link(item: &Value) -> Result<Link, String> {
    let text = |key: &str| item.get(key).and_then(Value::as_str).ok_or_else(|| format!("`{key}` is missing or no string"));
    if let Some(unknown) = item.as_object().and_then(|fields| fields.keys().find(|key| !["templateId", "newId", "values"].contains(&key.as_str()))) {
        return Err(format!("unknown field `{unknown}`"));
    }
    let (template, id) = (text("templateId")?, text("newId")?);
    let mut values = HashMap::new();
    for (slot, value) in item.get("values").and_then(Value::as_object).ok_or("`values` is missing or no object")? {
        let slot = match slot.as_str() {
            "?principal" => SlotId::principal(),
            "?resource" => SlotId::resource(),
            other => return Err(format!("no slot `{other}`")),
        };
        let value = value.get("__entity").unwrap_or(value);
        let part = |key: &str| value.get(key).and_then(Value::as_str).ok_or_else(|| format!("a slot's value has no `{key}`"));
        let kind = EntityTypeName::from_str(part("type")?).map_err(|found| found.to_string())?;
        values.insert(slot, EntityUid::from_type_name_and_id(kind, EntityId::new(part("id")?)));
    }
    Ok((PolicyId::new(template), PolicyId::new(id), values))
}
