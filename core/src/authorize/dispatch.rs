//! Which evaluator answers a request.

use super::tenant::{Metered, Silence, Single};
use super::{Fast, Kind, Loaded};
use crate::api::request::Request;
use crate::api::request_ref::Question;
use crate::cedar::authorizer::{Answer, Verdict};
use crate::cedar::request::{Asked, VALUE_DEPTH};
use crate::directory::Directory;
use crate::model::limit::QuotaFacts;
use crate::model::reference::Ref;
use crate::util::error::Error;
use crate::util::stack;

impl Loaded {
    /// The Cedar question that `request` is, or its answer where a look-up fails.
    pub(crate) fn asked(
        &self,
        request: &Request,
        directory: &Directory,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Result<Asked, Error> {
        match &self.kind {
            Kind::Tenancy(bundle) => {
                stack::run(VALUE_DEPTH, || bundle.asked(request, directory, quota))
            }
            Kind::Plain(plain) => plain.asked(request),
        }
    }

    /// The answer of a plain program.
    pub(crate) fn fast_plain(&self, question: &Question<'_>) -> Result<Option<Verdict>, Error> {
        match &self.kind {
            Kind::Tenancy(_) => Ok(None),
            Kind::Plain(plain) => plain.judge(question).map(Some),
        }
    }

    /// The answer of the compiled policies, where they can answer: else Cedar is to be asked.
    pub(crate) fn fast(
        &self,
        fast: &Fast,
        question: &Question<'_>,
        directory: &Directory,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Result<Option<Verdict>, Error> {
        match &self.kind {
            Kind::Tenancy(bundle) => Ok(match &fast.0 {
                Some(Ok(programs)) => programs.judge(bundle, question, directory, quota),
                _ => None,
            }),
            Kind::Plain(plain) => plain.judge(question).map(Some),
        }
    }

    /// The allow bit from single bits, where a plan says it.
    #[inline]
    pub(crate) fn planned(
        fast: &Fast,
        question: &Question<'_>,
        directory: &Directory,
    ) -> Option<bool> {
        match &fast.0 {
            Some(Ok(programs)) => programs.planned(question, directory),
            _ => None,
        }
    }

    /// The answer, where the same was given before.
    #[inline]
    pub(crate) fn recalled<'f>(
        fast: &'f Fast,
        question: &Question<'_>,
        directory: &Directory,
    ) -> Option<&'f Answer> {
        match &fast.0 {
            Some(Ok(programs)) => programs.recalled(question, directory),
            _ => None,
        }
    }

    /// The answer of so much of a meter, where it is the one without that was given before, with how long it stays so.
    /// `unknown` says it was not given yet.
    pub(crate) fn metered<'f>(
        fast: &'f Fast,
        question: &Question<'_>,
        directory: &Directory,
        quota: &'f QuotaFacts<'f>,
        hears: bool,
        unknown: &mut bool,
    ) -> Option<(&'f Answer, Option<Silence>)> {
        let Some(Ok(programs)) = &fast.0 else {
            return None;
        };
        match programs.metered(question, directory, quota, hears) {
            Metered::Answer(answer, silence) => Some((answer, silence)),
            Metered::Unknown => {
                *unknown = true;
                None
            }
            Metered::Beyond => None,
        }
    }

    /// What is asked by an account for itself of the one meter of an action.
    #[inline]
    pub(crate) fn single<'f>(
        fast: &'f Fast,
        question: &Question<'_>,
        directory: &Directory,
    ) -> Option<Single<'f>> {
        match &fast.0 {
            Some(Ok(programs)) => programs.single(question, directory),
            _ => None,
        }
    }

    /// The answer that was given during a silence.
    #[inline]
    pub(crate) fn silent<'f>(fast: &'f Fast, single: &Single<'_>, place: u8) -> Option<&'f Answer> {
        match &fast.0 {
            Some(Ok(programs)) => programs.silent(single, place),
            _ => None,
        }
    }

    /// Keeps an answer that was given, for the next that is the same.
    pub(crate) fn keep(
        fast: &Fast,
        question: &Question<'_>,
        directory: &Directory,
        answer: impl FnOnce() -> Answer,
    ) {
        if let Some(Ok(programs)) = &fast.0 {
            programs.keep(question, directory, answer);
        }
    }

    /// The allow bit of the compiled policies' answer, where they can answer.
    #[inline]
    pub(crate) fn fast_check(
        &self,
        fast: &Fast,
        question: &Question<'_>,
        directory: &Directory,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Result<Option<bool>, Error> {
        match (&self.kind, &fast.0) {
            (Kind::Tenancy(bundle), Some(Ok(programs))) => {
                Ok(programs.check(bundle, question, directory, quota))
            }
            (Kind::Plain(plain), _) => plain.check(question).map(Some),
            _ => Ok(self
                .fast(fast, question, directory, quota)?
                .map(|verdict| verdict.allowed)),
        }
    }

    /// The actions whose schema names these types, by name.
    pub(crate) fn actions_for(&self, principal: &str, resource: &str) -> Vec<Ref> {
        match &self.kind {
            Kind::Tenancy(bundle) => {
                let fits = bundle.names.actions.iter().filter(|(_, action)| {
                    action.principals.contains(principal) && action.resources.contains(resource)
                });
                fits.map(|(name, _)| Ref::new("Action", name)).collect()
            }
            Kind::Plain(plain) => plain.actions_for(principal, resource),
        }
    }
}
