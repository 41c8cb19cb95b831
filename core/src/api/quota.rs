//! Results that report counts.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::calendar;
use crate::model::limit::{Limit, LimitSource};

/// Entries of a history that a caller of a binding gets without a limit of its own.
pub const DEFAULT_HISTORY_LIMIT: usize = 100;

/// One meter of an account, after the call (Q11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// The meter.
    pub meter: Arc<str>,
    /// The requested amount, or the granted amount if less was granted (`allow_partial`).
    pub amount: i64,
    /// The amount used in this window.
    pub used: i64,
    /// The amount that is reserved, and neither committed nor released yet.
    pub held: i64,
    /// The limit in force, including top-ups.
    pub limit: Limit,
    /// The source of the limit.
    pub source: LimitSource,
    /// The limit from the package or the access level.
    #[serde(default)]
    pub base: Option<Limit>,
    /// The limit set on the account itself.
    #[serde(rename = "override", default)]
    pub over: Option<Limit>,
    /// The amount added to the limit for this window.
    pub top_up: i64,
    /// The remainder. 0 if more is used than the limit allows.
    pub remaining: Limit,
    /// When the next window begins, in milliseconds since 1970 UTC (RFC 3339 in JSON). `None` if
    /// the window never ends.
    #[serde(
        serialize_with = "write_instant",
        deserialize_with = "read_instant",
        default
    )]
    pub resets_at: Option<i64>,
    /// The member's own part, if the principal is a member.
    #[serde(default)]
    pub member: Option<MemberQuota>,
}

/// A member's part of a meter (M7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberQuota {
    /// The member.
    pub id: Arc<str>,
    /// The amount that the member used in this window.
    pub used: i64,
    /// The amount that the member reserved.
    pub held: i64,
    /// The member's sub-limit.
    pub limit: Limit,
    /// The remainder of the sub-limit.
    pub remaining: Limit,
}

/// The counts that belong to a decision.
///
/// # Example: two hundred e-mails are counted
/// ```
/// use sublet::{ConsumeOptions, Engine, Options, RequestRef};
/// let engine = Engine::open(Options::default())?;
/// engine.import(
///     br#"{"type":"Platform","id":"mmio"}
/// {"type":"Account","id":"acme","email":"o@acme.example","package":"agency","confirmed":true}
/// {"type":"Domain","id":"app.acme.example","kind":"whitelabel","owner":"acme","state":"verified"}
/// "#.as_slice(),
///     None, None,
/// )?;
/// let send = RequestRef::new(("Account", "acme"), "campaign.send", ("Campaign", "spring"));
/// let send = send.account("acme").host("app.acme.example");
/// let decision = engine.consume(send, &ConsumeOptions::new(200))?;
/// let counted = decision.counted.map(|receipt| (receipt.quota[0].used, receipt.replayed));
/// assert_eq!(counted, Some((200, false)));
/// # Ok::<(), sublet::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CountReceipt {
    /// Each meter of the action.
    pub quota: Vec<Quota>,
    /// The recorded operation, or `None` if nothing was taken.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub operation: Option<u64>,
    /// When the reservation expires, in milliseconds since 1970 UTC (RFC 3339 in JSON).
    #[serde(
        serialize_with = "write_instant",
        deserialize_with = "read_instant",
        skip_serializing_if = "Option::is_none",
        default
    )]
    pub expires_at: Option<i64>,
    /// Whether this is the answer of an earlier call with the same key (Q7).
    #[serde(default)]
    pub replayed: bool,
}

#[allow(clippy::ref_option, reason = "serde asks for it")]
fn write_instant<S: Serializer>(at: &Option<i64>, writer: S) -> Result<S::Ok, S::Error> {
    at.and_then(calendar::instant_text).serialize(writer)
}

fn read_instant<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<i64>, D::Error> {
    let text: Option<String> = Option::deserialize(reader)?;
    text.map(|text| calendar::parse_instant(&text).map_err(serde::de::Error::custom))
        .transpose()
}
