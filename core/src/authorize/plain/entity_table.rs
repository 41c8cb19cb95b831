//! The entity table: the entities of a plain Cedar program, interned for the compiled policies.
//!
//! Most entities of a type have the same attributes. Their attribute names are interned once, as a
//! shape. The attribute values of all entities are in one array, and so are their ancestors.

use std::collections::HashMap;
use std::hash::BuildHasher;

use cedar_policy::{Entities, Entity};
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::compiler::CompileContext;
use crate::util::interner::Interner;
use crate::vm::{ConstantPool, EntityStore, Heap, Value};

/// The shape of an entity of which only the name is known.
const NO_ENTITY: u32 = u32::MAX;

/// One entity, from the program's data or known only by name.
#[derive(Debug, Clone, Copy)]
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
type FieldSpan = Vec<(u32, Value)>;

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
        let Some(row) = self.rows.get(entity as usize) else {
            return Value::Missing;
        };
        self.field(row.shape, row.values, name)
    }

    fn tag(&self, entity: u32, tag: u32) -> Value {
        let Some(row) = self.rows.get(entity as usize) else {
            return Value::Missing;
        };
        self.field(
            row.tags,
            row.values.saturating_add(self.shape_len(row.shape)),
            tag,
        )
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

impl EntityTable {
    /// Builds the table of all entities. `parents` holds the direct parents of each.
    pub(crate) fn new(
        entities: &Entities,
        parents: &HashMap<(String, String), Vec<(String, String)>>,
    ) -> Self {
        let mut resident = Self::default();
        for entity in entities.iter() {
            let uid = entity.uid();
            resident.number(&uid.type_name().to_string(), uid.id().unescaped());
        }
        for entity in entities.iter() {
            resident.insert(entity, entities, parents);
        }
        let above = std::mem::take(&mut resident.above);
        for number in &above {
            if let Some(row) = resident.rows.get_mut(wide(*number)) {
                row.has_below = true;
            }
        }
        resident.above = above;
        resident
    }

    fn insert(
        &mut self,
        entity: &Entity,
        entities: &Entities,
        parents: &HashMap<(String, String), Vec<(String, String)>>,
    ) {
        let uid = entity.uid();
        let name = (uid.type_name().to_string(), uid.id().unescaped().to_owned());
        let at = self.number(&name.0, &name.1);
        let mut attributes = Vec::new();
        for (name, value) in entity.attrs() {
            attributes.push((
                self.pool.text(name),
                value.map_or(Value::Poison, |value| self.keep(&value)),
            ));
        }
        let mut tags = Vec::new();
        for (name, value) in entity.tags() {
            tags.push((
                self.pool.text(name),
                value.map_or(Value::Poison, |value| self.keep(&value)),
            ));
        }
        attributes.sort_unstable_by_key(|(name, _)| *name);
        tags.sort_unstable_by_key(|(name, _)| *name);
        let mut ancestors: Vec<u32> = entities
            .ancestors(&uid)
            .into_iter()
            .flatten()
            .map(|above| self.number(&above.type_name().to_string(), above.id().unescaped()))
            .collect();
        ancestors.sort_unstable();
        let direct: Vec<u32> = match parents.get(&name) {
            Some(parents) => parents
                .iter()
                .map(|(kind, id)| self.number(kind, id))
                .collect(),
            None => ancestors.clone(),
        };
        self.put(at, &attributes, &tags, &ancestors, &direct);
    }

    fn put(
        &mut self,
        at: u32,
        attributes: &[(u32, Value)],
        tags: &[(u32, Value)],
        ancestors: &[u32],
        parents: &[u32],
    ) {
        let mut names = |fields: &[(u32, Value)]| {
            self.shapes
                .intern(&fields.iter().map(|(name, _)| *name).collect::<Vec<_>>())
        };
        let (shape, tag_names) = (names(attributes), names(tags));
        let (values, above) = (self.place(self.values.len()), self.place(self.above.len()));
        self.values
            .extend(attributes.iter().chain(tags).map(|(_, value)| *value));
        self.above.extend(ancestors.iter().chain(parents));
        let (ancestors, parents) = (self.place(ancestors.len()), self.place(parents.len()));
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

    fn shape_len(&self, shape: u32) -> u32 {
        self.shapes
            .get(shape)
            .map_or(0, |names| u32::try_from(names.len()).unwrap_or(0))
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

    fn fields(&self, shape: u32, values: u32) -> impl Iterator<Item = (u32, Value)> {
        let names = self.shapes.get(shape).unwrap_or_default();
        names.iter().copied().zip(
            self.values
                .get(wide(values)..)
                .unwrap_or_default()
                .iter()
                .copied(),
        )
    }

    /// Returns the entity's type, as the number of its text.
    #[inline]
    pub(crate) fn kind(&self, entity: u32) -> Option<u32> {
        self.rows.get(wide(entity)).map(|row| row.kind)
    }

    /// Returns all ancestors of an entity, sorted.
    #[inline]
    pub(crate) fn ancestors(&self, entity: u32) -> &[u32] {
        let row = self.rows.get(wide(entity)).and_then(|row| {
            self.above
                .get(wide(row.above)..)?
                .get(..wide(row.ancestors))
        });
        row.unwrap_or_default()
    }

    /// Returns the direct parents of an entity.
    pub(crate) fn parents(&self, entity: u32) -> &[u32] {
        let row = |row: &EntityRow| {
            self.above
                .get(wide(row.above.saturating_add(row.ancestors))..)?
                .get(..wide(row.parents))
        };
        self.rows
            .get(wide(entity))
            .and_then(row)
            .unwrap_or_default()
    }

    /// Returns whether the entity is an ancestor of another.
    pub(crate) fn has_below(&self, entity: u32) -> bool {
        self.rows.get(wide(entity)).is_some_and(|row| row.has_below)
    }

    /// Returns the type and id of an entity.
    pub(crate) fn name(&self, entity: u32) -> Option<(u32, &str)> {
        let row = self.rows.get(wide(entity))?;
        Some((
            row.kind,
            self.ids.get(wide(row.id.0)..)?.get(..wide(row.id.1))?,
        ))
    }

    /// Returns the attributes and tags of an entity. Returns `None` if the program's data does not
    /// contain it.
    pub(crate) fn fields_of(&self, entity: u32) -> Option<(FieldSpan, FieldSpan)> {
        let row = self
            .rows
            .get(wide(entity))
            .filter(|row| row.shape != NO_ENTITY)?;
        let tags = row.values.saturating_add(self.shape_len(row.shape));
        Some((
            self.fields(row.shape, row.values).collect(),
            self.fields(row.tags, tags).collect(),
        ))
    }

    /// Returns the source text of an extension value.
    pub(crate) fn written(&self, value: Value) -> Option<&str> {
        self.written.get(&value).map(AsRef::as_ref)
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
            values: 0,
            above: 0,
            ancestors: 0,
            parents: 0,
            has_below: false,
        });
        let hash = |rows: &[EntityRow], ids: &str, at: u32| {
            let row = rows.get(wide(at))?;
            Some(
                self.hasher
                    .hash_one((row.kind, ids.get(wide(row.id.0)..)?.get(..wide(row.id.1))?)),
            )
        };
        let (rows, ids) = (&self.rows, &self.ids);
        self.table
            .insert_unique(self.hasher.hash_one((kind, id)), at, |at| {
                hash(rows, ids, *at).unwrap_or(0)
            });
        at
    }

    /// Returns the entity that a request names. An entity that the program does not name becomes a
    /// request-local one.
    pub(crate) fn find_or_unknown(&self, kind: &str, id: &str, space: &mut Heap<'_>) -> Value {
        Value::Entity(self.find(kind, id).unwrap_or_else(|| {
            let (kind, id) = (space.text_number(kind), space.text_number(id));
            space.unknown_entity(kind, id)
        }))
    }
}
