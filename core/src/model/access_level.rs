//! Access levels: named sets of enabled features (L1, L2).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::limit::Limits;
use super::named_fields::NamedFields;

/// A named set of enabled features: built-in, or custom and then one owner's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessLevel {
    pub(crate) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    #[serde(default)]
    pub(crate) features: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub(crate) limits: Limits,
    #[serde(skip)]
    pub(crate) named: NamedFields,
}

impl AccessLevel {
    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whose it is; a built-in level is nobody's.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// The features that it enables.
    pub fn features(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(String::as_str)
    }

    /// Limits of the clients that have it (L6).
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}
