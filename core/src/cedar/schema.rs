//! Reads the parts of the schema that the engine needs beside types: actions with their annotations
//! and kinds, features and meters.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::command_fields::COMMAND_FIELDS;
use super::schema_context::{fields, has_facts, needs_context};
use super::source::{File, placeless};
use super::source_scan::find_action;
use super::tenant_facts::is_directory_type;
use super::value_json::CedarTypes;
use crate::util::error::Diagnostic;
use crate::util::spelling::did_you_mean;
use crate::vm::StoredValue;

/// The kinds of action (C8). The status policies refer to them.
pub(crate) const KINDS: [&str; 9] = [
    "login",
    "read",
    "write",
    "consume",
    "public",
    "unsubscribe",
    "billing",
    "ticket",
    "exit",
];

/// An action that can be requested.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Action {
    pub(crate) kind: String,
    pub(crate) feature: Option<String>,
    pub(crate) meters: Vec<String>,
    pub(crate) frees: Vec<String>,
    /// The verbs that request this action (`login`).
    pub(crate) asks: Vec<String>,
    /// Attributes of its resource that a request must contain.
    pub(crate) requires: BTreeSet<String>,
    /// The desk that takes the ticket when this action is allowed (`owner`, `platform`).
    pub(crate) desk: Option<String>,
    /// Whether its context has required fields beside `facts`.
    pub(crate) context: bool,
    /// The fields of its context.
    pub(crate) fields: BTreeSet<String>,
    pub(crate) principals: BTreeSet<String>,
    pub(crate) resources: BTreeSet<String>,
}

impl Action {
    /// Returns whether the engine fills this field of the context for a command.
    pub(crate) fn is_filled(&self, field: &str) -> bool {
        !self.asks.is_empty() && COMMAND_FIELDS.contains(&field)
    }
}

/// For each entity type its attributes, and whether each is required.
pub(crate) type EntityShapes = BTreeMap<String, BTreeMap<String, bool>>;

/// The declarations of all schema files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SchemaFile {
    pub(crate) actions: BTreeMap<String, Action>,
    pub(crate) features: BTreeSet<String>,
    pub(crate) meters: BTreeSet<String>,
    pub(crate) channels: BTreeSet<String>,
    /// Type declarations of the whole schema as text. While this text is unchanged, custom
    /// attributes that fitted the schema still fit.
    pub(crate) types: String,
}

/// Reads the JSON forms of the schema files. `fragments` and `files` have a common order. Returns
/// the declarations and the faults in their names.
pub(crate) fn read(fragments: &[Value], files: &[&File]) -> (SchemaFile, Vec<Diagnostic>) {
    let (mut names, mut faults) = (SchemaFile::default(), Vec::new());
    for fragment in fragments {
        let types = fragment.get("").and_then(|space| space.get("entityTypes"));
        names.features.extend(enumeration(types, "Feature"));
        names.meters.extend(enumeration(types, "Meter"));
        names.channels.extend(enumeration(types, "Channel"));
        for (name, space) in fragment.as_object().into_iter().flatten() {
            for part in ["commonTypes", "entityTypes"] {
                let value_text = space.get(part).map(Value::to_string).unwrap_or_default();
                names
                    .types
                    .extend([name, " ", part, " ", value_text.as_str(), "\n"]);
            }
        }
    }
    for (fragment, file) in fragments.iter().zip(files) {
        let actions = fragment
            .get("")
            .and_then(|space| space.get("actions"))
            .and_then(Value::as_object);
        for (name, declared) in actions.into_iter().flatten() {
            if let Some(action) = action(name, declared, fragments, file, &names, &mut faults) {
                names.actions.insert(name.clone(), action);
            }
        }
    }
    (names, faults)
}

fn enumeration(types: Option<&Value>, name: &str) -> Vec<String> {
    let choices = types
        .and_then(|types| types.get(name))
        .and_then(|found| found.get("enum"))
        .and_then(Value::as_array);
    choices
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn action(
    name: &str,
    declared: &Value,
    fragments: &[Value],
    file: &File,
    names: &SchemaFile,
    faults: &mut Vec<Diagnostic>,
) -> Option<Action> {
    let applies = declared
        .get("appliesTo")
        .filter(|applies| !applies.is_null())?;
    let principals = type_names(applies, "principalTypes");
    let resources = type_names(applies, "resourceTypes");
    if principals.is_empty() && resources.is_empty() {
        return None; // An action group.
    }
    let mut fault = |code, message, help| {
        faults.push(at_action(file, code, message, name).with_help(help));
    };
    let parents = declared
        .get("memberOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let kinds: Vec<&str> = parents
        .filter_map(|parent| parent.get("id"))
        .filter_map(Value::as_str)
        .filter(|id| KINDS.contains(id))
        .collect();
    if kinds.len() != 1 {
        fault("bundle.kind", wrong_kinds(name, &kinds, fragments), None);
    }
    if !has_facts(applies.get("context"), fragments) {
        fault(
            "bundle.facts",
            format!("the context of action `{name}` has no `facts: Facts`"),
            None,
        );
    }
    let note = |key: &str| {
        declared
            .get("annotations")
            .and_then(|notes| notes.get(key))
            .and_then(Value::as_str)
    };
    let list = |key: &str| {
        note(key)
            .map(|text| {
                text.split(',')
                    .map(|word| word.trim().to_owned())
                    .collect::<Vec<_>>()
            })
            .unwrap_or_default()
    };
    let kind = kinds.first().copied().unwrap_or_default().to_owned();
    let action = Action {
        kind,
        feature: note("feature").map(str::to_owned),
        meters: list("meter"),
        frees: list("frees"),
        asks: list("asks"),
        requires: list("requires").into_iter().collect(),
        desk: note("desk").map(str::to_owned),
        context: needs_context(applies.get("context"), fragments),
        fields: fields(applies.get("context"), fragments).unwrap_or_default(),
        principals,
        resources,
    };
    check_names(name, &action, names, &mut fault);
    Some(action)
}

/// Returns the message for an action that is not a member of one kind.
fn wrong_kinds(name: &str, kinds: &[&str], fragments: &[Value]) -> String {
    if !kinds.is_empty() {
        return format!(
            "action `{name}` is a member of {} kinds: {}",
            kinds.len(),
            kinds.join(", ")
        );
    }
    let is_declared = |kind: &&str| {
        let mut actions = fragments
            .iter()
            .filter_map(|fragment| fragment.get("")?.get("actions"));
        actions.any(|actions| actions.get(*kind).is_some())
    };
    let declared: Vec<&str> = KINDS.into_iter().filter(is_declared).collect();
    format!(
        "action `{name}` names no kind; name one of {}",
        declared.join(", ")
    )
}

fn type_names(applies: &Value, key: &str) -> BTreeSet<String> {
    applies
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Reports each feature and meter of the action that the schema does not list.
fn check_names(
    name: &str,
    action: &Action,
    names: &SchemaFile,
    fault: &mut impl FnMut(&'static str, String, Option<String>),
) {
    for unknown in action
        .feature
        .iter()
        .filter(|name| !names.features.contains(*name))
    {
        fault(
            "bundle.unknown_name",
            format!("action `{name}` names feature `{unknown}`, which `Feature` does not list"),
            did_you_mean(unknown, names.features.iter().map(String::as_str)),
        );
    }
    for unknown in action
        .meters
        .iter()
        .chain(&action.frees)
        .filter(|name| !names.meters.contains(*name))
    {
        fault(
            "bundle.unknown_name",
            format!("action `{name}` names meter `{unknown}`, which `Meter` does not list"),
            did_you_mean(unknown, names.meters.iter().map(String::as_str)),
        );
    }
}

/// Returns a fault for each attribute that `@requires` names and no resource of the action's
/// requests has.
pub(crate) fn unknown_requirements(
    names: &SchemaFile,
    types: &CedarTypes,
    files: &[&File],
) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    for (name, action) in &names.actions {
        let has = |attribute: &String| {
            let brought = action
                .resources
                .iter()
                .filter(|kind| !is_directory_type(kind));
            brought.filter_map(|kind| types.shape(kind)).any(|shape| {
                shape
                    .attributes
                    .as_ref()
                    .is_none_or(|fields| fields.field(attribute).is_some())
            })
        };
        for unknown in action.requires.iter().filter(|attribute| !has(attribute)) {
            let message = format!(
                "action `{name}` requires attribute `{unknown}`, which no resource has that comes with its requests"
            );
            let file = files
                .iter()
                .find(|file| find_action(&file.text, name).is_some())
                .or(files.first());
            faults.extend(file.map(|file| at_action(file, "bundle.requires", message, name)));
        }
    }
    faults
}

/// Returns the attributes of each entity type, and whether each is required. Enumerated types are
/// left out. A type whose shape is a common type is left out too, because its attributes are not
/// listed.
pub(crate) fn shapes(fragments: &[Value]) -> EntityShapes {
    let mut shapes = BTreeMap::new();
    for types in fragments
        .iter()
        .filter_map(|fragment| fragment.get("")?.get("entityTypes")?.as_object())
    {
        for (name, declared) in types
            .iter()
            .filter(|(_, declared)| declared.get("enum").is_none())
        {
            let attributes = match declared.get("shape") {
                None => Some(BTreeMap::new()),
                Some(shape) => {
                    shape
                        .get("attributes")
                        .and_then(Value::as_object)
                        .map(|attributes| {
                            attributes
                                .iter()
                                .map(|(name, attribute)| {
                                    (
                                        name.clone(),
                                        attribute.get("required") != Some(&Value::Bool(false)),
                                    )
                                })
                                .collect()
                        })
                }
            };
            if let Some(attributes) = attributes {
                shapes.insert(name.clone(), attributes);
            }
        }
    }
    shapes
}

fn at_action(file: &File, code: &'static str, message: String, name: &str) -> Diagnostic {
    match find_action(&file.text, name) {
        Some((start, len)) => file.fault(code, message, start, len),
        None => placeless(code, message),
    }
}

impl crate::model::catalog::SchemaVocabulary for SchemaFile {
    fn has_feature(&self, name: &str) -> bool {
        self.features.contains(name)
    }

    fn has_meter(&self, name: &str) -> bool {
        self.meters.contains(name)
    }

    fn typed(&self, _: &str, _: &serde_json::Map<String, Value>) -> Result<StoredValue, String> {
        Ok(StoredValue::Record(Vec::new()))
    }

    fn features(&self) -> Vec<&str> {
        self.features.iter().map(String::as_str).collect()
    }
}
