//! The entity table: the entities of a plain Cedar program, interned for the compiled policies.
//!
//! Most entities of a type have the same attributes. Their attribute names are interned once, as a
//! shape. The attribute values of all entities are in one array, and so are their ancestors.

use std::collections::HashMap;
use std::hash::BuildHasher;

use cedar_policy::{Entities, Entity, EntityUid};
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::cedar::load_program::DirectParents;
use crate::compiler::CompileContext;
use crate::util::interner::Interner;
use crate::vm::{ConstantPool, EntityStore, Heap, Value};

/// The shape of an entity of which only the name is known.
const NO_ENTITY: u32 = u32::MAX;

/// One entity, from the program's data or known only by name.
#[derive(Debug, Clone, Copy, Default)]
struct EntityRow {
    kind: u32,
    /// Start and length of the id in `ids`.
    id: (u32, u32),
    /// The shape of its attributes, or [`NO_ENTITY`].
    shape: u32,
    /// The shape of its tags. The tag values follow the attribute values.
    tags: u32,
    values: u32,
    /// The start of its ancestors in `above`, which are sorted. Its direct parents follow them.
    above: u32,
    ancestors: u32,
    parents: u32,
    /// Whether it is an ancestor of another entity.
    has_below: bool,
}

/// Attributes or tags by name.
pub(super) type FieldSpan = Vec<(u32, Value)>;

/// Every entity that the program names, by number.
#[derive(Debug, Default)]
pub(crate) struct EntityTable {
    pub(crate) pool: ConstantPool,
    rows: Vec<EntityRow>,
    ids: String,
    /// Names of attributes and of tags, sorted.
    shapes: Interner<Vec<u32>>,
    values: Vec<Value>,
    above: Vec<u32>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// The types of the entities in the table, sorted.
    kinds: Vec<u32>,
    /// The source text of extension values, because Cedar prints it.
    pub(super) written: HashMap<Value, Box<str>>,
    /// Whether the program has more entities than can be numbered.
    pub(crate) full: bool,
}

impl EntityStore for EntityTable {
    #[inline]
    fn attribute(&self, entity: u32, name: u32, _: &mut Heap<'_>) -> Value {
        self.row(entity).map_or(Value::Missing, |row| {
            self.field(row.shape, row.values, name)
        })
    }

    fn tag(&self, entity: u32, tag: u32) -> Value {
        self.row(entity).map_or(Value::Missing, |row| {
            self.field(row.tags, self.tag_values(row), tag)
        })
    }

    fn is_descendant(&self, child: u32, ancestor: u32) -> bool {
        self.ancestors(child).binary_search(&ancestor).is_ok()
    }

    fn type_of(&self, entity: u32) -> u32 {
        self.kind(entity).unwrap_or(u32::MAX)
    }
}

impl CompileContext for EntityTable {
    fn entity(&mut self, kind: &str, id: &str) -> u32 {
        self.number(kind, id)
    }

    fn pool(&mut self) -> &mut ConstantPool {
        &mut self.pool
    }
}

fn wide(at: u32) -> usize {
    at as usize
}

/// Returns the type and id of a row.
#[inline]
fn name_of<'t>(rows: &[EntityRow], ids: &'t str, at: u32) -> Option<(u32, &'t str)> {
    let row = rows.get(wide(at))?;
    let id = ids.get(wide(row.id.0)..)?.get(..wide(row.id.1))?;
    Some((row.kind, id))
}

impl EntityTable {
    /// Builds the table of all entities. `parents` holds the direct parents of each.
    pub(crate) fn new(entities: &Entities, parents: &DirectParents) -> Self {
        let mut resident = Self::default();
        for entity in entities.iter() {
            resident.number_of(&entity.uid());
        }
        for entity in entities.iter() {
            resident.insert(entity, entities, parents);
        }
        for number in &resident.above {
            if let Some(row) = resident.rows.get_mut(wide(*number)) {
                row.has_below = true;
            }
        }
        resident
    }

    fn insert(&mut self, entity: &Entity, entities: &Entities, parents: &DirectParents) {
        let uid = entity.uid();
        let attributes = self.keep_fields(entity.attrs());
        let tags = self.keep_fields(entity.tags());
        let above = entities.ancestors(&uid).into_iter().flatten();
        let mut ancestors: Vec<u32> = above.map(|above| self.number_of(above)).collect();
        ancestors.sort_unstable();
        let name = (uid.type_name().to_string(), uid.id().unescaped().to_owned());
        let direct: Vec<u32> = match parents.get(&name) {
            Some(parents) => {
                let parents = parents.iter();
                parents.map(|(kind, id)| self.number(kind, id)).collect()
            }
            None => ancestors.clone(),
        };
        let mut shape = |fields: &[(u32, Value)]| {
            let names: Vec<u32> = fields.iter().map(|(name, _)| *name).collect();
            self.shapes.intern(&names)
        };
        let (shape, tag_names) = (shape(&attributes), shape(&tags));
        let (values, above) = (self.place(self.values.len()), self.place(self.above.len()));
        let fields = attributes.iter().chain(&tags);
        self.values.extend(fields.map(|(_, value)| *value));
        self.above.extend(ancestors.iter().chain(&direct));
        let (ancestors, parents) = (self.place(ancestors.len()), self.place(direct.len()));
        let at = self.number_of(&uid);
        if let Some(row) = self.rows.get_mut(wide(at)) {
            *row = EntityRow {
                shape,
                tags: tag_names,
                values,
                above,
                ancestors,
                parents,
                ..*row
            };
        }
    }

    fn place(&mut self, at: usize) -> u32 {
        u32::try_from(at).unwrap_or_else(|_| {
            self.full = true;
            0
        })
    }

    #[inline]
    fn row(&self, entity: u32) -> Option<&EntityRow> {
        self.rows.get(wide(entity))
    }

    /// Returns the start of an entity's tag values, which follow its attribute values.
    fn tag_values(&self, row: &EntityRow) -> u32 {
        let attributes = self.shapes.get(row.shape).map_or(0, <[u32]>::len);
        row.values
            .saturating_add(u32::try_from(attributes).unwrap_or(0))
    }

    #[inline]
    fn field(&self, shape: u32, values: u32, name: u32) -> Value {
        let names = self.shapes.get(shape).unwrap_or_default();
        let at = if names.len() < 16 {
            names.iter().position(|known| *known == name)
        } else {
            names.binary_search(&name).ok()
        };
        at.and_then(|at| self.values.get(wide(values).saturating_add(at)).copied())
            .unwrap_or(Value::Missing)
    }

    fn fields(&self, shape: u32, values: u32) -> FieldSpan {
        let names = self.shapes.get(shape).unwrap_or_default();
        let values = self.values.get(wide(values)..).unwrap_or_default();
        names.iter().copied().zip(values.iter().copied()).collect()
    }

    /// Returns the entity's type, as the number of its text.
    #[inline]
    pub(crate) fn kind(&self, entity: u32) -> Option<u32> {
        self.row(entity).map(|row| row.kind)
    }

    #[inline]
    fn above_at(&self, from: u32, len: u32) -> &[u32] {
        let rest = self.above.get(wide(from)..).unwrap_or_default();
        rest.get(..wide(len)).unwrap_or_default()
    }

    /// Returns all ancestors of an entity, sorted.
    #[inline]
    pub(crate) fn ancestors(&self, entity: u32) -> &[u32] {
        self.row(entity)
            .map_or(&[], |row| self.above_at(row.above, row.ancestors))
    }

    /// Returns the direct parents of an entity.
    pub(crate) fn parents(&self, entity: u32) -> &[u32] {
        self.row(entity).map_or(&[], |row| {
            self.above_at(row.above.saturating_add(row.ancestors), row.parents)
        })
    }

    /// Returns whether the entity is an ancestor of another.
    pub(crate) fn has_below(&self, entity: u32) -> bool {
        self.row(entity).is_some_and(|row| row.has_below)
    }

    /// Returns the type and id of an entity.
    #[inline]
    pub(crate) fn name(&self, entity: u32) -> Option<(u32, &str)> {
        name_of(&self.rows, &self.ids, entity)
    }

    /// Returns the attributes and tags of an entity. Returns `None` if the program's data does not
    /// contain it.
    pub(crate) fn fields_of(&self, entity: u32) -> Option<(FieldSpan, FieldSpan)> {
        let row = self.row(entity).filter(|row| row.shape != NO_ENTITY)?;
        let tags = self.fields(row.tags, self.tag_values(row));
        Some((self.fields(row.shape, row.values), tags))
    }

    /// Returns the number of an entity, if the program names it.
    #[inline]
    pub(crate) fn find(&self, kind: &str, id: &str) -> Option<u32> {
        self.find_of(self.pool.find_text(kind)?, id)
    }

    /// Returns the number of an entity whose type is given as the number of its text.
    #[inline]
    pub(crate) fn find_of(&self, kind: u32, id: &str) -> Option<u32> {
        self.table
            .find(self.hasher.hash_one((kind, id)), |at| {
                self.name(*at) == Some((kind, id))
            })
            .copied()
    }

    /// Returns whether the text is the name of a type in the table.
    pub(crate) fn is_kind(&self, text: u32) -> bool {
        self.kinds.binary_search(&text).is_ok()
    }

    /// Adds the name of a type to the table and returns the number of its text.
    pub(crate) fn insert_type(&mut self, kind: &str) -> u32 {
        let text = self.pool.text(kind);
        if let Err(at) = self.kinds.binary_search(&text) {
            self.kinds.insert(at, text);
        }
        text
    }

    /// Returns the number of an entity. Adds the entity if it is not in the table.
    pub(crate) fn number(&mut self, kind: &str, id: &str) -> u32 {
        if let Some(at) = self.find(kind, id) {
            return at;
        }
        let kind = self.insert_type(kind);
        let at = self.place(self.rows.len());
        let span = (self.place(self.ids.len()), self.place(id.len()));
        self.ids.push_str(id);
        self.rows.push(EntityRow {
            kind,
            id: span,
            shape: NO_ENTITY,
            tags: NO_ENTITY,
            ..EntityRow::default()
        });
        let (rows, ids, hasher) = (&self.rows, &self.ids, &self.hasher);
        let hash = |at: &u32| name_of(rows, ids, *at).map_or(0, |name| hasher.hash_one(name));
        self.table.insert_unique(hash(&at), at, hash);
        at
    }

    pub(super) fn number_of(&mut self, uid: &EntityUid) -> u32 {
        self.number(&uid.type_name().to_string(), uid.id().unescaped())
    }

    /// Returns the number of the entity that a request names. An entity that the program does not
    /// name becomes a request-local one.
    pub(crate) fn find_or_unknown(&self, kind: &str, id: &str, space: &mut Heap<'_>) -> u32 {
        self.find(kind, id).unwrap_or_else(|| {
            let (kind, id) = (space.text_number(kind), space.text_number(id));
            space.unknown_entity(kind, id)
        })
    }
}
