//! Symbolic evaluation of comparisons between records, sets and values.

use super::atoms::{OwnLiteral, RecordFact};
use super::bits as bit;
use super::symbolic::{BddResult, SymbolicEvaluator, TriState};
use super::symbolic_paths::PathBase;
use super::symbols::{self, DISABLED, FEATURES, GRANTS, STATE_OF};
use crate::directory::{account_bit as account, domain_bit as domain};
use crate::vm::{BddRef, FALSE, TRUE, Value};

impl SymbolicEvaluator<'_, '_> {
    pub(super) fn contains(
        &mut self,
        from: u8,
        names: &[u32],
        item: u32,
    ) -> BddResult<Option<TriState>> {
        let Some((name, rest)) = names.split_last() else {
            return Ok(None);
        };
        let Some((place, readable)) = self.place(from, rest)? else {
            return Ok(None);
        };
        let (kind, at) = symbols::parts(item);
        let feature = self.request_shape.feature == Some(item) && at < 64;
        let bits = match (place, *name) {
            (_, DISABLED) if kind == symbols::REASON && at < 4 => self.base(place).map(|base| {
                (
                    base.saturating_add(account::EXISTS),
                    base.saturating_add(account::DISABLED).saturating_add(at),
                )
            }),
            (PathBase::Package, FEATURES) if feature => {
                Some((bit::PACKAGE_EXISTS, bit::PACKAGE_FEATURE))
            }
            (PathBase::DomainOwnersPackage, FEATURES) if feature => Some((
                bit::DOMAIN_OWNERS_PACKAGE_EXISTS,
                bit::DOMAIN_OWNERS_PACKAGE_FEATURE,
            )),
            (PathBase::Level, FEATURES) if feature => Some((bit::LEVEL_EXISTS, bit::LEVEL_FEATURE)),
            (PathBase::Member, GRANTS) if feature => {
                Some((bit::MEMBER_EXISTS, bit::MEMBER_FEATURE))
            }
            _ => None,
        };
        if let Some((exists, bit)) = bits {
            let (exists, bit) = (self.bit(exists)?, self.bit(bit)?);
            let readable = self.both(readable, exists)?;
            return self.read(readable, bit).map(Some);
        }
        let fits = self
            .kind_of(place)
            .and_then(|base_kind| set_kind(base_kind, *name))
            == Some(kind);
        if fits {
            self.fact_read(place, readable, RecordFact::Contains(*name, item))
        } else {
            Ok(None)
        }
    }

    /// Evaluates whether a set contains all of the items, or any of them.
    pub(super) fn contains_many(
        &mut self,
        from: u8,
        names: &[u32],
        items: Value,
        all: bool,
    ) -> BddResult<Option<TriState>> {
        let Some(items) = self.pool.set_items(items).filter(|items| !items.is_empty()) else {
            return Ok(None);
        };
        let mut whole: Option<TriState> = None;
        for item in items {
            let Some(item) = item.entity() else {
                return Ok(None);
            };
            let Some(truth) = self.contains(from, names, item)? else {
                return Ok(None);
            };
            // The items fail together, if the set does not exist.
            whole = Some(match whole {
                None => truth,
                Some(so_far) if all => TriState {
                    yes: self.both(so_far.yes, truth.yes)?,
                    errs: truth.errs,
                },
                Some(so_far) => TriState {
                    yes: self.diagrams.or(so_far.yes, truth.yes)?,
                    errs: truth.errs,
                },
            });
        }
        Ok(whole)
    }

    /// Evaluates whether the record at a path is an element of `set`. Equality is enough, because
    /// directory records have no parents.
    pub(super) fn one_of(
        &mut self,
        from: u8,
        names: &[u32],
        set: Value,
    ) -> BddResult<Option<TriState>> {
        let Some(items) = self.pool.set_items(set) else {
            return Ok(None);
        };
        let Some(mut entities) = items
            .iter()
            .map(|item| item.entity())
            .collect::<Option<Vec<u32>>>()
        else {
            return Ok(None);
        };
        entities.sort_unstable();
        let Some((place, readable)) = self.place(from, names)? else {
            return Ok(None);
        };
        let Some(is) = self.fact(place, RecordFact::IsOneOf(entities.into()))? else {
            return Ok(None);
        };
        self.read(readable, is).map(Some)
    }

    /// Evaluates whether two paths lead to one record. Equality is enough, because directory
    /// records have no parents.
    pub(super) fn same(
        &mut self,
        one: u8,
        names: &[u32],
        other: u8,
        more: &[u32],
    ) -> BddResult<Option<TriState>> {
        let (Some((left, first)), Some((right, second))) =
            (self.place(one, names)?, self.place(other, more)?)
        else {
            return Ok(None);
        };
        let readable = self.both(first, second)?;
        let bit = match (left, right) {
            _ if left == right => None,
            (PathBase::DomainOwner, PathBase::Account)
            | (PathBase::Account, PathBase::DomainOwner) => Some(bit::DOMAIN_OWNER_IS_ACCOUNT),
            (PathBase::DomainOwner, PathBase::Owner) | (PathBase::Owner, PathBase::DomainOwner) => {
                Some(bit::DOMAIN_OWNER_IS_OWNER)
            }
            (PathBase::Resource, PathBase::Account) | (PathBase::Account, PathBase::Resource)
                if self.kind_is("Account") =>
            {
                Some(bit::RESOURCE_IS_ACCOUNT)
            }
            (PathBase::Resource, PathBase::Member) | (PathBase::Member, PathBase::Resource)
                if self.kind_is("TeamMember") =>
            {
                Some(bit::RESOURCE_IS_MEMBER)
            }
            (PathBase::ResourcesAccount, PathBase::Account)
            | (PathBase::Account, PathBase::ResourcesAccount) => {
                Some(bit::RESOURCES_ACCOUNT_IS_ACCOUNT)
            }
            (PathBase::ResourcesOwner, PathBase::Account)
            | (PathBase::Account, PathBase::ResourcesOwner) => {
                Some(bit::RESOURCES_OWNER_IS_ACCOUNT)
            }
            _ => {
                let Some(other) = self.path_of(right) else {
                    return Ok(None);
                };
                let Some(yes) = self.fact(left, RecordFact::IsAlso(other))? else {
                    return Ok(None);
                };
                return self.read(readable, yes).map(Some);
            }
        };
        let yes = self.bit_or_true(bit)?;
        self.read(readable, yes).map(Some)
    }

    /// Evaluates whether the value at a path equals `value`. The path may lead to a domain's state,
    /// a record, or an attribute defined by the host.
    pub(super) fn is_value(
        &mut self,
        from: u8,
        names: &[u32],
        value: Value,
    ) -> BddResult<Option<TriState>> {
        let literal = match value {
            Value::Entity(entity) => return self.is_entity(from, names, entity),
            Value::Bool(value) => OwnLiteral::Bool(value),
            Value::Long(value) => OwnLiteral::Long(value),
            Value::Text(text) => match self.pool.text_of(text) {
                Some(text) => OwnLiteral::Text(text.into()),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let Some((place, readable, name)) = self.own(from, names)? else {
            return match (value, self.flag_at(from, names)?) {
                (Value::Bool(true), truth) => Ok(truth),
                (Value::Bool(false), Some(truth)) => Ok(Some(TriState {
                    yes: self.no(truth)?,
                    errs: truth.errs,
                })),
                _ => Ok(None),
            };
        };
        let Some(has) = self.fact(place, RecordFact::HasOwn(name.clone()))? else {
            return Ok(None);
        };
        let Some(is) = self.fact(place, RecordFact::OwnIs(name, literal))? else {
            return Ok(None);
        };
        let readable = self.both(readable, has)?;
        self.read(readable, is).map(Some)
    }

    fn is_entity(&mut self, from: u8, names: &[u32], value: u32) -> BddResult<Option<TriState>> {
        let (kind, at) = symbols::parts(value);
        if let [rest @ .., STATE_OF] = names {
            return match self.place(from, rest)? {
                Some((PathBase::Domain, readable)) if kind == symbols::STATE && at < 3 => {
                    let bit = self.bit((bit::DOMAIN + domain::STATE).saturating_add(at))?;
                    self.read(readable, bit).map(Some)
                }
                Some((place, readable))
                    if kind == symbols::STATE && self.kind_of(place) == Some(symbols::DOMAIN) =>
                {
                    self.fact_read(place, readable, RecordFact::Contains(STATE_OF, value))
                }
                _ => Ok(None),
            };
        }
        let Some((place, readable)) = self.place(from, names)? else {
            return Ok(None);
        };
        let Some(is) = self.fact(place, RecordFact::IsOneOf([value].into()))? else {
            return Ok(None);
        };
        self.read(readable, is).map(Some)
    }

    pub(super) fn is_empty(&mut self, from: u8, names: &[u32]) -> BddResult<Option<TriState>> {
        let Some((name, rest)) = names.split_last() else {
            return Ok(None);
        };
        let Some((place, readable)) = self.place(from, rest)? else {
            return Ok(None);
        };
        let Some(base) = self.base(place).filter(|_| *name == DISABLED) else {
            let is_set = self
                .kind_of(place)
                .and_then(|base_kind| set_kind(base_kind, *name))
                .is_some();
            return if is_set {
                self.fact_read(place, readable, RecordFact::IsEmpty(*name))
            } else {
                Ok(None)
            };
        };
        let exists = self.bit(base.saturating_add(account::EXISTS))?;
        let (readable, mut some) = (self.both(readable, exists)?, FALSE);
        for at in 0..4 {
            let bit = self.bit(base.saturating_add(account::DISABLED).saturating_add(at))?;
            some = self.diagrams.or(some, bit)?;
        }
        let none = self.diagrams.not(some)?;
        self.read(readable, none).map(Some)
    }

    fn bit_or_true(&mut self, bit: Option<u32>) -> BddResult<BddRef> {
        bit.map_or(Ok(TRUE), |bit| self.bit(bit))
    }
}

/// Returns the type of the items in a record's set of that name.
fn set_kind(base_kind: u32, name: u32) -> Option<u32> {
    match (base_kind, name) {
        (symbols::ACCOUNT, DISABLED) => Some(symbols::REASON),
        (symbols::PACKAGE | symbols::LEVEL, FEATURES) | (symbols::MEMBER, GRANTS) => {
            Some(symbols::FEATURE)
        }
        _ => None,
    }
}
