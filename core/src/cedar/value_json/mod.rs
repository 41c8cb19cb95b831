//! Reads the values of a request from JSON to interned values, without Cedar.
//!
//! ```text
//! // At load, from `SchemaFragment::to_json_value`, without the fields that the engine adds.
//! let types = CedarTypes::new(&fragments);
//! let context = types.action("Action", "note.read")?.context.as_deref()?.without("facts");
//! let note = types.shape("Note")?.attributes.as_deref()?.without("account");
//! // For a request: entities by type and id, as the entity store numbers them.
//! let mut reader = ValueReader::new(|kind, id, heap| tenants.entity(kind, id, heap));
//! // `None`: evaluate with Cedar.
//! let value = reader.record(&environment.context, Some(&context), heap)?;
//! reader.fields(&resource.attributes, Some(&note), heap, &mut inline_entity.attributes)?;
//! ```
//!
//! The reader follows Cedar's JSON forms: `__entity` and `__extn`, and with a type the implicit
//! ones. If it returns a value, Cedar accepts the JSON under the given type and reads an equal
//! value. If this is not certain, it returns `None`. Examples are an attribute that the type does
//! not know, another type, null, a fraction, and a form that only Cedar reads. The caller then
//! evaluates the request with Cedar, so that all errors come from Cedar.

mod record_type;
pub(crate) mod types;

use serde_json::{Map, Value as Json};
use smallvec::SmallVec;

use super::request::NESTING;
pub(crate) use super::value_json::record_type::RecordType;
pub(crate) use super::value_json::types::{CedarType, CedarTypes};
use crate::compiler::construct;
use crate::vm::{Heap, Unary, Value};

/// Reads the values of one request.
#[derive(Debug)]
pub(crate) struct ValueReader<R> {
    /// Returns the number of an entity, by type and id.
    resolve: R,
    /// Fields of unfinished records.
    open: SmallVec<[(u32, Value); 8]>,
}

impl<R: FnMut(&str, &str, &mut Heap<'_>) -> Value> ValueReader<R> {
    pub(crate) fn new(resolve: R) -> Self {
        Self {
            resolve,
            open: SmallVec::new(),
        }
    }

    /// Returns the value, or `None` if only Cedar can read it.
    pub(crate) fn read(
        &mut self,
        json: &Json,
        ty: Option<&CedarType>,
        space: &mut Heap<'_>,
    ) -> Option<Value> {
        self.value(json, ty, space, NESTING)
    }

    /// Returns the record with these fields, or `None` if only Cedar can read it.
    pub(crate) fn record(
        &mut self,
        fields: &Map<String, Json>,
        ty: Option<&RecordType>,
        space: &mut Heap<'_>,
    ) -> Option<Value> {
        self.object(fields, ty, space, NESTING)
    }

    /// Reads the fields one by one and appends them to `to`. Returns `None` if only Cedar can read
    /// them.
    pub(crate) fn fields(
        &mut self,
        fields: &Map<String, Json>,
        ty: Option<&RecordType>,
        space: &mut Heap<'_>,
        to: &mut Vec<(u32, Value)>,
    ) -> Option<()> {
        let from = self.open.len();
        self.each(fields, ty, space, NESTING)?;
        to.extend(self.open.drain(from..));
        Some(())
    }

    /// Recurses at most `levels` levels. Callers start with the maximum nesting of values.
    fn value(
        &mut self,
        json: &Json,
        ty: Option<&CedarType>,
        space: &mut Heap<'_>,
        levels: usize,
    ) -> Option<Value> {
        let levels = levels.checked_sub(1)?;
        match (json, ty) {
            (Json::Bool(value), None | Some(CedarType::Bool)) => Some(Value::Bool(*value)),
            (Json::Number(number), None | Some(CedarType::Long)) => {
                number.as_i64().map(Value::Long)
            }
            (Json::String(text), None | Some(CedarType::Text)) => {
                Some(Value::Text(space.text_number(text)))
            }
            (Json::String(text), Some(CedarType::Extension(what))) => {
                Some(construct(*what, text)?.into_value(space))
            }
            (Json::Array(items), None) => self.set(items, None, space, levels),
            (Json::Array(items), Some(CedarType::Set(element))) => {
                self.set(items, Some(element), space, levels)
            }
            (Json::Object(fields), None) => match escape(fields) {
                None => self.object(fields, None, space, levels),
                Some(CedarEscape::Entity(kind, id)) => self.entity(kind, id, space),
                Some(CedarEscape::Extension(what, text)) => {
                    Some(construct(what, text)?.into_value(space))
                }
                Some(CedarEscape::Other) => None,
            },
            (Json::Object(fields), Some(CedarType::Record(record))) => {
                self.object(fields, Some(record), space, levels)
            }
            (Json::Object(fields), Some(CedarType::Entity(wanted))) => match escape(fields) {
                None => named(fields),
                Some(CedarEscape::Entity(kind, id)) => Some((kind, id)),
                Some(_) => None,
            }
            .filter(|(kind, id)| wanted.allows(kind, id))
            .and_then(|(kind, id)| self.entity(kind, id, space)),
            (Json::Object(fields), Some(CedarType::Extension(wanted))) => match escape(fields) {
                Some(CedarEscape::Extension(what, text)) if what == *wanted => {
                    Some(construct(what, text)?.into_value(space))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn entity(&mut self, kind: &str, id: &str, space: &mut Heap<'_>) -> Option<Value> {
        if !is_type_name(kind) {
            return None;
        }
        Some((self.resolve)(kind, id, space))
    }

    fn set(
        &mut self,
        items: &[Json],
        element: Option<&CedarType>,
        space: &mut Heap<'_>,
        levels: usize,
    ) -> Option<Value> {
        let mut values = items
            .iter()
            .map(|item| self.value(item, element, space, levels))
            .collect::<Option<Vec<_>>>()?;
        Some(space.set(&mut values))
    }

    fn object(
        &mut self,
        fields: &Map<String, Json>,
        ty: Option<&RecordType>,
        space: &mut Heap<'_>,
        levels: usize,
    ) -> Option<Value> {
        let from = self.open.len();
        self.each(fields, ty, space, levels)?;
        let record = space.record(self.open.get_mut(from..)?);
        self.open.truncate(from);
        Some(record)
    }

    fn each(
        &mut self,
        fields: &Map<String, Json>,
        ty: Option<&RecordType>,
        space: &mut Heap<'_>,
        levels: usize,
    ) -> Option<()> {
        let mut required = 0_usize;
        for (name, json) in fields {
            let field = match ty {
                Some(record) => Some(record.field(name)?),
                None => None,
            };
            let is_required = field.is_some_and(|field| field.required);
            required = required.saturating_add(usize::from(is_required));
            let value = self.value(json, field.map(|field| &field.ty), space, levels)?;
            let text = field.and_then(|field| field.text);
            let name = text.unwrap_or_else(|| space.text_number(name));
            self.open.push((name, value));
        }
        if ty.is_some_and(|record| record.required() != required) {
            None
        } else {
            Some(())
        }
    }
}

/// Returns whether Cedar certainly accepts the text as the name of a type. Cedar accepts other
/// names too; for those the caller uses Cedar.
pub(crate) fn is_type_name(name: &str) -> bool {
    let word = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_uppercase())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    name.split("::").all(word)
}

/// An object with a key that starts like Cedar's escapes.
enum CedarEscape<'a> {
    Entity(&'a str, &'a str),
    Extension(Unary, &'a str),
    /// An escape that only Cedar reads or refuses.
    Other,
}

fn escape(fields: &Map<String, Json>) -> Option<CedarEscape<'_>> {
    let escaped = |key: &str| key.starts_with("__");
    if !fields.keys().any(|key| escaped(key)) {
        return None;
    }
    let known = || {
        if fields.len() != 1 {
            return None;
        }
        let (key, value) = fields.iter().next()?;
        let inner = value.as_object()?;
        match key.as_str() {
            "__entity" => named(inner).map(|(kind, id)| CedarEscape::Entity(kind, id)),
            "__extn" if inner.len() == 2 => {
                let what = match inner.get("fn")?.as_str()? {
                    "decimal" => Unary::Decimal,
                    "ip" => Unary::Ip,
                    "datetime" => Unary::Datetime,
                    "duration" => Unary::Duration,
                    _ => return None,
                };
                Some(CedarEscape::Extension(what, inner.get("arg")?.as_str()?))
            }
            _ => None,
        }
    };
    Some(known().unwrap_or(CedarEscape::Other))
}

/// Returns type and id of `{"type": ..., "id": ...}`.
fn named(fields: &Map<String, Json>) -> Option<(&str, &str)> {
    if fields.len() != 2 {
        return None;
    }
    Some((fields.get("type")?.as_str()?, fields.get("id")?.as_str()?))
}
