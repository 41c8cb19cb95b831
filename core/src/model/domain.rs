//! Domains: host names of the platform or of one owner, and claims of host names (D4).

use serde::{Deserialize, Serialize};

use super::named_fields::NamedFields;
use super::{calendar, host};
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
    /// Given up, and withheld from all owners until the staff releases it.
    Quarantined,
    /// In use until the instant in `until`, because the DNS no longer has the proof.
    Lapsed,
}

impl DomainState {
    /// Returns the name in the schema's `DomainState`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Verified => "verified",
            Self::Quarantined => "quarantined",
            Self::Lapsed => "lapsed",
        }
    }

    /// Returns whether a domain in this state serves logins.
    #[must_use]
    pub fn is_in_use(self) -> bool {
        matches!(self, Self::Verified | Self::Lapsed)
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

/// A host name that belongs to the platform or to one owner, or an owner's claim of a host name.
///
/// The id of a domain is its normalised name. The id of a claim is `NAME/OWNER`, so that several
/// owners can claim one name, and none of them sees another's claim. A pending domain of an owner
/// at the plain name is a claim, too; hosts may put such records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "DomainForm")]
pub struct Domain {
    pub(crate) id: String,
    pub(crate) owner: Option<String>,
    pub(crate) state: DomainState,
    /// The first instant at which a claim has expired, or a lapsed domain is quarantined, in
    /// milliseconds since 1970 UTC.
    pub(crate) until: Option<i64>,
    #[serde(skip)]
    pub(crate) named: NamedFields,
}

/// Separates the name and the owner in the id of a claim. No host name has this character.
const CLAIM_SEPARATOR: &str = "/";

/// Returns the id of an owner's claim of a normalised name.
pub(crate) fn claim_id(name: &str, owner: &str) -> String {
    [name, CLAIM_SEPARATOR, owner].concat()
}

/// Returns the text with which the ids of all claims of a normalised name begin.
pub(crate) fn claim_prefix(name: &str) -> String {
    claim_id(name, "")
}

/// Returns whether an id is that of a claim.
pub(crate) fn is_claim_id(id: &str) -> bool {
    id.contains(CLAIM_SEPARATOR)
}

/// Returns the host name in the id of a domain or claim.
pub(crate) fn name_in_id(id: &str) -> &str {
    id.split_once(CLAIM_SEPARATOR).map_or(id, |(name, _)| name)
}

/// Returns the id with its host name in normal form.
pub(crate) fn normalise_id(id: &str) -> Result<String, &'static str> {
    match id.split_once(CLAIM_SEPARATOR) {
        Some((name, owner)) => Ok(claim_id(&host::normalise(name)?, owner)),
        None => host::normalise(id),
    }
}

impl Domain {
    /// Creates an owner's claim of a normalised name, which expires at `until`.
    pub(crate) fn claim(name: &str, owner: &str, until: i64) -> Self {
        Self {
            id: claim_id(name, owner),
            owner: Some(owner.to_owned()),
            state: DomainState::Pending,
            until: Some(until),
            named: NamedFields::default(),
        }
    }

    /// Returns the id: the normalised host name, or `NAME/OWNER` for a claim.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the normalised host name.
    #[must_use]
    pub fn name(&self) -> &str {
        name_in_id(&self.id)
    }

    /// Returns the owner of a whitelabel domain or of a claim, or `None` for a platform domain.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Returns the verification state.
    #[must_use]
    pub fn state(&self) -> DomainState {
        self.state
    }

    /// Returns the TXT record by which the DNS proves that the owner holds the name (D4). Each
    /// claim of a name has another one. Returns `None` for a platform domain. The record is not
    /// secret, because only the holder of the name can publish it.
    #[must_use]
    pub fn proof(&self) -> Option<String> {
        let digest = digest::sha256([self.owner()?, self.name()]);
        let hex = digest::hex(digest.iter().take(16));
        Some(format!("sublet-domain={hex}"))
    }

    /// Returns whether the domain serves logins: it is verified, or lapsed and in its last days.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.state.is_in_use()
    }

    /// Returns whether this is an owner's claim that has not expired.
    pub(crate) fn is_open_claim(&self, now: i64) -> bool {
        self.state == DomainState::Pending
            && self.owner.is_some()
            && self.until.is_none_or(|until| now < until)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct DomainForm {
    /// The normalised host name. Of a claim: the name, an `@`, and the owner.
    id: String,
    /// Whether the domain is the platform's or an owner's.
    kind: DomainOwnerForm,
    /// The owner's account of a `whitelabel` domain or claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// The state of the domain. Absent: pending.
    #[serde(default)]
    state: DomainState,
    /// The first instant at which a claim has expired, or a lapsed domain is quarantined. RFC
    /// 3339. A claim without it never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

impl From<Domain> for DomainForm {
    fn from(domain: Domain) -> Self {
        let kind = if domain.owner.is_some() {
            DomainOwnerForm::Whitelabel
        } else {
            DomainOwnerForm::Platform
        };
        Self {
            id: domain.id,
            kind,
            owner: domain.owner,
            state: domain.state,
            until: domain
                .until
                .map(|until| calendar::instant_text(until).unwrap_or_default()),
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
        let is_claim = form.state == DomainState::Pending && form.owner.is_some();
        let id = match form.id.split_once(CLAIM_SEPARATOR) {
            Some((_, owner)) if is_claim && form.owner.as_deref() == Some(owner) => {
                normalise_id(&form.id)
            }
            _ => host::normalise(&form.id),
        };
        let id = id.map_err(refused)?;
        if id.len() != form.id.len() && name_in_id(&form.id).contains(':') {
            return Err(refused("it has a port"));
        }
        if (form.kind == DomainOwnerForm::Whitelabel) != form.owner.is_some() {
            return Err(Error::DomainOwner { domain: id });
        }
        let is_lapsed = form.state == DomainState::Lapsed;
        let is_wrong = match form.until {
            Some(_) => !is_claim && !is_lapsed,
            None => is_lapsed,
        };
        if is_wrong || is_lapsed && form.owner.is_none() {
            return Err(Error::DomainUntil { domain: id });
        }
        let until = form.until.as_deref().map(calendar::parse_instant);
        Ok(Self {
            id,
            owner: form.owner,
            state: form.state,
            until: until.transpose()?,
            named: NamedFields::default(),
        })
    }
}
