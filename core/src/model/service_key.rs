//! The key of a service account, which is a login for programs (I7).
//!
//! The key is stored only as a hash. It is found by that hash, so that the time of a look-up tells
//! nothing about keys that are nearly right.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{calendar, host};
use crate::util::digest;
use crate::util::error::Error;

/// Maximum number of hosts that a service account may name.
const MAX_HOSTS: usize = 50;

/// The key of a service account, with its expiry and its hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "ServiceKeyJson", into = "ServiceKeyJson")]
pub(crate) struct ServiceKey {
    pub(crate) hash: String,
    pub(crate) name: Option<String>,
    /// The first instant at which the key is no longer valid, in milliseconds since 1970 UTC.
    pub(crate) expires_at: Option<i64>,
    /// The hosts at which the key is valid. Empty: wherever the account's logins come in.
    pub(crate) hosts: BTreeSet<String>,
}

/// The key of a service account as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct ServiceKeyJson {
    /// The hash of the key.
    hash: String,
    /// The name of the program, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The first instant at which the key is no longer valid. RFC 3339. Absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// The hosts at which the key is valid. Absent: wherever the account's logins come in.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    hosts: BTreeSet<String>,
}

impl From<ServiceKey> for ServiceKeyJson {
    fn from(key: ServiceKey) -> Self {
        Self {
            hash: key.hash,
            name: key.name,
            expires_at: key.expires_at.and_then(calendar::instant_text),
            hosts: key.hosts,
        }
    }
}

impl TryFrom<ServiceKeyJson> for ServiceKey {
    type Error = Error;

    fn try_from(form: ServiceKeyJson) -> Result<Self, Error> {
        let is_hash = form.hash.len() == 64
            && form
                .hash
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hash {
            return Err(Error::Record {
                line: 1,
                reason: "`hash` is not a SHA-256 hash in lower-case hexadecimal".to_owned(),
            });
        }
        let expires_at = form
            .expires_at
            .as_deref()
            .map(calendar::parse_instant)
            .transpose()?;
        Ok(Self {
            hash: form.hash,
            name: form.name,
            expires_at,
            hosts: normal_hosts(&form.hosts)?,
        })
    }
}

/// Returns the hosts in normal form.
///
/// # Errors
/// [`Error::DomainName`] for a text that is not a host name, and [`Error::Record`] for too many hosts.
pub(crate) fn normal_hosts(hosts: &BTreeSet<String>) -> Result<BTreeSet<String>, Error> {
    if hosts.len() > MAX_HOSTS {
        return Err(Error::Record {
            line: 1,
            reason: format!("a service account names at most {MAX_HOSTS} hosts"),
        });
    }
    let normal = |name: &String| {
        host::normalise(name).map_err(|reason| Error::DomainName {
            domain: crate::util::text::short(name),
            reason: reason.to_owned(),
        })
    };
    hosts.iter().map(normal).collect()
}

/// Returns the hash by which a key is stored and found.
pub(crate) fn key_hash(key: &str) -> String {
    digest::hex(&digest::sha256(["service key", key]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_reads_back_without_its_text() {
        let key = ServiceKey {
            hash: key_hash("secret"),
            name: Some("nightly export".to_owned()),
            expires_at: Some(1_000),
            hosts: BTreeSet::from(["app.acme.example".to_owned()]),
        };
        let text = serde_json::to_string(&key).expect("JSON");
        assert!(!text.contains("secret") && text.contains("1970-01-01T00:00:01Z"));
        assert_eq!(
            serde_json::from_str::<ServiceKey>(&text).expect("a key"),
            key
        );
        for wrong in [
            r#"{"hash": "00"}"#.to_owned(),
            format!(r#"{{"hash": "{}"}}"#, "A".repeat(64)),
            format!(r#"{{"hash": "{}", "hosts": ["a b"]}}"#, "a".repeat(64)),
            format!(r#"{{"hash": "{}", "expires_at": "soon"}}"#, "a".repeat(64)),
        ] {
            assert!(
                serde_json::from_str::<ServiceKey>(&wrong).is_err(),
                "{wrong}"
            );
        }
    }
}
