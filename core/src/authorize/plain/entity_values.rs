//! Converts the values of entities and requests from Cedar to interned values.

use cedar_policy::{Entity, EntityUid, EvalResult};

use super::entity_table::{EntityTable, FieldSpan};
use crate::compiler::value_of;
use crate::vm::{Heap, InlineEntity, Value};

impl EntityTable {
    /// Returns the number of an entity, as [`EntityTable::find_or_unknown`] does.
    pub(super) fn uid(&self, uid: &EntityUid, space: &mut Heap<'_>) -> u32 {
        self.find_or_unknown(&uid.type_name().to_string(), uid.id().unescaped(), space)
    }

    /// Interns the attributes or tags of an entity, sorted by name.
    pub(super) fn keep_fields<'e, E>(
        &mut self,
        fields: impl Iterator<Item = (&'e str, Result<EvalResult, E>)>,
    ) -> FieldSpan {
        let mut kept = FieldSpan::new();
        for (name, value) in fields {
            let name = self.pool.text(name);
            kept.push((name, value.map_or(Value::Poison, |value| self.keep(&value))));
        }
        kept.sort_unstable_by_key(|(name, _)| *name);
        kept
    }

    fn keep(&mut self, value: &EvalResult) -> Value {
        match value {
            EvalResult::Bool(value) => Value::Bool(*value),
            EvalResult::Long(value) => Value::Long(*value),
            EvalResult::String(text) => Value::Text(self.pool.text(text)),
            EvalResult::EntityUid(uid) => Value::Entity(self.number_of(uid)),
            EvalResult::Set(set) => {
                let items = set.iter().map(|item| self.keep(item)).collect();
                self.pool.set(items)
            }
            EvalResult::Record(record) => {
                let mut fields = FieldSpan::new();
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
            EvalResult::EntityUid(uid) => Value::Entity(self.uid(uid, space)),
            EvalResult::Set(set) => {
                let mut items = set.iter().map(|item| self.value(item, space)).collect();
                space.set(&mut items)
            }
            EvalResult::Record(record) => {
                let mut fields = Vec::new();
                for (name, value) in record.iter() {
                    fields.push((space.text_number(name), self.value(value, space)));
                }
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
        let (_, _, parents) = entity.clone().into_inner();
        let mut guest = InlineEntity {
            entity: self.uid(&entity.uid(), space),
            attributes: self.read_fields(entity.attrs(), space)?,
            tags: self.read_fields(entity.tags(), space)?,
            ..InlineEntity::default()
        };
        let parents = parents.iter();
        guest.ancestors = parents.map(|uid| self.uid(uid, space)).collect();
        Some(guest)
    }

    fn read_fields<'e, E>(
        &self,
        fields: impl Iterator<Item = (&'e str, Result<EvalResult, E>)>,
        space: &mut Heap<'_>,
    ) -> Option<FieldSpan> {
        fields
            .map(|(name, value)| {
                let value = self.value(&value.ok()?, space);
                Some((space.text_number(name), value))
            })
            .collect()
    }
}
