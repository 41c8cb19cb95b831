//! Loads policies and selects the evaluator that answers a request.

pub(crate) mod dispatch;
pub(crate) mod plain;
pub(crate) mod program_set;
mod shared;
pub(crate) mod tenant;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::plain::CedarEvaluator;
use self::tenant::{SelfConsume, TenantEvaluator};
use crate::api::request_ref::RequestRef;
use crate::cedar::bundle::{self, Bundle};
use crate::cedar::options::Validation;
use crate::cedar::policy_list::{PolicyList, PolicyMeta};
use crate::cedar::source::{self, PolicySource};
use crate::cedar::value_json::CedarTypes;

use crate::api::decision::InterpretedPolicy;
use crate::directory::Directory;
use crate::model::answer_code::AnswerCode;
use crate::model::fingerprint::Fingerprint;
use crate::util::error::Error;
use crate::util::parse_limits::ParseLimits;
use crate::util::stack;

/// Loaded policies with their fingerprint.
#[derive(Debug)]
pub(crate) struct LoadedPolicies {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) kind: PolicyEngine,
}

/// A tenant bundle or a plain Cedar program.
#[derive(Debug)]
pub(crate) enum PolicyEngine {
    Tenancy(Box<Bundle>),
    Plain(Box<CedarEvaluator>),
}

/// The compiled programs of a bundle for one generation of the directory, or the reason why Cedar
/// evaluates the bundle instead.
#[derive(Debug)]
pub(crate) struct TenantPrograms(Option<Result<TenantEvaluator, Arc<str>>>);

impl TenantPrograms {
    /// Returns the policies that Cedar itself evaluates, each with the reason.
    pub(crate) fn fallback(&self, loaded: &LoadedPolicies) -> Vec<InterpretedPolicy> {
        let rules = &loaded.rules().list;
        let interpreted = |rule: &PolicyMeta, why: &Arc<str>| InterpretedPolicy {
            policy: Arc::clone(&rule.id),
            why: Arc::clone(why),
        };
        match (&self.0, &loaded.kind) {
            (Some(Err(limit)), _) => {
                // One unsupported policy makes Cedar evaluate the entire bundle.
                let why: Arc<str> = if rules.iter().any(|rule| rule.id == *limit) {
                    format!("policy `{limit}` of its bundle is beyond what is compiled").into()
                } else {
                    Arc::clone(limit)
                };
                rules.iter().map(|rule| interpreted(rule, &why)).collect()
            }
            (None, PolicyEngine::Plain(plain)) => {
                let beyond = plain.compiled.beyond.list.iter();
                beyond
                    .filter_map(|(at, why)| Some(interpreted(rules.get(*at)?, &Arc::from(*why))))
                    .collect()
            }
            (Some(Ok(_)), _) | (None, PolicyEngine::Tenancy(_)) => Vec::new(),
        }
    }

    /// Returns the evaluator of the bundle, unless Cedar evaluates it.
    #[inline(always)]
    fn evaluator(&self) -> Option<&TenantEvaluator> {
        self.0.as_ref()?.as_ref().ok()
    }

    /// Resolves a request by which an account consumes from the one meter of an action for itself.
    #[inline]
    pub(crate) fn self_consume(
        &self,
        question: &RequestRef<'_>,
        directory: &Directory,
    ) -> Option<SelfConsume<'_>> {
        self.evaluator()?.self_consume(question, directory)
    }

    /// Returns whether the programs are valid for another directory of the same bundle too.
    pub(crate) fn is_portable(&self) -> bool {
        self.0.is_none() || self.evaluator().is_some_and(TenantEvaluator::is_portable)
    }
}

impl LoadedPolicies {
    /// Returns every code and every word of advice that a decision can have, with the words of each
    /// by language.
    pub(crate) fn codes_in_words(&self) -> BTreeMap<Arc<str>, BTreeMap<Arc<str>, Arc<str>>> {
        let (own, words): (&[AnswerCode], _) = match &self.kind {
            PolicyEngine::Tenancy(bundle) => {
                (&AnswerCode::TENANCY, Some(bundle.catalog.code_words()))
            }
            PolicyEngine::Plain(_) => (&AnswerCode::PLAIN, None),
        };
        let rules = self.rules().list.iter();
        let of_rules = rules.flat_map(|rule| rule.code.iter().chain(&rule.advice));
        own.iter()
            .map(|code| (*code).into())
            .chain(of_rules.cloned())
            .map(|code: Arc<str>| {
                let found = words.and_then(|words| words.of_code(&code));
                (code, found.cloned().unwrap_or_default())
            })
            .collect()
    }

    /// Compiles the policies for this directory. Reserves in the directory the names that the
    /// policies use.
    pub(crate) fn compile(&self, directory: &mut Directory) -> TenantPrograms {
        match &self.kind {
            PolicyEngine::Plain(_) => TenantPrograms(None),
            PolicyEngine::Tenancy(bundle) => {
                let compile = || Ok(TenantEvaluator::new(bundle, directory));
                let compiled = stack::run(bundle.rules.depth, compile);
                TenantPrograms(Some(
                    compiled.unwrap_or_else(|error| Err(error.to_string().into())),
                ))
            }
        }
    }

    pub(crate) fn rules(&self) -> &PolicyList {
        match &self.kind {
            PolicyEngine::Tenancy(bundle) => &bundle.rules,
            PolicyEngine::Plain(plain) => &plain.rules,
        }
    }

    /// Returns the types of the schema that requests must fit, if there is one.
    pub(crate) fn types(&self) -> Option<&CedarTypes> {
        match &self.kind {
            PolicyEngine::Tenancy(bundle) => Some(&bundle.values),
            PolicyEngine::Plain(plain) => plain.types.as_ref().filter(|_| plain.validate_requests),
        }
    }

    pub(crate) fn is_tenancy(&self) -> bool {
        matches!(self.kind, PolicyEngine::Tenancy(_))
    }
}

/// Loads a policy source. Either all of its policies are loaded or none.
pub(crate) fn load(
    source: &PolicySource,
    validation: Validation,
    caps: &ParseLimits,
) -> Result<Arc<LoadedPolicies>, Error> {
    crate::cedar::first_use::prepare();
    if let PolicySource::Cedar(program) = source {
        let texts = [
            ("policies", Some(&program.policies)),
            ("schema", program.schema.as_ref()),
            ("links", program.links.as_ref()),
            ("entities", program.entities.as_ref()),
        ];
        let given = texts.into_iter();
        let named = given.filter_map(|(name, text)| Some((name, text?.as_str())));
        return shared::load_once(named, validation, caps, || {
            let plain = plain::load(program, validation, caps)?;
            Ok(PolicyEngine::Plain(Box::new(plain)))
        });
    }
    let files = source::read(source, caps)?;
    let texts = files.iter();
    let named = texts.map(|file| (file.name.as_str(), file.text.as_str()));
    shared::load_once(named, validation, caps, || {
        let bundle = bundle::load(&files, validation, caps)?;
        Ok(PolicyEngine::Tenancy(Box::new(bundle)))
    })
}
