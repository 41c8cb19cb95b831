//! `explain`: the reasons of a decision.

use std::sync::Arc;

use super::{Engine, Snapshot};
use crate::api::decision::Decision;
use crate::api::explanation::{
    DecidingPolicy, Explanation, FurtherPolicy, PolicyExplanation, PolicyStatus,
};
use crate::api::request::Request;
use crate::api::request_ref::RequestRef;
use crate::authorize::PolicyEngine;
use crate::cedar::explain::reasons::NearestPermits;
use crate::cedar::policy_list::PolicyEffect;
use crate::cedar::request::{CedarQuery, CedarRequest};
use crate::model::answer_code::AnswerCode;
use crate::model::limit::{LimitSource, QuotaFacts};
use crate::util::error::Error;
use crate::util::panic::catch_panic;

/// The policies of a request, and the request for Cedar. There is none if a look-up denies.
struct Evaluated {
    policies: Vec<PolicyExplanation>,
    asked: Option<Box<CedarRequest>>,
}

impl Engine {
    /// Explains a decision: the code in words, the policy that decided, the facts that it read and
    /// what would have to change. Then what else gives the same answer, what came nearest, and each
    /// policy that could apply (E8). The words are in the bundle's default language.
    ///
    /// # Errors
    /// Fails with the same errors as [`Engine::authorize`].
    pub fn explain(&self, request: &Request) -> Result<Explanation, Error> {
        self.explain_in(request, None)
    }

    /// Explains a decision like [`Engine::explain`], with the words of codes in a language, such as
    /// `de`. `de-AT` falls back to `de`, and a language that the bundle lacks to the default one.
    ///
    /// # Errors
    /// Fails with the same errors as [`Engine::authorize`].
    ///
    /// # Example
    /// ```
    /// use sublet::{Engine, Options, Request, Resource};
    /// let engine = Engine::open(Options::default())?;
    /// let campaign = Resource::new("Campaign", "spring").account("nobody");
    /// let request = Request::new(("Account", "nobody"), "campaign.read", campaign);
    /// let explanation = engine.explain_in(&request, Some("de"))?;
    /// assert!(explanation.words.starts_with("Dieses Login ist nicht bekannt"));
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn explain_in(
        &self,
        request: &Request,
        language: Option<&str>,
    ) -> Result<Explanation, Error> {
        catch_panic(|| {
            let state = self.current()?;
            RequestRef::from(request).check_values()?;
            let evaluated = |quota: Option<&QuotaFacts<'_>>| state.evaluated(request, quota);
            // If the request has several meters, the denied one is explained, or the last.
            let (decision, found) = match state.decide_metered_with(&request.into(), &evaluated)? {
                Some((decision, Some(found))) => (decision, found),
                Some((decision, None)) => (decision, evaluated(None)?),
                None => (state.authorize(&request.into())?, evaluated(None)?),
            };
            state.explanation(request, language, decision, found)
        })
    }
}

impl Snapshot {
    fn evaluated(
        &self,
        request: &Request,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Result<Evaluated, Error> {
        let query = self.evaluator().build_cedar_query(request, quota)?;
        Ok(match query {
            CedarQuery::Query(asked) => Evaluated {
                policies: self
                    .loaded
                    .rules()
                    .explain(&asked.request, &asked.entities)?,
                asked: Some(asked),
            },
            CedarQuery::Denied(_) => Evaluated {
                policies: Vec::new(),
                asked: None,
            },
        })
    }

    fn explanation(
        &self,
        request: &Request,
        language: Option<&str>,
        decision: Decision,
        Evaluated { policies, asked }: Evaluated,
    ) -> Result<Explanation, Error> {
        let rules = self.loaded.rules();
        let at = deciding_policy(&decision, &policies);
        let because = match (at.and_then(|at| policies.get(at)), &asked) {
            (Some(policy), Some(asked)) => Some(rules.deciding(asked, policy)?),
            _ => None,
        };
        let effect = if decision.allowed {
            PolicyEffect::Permit
        } else {
            PolicyEffect::Forbid
        };
        let also = policies
            .iter()
            .enumerate()
            .filter(|(index, policy)| {
                Some(*index) != at
                    && policy.outcome == PolicyStatus::Applied
                    && policy.effect == effect.as_str()
            })
            .map(|(_, policy)| self.further(policy, language))
            .collect();
        let is_unpermitted =
            because.is_none() && *decision.code == *AnswerCode::NotPermitted.as_str();
        let nearest = match &asked {
            Some(asked) if is_unpermitted => rules.nearest_permits(asked)?,
            _ => NearestPermits::default(),
        };
        let comment = because.as_ref().and_then(|because| because.comment.clone());
        let own = engine_words(&decision.code, request, because.is_some(), nearest.fit);
        let words = self
            .code_words(&decision.code, language)
            .or(comment)
            .or_else(|| own.clone())
            .unwrap_or_else(|| Arc::clone(&decision.code));
        let silent = silent_meter(&decision, because.as_ref());
        // The permits that came nearest say more than that no permit applies.
        let detail = silent.or(own);
        let detail = detail.filter(|detail| *detail != words && !nearest.fit);
        let advice_words = decision.advice.iter();
        let advice_words = advice_words
            .map(|word| {
                self.code_words(word, language)
                    .unwrap_or_else(|| word.clone())
            })
            .collect();
        Ok(Explanation {
            decision,
            words,
            detail,
            advice_words,
            because,
            also,
            nearest: nearest.permits,
            policies,
        })
    }

    /// Returns the words that the catalog has for a code, in the language if it has them.
    fn code_words(&self, code: &str, language: Option<&str>) -> Option<Arc<str>> {
        match &self.loaded.kind {
            PolicyEngine::Tenancy(bundle) => {
                let words = bundle.catalog.code_words();
                words.find(code, language).cloned()
            }
            PolicyEngine::Plain(_) => None,
        }
    }

    fn further(&self, policy: &PolicyExplanation, language: Option<&str>) -> FurtherPolicy {
        let code = policy.code.as_deref();
        FurtherPolicy {
            policy: Arc::clone(&policy.policy),
            effect: policy.effect,
            code: policy.code.clone(),
            words: code.and_then(|code| self.code_words(code, language)),
            place: policy.place.clone(),
            comment: policy.comment.clone(),
        }
    }
}

/// Returns that the account's package is silent about a meter, if the limit of 0 denied (L9).
fn silent_meter(decision: &Decision, because: Option<&DecidingPolicy>) -> Option<Arc<str>> {
    let read_limit = because.is_some_and(|because| {
        let mut facts = because.facts.iter();
        facts.any(|fact| fact.path == "context.facts.quota.account.limit")
    });
    let mut quotas = decision.counted.iter().flat_map(|counted| &counted.quota);
    let found = quotas.find(|quota| quota.source == LimitSource::None)?;
    let meter = &found.meter;
    (read_limit && !decision.allowed)
        .then(|| format!("the package is silent about `{meter}`, so the limit is 0").into())
}

/// Returns the place of the policy that gave the decision its code: the first permit that holds,
/// the first forbid with the code, or the policy whose failure denied.
fn deciding_policy(decision: &Decision, policies: &[PolicyExplanation]) -> Option<usize> {
    let find = |id: &str| policies.iter().position(|policy| *policy.policy == *id);
    if let Some(at) = decision.policies.first().and_then(|id| find(id)) {
        let policy = policies.get(at)?;
        let is_permit = policy.effect == PolicyEffect::Permit.as_str();
        let code = match &policy.code {
            Some(code) => code,
            None => AnswerCode::Forbidden.as_str(),
        };
        if is_permit == decision.allowed && (is_permit || *code == *decision.code) {
            return Some(at);
        }
    }
    let failed = *decision.code == *AnswerCode::PolicyError.as_str();
    let failure = decision.errors.first().filter(|_| failed)?;
    find(&failure.policy)
}

/// Returns words for a code of the engine. `has_policy` tells whether a policy decided, and
/// `permits_fit` whether a permit is for the types of the request.
fn engine_words(
    code: &str,
    request: &Request,
    has_policy: bool,
    permits_fit: bool,
) -> Option<Arc<str>> {
    let is = |known: AnswerCode| code == known.as_str();
    let resource = &request.resource;
    let words = if is(AnswerCode::PolicyError) {
        "a policy could not be evaluated on this request".to_owned()
    } else if has_policy {
        return None;
    } else if is(AnswerCode::PrincipalUnknown) {
        match &request.environment.actor {
            Some(actor) => {
                format!(
                    "the directory lacks the login {} or {actor}",
                    request.principal
                )
            }
            None => format!("the directory has no login {}", request.principal),
        }
    } else if is(AnswerCode::AccountUnknown) {
        match &resource.account {
            Some(account) => format!("the directory has no account `{account}`"),
            None => format!("the directory has no {}", resource.uid),
        }
    } else if is(AnswerCode::ResourceUnknown) {
        format!("the directory has no {}", resource.uid)
    } else if is(AnswerCode::QuotaExceeded) {
        "a meter has less left than the amount".to_owned()
    } else if is(AnswerCode::NotPermitted) && permits_fit {
        "no permit applies".to_owned()
    } else if is(AnswerCode::NotPermitted) {
        format!(
            "no policy permits `{}` to {} on {}",
            request.action.action_name(),
            with_article(request.principal.kind()),
            with_article(resource.uid.kind())
        )
    } else {
        return None;
    };
    Some(words.into())
}

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['A', 'E', 'I', 'O', 'U']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
}
