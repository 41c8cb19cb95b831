//! What a caller is told of counts.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::calendar;
use crate::model::limit::{Limit, LimitSource};

/// One meter of an account, as it stands after the answer (Q11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// The meter.
    pub meter: Arc<str>,
    /// How much was asked for; what was granted, where less was (`up_to`).
    pub amount: i64,
    /// Used in this window.
    pub used: i64,
    /// Reserved, and neither committed nor released yet.
    pub held: i64,
    /// The limit in force, what was topped up included.
    pub limit: Limit,
    /// What states it.
    pub source: LimitSource,
    /// The limit from the package or the access level.
    #[serde(default)]
    pub base: Option<Limit>,
    /// The limit set on the account itself.
    #[serde(rename = "override", default)]
    pub over: Option<Limit>,
    /// What was added to the limit for this window.
    pub top_up: i64,
    /// What is left; 0 where more is used than the limit allows.
    pub remaining: Limit,
    /// When the next window begins, in milliseconds since 1970 UTC (RFC 3339 in JSON); nothing for
    /// what never ends.
    #[serde(
        serialize_with = "write_instant",
        deserialize_with = "read_instant",
        default
    )]
    pub resets_at: Option<i64>,
    /// The member's own part, where a member asked.
    #[serde(default)]
    pub member: Option<MemberQuota>,
}

/// A member's part of a meter (M7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberQuota {
    /// The member.
    pub id: Arc<str>,
    /// Used by the member in this window.
    pub used: i64,
    /// Reserved by the member.
    pub held: i64,
    /// The member's sub-limit.
    pub limit: Limit,
    /// What is left of it.
    pub remaining: Limit,
}

/// What was counted for a decision.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CountReceipt {
    /// Each meter of the action.
    pub quota: Vec<Quota>,
    /// The operation that was recorded; nothing where nothing was taken.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub operation: Option<u64>,
    /// When what is reserved expires, in milliseconds since 1970 UTC (RFC 3339 in JSON).
    #[serde(
        serialize_with = "write_instant",
        deserialize_with = "read_instant",
        skip_serializing_if = "Option::is_none",
        default
    )]
    pub expires_at: Option<i64>,
    /// Whether it is the answer of an earlier call with the same key (Q7).
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
