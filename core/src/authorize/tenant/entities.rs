//! Directory rows as the entities that policies read.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::symbols::{
    self, ACCOUNT, ACCOUNT_OF, ATTRIBUTES, DISABLED, DOMAIN, EMAIL, FEATURE, FEATURES, FIRST_TYPE,
    GRANTS, LEVEL, LEVEL_OF, MEMBER, NAMED, OPERATOR, OWNER, PACKAGE, PACKAGE_OF, PLATFORM_OF,
    REASON, ROLE, ROLES, STATE, STATE_OF, entity, parts,
};
use crate::directory::{NO_ROW, Tables};
use crate::model::domain::DomainState;
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
    list: Vec<(u32, Box<str>)>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl ExtraEntities {
    pub(crate) fn find(&self, kind: u32, id: &str) -> Option<u32> {
        if self.list.is_empty() {
            return None;
        }
        let is = |at: &u32| {
            self.list
                .get(*at as usize)
                .is_some_and(|(known, name)| *known == kind && **name == *id)
        };
        self.table
            .find(self.hasher.hash_one((kind, id)), is)
            .copied()
    }

    pub(crate) fn keep(&mut self, kind: u32, id: &str) -> u32 {
        if let Some(known) = self.find(kind, id) {
            return known;
        }
        let at = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push((kind, id.into()));
        let (list, hasher) = (&self.list, &self.hasher);
        let rehash = |at: &u32| {
            list.get(*at as usize)
                .map_or(0, |(kind, id)| hasher.hash_one((*kind, &**id)))
        };
        self.table
            .insert_unique(hasher.hash_one((kind, id)), at, rehash);
        at
    }

    fn kind(&self, at: u32) -> u32 {
        self.list
            .get(at as usize)
            .map_or(u32::MAX, |(kind, _)| *kind)
    }
}

impl SymbolTable {
    /// Returns whether this copy of `other` has gained no name.
    pub(crate) fn has_names_of(&self, other: &Self) -> bool {
        self.others.list.len() == other.others.list.len() && self.records == other.records
    }

    /// Returns the place of a channel.
    pub(crate) fn channel(&self, id: &str) -> Option<u32> {
        u32::try_from(self.channels.iter().position(|known| **known == *id)?).ok()
    }

    /// Returns the place of a meter.
    pub(crate) fn meter(&self, id: &str) -> Option<u32> {
        u32::try_from(self.meters.iter().position(|known| **known == *id)?).ok()
    }

    /// Returns the number of an entity whose type is not stored in the directory, if it has one.
    pub(crate) fn find(
        &self,
        hot: &Tables,
        kind: &str,
        kind_text: Option<u32>,
        id: &str,
    ) -> Option<u32> {
        let place = |at: usize| u32::try_from(at).ok();
        match kind {
            "Feature" => hot.feature(id).map(|at| entity(FEATURE, at)),
            "DisableReason" => place(symbols::REASONS.iter().position(|known| *known == id)?)
                .map(|at| entity(REASON, at)),
            "DomainState" => place(symbols::STATES.iter().position(|known| *known == id)?)
                .map(|at| entity(STATE, at)),
            "Role" => {
                place(Role::NAMES.iter().position(|known| *known == id)?).map(|at| entity(ROLE, at))
            }
            "Channel" => self.channel(id).map(|at| entity(symbols::CHANNEL, at)),
            "Meter" => self.meter(id).map(|at| entity(symbols::METER, at)),
            "Action" => place(self.actions.iter().position(|known| **known == *id)?)
                .map(|at| entity(symbols::ACTION, at)),
            _ => {
                let kind = kind_text?;
                self.others.find(kind, id).map(|at| entity(NAMED, at))
            }
        }
    }
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

    fn operator_email(&self, number: u32, space: &mut Heap<'_>) -> Value {
        let email = self
            .hot
            .operators
            .row(number)
            .and_then(|_| self.hot.operators.more(number));
        email.map_or(Value::Missing, |email| {
            Value::Text(space.text_number(email))
        })
    }

    fn stored_value(&self, own: Option<&StoredValue>, space: &mut Heap<'_>) -> Value {
        match own {
            Some(own) => self.own(own, space),
            None => space.record(&mut Vec::new()),
        }
    }
}

/// Returns the entity with that number, or [`Value::Missing`] for [`NO_ROW`].
#[inline]
fn reference(kind: u32, number: u32) -> Value {
    if number == NO_ROW {
        Value::Missing
    } else {
        Value::Entity(entity(kind, number))
    }
}

/// Returns the boolean attribute of that name. `read` reads the flag at a place.
#[inline]
fn flag(kind: u32, name: u32, read: impl FnOnce(u32) -> bool) -> Value {
    symbols::flag_place(kind, name).map_or(Value::Missing, |place| Value::Bool(read(place)))
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
    let mut items = Vec::with_capacity(more.len().saturating_add(low.count_ones() as usize));
    items.extend(
        (0..64_u32)
            .filter(|place| low.checked_shr(*place).unwrap_or(0) & 1 == 1)
            .map(|place| Value::Entity(entity(FEATURE, place))),
    );
    items.extend(
        more.iter()
            .map(|place| Value::Entity(entity(FEATURE, *place))),
    );
    space.set(&mut items)
}

impl EntityStore for KernelEntities<'_> {
    #[inline]
    fn attribute(&self, record: u32, name: u32, space: &mut Heap<'_>) -> Value {
        let (kind, number) = parts(record);
        match kind {
            ACCOUNT => self
                .hot
                .accounts
                .row(number)
                .map_or(Value::Missing, |row| match name {
                    DISABLED => enum_set(REASON, row.disabled()),
                    OWNER => reference(ACCOUNT, row.owner),
                    PACKAGE_OF => reference(PACKAGE, row.package),
                    LEVEL_OF => reference(LEVEL, row.level),
                    ATTRIBUTES => self.stored_value(self.hot.account_own(number, row), space),
                    _ => flag(ACCOUNT, name, |place| row.flag(place)),
                }),
            MEMBER => self
                .hot
                .members
                .row(number)
                .map_or(Value::Missing, |row| match name {
                    ACCOUNT_OF => reference(ACCOUNT, row.account),
                    GRANTS => features(row.grants, self.hot.more_grants(number, row), space),
                    ATTRIBUTES => self.stored_value(self.hot.member_own(number, row), space),
                    _ => flag(MEMBER, name, |place| row.flag(place)),
                }),
            DOMAIN => self
                .hot
                .domains
                .row(number)
                .map_or(Value::Missing, |row| match name {
                    PLATFORM_OF => Value::Bool(row.owner == NO_ROW),
                    OWNER => reference(ACCOUNT, row.owner),
                    STATE_OF => Value::Entity(entity(STATE, state(row.state()))),
                    _ => Value::Missing,
                }),
            LEVEL => self
                .hot
                .levels
                .row(number)
                .map_or(Value::Missing, |row| match name {
                    FEATURES => features(row.features, self.hot.more_of_level(number, row), space),
                    OWNER => reference(ACCOUNT, row.owner),
                    _ => Value::Missing,
                }),
            PACKAGE => self
                .hot
                .packages
                .row(number)
                .map_or(Value::Missing, |row| match name {
                    FEATURES => {
                        features(row.features, self.hot.more_of_package(number, row), space)
                    }
                    _ => flag(PACKAGE, name, |place| row.flag(place)),
                }),
            OPERATOR if name == EMAIL => self.operator_email(number, space),
            OPERATOR if name == ROLES => {
                let row = self.hot.operators.row(number);
                row.map_or(Value::Missing, |row| enum_set(ROLE, row.roles()))
            }
            _ => Value::Missing,
        }
    }

    fn tag(&self, _: u32, _: u32) -> Value {
        Value::Missing
    }

    fn is_descendant(&self, child: u32, ancestor: u32) -> bool {
        match (parts(child), parts(ancestor)) {
            ((symbols::ACTION, at), (symbols::ACTION, _)) => self
                .named
                .above
                .get(at as usize)
                .is_some_and(|above| above.binary_search(&ancestor).is_ok()),
            _ => false,
        }
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

pub(crate) fn state(state: DomainState) -> u32 {
    match state {
        DomainState::Pending => 0,
        DomainState::Verified => 1,
        DomainState::Quarantined => 2,
        DomainState::Lapsed => 3,
    }
}
