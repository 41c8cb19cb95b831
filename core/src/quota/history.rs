//! What was done to an account's counts, the newest first.

use serde::Serialize;

use super::HISTORY_METER;
use crate::store::{CountTx, OperationKind, ReservationState};
use crate::util::error::Error;

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryEntry {
    /// Its id.
    pub operation: u64,
    /// What it did.
    pub kind: OperationKind,
    /// When, in milliseconds since 1970 UTC (RFC 3339 in JSON).
    #[serde(serialize_with = "instant")]
    pub at: i64,
    /// The account whose it is: where somebody acted, the one that was acted as (A1).
    pub account: String,
    /// The member who did it, if one did.
    pub member: Option<String>,
    /// Who acted as the account, if somebody did.
    pub actor: Option<String>,
    /// Its idempotency key.
    pub key: Option<String>,
    /// The operation that it settled or gave back.
    pub of: Option<u64>,
    /// A reservation's state: `open`, `expired`, `committed` or `released`.
    pub reservation: Option<&'static str>,
    /// What it changed.
    pub parts: Vec<HistoryDelta>,
}

/// What an operation changed in one count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryDelta {
    /// The meter.
    pub meter: String,
    /// The member whose own count it is; nothing for the account's.
    pub member: Option<String>,
    /// By how much what is used grew; negative where it fell.
    pub used: i64,
    /// By how much what is held grew.
    pub held: i64,
    /// By how much the limit of the window grew; negative where a top-up was taken back.
    pub top_up: i64,
    /// How much of it was given back since.
    pub refunded: i64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn instant<S: serde::Serializer>(at: &i64, writer: S) -> Result<S::Ok, S::Error> {
    crate::model::calendar::instant_text(*at).serialize(writer)
}

/// The last operations of an account, older than `before`.
pub(crate) fn history(
    ledger: &mut dyn CountTx,
    account: &str,
    before: Option<u64>,
    most: usize,
) -> Result<Vec<HistoryEntry>, Error> {
    let now = ledger.now();
    let mut entries = Vec::new();
    for operation in ledger.history(account, before, most)? {
        let mut parts = Vec::with_capacity(operation.parts.len());
        for part in operation.parts {
            let Some(named) = ledger
                .bucket(part.bucket)?
                .filter(|named| named.meter != HISTORY_METER)
            else {
                continue;
            };
            parts.push(HistoryDelta {
                meter: named.meter,
                member: named.member,
                used: part.used,
                held: part.held,
                top_up: part.top_up,
                refunded: part.back,
            });
        }
        let hold = operation
            .hold
            .filter(|_| operation.kind == OperationKind::Reserve);
        let reservation = hold.map(|hold| match hold {
            ReservationState::Until(until) if until > now => "open",
            ReservationState::Until(_) => "expired",
            ReservationState::Committed(_) => "committed",
            ReservationState::Released(_) => "released",
        });
        entries.push(HistoryEntry {
            operation: operation.id,
            kind: operation.kind,
            at: operation.at,
            account: operation.account,
            member: operation.member,
            actor: operation.actor,
            key: operation.key,
            of: operation.of,
            reservation,
            parts,
        });
    }
    Ok(entries)
}
