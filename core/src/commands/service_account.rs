//! Commands about service accounts: logins of an account for programs, with a key (I7).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::member::{about, beyond_own_part, declared, put};
use super::{CommandContext, CommandEffect, CommandTarget};
use crate::directory::Change;
use crate::model::flags::MemberFlags;
use crate::model::limit::Limits;
use crate::model::member::TeamMember;
use crate::model::named_fields::NamedFields;
use crate::model::pending_email;
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::model::service_key::{ServiceKey, key_hash, normal_hosts};
use crate::util::error::Error;

/// Creates a service account: a login of an account for programs. It has a key and no e-mail, and
/// holds no seat. The answer contains the key, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateServiceAccount {
    /// The id, unique among the members of all accounts.
    pub id: String,
    /// The name of the program, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The account of the service account. Default: the caller's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The features that the service account may use (M3).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub grants: BTreeSet<String>,
    /// The service account's part of the account's limits, by meter (M7).
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub sub_limits: Limits,
    /// How long the key is valid, in milliseconds. Default: until it is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for: Option<i64>,
    /// The hosts at which the key is valid. Default: wherever the account's logins come in.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub hosts: BTreeSet<String>,
    /// The host's attributes, as the schema's `MemberAttributes` declares them.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// Whether the service account with this id has come back. It then continues with its counts
    /// and history (I5).
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub resumed: bool,
}

/// Replaces the key of a service account. The previous key is no longer valid, and the sessions that
/// it opened end. The answer contains the new key, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RotateKey {
    /// The id of the service account.
    pub member: String,
    /// How long the new key is valid, in milliseconds. Default: the expiry stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for: Option<i64>,
}

/// Edits the name, the expiry and the hosts of a service account. Absent fields stay as they are.
/// `grant_member` and `edit_member` change its grants, sub-limits and attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EditServiceAccount {
    /// The id of the service account.
    pub member: String,
    /// The name of the program, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How long the key is valid from now on, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for: Option<i64>,
    /// All hosts at which the key is valid. An empty list: wherever the account's logins come in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<BTreeSet<String>>,
}

/// Removes a service account. Its key is no longer valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RemoveServiceAccount {
    /// The id of the service account.
    pub member: String,
}

/// Returns the first instant at which a key is no longer valid.
fn expiry(scene: &CommandContext<'_>, valid_for: Option<i64>) -> Result<Option<i64>, Error> {
    valid_for
        .map(|time| {
            if (1..=pending_email::LONGEST).contains(&time) {
                Ok(scene.now.saturating_add(time))
            } else {
                Err(Error::Ttl {
                    ttl: time.to_string(),
                })
            }
        })
        .transpose()
}

/// Adds the limits of a key to the context of the action.
fn with_key(
    scene: &CommandContext<'_>,
    target: CommandTarget,
    expires_at: Option<i64>,
    hosts: &BTreeSet<String>,
) -> CommandTarget {
    let hosts = hosts.iter().cloned().collect::<Value>();
    target
        .with("now", scene.now.into())
        .with("hosts", hosts)
        .with_optional("expires_at", expires_at)
}

/// Returns the service account, and its key.
///
/// # Errors
/// [`Error::UnknownRecord`] if there is no such service account.
fn service(scene: &CommandContext<'_>, id: &str) -> Result<(TeamMember, ServiceKey), Error> {
    let member = scene.member(id)?;
    match member.service.clone() {
        Some(key) => Ok((member, key)),
        None => Err(Error::UnknownRecord {
            record: EntityRef::new("TeamMember", id).to_string(),
        }),
    }
}

impl CommandEffect for CreateServiceAccount {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let account = scene.named_or_own(self.account.as_deref())?;
        scene.account(account)?;
        declared(scene, &self.id, &self.grants)?;
        let beyond = beyond_own_part(scene, None, &self.sub_limits);
        let attributes = scene.attributes("TeamMember", &self.attributes, &self.attributes);
        let target = CommandTarget::new(EntityRef::new("Account", account), account)
            .with("id", self.id.as_str().into())
            .with_optional("name", self.name.as_deref())
            .with("grants", scene.features(&self.grants))
            .with_sub_limits(scene, &self.sub_limits)
            .with("beyond_own_part", beyond)
            .with_optional("valid_for", self.valid_for)
            .with_optional("attributes", attributes)
            .with("resumed", self.resumed.into());
        Ok(with_key(
            scene,
            target,
            expiry(scene, self.valid_for)?,
            &normal_hosts(&self.hosts)?,
        ))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let account = scene.named_or_own(self.account.as_deref())?;
        let resumed = scene.new_id("TeamMember", &self.id, Some(account), self.resumed)?;
        let member = TeamMember {
            id: self.id.clone(),
            account: account.to_owned(),
            email: String::new(),
            flags: MemberFlags {
                confirmed: true,
                service: true,
            },
            grants: self.grants.clone(),
            sub_limits: self.sub_limits.clone(),
            pending: None,
            service: Some(ServiceKey {
                hash: key_hash(scene.token()?),
                name: self.name.clone(),
                expires_at: expiry(scene, self.valid_for)?,
                hosts: normal_hosts(&self.hosts)?,
            }),
            not_before: None,
            attributes: self.attributes.clone(),
            named: NamedFields::default(),
        };
        Ok(resumed
            .into_iter()
            .chain([Change::Put(Record::TeamMember(member))])
            .collect())
    }
}

impl CommandEffect for RotateKey {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let target = about(scene, &self.member)?.with_optional("valid_for", self.valid_for);
        let expires_at = expiry(scene, self.valid_for)?;
        match scene.member(&self.member)?.service {
            Some(key) => {
                let expires_at = expires_at.or(key.expires_at);
                Ok(with_key(scene, target, expires_at, &key.hosts))
            }
            None => Ok(target),
        }
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let (member, key) = service(scene, &self.member)?;
        let key = ServiceKey {
            hash: key_hash(scene.token()?),
            expires_at: expiry(scene, self.valid_for)?.or(key.expires_at),
            ..key
        };
        Ok(vec![Change::Put(Record::TeamMember(TeamMember {
            service: Some(key),
            not_before: member.not_before.max(Some(scene.now)),
            ..member
        }))])
    }
}

impl EditServiceAccount {
    fn after(&self, scene: &CommandContext<'_>, before: ServiceKey) -> Result<ServiceKey, Error> {
        let expires_at = expiry(scene, self.valid_for)?.or(before.expires_at);
        let hosts = self.hosts.as_ref().map(normal_hosts).transpose()?;
        Ok(ServiceKey {
            name: self.name.clone().or(before.name),
            expires_at,
            hosts: hosts.unwrap_or(before.hosts),
            hash: before.hash,
        })
    }
}

impl CommandEffect for EditServiceAccount {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let target = about(scene, &self.member)?
            .with_optional("name", self.name.as_deref())
            .with_optional("valid_for", self.valid_for);
        match scene.member(&self.member)?.service {
            Some(before) => {
                let after = self.after(scene, before)?;
                Ok(with_key(scene, target, after.expires_at, &after.hosts))
            }
            None => Ok(target),
        }
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let (before, key) = service(scene, &self.member)?;
        let after = TeamMember {
            service: Some(self.after(scene, key)?),
            ..before.clone()
        };
        Ok(put(after, &before))
    }
}

impl CommandEffect for RemoveServiceAccount {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        about(scene, &self.member)
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        service(scene, &self.member)?;
        let member = EntityRef::new("TeamMember", &self.member);
        Ok(vec![Change::Remove(member)])
    }
}
