//! The answer to a session's request about a meter, where no policy about limits has anything to
//! say: then it is the one without a meter. And how long they stay silent: for which counts the
//! same request has the same answer, so that nobody need run them until then.
//!
//! That the policies about limits say the same of another count is proved by watching their run
//! ([`LinearRange`]). What else they read must be the same: all that the directory says (a version
//! of it), the kind of request, the account that asks, which the resource belongs to, the domain,
//! the meter, the amount, what is held, and the limit. What alone may differ is the resource's id:
//! whatever reads it, or an attribute of what may be the resource, ends the proof. A policy that
//! reads the facts as one record ends it for the bundle.

use std::sync::Arc;

use super::plan_table::PlanRequest;
use super::programs::TenantEvaluator;
use super::symbolic::FIRST_PROGRAM;
use super::symbols::{self, root};
use crate::api::request_ref::RequestRef;
use crate::cedar::authorizer::AnswerTemplate;
use crate::compiler::construct;
use crate::directory::Directory;
use crate::model::catalog::MeterKind;
use crate::model::limit::QuotaFacts;
use crate::vm::{LinearRange, PolicyResult, REQUEST_LOCAL, Tracer, run_traced};

/// What is known of the answer to a request about a meter.
pub(crate) enum MeteredAnswer<'p> {
    /// The answer, and how long it stays, where that is known.
    Answer(&'p AnswerTemplate, Option<UnaffectedRange>),
    /// It is the one without a meter, which was not given yet.
    Unknown,
    /// All policies are to be asked.
    Beyond,
}

/// For which counts the policies about limits stay silent, all else being the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnaffectedRange {
    /// How much may be used at the least, and at the most.
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// Where the answer is kept.
    pub(crate) answer_slot: u8,
}

/// What an account asks for itself, about its own, of the one meter of an action.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SelfConsume<'p> {
    pub(crate) meter: &'p Arc<str>,
    pub(crate) kind: MeterKind,
    /// The kind of request, among all that are compiled.
    pub(crate) asked: u32,
    /// The number of the domain.
    pub(crate) domain: u32,
    client: bool,
}

/// Whether the directory or the schema says all of an entity, and no request brings anything of it.
fn is_fixed_entity(entity: u32) -> bool {
    entity < REQUEST_LOCAL && symbols::parts(entity).0 != symbols::NAMED
}

impl TenantEvaluator {
    /// The answer to a session's request about a meter: the one without, where that was given
    /// before and no policy about limits has anything to say; and for how long they have not, if
    /// somebody `hears` it.
    pub(crate) fn metered<'p>(
        &'p self,
        question: &RequestRef<'_>,
        directory: &Directory,
        quota: &'p QuotaFacts<'p>,
        hears: bool,
    ) -> MeteredAnswer<'p> {
        let Some(sight) = self.resolve_for_plan(question, directory) else {
            return MeteredAnswer::Beyond;
        };
        let Some((memo, place)) = self.recalled_at(&sight, question, directory) else {
            return MeteredAnswer::Beyond;
        };
        let mut reach = LinearRange::new(
            u16::from(root::ACCOUNT_USED),
            quota.account.used,
            u16::from(root::RESOURCE),
            is_fixed_entity,
        );
        // A program may read the resource's id, which the note does not have.
        let watched = hears
            && quota.member.is_none()
            && !self.reads_facts_record
            && sight.is_own()
            && !memo.asks_from(FIRST_PROGRAM);
        let silent = if watched {
            self.limits_do_not_apply(question, directory, &sight, quota, &mut reach)
        } else {
            self.limits_do_not_apply(question, directory, &sight, quota, &mut ())
        };
        match (
            place.and_then(|place| Some((place, memo.by_slot(place)?))),
            silent,
        ) {
            (_, None | Some(false)) => MeteredAnswer::Beyond,
            (Some((place, answer)), Some(true)) => {
                let range = if watched { reach.range() } else { None };
                MeteredAnswer::Answer(
                    answer,
                    range.map(|range| UnaffectedRange {
                        from: *range.start(),
                        to: *range.end(),
                        answer_slot: place,
                    }),
                )
            }
            (None, Some(true)) => MeteredAnswer::Unknown,
        }
    }

    /// Whether no policy about limits has anything to say; nothing where that is not known.
    fn limits_do_not_apply<'p>(
        &'p self,
        question: &RequestRef<'_>,
        directory: &Directory,
        sight: &PlanRequest,
        quota: &'p QuotaFacts<'p>,
        watch: &mut impl Tracer,
    ) -> Option<bool> {
        let found = self.found_of(sight, Some(quota))?;
        let limits = found
            .entry
            .session
            .get(usize::from(sight.client()))?
            .limits
            .as_ref()?;
        let mut silent = true;
        self.fill_registers(question, directory, &found, |roots, tenants, space| {
            for program in limits {
                run_traced(
                    program,
                    roots,
                    tenants,
                    space,
                    construct,
                    watch,
                    |_, outcome| {
                        silent &= outcome == PolicyResult::NotSatisfied;
                        silent
                    },
                );
                if !silent {
                    break;
                }
            }
        })?;
        Some(silent)
    }

    /// What is asked of the one meter of an action, where notes of silence can answer it.
    #[inline]
    pub(crate) fn self_consume(
        &self,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<SelfConsume<'_>> {
        let sight = self
            .resolve_for_plan(question, directory)
            .filter(PlanRequest::is_own)?;
        let (meter, kind) = self.takes(sight.at)?;
        Some(SelfConsume {
            meter,
            kind: *kind,
            asked: sight.at,
            domain: sight.domain,
            client: sight.client(),
        })
    }

    /// The answer that is kept there, for a request of this kind.
    #[inline]
    pub(crate) fn cached_answer(
        &self,
        single: &SelfConsume<'_>,
        answer_slot: u8,
    ) -> Option<&AnswerTemplate> {
        self.ready
            .planned(single.asked, single.client)?
            .memo
            .by_slot(answer_slot)
    }
}
