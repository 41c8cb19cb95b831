//! The vendor's side: the platform and its operators.

use serde::{Deserialize, Serialize};

use super::email;
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

/// A login of the platform's staff. It works at platform domains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operator {
    pub(crate) id: String,
    pub(crate) email: String,
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
}

#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct OperatorForm {
    /// The id, unique among the records of its type.
    id: String,
    /// The e-mail of the login.
    email: String,
}

impl TryFrom<OperatorForm> for Operator {
    type Error = Error;

    fn try_from(form: OperatorForm) -> Result<Self, Error> {
        Ok(Self {
            email: email::normalise(&form.email)?,
            id: form.id,
        })
    }
}
