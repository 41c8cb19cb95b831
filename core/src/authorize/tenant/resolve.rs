//! Resolves a request before its program runs. Names become numbers once, and most checks are
//! answered from bits.

use super::bits::is_client;
use super::programs::{
    ActionPrograms, RecordPolicies, SessionPrograms, TenantEvaluator, TypePairPrograms,
};
use super::symbols::{self, entity, parts};
use crate::api::handle::ResourceType;
use crate::api::request_ref::{
    AccountRef, ActionRef, HostRef, PrincipalRef, RequestRef, ResourceTypeRef,
};
use crate::authorize::program_set::OutcomeCollector;
use crate::cedar::authorizer::CedarOutcome;
use crate::cedar::bundle::Bundle;
use crate::cedar::policy_list::PolicyEffect;
use crate::compiler::construct;
use crate::directory::{AccountRow, Directory, DomainRow, MemberRow, NO_ROW, Tables};
use crate::model::host;
use crate::model::limit::QuotaFacts;
use crate::model::reference::is_id;
use crate::util::text::same;
use crate::vm::{PolicyResult, Program, Value, run, run_one};

/// A principal or actor: its type, its number, and its account's number or [`NO_ROW`].
#[derive(Clone, Copy)]
pub(crate) struct ResolvedLogin {
    pub(crate) kind: u32,
    pub(crate) number: u32,
    pub(crate) account: u32,
}

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
    fn is_plain(&self) -> bool {
        self.entry.plain && self.alone.iter().all(|alone| alone.is_empty())
    }
}

/// The type and hash slot of a login's id.
#[derive(Clone, Copy)]
pub(crate) struct LoginSlot {
    kind: u32,
    at: (u32, u64),
}

impl LoginSlot {
    /// For a handle or a type that cannot log in.
    const NOTHING: Self = Self {
        kind: NO_ROW,
        at: (0, 0),
    };

    #[inline(always)]
    fn entity(self, hot: &Tables, id: &str) -> Option<u32> {
        let Self { kind, at } = self;
        let number = match kind {
            symbols::MEMBER => hot.members.row_at_slot(at, id)?,
            symbols::ACCOUNT => hot.accounts.row_at_slot(at, id)?,
            symbols::OPERATOR => hot.operators.row_at_slot(at, id)?,
            _ => return None,
        };
        Some(entity(kind, number))
    }
}

impl ResolvedLogin {
    /// Computes the type and hash slot of a login's id. A handle needs neither.
    #[inline(always)]
    pub(crate) fn login_slot(hot: &Tables, who: PrincipalRef<'_>) -> LoginSlot {
        match who {
            PrincipalRef::Name("Account", id) => LoginSlot {
                kind: symbols::ACCOUNT,
                at: hot.accounts.hash_slot(id),
            },
            PrincipalRef::Name("TeamMember", id) => LoginSlot {
                kind: symbols::MEMBER,
                at: hot.members.hash_slot(id),
            },
            PrincipalRef::Name("Operator", id) => LoginSlot {
                kind: symbols::OPERATOR,
                at: hot.operators.hash_slot(id),
            },
            PrincipalRef::Name(..) | PrincipalRef::Handle(_) => LoginSlot::NOTHING,
        }
    }

    /// Returns the entity of a login whose id has a number, whether or not a record exists.
    #[inline(always)]
    pub(crate) fn entity(
        directory: &Directory,
        who: PrincipalRef<'_>,
        sought: LoginSlot,
    ) -> Option<u32> {
        match who {
            PrincipalRef::Name(_, id) => sought.entity(directory.tables(), id),
            PrincipalRef::Handle(handle) => handle.place.get(directory.generation(), || {
                let (hot, reference) = (directory.tables(), handle.reference());
                Self::login_slot(hot, PrincipalRef::Name(reference.kind(), reference.id()))
                    .entity(hot, reference.id())
            }),
        }
    }

    /// Returns the login with the rows of its account and of the member.
    #[inline(always)]
    pub(crate) fn rows(
        directory: &Directory,
        who: PrincipalRef<'_>,
        sought: LoginSlot,
    ) -> Option<(Self, AccountRow, MemberRow)> {
        let hot = directory.tables();
        let (kind, number) = parts(Self::entity(directory, who, sought)?);
        let (account, member) = match kind {
            symbols::ACCOUNT => (number, MemberRow::default()),
            symbols::MEMBER => hot
                .members
                .row(number)
                .map(|member| (member.account, *member))?,
            symbols::OPERATOR => {
                hot.operators.row(number)?;
                return Some((
                    Self {
                        kind,
                        number,
                        account: NO_ROW,
                    },
                    AccountRow::NOBODY,
                    MemberRow::default(),
                ));
            }
            _ => return None,
        };
        Some((
            Self {
                kind,
                number,
                account,
            },
            *hot.accounts.row(account)?,
            member,
        ))
    }

    pub(crate) fn find(directory: &Directory, who: PrincipalRef<'_>) -> Option<Self> {
        Self::rows(directory, who, Self::login_slot(directory.tables(), who))
            .map(|(login, ..)| login)
    }

    pub(crate) fn value(self) -> Value {
        Value::Entity(entity(self.kind, self.number))
    }

    pub(crate) fn account(self) -> Value {
        if self.account == NO_ROW {
            Value::Missing
        } else {
            Value::Entity(entity(symbols::ACCOUNT, self.account))
        }
    }

    pub(crate) fn entity_if(self, kind: u32) -> Value {
        if self.kind == kind {
            self.value()
        } else {
            Value::Missing
        }
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
    /// Evaluates the request. Returns `None` if the request is malformed, names an unknown record,
    /// or contains values that only Cedar can evaluate. The caller then asks Cedar, which also
    /// produces the error.
    pub(crate) fn judge(
        &self,
        bundle: &Bundle,
        question: &RequestRef<'_>,
        directory: &Directory,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Option<CedarOutcome> {
        let found = ResolvedRequest {
            quota,
            ..self.find(question, directory)?
        };
        let mut tally = OutcomeCollector::default();
        let mut count = |at, outcome| {
            tally.count(&bundle.rules, at, outcome);
            true
        };
        match self.check_session(question, directory, &found) {
            Some((sessions, Some(true))) => {
                self.run(
                    &sessions.permits_only,
                    question,
                    directory,
                    &found,
                    &mut count,
                )?;
            }
            Some((sessions, _)) => {
                self.run(&sessions.all, question, directory, &found, &mut count)?;
            }
            None => self.run(&found.entry.any, question, directory, &found, &mut count)?,
        }
        Some(tally.verdict(&bundle.rules))
    }

    /// Returns the allow bit of a request that no plan decides. Stops as soon as the bit is
    /// certain.
    pub(crate) fn check(
        &self,
        bundle: &Bundle,
        question: &RequestRef<'_>,
        directory: &Directory,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Option<bool> {
        let found = ResolvedRequest {
            quota,
            ..self.find(question, directory)?
        };
        let programs = match self.check_session(question, directory, &found) {
            Some((_, Some(allowed))) => return Some(allowed),
            Some((sessions, None)) => &sessions.all,
            None => &found.entry.any,
        };
        let (mut permitted, mut refused) = (false, false);
        self.run(programs, question, directory, &found, &mut |at, outcome| {
            match (outcome, bundle.rules.role_at(at)) {
                (PolicyResult::NotSatisfied, _)
                | (PolicyResult::Satisfied, PolicyEffect::Warning) => {}
                (PolicyResult::Satisfied, PolicyEffect::Permit) => permitted = true,
                (PolicyResult::Satisfied, PolicyEffect::Forbid) | (PolicyResult::Error, _) => {
                    refused = true;
                }
            }
            !refused
        })?;
        Some(permitted && !refused)
    }

    /// Returns the programs of a session request, and the allow bit if its plan decides it. Returns
    /// `None` for other requests.
    fn check_session<'p>(
        &'p self,
        question: &RequestRef<'_>,
        directory: &Directory,
        found: &ResolvedRequest<'p>,
    ) -> Option<(&'p SessionPrograms, Option<bool>)> {
        if question.with.is_some()
            || question.resource.more.is_some()
            || found.action.context
            || found.quota.is_some()
        {
            return None;
        }
        let domain = domain_of(directory, question.host?, found.host)?;
        let sessions = found
            .entry
            .session
            .get(usize::from(is_client(&found.account)))?;
        let place = found.entry.ready.filter(|_| found.is_plain());
        Some((
            sessions,
            place.and_then(|place| self.planned_of(place, found, domain, question, directory)),
        ))
    }

    /// Evaluates a condition of a plan that is not a fact of a record.
    #[cold]
    pub(crate) fn eval_plan_extra(
        &self,
        sessions: &SessionPrograms,
        at: u16,
        question: &RequestRef<'_>,
        directory: &Directory,
        found: &ResolvedRequest<'_>,
    ) -> Option<PolicyResult> {
        let program = sessions.plan_extras.get(usize::from(at))?;
        self.fill_registers(question, directory, found, |roots, tenants, space| {
            run_one(program, roots, tenants, space, construct)
        })?
    }

    /// Calls `each` with the result of each policy: those of the programs, then the record-specific
    /// policies that match.
    fn run(
        &self,
        programs: &[Program],
        question: &RequestRef<'_>,
        directory: &Directory,
        found: &ResolvedRequest<'_>,
        each: &mut impl FnMut(usize, PolicyResult) -> bool,
    ) -> Option<()> {
        self.fill_registers(question, directory, found, |roots, tenants, space| {
            let above: Vec<u32> = if self.resources.is_empty() {
                Vec::new()
            } else {
                space.scratch.guest.ancestors.clone()
            };
            let above = above
                .iter()
                .filter_map(|above| self.resources.get(above))
                .flatten();
            let alone = found
                .alone
                .iter()
                .copied()
                .flatten()
                .chain(above)
                .filter_map(|at| self.record_specific.get(*at as usize));
            let mut go_on = true;
            for program in programs.iter().chain(alone) {
                run(program, roots, tenants, space, construct, |at, outcome| {
                    go_on = each(at, outcome);
                    go_on
                });
                if !go_on {
                    break;
                }
            }
        })
    }

    fn find<'p>(
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
        let whose = if self.principals.is_empty() {
            &[][..]
        } else {
            about(&self.principals, entity(principal.kind, principal.number))
        };
        let on_what = if self.resources.is_empty() {
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
            alone: [whose, on_what],
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
