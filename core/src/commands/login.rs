//! The login that a command names, and the command that ends its sessions (I7).

use serde::{Deserialize, Serialize};

use super::{CommandContext, CommandEffect, CommandTarget};
use crate::directory::Change;
use crate::model::account::Account;
use crate::model::member::TeamMember;
use crate::model::operator::Operator;
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

/// Ends all sessions of a login. Sessions that began before this instant are refused from now on
/// (I7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SignOut {
    /// The id of the account. Without `account`, `member` and `operator`, the login is the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The id of the member, if the login is a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The id of the operator, if the login is one of the staff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
}

/// The record of a login.
pub(super) enum NamedLogin {
    Account(Box<Account>),
    Member(Box<TeamMember>),
    Operator(Operator),
}

impl NamedLogin {
    pub(super) fn reference(&self) -> EntityRef {
        match self {
            Self::Account(account) => EntityRef::new("Account", &account.id),
            Self::Member(member) => EntityRef::new("TeamMember", &member.id),
            Self::Operator(operator) => EntityRef::new("Operator", &operator.id),
        }
    }

    /// Returns the target of a command about the login.
    pub(super) fn target(&self) -> CommandTarget {
        let book = match self {
            Self::Account(account) => &account.id,
            Self::Member(member) => &member.account,
            // An operator belongs to no account.
            Self::Operator(_) => "",
        };
        CommandTarget::new(self.reference(), book)
    }

    /// Returns the record with sessions ended at this instant. Returns `None` if they ended then
    /// already.
    fn signed_out(self, now: i64) -> Option<Record> {
        // A clock that went back must not let an ended session begin again.
        let ends = |not_before: &mut Option<i64>| {
            let is_later = not_before.is_none_or(|known| known < now);
            if is_later {
                *not_before = Some(now);
            }
            is_later
        };
        match self {
            Self::Account(mut account) => {
                ends(&mut account.not_before).then_some(Record::Account(*account))
            }
            Self::Member(mut member) => {
                ends(&mut member.not_before).then_some(Record::TeamMember(*member))
            }
            Self::Operator(mut operator) => {
                ends(&mut operator.not_before).then_some(Record::Operator(operator))
            }
        }
    }
}

impl CommandContext<'_> {
    /// Returns the login with the named id, or the caller if none is named.
    pub(super) fn login(
        &self,
        account: Option<&str>,
        member: Option<&str>,
    ) -> Result<NamedLogin, Error> {
        self.any_login(account, member, None)
    }

    fn any_login(
        &self,
        account: Option<&str>,
        member: Option<&str>,
        operator: Option<&str>,
    ) -> Result<NamedLogin, Error> {
        let caller = self.principal;
        let (kind, id) = match (account, member, operator) {
            (Some(id), None, None) => ("Account", id),
            (None, Some(id), None) => ("TeamMember", id),
            (None, None, Some(id)) => ("Operator", id),
            (None, None, None) => (caller.kind(), caller.id()),
            _ => {
                return Err(Error::Command {
                    reason: "it names more than one login".to_owned(),
                });
            }
        };
        match kind {
            "TeamMember" => Ok(NamedLogin::Member(Box::new(self.member(id)?))),
            "Operator" => {
                let found = self.directory.operator(id);
                found
                    .map(NamedLogin::Operator)
                    .ok_or_else(|| Error::UnknownRecord {
                        record: EntityRef::new(kind, id).to_string(),
                    })
            }
            _ => Ok(NamedLogin::Account(Box::new(self.account(id)?))),
        }
    }
}

impl SignOut {
    fn login(&self, scene: &CommandContext<'_>) -> Result<NamedLogin, Error> {
        scene.any_login(
            self.account.as_deref(),
            self.member.as_deref(),
            self.operator.as_deref(),
        )
    }
}

impl CommandEffect for SignOut {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        Ok(self.login(scene)?.target())
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let ended = self.login(scene)?.signed_out(scene.now);
        Ok(ended.map(Change::Put).into_iter().collect())
    }
}
