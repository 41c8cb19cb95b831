//! Domains: host names of the platform or of one owner (D4).

use serde::{Deserialize, Serialize};

use super::host;
use super::named_fields::NamedFields;
use crate::util::digest;
use crate::util::error::Error;

/// The verification state of a domain (D4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DomainState {
    /// Not verified yet.
    #[default]
    Pending,
    /// In use.
    Verified,
    /// Released, and withheld from other owners for a while.
    Quarantined,
}

impl DomainState {
    /// Returns the name in the schema's `DomainState`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Verified => "verified",
            Self::Quarantined => "quarantined",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "DomainKind")
)]
#[serde(rename_all = "snake_case")]
enum DomainOwnerForm {
    Platform,
    Whitelabel,
}

/// A host name that belongs to the platform or to one owner. Its id is the normalised name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "DomainForm")]
pub struct Domain {
    pub(crate) name: String,
    pub(crate) owner: Option<String>,
    pub(crate) state: DomainState,
    #[serde(skip)]
    pub(crate) named: NamedFields,
}

impl Domain {
    /// Returns the normalised host name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the owner of a whitelabel domain, or `None` for a platform domain.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Returns the verification state.
    #[must_use]
    pub fn state(&self) -> DomainState {
        self.state
    }

    /// Returns the TXT record by which the DNS proves that the owner holds the name (D4). Returns
    /// `None` for a platform domain. The record is not secret, because only the holder of the name
    /// can publish it.
    #[must_use]
    pub fn proof(&self) -> Option<String> {
        let digest = digest::sha256([self.owner.as_ref()?, &self.name]);
        let hex = digest::hex(digest.iter().take(16));
        Some(format!("sublet-domain={hex}"))
    }

    /// Returns whether the domain is verified.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.state == DomainState::Verified
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct DomainForm {
    /// The normalised host name.
    id: String,
    /// Whether the domain is the platform's or an owner's.
    kind: DomainOwnerForm,
    /// The owner's account of a `whitelabel` domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// The state of the domain. Absent: pending.
    #[serde(default)]
    state: DomainState,
}

impl From<Domain> for DomainForm {
    fn from(domain: Domain) -> Self {
        let kind = if domain.owner.is_some() {
            DomainOwnerForm::Whitelabel
        } else {
            DomainOwnerForm::Platform
        };
        Self {
            id: domain.name,
            kind,
            owner: domain.owner,
            state: domain.state,
        }
    }
}

impl TryFrom<DomainForm> for Domain {
    type Error = Error;

    fn try_from(form: DomainForm) -> Result<Self, Error> {
        let refused = |reason: &str| Error::DomainName {
            domain: crate::util::text::short(&form.id),
            reason: reason.to_owned(),
        };
        let name = host::normalise(&form.id).map_err(refused)?;
        if name.len() != form.id.len() && form.id.contains(':') {
            return Err(refused("it has a port"));
        }
        if (form.kind == DomainOwnerForm::Whitelabel) != form.owner.is_some() {
            return Err(Error::DomainOwner { domain: name });
        }
        Ok(Self {
            name,
            owner: form.owner,
            state: form.state,
            named: NamedFields::default(),
        })
    }
}
