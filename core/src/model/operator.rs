//! The vendor's side: the platform and its operators.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::named_fields::NamedFields;
use super::{calendar, email};
use crate::util::error::Error;

/// The vendor. A directory has one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// The id, unique among the records of its type.
    pub(crate) id: String,
}

impl Platform {
    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// A role of an operator (O1). The policies say which role may do what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Answers tickets and writes to main accounts.
    Support,
    /// Changes packages and limits, and records payments and top-ups.
    Billing,
    /// Disables and restores accounts, handles domains and erases personal data.
    Trust,
    /// Does everything that the schema lists for operators.
    Admin,
}

impl Role {
    /// All roles, in the order of their bits.
    pub(crate) const ALL: [Self; 4] = [Self::Support, Self::Billing, Self::Trust, Self::Admin];
    /// The names of all roles, in the order of their bits.
    pub(crate) const NAMES: [&str; 4] = ["support", "billing", "trust", "admin"];

    /// Returns the name in the schema's `Role`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Support => "support",
            Self::Billing => "billing",
            Self::Trust => "trust",
            Self::Admin => "admin",
        }
    }
}

/// A login of the platform's staff. It works at platform domains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "OperatorForm")]
pub struct Operator {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) roles: BTreeSet<Role>,
    /// The instant before which the login's sessions do not count, in milliseconds since 1970 UTC.
    pub(crate) not_before: Option<i64>,
    pub(crate) named: NamedFields,
}

impl Operator {
    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the login's e-mail, normalised (I3).
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }

    /// Returns the roles. An operator without a role may do nothing that needs one (O1).
    pub fn roles(&self) -> impl Iterator<Item = Role> + '_ {
        self.roles.iter().copied()
    }

    /// Returns the instant before which the login's sessions do not count, in milliseconds since
    /// 1970 UTC (I7).
    #[must_use]
    pub fn not_before(&self) -> Option<i64> {
        self.not_before
    }
}

/// An operator as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct OperatorForm {
    /// The id, unique among the records of its type.
    id: String,
    /// The e-mail of the login.
    email: String,
    /// The roles. An operator without a role may do nothing that needs one. Absent: none (O1).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<Role>,
    /// The instant before which the login's sessions do not count. RFC 3339 (I7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<String>,
}

impl From<Operator> for OperatorForm {
    fn from(operator: Operator) -> Self {
        Self {
            id: operator.id,
            email: operator.email,
            roles: operator.roles.into_iter().collect(),
            not_before: operator.not_before.and_then(calendar::instant_text),
        }
    }
}

impl TryFrom<OperatorForm> for Operator {
    type Error = Error;

    fn try_from(form: OperatorForm) -> Result<Self, Error> {
        Ok(Self {
            email: email::normalise(&form.email)?,
            id: form.id,
            roles: form.roles.into_iter().collect(),
            not_before: form
                .not_before
                .as_deref()
                .map(calendar::parse_instant)
                .transpose()?,
            named: NamedFields::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Role;

    #[test]
    fn names_are_those_of_the_roles() {
        assert_eq!(Role::ALL.map(Role::as_str), Role::NAMES);
    }
}
