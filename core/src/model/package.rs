//! Packages: what a main account bought.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::limit::{Limit, Limits};
use super::named_fields::NamedFields;

/// What a main account bought: features, limits, included client accounts, limits for its clients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) features: BTreeSet<String>,
    #[serde(default)]
    pub(crate) whitelabel: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_accounts: Option<Limit>,
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub(crate) limits: Limits,
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub(crate) client_limits: Limits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_level: Option<String>,
    #[serde(skip)]
    pub(crate) named: NamedFields,
}

impl Package {
    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The features that it includes.
    pub fn features(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(String::as_str)
    }

    /// Whether it includes the whitelabel right.
    #[must_use]
    pub fn is_whitelabel(&self) -> bool {
        self.whitelabel
    }

    /// How many client accounts are included in the price (B2).
    #[must_use]
    pub fn client_accounts(&self) -> Option<Limit> {
        self.client_accounts
    }

    /// The account's own limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The limits of its clients, where the owner sets none (L6).
    #[must_use]
    pub fn client_limits(&self) -> &Limits {
        &self.client_limits
    }

    /// The built-in access level of clients created without one (L7).
    #[must_use]
    pub fn client_level(&self) -> Option<&str> {
        self.client_level.as_deref()
    }
}
