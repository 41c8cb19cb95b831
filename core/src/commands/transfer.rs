//! The transfer of a client to another owner: offered by its owner, consented to by the client,
//! accepted by the other owner.
//!
//! The client keeps its counts and its history. The settings of the old owner (level, limits,
//! reasons to disable the client) end.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CommandContext, CommandEffect, CommandTarget, entity};
use crate::directory::Change;
use crate::model::account::{Account, AccountKind, DisableReason};
use crate::model::limit::Limits;
use crate::model::pending_email::{LONGEST, USUAL};
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::model::transfer::PendingTransfer;
use crate::util::error::Error;

/// Offers a client to another owner, in place of an earlier offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OfferTransfer {
    /// The id of the client.
    pub account: String,
    /// The id of the owner to whom the client is offered.
    pub to: String,
    /// How long the offer is valid, in milliseconds. Default: seven days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for: Option<i64>,
}

/// Records the client's consent to the present offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ConsentTransfer {
    /// The id of the client.
    pub account: String,
    /// The owner of the offer, so that the client consents to the offer that it was shown.
    pub to: String,
}

/// Accepts an offered client, by the other owner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AcceptTransfer {
    /// The id of the client.
    pub account: String,
    /// The client's access level from now on: built-in, or the new owner's (L3).
    pub level: String,
    /// The client's own limits from now on, by meter (L6). The limits of the old owner end.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
}

/// Ends an offer: withdrawn by the owner, refused by the client, or declined by the other owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CancelTransfer {
    /// The id of the client.
    pub account: String,
}

/// Returns the client's offer if it has not expired.
fn offer(scene: &CommandContext<'_>, client: &Account) -> Option<PendingTransfer> {
    client
        .transfer
        .clone()
        .filter(|offer| scene.now < offer.until)
}

/// Adds the present offer to the context: the client, the new owner, and whether the client
/// consents.
fn told(scene: &CommandContext<'_>, client: &Account, target: CommandTarget) -> CommandTarget {
    let target = target.with("client", entity("Account", &client.id));
    match offer(scene, client) {
        Some(PendingTransfer { to, consented, .. }) => target
            .with("offered_to", entity("Account", &to))
            .with("consented", Value::Bool(consented)),
        None => target,
    }
}

fn without(client: Account) -> Vec<Change> {
    if client.transfer.is_none() {
        Vec::new()
    } else {
        vec![Change::Put(Record::Account(Account {
            transfer: None,
            ..client
        }))]
    }
}

impl CommandEffect for OfferTransfer {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        scene.account(&self.account)?;
        scene.account(&self.to)?;
        Ok(
            CommandTarget::new(EntityRef::new("Account", &self.account), &self.account)
                .with("to", entity("Account", &self.to))
                .with_optional("valid_for", self.valid_for),
        )
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let client = scene.account(&self.account)?;
        let time = self.valid_for.unwrap_or(USUAL);
        if !(1..=LONGEST).contains(&time) {
            return Err(Error::Ttl {
                ttl: time.to_string(),
            });
        }
        let offer = PendingTransfer {
            to: self.to.clone(),
            until: scene.now.saturating_add(time),
            consented: false,
        };
        Ok(vec![Change::Put(Record::Account(Account {
            transfer: Some(offer),
            ..client
        }))])
    }
}

impl CommandEffect for ConsentTransfer {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let client = scene.account(&self.account)?;
        scene.account(&self.to)?;
        let target = CommandTarget::new(EntityRef::new("Account", &self.account), &self.account)
            .with("to", entity("Account", &self.to));
        Ok(told(scene, &client, target))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let client = scene.account(&self.account)?;
        match offer(scene, &client) {
            Some(offer) if !offer.consented => {
                let offer = PendingTransfer {
                    consented: true,
                    ..offer
                };
                Ok(vec![Change::Put(Record::Account(Account {
                    transfer: Some(offer),
                    ..client
                }))])
            }
            _ => Ok(Vec::new()),
        }
    }
}

impl CommandEffect for AcceptTransfer {
    /// Returns the target. The resource is the account that takes the client, because its number of
    /// clients grows.
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let client = scene.account(&self.account)?;
        let own = scene.named_or_own(None)?;
        let mut target = told(
            scene,
            &client,
            CommandTarget::new(EntityRef::new("Account", own), own).lock_account(own),
        );
        if scene.directory.level(&self.level, scene.catalog).is_none() {
            return Err(Error::UnknownLevel {
                account: self.account.clone(),
                level: crate::util::text::short(&self.level),
            });
        }
        if let Some(owner) = client.owner() {
            target = target.lock_account(owner);
        }
        let given = scene.given_limits(&self.limits, Some(&self.level));
        Ok(target
            .with("level", entity("AccessLevel", &self.level))
            .with_limits(scene, &self.limits)
            .with_excess(scene, own, &given))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let client = scene.account(&self.account)?;
        let own = scene.named_or_own(None)?.to_owned();
        if client.owner() != Some(&own) {
            let taken = scene
                .directory
                .taken_logins(&self.account, Some(&own), scene.now);
            let emails: Vec<String> = taken.into_iter().map(|(_, email)| email).collect();
            if !emails.is_empty() {
                return Err(Error::TransferCollisions {
                    client: self.account.clone(),
                    owner: own,
                    emails: emails.join("`, `"),
                });
            }
        }
        let emails = scene.directory.emails_of(&self.account).into_iter();
        let ended: Vec<Change> = emails
            .filter_map(|email| scene.end_expired_invitation(&email, Some(&own)))
            .collect();
        let mut disabled = client.disabled.clone();
        disabled
            .retain(|reason| !matches!(reason, DisableReason::Overage | DisableReason::ByOwner));
        // A waiting token was sent in another realm and no longer confirms anything (I4).
        let kind = AccountKind::Client {
            owner: own,
            level: Some(self.level.clone()),
        };
        let moved = Change::Put(Record::Account(Account {
            kind,
            disabled,
            limits: self.limits.clone(),
            transfer: None,
            pending: None,
            ..client
        }));
        Ok(ended.into_iter().chain([moved]).collect())
    }
}

impl CommandEffect for CancelTransfer {
    /// Returns the target. The resource is the client if its owner or the client itself calls, and
    /// otherwise the caller's account.
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let client = scene.account(&self.account)?;
        let own = scene
            .directory
            .account_id_of(scene.principal)
            .unwrap_or(&self.account);
        let about = if Some(own) == client.owner() || own == self.account {
            &self.account
        } else {
            own
        };
        Ok(told(
            scene,
            &client,
            CommandTarget::new(EntityRef::new("Account", about), &self.account),
        ))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        Ok(without(scene.account(&self.account)?))
    }
}
