//! Commands by which an owner creates client accounts and sets their access level (C3).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::account::{calendar, created};
use super::{CommandContext, CommandEffect, CommandTarget, entity};
use crate::directory::Change;
use crate::model::account::{Account, AccountKind};
use crate::model::limit::Limits;
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

/// Creates a client account of an owner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateClient {
    /// The id, unique among the records of its type.
    pub id: String,
    /// The e-mail of the login. It is unconfirmed (C4).
    pub email: String,
    /// The owner of the client. Default: the caller's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The access level. Default: the one of the owner's package (L7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// The limits of the account itself, by meter. They override those of package and level (L6).
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// The IANA time zone in which the account's days and months begin. Absent: UTC (Q9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The day from which the account's months are counted, `YYYY-MM-DD`. Absent: the first of the
    /// month (Q9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<String>,
    /// The host's attributes, as the schema's `AccountAttributes` declares them.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// Whether the account with this id has come back. The account then continues with its counts
    /// and history (I5).
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub resumed: bool,
}

/// Attaches another access level to a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AttachLevel {
    /// The id of the client.
    pub account: String,
    /// The new access level: built-in, or one of the owner's (L3).
    pub level: String,
}

impl CommandEffect for CreateClient {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let owner = scene.named_or_own(self.owner.as_deref())?;
        scene.account(owner)?;
        // Without a named level the client gets that of the package (L7).
        let level = self.level.as_deref().or_else(|| scene.client_level(owner));
        let given = scene.given_limits(&self.limits, level);
        let target = CommandTarget::new(EntityRef::new("Account", owner), owner)
            .with("id", self.id.as_str().into())
            .with_email(&self.email)
            .with_optional("level", level.map(|level| entity("AccessLevel", level)))
            .with_limits(scene, &self.limits)
            .with_excess(scene, owner, &given)
            .with_calendar(self.zone.as_deref(), self.anchor.as_deref())
            .with("resumed", self.resumed.into());
        let attributes = scene.attributes("Account", &self.attributes, &self.attributes);
        Ok(target
            .with_optional("attributes", attributes)
            .lock_account(owner))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let owner = scene.named_or_own(self.owner.as_deref())?.to_owned();
        let resumed = scene.new_id("Account", &self.id, Some(&owner), self.resumed)?;
        let account = created(
            scene,
            &self.id,
            &self.email,
            AccountKind::Client {
                owner,
                level: self.level.clone(),
            },
        )?;
        let calendar = calendar(self.zone.as_deref(), self.anchor.as_deref())?;
        let account = Account {
            limits: self.limits.clone(),
            calendar,
            attributes: self.attributes.clone(),
            ..account
        };
        Ok(resumed
            .into_iter()
            .chain(scene.end_expired_invitation(&account.email, account.owner()))
            .chain([Change::Put(Record::Account(account))])
            .collect())
    }
}

impl CommandEffect for AttachLevel {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let account = scene.account(&self.account)?;
        if scene.directory.level(&self.level, scene.catalog).is_none() {
            return Err(Error::UnknownLevel {
                account: self.account.clone(),
                level: crate::util::text::short(&self.level),
            });
        }
        let target = CommandTarget::new(EntityRef::new("Account", &self.account), &self.account)
            .with("level", entity("AccessLevel", &self.level));
        // The client's own limits are in force already.
        let mut given = scene.limits_of_level(Some(&self.level));
        given.retain(|meter, _| !account.limits.contains_key(meter));
        Ok(target.with_excess(scene, account.owner().unwrap_or_default(), &given))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let mut account = scene.account(&self.account)?;
        match &mut account.kind {
            AccountKind::Client { level, .. } if level.as_deref() == Some(&self.level) => {
                return Ok(Vec::new());
            }
            AccountKind::Client { level, .. } => *level = Some(self.level.clone()),
            AccountKind::Main { .. } => {
                return Err(Error::NotClient {
                    account: account.id,
                });
            }
        }
        Ok(vec![Change::Put(Record::Account(account))])
    }
}
