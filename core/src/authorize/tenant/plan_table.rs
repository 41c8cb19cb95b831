//! The plan table: computes the allow bit of a session request directly from the rows. Most checks
//! take this path. The data that answers one kind of request is stored together, so that a look-up
//! waits for memory once or twice. Registers are filled only if a condition needs a program.

use std::sync::Arc;

use super::answer_cache::AnswerCache;
use super::atoms::{PathOrigin, RecordRead};
use super::bits::{SessionRows, is_client};
use super::programs::TenantEvaluator;
use super::resolve::{
    ResolvedDomain, ResolvedLogin, ResolvedRequest, ResolvedResource, domain_of, host_slot,
};
use super::symbolic::{FIRST_PROGRAM, FIRST_READ};
use super::symbols;
use crate::api::request_ref::{RequestRef, ResourceTypeRef};
use crate::cedar::authorizer::AnswerTemplate;
use crate::directory::{AccountRow, Directory, HashIndex, MemberRow, Tables};
use crate::model::catalog::MeterKind;
use crate::model::limit::QuotaFacts;
use crate::model::reference::is_id;
use crate::util::text::same;
use crate::vm::{CompiledBdd, PolicyResult};

/// Names numbered in order of insertion, found by one hash look-up.
#[derive(Debug, Default)]
pub(crate) struct NameTable {
    index: HashIndex,
    list: Vec<Box<str>>,
}

impl NameTable {
    /// Adds a name that is not in the table yet, and returns its number.
    pub(crate) fn push(&mut self, name: &str) -> u32 {
        if self.index.is_full() {
            self.index = self.index.grown();
        }
        let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.index.insert(self.index.hash(name.as_bytes()), number);
        self.list.push(name.into());
        number
    }

    #[inline(always)]
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        self.index.find(self.index.hash(name.as_bytes()), |number| {
            self.list
                .get(number as usize)
                .is_some_and(|known| same(known, name))
        })
    }
}

/// The kinds of request of one action, as a range of [`PlanTable::keys`].
#[derive(Debug, Clone, Copy)]
struct ActionRange {
    first: u32,
    end: u32,
    /// The bit of the action's feature. Zero if the action has no feature.
    feature_bit: u64,
}

/// Distinguishes the kinds of request of an action.
#[derive(Debug, Clone, Copy)]
struct RequestKind {
    action: u32,
    principal: u32,
    /// The resource type's place in [`TenantEvaluator::kinds`].
    kind: u32,
    /// The place among the entries of the action.
    entry: usize,
    /// Whether the resource comes inline, with an account and nothing else.
    inline: bool,
    /// Whether answers of this kind can be cached.
    recalls: bool,
}

/// Answers one kind of request from the bits of a session.
#[derive(Debug)]
pub(crate) struct SessionPlan {
    /// Computes the allow bit.
    pub(crate) plan: CompiledBdd,
    /// The facts of records that the diagram may need.
    pub(crate) reads: Vec<RecordRead>,
    /// The cache of full answers.
    pub(crate) memo: AnswerCache,
}

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
    on: ResolvedResource,
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

/// Looks up the variables that a plan or a cache key needs beyond the session bits.
struct VariableLookup<'a, 'q> {
    programs: &'a TenantEvaluator,
    planned: &'a SessionPlan,
    question: &'a RequestRef<'q>,
    directory: &'a Directory,
    sight: &'a PlanRequest,
    /// The last program run and its result. Most programs are needed for both of their variables.
    last: Option<(u16, PolicyResult)>,
}

impl VariableLookup<'_, '_> {
    /// Returns the allow bit.
    #[inline(never)]
    fn allows(&mut self, bits: u64) -> Option<bool> {
        self.planned
            .plan
            .eval(bits, |asked| self.ask(asked.saturating_add(FIRST_READ)))
    }

    /// Returns the answer cache key.
    #[inline(never)]
    fn key(&mut self, bits: u64) -> Option<u128> {
        self.planned.memo.key(bits, |variable| self.ask(variable))
    }

    /// Returns the value of a variable from [`FIRST_READ`] on.
    fn ask(&mut self, variable: u16) -> Option<bool> {
        let PlanRequest {
            login, domain, on, ..
        } = *self.sight;
        let Some(program) = variable.checked_sub(FIRST_PROGRAM) else {
            let read = self
                .planned
                .reads
                .get(usize::from(variable.checked_sub(FIRST_READ)?))?;
            return Some(read.holds(
                self.directory.tables(),
                &PathOrigin {
                    login,
                    domain: domain.number,
                    on,
                },
            ));
        };
        let at = program >> 1;
        let outcome = match self.last {
            Some((known, outcome)) if known == at => outcome,
            _ => {
                let found = self.programs.found_of(self.sight, None)?;
                let sessions = found.entry.session.get(usize::from(self.sight.client()))?;
                self.programs.eval_plan_extra(
                    sessions,
                    at,
                    self.question,
                    self.directory,
                    &found,
                )?
            }
        };
        self.last = Some((at, outcome));
        Some(
            outcome
                == if program & 1 == 0 {
                    PolicyResult::Satisfied
                } else {
                    PolicyResult::Error
                },
        )
    }
}

/// The plans for each action and pair of types that session bits can answer. Each entry has one
/// plan for main accounts and operators, and one for clients.
#[derive(Debug, Default)]
pub(crate) struct PlanTable {
    /// Ranges of `keys`, by the action's place.
    spans: Vec<ActionRange>,
    keys: Vec<RequestKind>,
    plans: Vec<[Option<SessionPlan>; 2]>,
}

impl PlanTable {
    /// Begins the next action. The kinds of request added from now on belong to it.
    pub(crate) fn action(&mut self, feature_bit: u64) {
        let first = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        self.spans.push(ActionRange {
            first,
            end: first,
            feature_bit,
        });
    }

    /// Adds a kind of request to the last action. The key holds the principal type, the resource
    /// type, the place among the action's entries, and whether the resource comes inline. Returns
    /// the new place.
    pub(crate) fn put(
        &mut self,
        (principal, kind, entry, inline): (u32, u32, usize, bool),
        plans: [Option<SessionPlan>; 2],
    ) -> Option<u32> {
        let at = u32::try_from(self.keys.len()).ok()?;
        self.spans.last_mut()?.end = at.checked_add(1)?;
        let recalls = plans
            .iter()
            .flatten()
            .any(|planned| planned.memo.is_enabled());
        let action = u32::try_from(self.spans.len().checked_sub(1)?).ok()?;
        self.keys.push(RequestKind {
            action,
            principal,
            kind,
            entry,
            inline,
            recalls,
        });
        self.plans.push(plans);
        Some(at)
    }

    #[inline(always)]
    pub(crate) fn planned(&self, at: u32, client: bool) -> Option<&SessionPlan> {
        self.plans
            .get(at as usize)?
            .get(usize::from(client))?
            .as_ref()
    }
}

impl TenantEvaluator {
    /// Returns the allow bit from the plan of a session request. Returns `None` if no plan answers
    /// it.
    #[inline]
    pub(crate) fn planned(&self, question: &RequestRef<'_>, directory: &Directory) -> Option<bool> {
        let sight = self.resolve(question, directory, |_| true)?;
        self.allows(&sight, question, directory)
    }

    /// Returns the allow bit of a resolved request. In most cases the bits decide, and the resolved
    /// request stays in registers. Only the look-up of other variables needs it in memory, as a
    /// copy.
    #[inline(always)]
    fn allows(
        &self,
        sight: &PlanRequest,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<bool> {
        let planned = self.ready.planned(sight.at, sight.client())?;
        let bits = sight.bits(directory.tables());
        if let Some(allowed) = planned.plan.eval(bits, |_| None) {
            return Some(allowed);
        }
        let sight = *sight;
        let mut looking = VariableLookup {
            programs: self,
            planned,
            question,
            directory,
            sight: &sight,
            last: None,
        };
        looking.allows(bits)
    }

    /// Returns the full answer if a request with equal bits was answered before.
    #[inline]
    pub(crate) fn recalled(
        &self,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<&AnswerTemplate> {
        let sight = self.resolve(question, directory, |key| key.recalls)?;
        let (memo, key) = self.key(&sight, question, directory)?;
        memo.get(key)
    }

    /// Returns the answer cache of this kind of request, and the key of this request.
    #[inline(always)]
    fn key(
        &self,
        sight: &PlanRequest,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<(&AnswerCache, u128)> {
        let planned = self.ready.planned(sight.at, sight.client())?;
        let bits = sight.bits(directory.tables());
        if planned.memo.asks_from(0) {
            let sight = *sight;
            let mut looking = VariableLookup {
                programs: self,
                planned,
                question,
                directory,
                sight: &sight,
                last: None,
            };
            return Some((&planned.memo, looking.key(bits)?));
        }
        Some((&planned.memo, planned.memo.key(bits, |_| None)?))
    }

    /// Returns the answer cache of a session request, and the slot of its answer if one is cached.
    pub(crate) fn recalled_at(
        &self,
        sight: &PlanRequest,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<(&AnswerCache, Option<u8>)> {
        let (memo, key) = self.key(sight, question, directory)?;
        Some((memo, memo.find(key)))
    }

    /// Caches an answer for later requests with equal bits.
    #[cold]
    pub(crate) fn keep(
        &self,
        question: &RequestRef<'_>,
        directory: &Directory,
        answer: impl FnOnce() -> AnswerTemplate,
    ) {
        if let Some(sight) = self.resolve(question, directory, |key| key.recalls)
            && let Some((memo, key)) = self.key(&sight, question, directory)
        {
            memo.insert(key, answer);
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
        let sight = PlanRequest {
            at: place,
            login,
            account,
            member,
            domain,
            host_at,
            on,
            feature_bit: found.action.feature_bit,
        };
        self.allows(&sight, question, directory)
    }

    /// Returns the action and entry of a request that was resolved for a plan, with all resolved
    /// names.
    pub(crate) fn found_of<'p>(
        &'p self,
        sight: &PlanRequest,
        quota: Option<&'p QuotaFacts<'p>>,
    ) -> Option<ResolvedRequest<'p>> {
        let PlanRequest {
            login: principal,
            account,
            member,
            on,
            host_at: host,
            ..
        } = *sight;
        let key = self.ready.keys.get(sight.at as usize)?;
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
    pub(crate) fn takes(&self, at: u32) -> Option<&(Arc<str>, MeterKind)> {
        self.list
            .get(self.ready.keys.get(at as usize)?.action as usize)?
            .takes
            .as_ref()
    }

    /// Resolves a session request if answers of its kind can be cached.
    #[inline]
    pub(crate) fn resolve_for_plan(
        &self,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<PlanRequest> {
        self.resolve(question, directory, |key| key.recalls)
    }

    /// Resolves a session request of a wanted kind. Returns `None` if facts beyond the session bits
    /// may matter.
    #[inline(always)]
    fn resolve(
        &self,
        question: &RequestRef<'_>,
        directory: &Directory,
        wanted: impl Fn(&RequestKind) -> bool,
    ) -> Option<PlanRequest> {
        let (hot, resource) = (directory.tables(), &question.resource);
        if question.with.is_some() || resource.more.is_some() || !is_id(resource.id) {
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
        let key = self.ready.keys.get(at as usize).filter(|key| wanted(key))?;
        let on = if key.inline {
            ResolvedResource::Inline {
                account: Self::account_of(resource.account?, login.account, directory)?,
            }
        } else {
            let entry = self.list.get(action)?.entries.get(key.entry)?;
            Self::on(entry, login.account, question, directory)?
        };
        if self.stands_alone(login, resource.id) {
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
    fn stands_alone(&self, login: ResolvedLogin, id: &str) -> bool {
        self.sieves[0].may_hold_number(symbols::entity(login.kind, login.number))
            || self.sieves[1].may_hold_text(id)
    }
}
