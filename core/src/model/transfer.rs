//! The offer of a client to another owner.

use serde::{Deserialize, Serialize};

use super::calendar;
use crate::util::error::Error;

/// The offer of a client to another owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "TransferOffer")
)]
#[serde(try_from = "TransferJson", into = "TransferJson")]
pub(crate) struct PendingTransfer {
    pub(crate) to: String,
    /// The first instant at which the offer is no longer valid, in milliseconds since 1970 UTC.
    pub(crate) until: i64,
    pub(crate) consented: bool,
}

/// An offer as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct TransferJson {
    /// The id of the owner to whom the client is offered.
    to: String,
    /// The first instant at which the offer is no longer valid. RFC 3339.
    until: String,
    /// Whether the client has consented. Absent: false.
    #[serde(default)]
    consented: bool,
}

impl From<PendingTransfer> for TransferJson {
    fn from(
        PendingTransfer {
            to,
            until,
            consented,
        }: PendingTransfer,
    ) -> Self {
        Self {
            to,
            until: calendar::instant_text(until).unwrap_or_default(),
            consented,
        }
    }
}

impl TryFrom<TransferJson> for PendingTransfer {
    type Error = Error;

    fn try_from(
        TransferJson {
            to,
            until,
            consented,
        }: TransferJson,
    ) -> Result<Self, Error> {
        Ok(Self {
            to,
            until: calendar::parse_instant(&until)?,
            consented,
        })
    }
}
