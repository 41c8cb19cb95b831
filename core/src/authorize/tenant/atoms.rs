//! Facts of records that are not bits of every request, each read from the row at the end of a path
//! when the diagram reaches its variable.

use super::entities::state;
use super::resolve::ResolvedRequest;
use super::resolved_resource::ResolvedResource;
use super::symbols::{
    ACCOUNT, ACCOUNT_OF, DISABLED, DOMAIN, FEATURES, GRANTS, LEVEL, LEVEL_OF, MEMBER, OPERATOR,
    OWNER, PACKAGE, PACKAGE_OF, PLATFORM, PLATFORM_OF, ROLES, STATE_OF, entity, flag_place, parts,
};
use crate::directory::{NO_ROW, Tables};
use crate::util::text::same;
use crate::vm::StoredValue;

/// The record at the start of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathStart {
    Account,
    Member,
    /// The principal, if it is an operator.
    Operator,
    Domain,
    Resource,
    /// The account of an inline resource.
    ResourcesAccount,
    /// The account of the actor.
    ActorsAccount,
    /// The actor, if it is a member.
    ActingMember,
    /// The account whose realm the caller gave.
    RealmOwner,
}

/// A record, as the references that lead to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordPath {
    pub(crate) start: PathStart,
    pub(crate) names: Vec<u32>,
    /// The type of the entity at the end of the path.
    pub(crate) kind: u32,
}

/// A literal that an attribute defined by the host is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OwnLiteral {
    Bool(bool),
    Long(i64),
    Text(Box<str>),
}

/// One fact of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RecordFact {
    /// The record exists.
    Exists,
    /// The record has the reference of that name.
    Names(u32),
    /// The boolean attribute of that name is true.
    Flag(u32),
    /// The set of that name contains the item, or the attribute of that name equals the item.
    Contains(u32, u32),
    /// The set of that name is empty.
    IsEmpty(u32),
    /// The record is one of these entities, which are sorted.
    IsOneOf(Box<[u32]>),
    /// The other path leads to the same record.
    IsAlso(RecordPath),
    /// The record has that attribute defined by the host.
    HasOwn(Box<str>),
    /// The attribute defined by the host equals the literal.
    OwnIs(Box<str>, OwnLiteral),
}

/// A fact of the record at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordRead {
    pub(crate) path: RecordPath,
    pub(crate) fact: RecordFact,
}

/// Returns the type of the entity that an attribute refers to, if the attribute is a reference.
pub(crate) fn reference_kind(kind: u32, name: u32) -> Option<u32> {
    match (kind, name) {
        (ACCOUNT | DOMAIN | LEVEL, OWNER) | (MEMBER, ACCOUNT_OF) => Some(ACCOUNT),
        (ACCOUNT, PACKAGE_OF) => Some(PACKAGE),
        (ACCOUNT, LEVEL_OF) => Some(LEVEL),
        _ => None,
    }
}

/// Returns the entity that a reference of a record names.
fn referred(hot: &Tables, record: u32, name: u32) -> Option<u32> {
    let (kind, number) = parts(record);
    let to = match (kind, name) {
        (ACCOUNT, OWNER) => hot.accounts.row(number)?.owner,
        (ACCOUNT, PACKAGE_OF) => hot.accounts.row(number)?.package,
        (ACCOUNT, LEVEL_OF) => hot.accounts.row(number)?.level,
        (MEMBER, ACCOUNT_OF) => hot.members.row(number)?.account,
        (DOMAIN, OWNER) => hot.domains.row(number)?.owner,
        (LEVEL, OWNER) => hot.levels.row(number)?.owner,
        _ => NO_ROW,
    };
    if to == NO_ROW {
        None
    } else {
        Some(entity(reference_kind(kind, name)?, to))
    }
}

fn exists(hot: &Tables, record: u32) -> bool {
    let (kind, number) = parts(record);
    match kind {
        ACCOUNT => hot.accounts.row(number).is_some(),
        MEMBER => hot.members.row(number).is_some(),
        DOMAIN => hot.domains.row(number).is_some(),
        LEVEL => hot.levels.row(number).is_some(),
        PACKAGE => hot.packages.row(number).is_some(),
        OPERATOR => hot.operators.row(number).is_some(),
        PLATFORM => hot.platforms.row(number).is_some(),
        _ => false,
    }
}

fn flag(hot: &Tables, record: u32, name: u32) -> Option<bool> {
    let (kind, number) = parts(record);
    Some(match (kind, name) {
        (DOMAIN, PLATFORM_OF) => hot.domains.row(number)?.owner == NO_ROW,
        (ACCOUNT, _) => hot.accounts.row(number)?.flag(flag_place(kind, name)?),
        (MEMBER, _) => hot.members.row(number)?.flag(flag_place(kind, name)?),
        (PACKAGE, _) => hot.packages.row(number)?.flag(flag_place(kind, name)?),
        _ => return None,
    })
}

/// Returns a record's set of that name: the first 64 places as bits, and the others.
fn set(hot: &Tables, record: u32, name: u32) -> Option<(u64, &[u32])> {
    let (kind, number) = parts(record);
    Some(match (kind, name) {
        (ACCOUNT, DISABLED) => (hot.accounts.row(number)?.disabled(), &[]),
        (MEMBER, GRANTS) => hot
            .members
            .row(number)
            .map(|row| (row.grants, hot.more_grants(number, row)))?,
        (PACKAGE, FEATURES) => hot
            .packages
            .row(number)
            .map(|row| (row.features, hot.more_of_package(number, row)))?,
        (LEVEL, FEATURES) => hot
            .levels
            .row(number)
            .map(|row| (row.features, hot.more_of_level(number, row)))?,
        (OPERATOR, ROLES) => (hot.operators.row(number)?.roles(), &[]),
        (DOMAIN, STATE_OF) => (
            1_u64.checked_shl(state(hot.domains.row(number)?.state()))?,
            &[],
        ),
        _ => return None,
    })
}

/// The attributes that the host defines for one record.
type OwnFields<'h> = &'h [(Box<str>, StoredValue)];

fn own_fields(hot: &Tables, record: u32) -> Option<OwnFields<'_>> {
    let (kind, number) = parts(record);
    let all = match kind {
        ACCOUNT => hot.account_own(number, hot.accounts.row(number)?)?,
        MEMBER => hot.member_own(number, hot.members.row(number)?)?,
        _ => return None,
    };
    match all {
        StoredValue::Record(fields) => Some(fields),
        _ => None,
    }
}

/// The last record of which such attributes were read. Most policies of a request read those of one
/// record.
#[derive(Default)]
pub(crate) struct OwnAttributes<'h>(Option<(u32, OwnFields<'h>)>);

impl<'h> OwnAttributes<'h> {
    fn get(&mut self, hot: &'h Tables, record: u32, name: &str) -> Option<&'h StoredValue> {
        let fields = match self.0 {
            Some((known, fields)) if known == record => fields,
            _ => own_fields(hot, record).unwrap_or_default(),
        };
        self.0 = Some((record, fields));
        let mut named = fields.iter().filter(|(known, _)| same(known, name));
        named.next().map(|(_, value)| value)
    }
}

impl RecordPath {
    fn entity(&self, hot: &Tables, request: &ResolvedRequest<'_>) -> Option<u32> {
        let account = |number: u32| (number != NO_ROW).then(|| entity(ACCOUNT, number));
        let start = match (self.start, request.on) {
            (PathStart::Account, _) => account(request.login.account)?,
            (PathStart::Member, _) => entity(MEMBER, request.login.number),
            (PathStart::Operator, _) => entity(OPERATOR, request.login.number),
            (PathStart::Domain, _) => entity(DOMAIN, request.domain.number),
            (PathStart::Resource, on) => on.entity()?,
            (PathStart::ResourcesAccount, ResolvedResource::Inline { account: of }) => account(of)?,
            (PathStart::ResourcesAccount, _) => return None,
            (PathStart::ActorsAccount, _) => account(request.others.actor?.account)?,
            (PathStart::ActingMember, _) => entity(MEMBER, request.others.actor?.number),
            (PathStart::RealmOwner, _) => account(request.others.realm_owner)?,
        };
        self.names
            .iter()
            .try_fold(start, |record, name| referred(hot, record, *name))
    }
}

impl RecordRead {
    /// Returns whether the fact holds. A fact does not hold if the path leads to no record.
    pub(crate) fn holds<'h>(
        &self,
        hot: &'h Tables,
        request: &ResolvedRequest<'_>,
        own: &mut OwnAttributes<'h>,
    ) -> bool {
        #[cfg(test)]
        crate::vm::count_steps(self.path.names.len().saturating_add(1));
        let Some(record) = self.path.entity(hot, request) else {
            return false;
        };
        match &self.fact {
            RecordFact::Exists => exists(hot, record),
            RecordFact::Names(name) => referred(hot, record, *name).is_some(),
            RecordFact::Flag(name) => flag(hot, record, *name) == Some(true),
            RecordFact::Contains(name, item) => {
                let place = parts(*item).1;
                set(hot, record, *name).is_some_and(|(low, more)| {
                    low.checked_shr(place).unwrap_or(0) & 1 == 1 || more.contains(&place)
                })
            }
            RecordFact::IsEmpty(name) => {
                set(hot, record, *name).is_some_and(|(low, more)| low == 0 && more.is_empty())
            }
            RecordFact::IsOneOf(entities) => entities.binary_search(&record).is_ok(),
            RecordFact::IsAlso(other) => other.entity(hot, request) == Some(record),
            RecordFact::HasOwn(name) => own.get(hot, record, name).is_some(),
            RecordFact::OwnIs(name, literal) => {
                own.get(hot, record, name)
                    .is_some_and(|value| match (value, literal) {
                        (StoredValue::Bool(value), OwnLiteral::Bool(literal)) => value == literal,
                        (StoredValue::Long(value), OwnLiteral::Long(literal)) => value == literal,
                        (StoredValue::Text(value), OwnLiteral::Text(literal)) => value == literal,
                        _ => false,
                    })
            }
        }
    }
}
