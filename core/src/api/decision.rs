//! What a caller gets back.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::quota::CountReceipt;
use crate::model::reference::EntityRef;
use crate::util::error::Diagnostic;

/// A policy that could not be evaluated on a request (E2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFailure {
    /// The policy's id.
    pub policy: Arc<str>,
    /// Cedar's words.
    pub message: String,
}

/// One answer. It is made from one version of policies and directory, and names them (E3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether it is allowed.
    pub allowed: bool,
    /// `ok`, or why not: the stable code of the first gate that refused.
    pub code: Arc<str>,
    /// The determining policies, in gate order.
    pub policies: Arc<[Arc<str>]>,
    /// What the determining policies advise (`@advice`), and the warnings of what is allowed
    /// (`@warns`), each once.
    pub advice: Vec<Arc<str>>,
    /// The policies that erred; if there is one, the answer is no.
    pub errors: Vec<PolicyFailure>,
    /// Who acts as the principal, if somebody does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actor: Option<Arc<EntityRef>>,
    /// The principal, where somebody acts as it: so that both identities are in the answer (A1).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<Arc<EntityRef>>,
    /// The directory's revision.
    pub revision: u64,
    /// The fingerprint of the policies.
    pub bundle: Arc<str>,
    /// What was counted, or would be: where the action is metered and an amount was asked for.
    #[serde(flatten, skip_serializing_if = "Option::is_none", default)]
    pub counted: Option<Box<CountReceipt>>,
}

/// May this login come in at this host?
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Login {
    /// Whether the login may go on to prove itself.
    pub allowed: bool,
    /// What the outside may be told: `ok`, or `login_refused` whatever the reason (D7).
    pub public_code: Arc<str>,
    /// The precise code, for the caller's log only.
    pub log_code: Arc<str>,
    /// Whom to check the password of, also where the login is refused. Never one of a realm that
    /// this host does not serve.
    pub principal: Option<EntityRef>,
    /// The decision on the login action, if a principal was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// At which hosts may this login come in?
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoginHosts {
    /// `ok`, or precisely why this login may not come in at the host that was named.
    pub code: Arc<str>,
    /// Names of verified domains at which this login may come in, in order. Those of one page.
    pub hosts: Vec<Arc<str>>,
    /// The `after` of the next page, if there is one. A page may have fewer hosts than the next, or
    /// none.
    pub next: Option<Arc<str>>,
    /// The decision behind the code.
    pub decision: Decision,
}

/// Who resolves a support ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TicketRoute {
    /// `owner`, `platform`, or nobody: then `code` says why.
    pub desk: Option<Arc<str>>,
    /// The account whose desk it is, when it is an owner's.
    pub account: Option<Arc<str>>,
    /// `ok`, or the code of the last desk's refusal.
    pub code: Arc<str>,
    /// The decision on the desk that takes the ticket, or on the last that refused.
    pub decision: Decision,
}

/// Where a support ticket goes, at opening and at each reply (T1 to T4). The host keeps the ticket;
/// nothing here is an address (B1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TicketOutcome {
    /// `owner`, `platform`, or nobody: then `code` says why.
    pub desk: Option<Arc<str>>,
    /// The account whose desk it is, when it is an owner's.
    pub account: Option<Arc<str>>,
    /// The account whose ticket it is: of the login that opened it, or, escalated, that of the
    /// owner.
    pub of: Option<Arc<str>>,
    /// Under whose name a client is answered: its owner's, whoever resolves the ticket (T2).
    pub on_behalf_of: Option<Arc<str>>,
    /// The client's ticket that this one was escalated from, by its id only.
    pub linked: Option<Arc<str>>,
    /// Whether the ticket said another desk than this one (T3).
    pub rerouted: bool,
    /// `ok`, or why it was refused.
    pub code: Arc<str>,
    /// The decision on what was asked: to open, to reply, to escalate; where no desk takes the
    /// ticket, on the last desk.
    pub decision: Decision,
}

/// How a policy stood to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyStatus {
    /// Scope and conditions held.
    Applied,
    /// The scope names others than this principal, action or resource.
    OutOfScope,
    /// A condition did not hold.
    NotApplied,
    /// It could not be evaluated.
    Failed,
}

/// One condition of a policy, evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConditionTrace {
    /// Its number in the policy, from 1.
    pub number: usize,
    /// `when` or `unless`.
    pub kind: &'static str,
    /// The condition as Cedar.
    pub text: String,
    /// `Some` value of the expression; `None` when it failed.
    pub value: Option<bool>,
    /// Whether it let the policy apply.
    pub held: bool,
    /// The first part of it (joined by `&&`) that was false or failed, for a `when` that did not
    /// hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Cedar's words when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A fact that a policy read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessedFact {
    /// Where it was read: `principal.account`, `context.facts.host`.
    pub path: String,
    /// Its value as Cedar, or nothing when it is absent.
    pub value: Option<String>,
}

/// One policy of an [`Explanation`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyExplanation {
    /// The policy's id.
    pub policy: Arc<str>,
    /// `permit`, `forbid` or `warning`.
    pub effect: &'static str,
    /// Its `@code`.
    pub code: Option<Arc<str>>,
    /// File and line.
    pub place: Option<(Arc<str>, u32)>,
    /// How it stood.
    pub outcome: PolicyStatus,
    /// Its conditions up to the one that failed.
    pub clauses: Vec<ConditionTrace>,
    /// The number of the condition that kept it from applying.
    pub failed_clause: Option<usize>,
    /// The facts that its conditions read.
    pub facts: Vec<AccessedFact>,
}

/// Why an answer is what it is: readable (`Display`) and as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The answer.
    pub decision: Decision,
    /// The policies that could apply to such a principal, action and resource, in gate order.
    pub policies: Vec<PolicyExplanation>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.decision.allowed {
            "allowed"
        } else {
            "denied"
        };
        writeln!(
            f,
            "{word}: {} (revision {}, bundle {})",
            self.decision.code, self.decision.revision, self.decision.bundle
        )?;
        for policy in &self.policies {
            policy.fmt(f)?;
        }
        Ok(())
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

/// What is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BundleInfo {
    /// Fingerprint of the texts.
    pub fingerprint: Arc<str>,
    /// Whether it has the tenancy kernel.
    pub tenancy: bool,
    /// Policy ids in gate order, with effect, code, file and line.
    pub policies: Vec<PolicyInfo>,
    /// The actions that can be asked.
    pub actions: Vec<Arc<str>>,
    /// Features in words.
    pub features: Vec<(Arc<str>, Arc<str>)>,
    /// Every code that an answer of this bundle can carry: in `code`, `public_code` and `log_code`,
    /// and the words of `advice`.
    pub codes: Vec<Arc<str>>,
    /// Policies that refuse less where a request leaves something out: `bundle.left_out`, each with
    /// its place.
    pub warnings: Vec<Diagnostic>,
    /// The policies that are not compiled and so answered by Cedar itself, slower, each with why.
    pub fallback: Vec<InterpretedPolicy>,
}

/// A policy that Cedar itself answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InterpretedPolicy {
    /// The policy's id.
    pub policy: Arc<str>,
    /// The limit that it passes.
    pub why: Arc<str>,
}

/// One policy of a [`BundleInfo`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyInfo {
    /// The policy's id.
    pub id: Arc<str>,
    /// `permit` or `forbid`.
    pub effect: &'static str,
    /// Its `@code`.
    pub code: Option<Arc<str>>,
    /// File and line.
    pub place: Option<(Arc<str>, u32)>,
}
