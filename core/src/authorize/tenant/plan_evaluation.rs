//! Answers session requests with their plans, directly from the rows. Most checks take this path.
//! Registers are filled only if a condition needs a program.

use std::sync::Arc;

use super::answer_cache::AnswerCache;
use super::bits::{SessionRows, is_client};
use super::plan_table::ActionRange;
use super::programs::TenantEvaluator;
use super::resolve::{ResolvedDomain, ResolvedRequest, ResolvedResource, domain_of, host_slot};
use super::resolved_login::ResolvedLogin;
use super::symbols;
use super::variable_lookup::VariableLookup;
use crate::api::request_ref::{RequestRef, ResourceTypeRef};
use crate::cedar::authorizer::AnswerTemplate;
use crate::directory::{AccountRow, Directory, MemberRow, Tables};
use crate::model::catalog::MeterKind;
use crate::model::limit::QuotaFacts;
use crate::model::reference::is_id;
use crate::util::text::same;

/// A session request with resolved names, which a plan can answer.
#[derive(Clone, Copy)]
pub(crate) struct PlanRequest {
    /// The kind of request, as a place in [`PlanTable::keys`].
    pub(crate) at: u32,
    pub(crate) login: ResolvedLogin,
    account: AccountRow,
    member: MemberRow,
    pub(crate) domain: ResolvedDomain,
    host_at: (u32, u64),
    pub(super) on: ResolvedResource,
    feature_bit: u64,
}

impl PlanRequest {
    #[inline(always)]
    pub(crate) fn client(&self) -> bool {
        is_client(&self.account)
    }

    #[inline(always)]
    fn bits(&self, hot: &Tables) -> u64 {
        let Self {
            login,
            account,
            member,
            domain,
            on,
            feature_bit,
            ..
        } = *self;
        SessionRows {
            login,
            account,
            member,
            domain: domain.row,
            feature_bit,
        }
        .bits(hot)
            | on.bits(login)
    }

    /// Returns whether an account asks for itself about a resource that it owns.
    #[inline(always)]
    pub(crate) fn is_own(&self) -> bool {
        let Self { login, on, .. } = *self;
        login.kind == symbols::ACCOUNT
            && matches!(on, ResolvedResource::Inline { account } if account == login.account)
    }
}

impl TenantEvaluator {
    /// Returns the allow bit from the plan of a session request. Returns `None` if no plan answers
    /// it.
    #[inline]
    pub(crate) fn planned(&self, question: &RequestRef<'_>, directory: &Directory) -> Option<bool> {
        let plan_request = self.resolve(question, directory)?;
        self.allows(&plan_request, question, directory)
    }

    /// Returns the allow bit of a resolved request. In most cases the bits decide, and the resolved
    /// request stays in registers. Only the look-up of other variables needs it in memory, as a
    /// copy.
    #[inline(always)]
    fn allows(
        &self,
        plan_request: &PlanRequest,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<bool> {
        let planned = self.ready.planned(plan_request.at, plan_request.client())?;
        let bits = plan_request.bits(directory.tables());
        if let Some(allowed) = planned.plan.eval(bits, |_| None) {
            return Some(allowed);
        }
        let plan_request = *plan_request;
        VariableLookup::new(self, planned, &plan_request, question, directory).allows(bits)
    }

    /// Returns the full answer if a request with equal bits was answered before.
    #[inline]
    pub(crate) fn find_cached_answer(
        &self,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<&AnswerTemplate> {
        let plan_request = self.resolve(question, directory)?;
        let (answer_cache, key) = self.key(&plan_request, question, directory)?;
        answer_cache.get(key)
    }

    /// Returns the answer cache of this kind of request, and the key of this request.
    #[inline(always)]
    fn key(
        &self,
        plan_request: &PlanRequest,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<(&AnswerCache, u128)> {
        let planned = self.ready.planned(plan_request.at, plan_request.client())?;
        let bits = plan_request.bits(directory.tables());
        if planned.answer_cache.reads_from(0) {
            let plan_request = *plan_request;
            let mut lookup = VariableLookup::new(self, planned, &plan_request, question, directory);
            return Some((&planned.answer_cache, lookup.key(bits)?));
        }
        Some((
            &planned.answer_cache,
            planned.answer_cache.key(bits, |_| None)?,
        ))
    }

    /// Returns the answer cache of a session request, and the slot of its answer if one is cached.
    pub(crate) fn find_cached_slot(
        &self,
        plan_request: &PlanRequest,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<(&AnswerCache, Option<u8>)> {
        let (answer_cache, key) = self.key(plan_request, question, directory)?;
        Some((answer_cache, answer_cache.find(key)))
    }

    /// Caches an answer for later requests with equal bits.
    #[cold]
    pub(crate) fn keep(
        &self,
        question: &RequestRef<'_>,
        directory: &Directory,
        answer: impl FnOnce() -> AnswerTemplate,
    ) {
        if let Some(plan_request) = self.resolve(question, directory)
            && let Some((answer_cache, key)) = self.key(&plan_request, question, directory)
        {
            answer_cache.insert(key, answer);
        }
    }

    /// Returns the allow bit of a session request with resolved names, if its plan decides it.
    pub(crate) fn planned_of(
        &self,
        place: u32,
        found: &ResolvedRequest<'_>,
        domain: ResolvedDomain,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<bool> {
        let ResolvedRequest {
            principal: login,
            account,
            member,
            on,
            host: host_at,
            ..
        } = *found;
        let plan_request = PlanRequest {
            at: place,
            login,
            account,
            member,
            domain,
            host_at,
            on,
            feature_bit: found.action.feature_bit,
        };
        self.allows(&plan_request, question, directory)
    }

    /// Returns the action and entry of a request that was resolved for a plan, with all resolved
    /// names.
    pub(crate) fn found_of<'p>(
        &'p self,
        plan_request: &PlanRequest,
        quota: Option<&'p QuotaFacts<'p>>,
    ) -> Option<ResolvedRequest<'p>> {
        let PlanRequest {
            login: principal,
            account,
            member,
            on,
            host_at: host,
            ..
        } = *plan_request;
        let key = self.ready.keys.get(plan_request.at as usize)?;
        let action = self.list.get(key.action as usize)?;
        let entry = action.entries.get(key.entry)?;
        // A request that a record-specific policy may match is never resolved for a plan.
        Some(ResolvedRequest {
            action,
            entry,
            principal,
            account,
            member,
            on,
            host,
            alone: [&[], &[]],
            quota,
        })
    }

    /// Returns the meter that the action of a kind of request consumes from, if it is the only one.
    #[inline]
    pub(crate) fn find_single_meter(&self, at: u32) -> Option<&(Arc<str>, MeterKind)> {
        self.list
            .get(self.ready.keys.get(at as usize)?.action as usize)?
            .takes
            .as_ref()
    }

    /// Resolves a session request. Returns `None` if facts beyond the session bits may matter.
    #[inline(always)]
    pub(super) fn resolve(
        &self,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<PlanRequest> {
        let (hot, resource) = (directory.tables(), &question.resource);
        if question.environment.is_some() || resource.more.is_some() || !is_id(resource.id) {
            return None;
        }
        // Every hash slot is computed before the first result is used, so that the memory reads
        // overlap.
        let sought = ResolvedLogin::login_slot(hot, question.principal);
        let at_host = question.host?;
        let host_at = host_slot(directory, at_host);
        let action = self.action_of(question.action)? as usize;
        let span = *self.ready.spans.get(action)?;
        let (login, account, member) = ResolvedLogin::rows(directory, question.principal, sought)?;
        let at = self.find_request_kind(span, login.kind, resource.kind)?;
        let key = self.ready.keys.get(at as usize)?;
        let on = if key.inline {
            ResolvedResource::Inline {
                account: Self::account_of(resource.account?, login.account, directory)?,
            }
        } else {
            let entry = self.list.get(action)?.entries.get(key.entry)?;
            Self::on(entry, login.account, question, directory)?
        };
        if self.may_match_specific_policy(login, resource.id) {
            return None;
        }
        let domain = domain_of(directory, at_host, host_at)?;
        Some(PlanRequest {
            at,
            login,
            account,
            member,
            domain,
            host_at,
            on,
            feature_bit: span.feature_bit,
        })
    }

    /// Returns the place of a kind of request within the action's range.
    #[inline(always)]
    fn find_request_kind(
        &self,
        span: ActionRange,
        principal: u32,
        kind: ResourceTypeRef<'_>,
    ) -> Option<u32> {
        let keys = self
            .ready
            .keys
            .get(span.first as usize..span.end as usize)?;
        let mut numbered = (span.first..)
            .zip(keys)
            .filter(|(_, key)| key.principal == principal);
        let found = match kind {
            ResourceTypeRef::Handle(handle) => {
                let kind = self.kind_of(handle)?;
                numbered.find(|(_, key)| key.kind == kind)
            }
            ResourceTypeRef::Name(name) => numbered.find(|(_, key)| {
                self.kinds
                    .get(key.kind as usize)
                    .is_some_and(|known| same(known, name))
            }),
        };
        Some(found?.0)
    }

    /// Returns whether a record-specific policy may match the login or the resource.
    #[inline(always)]
    fn may_match_specific_policy(&self, login: ResolvedLogin, id: &str) -> bool {
        self.sieves[0].may_hold_number(symbols::entity(login.kind, login.number))
            || self.sieves[1].may_hold_text(id)
    }
}
