//! Reads a plain Cedar program: policies, schema, links and entities.

use std::collections::HashMap;
use std::str::FromStr;

use cedar_policy::{
    Entities, EntityId, EntityTypeName, EntityUid, PolicyId, PolicySet, Schema, SchemaFragment,
    SlotId,
};
use serde_json::Value;

use super::diagnostics;
use super::source::{File, placeless};
use crate::util::error::{Diagnostic, Diagnostics, Error};
use crate::util::json;
use crate::util::nesting_scan::{self, Language};
use crate::util::parse_limits::ParseLimits;

/// A plain Cedar program, as `cedar-policy` itself would load it.
///
/// `policies` and `schema` are Cedar text, or Cedar's JSON form if the first character is `{`.
/// `links` is a JSON list of `{"templateId", "newId", "values"}`, as in Cedar's JSON policy sets.
/// `entities` is Cedar's JSON list of entities.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CedarProgram {
    /// Policies and templates. In Cedar text their ids are `policy0`, `policy1`, ..., as in Cedar.
    pub policies: String,
    /// The schema, if there is one.
    pub schema: Option<String>,
    /// Links of the templates.
    pub links: Option<String>,
    /// Entities that every request sees.
    pub entities: Option<String>,
    /// Whether each request must fit the schema. Default: `true` if there is a schema and it is
    /// used for validation.
    pub validate_requests: Option<bool>,
}

/// Returns the nesting cap of JSON forms. JSON nests twice for each level of an expression, and the
/// cap on depth is stated for the text form.
fn json_nesting(caps: &ParseLimits) -> usize {
    caps.depth.saturating_mul(2)
}

pub(crate) fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// Returns the depth of the tree that the file's text would parse to. Fails if a cap is exceeded.
pub(crate) fn scan_file(
    file: &File,
    language: Language,
    caps: &ParseLimits,
) -> Result<usize, Diagnostic> {
    if file.text.len() > caps.file_bytes {
        return Err(placeless(
            "bundle.too_large",
            format!(
                "`{}` has {} bytes, more than {}",
                file.name,
                file.text.len(),
                caps.file_bytes
            ),
        ));
    }
    if is_json(&file.text) {
        return Ok(json::depth(&file.text));
    }
    nesting_scan::scan(&file.text, language, caps)
        .map_err(|fault| file.fault(fault.code, fault.message, fault.offset, 1))
}

/// Direct parents of each entity, by type and id. Cedar stores them but only returns all ancestors.
pub(crate) type DirectParents = HashMap<(String, String), Vec<(String, String)>>;

fn name(value: &Value) -> Option<(String, String)> {
    let value = value.get("__entity").unwrap_or(value);
    Some((
        value.get("type")?.as_str()?.to_owned(),
        value.get("id")?.as_str()?.to_owned(),
    ))
}

fn parents_of(entities: &Value) -> DirectParents {
    let mut parents = DirectParents::new();
    for entity in entities.as_array().into_iter().flatten() {
        let above = entity
            .get("parents")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(name)
            .collect();
        if let Some(uid) = entity.get("uid").and_then(name) {
            parents.insert(uid, above);
        }
    }
    parents
}

pub(crate) fn entity_faults(found: &dyn miette::Diagnostic) -> Error {
    Diagnostics::into_result(diagnostics::faults("bundle.entities", found, None, None))
        .err()
        .unwrap_or(Error::Bundle(Diagnostics::default()))
}

pub(crate) fn read_entities(
    text: &str,
    schema: Option<&Schema>,
    caps: &ParseLimits,
) -> Result<(Entities, DirectParents), Error> {
    if text.len() > caps.entities_bytes {
        return Err(placeless(
            "bundle.too_large",
            format!(
                "`entities` has {} bytes, more than {}",
                text.len(),
                caps.entities_bytes
            ),
        )
        .into());
    }
    let value = json::parse("entities", text, caps.value_nesting)?;
    let parents = parents_of(&value);
    let entities =
        Entities::from_json_value(value, schema).map_err(|error| entity_faults(&error))?;
    Ok((entities, parents))
}

/// Parses a schema. Returns it with its JSON form.
pub(crate) fn parse_schema(
    file: &File,
    caps: &ParseLimits,
) -> Result<(Schema, Value), Vec<Diagnostic>> {
    let fragment = if is_json(&file.text) {
        let value = json::parse(&file.name, &file.text, json_nesting(caps))
            .map_err(|error| vec![json_fault(file, &error)])?;
        SchemaFragment::from_json_value(value)
            .map_err(|error| diagnostics::faults("bundle.schema", &error, None, None))
    } else {
        SchemaFragment::from_cedarschema_str(&file.text)
            .map(|(fragment, _)| fragment)
            .map_err(|error| diagnostics::faults("bundle.syntax", &error, Some(file), None))
    }?;
    let form = fragment
        .clone()
        .to_json_value()
        .map_err(|error| diagnostics::faults("bundle.schema", &error, Some(file), None))?;
    let schema = Schema::from_schema_fragments([fragment])
        .map_err(|error| diagnostics::faults("bundle.schema", &error, Some(file), None))?;
    Ok((schema, form))
}

/// Converts JSON errors to diagnostics of a file.
pub(crate) fn json_fault(file: &File, error: &Error) -> Diagnostic {
    let (code, place) = match error {
        Error::DuplicateKey { line, column, .. } => {
            ("bundle.duplicate_key", Some((*line, *column)))
        }
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

pub(crate) fn parse_policies(
    file: &File,
    caps: &ParseLimits,
) -> Result<PolicySet, Vec<Diagnostic>> {
    if is_json(&file.text) {
        let value = json::parse(&file.name, &file.text, json_nesting(caps))
            .map_err(|error| vec![json_fault(file, &error)])?;
        return PolicySet::from_json_value(value)
            .map_err(|error| diagnostics::faults("bundle.syntax", &error, None, None));
    }
    PolicySet::from_str(&file.text)
        .map_err(|error| diagnostics::faults("bundle.syntax", &error, Some(file), None))
}

/// Links templates. `links` is a JSON list of `{"templateId", "newId", "values": {"?principal":
/// {"type", "id"}}}`.
pub(crate) fn link(set: &mut PolicySet, links: &str, caps: &ParseLimits) -> Result<(), Error> {
    let value = json::parse("links", links, caps.value_nesting)?;
    let wrong =
        |nth: usize, reason: &str| placeless("bundle.link", format!("link {nth}: {reason}"));
    let Value::Array(items) = value else {
        return Err(wrong(0, "links are a list").into());
    };
    let mut faults = Vec::new();
    for (nth, item) in items.iter().enumerate() {
        let linked = read_link(item).and_then(|(template, id, values)| {
            set.link(template, id, values)
                .map_err(|error| error.to_string())
        });
        if let Err(reason) = linked {
            faults.push(wrong(nth, &reason));
        }
    }
    Diagnostics::into_result(faults)
}

type TemplateLink = (PolicyId, PolicyId, HashMap<SlotId, EntityUid>);

fn read_link(item: &Value) -> Result<TemplateLink, String> {
    let text = |key: &str| {
        item.get(key)
            .and_then(Value::as_str)
            .ok_or_else(|| format!("`{key}` is missing or no string"))
    };
    if let Some(unknown) = item.as_object().and_then(|fields| {
        fields
            .keys()
            .find(|key| !["templateId", "newId", "values"].contains(&key.as_str()))
    }) {
        return Err(format!("unknown field `{unknown}`"));
    }
    let (template, id) = (text("templateId")?, text("newId")?);
    let mut values = HashMap::new();
    for (slot, value) in item
        .get("values")
        .and_then(Value::as_object)
        .ok_or("`values` is missing or no object")?
    {
        let slot = match slot.as_str() {
            "?principal" => SlotId::principal(),
            "?resource" => SlotId::resource(),
            other => return Err(format!("no slot `{other}`")),
        };
        let value = value.get("__entity").unwrap_or(value);
        let part = |key: &str| {
            value
                .get(key)
                .and_then(Value::as_str)
                .ok_or_else(|| format!("a slot's value has no `{key}`"))
        };
        let kind = EntityTypeName::from_str(part("type")?).map_err(|error| error.to_string())?;
        values.insert(
            slot,
            EntityUid::from_type_name_and_id(kind, EntityId::new(part("id")?)),
        );
    }
    Ok((PolicyId::new(template), PolicyId::new(id), values))
}
