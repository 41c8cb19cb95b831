//! Accounts and members that are written to rows.

use serde_json::{Map, Value};

use crate::model::calendar::Calendar;
use crate::model::flags::{AccountFlags, MemberFlags};
use crate::model::limit::Limits;
use crate::model::pending_email::PendingEmail;
use crate::model::service_key::ServiceKey;
use crate::model::transfer::PendingTransfer;

/// Input of an account row. Texts are borrowed from their source.
#[derive(Debug)]
pub(super) struct NewAccount<'a> {
    pub(super) id: &'a str,
    pub(super) email: &'a str,
    pub(super) owner: Option<&'a str>,
    pub(super) package: Option<&'a str>,
    pub(super) level: Option<&'a str>,
    pub(super) flags: AccountFlags,
    /// One bit for each reason, in the order of `DisableReason`.
    pub(super) disabled: u16,
    pub(super) limits: Limits,
    pub(super) calendar: Option<&'a Calendar>,
    pub(super) pending: Option<&'a PendingEmail>,
    pub(super) transfer: Option<&'a PendingTransfer>,
    pub(super) created: Option<i64>,
    pub(super) closed_at: Option<i64>,
    pub(super) not_before: Option<i64>,
    pub(super) attributes: Map<String, Value>,
}

/// Input of a member row.
#[derive(Debug)]
pub(super) struct NewMember<'a> {
    pub(super) id: &'a str,
    pub(super) account: &'a str,
    /// The e-mail, or the hash of the key of a service account.
    pub(super) login_name: &'a str,
    pub(super) flags: MemberFlags,
    pub(super) grants: Vec<&'a str>,
    pub(super) limits: Limits,
    pub(super) pending: Option<&'a PendingEmail>,
    pub(super) service: Option<&'a ServiceKey>,
    pub(super) not_before: Option<i64>,
    pub(super) attributes: Map<String, Value>,
}
