//! The reasons of one decision: the policy that decided, and the permits that came nearest (E8).

use cedar_policy::PolicyId;
use cedar_policy::pst::{self, Clause, Expr};

use super::changes::{is_guard, is_presence, reads_only_action};
use super::{ExplainRequest, ExplainedPolicy, PolicyCondition, PolicyList, conjuncts};
use crate::api::explanation::{DecidingPolicy, NearestPermit, PolicyExplanation, PolicyStatus};
use crate::cedar::policy_list::PolicyEffect;
use crate::cedar::request::CedarRequest;
use crate::util::error::Error;
use crate::util::stack;

/// The permits that came nearest, and whether they are for the types of the request.
#[derive(Debug, Default)]
pub(crate) struct NearestPermits {
    pub(crate) permits: Vec<NearestPermit>,
    pub(crate) fit: bool,
}

impl PolicyList {
    /// Returns the reasons of the policy that decided.
    pub(crate) fn deciding(
        &self,
        asked: &CedarRequest,
        found: &PolicyExplanation,
    ) -> Result<DecidingPolicy, Error> {
        stack::run(self.depth, || {
            let question = asked.to_question();
            let at = self.position.get(&PolicyId::new(&found.policy));
            let tree = at.and_then(|at| self.tree(*at)).and_then(Result::ok);
            let clauses: Vec<&Clause> = tree.iter().flat_map(pst::Template::clauses).collect();
            let (conditions, changes) = if found.outcome == PolicyStatus::Failed {
                let texts = found.clauses.iter().filter(|clause| !clause.held);
                let texts = texts.map(|clause| format!("{} {}", clause.kind, clause.text));
                (texts.collect(), Vec::new())
            } else if found.effect == PolicyEffect::Permit.as_str() {
                (conditions(&clauses), Vec::new())
            } else {
                (conditions(&clauses), question.changes_of_forbid(&clauses))
            };
            Ok(DecidingPolicy {
                policy: found.policy.clone(),
                effect: found.effect,
                code: found.code.clone(),
                place: found.place.clone(),
                comment: found.comment.clone(),
                facts: found.facts.clone(),
                conditions,
                changes,
            })
        })
    }

    /// Returns the permits of the request's action that fit its types and have the fewest failed
    /// parts. If no permit fits the types, returns the permits of the action for other types.
    pub(crate) fn nearest_permits(&self, asked: &CedarRequest) -> Result<NearestPermits, Error> {
        stack::run(self.depth, || {
            let question = asked.to_question();
            let (mut fitting, mut others) = (Vec::new(), Vec::new());
            for policy in self.in_parts_once().iter() {
                let Some(rule) = self.list.get(policy.at) else {
                    continue;
                };
                let Ok(scope) = &policy.scope else { continue };
                if rule.role != PolicyEffect::Permit || !scope.is_for_action(&question) {
                    continue;
                }
                let permit = |failed, condition, changes| NearestPermit {
                    policy: rule.id.clone(),
                    place: rule.place.clone(),
                    comment: rule.comment.clone(),
                    failed,
                    condition,
                    changes,
                };
                match scope.misfit(&question) {
                    Some(misfit) => others.push(permit(1, misfit, Vec::new())),
                    None => {
                        if let Some((failed, condition, changes)) = self.misses(&question, policy) {
                            fitting.push(permit(failed, condition, changes));
                        }
                    }
                }
            }
            let fit = !fitting.is_empty();
            let mut permits = if fit { fitting } else { others };
            let fewest = permits.iter().map(|permit| permit.failed).min();
            permits.retain(|permit| Some(permit.failed) == fewest);
            Ok(NearestPermits { permits, fit })
        })
    }

    /// Returns the number of parts of a permit that do not hold, the first of them, and what would
    /// have to change. Returns `None` if all hold.
    fn misses(
        &self,
        question: &ExplainRequest<'_>,
        policy: &ExplainedPolicy,
    ) -> Option<(usize, String, Vec<String>)> {
        let scope = policy.scope.as_ref().ok()?;
        let mut failed: Vec<String> = scope
            .parts
            .iter()
            .filter(|part| question.holds(part) != Ok(true))
            .map(|part| part.text.clone())
            .collect();
        let in_scope = failed.len();
        for condition in self.conditions(policy) {
            failed.extend(condition.failed(question));
        }
        let first = failed.first()?.clone();
        let changes = if in_scope == 0 {
            let tree = self.tree(policy.at).and_then(Result::ok);
            tree.iter()
                .flat_map(pst::Template::clauses)
                .map(|clause| match clause {
                    Clause::When(expr) => (expr, true),
                    Clause::Unless(expr) => (expr, false),
                })
                .find(|(expr, wanted)| question.value(expr) != Some(*wanted))
                .map(|(expr, wanted)| question.changes(expr, wanted))
                .unwrap_or_default()
        } else {
            Vec::new()
        };
        Some((failed.len(), first, changes))
    }
}

impl CedarRequest {
    fn to_question(&self) -> ExplainRequest<'_> {
        ExplainRequest {
            request: &self.request,
            entities: &self.entities,
        }
    }
}

impl PolicyCondition {
    /// Returns the parts of this condition that do not hold, as Cedar text.
    fn failed(&self, question: &ExplainRequest<'_>) -> Vec<String> {
        if question.holds(&self.whole) == Ok(self.wanted) {
            return Vec::new();
        }
        if !self.wanted {
            return vec![format!("unless {}", self.whole.text)];
        }
        if self.joined.is_empty() {
            return vec![self.whole.text.clone()];
        }
        let failed = self.joined.iter();
        failed
            .filter(|part| question.holds(part) != Ok(true))
            .map(|part| part.text.clone())
            .collect()
    }
}

impl ExplainRequest<'_> {
    /// Returns changes in words, each a way in which a forbid with these conditions would not apply.
    fn changes_of_forbid(&self, clauses: &[&Clause]) -> Vec<String> {
        let mut wanted: Vec<&Expr> = clauses
            .iter()
            .filter_map(|clause| match clause {
                Clause::When(expr) => Some(conjuncts(expr)),
                Clause::Unless(_) => None,
            })
            .flatten()
            .collect();
        // Guards mostly stand first, and the part that decides stands last.
        wanted.reverse();
        // So does a boolean fact, such as `resource.closed`, if an `unless` has the remedy.
        let guards =
            (wanted.iter()).all(|part| is_guard(part) || matches!(part, Expr::GetAttr { .. }));
        let (mut of_unless, mut of_presence) = (Vec::new(), Vec::new());
        for clause in clauses {
            let Clause::Unless(expr) = clause else {
                continue;
            };
            let mut parts = conjuncts(expr).into_iter();
            let is_guard = parts.all(|part| is_presence(part) || reads_only_action(part));
            let changes = self.changes(expr, true);
            if is_guard {
                of_presence.extend(changes);
            } else {
                of_unless.extend(changes);
            }
        }
        // A condition that only guards an `unless` need not change.
        if !guards || of_unless.is_empty() {
            let mut changes = self.any(&wanted, false);
            changes.extend(of_unless);
            of_unless = changes;
        }
        // An exception for requests with another fact, such as an actor, is mostly no remedy.
        if of_unless.is_empty() {
            return of_presence;
        }
        of_unless
    }
}

/// Returns the parts of conditions as Cedar text. Leaves out parts that only test for presence or
/// for the action, if others remain.
fn conditions(clauses: &[&Clause]) -> Vec<String> {
    let mut parts: Vec<(bool, String)> = Vec::new();
    for clause in clauses {
        match clause {
            Clause::When(expr) => parts.extend(conjuncts(expr).into_iter().map(|part| {
                (
                    is_presence(part) || reads_only_action(part),
                    format!("when {part}"),
                )
            })),
            Clause::Unless(expr) => {
                parts.push((reads_only_action(expr), format!("unless {expr}")));
            }
        }
    }
    let others = parts.iter().any(|(is_guard, _)| !is_guard);
    parts
        .into_iter()
        .filter(|(is_guard, _)| !is_guard || !others)
        .map(|(_, text)| text)
        .collect()
}
