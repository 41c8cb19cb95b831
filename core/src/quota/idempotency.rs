//! The stored answers of idempotency keys.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::api::decision::Decision;
use crate::store::{CountTx, KeyLookup};
use crate::util::error::Error;

/// An answer as it is kept with its key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredAnswer(pub(crate) Decision);

impl StoredAnswer {
    pub(crate) fn bytes(decision: &Decision) -> Vec<u8> {
        serde_json::to_vec(decision).unwrap_or_default()
    }

    /// The decision, said to be replayed.
    pub(crate) fn again(self) -> Decision {
        let Self(mut decision) = self;
        if let Some(counted) = &mut decision.counted {
            counted.replayed = true;
        }
        decision
    }
}

/// What was answered before with this key, if something was (Q7).
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
