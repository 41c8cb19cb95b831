//! Access levels: named sets of enabled features (L1, L2).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::limit::Limits;
use super::named_fields::NamedFields;

/// A named set of enabled features. A level is built-in, or custom and owned by one owner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AccessLevel {
    /// The id, unique among the records of its type.
    pub(crate) id: String,
    /// The id of the owner's account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(crate) owner: Option<String>,
    /// The features that it enables. Absent: none.
    #[serde(default)]
    pub(crate) features: BTreeSet<String>,
    /// The limits of the clients that have it, by meter (L6).
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub(crate) limits: Limits,
    #[serde(skip)]
    pub(crate) named: NamedFields,
}

impl AccessLevel {
    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the owner's account, or `None` for a built-in level.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Returns the enabled features.
    pub fn features(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(String::as_str)
    }

    /// Returns the limits of the clients that have this level (L6).
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}
