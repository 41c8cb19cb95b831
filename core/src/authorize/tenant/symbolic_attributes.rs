//! Symbolic evaluation of attributes: whether a path leads to a value, and the value of a flag.

use super::atoms::{OwnLiteral, RecordFact, reference_kind};
use super::bits as bit;
use super::symbolic::{BddResult, SymbolicEvaluator, TriState};
use super::symbolic_paths::PathBase;
use super::symbols::{
    self, ACCOUNT_OF, ATTRIBUTES, DISABLED, FEATURES, GRANTS, LEVEL_OF, OWNER, PACKAGE_OF,
    PLATFORM_OF, STATE_OF, root,
};
use crate::directory::{account_bit as account, domain_bit as domain};
use crate::vm::{BddRef, FALSE, TRUE, Value};

impl SymbolicEvaluator<'_, '_> {
    /// Evaluates the boolean attribute at a path.
    pub(super) fn flag_at(&mut self, from: u8, names: &[u32]) -> BddResult<Option<TriState>> {
        if let Some((place, readable, name)) = self.own(from, names)? {
            let is = |value| RecordFact::OwnIs(name.clone(), OwnLiteral::Bool(value));
            let (Some(yes), Some(no)) = (self.fact(place, is(true))?, self.fact(place, is(false))?)
            else {
                return Ok(None);
            };
            let either = self.diagrams.or(yes, no)?;
            let readable = self.both(readable, either)?;
            return self.read(readable, yes).map(Some);
        }
        let Some((name, rest)) = names.split_last() else {
            return Ok(None);
        };
        let Some((place, readable)) = self.place(from, rest)? else {
            return Ok(None);
        };
        if (place, *name) == (PathBase::Domain, PLATFORM_OF) {
            // A domain belongs to the platform if and only if it has no owner, so one bit serves
            // both.
            let owned = self.bit(bit::DOMAIN + domain::HAS_OWNER)?;
            let platform = self.diagrams.not(owned)?;
            return self.read(readable, platform).map(Some);
        }
        if let Some((exists, bit)) = self.flag(place, *name) {
            let (exists, bit) = (self.bit(exists)?, self.bit(bit)?);
            let readable = self.both(readable, exists)?;
            return self.read(readable, bit).map(Some);
        }
        let is_flag = self.flag_place(place, *name).is_some()
            || (self.kind_of(place), *name) == (Some(symbols::DOMAIN), PLATFORM_OF);
        if is_flag {
            self.fact_read(place, readable, RecordFact::Flag(*name))
        } else {
            Ok(None)
        }
    }

    /// Returns the place of a boolean attribute among those of the record's type.
    fn flag_place(&self, place: PathBase, name: u32) -> Option<u32> {
        symbols::flag_place(self.kind_of(place)?, name)
    }

    /// Returns the bits of a flag that is a bit of the request: the bit for the existence of its
    /// record, and the flag itself.
    fn flag(&self, place: PathBase, name: u32) -> Option<(u32, u32)> {
        let at = self.flag_place(place, name)?;
        if let Some(base) = self.base(place) {
            return (at < account::SESSION_FLAGS).then(|| {
                (
                    base.saturating_add(account::EXISTS),
                    base.saturating_add(account::FLAGS).saturating_add(at),
                )
            });
        }
        match (place, at) {
            (PathBase::Member, 0) => Some((bit::MEMBER_EXISTS, bit::MEMBER_CONFIRMED)),
            (PathBase::Package, 0) => Some((bit::PACKAGE_EXISTS, bit::WHITELABEL)),
            (PathBase::DomainOwnersPackage, 0) => Some((
                bit::DOMAIN_OWNERS_PACKAGE_EXISTS,
                bit::DOMAIN_OWNERS_WHITELABEL,
            )),
            _ => None,
        }
    }

    /// Evaluates whether a path leads to a value.
    pub(super) fn has(&mut self, from: u8, names: &[u32]) -> BddResult<Option<TriState>> {
        let absent = match (from, names) {
            (root::CONTEXT, [_, deeper @ ..]) => {
                self.has_no_context().then_some(!deeper.is_empty())
            }
            (root::RESOURCE, [name, deeper @ ..]) => {
                let brings = self.request_shape.brings(*name);
                (brings == Some(false)).then_some(!deeper.is_empty())
            }
            (register, _) => {
                let absent = self.request_shape.absent(register);
                absent.map(|value| value == Value::Poison || !names.is_empty())
            }
        };
        if let Some(fails) = absent {
            return Ok(Some(TriState {
                yes: FALSE,
                errs: if fails { TRUE } else { FALSE },
            }));
        }
        if let Some((place, readable, name)) = self.own(from, names)? {
            let Some(has) = self.fact(place, RecordFact::HasOwn(name))? else {
                return Ok(None);
            };
            return self.read(readable, has).map(Some);
        }
        let Some((name, rest)) = names.split_last() else {
            return Ok(self.place(from, names)?.map(|_| TriState {
                yes: TRUE,
                errs: FALSE,
            }));
        };
        let Some((place, readable)) = self.place(from, rest)? else {
            return Ok(None);
        };
        if let Some((exists, _)) = self.flag(place, *name) {
            let exists = self.bit(exists)?;
            return self.read(readable, exists).map(Some);
        }
        let there: &[u32] = match (place, *name) {
            (PathBase::Domain, OWNER) => &[bit::DOMAIN + domain::HAS_OWNER],
            (PathBase::Domain, PLATFORM_OF | STATE_OF) => &[],
            (PathBase::Package, FEATURES) => &[bit::PACKAGE_EXISTS],
            (PathBase::DomainOwnersPackage, FEATURES) => &[bit::DOMAIN_OWNERS_PACKAGE_EXISTS],
            (PathBase::Level, FEATURES) => &[bit::LEVEL_EXISTS],
            (PathBase::Member, ACCOUNT_OF | GRANTS) => &[bit::MEMBER_EXISTS],
            (PathBase::Resource, ACCOUNT_OF) if self.request_shape.is_inline => &[],
            (PathBase::Resource, OWNER)
                if matches!(self.request_shape.resource, "AccessLevel" | "Domain") =>
            {
                &[bit::RESOURCE + account::HAS_OWNER]
            }
            (_, DISABLED | OWNER | PACKAGE_OF | LEVEL_OF) => match self.base(place) {
                Some(base) => return self.account_has(readable, base, *name).map(Some),
                None => return self.has_further(place, readable, *name),
            },
            _ => return self.has_further(place, readable, *name),
        };
        let mut yes = TRUE;
        for bit in there {
            let bit = self.bit(*bit)?;
            yes = self.both(yes, bit)?;
        }
        self.read(readable, yes).map(Some)
    }

    /// Evaluates whether a record has an attribute that is not a bit of the request.
    fn has_further(
        &mut self,
        place: PathBase,
        readable: BddRef,
        name: u32,
    ) -> BddResult<Option<TriState>> {
        let Some(kind) = self.kind_of(place) else {
            return Ok(None);
        };
        let fact = match (kind, name) {
            _ if reference_kind(kind, name).is_some() => RecordFact::Names(name),
            _ if symbols::flag_place(kind, name).is_some() => RecordFact::Exists,
            (symbols::ACCOUNT, DISABLED | ATTRIBUTES)
            | (symbols::MEMBER, GRANTS | ATTRIBUTES)
            | (symbols::PACKAGE | symbols::LEVEL, FEATURES)
            | (symbols::DOMAIN, PLATFORM_OF | STATE_OF) => RecordFact::Exists,
            _ => return Ok(None),
        };
        let Some(has) = self.fact(place, fact)? else {
            return Ok(None);
        };
        self.read(readable, has).map(Some)
    }

    fn account_has(&mut self, readable: BddRef, base: u32, name: u32) -> BddResult<TriState> {
        let exists = self.bit(base.saturating_add(account::EXISTS))?;
        let own = match name {
            OWNER => self.bit(base.saturating_add(account::HAS_OWNER))?,
            PACKAGE_OF => self.bit(base.saturating_add(account::HAS_PACKAGE))?,
            LEVEL_OF => self.bit(base.saturating_add(account::HAS_LEVEL))?,
            _ => TRUE,
        };
        let yes = self.both(exists, own)?;
        self.read(readable, yes)
    }
}
