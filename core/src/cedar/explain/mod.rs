//! Explains why each policy did or did not apply to a request: its scope, its conditions one by
//! one, and the facts that they read.

mod changes;
pub(crate) mod reasons;
mod scope;

use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::pst::{self, BinaryOp, Clause, Expr};
use cedar_policy::{Entities, EvalResult, Expression, PolicyId, Request, eval_expression};
use once_cell::race::OnceBox;

use self::scope::PolicyScope;
use super::accessed_paths::accessed_paths;
use super::policy_list::{PolicyList, PolicyMeta};
use crate::api::explanation::{AccessedFact, ConditionTrace, PolicyExplanation, PolicyStatus};
use crate::compiler::link_template;
use crate::util::error::Error;
use crate::util::stack::{self, DeepValue};

/// The request that is explained.
struct ExplainRequest<'a> {
    request: &'a Request,
    entities: &'a Entities,
}

impl ExplainRequest<'_> {
    fn ask(&self, part: &PolicyPart) -> Result<EvalResult, String> {
        let expression = part.expression.as_ref().map_err(Clone::clone)?;
        eval_expression(self.request, self.entities, expression).map_err(|error| error.to_string())
    }

    fn holds(&self, part: &PolicyPart) -> Result<bool, String> {
        match self.ask(part)? {
            EvalResult::Bool(value) => Ok(value),
            other => Err(format!("type error: expected bool, got `{other}`")),
        }
    }
}

/// The policies in the parts that explanations evaluate. Cedar parses each part once, at the first
/// explanation that needs it.
#[derive(Debug, Default)]
pub(crate) struct ExplainedPolicies(OnceBox<DeepValue<Vec<ExplainedPolicy>>>);

/// A policy in parts.
#[derive(Debug)]
struct ExplainedPolicy {
    /// The policy's place in the list.
    at: usize,
    /// The scope, or the reason why the policy cannot be read.
    scope: Result<PolicyScope, String>,
    conditions: OnceBox<Vec<PolicyCondition>>,
}

/// A part of a policy as a Cedar expression.
#[derive(Debug)]
struct PolicyPart {
    text: String,
    expression: Result<Expression, String>,
}

impl PolicyPart {
    fn new(text: String) -> Self {
        let expression = Expression::from_str(&text).map_err(|error| error.to_string());
        Self { text, expression }
    }
}

/// One `when` or `unless` of a policy.
#[derive(Debug)]
struct PolicyCondition {
    kind: &'static str,
    /// The value with which the condition holds.
    wanted: bool,
    whole: PolicyPart,
    /// The parts that `&&` joins, in the order of the text. Empty if there is only one.
    joined: Vec<PolicyPart>,
    /// The facts that the condition reads.
    facts: Vec<PolicyPart>,
}

impl PolicyCondition {
    fn new(condition: &Clause) -> Self {
        let (kind, expr, wanted) = match condition {
            Clause::When(expr) => ("when", expr, true),
            Clause::Unless(expr) => ("unless", expr, false),
        };
        Self {
            kind,
            wanted,
            whole: PolicyPart::new(expr.to_string()),
            joined: if wanted { joined(expr) } else { Vec::new() },
            facts: accessed_paths(expr)
                .into_iter()
                .map(PolicyPart::new)
                .collect(),
        }
    }

    /// Evaluates the condition.
    fn trace(&self, question: &ExplainRequest<'_>, number: usize) -> ConditionTrace {
        let answer = question.holds(&self.whole);
        let held = answer == Ok(self.wanted);
        let first_false = || {
            let mut parts = self.joined.iter();
            parts.find(|part| question.holds(part) != Ok(true))
        };
        let because = if held { None } else { first_false() };
        ConditionTrace {
            number,
            kind: self.kind,
            text: self.whole.text.clone(),
            value: answer.clone().ok(),
            held,
            because: because.map(|part| part.text.clone()),
            error: answer.err(),
        }
    }

    /// Returns the facts that the condition reads, without those that are known.
    fn read_facts(
        &self,
        question: &ExplainRequest<'_>,
        known: &[AccessedFact],
    ) -> Vec<AccessedFact> {
        let fresh = self
            .facts
            .iter()
            .filter(|part| known.iter().all(|fact| fact.path != part.text));
        fresh
            .map(|part| AccessedFact {
                path: part.text.clone(),
                value: question
                    .ask(part)
                    .ok()
                    .map(|value| crate::util::text::short(&value.to_string())),
            })
            .collect()
    }
}

/// Returns the parts that `&&` joins. Returns nothing if there is only one part.
fn joined(expr: &Expr) -> Vec<PolicyPart> {
    let parts = conjuncts(expr);
    if parts.len() < 2 {
        return Vec::new();
    }
    parts
        .iter()
        .map(|part| PolicyPart::new(part.to_string()))
        .collect()
}

/// Returns the parts that `&&` joins, in the order of the text. It is the whole if there is no
/// `&&`.
fn conjuncts(expr: &Expr) -> Vec<&Expr> {
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
    parts.reverse();
    parts
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
            Ok(self
                .in_parts_once()
                .iter()
                .filter_map(|policy| self.explain_policy(&question, policy))
                .collect())
        })
    }

    /// Returns the policies in parts, which are made at the first call.
    fn in_parts_once(&self) -> &DeepValue<Vec<ExplainedPolicy>> {
        let make = || Box::new(DeepValue::new(self.in_parts(), self.depth));
        self.explained.0.get_or_init(make)
    }

    /// Returns the conditions of a policy, which are parsed at the first call.
    fn conditions<'a>(&self, policy: &'a ExplainedPolicy) -> &'a [PolicyCondition] {
        policy.conditions.get_or_init(|| {
            let tree = self.tree(policy.at).and_then(Result::ok);
            let conditions = tree.iter().flat_map(pst::Template::clauses);
            Box::new(conditions.map(PolicyCondition::new).collect())
        })
    }

    /// Returns the policies in parts, without their conditions.
    fn in_parts(&self) -> Vec<ExplainedPolicy> {
        let mut policies = Vec::new();
        for at in 0..self.list.len() {
            let scope = match self.tree(at) {
                Some(Ok(tree)) => Ok(PolicyScope::from_template(&tree)),
                Some(Err(error)) => Err(error),
                None => continue,
            };
            policies.push(ExplainedPolicy {
                at,
                scope,
                conditions: OnceBox::new(),
            });
        }
        policies
    }

    /// Returns the syntax tree of the policy at a place, or the reason why it has none.
    fn tree(&self, at: usize) -> Option<Result<pst::Template, String>> {
        let policy = self.set.policy(&PolicyId::new(&self.list.get(at)?.id))?;
        match policy.to_pst() {
            Ok(tree) => link_template(&tree).map(Ok),
            Err(error) => Some(Err(error.to_string())),
        }
    }

    fn explain_policy(
        &self,
        question: &ExplainRequest<'_>,
        policy: &ExplainedPolicy,
    ) -> Option<PolicyExplanation> {
        let rule = self.list.get(policy.at)?;
        let scope = match &policy.scope {
            Ok(scope) => scope,
            Err(error) => return Some(failed(rule, error.clone())),
        };
        if !scope.could_apply(question) {
            return None;
        }
        let mut explanation = without_clauses(rule, PolicyStatus::Applied);
        if !scope
            .parts
            .iter()
            .all(|part| question.holds(part) == Ok(true))
        {
            explanation.outcome = PolicyStatus::OutOfScope;
            return Some(explanation);
        }
        for (number, condition) in (1..).zip(self.conditions(policy)) {
            let clause = condition.trace(question, number);
            let facts = condition.read_facts(question, &explanation.facts);
            explanation.facts.extend(facts);
            let (held, failed) = (clause.held, clause.error.is_some());
            explanation.clauses.push(clause);
            if !held {
                explanation.outcome = if failed {
                    PolicyStatus::Failed
                } else {
                    PolicyStatus::NotApplied
                };
                explanation.failed_clause = Some(number);
                break;
            }
        }
        Some(explanation)
    }
}

fn without_clauses(rule: &PolicyMeta, outcome: PolicyStatus) -> PolicyExplanation {
    PolicyExplanation {
        policy: Arc::clone(&rule.id),
        effect: rule.role.as_str(),
        code: rule.code.clone(),
        place: rule.place.clone(),
        comment: rule.comment.clone(),
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
