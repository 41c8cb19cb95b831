//! Where interned things live: a pool that is loaded once, and a scratch that one request fills and
//! empties.

use super::value::{Ip, Value, enum_bit, enum_set, enum_set_items};
use crate::util::interner::Interner;

/// Numbers from here on are the scratch's.
pub(crate) const REQUEST_LOCAL: u32 = 1 << 31;

/// Texts, sets, records and addresses of what is loaded.
#[derive(Debug)]
pub(crate) struct ConstantPool {
    /// The kinds of entity, among those numbered by kind, whose sets are flags.
    pub(crate) enumerated: std::ops::Range<u32>,
    texts: Interner<String>,
    sets: Interner<Vec<Value>>,
    records: Interner<Vec<(u32, Value)>>,
    addresses: Interner<Vec<Ip>>,
}

impl Default for ConstantPool {
    fn default() -> Self {
        let mut sets: Interner<Vec<Value>> = Interner::default();
        // The empty set has number 0.
        sets.intern(&[]);
        Self {
            enumerated: 0..0,
            texts: Interner::default(),
            sets,
            records: Interner::default(),
            addresses: Interner::default(),
        }
    }
}

impl ConstantPool {
    /// The set of these sorted values as flags, where it is one.
    fn as_flags(&self, items: &[Value]) -> Option<Value> {
        if self.enumerated.is_empty() {
            return None;
        }
        let (kind, _) = enum_bit(items.first()?.entity()?)?;
        let mut all = 0_u64;
        for item in items {
            let (other, bit) = enum_bit(item.entity()?)?;
            if other != kind || !self.enumerated.contains(&kind) {
                return None;
            }
            all |= bit;
        }
        Some(enum_set(kind, all))
    }

    pub(crate) fn text(&mut self, text: &str) -> u32 {
        self.texts.intern(text)
    }

    pub(crate) fn find_text(&self, text: &str) -> Option<u32> {
        self.texts.find(text)
    }

    /// The text of that number.
    pub(crate) fn text_of(&self, number: u32) -> Option<&str> {
        self.texts.get(number)
    }

    /// The set of these values.
    pub(crate) fn set(&mut self, mut items: Vec<Value>) -> Value {
        items.sort_unstable();
        items.dedup();
        self.as_flags(&items)
            .unwrap_or_else(|| Value::Set(self.sets.intern(&items)))
    }

    /// A set's members.
    pub(crate) fn set_items(&self, set: Value) -> Option<Vec<Value>> {
        match set {
            Value::Set(set) => self.sets.get(set).map(<[Value]>::to_vec),
            Value::Flags(kind, bits) => {
                Some(enum_set_items(kind, bits).map(Value::Entity).collect())
            }
            _ => None,
        }
    }

    /// The record of these fields; names are texts of this pool.
    pub(crate) fn record(&mut self, mut fields: Vec<(u32, Value)>) -> Value {
        fields.sort_unstable();
        Value::Record(self.records.intern(&fields))
    }

    pub(crate) fn address(&mut self, ip: Ip) -> Value {
        Value::Ip(self.addresses.intern(&[ip]))
    }
}

/// An extension value as its constructor gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Constructed {
    Value(Value),
    Ip(Ip),
}

impl Constructed {
    pub(crate) fn into_value(self, space: &mut Heap<'_>) -> Value {
        match self {
            Self::Value(value) => value,
            Self::Ip(ip) => space.address(ip),
        }
    }

    /// The value, kept in the pool.
    pub(crate) fn into_constant(self, pool: &mut ConstantPool) -> Value {
        match self {
            Self::Value(value) => value,
            Self::Ip(ip) => pool.address(ip),
        }
    }
}

/// An entity that came with the request: its attributes, tags and ancestors stand for what the
/// world would say.
#[derive(Debug)]
pub(crate) struct InlineEntity {
    pub(crate) entity: u32,
    pub(crate) attributes: Vec<(u32, Value)>,
    pub(crate) tags: Vec<(u32, Value)>,
    pub(crate) ancestors: Vec<u32>,
}

impl Default for InlineEntity {
    fn default() -> Self {
        Self {
            entity: u32::MAX,
            attributes: Vec::new(),
            tags: Vec::new(),
            ancestors: Vec::new(),
        }
    }
}

impl InlineEntity {
    fn clear(&mut self) {
        self.entity = u32::MAX;
        self.attributes.clear();
        self.tags.clear();
        self.ancestors.clear();
    }
}

/// What one request needs beside the pool; kept between requests for its memory only.
#[derive(Debug, Default)]
pub(crate) struct RequestArena {
    texts: Interner<String>,
    sets: Interner<Vec<Value>>,
    records: Interner<Vec<(u32, Value)>>,
    addresses: Interner<Vec<Ip>>,
    /// Type and id of entities that the world does not know.
    strangers: Vec<(u32, u32)>,
    pub(crate) guest: InlineEntity,
    pub(crate) frame: Vec<Value>,
    /// All that are above a guest, while policies are picked by them.
    pub(crate) above: Vec<u32>,
    pub(super) items: Vec<Value>,
    pub(super) fields: Vec<(u32, Value)>,
}

impl RequestArena {
    pub(crate) fn clear(&mut self) {
        self.texts.clear();
        self.sets.clear();
        self.records.clear();
        self.addresses.clear();
        self.strangers.clear();
        self.guest.clear();
    }
}

/// Both together, as one request sees them.
#[derive(Debug)]
pub(crate) struct Heap<'a> {
    pub(crate) pool: &'a ConstantPool,
    pub(crate) scratch: &'a mut RequestArena,
}

impl Heap<'_> {
    pub(crate) fn text_number(&mut self, text: &str) -> u32 {
        self.pool
            .texts
            .find(text)
            .unwrap_or_else(|| self.scratch.texts.intern(text) | REQUEST_LOCAL)
    }

    pub(crate) fn text(&self, at: u32) -> &str {
        let found = if at < REQUEST_LOCAL {
            self.pool.texts.get(at)
        } else {
            self.scratch.texts.get(at ^ REQUEST_LOCAL)
        };
        found.unwrap_or_default()
    }

    pub(crate) fn set(&mut self, items: &mut Vec<Value>) -> Value {
        items.sort_unstable();
        items.dedup();
        if let Some(flags) = self.pool.as_flags(items) {
            return flags;
        }
        Value::Set(
            self.pool
                .sets
                .find(items)
                .unwrap_or_else(|| self.scratch.sets.intern(items) | REQUEST_LOCAL),
        )
    }

    pub(crate) fn items(&self, at: u32) -> &[Value] {
        let found = if at < REQUEST_LOCAL {
            self.pool.sets.get(at)
        } else {
            self.scratch.sets.get(at ^ REQUEST_LOCAL)
        };
        found.unwrap_or_default()
    }

    pub(crate) fn record(&mut self, fields: &mut [(u32, Value)]) -> Value {
        fields.sort_unstable();
        Value::Record(
            self.pool
                .records
                .find(fields)
                .unwrap_or_else(|| self.scratch.records.intern(fields) | REQUEST_LOCAL),
        )
    }

    /// A record's fields, sorted by the numbers of their names.
    pub(crate) fn fields(&self, at: u32) -> &[(u32, Value)] {
        let found = if at < REQUEST_LOCAL {
            self.pool.records.get(at)
        } else {
            self.scratch.records.get(at ^ REQUEST_LOCAL)
        };
        found.unwrap_or_default()
    }

    pub(crate) fn address(&mut self, ip: Ip) -> Value {
        Value::Ip(
            self.pool
                .addresses
                .find(&[ip])
                .unwrap_or_else(|| self.scratch.addresses.intern(&[ip]) | REQUEST_LOCAL),
        )
    }

    pub(crate) fn ip(&self, at: u32) -> Option<Ip> {
        let found = if at < REQUEST_LOCAL {
            self.pool.addresses.get(at)
        } else {
            self.scratch.addresses.get(at ^ REQUEST_LOCAL)
        };
        found?.first().copied()
    }

    /// The number of an entity that the world does not know, the same for the same type and id.
    pub(crate) fn unknown_entity(&mut self, kind: u32, id: u32) -> u32 {
        let known = self
            .scratch
            .strangers
            .iter()
            .position(|known| *known == (kind, id));
        let at = known.unwrap_or_else(|| {
            self.scratch.strangers.push((kind, id));
            self.scratch.strangers.len().saturating_sub(1)
        });
        u32::try_from(at).unwrap_or(0) | REQUEST_LOCAL
    }

    /// The type of a stranger.
    pub(crate) fn unknown_entity_type(&self, entity: u32) -> Option<u32> {
        self.scratch
            .strangers
            .get((entity ^ REQUEST_LOCAL) as usize)
            .map(|(kind, _)| *kind)
    }
}
