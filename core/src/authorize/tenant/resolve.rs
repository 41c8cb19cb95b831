//! Resolves a request before its program runs. Names become numbers once, and most checks are
//! answered from bits.

use super::programs::{ActionPrograms, RecordPolicies, TenantEvaluator, TypePairPrograms};
use super::resolved_login::{LoginSlot, ResolvedLogin};
use super::symbols::{self, entity, parts};
use crate::api::handle::ResourceType;
use crate::api::request_ref::{
    AccountRef, ActionRef, HostRef, PrincipalRef, RequestRef, ResourceTypeRef,
};
use crate::directory::{AccountRow, Directory, DomainRow, MemberRow, NO_ROW, Tables};
use crate::model::host;
use crate::model::limit::QuotaFacts;
use crate::model::reference::is_id;
use crate::util::text::same;

/// The domain that a request's host names, with its row.
#[derive(Clone, Copy)]
pub(crate) struct ResolvedDomain {
    pub(crate) number: u32,
    pub(crate) row: DomainRow,
}

/// The resource of a request: an inline resource with or without an account, or a directory record
/// with the records that it refers to.
#[derive(Clone, Copy)]
pub(crate) enum ResolvedResource {
    Inline {
        account: u32,
    },
    Account {
        number: u32,
        row: AccountRow,
    },
    Member {
        number: u32,
        account: u32,
    },
    /// A domain or an access level.
    Owned {
        kind: u32,
        number: u32,
        owner: u32,
    },
    Other {
        kind: u32,
        number: u32,
    },
}

impl ResolvedResource {
    /// Returns the record with that number, if it exists.
    fn record(hot: &Tables, kind: u32, number: u32) -> Option<Self> {
        Some(match kind {
            symbols::ACCOUNT => Self::Account {
                number,
                row: *hot.accounts.row(number)?,
            },
            symbols::MEMBER => Self::Member {
                number,
                account: hot.members.row(number)?.account,
            },
            symbols::DOMAIN => Self::Owned {
                kind,
                number,
                owner: hot.domains.row(number)?.owner,
            },
            symbols::LEVEL => Self::Owned {
                kind,
                number,
                owner: hot.levels.row(number)?.owner,
            },
            symbols::PACKAGE => hot
                .packages
                .row(number)
                .map(|_| Self::Other { kind, number })?,
            symbols::OPERATOR => hot
                .operators
                .row(number)
                .map(|_| Self::Other { kind, number })?,
            symbols::PLATFORM => hot
                .platforms
                .row(number)
                .map(|_| Self::Other { kind, number })?,
            _ => return None,
        })
    }

    /// Returns the record's entity. An inline resource has none yet.
    pub(crate) fn entity(self) -> Option<u32> {
        match self {
            Self::Inline { .. } => None,
            Self::Account { number, .. } => Some(entity(symbols::ACCOUNT, number)),
            Self::Member { number, .. } => Some(entity(symbols::MEMBER, number)),
            Self::Owned { kind, number, .. } | Self::Other { kind, number } => {
                Some(entity(kind, number))
            }
        }
    }
}

/// A request with its names resolved to numbers.
pub(crate) struct ResolvedRequest<'p> {
    pub(crate) action: &'p ActionPrograms,
    pub(crate) entry: &'p TypePairPrograms,
    pub(crate) principal: ResolvedLogin,
    /// The rows of the login's account and of the member. A row that does not exist has no bit set.
    pub(crate) account: AccountRow,
    pub(crate) member: MemberRow,
    pub(crate) on: ResolvedResource,
    /// The hash slot of the host.
    pub(crate) host: (u32, u64),
    /// The record-specific policies of this principal, and those of this resource.
    pub(crate) alone: [&'p [u32]; 2],
    /// The quota facts, if the request consumes from a meter.
    pub(crate) quota: Option<&'p QuotaFacts<'p>>,
}

impl ResolvedRequest<'_> {
    /// Returns whether no record-specific policy matches and an inline resource requires only its
    /// account.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.entry.plain && self.alone.iter().all(|alone| alone.is_empty())
    }
}

/// Computes the hash slot of a host.
#[inline(always)]
pub(crate) fn host_slot(directory: &Directory, at: HostRef<'_>) -> (u32, u64) {
    if let HostRef::Name(name) = at {
        directory.tables().domains.hash_slot(name)
    } else {
        (0, 0)
    }
}

/// Returns the domain that a host names. A host given as text must be in normal form.
#[inline]
pub(crate) fn domain_of(
    directory: &Directory,
    at: HostRef<'_>,
    sought: (u32, u64),
) -> Option<ResolvedDomain> {
    let domains = &directory.tables().domains;
    let exactly = |name: &str| domains.find(name).map(|(number, _)| number);
    let number = match at {
        HostRef::Name(name) => domains.row_at_slot(sought, name)?,
        HostRef::Handle(handle) => handle.place.get(directory.generation(), || {
            exactly(handle.name()).or_else(|| exactly(&host::normalise(handle.name()).ok()?))
        })?,
    };
    let row = *domains.row(number)?;
    Some(ResolvedDomain { number, row })
}

impl TenantEvaluator {
    pub(super) fn find<'p>(
        &'p self,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<ResolvedRequest<'p>> {
        let resource = &question.resource;
        if !is_id(resource.id) {
            return None;
        }
        // Every hash slot is computed before the first result is used, so that the memory reads
        // overlap.
        let sought = ResolvedLogin::login_slot(directory.tables(), question.principal);
        let host = question
            .host
            .map_or((0, 0), |host| host_slot(directory, host));
        let action = self.list.get(self.action_of(question.action)? as usize)?;
        let (principal, account, member) =
            ResolvedLogin::rows(directory, question.principal, sought)?;
        let entry = match resource.kind {
            ResourceTypeRef::Name(name) => action
                .entries
                .iter()
                .find(|entry| entry.principal == principal.kind && same(&entry.resource, name))?,
            ResourceTypeRef::Handle(handle) => {
                let kind = self.kind_of(handle)?;
                action
                    .entries
                    .iter()
                    .find(|entry| entry.principal == principal.kind && entry.kind == kind)?
            }
        };
        let on = Self::on(entry, principal.account, question, directory)?;
        let about =
            |map: &'p RecordPolicies, whom: u32| map.get(&whom).map_or(&[][..], Vec::as_slice);
        let principal_policies = if self.principals.is_empty() {
            &[][..]
        } else {
            about(&self.principals, entity(principal.kind, principal.number))
        };
        let resource_policies = if self.resources.is_empty() {
            &[][..]
        } else {
            let number = on.entity().or_else(|| {
                self.symbols
                    .others
                    .find(entry.text, resource.id)
                    .map(|at| entity(symbols::NAMED, at))
            });
            number.map_or(&[][..], |number| about(&self.resources, number))
        };
        Some(ResolvedRequest {
            action,
            entry,
            principal,
            account,
            member,
            on,
            host,
            alone: [principal_policies, resource_policies],
            quota: None,
        })
    }

    /// Returns the place of an action in `list`.
    #[inline(always)]
    pub(crate) fn action_of(&self, action: ActionRef<'_>) -> Option<u32> {
        match action {
            ActionRef::Name("Action", id) => self.actions.find(id),
            ActionRef::Name(..) => None,
            ActionRef::Handle(handle) => handle.place.get(self.generation, || {
                if handle.reference().kind() == "Action" {
                    self.actions.find(handle.reference().id())
                } else {
                    None
                }
            }),
        }
    }

    /// Returns the place of a resource type in `kinds`.
    #[inline(always)]
    pub(crate) fn kind_of(&self, handle: &ResourceType) -> Option<u32> {
        handle.place.get(self.generation, || {
            u32::try_from(
                self.kinds
                    .iter()
                    .position(|kind| **kind == *handle.name())?,
            )
            .ok()
        })
    }

    /// Returns the number of the account that owns a resource. Compares with the login's account
    /// first, because most resources belong to it and comparing an id costs less than a look-up.
    #[inline(always)]
    pub(crate) fn account_of(
        account: AccountRef<'_>,
        mine: u32,
        directory: &Directory,
    ) -> Option<u32> {
        let hot = directory.tables();
        let number = match account {
            AccountRef::Name(id) if hot.accounts.is(mine, id) => mine,
            AccountRef::Name(id) => hot.accounts.number(id)?,
            AccountRef::Handle(handle) => {
                let (kind, number) = parts(ResolvedLogin::entity(
                    directory,
                    PrincipalRef::Handle(handle),
                    LoginSlot::NOTHING,
                )?);
                if kind == symbols::ACCOUNT {
                    number
                } else {
                    return None;
                }
            }
        };
        if number != mine {
            hot.accounts.row(number)?;
        }
        Some(number)
    }

    /// Resolves the resource.
    #[inline]
    pub(crate) fn on(
        entry: &TypePairPrograms,
        mine: u32,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<ResolvedResource> {
        let (hot, resource) = (directory.tables(), &question.resource);
        match (&entry.inline, resource.account) {
            (Some(inline), Some(account)) => {
                inline.account?;
                Some(ResolvedResource::Inline {
                    account: Self::account_of(account, mine, directory)?,
                })
            }
            (Some(inline), None) if inline.account != Some(true) => {
                Some(ResolvedResource::Inline { account: NO_ROW })
            }
            (None, None) if resource.more.is_none() => {
                let number = match entry.record {
                    symbols::ACCOUNT if hot.accounts.is(mine, resource.id) => mine,
                    symbols::ACCOUNT => hot.accounts.number(resource.id)?,
                    _ => parts(super::entities::record(hot, &entry.resource, resource.id)?).1,
                };
                ResolvedResource::record(hot, entry.record, number)
            }
            _ => None,
        }
    }
}
