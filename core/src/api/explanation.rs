//! The explanation of a decision as data, and its long text.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::decision::Decision;

/// The status of one policy for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyStatus {
    /// The scope matched, and the conditions held.
    Applied,
    /// The scope does not match this principal, action or resource.
    OutOfScope,
    /// A condition did not hold.
    NotApplied,
    /// The policy could not be evaluated.
    Failed,
}

/// One condition of a policy, with its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConditionTrace {
    /// The number of the condition in the policy, from 1.
    pub number: usize,
    /// `when` or `unless`.
    pub kind: &'static str,
    /// The condition as Cedar text.
    pub text: String,
    /// The value of the expression, or `None` if the evaluation failed.
    pub value: Option<bool>,
    /// Whether the condition let the policy apply.
    pub held: bool,
    /// The first operand (joined by `&&`) that was false or failed, for a `when` that did not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Cedar's error message, if the evaluation failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A fact that a policy read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessedFact {
    /// The path of the fact, such as `principal.account` or `context.facts.host`.
    pub path: String,
    /// The value as Cedar text, or `None` if the fact is absent.
    pub value: Option<String>,
}

/// One policy of an [`Explanation`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyExplanation {
    /// The policy's id.
    pub policy: Arc<str>,
    /// `permit`, `forbid` or `warning`.
    pub effect: &'static str,
    /// The policy's `@code`.
    pub code: Option<Arc<str>>,
    /// The file and the line of the policy.
    pub place: Option<(Arc<str>, u32)>,
    /// The comment above the policy in its file.
    pub comment: Option<Arc<str>>,
    /// The status of the policy.
    pub outcome: PolicyStatus,
    /// The conditions, up to the first one that did not hold.
    pub clauses: Vec<ConditionTrace>,
    /// The number of the condition that kept the policy from applying.
    pub failed_clause: Option<usize>,
    /// The facts that the conditions read.
    pub facts: Vec<AccessedFact>,
}

/// The policy that decided, with what it read (E8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecidingPolicy {
    /// The policy's id.
    pub policy: Arc<str>,
    /// `permit` or `forbid`.
    pub effect: &'static str,
    /// The policy's `@code`.
    pub code: Option<Arc<str>>,
    /// The file and the line of the policy.
    pub place: Option<(Arc<str>, u32)>,
    /// The comment above the policy in its file.
    pub comment: Option<Arc<str>>,
    /// The facts that the conditions of this policy read.
    pub facts: Vec<AccessedFact>,
    /// The parts of the conditions that decided, as Cedar text behind `when` or `unless`. Parts
    /// that only test for presence or for the action are left out, if others remain.
    pub conditions: Vec<String>,
    /// Changes of facts in words, each a way in which this policy would not refuse. Ways that cannot
    /// be told in plain words are left out. Empty for a permit.
    pub changes: Vec<String>,
}

/// A further policy that gives the same answer (E8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FurtherPolicy {
    /// The policy's id.
    pub policy: Arc<str>,
    /// `permit` or `forbid`.
    pub effect: &'static str,
    /// The policy's `@code`.
    pub code: Option<Arc<str>>,
    /// The code in words, if the catalog has them.
    pub words: Option<Arc<str>>,
    /// The file and the line of the policy.
    pub place: Option<(Arc<str>, u32)>,
    /// The comment above the policy in its file.
    pub comment: Option<Arc<str>>,
}

/// A permit that did not apply, but came nearest (E8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NearestPermit {
    /// The policy's id.
    pub policy: Arc<str>,
    /// The file and the line of the policy.
    pub place: Option<(Arc<str>, u32)>,
    /// The comment above the policy in its file.
    pub comment: Option<Arc<str>>,
    /// The number of parts of its scope and conditions that do not hold.
    pub failed: usize,
    /// The first of these parts, as Cedar text.
    pub condition: String,
    /// Changes of facts in words, each a way in which this condition would hold. Ways that cannot be
    /// told in plain words are left out.
    pub changes: Vec<String>,
}

/// The reasons of a decision. [`Display`](fmt::Display) gives a text of at most 25 lines,
/// [`Explanation::verbose`] a text with every policy, and the fields have both as data (E8).
///
/// # Example: a denial in words
/// ```
/// use sublet::{Engine, Options, Request, Resource};
/// let engine = Engine::open(Options::default())?;
/// let campaign = Resource::new("Campaign", "spring").account("nobody");
/// let request = Request::new(("Account", "nobody"), "campaign.read", campaign);
/// let explanation = engine.explain(&request)?;
/// assert!(explanation.to_string().starts_with("denied: principal_unknown"));
/// # Ok::<(), sublet::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// The decision code in words: those of `codes` in the catalog, else the comment of the policy
    /// that decided, else the engine's own.
    pub words: Arc<str>,
    /// Details of this request: the login or account that is not known, or the meter about which
    /// the package is silent. They are in English.
    pub detail: Option<Arc<str>>,
    /// The advice of the decision in words: those of `codes` in the catalog, else the advice itself.
    pub advice_words: Vec<Arc<str>>,
    /// The policy that decided. `None` if no policy did, as for `not_permitted`.
    pub because: Option<DecidingPolicy>,
    /// The other policies that give the same answer, in gate order: for a denial those that refuse
    /// too, otherwise those that permit too.
    pub also: Vec<FurtherPolicy>,
    /// For `not_permitted` the permits that came nearest. If no permit is for the types of the
    /// request, they are permits of the action for other types.
    pub nearest: Vec<NearestPermit>,
    /// The policies that can apply to such a principal, action and resource, in gate order.
    pub policies: Vec<PolicyExplanation>,
}

impl Explanation {
    /// Returns a text with every policy that can apply, its outcome and the facts that it read.
    #[must_use]
    pub fn verbose(&self) -> String {
        let decision = &self.decision;
        let mut text = format!(
            "{}: {} (revision {}, bundle {})\n",
            decision.word(),
            decision.code,
            decision.revision,
            decision.bundle
        );
        for policy in &self.policies {
            text.push_str(&policy.to_string());
        }
        text
    }
}

impl fmt::Display for PolicyExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            PolicyStatus::Applied => "applied",
            PolicyStatus::OutOfScope => "is for others",
            PolicyStatus::NotApplied => "did not apply",
            PolicyStatus::Failed => "FAILED",
        };
        write!(f, "\n{} `{}` {outcome}", self.effect, self.policy)?;
        if let Some(code) = &self.code {
            write!(f, " [{code}]")?;
        }
        if let Some((file, line)) = &self.place {
            write!(f, "  {file}:{line}")?;
        }
        writeln!(f)?;
        if let Some(comment) = &self.comment {
            writeln!(f, "    {comment}")?;
        }
        for clause in self.clauses.iter().filter(|clause| !clause.held) {
            writeln!(
                f,
                "    clause {} ({}): {}",
                clause.number, clause.kind, clause.text
            )?;
            if let Some(part) = &clause.because {
                writeln!(f, "      does not hold: {part}")?;
            }
            if let Some(error) = &clause.error {
                writeln!(f, "      failed: {error}")?;
            }
        }
        for fact in &self.facts {
            writeln!(
                f,
                "    {} = {}",
                fact.path,
                fact.value.as_deref().unwrap_or("(absent)")
            )?;
        }
        Ok(())
    }
}
