//! Reads the declarations of action contexts from the JSON form of a schema.

use std::collections::BTreeSet;

use serde_json::Value;

/// Returns the names of a context's fields, if they can be read.
pub(super) fn fields(context: Option<&Value>, fragments: &[Value]) -> Option<BTreeSet<String>> {
    let of_record = |shape: &Value| {
        Some(
            shape
                .get("attributes")
                .and_then(Value::as_object)?
                .keys()
                .cloned()
                .collect::<BTreeSet<_>>(),
        )
    };
    let context = context?;
    of_record(context).or_else(|| {
        let name = context
            .get("name")
            .or_else(|| context.get("type"))
            .and_then(Value::as_str)?;
        fragments
            .iter()
            .find_map(|fragment| fragment.get("")?.get("commonTypes")?.get(name))
            .and_then(of_record)
    })
}

/// Returns whether the context has required fields beside `facts`.
pub(super) fn needs_context(context: Option<&Value>, fragments: &[Value]) -> bool {
    let of_record = |shape: &Value| {
        let attributes = shape.get("attributes").and_then(Value::as_object)?;
        Some(attributes.iter().any(|(name, attribute)| {
            name != "facts" && attribute.get("required") != Some(&Value::Bool(false))
        }))
    };
    let Some(context) = context else { return true };
    of_record(context).unwrap_or_else(|| {
        let name = context
            .get("name")
            .or_else(|| context.get("type"))
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut common = fragments
            .iter()
            .filter_map(|fragment| fragment.get("")?.get("commonTypes")?.get(name));
        common.next().and_then(of_record).unwrap_or(true)
    })
}

/// Returns whether the context, or the common type that it names, has an attribute `facts` of type
/// `Facts`.
pub(super) fn has_facts(context: Option<&Value>, fragments: &[Value]) -> bool {
    let Some(context) = context else { return false };
    let named = |shape: &Value| {
        shape
            .get("name")
            .or_else(|| shape.get("type"))
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let of_record = |shape: &Value| {
        let facts = shape
            .get("attributes")
            .and_then(|attributes| attributes.get("facts"));
        facts.is_some_and(|facts| {
            named(facts).as_deref() == Some("Facts")
                && facts.get("required") != Some(&Value::Bool(false))
        })
    };
    if of_record(context) {
        return true;
    }
    let name = named(context).unwrap_or_default();
    let common = fragments
        .iter()
        .filter_map(|fragment| fragment.get("")?.get("commonTypes")?.get(&name));
    common.into_iter().any(of_record)
}
