//! Commands that change and confirm e-mails (C4, I4, M8, M9).

use serde::{Deserialize, Serialize};

use super::login::NamedLogin;
use super::{CommandContext, CommandEffect, CommandTarget};
use crate::directory::Change;
use crate::model::account::Account;
use crate::model::email;
use crate::model::flags::MemberFlags;
use crate::model::member::TeamMember;
use crate::model::pending_email::{EmailOwner, PendingEmail};
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

/// Changes the e-mail of a login: of an account, or of a member (C12, M9).
///
/// The old e-mail stays valid until the new one is confirmed. The present e-mail takes back an
/// earlier change. The e-mail of an unconfirmed account is corrected at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangeEmail {
    /// The id of the account. Without `account` and `member`, the login is the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The id of the member, if the login is a member (M9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The new e-mail.
    pub email: String,
    /// How long the token is valid, in milliseconds. Default: seven days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for: Option<i64>,
}

/// Creates a new token for the e-mail that a login has to confirm. The previous token is no longer
/// valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ResendConfirmation {
    /// The id of the account. Without `account` and `member`, the login is the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The id of the member, if the login is a member (M9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// How long the token is valid, in milliseconds. Default: seven days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for: Option<i64>,
}

/// Confirms the e-mail of a login with the token that was sent to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ConfirmEmail {
    /// The id of the account. Without `account` and `member`, the login is the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The id of the member, if the login is a member (M9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
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

/// Returns the member with a new token for this e-mail.
pub(super) fn waiting_member(
    scene: &CommandContext<'_>,
    member: TeamMember,
    email: &str,
    time: Option<i64>,
) -> Result<TeamMember, Error> {
    let login = EntityRef::new("TeamMember", &member.id);
    let holder = EmailOwner {
        login: &login,
        owner: scene.realm_of(&member.account),
    };
    let pending = PendingEmail::new(scene.token()?, email, &holder, scene.now, time)?;
    Ok(TeamMember {
        pending: Some(pending),
        ..member
    })
}

impl NamedLogin {
    fn email(&self) -> &str {
        match self {
            Self::Account(account) => account.email(),
            Self::Member(member) => member.email(),
            Self::Operator(operator) => operator.email(),
        }
    }

    /// Returns the e-mail that waits to be confirmed. The token of an invitation is for
    /// `accept_invitation`.
    fn pending(&self) -> Option<&PendingEmail> {
        match self {
            Self::Account(account) => account.pending.as_ref(),
            Self::Member(member) => member.pending.as_ref().filter(|_| member.is_confirmed()),
            Self::Operator(_) => None,
        }
    }

    /// Returns the change that ends a change of the e-mail: the token that was sent is no longer
    /// valid.
    fn taken_back(self) -> Vec<Change> {
        if self.pending().is_none() {
            return Vec::new();
        }
        let after = match self {
            Self::Account(account) => Record::Account(Account {
                pending: None,
                ..*account
            }),
            Self::Member(member) => Record::TeamMember(TeamMember {
                pending: None,
                ..*member
            }),
            Self::Operator(operator) => Record::Operator(operator),
        };
        vec![Change::Put(after)]
    }

    /// Returns the login with a new token for this e-mail.
    fn waiting(
        self,
        scene: &CommandContext<'_>,
        email: &str,
        time: Option<i64>,
    ) -> Result<Record, Error> {
        match self {
            Self::Account(account) => waiting(scene, *account, email, time).map(Record::Account),
            Self::Member(member) => {
                waiting_member(scene, *member, email, time).map(Record::TeamMember)
            }
            Self::Operator(operator) => Err(Error::Token {
                login: EntityRef::new("Operator", &operator.id).to_string(),
            }),
        }
    }
}

impl CommandEffect for ChangeEmail {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let login = scene.login(self.account.as_deref(), self.member.as_deref())?;
        Ok(login
            .target()
            .with_email(&self.email)
            .with_optional("valid_for", self.valid_for))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let login = scene.login(self.account.as_deref(), self.member.as_deref())?;
        let email = email::normalise(&self.email)?;
        match login {
            NamedLogin::Account(account) if !account.is_confirmed() => {
                let ended = scene.end_expired_invitation(&email, account.owner());
                let corrected = Account {
                    email: email.clone(),
                    ..*account
                };
                let corrected = waiting(scene, corrected, &email, self.valid_for)?;
                Ok(ended
                    .into_iter()
                    .chain([Change::Put(Record::Account(corrected))])
                    .collect())
            }
            login if login.email() == email => Ok(login.taken_back()),
            login => {
                let after = login.waiting(scene, &email, self.valid_for)?;
                Ok(vec![Change::Put(after)])
            }
        }
    }
}

impl CommandEffect for ResendConfirmation {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let login = scene.login(self.account.as_deref(), self.member.as_deref())?;
        let is_unconfirmed =
            matches!(&login, NamedLogin::Account(account) if !account.is_confirmed());
        let is_pending = is_unconfirmed || login.pending().is_some();
        Ok(login
            .target()
            .with("pending", is_pending.into())
            .with_optional("valid_for", self.valid_for))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let login = scene.login(self.account.as_deref(), self.member.as_deref())?;
        let email = match (login.pending(), &login) {
            (Some(pending), _) => pending.email.clone(),
            (None, NamedLogin::Account(account)) if !account.is_confirmed() => {
                account.email.clone()
            }
            (None, login) => {
                return Err(Error::Token {
                    login: login.reference().to_string(),
                });
            }
        };
        let after = login.waiting(scene, &email, self.valid_for)?;
        Ok(vec![Change::Put(after)])
    }
}

impl CommandEffect for ConfirmEmail {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let login = scene.login(self.account.as_deref(), self.member.as_deref())?;
        let is_pending = login.pending().is_some();
        Ok(login.target().with("pending", is_pending.into()))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let named = scene.login(self.account.as_deref(), self.member.as_deref())?;
        let login = named.reference();
        let is_confirmed = |pending: &PendingEmail, owner: Option<&str>| {
            let holder = EmailOwner {
                login: &login,
                owner,
            };
            pending.is_confirmed_by(&self.token, &holder, scene.now)
        };
        let (after, owner) = match named {
            NamedLogin::Account(mut account) => {
                let owner = account.owner().map(str::to_owned);
                let pending = account.pending.take();
                let after = pending
                    .filter(|pending| is_confirmed(pending, owner.as_deref()))
                    .map(|pending| {
                        account.email.clone_from(&pending.email);
                        account.flags.confirmed = true;
                        (pending.email, Record::Account(*account))
                    });
                (after, owner)
            }
            NamedLogin::Member(mut member) if member.is_confirmed() => {
                let owner = scene.realm_of(&member.account).map(str::to_owned);
                let pending = member.pending.take();
                let after = pending
                    .filter(|pending| is_confirmed(pending, owner.as_deref()))
                    .map(|pending| {
                        member.email.clone_from(&pending.email);
                        (pending.email, Record::TeamMember(*member))
                    });
                (after, owner)
            }
            NamedLogin::Member(_) | NamedLogin::Operator(_) => (None, None),
        };
        let (email, after) = after.ok_or_else(|| Error::Token {
            login: login.to_string(),
        })?;
        let ended = scene.end_expired_invitation(&email, owner.as_deref());
        Ok(ended.into_iter().chain([Change::Put(after)]).collect())
    }
}

impl CommandEffect for AcceptInvitation {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let member = scene.member(&self.member)?;
        let is_pending = !member.is_confirmed() && member.pending.is_some();
        let account = &member.account;
        Ok(
            CommandTarget::new(EntityRef::new("Account", account), account)
                .with("pending", is_pending.into())
                .lock_account(account),
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
            // The token of a changed e-mail is for `confirm_email`.
            Some(pending)
                if !member.is_confirmed()
                    && pending.is_confirmed_by(&self.token, &holder, scene.now) =>
            {
                Ok(vec![Change::Put(Record::TeamMember(TeamMember {
                    flags: MemberFlags {
                        confirmed: true,
                        ..member.flags
                    },
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
