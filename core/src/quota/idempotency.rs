//! The stored answers of idempotency keys.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::api::decision::Decision;
use crate::store::{CountTx, KeyLookup};
use crate::util::error::Error;

/// An answer in the form in which it is stored with its idempotency key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredAnswer(pub(crate) Decision);

impl StoredAnswer {
    pub(crate) fn bytes(decision: &Decision) -> Vec<u8> {
        serde_json::to_vec(decision).unwrap_or_default()
    }

    /// Returns the decision, marked as replayed.
    pub(crate) fn again(self) -> Decision {
        let Self(mut decision) = self;
        if let Some(counted) = &mut decision.counted {
            counted.replayed = true;
        }
        decision
    }
}

/// Returns the stored answer of an idempotency key, if there is one (Q7). Fails with
/// [`Error::IdempotencyMismatch`] for another request, and with [`Error::KeyPruned`] if the answer
/// is gone.
pub(crate) fn answered<T: DeserializeOwned>(
    ledger: &mut dyn CountTx,
    account: &str,
    key: Option<(&str, [u8; 32])>,
) -> Result<Option<T>, Error> {
    let Some((key, digest)) = key else {
        return Ok(None);
    };
    let named = || crate::util::text::short(key);
    match ledger.find_key(account, key)? {
        KeyLookup::Unknown => Ok(None),
        KeyLookup::Expired => Err(Error::KeyPruned { key: named() }),
        KeyLookup::Answered(asked, _) if asked != digest => {
            Err(Error::IdempotencyMismatch { key: named() })
        }
        KeyLookup::Answered(_, answer) => serde_json::from_slice(&answer)
            .ok()
            .map(Some)
            .ok_or_else(|| Error::KeyPruned { key: named() }),
    }
}
