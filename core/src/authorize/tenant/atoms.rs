//! Facts of records that are not bits of every request, each read from the row at the end of a path
//! when the diagram reaches its variable.

use super::resolve::ResolvedRequest;
use super::resolved_resource::ResolvedResource;
use super::symbols::{
    ACCOUNT, ACCOUNT_OF, DISABLED, DOMAIN, FEATURES, GRANTS, LEVEL, LEVEL_OF, MEMBER, OPERATOR,
    OWNER, PACKAGE, PACKAGE_OF, PLATFORM, PLATFORM_OF, ROLES, STATE_OF, entity, flag_place, parts,
};
use crate::directory::{NO_ROW, OwnFact, RecordKind, Tables, own_fields};
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
    /// A fact of an attribute that the host defines.
    Own(OwnFact),
}

/// A fact of the record at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordRead {
    pub(crate) path: RecordPath,
    pub(crate) fact: RecordFact,
    pub(crate) stored: Option<StoredBit>,
}

/// A fact that is stored as a bit of its record's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredBit {
    /// The number of the record among those whose words a plan reads.
    pub(crate) record: u8,
    pub(crate) bit: u8,
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
pub(super) fn referred(hot: &Tables, record: u32, name: u32) -> Option<u32> {
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

/// Returns whether a record exists.
pub(super) fn exists(hot: &Tables, record: u32) -> bool {
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

/// Returns the boolean attribute of that name.
pub(super) fn flag(hot: &Tables, record: u32, name: u32) -> Option<bool> {
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
pub(super) fn set(hot: &Tables, record: u32, name: u32) -> Option<(u64, &[u32])> {
    let (kind, number) = parts(record);
    Some(match (kind, name) {
        (ACCOUNT, DISABLED) => (hot.accounts.row(number)?.disabled(), &[]),
        (MEMBER, GRANTS) => {
            let row = hot.members.row(number)?;
            (row.grants, hot.more_grants(number, row))
        }
        (PACKAGE, FEATURES) => {
            let row = hot.packages.row(number)?;
            (row.features, hot.more_of_package(number, row))
        }
        (LEVEL, FEATURES) => {
            let row = hot.levels.row(number)?;
            (row.features, hot.more_of_level(number, row))
        }
        (OPERATOR, ROLES) => (hot.operators.row(number)?.roles(), &[]),
        (DOMAIN, STATE_OF) => (
            1_u64.checked_shl(hot.domains.row(number)?.state() as u32)?,
            &[],
        ),
        _ => return None,
    })
}

/// Returns the attributes that the host defines for a record.
fn own_attributes(hot: &Tables, record: u32) -> Option<&StoredValue> {
    let (kind, number) = parts(record);
    match kind {
        ACCOUNT => hot.account_own(number, hot.accounts.row(number)?),
        MEMBER => hot.member_own(number, hot.members.row(number)?),
        _ => None,
    }
}

/// Returns the record type of an entity type whose records have stored facts.
pub(super) fn stored_kind(kind: u32) -> Option<RecordKind> {
    match kind {
        ACCOUNT => Some(RecordKind::Account),
        MEMBER => Some(RecordKind::TeamMember),
        _ => None,
    }
}

impl RecordPath {
    /// Returns the word of stored facts of the record. It is zero if the path leads to no record.
    pub(super) fn word(&self, hot: &Tables, request: &ResolvedRequest<'_>) -> u128 {
        let Some((kind, number)) = self.entity(hot, request).map(parts) else {
            return 0;
        };
        stored_kind(kind).map_or(0, |kind| hot.stored_facts().word(kind, number))
    }

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
            (PathStart::ActorsAccount, _) => account(request.actor?.account)?,
            (PathStart::ActingMember, _) => entity(MEMBER, request.actor?.number),
            (PathStart::RealmOwner, _) => account(request.realm_owner)?,
        };
        self.names
            .iter()
            .try_fold(start, |record, name| referred(hot, record, *name))
    }
}

impl RecordRead {
    /// Returns whether the fact holds. A fact does not hold if the path leads to no record.
    pub(crate) fn holds(&self, hot: &Tables, request: &ResolvedRequest<'_>) -> bool {
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
            RecordFact::Own(fact) => fact.holds(own_fields(own_attributes(hot, record))),
        }
    }
}
