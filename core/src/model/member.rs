//! Team members: logins without an account of their own, and their grants.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::email;
use super::flags::MemberFlags;
use super::limit::Limits;
use super::named_fields::NamedFields;
use super::pending_email::PendingEmail;
use super::reference::check_id;
use crate::util::error::Error;

/// A login that works inside one account (M1).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(into = "MemberForm")]
pub struct TeamMember {
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) email: String,
    pub(crate) flags: MemberFlags,
    pub(crate) grants: BTreeSet<String>,
    pub(crate) sub_limits: Limits,
    pub(crate) pending: Option<PendingEmail>,
    pub(crate) attributes: Map<String, Value>,
    pub(crate) named: NamedFields,
}

impl TeamMember {
    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the account that the member works in.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Returns the login's e-mail, normalised (I3).
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }

    /// Returns whether the invitation was accepted. Until then the member takes a seat and can do
    /// nothing (M8).
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.flags.confirmed
    }

    /// Returns the features that the account lets the member use (M3).
    pub fn grants(&self) -> impl Iterator<Item = &str> {
        self.grants.iter().map(String::as_str)
    }

    /// Returns the member's own parts of the account's limits (M7).
    #[must_use]
    pub fn sub_limits(&self) -> &Limits {
        &self.sub_limits
    }

    /// Returns the attributes that the host stores with the member.
    #[must_use]
    pub fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }
}

/// A member as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberForm {
    /// The id, unique among the records of its type.
    id: String,
    /// The account in which the member works.
    account: String,
    /// The e-mail of the login.
    email: String,
    /// Whether the invitation was accepted. Absent: false (M8).
    #[serde(default)]
    confirmed: bool,
    /// The features that the member may use. Absent: none (M3).
    #[serde(default)]
    grants: BTreeSet<String>,
    /// The member's part of the account's limits, by meter (M7).
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    sub_limits: Limits,
    /// The invitation (M8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<PendingEmail>,
    /// The host's attributes, as the schema's `MemberAttributes` declares them.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    attributes: Map<String, Value>,
}

impl From<TeamMember> for MemberForm {
    fn from(member: TeamMember) -> Self {
        let TeamMember {
            id,
            account,
            email,
            flags,
            grants,
            sub_limits,
            pending,
            attributes,
            ..
        } = member;
        Self {
            id,
            account,
            email,
            confirmed: flags.confirmed,
            grants,
            sub_limits,
            pending,
            attributes,
        }
    }
}

impl TryFrom<MemberForm> for TeamMember {
    type Error = Error;

    fn try_from(form: MemberForm) -> Result<Self, Error> {
        let MemberForm {
            id,
            account,
            email,
            confirmed,
            grants,
            sub_limits,
            pending,
            attributes,
        } = form;
        for (what, id) in [("team member", &id), ("account", &account)] {
            check_id(what, id)?;
        }
        Ok(Self {
            email: email::normalise(&email)?,
            id,
            account,
            flags: MemberFlags { confirmed },
            grants,
            sub_limits,
            pending,
            attributes,
            named: NamedFields::default(),
        })
    }
}
