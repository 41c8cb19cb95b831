//! The history of an account: the operations on its counters, newest first.

use serde::Serialize;

use super::HISTORY_METER;
use crate::store::{CountTx, OperationKind, ReservationState};
use crate::util::error::Error;

/// One operation of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryEntry {
    /// The id of the operation.
    pub operation: u64,
    /// The kind of operation.
    pub kind: OperationKind,
    /// The instant of the operation, in milliseconds since 1970 UTC (RFC 3339 in JSON).
    #[serde(serialize_with = "instant")]
    pub at: i64,
    /// The account that the operation belongs to. With an actor, it is the account acted as (A1).
    pub account: String,
    /// The member that performed the operation, if one did.
    pub member: Option<String>,
    /// The actor that acted as the account, if one did.
    pub actor: Option<String>,
    /// The idempotency key of the operation.
    pub idempotency_key: Option<String>,
    /// The earlier operation that this one follows up: commits, releases, refunds, revokes or
    /// reverses.
    pub parent: Option<u64>,
    /// The state of a reservation: `open`, `expired`, `committed` or `released`.
    pub reservation: Option<&'static str>,
    /// The counters that the operation changed.
    pub parts: Vec<HistoryDelta>,
}

/// The change of one counter by an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryDelta {
    /// The meter.
    pub meter: String,
    /// The member whose own counter changed. `None` for the account's counter.
    pub member: Option<String>,
    /// The change of the used amount. Negative if it fell.
    pub used: i64,
    /// The change of the held amount. Negative if it fell.
    pub held: i64,
    /// The change of the window's limit. Negative if a top-up was taken back.
    pub top_up: i64,
    /// The amount that was given back since.
    pub refunded: i64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn instant<S: serde::Serializer>(at: &i64, writer: S) -> Result<S::Ok, S::Error> {
    crate::model::calendar::instant_text(*at).serialize(writer)
}

/// Returns the last operations of an account, older than `before`.
pub(crate) fn history(
    tx: &mut dyn CountTx,
    account: &str,
    before: Option<u64>,
    most: usize,
) -> Result<Vec<HistoryEntry>, Error> {
    let now = tx.now();
    let mut entries = Vec::new();
    for operation in tx.history(account, before, most)? {
        let mut parts = Vec::with_capacity(operation.parts.len());
        for part in operation.parts {
            let Some(named) = tx
                .bucket(part.bucket)?
                .filter(|named| named.meter != HISTORY_METER)
            else {
                continue;
            };
            parts.push(HistoryDelta {
                meter: named.meter,
                member: named.member,
                used: part.used,
                held: part.reserved,
                top_up: part.top_up,
                refunded: part.refunded,
            });
        }
        let reservation = operation
            .reservation
            .filter(|_| operation.kind == OperationKind::Reserve);
        let reservation = reservation.map(|state| match state {
            ReservationState::Open(until) if until > now => "open",
            ReservationState::Open(_) => "expired",
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
            idempotency_key: operation.idempotency_key,
            parent: operation.parent,
            reservation,
            parts,
        });
    }
    Ok(entries)
}
