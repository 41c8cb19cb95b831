//! Sublet: an embeddable policy engine for software that is sold under other people's names.
//!
//! [`Engine`] is the handle. It answers questions ([`Engine::authorize`], [`Engine::check`], [`Engine::login`], [`Engine::open_ticket`]), counts
//! ([`Engine::consume`] and its kin), changes the directory by [`Command`]s that the policies allow ([`Engine::perform`]), and keeps an
//! owner's bill ([`Engine::statement`], [`Engine::settle`]). What it does can be told ([`Engine::log`]) and counted ([`Engine::stats`]).

mod access_level;
mod account;
mod answer_code;
mod billing;
mod caps;
mod catalog;
mod clock;
mod column;
mod command;
mod crash;
mod decision;
mod directory;
mod domain;
mod email;
mod engine;
mod error;
mod eval;
mod first_use;
mod fork;
mod form;
mod handle;
mod host;
mod id;
mod json;
mod keyed;
mod limit;
mod log;
mod member;
mod named;
mod operator;
mod package;
mod pending;
mod policy;
mod printable;
mod question;
mod quota;
mod request;
mod scan;
mod stack;
mod stats;
mod store;
mod take;
mod transfer;
mod wait;
mod window;

pub use access_level::AccessLevel;
pub use account::{Account, AccountKind, DisableReason};
pub use billing::{Payment, Statement, StatementStatus, verify_draw};
pub use caps::Caps;
pub use catalog::{Catalog, Counts, ExcessOrder, Meter, MeterKind, WindowKind};
pub use clock::{Clock, ManualClock};
pub use column::rows;
pub use command::{
    AcceptInvitation, AcceptTransfer, AddDomain, AttachLevel, CancelTransfer, ChangeEmail, ChangePackage, CloseAccount, Command, ConfirmEmail, ConsentTransfer,
    CreateAccount, CreateClient, CreateLevel, DeleteLevel, DisableAccount, EditAccount, EditLevel, EditMember, GrantMember, InviteMember, OfferTransfer,
    QuarantineDomain, ReleaseDomain, RemoveDomain, RemoveMember, ResendConfirmation, RestoreAccount, VerifyDomain,
};
pub use decision::{
    BundleInfo, Clause, Decision, Desk, Explanation, Fallback, Login, LoginHosts, Outcome, PolicyExplanation, PolicyFailure, PolicyInfo, ReadFact, Route,
};
pub use directory::{Change, Progress, Record, RecordPatch};
pub use domain::{Domain, DomainState};
pub use email::normalise as normalise_email;
pub use engine::{Engine, Options, Performed, Validation};
pub use error::{Error, Fault, Faults, Place, error_codes};
pub use handle::{Action, Host, Principal, ResourceType};
pub use host::normalise as normalise_host;
pub use id::Ref;
pub use limit::{Limit, Limits};
pub use log::{_close_all_logs, Event, EventKind, LogCall, LogCounts, LogFile, LogHandle, LogOptions, Sink};
pub use member::TeamMember;
pub use operator::{Operator, Platform};
pub use package::Package;
pub use policy::{Program, Source};
pub use printable::printable;
pub use question::{At, Does, Kind, Of, On, Question, Who};
pub use quota::{Counted, HistoryEntry, HistoryPart, LimitSource, MemberQuota, Quota};
pub use request::{Circumstances, IntoAction, Request, Resource};

pub use stats::{ErrorCount, Series, Stats};
pub use store::{InspectedCount, Inspection, OperationKind, Verification, accept_clock, inspect, verify_store};
pub use take::Take;
#[doc(hidden)]
pub use wait::_asked_at;
pub use wait::with_interrupt;
pub use window::{Calendar, Window, instant_text, parse_instant};

/// Reads JSON as the engine itself does: duplicate keys (escaped twins included), nesting over 64 and numbers that would
/// lose digits are refused.
///
/// # Errors
/// [`Error::Json`], [`Error::DuplicateKey`], [`Error::Nesting`]; `what` names the text in them.
pub fn read_json(what: &str, text: &str) -> Result<serde_json::Value, Error> {
    json::parse(what, text, 64)
}
