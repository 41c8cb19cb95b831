//! Sublet: an embeddable policy engine for software that is sold under other people's names.
//!
//! [`Engine`] is the handle. It answers questions ([`Engine::authorize`], [`Engine::check`], [`Engine::login`], [`Engine::open_ticket`]), counts
//! ([`Engine::consume`] and its kin), changes the directory by [`Command`]s that the policies allow ([`Engine::perform`]), and keeps an
//! owner's bill ([`Engine::statement`], [`Engine::settle`]). What it does can be told ([`Engine::log`]) and counted ([`Engine::stats`]).

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

pub use self::api::columns::rows;
pub use self::api::decision::{
    BundleInfo, Clause, Decision, Desk, Explanation, Fallback, Login, LoginHosts, Outcome,
    PolicyExplanation, PolicyFailure, PolicyInfo, ReadFact, Route,
};
pub use self::api::handle::{Action, Host, Principal, ResourceType};
pub use self::api::quota::{Counted, MemberQuota, Quota};
pub use self::api::request::{Circumstances, IntoAction, Request, Resource};
pub use self::api::request_ref::{At, Does, Kind, Of, On, Question, Who};
pub use self::billing::{Payment, Statement, StatementStatus, verify_draw};
pub use self::cedar::load_program::Program;
pub use self::cedar::options::Validation;
pub use self::cedar::source::Source;
pub use self::commands::{
    AcceptInvitation, AcceptTransfer, AddDomain, AttachLevel, CancelTransfer, ChangeEmail,
    ChangePackage, CloseAccount, Command, ConfirmEmail, ConsentTransfer, CreateAccount,
    CreateClient, CreateLevel, DeleteLevel, DisableAccount, EditAccount, EditLevel, EditMember,
    GrantMember, InviteMember, OfferTransfer, QuarantineDomain, ReleaseDomain, RemoveDomain,
    RemoveMember, ResendConfirmation, RestoreAccount, VerifyDomain,
};
pub use self::directory::{Change, Progress, RecordPatch};
pub use self::engine::{Engine, Options, Performed};
pub use self::model::access_level::AccessLevel;
pub use self::model::account::{Account, AccountKind, DisableReason};
pub use self::model::catalog::{Catalog, Counts, ExcessOrder, Meter, MeterKind, WindowKind};
pub use self::model::clock::{Clock, ManualClock};
pub use self::model::domain::{Domain, DomainState};
pub use self::model::email::normalise as normalise_email;
pub use self::model::host::normalise as normalise_host;
pub use self::model::limit::{Limit, LimitSource, Limits};
pub use self::model::member::TeamMember;
pub use self::model::operator::{Operator, Platform};
pub use self::model::package::Package;
pub use self::model::record::Record;
pub use self::model::reference::Ref;
pub use self::quota::{HistoryEntry, HistoryPart};
pub use self::telemetry::{
    _close_all_logs, Event, EventKind, LogCall, LogCounts, LogFile, LogHandle, LogOptions, Sink,
};
pub use self::util::error::{Error, Fault, Faults, Place, error_codes};
pub use self::util::parse_limits::Caps;
pub use self::util::printable::printable;

pub use self::api::consume_options::Take;
pub use self::model::calendar::{Calendar, Window, instant_text, parse_instant};
pub use self::store::{
    InspectedCount, Inspection, OperationKind, Verification, accept_clock, inspect, verify_store,
};
pub use self::telemetry::stats::{ErrorCount, Series, Stats};
#[doc(hidden)]
pub use self::util::wait::{_asked_at, with_interrupt};

/// Reads JSON as the engine itself does: duplicate keys (escaped twins included), nesting over 64 and numbers that would
/// lose digits are refused.
///
/// # Errors
/// [`Error::Json`], [`Error::DuplicateKey`], [`Error::Nesting`]; `what` names the text in them.
pub fn read_json(what: &str, text: &str) -> Result<serde_json::Value, Error> {
    util::json::parse(what, text, 64)
}
