//! Results that a call returns: decisions, logins, ticket routes and bundle information.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::quota::CountReceipt;
use crate::model::fingerprint::Fingerprint;
use crate::model::reference::EntityRef;
use crate::util::error::Diagnostic;

/// A policy that could not be evaluated on a request (E2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFailure {
    /// The policy's id.
    pub policy: Arc<str>,
    /// Cedar's error message.
    pub message: String,
}

/// The answer of the policies to a request. All decisions that a cached answer gives share it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyAnswer {
    /// Whether the request is allowed.
    pub allowed: bool,
    /// `ok`, or the stable code of the first gate that refused.
    pub code: Arc<str>,
    /// The determining policies, in gate order.
    pub policies: Arc<[Arc<str>]>,
    /// The advice of the determining policies (`@advice`), and the warnings of an allowed request
    /// (`@warns`), each once.
    pub advice: Vec<Arc<str>>,
}

/// The answer to a request. It comes from one version of the policies and of the directory, and
/// names both (E3).
///
/// The fields of its [`PolicyAnswer`] are read as its own: `decision.allowed`, `decision.code`,
/// `decision.policies` and `decision.advice`.
///
/// # Example: an unknown login is denied
/// ```
/// use sublet::{Engine, Options, RequestRef};
/// let engine = Engine::open(Options::default())?;
/// let request = RequestRef::new(("Account", "nobody"), "campaign.read", ("Campaign", "spring"));
/// let decision = engine.authorize(request)?;
/// assert_eq!((decision.allowed, &*decision.code), (false, "principal_unknown"));
/// # Ok::<(), sublet::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The answer of the policies.
    #[serde(flatten)]
    pub answer: Arc<PolicyAnswer>,
    /// The policies that failed. If there is one, the request is denied.
    pub errors: Vec<PolicyFailure>,
    /// The login that acts as the principal, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actor: Option<Arc<EntityRef>>,
    /// The principal, if an actor acts as the principal. So the decision names both identities
    /// (A1).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<Arc<EntityRef>>,
    /// The directory's revision.
    pub revision: u64,
    /// The fingerprint of the policies.
    pub bundle: Fingerprint,
    /// The counts that changed, or would change. Set if the action is metered and the request has
    /// an amount.
    #[serde(flatten, skip_serializing_if = "Option::is_none", default)]
    pub counted: Option<Box<CountReceipt>>,
}

impl Deref for Decision {
    type Target = PolicyAnswer;

    #[inline]
    fn deref(&self) -> &PolicyAnswer {
        &self.answer
    }
}

impl Decision {
    /// Returns the allow bit as a word for people.
    pub(crate) fn word(&self) -> &'static str {
        if self.allowed { "allowed" } else { "denied" }
    }
}

/// A decision without errors, for a login that acts for itself. It has half the size of a
/// [`Decision`].
#[derive(Debug, Clone)]
pub(crate) struct PlainDecision {
    pub(crate) answer: Arc<PolicyAnswer>,
    pub(crate) revision: u64,
    pub(crate) bundle: Fingerprint,
    pub(crate) counted: Option<Box<CountReceipt>>,
}

impl From<PlainDecision> for Decision {
    #[inline(always)]
    fn from(plain: PlainDecision) -> Self {
        Self {
            answer: plain.answer,
            errors: Vec::new(),
            actor: None,
            subject: None,
            revision: plain.revision,
            bundle: plain.bundle,
            counted: plain.counted,
        }
    }
}

/// A decision on its way out of a transaction and of the guard against panics. It is cheap to move,
/// so the [`Decision`] is built after that.
pub(crate) enum CompactDecision {
    Plain(PlainDecision),
    Whole(Box<Decision>),
}

impl From<CompactDecision> for Decision {
    #[inline(always)]
    fn from(compact: CompactDecision) -> Self {
        match compact {
            CompactDecision::Plain(plain) => plain.into(),
            CompactDecision::Whole(decision) => *decision,
        }
    }
}

/// The answer to a login request: whether this login may log in at this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Login {
    /// Whether the login may continue to authenticate.
    pub allowed: bool,
    /// The code that may be shown to the outside: `ok`, or `login_refused` for every refusal (D7).
    pub public_code: Arc<str>,
    /// The precise code, only for the caller's log.
    pub log_code: Arc<str>,
    /// The login whose password the caller checks, also if the login is refused. Never a login of a
    /// realm that this host does not serve.
    pub principal: Option<EntityRef>,
    /// The decision on the login action, if a principal was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// One page of the hosts at which a login may log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoginHosts {
    /// `ok`, or the precise code for which the login is refused at the given host.
    pub code: Arc<str>,
    /// Names of the verified domains of this page at which the login may log in, in order.
    pub hosts: Vec<Arc<str>>,
    /// The `after` of the next page, if there is one. A page may have fewer hosts than the next
    /// one, or none.
    pub next: Option<Arc<str>>,
    /// The decision that gave the code.
    pub decision: Decision,
}

/// Hosts that a caller of a binding gets without a limit of its own.
pub const DEFAULT_HOSTS_LIMIT: usize = 50;

/// One page of the hosts at which the logins of an account come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountHosts {
    /// Names of the domains in use of this page, in order.
    pub hosts: Vec<Arc<str>>,
    /// The `after` of the next page, if there is one.
    pub next: Option<Arc<str>>,
}

/// The desk that resolves a support ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TicketRoute {
    /// `owner` or `platform`. `None` if no desk takes the ticket. `code` gives the reason.
    pub desk: Option<Arc<str>>,
    /// The account that the desk belongs to, if it is an owner's desk.
    pub account: Option<Arc<str>>,
    /// `ok`, or the code of the last desk's refusal.
    pub code: Arc<str>,
    /// The decision on the desk that takes the ticket, or on the last desk that refused.
    pub decision: Decision,
}

/// The route of a support ticket, at opening and at each reply (T1 to T4). The host stores the
/// ticket. The route contains no address (B1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TicketOutcome {
    /// `owner` or `platform`. `None` if no desk takes the ticket. `code` gives the reason.
    pub desk: Option<Arc<str>>,
    /// The account that the desk belongs to, if it is an owner's desk.
    pub account: Option<Arc<str>>,
    /// The account that the ticket belongs to: the account of the login that opened it, or the
    /// owner's account for an escalated ticket.
    pub ticket_account: Option<Arc<str>>,
    /// The account in whose name a client gets its answer: always the client's owner, whichever
    /// desk resolves the ticket (T2).
    pub on_behalf_of: Option<Arc<str>>,
    /// The id of the client's ticket from which this ticket was escalated. Nothing else of that
    /// ticket is copied.
    pub linked: Option<Arc<str>>,
    /// Whether the ticket was at another desk before (T3).
    pub rerouted: bool,
    /// `ok`, or the code of the refusal.
    pub code: Arc<str>,
    /// The decision on the action: to open, to reply, to escalate. If no desk takes the ticket, it
    /// is the decision on the last desk.
    pub decision: Decision,
}

/// Information on the loaded policies.
///
/// # Example: the codes of the shipped bundle
/// ```
/// use sublet::{Engine, Options};
/// let bundle = Engine::open(Options::default())?.bundle();
/// assert!(bundle.tenancy && bundle.codes.contains_key("account_unpaid"));
/// # Ok::<(), sublet::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BundleInfo {
    /// The fingerprint of the texts.
    pub fingerprint: Fingerprint,
    /// Whether the bundle has the tenancy kernel.
    pub tenancy: bool,
    /// The policies in gate order, each with its id, effect, code, file and line.
    pub policies: Vec<PolicyInfo>,
    /// The actions that a request can name.
    pub actions: Vec<Arc<str>>,
    /// The features, each with its label.
    pub features: Vec<(Arc<str>, Arc<str>)>,
    /// Every code that an answer of this bundle can have: in `code`, `public_code`, `log_code` and
    /// `advice`. Each has its words by language, as far as the catalog has them (E8).
    pub codes: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Arc<str>>>,
    /// Policies that refuse less if a request omits an attribute (`bundle.left_out`), or that test
    /// a context field which not all of their actions declare (`bundle.absent_field`). Without
    /// strict validation also names that nothing declares (`bundle.unknown_attribute`).
    pub warnings: Vec<Diagnostic>,
    /// The policies that are not compiled, so that Cedar interprets them, which is slower. Each has
    /// the reason.
    pub fallback: Vec<InterpretedPolicy>,
}

/// A policy that Cedar interprets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InterpretedPolicy {
    /// The policy's id.
    pub policy: Arc<str>,
    /// The compiler's limit that the policy exceeds.
    pub why: Arc<str>,
}

/// One policy of a [`BundleInfo`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyInfo {
    /// The policy's id.
    pub id: Arc<str>,
    /// `permit` or `forbid`.
    pub effect: &'static str,
    /// The policy's `@code`.
    pub code: Option<Arc<str>>,
    /// The file and the line of the policy.
    pub place: Option<(Arc<str>, u32)>,
}
