//! Storage of interned values: a pool that is filled once at load, and an arena that each request
//! fills and clears.

use super::value::{Ip, Value, enum_bit, enum_set, enum_set_items};
use crate::util::interner::{FlatStorage, Interner};

/// Numbers from this one on belong to the request's arena.
pub(crate) const REQUEST_LOCAL: u32 = 1 << 31;

/// The interned parts of values.
#[derive(Debug, Clone, Default)]
struct PartTables {
    texts: Interner<String>,
    sets: Interner<Vec<Value>>,
    records: Interner<Vec<(u32, Value)>>,
    addresses: Interner<Vec<Ip>>,
}

/// Texts, sets, records and addresses of the loaded policies and directory.
#[derive(Debug, Clone)]
pub(crate) struct ConstantPool {
    /// The range of entity types whose sets are stored as bit sets.
    pub(crate) enumerated: std::ops::Range<u32>,
    parts: PartTables,
}

impl Default for ConstantPool {
    fn default() -> Self {
        let mut parts = PartTables::default();
        // The empty set has number 0.
        parts.sets.intern(&[]);
        let enumerated = 0..0;
        Self { enumerated, parts }
    }
}

impl ConstantPool {
    /// Returns the numbers of constants. They differ from an earlier result if the pool has grown.
    pub(crate) fn sizes(&self) -> [usize; 4] {
        let (texts, sets) = (self.parts.texts.len(), self.parts.sets.len());
        let (records, addresses) = (self.parts.records.len(), self.parts.addresses.len());
        [texts, sets, records, addresses]
    }

    /// Returns the set of these sorted values as a bit set, or `None` if they are not of one
    /// enumerated type.
    fn as_flags(&self, items: &[Value]) -> Option<Value> {
        let (kind, _) = enum_bit(items.first()?.entity()?)?;
        if !self.enumerated.contains(&kind) {
            return None;
        }
        let all = items.iter().try_fold(0, |all, item| {
            let (other, bit) = enum_bit(item.entity()?)?;
            (other == kind).then_some(all | bit)
        })?;
        Some(enum_set(kind, all))
    }

    pub(crate) fn text(&mut self, text: &str) -> u32 {
        self.parts.texts.intern(text)
    }

    pub(crate) fn find_text(&self, text: &str) -> Option<u32> {
        self.parts.texts.find(text)
    }

    /// Returns the text with this number.
    pub(crate) fn text_of(&self, number: u32) -> Option<&str> {
        self.parts.texts.get(number)
    }

    /// Interns the set of these values.
    pub(crate) fn set(&mut self, mut items: Vec<Value>) -> Value {
        items.sort_unstable();
        items.dedup();
        self.as_flags(&items)
            .unwrap_or_else(|| Value::Set(self.parts.sets.intern(&items)))
    }

    /// Returns the members of a set.
    pub(crate) fn set_items(&self, set: Value) -> Option<Vec<Value>> {
        match set {
            Value::Set(set) => self.parts.sets.get(set).map(<[Value]>::to_vec),
            Value::Flags(kind, bits) => {
                Some(enum_set_items(kind, bits).map(Value::Entity).collect())
            }
            _ => None,
        }
    }

    /// Interns the record of these fields. Their names are texts of this pool.
    pub(crate) fn record(&mut self, mut fields: Vec<(u32, Value)>) -> Value {
        fields.sort_unstable();
        Value::Record(self.parts.records.intern(&fields))
    }

    /// Returns the fields of a record, sorted by the numbers of their names.
    pub(crate) fn record_fields(&self, record: u32) -> Option<&[(u32, Value)]> {
        self.parts.records.get(record)
    }

    pub(crate) fn address(&mut self, ip: Ip) -> Value {
        Value::Ip(self.parts.addresses.intern(&[ip]))
    }
}

/// An extension value as its constructor returns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConstructedValue {
    Value(Value),
    Ip(Ip),
}

impl ConstructedValue {
    pub(crate) fn into_value(self, space: &mut Heap<'_>) -> Value {
        match self {
            Self::Value(value) => value,
            Self::Ip(ip) => space.address(ip),
        }
    }

    /// Returns the value, and interns it in the pool if needed.
    pub(crate) fn into_constant(self, pool: &mut ConstantPool) -> Value {
        match self {
            Self::Value(value) => value,
            Self::Ip(ip) => pool.address(ip),
        }
    }
}

/// An entity that came with the request. Its attributes, tags and ancestors replace those of the
/// entity store.
#[derive(Debug)]
pub(crate) struct InlineEntity {
    pub(crate) entity: u32,
    /// The type, if the entity has a request-local number without a name.
    pub(crate) kind: Option<u32>,
    pub(crate) attributes: Vec<(u32, Value)>,
    pub(crate) tags: Vec<(u32, Value)>,
    pub(crate) ancestors: Vec<u32>,
}

impl Default for InlineEntity {
    fn default() -> Self {
        Self {
            entity: u32::MAX,
            kind: None,
            attributes: Vec::new(),
            tags: Vec::new(),
            ancestors: Vec::new(),
        }
    }
}

impl InlineEntity {
    fn clear(&mut self) {
        self.entity = u32::MAX;
        self.kind = None;
        self.attributes.clear();
        self.tags.clear();
        self.ancestors.clear();
    }
}

/// Values of one request that are not in the pool. Requests reuse an arena only for its memory.
#[derive(Debug, Default)]
pub(crate) struct RequestArena {
    parts: PartTables,
    /// Type and id of entities that the entity store does not know.
    strangers: Vec<(u32, u32)>,
    pub(crate) guest: InlineEntity,
    pub(crate) frame: Vec<Value>,
    /// Ancestors of the inline entity, used while policies are selected by them.
    pub(crate) above: Vec<u32>,
    pub(super) items: Vec<Value>,
    pub(super) fields: Vec<(u32, Value)>,
}

impl RequestArena {
    pub(crate) fn clear(&mut self) {
        self.parts.texts.clear();
        self.parts.sets.clear();
        self.parts.records.clear();
        self.parts.addresses.clear();
        self.strangers.clear();
        self.guest.clear();
    }
}

/// The pool and the arena, as one request sees them.
#[derive(Debug)]
pub(crate) struct Heap<'a> {
    pub(crate) pool: &'a ConstantPool,
    pub(crate) scratch: &'a mut RequestArena,
}

/// Returns the number of an item of the pool, or else of the arena.
#[inline]
fn intern<S: FlatStorage>(pool: &Interner<S>, scratch: &mut Interner<S>, item: &S::Item) -> u32 {
    pool.find(item)
        .unwrap_or_else(|| scratch.intern(item) | REQUEST_LOCAL)
}

/// Returns the item with this number in the pool or the arena.
#[inline]
fn item<'a, S: FlatStorage>(
    pool: &'a Interner<S>,
    scratch: &'a Interner<S>,
    at: u32,
) -> Option<&'a S::Item> {
    if at < REQUEST_LOCAL {
        pool.get(at)
    } else {
        scratch.get(at ^ REQUEST_LOCAL)
    }
}

impl Heap<'_> {
    pub(crate) fn text_number(&mut self, text: &str) -> u32 {
        intern(&self.pool.parts.texts, &mut self.scratch.parts.texts, text)
    }

    pub(crate) fn text(&self, at: u32) -> &str {
        item(&self.pool.parts.texts, &self.scratch.parts.texts, at).unwrap_or_default()
    }

    pub(crate) fn set(&mut self, items: &mut Vec<Value>) -> Value {
        items.sort_unstable();
        items.dedup();
        let (pool, scratch) = (&self.pool.parts.sets, &mut self.scratch.parts.sets);
        self.pool
            .as_flags(items)
            .unwrap_or_else(|| Value::Set(intern(pool, scratch, items)))
    }

    pub(crate) fn items(&self, at: u32) -> &[Value] {
        item(&self.pool.parts.sets, &self.scratch.parts.sets, at).unwrap_or_default()
    }

    pub(crate) fn record(&mut self, fields: &mut [(u32, Value)]) -> Value {
        fields.sort_unstable();
        let (pool, scratch) = (&self.pool.parts.records, &mut self.scratch.parts.records);
        Value::Record(intern(pool, scratch, fields))
    }

    /// Returns the fields of a record, sorted by the numbers of their names.
    pub(crate) fn fields(&self, at: u32) -> &[(u32, Value)] {
        item(&self.pool.parts.records, &self.scratch.parts.records, at).unwrap_or_default()
    }

    pub(crate) fn address(&mut self, ip: Ip) -> Value {
        let (pool, scratch) = (
            &self.pool.parts.addresses,
            &mut self.scratch.parts.addresses,
        );
        Value::Ip(intern(pool, scratch, &[ip]))
    }

    pub(crate) fn ip(&self, at: u32) -> Option<Ip> {
        let (pool, scratch) = (&self.pool.parts.addresses, &self.scratch.parts.addresses);
        item(pool, scratch, at)?.first().copied()
    }

    /// Returns the number of an entity that the entity store does not know. Equal types and ids get
    /// equal numbers.
    pub(crate) fn unknown_entity(&mut self, kind: u32, id: u32) -> u32 {
        let strangers = &mut self.scratch.strangers;
        let known = strangers.iter().position(|known| *known == (kind, id));
        let at = known.unwrap_or_else(|| {
            strangers.push((kind, id));
            strangers.len().saturating_sub(1)
        });
        u32::try_from(at).unwrap_or(0) | REQUEST_LOCAL
    }

    /// Returns the type of an entity that the entity store does not know.
    pub(crate) fn unknown_entity_type(&self, entity: u32) -> Option<u32> {
        let guest = &self.scratch.guest;
        if guest.entity == entity && guest.kind.is_some() {
            return guest.kind;
        }
        let at = (entity ^ REQUEST_LOCAL) as usize;
        Some(self.scratch.strangers.get(at)?.0)
    }
}
