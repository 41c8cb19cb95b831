//! The stored answers of idempotency keys, and how long operations and their keys are retained.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::api::decision::Decision;
use crate::model::calendar::Window;
use crate::model::catalog::MeterKind;
use crate::store::{CountTx, KeyLookup, RetryAnswer};
use crate::util::error::Error;

/// Retention of an idempotency key after its window, or after its operation if the window never
/// ends: 35 days.
pub(super) const IDEMPOTENCY_RETENTION_MS: i64 = 35 * 86_400_000;

/// An answer in the form in which it is stored with its idempotency key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredAnswer(pub(crate) Decision);

impl StoredAnswer {
    pub(crate) fn boxed(decision: Decision) -> Box<dyn RetryAnswer> {
        Box::new(Self(decision))
    }

    /// Returns the decision, marked as replayed.
    pub(crate) fn into_replay(self) -> Decision {
        let Self(mut decision) = self;
        if let Some(counted) = &mut decision.counted {
            counted.replayed = true;
        }
        decision
    }
}

impl RetryAnswer for StoredAnswer {
    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).unwrap_or_default()
    }
}

/// Returns the stored answer of an idempotency key, if there is one (Q7). Fails with
/// [`Error::IdempotencyMismatch`] for another request, and with [`Error::IdempotencyKeyPruned`] if
/// the answer is gone.
pub(crate) fn find_replay<T: DeserializeOwned>(
    tx: &mut dyn CountTx,
    account: &str,
    idempotency_key: Option<(&str, [u8; 32])>,
) -> Result<Option<T>, Error> {
    let Some((idempotency_key, digest)) = idempotency_key else {
        return Ok(None);
    };
    let named = || crate::util::text::short(idempotency_key);
    match tx.find_key(account, idempotency_key)? {
        KeyLookup::Unknown => Ok(None),
        KeyLookup::Expired => Err(Error::IdempotencyKeyPruned { key: named() }),
        KeyLookup::Answered(asked, _) if asked != digest => {
            Err(Error::IdempotencyMismatch { key: named() })
        }
        KeyLookup::Answered(_, answer) => serde_json::from_slice(&answer)
            .ok()
            .map(Some)
            .ok_or_else(|| Error::IdempotencyKeyPruned { key: named() }),
    }
}

/// Returns the instant until which an operation of this window is retained.
pub(super) fn retention_end(kind: MeterKind, window: Window, now: i64) -> i64 {
    match kind {
        MeterKind::Stock => now.saturating_add(IDEMPOTENCY_RETENTION_MS),
        // A window that never ends is retained like a stock.
        MeterKind::Flow => if window.end == i64::MAX {
            now
        } else {
            window.end
        }
        .saturating_add(IDEMPOTENCY_RETENTION_MS),
    }
}
