//! The entities of a plain Cedar program, interned: what its compiled policies read.

use std::hash::BuildHasher;

use cedar_policy::{Entities, Entity, EntityUid, EvalResult};
use hashbrown::{DefaultHashBuilder, HashTable};

use super::compile::{Known, value_of};
use crate::eval::{Guest, Pool, Space, Value, World};

/// One entity, known from the program's data or only by name.
#[derive(Debug, Default)]
struct Row {
    kind: u32,
    id: Box<str>,
    attributes: Box<[(u32, Value)]>,
    tags: Box<[(u32, Value)]>,
    /// All that are above it, sorted.
    ancestors: Box<[u32]>,
}

/// Every entity that the program names, by number.
#[derive(Debug, Default)]
pub(crate) struct Resident {
    pub(crate) pool: Pool,
    rows: Vec<Row>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl World for Resident {
    #[inline]
    fn attribute(&self, entity: u32, name: u32, _: &mut Space<'_>) -> Value {
        self.rows.get(entity as usize).map_or(Value::Missing, |row| field(&row.attributes, name))
    }

    fn tag(&self, entity: u32, tag: u32) -> Value {
        self.rows.get(entity as usize).map_or(Value::Missing, |row| field(&row.tags, tag))
    }

    fn descends(&self, child: u32, ancestor: u32) -> bool {
        self.rows.get(child as usize).is_some_and(|row| row.ancestors.binary_search(&ancestor).is_ok())
    }

    fn type_of(&self, entity: u32) -> u32 {
        self.rows.get(entity as usize).map_or(u32::MAX, |row| row.kind)
    }
}

fn field(fields: &[(u32, Value)], name: u32) -> Value {
    fields.iter().find(|(known, _)| *known == name).map_or(Value::Missing, |(_, value)| *value)
}

impl Known for Resident {
    fn entity(&mut self, kind: &str, id: &str) -> u32 {
        self.number(kind, id)
    }

    fn pool(&mut self) -> &mut Pool {
        &mut self.pool
    }
}

impl Resident {
    /// Takes in all entities.
    pub(crate) fn new(entities: &Entities) -> Self {
        let mut resident = Self::default();
        for entity in entities.iter() {
            resident.take_in(entity, entities);
        }
        resident
    }

    fn take_in(&mut self, entity: &Entity, entities: &Entities) {
        let uid = entity.uid();
        let at = self.number(&uid.type_name().to_string(), uid.id().unescaped());
        let mut attributes = Vec::new();
        for (name, value) in entity.attrs() {
            attributes.push((self.pool.text(name), value.map_or(Value::Poison, |value| self.keep(&value))));
        }
        let mut tags = Vec::new();
        for (name, value) in entity.tags() {
            tags.push((self.pool.text(name), value.map_or(Value::Poison, |value| self.keep(&value))));
        }
        let mut ancestors: Vec<u32> =
            entities.ancestors(&uid).into_iter().flatten().map(|above| self.number(&above.type_name().to_string(), above.id().unescaped())).collect();
        ancestors.sort_unstable();
        if let Some(row) = self.rows.get_mut(at as usize) {
            row.attributes = attributes.into();
            row.tags = tags.into();
            row.ancestors = ancestors.into();
        }
    }

    /// The number of an entity that the program names, if it does.
    pub(crate) fn find(&self, kind: &str, id: &str) -> Option<u32> {
        let kind = self.pool.find_text(kind)?;
        self.table.find(self.hasher.hash_one((kind, id)), |at| self.is(*at, kind, id)).copied()
    }

    fn is(&self, at: u32, kind: u32, id: &str) -> bool {
        self.rows.get(at as usize).is_some_and(|row| row.kind == kind && *row.id == *id)
    }

    /// The number of an entity, given to it now if it had none.
    fn number(&mut self, kind: &str, id: &str) -> u32 {
        if let Some(at) = self.find(kind, id) {
            return at;
        }
        let kind = self.pool.text(kind);
        let at = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        self.rows.push(Row { kind, id: id.into(), ..Row::default() });
        let (rows, hasher) = (&self.rows, &self.hasher);
        let rehash = |at: &u32| rows.get(*at as usize).map_or(0, |row| hasher.hash_one((row.kind, &*row.id)));
        self.table.insert_unique(hasher.hash_one((kind, id)), at, rehash);
        at
    }

    /// The entity as a request names it: the program's, or a stranger.
    pub(crate) fn asked(&self, kind: &str, id: &str, space: &mut Space<'_>) -> Value {
        Value::Entity(self.find(kind, id).unwrap_or_else(|| {
            let (kind, id) = (space.text_number(kind), space.text_number(id));
            space.stranger(kind, id)
        }))
    }

    fn uid(&self, uid: &EntityUid, space: &mut Space<'_>) -> Value {
        self.asked(&uid.type_name().to_string(), uid.id().unescaped(), space)
    }

    fn keep(&mut self, value: &EvalResult) -> Value {
        match value {
            EvalResult::Bool(value) => Value::Bool(*value),
            EvalResult::Long(value) => Value::Long(*value),
            EvalResult::String(text) => Value::Text(self.pool.text(text)),
            EvalResult::EntityUid(uid) => Value::Entity(self.number(&uid.type_name().to_string(), uid.id().unescaped())),
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
            EvalResult::ExtensionValue(text) => value_of(text).map_or(Value::Poison, |made| made.kept(&mut self.pool)),
        }
    }

    /// A value that came with a request. As deep as the value: callers cap it.
    pub(crate) fn value(&self, value: &EvalResult, space: &mut Space<'_>) -> Value {
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
                let mut fields: Vec<_> = record.iter().map(|(name, value)| (space.text_number(name), self.value(value, space))).collect();
                space.record(&mut fields)
            }
            EvalResult::ExtensionValue(text) => value_of(text).map_or(Value::Poison, |made| made.into_value(space)),
        }
    }

    /// The entity that came with a request, and what is above it.
    pub(crate) fn guest(&self, entity: &Entity, entities: &Entities, space: &mut Space<'_>) -> Option<Guest> {
        let mut guest = Guest { entity: self.uid(&entity.uid(), space).entity()?, ..Guest::default() };
        for (name, value) in entity.attrs() {
            let value = self.value(&value.ok()?, space);
            guest.attributes.push((space.text_number(name), value));
        }
        for (name, value) in entity.tags() {
            let value = self.value(&value.ok()?, space);
            guest.tags.push((space.text_number(name), value));
        }
        let above = entities.ancestors(&entity.uid()).into_iter().flatten();
        guest.ancestors = above.filter_map(|uid| self.uid(uid, space).entity()).collect();
        Some(guest)
    }
}
