//! What few records have: kept beside the rows, so that most are small.

use serde_json::{Map, Value};

use crate::model::calendar::Calendar;
use crate::model::limit::Limits;
use crate::model::pending_email::PendingEmail;
use crate::model::transfer::Transfer;
use crate::vm::StoredValue;

/// What few records have.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowExtras {
    pub(super) limits: Limits,
    /// An account's, where it is not the usual one.
    pub(super) calendar: Option<Box<Calendar>>,
    /// An e-mail that waits to be confirmed.
    pub(super) pending: Option<Box<PendingEmail>>,
    /// The offer of a client to another owner.
    pub(super) transfer: Option<Box<Transfer>>,
    /// When an account was created.
    pub(super) created: Option<i64>,
    /// The host's own attributes as they were given, and as the schema types them if they fit it.
    pub(super) attributes: Map<String, Value>,
    pub(super) own: Option<StoredValue>,
    /// The places of features after the first 64, sorted.
    pub(super) features: Vec<u32>,
}

impl RowExtras {
    pub(super) fn is_empty(&self) -> bool {
        let none = self.calendar.is_none()
            && self.pending.is_none()
            && self.transfer.is_none()
            && self.created.is_none();
        none && self.limits.is_empty() && self.attributes.is_empty() && self.features.is_empty()
    }
}
