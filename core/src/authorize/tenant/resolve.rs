//! Resolves the names of a request to numbers and rows, once for each call.

use super::bits::is_client;
use super::entities::position;
use super::fact_set::{
    ACCOUNT_LIMIT, AMOUNT, CLIENT, CONTEXT, FactSet, HostFact, MEMBER_LIMIT, MORE, NOT_BEFORE,
    QUOTA, QUOTA_MEMBER, REALM, REALM_OWNER, RESOURCE_ACCOUNT, SESSION_START,
};
use super::programs::{ActionPrograms, RequestKind, TenantEvaluator};
use super::resolved_login::{LoginSlot, ResolvedLogin};
use super::resolved_resource::{ResolvedDomain, ResolvedResource};
use super::symbols::{self, entity, parts};
use crate::api::handle::ResourceType;
use crate::api::request_ref::{
    AccountRef, ActionRef, HostRef, PrincipalRef, RequestRef, ResourceTypeRef,
};
use crate::directory::{AccountRow, Directory, MemberRow, NO_ROW};
use crate::model::host;
use crate::model::limit::QuotaFacts;
use crate::model::reference::is_id;
use crate::util::text::same;

/// A request with its names resolved to numbers and rows.
#[derive(Clone, Copy)]
pub(crate) struct ResolvedRequest<'p> {
    pub(crate) action: &'p ActionPrograms,
    pub(crate) kind: &'p RequestKind,
    pub(crate) facts: FactSet,
    pub(crate) login: ResolvedLogin,
    /// The rows of the login's account and of the member. A row that does not exist has no bit set.
    pub(crate) account: AccountRow,
    pub(crate) member: MemberRow,
    pub(crate) domain: ResolvedDomain,
    pub(crate) on: ResolvedResource,
    pub(crate) actor: Option<ResolvedLogin>,
    /// The number of the account whose realm the caller gave, or [`NO_ROW`].
    pub(crate) realm_owner: u32,
    /// Whether a policy names the principal or the resource in its scope.
    pub(crate) is_named: bool,
}

impl ResolvedRequest<'_> {
    /// Returns whether atoms may decide the request at once: no policy names one of its records,
    /// and it brings no values whose types must be checked.
    #[inline(always)]
    pub(crate) fn is_decided_by_atoms(&self) -> bool {
        !self.is_named && !self.facts.has_values()
    }

    /// Returns whether an account asks for itself about a resource that it owns.
    #[inline(always)]
    pub(crate) fn is_own(&self) -> bool {
        let Self { login, on, .. } = *self;
        login.kind == symbols::ACCOUNT
            && matches!(on, ResolvedResource::Inline { account } if account == login.account)
    }
}

/// Computes the hash slot of a host. A handle needs none.
#[inline(always)]
fn host_slot(directory: &Directory, host: Option<HostRef<'_>>) -> (u32, u64) {
    match host {
        Some(HostRef::Name(name)) => directory.tables().domains.hash_slot(name),
        Some(HostRef::Handle(_)) | None => (0, 0),
    }
}

/// Returns the decided domain that a host names. A host given as text must be in normal form. Leaves
/// pending rows to [`unusual_host`], because the id of a claim is not a host name.
#[inline(always)]
fn domain_of(directory: &Directory, at: HostRef<'_>, sought: (u32, u64)) -> Option<ResolvedDomain> {
    let domains = &directory.tables().domains;
    let exactly = |name: &str| domains.find(name).map(|(number, _)| number);
    let number = match at {
        HostRef::Name(name) => domains.row_at_slot(sought, name)?,
        HostRef::Handle(handle) => handle.place.get(directory.generation(), || {
            exactly(handle.name()).or_else(|| exactly(&host::normal_form(handle.name()).ok()?))
        })?,
    };
    let row = *domains.row(number)?;
    (!row.is_pending()).then_some(ResolvedDomain { number, row })
}

/// Returns what a host leads to if no decided domain has the name as it was given.
#[cold]
fn unusual_host(directory: &Directory, at: HostRef<'_>) -> Option<(HostFact, ResolvedDomain)> {
    let Ok(name) = host::normal_form(at.name()) else {
        return Some((HostFact::Refused, ResolvedDomain::NONE));
    };
    let Some(number) = directory.domain_at_host(&name) else {
        return Some((HostFact::Unknown, ResolvedDomain::NONE));
    };
    let row = *directory.tables().domains.row(number)?;
    Some((HostFact::Domain, ResolvedDomain { number, row }))
}

impl TenantEvaluator {
    /// Resolves a request. Returns `None` if the request is malformed or names an unknown record.
    #[inline(always)]
    pub(crate) fn resolve<'p>(
        &'p self,
        question: &RequestRef<'_>,
        directory: &Directory,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Option<ResolvedRequest<'p>> {
        let resource = &question.resource;
        if !is_id(resource.id) {
            return None;
        }
        // Every hash slot is computed before the first result is used, so that the memory reads
        // overlap.
        let sought = ResolvedLogin::login_slot(directory.tables(), question.principal);
        let host_at = host_slot(directory, question.host);
        let action = self.list.get(self.action_of(question.action)? as usize)?;
        let (login, account, member) = ResolvedLogin::rows(directory, question.principal, sought)?;
        let kind = self.find_kind(action, login.kind, resource.kind)?;
        let on = Self::on(kind, login.account, question, directory)?;
        let (host, domain) = match question.host {
            None => (HostFact::Absent, ResolvedDomain::NONE),
            Some(host) => match domain_of(directory, host, host_at) {
                Some(domain) => (HostFact::Domain, domain),
                None => unusual_host(directory, host)?,
            },
        };
        let facts = self
            .session
            .with_host(host)
            .with(CLIENT, is_client(&account))
            .with(RESOURCE_ACCOUNT, on.has_account())
            .with(NOT_BEFORE, login.has_not_before(&account, &member));
        let is_simple =
            question.environment.is_none() && resource.more.is_none() && quota.is_none();
        let (facts, actor, realm_owner) = if is_simple && !kind.needs_values {
            (facts, None, NO_ROW)
        } else {
            self.further_facts(facts, kind, question, directory, quota)?
        };
        let is_named = (kind.names_principal || kind.names_resource)
            && self.names_request(kind, login, on, question);
        Some(ResolvedRequest {
            action,
            kind,
            facts,
            login,
            account,
            member,
            domain,
            on,
            actor,
            realm_owner,
            is_named,
        })
    }

    /// Adds the facts of the environment, of the meter and of an inline resource.
    #[cold]
    fn further_facts(
        &self,
        facts: FactSet,
        kind: &RequestKind,
        question: &RequestRef<'_>,
        directory: &Directory,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Option<(FactSet, Option<ResolvedLogin>, u32)> {
        let (mut facts, mut acting, mut realm_owner) = (facts, None, NO_ROW);
        if let Some(environment) = question.environment {
            if environment.amount.is_some_and(|amount| amount < 0) {
                return None;
            }
            facts = facts
                .with(AMOUNT, environment.amount.is_some())
                .with(SESSION_START, environment.session_start.is_some())
                .with(CONTEXT, !environment.context.is_empty());
            if let Some(channel) = &environment.channel {
                facts = facts.with_channel(self.symbols.channel(channel)?)?;
            }
            if let Some(actor) = &environment.actor {
                let (actor, not_before) = ResolvedLogin::find(directory, actor.into())?;
                // The session is the actor's.
                facts = facts.with_actor(actor.kind).with(NOT_BEFORE, not_before);
                acting = Some(actor);
            }
            if let Some(realm) = &environment.realm {
                facts = facts.with(REALM, true);
                match realm.kind() {
                    "Platform" => {}
                    "Account" => {
                        facts = facts.with(REALM_OWNER, true);
                        let number = directory.tables().accounts.number(realm.id());
                        realm_owner = number.unwrap_or(NO_ROW);
                    }
                    _ => return None,
                }
            }
        }
        if let Some(quota) = quota {
            let member_limit = quota.member.and_then(|member| member.limit);
            facts = facts
                .with(AMOUNT, true)
                .with(QUOTA, true)
                .with(ACCOUNT_LIMIT, quota.account.limit.is_some())
                .with(QUOTA_MEMBER, quota.member.is_some())
                .with(MEMBER_LIMIT, member_limit.is_some());
        }
        facts = facts.with(MORE, question.resource.more.is_some());
        // Only Cedar's error says what a request lacks.
        let lacks = kind.needs_values && !facts.has_values();
        (!lacks).then_some((facts, acting, realm_owner))
    }

    /// Returns the kind of request.
    #[inline(always)]
    fn find_kind<'p>(
        &self,
        action: &'p ActionPrograms,
        principal: u32,
        resource: ResourceTypeRef<'_>,
    ) -> Option<&'p RequestKind> {
        let resource_type = match resource {
            ResourceTypeRef::Handle(handle) => Ok(self.kind_of(handle)?),
            ResourceTypeRef::Name(name) => Err(name),
        };
        for (key, kind) in action.keys.iter().zip(&action.kinds) {
            let is_resource = || match resource_type {
                Ok(number) => key.1 == number,
                Err(name) => same(&kind.resource, name),
            };
            if key.0 == principal && is_resource() {
                return Some(kind);
            }
        }
        None
    }

    /// Returns whether a policy may name the principal, the resource or a parent of the resource in
    /// its scope.
    fn names_request(
        &self,
        kind: &RequestKind,
        login: ResolvedLogin,
        on: ResolvedResource,
        question: &RequestRef<'_>,
    ) -> bool {
        let policies = self.specific_policies(kind, login, on, question.resource.id);
        let more = question.resource.more.filter(|_| kind.names_resource);
        policies.iter().any(|policies| !policies.is_empty())
            || more.is_some_and(|more| !more.parents.is_empty())
    }

    /// Returns the policies that name this principal in their scope, and those that name this
    /// resource.
    pub(super) fn specific_policies(
        &self,
        kind: &RequestKind,
        login: ResolvedLogin,
        on: ResolvedResource,
        id: &str,
    ) -> [&[u32]; 2] {
        let login = entity(login.kind, login.number);
        let principal = kind.names_principal.then_some(login);
        let named = || {
            let at = self.symbols.others.find(kind.text, id)?;
            Some(entity(symbols::NAMED, at))
        };
        let resource = kind.names_resource.then(|| on.entity().or_else(named));
        let resource = resource.flatten();
        [(&self.principals, principal), (&self.resources, resource)].map(|(policies, record)| {
            let found = record.and_then(|record| policies.get(&record));
            found.map_or(&[][..], Vec::as_slice)
        })
    }

    /// Returns the place of an action in `list`.
    #[inline(always)]
    fn action_of(&self, action: ActionRef<'_>) -> Option<u32> {
        match action {
            ActionRef::Name("Action", id) => self.actions.find(id),
            ActionRef::Name(..) => None,
            ActionRef::Handle(handle) => handle.place.get(self.generation, || {
                let action = Some(handle.reference()).filter(|action| action.kind() == "Action");
                self.actions.find(action?.id())
            }),
        }
    }

    /// Returns the place of a resource type in `resource_types`.
    #[inline(always)]
    fn kind_of(&self, handle: &ResourceType) -> Option<u32> {
        let find = || position(&self.resource_types, handle.name());
        handle.place.get(self.generation, find)
    }

    /// Returns the number of the account that owns a resource. Compares with the login's account
    /// first, because most resources belong to it and comparing an id costs less than a look-up.
    #[inline(always)]
    fn account_of(account: AccountRef<'_>, mine: u32, directory: &Directory) -> Option<u32> {
        let hot = directory.tables();
        let number = match account {
            AccountRef::Name(id) if hot.accounts.is(mine, id) => mine,
            AccountRef::Name(id) => hot.accounts.number(id)?,
            AccountRef::Handle(handle) => {
                let (owner, slot) = (PrincipalRef::Handle(handle), LoginSlot::default());
                match parts(ResolvedLogin::entity(directory, owner, slot)?) {
                    (symbols::ACCOUNT, number) => number,
                    _ => return None,
                }
            }
        };
        if number != mine {
            hot.accounts.row(number)?;
        }
        Some(number)
    }

    /// Resolves the resource.
    #[inline(always)]
    fn on(
        kind: &RequestKind,
        mine: u32,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<ResolvedResource> {
        let (hot, resource) = (directory.tables(), &question.resource);
        match (&kind.inline, resource.account) {
            (Some(inline), Some(account)) => {
                inline.account?;
                let account = Self::account_of(account, mine, directory)?;
                Some(ResolvedResource::Inline { account })
            }
            (Some(inline), None) if inline.account != Some(true) => {
                Some(ResolvedResource::Inline { account: NO_ROW })
            }
            (None, None) if resource.more.is_none() => {
                let number = match kind.record {
                    symbols::ACCOUNT if hot.accounts.is(mine, resource.id) => mine,
                    symbols::ACCOUNT => hot.accounts.number(resource.id)?,
                    _ => parts(super::entities::record(hot, &kind.resource, resource.id)?).1,
                };
                ResolvedResource::record(hot, kind.record, number)
            }
            _ => None,
        }
    }
}
