//! Commands that create, disable, restore, close and erase accounts.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::email::waiting;
use super::erase_member::erased;
use super::{CommandContext, CommandEffect, CommandTarget, entity};
use crate::directory::Change;
use crate::model::account::{Account, AccountKind, DisableReason};
use crate::model::calendar::Calendar;
use crate::model::email;
use crate::model::flags::AccountFlags;
use crate::model::limit::Limits;
use crate::model::named_fields::NamedFields;
use crate::model::pending_email::PendingEmail;
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::util::digest;
use crate::util::error::Error;

/// Creates a main account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateAccount {
    /// The id, unique among the records of its type.
    pub id: String,
    /// The e-mail of the login. It is unconfirmed (C4).
    pub email: String,
    /// The package that the account buys.
    pub package: String,
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

/// Adds a reason for which an account is disabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DisableAccount {
    /// The id of the account.
    pub account: String,
    /// The reason.
    pub reason: DisableReason,
}

/// Removes a reason for which an account is disabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RestoreAccount {
    /// The id of the account.
    pub account: String,
    /// The reason that no longer holds.
    pub reason: DisableReason,
}

/// Closes an account. Its e-mail and those of its members are released (I5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CloseAccount {
    /// The id of the account.
    pub account: String,
    /// Whether the caller knows of clients that can then no longer log in (C9).
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub confirmed: bool,
}

/// Erases the personal data of an account and of its members. A tombstone replaces their e-mails,
/// and their attributes are removed. An account that erases itself is closed by it (C14).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EraseAccount {
    /// The id of the account.
    pub account: String,
    /// Whether the caller knows of clients that can then no longer log in (C9).
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub confirmed: bool,
}

/// Builds a new account whose e-mail waits to be confirmed (C4).
pub(super) fn created(
    scene: &CommandContext<'_>,
    id: &str,
    email: &str,
    kind: AccountKind,
) -> Result<Account, Error> {
    let email = email::normalise(email)?;
    let account = Account {
        id: id.to_owned(),
        email: email.clone(),
        kind,
        flags: AccountFlags::default(),
        disabled: BTreeSet::new(),
        limits: Limits::new(),
        calendar: None,
        pending: None,
        transfer: None,
        created: Some(scene.now),
        closed_at: None,
        not_before: None,
        attributes: Map::new(),
        named: NamedFields::default(),
    };
    waiting(scene, account, &email, None)
}

/// Builds a calendar, or returns `None` if neither argument is given.
pub(super) fn calendar(
    zone: Option<&str>,
    anchor: Option<&str>,
) -> Result<Option<Calendar>, Error> {
    if zone.is_none() && anchor.is_none() {
        Ok(None)
    } else {
        Calendar::new(zone, anchor).map(Some)
    }
}

/// Returns the target of a command that adds or removes a reason.
fn about_reason(
    scene: &CommandContext<'_>,
    account: &str,
    reason: DisableReason,
) -> Result<CommandTarget, Error> {
    scene.account(account)?;
    Ok(
        CommandTarget::new(EntityRef::new("Account", account), account)
            .with("disable", entity("DisableReason", reason.as_str())),
    )
}

/// Adds the reason to the account or removes it. Returns no change if the account is as requested
/// already.
fn with_reason(
    scene: &CommandContext<'_>,
    account: &str,
    reason: DisableReason,
    put: bool,
) -> Result<Vec<Change>, Error> {
    let mut account = scene.account(account)?;
    if !reason.fits(&account.kind) {
        return Err(Error::DisableReason {
            account: account.id,
            reason: reason.as_str().to_owned(),
        });
    }
    let changed = if put {
        account.disabled.insert(reason)
    } else {
        account.disabled.remove(&reason)
    };
    Ok(if changed {
        vec![Change::Put(Record::Account(account))]
    } else {
        Vec::new()
    })
}

/// Returns the target of a command that closes an account. Its context has the number of clients,
/// who could then no longer log in (C9).
fn closing(
    scene: &CommandContext<'_>,
    account: &str,
    confirmed: bool,
) -> Result<CommandTarget, Error> {
    let found = scene.account(account)?;
    let clients = if found.is_closed() {
        0
    } else {
        scene.clients_of(account)
    };
    let target = CommandTarget::new(EntityRef::new("Account", account), account)
        .with("clients", clients.into())
        .with("confirmed", Value::Bool(confirmed));
    Ok(match found.owner() {
        Some(owner) => target.lock_account(owner),
        None => target,
    })
}

/// Returns the account as closed now, or unchanged if it is closed already.
fn closed(account: Account, scene: &CommandContext<'_>) -> Account {
    if account.is_closed() {
        return account;
    }
    Account {
        flags: AccountFlags {
            closed: true,
            ..account.flags
        },
        closed_at: Some(scene.now),
        ..account
    }
}

/// Returns the e-mail that replaces the e-mail of an erased login. It is as unique as the id. It
/// contains a hash instead of the id, because an id may be a name.
pub(super) fn tombstone(kind: &str, id: &str) -> String {
    let digest = digest::sha256([kind, id]);
    let hash = digest::hex(digest.iter().take(16));
    // Nobody receives mail at `.invalid`.
    format!("erased-{hash}@erased.invalid")
}

/// Replaces the address of a pending e-mail. The token that was sent is bound to the old address,
/// and so it is no longer valid.
fn readdress(pending: &mut Option<PendingEmail>, email: &str) {
    if let Some(pending) = pending {
        email.clone_into(&mut pending.email);
    }
}

impl CommandEffect for CreateAccount {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let platform = scene
            .directory
            .platform()
            .map_or("", crate::model::operator::Platform::id);
        let attributes = scene.attributes("Account", &self.attributes, &self.attributes);
        Ok(
            CommandTarget::new(EntityRef::new("Platform", platform), &self.id)
                .with("id", self.id.as_str().into())
                .with_email(&self.email)
                .with("package", entity("Package", &self.package))
                .with_limits(scene, &self.limits)
                .with_calendar(self.zone.as_deref(), self.anchor.as_deref())
                .with_optional("attributes", attributes)
                .with("resumed", self.resumed.into()),
        )
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let resumed = scene.new_id("Account", &self.id, None, self.resumed)?;
        let account = created(
            scene,
            &self.id,
            &self.email,
            AccountKind::Main {
                package: self.package.clone(),
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
            .chain(scene.end_expired_invitation(&account.email, None))
            .chain([Change::Put(Record::Account(account))])
            .collect())
    }
}

impl CommandEffect for DisableAccount {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        about_reason(scene, &self.account, self.reason)
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        with_reason(scene, &self.account, self.reason, true)
    }
}

impl CommandEffect for RestoreAccount {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        about_reason(scene, &self.account, self.reason)
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        with_reason(scene, &self.account, self.reason, false)
    }
}

impl CommandEffect for CloseAccount {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        closing(scene, &self.account, self.confirmed)
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let account = scene.account(&self.account)?;
        if account.is_closed() {
            return Ok(Vec::new());
        }
        Ok(vec![Change::Put(Record::Account(closed(account, scene)))])
    }
}

impl CommandEffect for EraseAccount {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        closing(scene, &self.account, self.confirmed)
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let mut account = closed(scene.account(&self.account)?, scene);
        account.email = tombstone("Account", &account.id);
        readdress(&mut account.pending, &account.email);
        account.attributes.clear();
        account.flags.erased = true;
        let mut changes = vec![Change::Put(Record::Account(account))];
        for mut member in scene.directory.members_of(&self.account) {
            // A service account loses its key, and holds no seat afterwards either.
            if member.is_service() {
                let member = erased(member, scene.now);
                changes.push(Change::Put(Record::TeamMember(member)));
                continue;
            }
            member.email = tombstone("TeamMember", &member.id);
            readdress(&mut member.pending, &member.email);
            member.attributes.clear();
            changes.push(Change::Put(Record::TeamMember(member)));
        }
        Ok(changes)
    }
}
