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
    /// Another record, by the number of its path. Its facts are not bits of the request.
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
        if self.request_shape.absent(from).is_some() {
            return Ok(None);
        }
        let acts = self
            .request_shape
            .facts
            .is_some_and(|facts| facts.actor().is_some());
        let mut place = match (from, self.request_shape.principal) {
            (root::PRINCIPAL, symbols::ACCOUNT) | (root::ACCOUNT, _) => PathBase::Account,
            (root::PRINCIPAL, symbols::MEMBER) => PathBase::Member,
            (root::LOGIN_MEMBER, _) if !acts => PathBase::Member,
            (root::LOGIN_ACCOUNT | root::ACTOR_ACCOUNT, _) if acts => {
                self.start(PathStart::ActorsAccount, symbols::ACCOUNT)?
            }
            (root::LOGIN_MEMBER | root::ACTOR_MEMBER, _) => {
                self.start(PathStart::ActingMember, symbols::MEMBER)?
            }
            (root::REALM_OWNER, _) => self.start(PathStart::RealmOwner, symbols::ACCOUNT)?,
            (root::DOMAIN, _) => PathBase::Domain,
            (root::RESOURCE, _) => PathBase::Resource,
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

    /// Returns the record that an attribute refers to, if the request has no bits for that record.
    fn step_further(&mut self, place: PathBase, name: u32) -> BddResult<Option<PathBase>> {
        let Some(mut path) = self.path_of(place) else {
            return Ok(None);
        };
        let Some(kind) = reference_kind(path.kind, name) else {
            return Ok(None);
        };
        path.names.push(name);
        path.kind = kind;
        self.further(path).map(Some)
    }

    /// Returns a record that is not one of those with bits.
    fn start(&mut self, start: PathStart, kind: u32) -> BddResult<PathBase> {
        self.further(RecordPath {
            start,
            names: Vec::new(),
            kind,
        })
    }

    fn further(&mut self, path: RecordPath) -> BddResult<PathBase> {
        let at = self
            .paths
            .iter()
            .position(|known| *known == path)
            .unwrap_or_else(|| {
                self.paths.push(path);
                self.paths.len().saturating_sub(1)
            });
        u16::try_from(at)
            .map(PathBase::Further)
            .map_err(|_| TooLarge)
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
            PathBase::Package if self.request_shape.is_client() => {
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
            PathBase::ResourcesAccount if self.request_shape.is_inline => {
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
            (PathBase::Account, PACKAGE_OF) if !self.request_shape.is_client() => (
                PathBase::Package,
                base_bit(bit::ACCOUNT, account::HAS_PACKAGE),
            ),
            (PathBase::Account, LEVEL_OF) if self.request_shape.is_client() => {
                (PathBase::Level, base_bit(bit::ACCOUNT, account::HAS_LEVEL))
            }
            (PathBase::Owner, PACKAGE_OF) if self.request_shape.is_client() => (
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
            (PathBase::Resource, ACCOUNT_OF) if self.request_shape.is_inline => {
                (PathBase::ResourcesAccount, [None, None])
            }
            _ => return None,
        })
    }
}
