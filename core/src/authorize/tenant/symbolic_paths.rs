//! Resolves attribute paths to the records that they lead to, for the symbolic evaluator.

use super::atoms::{PathStart, RecordFact, RecordPath, reference_kind};
use super::bits as bit;
use super::symbolic::{BddResult, SymbolicEvaluator};
use super::symbols::{self, ACCOUNT_OF, ATTRIBUTES, LEVEL_OF, OWNER, PACKAGE_OF, root};
use crate::directory::{account_bit as account, domain_bit as domain};
use crate::vm::{BddRef, TRUE, TooLarge};

/// A record that a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathBase {
    Account,
    Owner,
    Package,
    Level,
    Member,
    Domain,
    DomainOwner,
    DomainOwnersPackage,
    Resource,
    ResourcesAccount,
    ResourcesOwner,
    /// Another record, by the number of its path. Its facts are not bits of the session.
    Further(u16),
}

impl SymbolicEvaluator<'_, '_> {
    /// Resolves a path to an attribute defined by the host. Returns the record that has the
    /// attribute, the condition under which that record can be read, and the attribute's name.
    pub(super) fn own(
        &mut self,
        from: u8,
        names: &[u32],
    ) -> BddResult<Option<(PathBase, BddRef, Box<str>)>> {
        let [rest @ .., ATTRIBUTES, name] = names else {
            return Ok(None);
        };
        let Some((place, readable)) = self.place(from, rest)? else {
            return Ok(None);
        };
        let (Some(symbols::ACCOUNT | symbols::MEMBER), Some(name)) =
            (self.kind_of(place), self.pool.text_of(*name))
        else {
            return Ok(None);
        };
        let name: Box<str> = name.into();
        let Some(exists) = self.fact(place, RecordFact::Exists)? else {
            return Ok(None);
        };
        let readable = self.both(readable, exists)?;
        Ok(Some((place, readable, name)))
    }

    pub(super) fn kind_is(&self, kind: &str) -> bool {
        self.request_shape.resource == kind
    }

    /// Returns the first bit of the account at `place`, if the record there is an account with
    /// bits.
    pub(super) fn base(&self, place: PathBase) -> Option<u32> {
        match place {
            PathBase::Account => Some(bit::ACCOUNT),
            PathBase::Owner => Some(bit::OWNER),
            PathBase::DomainOwner => Some(bit::DOMAIN_OWNER),
            PathBase::Resource if self.kind_is("Account") => Some(bit::RESOURCE),
            _ => None,
        }
    }

    /// Returns the record at a path, and the condition under which the path can be read.
    pub(super) fn place(
        &mut self,
        from: u8,
        names: &[u32],
    ) -> BddResult<Option<(PathBase, BddRef)>> {
        let member = self.request_shape.principal == symbols::MEMBER;
        let mut place = match from {
            root::PRINCIPAL if self.request_shape.principal == symbols::ACCOUNT => {
                PathBase::Account
            }
            root::PRINCIPAL | root::LOGIN_MEMBER if member => PathBase::Member,
            root::ACCOUNT if self.request_shape.principal != symbols::OPERATOR => PathBase::Account,
            root::DOMAIN => PathBase::Domain,
            root::RESOURCE => PathBase::Resource,
            _ => return Ok(None),
        };
        let mut readable = TRUE;
        for name in names {
            if let Some((next, needs)) = self.step(place, *name) {
                for bit in needs.into_iter().flatten() {
                    let bit = self.bit(bit)?;
                    readable = self.both(readable, bit)?;
                }
                place = next;
            } else {
                let Some(next) = self.step_further(place, *name)? else {
                    return Ok(None);
                };
                let Some(names) = self.fact(place, RecordFact::Names(*name))? else {
                    return Ok(None);
                };
                readable = self.both(readable, names)?;
                place = next;
            }
        }
        Ok(Some((place, readable)))
    }

    /// Returns the record that an attribute refers to, if the session has no bits for that record.
    fn step_further(&mut self, place: PathBase, name: u32) -> BddResult<Option<PathBase>> {
        let Some(mut path) = self.path_of(place) else {
            return Ok(None);
        };
        let Some(kind) = reference_kind(path.kind, name) else {
            return Ok(None);
        };
        path.names.push(name);
        path.kind = kind;
        let at = self
            .paths
            .iter()
            .position(|known| *known == path)
            .unwrap_or_else(|| {
                self.paths.push(path);
                self.paths.len().saturating_sub(1)
            });
        Ok(Some(PathBase::Further(
            u16::try_from(at).map_err(|_| TooLarge)?,
        )))
    }

    /// Returns the path to the record at `place`. Returns `None` if the resource is not a record.
    pub(super) fn path_of(&self, place: PathBase) -> Option<RecordPath> {
        let path = |start, names: &[u32], kind| {
            Some(RecordPath {
                start,
                names: names.to_vec(),
                kind,
            })
        };
        match place {
            PathBase::Account => path(PathStart::Account, &[], symbols::ACCOUNT),
            PathBase::Owner => path(PathStart::Account, &[OWNER], symbols::ACCOUNT),
            PathBase::Package if self.client => {
                path(PathStart::Account, &[OWNER, PACKAGE_OF], symbols::PACKAGE)
            }
            PathBase::Package => path(PathStart::Account, &[PACKAGE_OF], symbols::PACKAGE),
            PathBase::Level => path(PathStart::Account, &[LEVEL_OF], symbols::LEVEL),
            PathBase::Member => path(PathStart::Member, &[], symbols::MEMBER),
            PathBase::Domain => path(PathStart::Domain, &[], symbols::DOMAIN),
            PathBase::DomainOwner => path(PathStart::Domain, &[OWNER], symbols::ACCOUNT),
            PathBase::DomainOwnersPackage => {
                path(PathStart::Domain, &[OWNER, PACKAGE_OF], symbols::PACKAGE)
            }
            PathBase::Resource => path(PathStart::Resource, &[], self.resource_kind()?),
            PathBase::ResourcesAccount if self.request_shape.owned => {
                path(PathStart::ResourcesAccount, &[], symbols::ACCOUNT)
            }
            PathBase::ResourcesAccount => {
                path(PathStart::Resource, &[ACCOUNT_OF], symbols::ACCOUNT)
            }
            PathBase::ResourcesOwner => path(PathStart::Resource, &[OWNER], symbols::ACCOUNT),
            PathBase::Further(at) => self.paths.get(usize::from(at)).cloned(),
        }
    }

    /// Returns the record type of the resource. Returns `None` if the resource comes inline.
    fn resource_kind(&self) -> Option<u32> {
        let at = symbols::TYPES
            .iter()
            .position(|known| *known == self.request_shape.resource)?;
        u32::try_from(at).ok()
    }

    /// Returns the type of the record at `place`.
    pub(super) fn kind_of(&self, place: PathBase) -> Option<u32> {
        self.path_of(place).map(|path| path.kind)
    }

    /// Returns the record that an attribute refers to, and the bits that must be set for the
    /// reference to exist.
    fn step(&self, place: PathBase, name: u32) -> Option<(PathBase, [Option<u32>; 2])> {
        let base_bit = |base: u32, has: u32| {
            [
                Some(base.saturating_add(account::EXISTS)),
                Some(base.saturating_add(has)),
            ]
        };
        let resource = self.request_shape.resource;
        Some(match (place, name) {
            (PathBase::Account, OWNER) => {
                (PathBase::Owner, base_bit(bit::ACCOUNT, account::HAS_OWNER))
            }
            (PathBase::Account, PACKAGE_OF) if !self.client => (
                PathBase::Package,
                base_bit(bit::ACCOUNT, account::HAS_PACKAGE),
            ),
            (PathBase::Account, LEVEL_OF) if self.client => {
                (PathBase::Level, base_bit(bit::ACCOUNT, account::HAS_LEVEL))
            }
            (PathBase::Owner, PACKAGE_OF) if self.client => (
                PathBase::Package,
                base_bit(bit::OWNER, account::HAS_PACKAGE),
            ),
            (PathBase::Member, ACCOUNT_OF) => (PathBase::Account, [Some(bit::MEMBER_EXISTS), None]),
            (PathBase::Domain, OWNER) => (
                PathBase::DomainOwner,
                [Some(bit::DOMAIN + domain::HAS_OWNER), None],
            ),
            (PathBase::DomainOwner, PACKAGE_OF) => (
                PathBase::DomainOwnersPackage,
                base_bit(bit::DOMAIN_OWNER, account::HAS_PACKAGE),
            ),
            (PathBase::Resource, OWNER)
                if matches!(resource, "Account" | "AccessLevel" | "Domain") =>
            {
                (
                    PathBase::ResourcesOwner,
                    base_bit(bit::RESOURCE, account::HAS_OWNER),
                )
            }
            (PathBase::Resource, ACCOUNT_OF) if resource == "TeamMember" => (
                PathBase::ResourcesAccount,
                [Some(bit::RESOURCE + account::EXISTS), None],
            ),
            (PathBase::Resource, ACCOUNT_OF) if self.request_shape.owned => {
                (PathBase::ResourcesAccount, [None, None])
            }
            _ => return None,
        })
    }
}
