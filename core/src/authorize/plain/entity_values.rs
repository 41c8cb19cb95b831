//! Converts the values of entities and requests from Cedar to interned values.

use cedar_policy::{Entity, EntityUid, EvalResult};

use super::entity_table::EntityTable;
use crate::compiler::value_of;
use crate::vm::{Heap, InlineEntity, Value};

impl EntityTable {
    fn uid(&self, uid: &EntityUid, space: &mut Heap<'_>) -> Value {
        self.find_or_unknown(&uid.type_name().to_string(), uid.id().unescaped(), space)
    }

    pub(super) fn keep(&mut self, value: &EvalResult) -> Value {
        match value {
            EvalResult::Bool(value) => Value::Bool(*value),
            EvalResult::Long(value) => Value::Long(*value),
            EvalResult::String(text) => Value::Text(self.pool.text(text)),
            EvalResult::EntityUid(uid) => {
                Value::Entity(self.number(&uid.type_name().to_string(), uid.id().unescaped()))
            }
            EvalResult::Set(set) => {
                let items = set.iter().map(|item| self.keep(item)).collect();
                self.pool.set(items)
            }
            EvalResult::Record(record) => {
                let mut fields = Vec::new();
                for (name, value) in record.iter() {
                    fields.push((self.pool.text(name), self.keep(value)));
                }
                self.pool.record(fields)
            }
            EvalResult::ExtensionValue(text) => {
                let value =
                    value_of(text).map_or(Value::Poison, |made| made.into_constant(&mut self.pool));
                self.written
                    .entry(value)
                    .or_insert_with(|| text.as_str().into());
                value
            }
        }
    }

    /// Converts a value of a request. Recurses as deep as the value is nested, which callers limit.
    pub(crate) fn value(&self, value: &EvalResult, space: &mut Heap<'_>) -> Value {
        match value {
            EvalResult::Bool(value) => Value::Bool(*value),
            EvalResult::Long(value) => Value::Long(*value),
            EvalResult::String(text) => Value::Text(space.text_number(text)),
            EvalResult::EntityUid(uid) => self.uid(uid, space),
            EvalResult::Set(set) => {
                let mut items = set.iter().map(|item| self.value(item, space)).collect();
                space.set(&mut items)
            }
            EvalResult::Record(record) => {
                let mut fields: Vec<_> = record
                    .iter()
                    .map(|(name, value)| (space.text_number(name), self.value(value, space)))
                    .collect();
                space.record(&mut fields)
            }
            EvalResult::ExtensionValue(text) => {
                value_of(text).map_or(Value::Poison, |made| made.into_value(space))
            }
        }
    }

    /// Converts the inline entity of a request. Returns `None` if an attribute or tag has no value.
    pub(crate) fn inline_entity(
        &self,
        entity: &Entity,
        space: &mut Heap<'_>,
    ) -> Option<InlineEntity> {
        let mut guest = InlineEntity {
            entity: self.uid(&entity.uid(), space).entity()?,
            ..InlineEntity::default()
        };
        for (name, value) in entity.attrs() {
            let value = self.value(&value.ok()?, space);
            guest.attributes.push((space.text_number(name), value));
        }
        for (name, value) in entity.tags() {
            let value = self.value(&value.ok()?, space);
            guest.tags.push((space.text_number(name), value));
        }
        let (_, _, parents) = entity.clone().into_inner();
        guest.ancestors = parents
            .iter()
            .filter_map(|uid| self.uid(uid, space).entity())
            .collect();
        self.close(&mut guest);
        Some(guest)
    }

    /// Adds the ancestors of the parents to an inline entity that has only its parents.
    pub(crate) fn close(&self, guest: &mut InlineEntity) {
        for at in 0..guest.ancestors.len() {
            let Some(parent) = guest.ancestors.get(at).copied() else {
                break;
            };
            guest.ancestors.extend_from_slice(self.ancestors(parent));
        }
    }
}
