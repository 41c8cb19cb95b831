//! Packages that main accounts buy.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::flags::PackageFlags;
use super::limit::{Limit, Limits};
use super::named_fields::NamedFields;

/// The meter whose limit a package states in a field of its own.
const CLIENT_ACCOUNTS: &str = "client_accounts";

/// A package that a main account buys: features, limits, included client accounts, and limits for
/// its clients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The id, unique among the records of its type.
    pub(crate) id: String,
    /// The features that its accounts may use. Absent: none.
    #[serde(default)]
    pub(crate) features: BTreeSet<String>,
    /// The right to have client accounts and own domains. Absent: false.
    #[serde(default)]
    pub(crate) whitelabel: bool,
    /// Whether an account may choose the package itself. Absent: only the staff sets it (B13).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) self_service: bool,
    /// The number of included client accounts (B2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_accounts: Option<Limit>,
    /// The limits of the account, by meter.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub(crate) limits: Limits,
    /// The limits of its clients, if neither they nor their levels have limits (L6).
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub(crate) client_limits: Limits,
    /// The most that the owner may set as a limit of a client or of an access level, by meter. A
    /// meter that is not listed has no maximum (L8).
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub(crate) client_limits_max: Limits,
    /// The access level of new clients (L7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_level: Option<String>,
    #[serde(skip)]
    pub(crate) named: NamedFields,
}

impl Package {
    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the included features.
    pub fn features(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(String::as_str)
    }

    /// Returns whether the package includes the whitelabel right.
    #[must_use]
    pub fn is_whitelabel(&self) -> bool {
        self.whitelabel
    }

    /// Returns whether an account may choose the package itself (B13).
    #[must_use]
    pub fn is_self_service(&self) -> bool {
        self.self_service
    }

    /// Returns the boolean attributes that policies read.
    pub(crate) fn flags(&self) -> PackageFlags {
        PackageFlags {
            whitelabel: self.whitelabel,
            self_service: self.self_service,
        }
    }

    /// Returns the number of client accounts that the price includes (B2).
    #[must_use]
    pub fn client_accounts(&self) -> Option<Limit> {
        self.client_accounts
    }

    /// Returns the limit of a meter of the account that has this package, if the package states one.
    pub(crate) fn limit(&self, meter: &str) -> Option<Limit> {
        let stated = self.limits.get(meter).copied();
        stated.or_else(|| self.client_accounts.filter(|_| meter == CLIENT_ACCOUNTS))
    }

    /// Returns the limits of the account that has this package.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the limits of the account's clients, used if the owner sets none (L6).
    #[must_use]
    pub fn client_limits(&self) -> &Limits {
        &self.client_limits
    }

    /// Returns the greatest limits that the owner may set for clients (L8).
    #[must_use]
    pub fn client_limits_max(&self) -> &Limits {
        &self.client_limits_max
    }

    /// Returns the built-in access level of clients that are created without one (L7).
    #[must_use]
    pub fn client_level(&self) -> Option<&str> {
        self.client_level.as_deref()
    }
}
