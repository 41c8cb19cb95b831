//! Commands that change and confirm e-mails (C4, I4, M8).

use serde::{Deserialize, Serialize};

use super::{CommandContext, CommandEffect, CommandTarget};
use crate::directory::Change;
use crate::model::account::Account;
use crate::model::email;
use crate::model::flags::{AccountFlags, MemberFlags};
use crate::model::member::TeamMember;
use crate::model::pending_email::{EmailOwner, PendingEmail};
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

/// Changes the e-mail of an account's login. The old e-mail stays valid until the new one is
/// confirmed. The present e-mail takes back an earlier change. The e-mail of an unconfirmed account
/// is corrected at once (C12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangeEmail {
    /// The id of the account.
    pub account: String,
    /// The new e-mail.
    pub email: String,
    /// How long the token is valid, in milliseconds. Default: seven days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for: Option<i64>,
}

/// Creates a new token for the e-mail that an account has to confirm. The previous token is no
/// longer valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ResendConfirmation {
    /// The id of the account.
    pub account: String,
    /// How long the token is valid, in milliseconds. Default: seven days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for: Option<i64>,
}

/// Confirms an account's e-mail with the token that was sent to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ConfirmEmail {
    /// The id of the account.
    pub account: String,
    /// The token that was sent.
    pub token: String,
}

/// Accepts an invitation with the token that was sent to the invited member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AcceptInvitation {
    /// The id of the member.
    pub member: String,
    /// The token that was sent.
    pub token: String,
}

fn about(scene: &CommandContext<'_>, account: &str) -> Result<CommandTarget, Error> {
    scene.account(account)?;
    Ok(CommandTarget::new(
        EntityRef::new("Account", account),
        account,
    ))
}

/// Returns the account with a new token for this e-mail.
pub(super) fn waiting(
    scene: &CommandContext<'_>,
    account: Account,
    email: &str,
    time: Option<i64>,
) -> Result<Account, Error> {
    let login = EntityRef::new("Account", &account.id);
    let holder = EmailOwner {
        login: &login,
        owner: account.owner(),
    };
    let pending = PendingEmail::new(scene.token()?, email, &holder, scene.now, time)?;
    Ok(Account {
        pending: Some(pending),
        ..account
    })
}

impl CommandEffect for ChangeEmail {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        Ok(about(scene, &self.account)?
            .with_email(&self.email)
            .with_optional("valid_for", self.valid_for))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let account = scene.account(&self.account)?;
        let email = email::normalise(&self.email)?;
        if !account.is_confirmed() {
            let ended = scene.end_expired_invitation(&email, account.owner());
            let corrected = Account {
                email: email.clone(),
                ..account
            };
            let corrected = waiting(scene, corrected, &email, self.valid_for)?;
            return Ok(ended
                .into_iter()
                .chain([Change::Put(Record::Account(corrected))])
                .collect());
        }
        if email != account.email {
            let account = waiting(scene, account, &email, self.valid_for)?;
            return Ok(vec![Change::Put(Record::Account(account))]);
        }
        // The present e-mail takes the change back: the token that was sent is no longer valid.
        Ok(if account.pending.is_none() {
            Vec::new()
        } else {
            vec![Change::Put(Record::Account(Account {
                pending: None,
                ..account
            }))]
        })
    }
}

impl CommandEffect for ResendConfirmation {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let account = scene.account(&self.account)?;
        let is_pending = account.pending.is_some() || !account.is_confirmed();
        Ok(about(scene, &self.account)?
            .with("pending", is_pending.into())
            .with_optional("valid_for", self.valid_for))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let account = scene.account(&self.account)?;
        let email = match &account.pending {
            Some(pending) => pending.email.clone(),
            None if account.is_confirmed() => {
                return Err(Error::Token {
                    login: EntityRef::new("Account", &self.account).to_string(),
                });
            }
            None => account.email.clone(),
        };
        Ok(vec![Change::Put(Record::Account(waiting(
            scene,
            account,
            &email,
            self.valid_for,
        )?))])
    }
}

impl CommandEffect for ConfirmEmail {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let is_pending = scene.account(&self.account)?.pending.is_some();
        Ok(about(scene, &self.account)?.with("pending", is_pending.into()))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let account = scene.account(&self.account)?;
        let login = EntityRef::new("Account", &self.account);
        let holder = EmailOwner {
            login: &login,
            owner: account.owner(),
        };
        match &account.pending {
            Some(pending) if pending.is_confirmed_by(&self.token, &holder, scene.now) => {
                let email = pending.email.clone();
                let ended = scene.end_expired_invitation(&email, account.owner());
                let confirmed = Change::Put(Record::Account(Account {
                    email,
                    flags: AccountFlags {
                        confirmed: true,
                        ..account.flags
                    },
                    pending: None,
                    ..account
                }));
                Ok(ended.into_iter().chain([confirmed]).collect())
            }
            _ => Err(Error::Token {
                login: login.to_string(),
            }),
        }
    }
}

impl CommandEffect for AcceptInvitation {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let TeamMember {
            account, pending, ..
        } = scene.member(&self.member)?;
        Ok(
            CommandTarget::new(EntityRef::new("Account", &account), &account)
                .with("pending", pending.is_some().into())
                .lock_account(&account),
        )
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let member = scene.member(&self.member)?;
        let login = EntityRef::new("TeamMember", &self.member);
        let holder = EmailOwner {
            login: &login,
            owner: scene.realm_of(&member.account),
        };
        match &member.pending {
            Some(pending) if pending.is_confirmed_by(&self.token, &holder, scene.now) => {
                Ok(vec![Change::Put(Record::TeamMember(TeamMember {
                    flags: MemberFlags { confirmed: true },
                    pending: None,
                    ..member
                }))])
            }
            _ => Err(Error::Token {
                login: login.to_string(),
            }),
        }
    }
}
