//! Explains why each policy did or did not apply to a request: its scope, its conditions one by
//! one, and the facts that they read.

use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::pst::{self, BinaryOp, Clause as PstClause, Expr};
use cedar_policy::{Entities, EvalResult, Expression, Policy, PolicyId, Request, eval_expression};

use super::accessed_paths::accessed_paths;
use super::policy_list::{PolicyList, PolicyMeta};
use crate::api::decision::{AccessedFact, ConditionTrace, PolicyExplanation, PolicyStatus};
use crate::compiler::link_template;
use crate::util::error::Error;
use crate::util::stack;

struct ExplainRequest<'a> {
    request: &'a Request,
    entities: &'a Entities,
}

impl ExplainRequest<'_> {
    fn ask(&self, text: &str) -> Result<EvalResult, String> {
        let expression = Expression::from_str(text).map_err(|error| error.to_string())?;
        eval_expression(self.request, self.entities, &expression).map_err(|error| error.to_string())
    }

    fn holds(&self, text: &str) -> Result<bool, String> {
        match self.ask(text)? {
            EvalResult::Bool(value) => Ok(value),
            other => Err(format!("type error: expected bool, got `{other}`")),
        }
    }
}

impl PolicyList {
    /// Explains every policy that could apply to the request's types and action, in gate order.
    pub(crate) fn explain(
        &self,
        request: &Request,
        entities: &Entities,
    ) -> Result<Vec<PolicyExplanation>, Error> {
        stack::run(self.depth, || {
            let question = ExplainRequest { request, entities };
            let mut found = Vec::new();
            for rule in &self.list {
                let Some(policy) = self.set.policy(&PolicyId::new(&rule.id)) else {
                    continue;
                };
                if let Some(explanation) = explain(&question, rule, policy) {
                    found.push(explanation);
                }
            }
            Ok(found)
        })
    }
}

fn explain(
    question: &ExplainRequest<'_>,
    rule: &PolicyMeta,
    policy: &Policy,
) -> Option<PolicyExplanation> {
    let tree = match policy.to_pst() {
        Ok(tree) => tree,
        Err(error) => return Some(failed(rule, error.to_string())),
    };
    let body = link_template(&tree)?;
    let scope = PolicyScope::from_template(&body);
    if !scope.could_apply(question) {
        return None;
    }
    let mut explanation = without_clauses(rule, PolicyStatus::Applied);
    if !scope
        .texts
        .iter()
        .all(|text| question.holds(text) == Ok(true))
    {
        explanation.outcome = PolicyStatus::OutOfScope;
        return Some(explanation);
    }
    for (at, condition) in body.clauses().iter().enumerate() {
        let clause = clause(question, at.saturating_add(1), condition);
        explanation
            .facts
            .extend(facts(question, condition, &explanation.facts));
        let (held, failed) = (clause.held, clause.error.is_some());
        explanation.clauses.push(clause);
        if !held {
            explanation.outcome = if failed {
                PolicyStatus::Failed
            } else {
                PolicyStatus::NotApplied
            };
            explanation.failed_clause = Some(at.saturating_add(1));
            break;
        }
    }
    Some(explanation)
}

fn without_clauses(rule: &PolicyMeta, outcome: PolicyStatus) -> PolicyExplanation {
    PolicyExplanation {
        policy: Arc::clone(&rule.id),
        effect: rule.role.as_str(),
        code: rule.code.clone(),
        place: rule.place.clone(),
        outcome,
        clauses: Vec::new(),
        failed_clause: None,
        facts: Vec::new(),
    }
}

fn failed(rule: &PolicyMeta, error: String) -> PolicyExplanation {
    let clause = ConditionTrace {
        number: 1,
        kind: "when",
        text: String::new(),
        value: None,
        held: false,
        because: None,
        error: Some(error),
    };
    PolicyExplanation {
        clauses: vec![clause],
        failed_clause: Some(1),
        ..without_clauses(rule, PolicyStatus::Failed)
    }
}

/// A policy's scope as Cedar expressions, and the types to which it is limited.
struct PolicyScope {
    texts: Vec<String>,
    action: String,
    principal_type: Option<String>,
    resource_type: Option<String>,
}

impl PolicyScope {
    fn from_template(body: &pst::Template) -> Self {
        use pst::{ActionConstraint, PrincipalConstraint as P, ResourceConstraint as R};
        let (principal, principal_type) = match &body.principal {
            P::Any => (None, None),
            P::Eq(uid) => (Some(format!("principal == {uid}")), kind(uid)),
            P::In(uid) => (Some(format!("principal in {uid}")), None),
            P::Is(ty) => (Some(format!("principal is {ty}")), Some(ty.to_string())),
            P::IsIn(ty, uid) => (
                Some(format!("principal is {ty} in {uid}")),
                Some(ty.to_string()),
            ),
        };
        let (resource, resource_type) = match &body.resource {
            R::Any => (None, None),
            R::Eq(uid) => (Some(format!("resource == {uid}")), kind(uid)),
            R::In(uid) => (Some(format!("resource in {uid}")), None),
            R::Is(ty) => (Some(format!("resource is {ty}")), Some(ty.to_string())),
            R::IsIn(ty, uid) => (
                Some(format!("resource is {ty} in {uid}")),
                Some(ty.to_string()),
            ),
        };
        let action = match &body.action {
            ActionConstraint::Any => "true".to_owned(),
            ActionConstraint::Eq(uid) => format!("action == {uid}"),
            ActionConstraint::In(uids) => format!(
                "action in [{}]",
                uids.iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        };
        Self {
            texts: principal.into_iter().chain(resource).collect(),
            action,
            principal_type,
            resource_type,
        }
    }

    fn could_apply(&self, question: &ExplainRequest<'_>) -> bool {
        let fits =
            |wanted: &Option<String>, uid: Option<&cedar_policy::EntityUid>| match (wanted, uid) {
                (Some(wanted), Some(uid)) => *wanted == uid.type_name().to_string(),
                _ => true,
            };
        fits(&self.principal_type, question.request.principal())
            && fits(&self.resource_type, question.request.resource())
            && question.holds(&self.action) == Ok(true)
    }
}

fn kind(uid: &pst::EntityOrSlot) -> Option<String> {
    match uid {
        pst::EntityOrSlot::Entity(uid) => Some(uid.ty.to_string()),
        pst::EntityOrSlot::Slot(_) => None,
    }
}

fn clause(question: &ExplainRequest<'_>, number: usize, condition: &PstClause) -> ConditionTrace {
    let (kind, expr, wanted) = match condition {
        PstClause::When(expr) => ("when", expr, true),
        PstClause::Unless(expr) => ("unless", expr, false),
    };
    let text = expr.to_string();
    let answer = question.holds(&text);
    let held = answer == Ok(wanted);
    let because = if held || !wanted {
        None
    } else {
        first_false(question, expr)
    };
    ConditionTrace {
        number,
        kind,
        text,
        value: answer.clone().ok(),
        held,
        because,
        error: answer.err(),
    }
}

/// Returns the first part joined by `&&` that is not true, or `None` if there is only one part.
fn first_false(question: &ExplainRequest<'_>, expr: &Expr) -> Option<String> {
    let mut parts = Vec::new();
    let mut rest = expr;
    while let Expr::BinaryOp {
        op: BinaryOp::And,
        left,
        right,
    } = rest
    {
        parts.push(right.as_ref());
        rest = left.as_ref();
    }
    parts.push(rest);
    if parts.len() == 1 {
        return None;
    }
    parts
        .iter()
        .rev()
        .map(ToString::to_string)
        .find(|text| question.holds(text) != Ok(true))
}

fn facts(
    question: &ExplainRequest<'_>,
    condition: &PstClause,
    known: &[AccessedFact],
) -> Vec<AccessedFact> {
    let (PstClause::When(expr) | PstClause::Unless(expr)) = condition;
    let fresh = accessed_paths(expr)
        .into_iter()
        .filter(|path| known.iter().all(|fact| fact.path != *path));
    fresh
        .map(|path| AccessedFact {
            value: question
                .ask(&path)
                .ok()
                .map(|value| crate::util::text::short(&value.to_string())),
            path,
        })
        .collect()
}
