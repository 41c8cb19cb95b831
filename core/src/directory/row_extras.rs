//! Rarely used record fields. They are stored in a side table to keep the main rows small.

use serde_json::{Map, Value};

use super::rows::{COLD, NOT_BEFORE};
use crate::model::calendar::Calendar;
use crate::model::limit::Limits;
use crate::model::pending_email::PendingEmail;
use crate::model::service_key::ServiceKey;
use crate::model::transfer::PendingTransfer;
use crate::vm::StoredValue;

/// Rarely used fields of one record.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowExtras {
    pub(super) limits: Limits,
    /// Calendar of an account, if it is not the default one.
    pub(super) calendar: Option<Box<Calendar>>,
    /// An e-mail that is not confirmed yet.
    pub(super) pending: Option<Box<PendingEmail>>,
    /// Offer to transfer a client to another owner.
    pub(super) transfer: Option<Box<PendingTransfer>>,
    /// Creation time of an account.
    pub(super) created: Option<i64>,
    /// Closing time of an account.
    pub(super) closed_at: Option<i64>,
    /// End of a domain's claim or lapse.
    pub(super) until: Option<i64>,
    /// Key of a service account.
    pub(super) service: Option<Box<ServiceKey>>,
    /// Instant before which the sessions of a login do not count. A bit of the row says whether
    /// there is one.
    pub(crate) not_before: Option<i64>,
    /// The host's custom attributes as given. `own` has them as typed by the schema, if they fit
    /// it.
    pub(super) attributes: Map<String, Value>,
    pub(super) own: Option<StoredValue>,
    /// Indexes of the features after the first 64, sorted.
    pub(super) features: Vec<u32>,
}

impl RowExtras {
    /// Returns the bits of a row that say what its row extras have.
    pub(super) fn row_bits(&self) -> u16 {
        let none = |is_none: bool, bit: u16| if is_none { 0 } else { bit };
        none(self.is_empty(), COLD) | none(self.not_before.is_none(), NOT_BEFORE)
    }

    pub(super) fn is_empty(&self) -> bool {
        let none = self.calendar.is_none()
            && self.pending.is_none()
            && self.transfer.is_none()
            && self.created.is_none()
            && self.closed_at.is_none()
            && self.until.is_none()
            && self.service.is_none()
            && self.not_before.is_none();
        none && self.limits.is_empty() && self.attributes.is_empty() && self.features.is_empty()
    }
}
