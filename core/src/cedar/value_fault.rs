//! Says which value of a record does not fit its type, and which form the type has in JSON. Cedar
//! names neither the field nor the form.

use serde_json::{Map, Value as Json};

use super::value_json::{CedarType, RecordType};
use crate::compiler::construct;
use crate::util::spelling::closest;
use crate::util::text::short;
use crate::vm::Unary;

/// Returns what is wrong with the first field that does not fit the record. `what` is the word for
/// a field, and `owner` names what declares it.
pub(super) fn of_fields(
    what: &str,
    fields: &Map<String, Json>,
    record: &RecordType,
    owner: &str,
) -> Option<String> {
    for (name, value) in fields {
        let Some(field) = record.field(name) else {
            let meant = closest(name, record.names());
            let meant = meant.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
            let name = short(name);
            return Some(format!("{what} `{name}` is not declared in {owner}{meant}"));
        };
        if let Some((path, reason)) = of_value(name, value, &field.ty, LEVELS) {
            return Some(format!("{what} `{path}`: {reason}"));
        }
    }
    let mut required = record.required_names();
    let missing = required.find(|name| !fields.contains_key(*name))?;
    Some(format!("{what} `{missing}` of {owner} is missing"))
}

/// Maximum nesting of values that are looked into.
const LEVELS: usize = 64;

/// Returns the path of the value that does not fit, and the reason. Looks into at most `levels`
/// levels.
fn of_value(path: &str, value: &Json, ty: &CedarType, levels: usize) -> Option<(String, String)> {
    let levels = levels.checked_sub(1)?;
    let wrong = |reason: String| Some((path.to_owned(), reason));
    match (ty, value) {
        (CedarType::Unknown, _)
        | (CedarType::Bool, Json::Bool(_))
        | (CedarType::Text, Json::String(_)) => None,
        (CedarType::Long, Json::Number(number)) if number.as_i64().is_some() => None,
        (CedarType::Extension(what), Json::String(text)) if construct(*what, text).is_some() => {
            None
        }
        (CedarType::Extension(_), Json::Object(fields)) if fields.contains_key("__extn") => None,
        (CedarType::Set(element), Json::Array(items)) => items
            .iter()
            .enumerate()
            .find_map(|(nth, item)| of_value(&format!("{path}[{nth}]"), item, element, levels)),
        (CedarType::Record(record), Json::Object(fields)) => {
            of_record(path, fields, record, levels)
        }
        (CedarType::Entity(wanted), Json::Object(fields)) => {
            let fields = match fields.get("__entity") {
                Some(inner) => inner.as_object()?,
                None => fields,
            };
            let text = |key: &str| fields.get(key).and_then(Json::as_str);
            match (text("type"), text("id")) {
                (Some(kind), Some(id)) if wanted.allows(kind, id) => None,
                (Some(kind), Some(id)) if *kind == *wanted.name => {
                    let choices = wanted.choices.as_deref().unwrap_or_default();
                    wrong(format!(
                        "`{}` is no `{kind}`: it is one of {}",
                        short(id),
                        choices.join(", ")
                    ))
                }
                _ => wrong(form(ty)?),
            }
        }
        _ => wrong(form(ty)?),
    }
}

fn of_record(
    path: &str,
    fields: &Map<String, Json>,
    record: &RecordType,
    levels: usize,
) -> Option<(String, String)> {
    for (name, value) in fields {
        let path = format!("{path}.{}", short(name));
        match record.field(name) {
            None => return Some((path, "the schema does not declare it".to_owned())),
            Some(field) => {
                let found = of_value(&path, value, &field.ty, levels);
                if found.is_some() {
                    return found;
                }
            }
        }
    }
    let mut required = record.required_names();
    let missing = required.find(|name| !fields.contains_key(*name))?;
    Some((format!("{path}.{missing}"), "it is missing".to_owned()))
}

/// Returns the JSON form of a type.
fn form(ty: &CedarType) -> Option<String> {
    let text = match ty {
        CedarType::Bool => "a `Bool` is `true` or `false`",
        CedarType::Long => "a `Long` is a whole number such as 500",
        CedarType::Text => "a `String` is text such as \"DE\"",
        CedarType::Extension(Unary::Datetime) => {
            "a `datetime` is text such as \"2026-01-31T06:00:00Z\""
        }
        CedarType::Extension(Unary::Duration) => "a `duration` is text such as \"1h30m\"",
        CedarType::Extension(Unary::Decimal) => "a `decimal` is text such as \"1.50\"",
        CedarType::Extension(Unary::Ip) => "an `ipaddr` is text such as \"10.0.0.1\"",
        CedarType::Set(_) => "a `Set` is a list",
        CedarType::Record(_) => "a record is an object",
        CedarType::Entity(kind) => {
            let name = &kind.name;
            let text = format!(
                "a `{name}` is an object such as {{\"type\": \"{name}\", \"id\": \"...\"}}"
            );
            return Some(text);
        }
        CedarType::Extension(_) | CedarType::Unknown => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cedar::value_json::CedarTypes;

    #[test]
    fn reason_names_field_and_form() {
        let text = "entity F enum [\"a\", \"b\"]; entity U; type R = { x?: Long, y: Bool };\n\
                    entity E { now?: datetime, n: Long, s?: Set<String>, f?: F, u?: U, r?: R, d?: decimal };";
        let (fragment, _) =
            cedar_policy::SchemaFragment::from_cedarschema_str(text).expect("a schema");
        let types = CedarTypes::new(&[fragment.to_json_value().expect("JSON")]);
        let record = types
            .shape("E")
            .and_then(|shape| shape.attributes.as_deref());
        let record = record.expect("a record");
        let date = "field `now`: a `datetime` is text such as \"2026-01-31T06:00:00Z\"";
        for (fields, wanted) in [
            (json!({"n": 1, "now": 1_764_000_000}), Some(date)),
            (json!({"n": 1, "now": "31.1.2026"}), Some(date)),
            (json!({"n": 1, "now": "2026-01-31"}), None),
            (
                json!({"n": 1, "now": {"__extn": {"fn": "datetime", "arg": "x"}}}),
                None,
            ),
            (
                json!({"n": 1, "nwo": 1}),
                Some("field `nwo` is not declared in `E`; did you mean `now`?"),
            ),
            (
                json!({"n": 1, "rocket": 1}),
                Some("field `rocket` is not declared in `E`"),
            ),
            (json!({}), Some("field `n` of `E` is missing")),
            (
                json!({"n": 1.5}),
                Some("field `n`: a `Long` is a whole number such as 500"),
            ),
            (
                json!({"n": 1, "s": "DE"}),
                Some("field `s`: a `Set` is a list"),
            ),
            (
                json!({"n": 1, "s": ["DE", 1]}),
                Some("field `s[1]`: a `String` is text such as \"DE\""),
            ),
            (
                json!({"n": 1, "f": {"type": "F", "id": "c"}}),
                Some("field `f`: `c` is no `F`: it is one of a, b"),
            ),
            (
                json!({"n": 1, "f": {"__entity": {"type": "F", "id": "b"}}}),
                None,
            ),
            (
                json!({"n": 1, "u": "x"}),
                Some("field `u`: a `U` is an object such as {\"type\": \"U\", \"id\": \"...\"}"),
            ),
            (
                json!({"n": 1, "r": {"y": true, "z": 1}}),
                Some("field `r.z`: the schema does not declare it"),
            ),
            (json!({"n": 1, "r": {}}), Some("field `r.y`: it is missing")),
        ] {
            let fields = fields.as_object().expect("an object");
            let found = of_fields("field", fields, record, "`E`");
            assert_eq!(found.as_deref(), wanted, "{fields:?}");
        }
    }
}
