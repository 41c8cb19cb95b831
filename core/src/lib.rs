//! Sublet: an embeddable policy engine for platforms that are sold under other people's names.
//!
//! [`Engine`] is the entry point. It has five tasks:
//!
//! - It answers requests ([`Engine::authorize`], [`Engine::check`], [`Engine::login`],
//!   [`Engine::open_ticket`]).
//! - It counts usage ([`Engine::consume`], [`Engine::reserve`], [`Engine::usage`]).
//! - It changes the directory by [`Command`]s that the policies allow ([`Engine::perform`]).
//! - It bills owners ([`Engine::statement`], [`Engine::settle_overage`]).
//! - It reports events ([`Engine::subscribe`]) and metrics ([`Engine::metrics`]).
//!
//! A refusal is a value, a [`Decision`]. An [`Error`] means that there is no answer. Ids such as
//! (Q7) name rules, whose text is in `docs/rules.md`.
//!
//! # Example: a client sends a campaign, and its usage is counted
//! ```
//! use sublet::{ConsumeOptions, Engine, Options, RequestRef};
//! let engine = Engine::open(Options::default())?; // the shipped policies, counts in memory
//! engine.import(
//!     br#"{"type":"Platform","id":"mmio"}
//! {"type":"Account","id":"acme","email":"o@acme.example","package":"agency","confirmed":true}
//! {"type":"Domain","id":"app.acme.example","kind":"whitelabel","owner":"acme","state":"verified"}
//! {"type":"Account","id":"bakery","email":"b@bakery.example","owner":"acme","confirmed":true}
//! "#.as_slice(),
//!     None, None,
//! )?;
//! let send = RequestRef::new(("Account", "bakery"), "campaign.send", ("Campaign", "spring"));
//! let send = send.account("bakery").host("app.acme.example");
//! let decision = engine.consume(send, &ConsumeOptions::new(200).idempotency_key("spring/1"))?;
//! assert!(decision.allowed, "{}", decision.code);
//! # Ok::<(), sublet::Error>(())
//! ```

mod api;
mod authorize;
mod billing;
mod cedar;
mod commands;
mod compiler;
mod directory;
mod engine;
mod model;
mod quota;
mod store;
mod telemetry;
mod util;
mod vm;

pub use self::api::columns::batch_row_count;
pub use self::api::decision::{
    AccountHosts, BundleInfo, DEFAULT_HOSTS_LIMIT, Decision, InterpretedPolicy, Login, LoginHosts,
    PolicyAnswer, PolicyFailure, PolicyInfo, TicketOutcome, TicketRoute,
};
pub use self::api::explanation::{
    AccessedFact, ConditionTrace, DecidingPolicy, Explanation, FurtherPolicy, NearestPermit,
    PolicyExplanation, PolicyStatus,
};
pub use self::api::handle::{Action, Host, Principal, ResourceType};
pub use self::api::quota::{CountReceipt, DEFAULT_HISTORY_LIMIT, MemberQuota, Quota};
pub use self::api::record_page::{DEFAULT_LIST_LIMIT, ListKind, RecordPage};
pub use self::api::request::{Environment, IntoAction, Request, Resource};
pub use self::api::request_ref::{
    AccountRef, ActionRef, HostRef, PrincipalRef, RequestRef, ResourceRef, ResourceTypeRef,
};
pub use self::billing::{
    ClosingProgress, MonthClosing, Payment, Statement, StatementStatus, verify_draw,
};
pub use self::cedar::load_program::CedarProgram;
pub use self::cedar::options::Validation;
pub use self::cedar::source::PolicySource;
// All of the layer is public: the enum `Command` and the structs of its variants.
pub use self::commands::*;
pub use self::directory::{Change, ImportProgress, RecordPatch};
pub use self::engine::{Engine, Options, Performed};
pub use self::model::access_level::AccessLevel;
pub use self::model::account::{Account, AccountKind, DisableReason};
pub use self::model::catalog::{Catalog, CountedKind, ExcessOrder, Meter, MeterKind, WindowKind};
pub use self::model::clock::{Clock, ManualClock};
pub use self::model::domain::{Domain, DomainState};
pub use self::model::email::normalise as normalise_email;
pub use self::model::fingerprint::Fingerprint;
pub use self::model::host::normalise as normalise_host;
pub use self::model::limit::{Limit, LimitSource, Limits};
pub use self::model::member::TeamMember;
pub use self::model::operator::{Operator, Platform, Role};
pub use self::model::package::Package;
pub use self::model::record::Record;
pub use self::model::reference::EntityRef;
pub use self::quota::{HistoryDelta, HistoryEntry};
pub use self::telemetry::{
    _close_all_logs, DEFAULT_LOG_TIMEOUT, Event, EventCallback, EventKind, LogCounts, LogFile,
    LogHandle, LogOptions, Sink, metric_text,
};
pub use self::util::argument_fault::ArgumentFault;
pub use self::util::error::{Diagnostic, Diagnostics, Error, SourceSpan, error_codes};
pub use self::util::parse_limits::{MAX_VALUE_NESTING, ParseLimits};
pub use self::util::printable::printable;

pub use self::api::consume_options::{ConsumeOptions, DEFAULT_AMOUNT};
pub use self::model::calendar::{Calendar, Window, instant_text, parse_instant};
pub use self::store::{
    InspectedCount, Inspection, OperationKind, Verification, accept_clock, inspect_store,
    verify_store,
};
pub use self::telemetry::stats::{DecisionSeries, ErrorCount, Stats};
#[doc(hidden)]
pub use self::util::wait::{_started_at, with_interrupt};

/// Reads JSON as strictly as the engine does. Duplicate keys (escaped duplicates included), nesting
/// over [`MAX_VALUE_NESTING`], and numbers that would lose digits are refused.
///
/// # Errors
/// [`Error::Json`], [`Error::DuplicateKey`] or [`Error::Nesting`]. `what` names the text in them.
///
/// # Example: a duplicate key
/// ```
/// let error = sublet::read_json("settings", r#"{"a": 1, "a": 2}"#).unwrap_err();
/// assert_eq!(error.code(), "input.duplicate_key");
/// ```
pub fn read_json(what: &str, text: &str) -> Result<serde_json::Value, Error> {
    util::json::parse(what, text, MAX_VALUE_NESTING)
}
