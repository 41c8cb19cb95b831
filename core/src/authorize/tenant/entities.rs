//! Directory rows as the entities that policies read.

use hashbrown::HashMap;

use super::atoms::{flag, referred, set};
use super::symbols::{
    self, ACCOUNT, ACCOUNT_OF, ACTION, ATTRIBUTES, CHANNEL, DISABLED, DOMAIN, EMAIL, FEATURE,
    FEATURES, FIRST_TYPE, GRANTS, LEVEL, LEVEL_OF, MEMBER, METER, NAMED, OPERATOR, OWNER, PACKAGE,
    PACKAGE_OF, REASON, ROLE, ROLES, STATE, STATE_OF, entity, parts,
};
use crate::directory::{Tables, feature_indexes};
use crate::model::operator::Role;
use crate::vm::{EntityStore, Heap, REQUEST_LOCAL, StoredValue, Value, enum_set};

/// The directory, and the entities that the policies name.
pub(crate) struct KernelEntities<'a> {
    pub(crate) hot: &'a Tables,
    pub(crate) named: &'a SymbolTable,
    /// Type and id of an inline resource that has the first request-local number but is not
    /// interned. In most requests no other name can be that entity, so its type and id are never
    /// interned.
    pub(crate) guest: Option<(&'a str, &'a str)>,
}

/// The entities that a bundle's policies name, and the actions with their ancestors.
#[derive(Debug, Clone, Default)]
pub(crate) struct SymbolTable {
    /// Entities of other types.
    pub(crate) others: ExtraEntities,
    pub(crate) actions: Vec<Box<str>>,
    pub(crate) channels: Vec<Box<str>>,
    pub(crate) meters: Vec<Box<str>>,
    /// For each action, its ancestors in ascending order.
    pub(crate) above: Vec<Vec<u32>>,
    /// Whether a policy names a record, by its number in one generation of the directory.
    pub(crate) records: bool,
}

/// Entities by type (the number of a text) and id.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExtraEntities {
    /// The type of each entity.
    kinds: Vec<u32>,
    numbers: HashMap<u32, HashMap<Box<str>, u32>>,
}

impl ExtraEntities {
    pub(crate) fn find(&self, kind: u32, id: &str) -> Option<u32> {
        self.numbers.get(&kind)?.get(id).copied()
    }

    pub(crate) fn keep(&mut self, kind: u32, id: &str) -> u32 {
        if let Some(known) = self.find(kind, id) {
            return known;
        }
        let at = u32::try_from(self.kinds.len()).unwrap_or(u32::MAX);
        self.kinds.push(kind);
        self.numbers.entry(kind).or_default().insert(id.into(), at);
        at
    }

    fn kind(&self, at: u32) -> u32 {
        self.kinds.get(at as usize).copied().unwrap_or(u32::MAX)
    }
}

impl SymbolTable {
    /// Returns whether this copy of `other` has gained no name.
    pub(crate) fn has_names_of(&self, other: &Self) -> bool {
        self.others.kinds.len() == other.others.kinds.len() && self.records == other.records
    }

    /// Returns the place of a channel.
    pub(crate) fn channel(&self, id: &str) -> Option<u32> {
        position(&self.channels, id)
    }

    /// Returns the number of an entity whose type is not stored in the directory, if it has one.
    pub(crate) fn find(
        &self,
        hot: &Tables,
        kind: &str,
        kind_text: Option<u32>,
        id: &str,
    ) -> Option<u32> {
        let (kind, place) = match kind {
            "Feature" => (FEATURE, hot.feature(id)),
            "DisableReason" => (REASON, position(&symbols::REASONS, id)),
            "DomainState" => (STATE, position(&symbols::STATES, id)),
            "Role" => (ROLE, position(&Role::NAMES, id)),
            "Channel" => (CHANNEL, self.channel(id)),
            "Meter" => (METER, position(&self.meters, id)),
            "Action" => (ACTION, position(&self.actions, id)),
            _ => (NAMED, self.others.find(kind_text?, id)),
        };
        place.map(|place| entity(kind, place))
    }
}

/// Returns the place of a name in a list.
pub(super) fn position(names: &[impl AsRef<str>], name: &str) -> Option<u32> {
    let at = names.iter().position(|known| known.as_ref() == name)?;
    u32::try_from(at).ok()
}

/// Returns the number of a record or of a reserved name.
pub(crate) fn record(hot: &Tables, kind: &str, id: &str) -> Option<u32> {
    let (kind, number) = match kind {
        "Account" => (ACCOUNT, hot.accounts.number(id)),
        "TeamMember" => (MEMBER, hot.members.number(id)),
        "Domain" => (DOMAIN, hot.domains.number(id)),
        "AccessLevel" => (LEVEL, hot.levels.number(id)),
        "Package" => (PACKAGE, hot.packages.number(id)),
        "Operator" => (OPERATOR, hot.operators.number(id)),
        "Platform" => (symbols::PLATFORM, hot.platforms.number(id)),
        _ => return None,
    };
    number.map(|number| entity(kind, number))
}

impl KernelEntities<'_> {
    /// Returns the entity that a request names, whether or not it is known.
    pub(crate) fn entity(&self, kind: &str, id: &str, space: &mut Heap<'_>) -> Value {
        let known = record(self.hot, kind, id).or_else(|| {
            self.named
                .find(self.hot, kind, space.pool.find_text(kind), id)
        });
        Value::Entity(known.unwrap_or_else(|| {
            // An attribute defined by the host can name the inline resource or another unknown
            // entity. Intern the resource first, because it has the first request-local number.
            let [.., last] = [self.guest, Some((kind, id))].map(|stranger| {
                let (kind, id) = stranger?;
                let (kind, id) = (space.text_number(kind), space.text_number(id));
                Some(space.unknown_entity(kind, id))
            });
            last.unwrap_or(REQUEST_LOCAL)
        }))
    }

    /// Converts an attribute defined by the host into a value of this request. Recurses as deep as
    /// the value is nested, which was checked when it was stored.
    pub(crate) fn own(&self, own: &StoredValue, space: &mut Heap<'_>) -> Value {
        match own {
            StoredValue::Bool(value) => Value::Bool(*value),
            StoredValue::Long(value) => Value::Long(*value),
            StoredValue::Text(text) => Value::Text(space.text_number(text)),
            StoredValue::Entity(kind, id) => self.entity(kind, id, space),
            StoredValue::Set(items) => {
                let mut items = items.iter().map(|item| self.own(item, space)).collect();
                space.set(&mut items)
            }
            StoredValue::Record(fields) => {
                let mut fields: Vec<_> = fields
                    .iter()
                    .map(|(name, value)| (space.text_number(name), self.own(value, space)))
                    .collect();
                space.record(&mut fields)
            }
            StoredValue::Extension(made) => made.into_value(space),
        }
    }

    fn stored_value(&self, own: Option<&StoredValue>, space: &mut Heap<'_>) -> Value {
        match own {
            Some(own) => self.own(own, space),
            None => space.record(&mut []),
        }
    }

    /// Returns an attribute of a record. Returns `None` if the record or the attribute does not
    /// exist.
    #[inline]
    fn find_attribute(&self, record: u32, name: u32, space: &mut Heap<'_>) -> Option<Value> {
        let (hot, (kind, number)) = (self.hot, parts(record));
        Some(match (kind, name) {
            (ACCOUNT | DOMAIN | LEVEL, OWNER)
            | (ACCOUNT, PACKAGE_OF | LEVEL_OF)
            | (MEMBER, ACCOUNT_OF) => Value::Entity(referred(hot, record, name)?),
            (MEMBER, GRANTS) | (PACKAGE | LEVEL, FEATURES) => {
                let (low, more) = set(hot, record, name)?;
                features(low, more, space)
            }
            (ACCOUNT, DISABLED) => enum_set(REASON, set(hot, record, name)?.0),
            (OPERATOR, ROLES) => enum_set(ROLE, set(hot, record, name)?.0),
            (DOMAIN, STATE_OF) => {
                let state = hot.domains.row(number)?.state();
                Value::Entity(entity(STATE, state as u32))
            }
            (OPERATOR, EMAIL) => {
                hot.operators.row(number)?;
                Value::Text(space.text_number(hot.operators.more(number)?))
            }
            (ACCOUNT, ATTRIBUTES) => {
                let row = hot.accounts.row(number)?;
                self.stored_value(hot.account_own(number, row), space)
            }
            (MEMBER, ATTRIBUTES) => {
                let row = hot.members.row(number)?;
                self.stored_value(hot.member_own(number, row), space)
            }
            _ => Value::Bool(flag(hot, record, name)?),
        })
    }
}

/// Returns a set of features: the first 64 as bits, the others by place.
#[inline]
fn features(low: u64, more: &[u32], space: &mut Heap<'_>) -> Value {
    if more.is_empty() {
        enum_set(FEATURE, low)
    } else {
        many_features(low, more, space)
    }
}

#[cold]
fn many_features(low: u64, more: &[u32], space: &mut Heap<'_>) -> Value {
    let places = feature_indexes(low, more);
    let mut items = places
        .map(|at| Value::Entity(entity(FEATURE, at)))
        .collect();
    space.set(&mut items)
}

impl EntityStore for KernelEntities<'_> {
    #[inline]
    fn attribute(&self, record: u32, name: u32, space: &mut Heap<'_>) -> Value {
        self.find_attribute(record, name, space)
            .unwrap_or(Value::Missing)
    }

    fn tag(&self, _: u32, _: u32) -> Value {
        Value::Missing
    }

    fn is_descendant(&self, child: u32, ancestor: u32) -> bool {
        let (kind, at) = parts(child);
        let above = self.named.above.get(at as usize);
        kind == ACTION && above.is_some_and(|above| above.binary_search(&ancestor).is_ok())
    }

    fn type_of(&self, entity: u32) -> u32 {
        debug_assert!(entity < REQUEST_LOCAL);
        let (kind, at) = parts(entity);
        if kind == NAMED {
            self.named.others.kind(at)
        } else {
            FIRST_TYPE.saturating_add(kind)
        }
    }
}
