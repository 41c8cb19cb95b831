//! Team members: logins without an account of their own, and their grants.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::flags::MemberFlags;
use super::limit::Limits;
use super::named_fields::NamedFields;
use super::pending_email::PendingEmail;
use super::reference::check_id;
use super::service_key::ServiceKey;
use super::{calendar, email};
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
    /// The key of a service account. The flag `service` says whether there is one.
    pub(crate) service: Option<ServiceKey>,
    /// The instant before which the login's sessions do not count, in milliseconds since 1970 UTC.
    pub(crate) not_before: Option<i64>,
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

    /// Returns the login's e-mail, normalised (I3). A service account has none: the text is empty.
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

    /// Returns whether this is a service account: a login for programs, with a key (I7).
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.flags.service
    }

    /// Returns the instant before which the login's sessions do not count, in milliseconds since
    /// 1970 UTC (I7).
    #[must_use]
    pub fn not_before(&self) -> Option<i64> {
        self.not_before
    }

    /// Returns the text by which the login is found: its e-mail, or the hash of its key. No e-mail
    /// is a hash, because it contains an `@`.
    pub(crate) fn login_name(&self) -> &str {
        self.service
            .as_ref()
            .map_or(&self.email, |service| &service.hash)
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
    /// The e-mail of the login. A service account has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Whether the invitation was accepted. Absent: false (M8).
    #[serde(default)]
    confirmed: bool,
    /// The features that the member may use. Absent: none (M3).
    #[serde(default)]
    grants: BTreeSet<String>,
    /// The member's part of the account's limits, by meter (M7).
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    sub_limits: Limits,
    /// The invitation, or an e-mail that waits to be confirmed (M8, M9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<PendingEmail>,
    /// The key of a service account (I7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<ServiceKey>,
    /// The instant before which the login's sessions do not count. RFC 3339 (I7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<String>,
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
            service,
            not_before,
            attributes,
            ..
        } = member;
        Self {
            id,
            account,
            email: service.is_none().then_some(email),
            confirmed: flags.confirmed,
            grants,
            sub_limits,
            pending,
            service,
            not_before: not_before.and_then(calendar::instant_text),
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
            service,
            not_before,
            attributes,
        } = form;
        for (what, id) in [("team member", &id), ("account", &account)] {
            check_id(what, id)?;
        }
        let email = match (email, &service) {
            (Some(email), None) => email::normalise(&email)?,
            (None, Some(_)) => String::new(),
            (email, _) => {
                let reason = email.map_or(
                    "missing field `email`",
                    |_| "a service account has no `email`",
                );
                return Err(Error::Record {
                    line: 1,
                    reason: reason.to_owned(),
                });
            }
        };
        Ok(Self {
            email,
            id,
            account,
            flags: MemberFlags {
                confirmed,
                service: service.is_some(),
            },
            grants,
            sub_limits,
            pending,
            service,
            not_before: not_before
                .as_deref()
                .map(calendar::parse_instant)
                .transpose()?,
            attributes,
            named: NamedFields::default(),
        })
    }
}
