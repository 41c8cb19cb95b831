//! The command that reopens a closed account (C9).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CommandContext, CommandEffect, CommandTarget};
use crate::directory::Change;
use crate::model::account::Account;
use crate::model::flags::AccountFlags;
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

const DAY: i64 = 86_400_000;

/// Reopens a closed account. It counts again as a new one does, and its members come back. Members
/// whose e-mails another login has meanwhile are removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReopenAccount {
    /// The id of the account.
    pub account: String,
}

impl CommandEffect for ReopenAccount {
    /// Returns the target. Its context says how many whole days ago the account was closed, within
    /// how many days it can be reopened, and whether another login has its e-mail.
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let account = scene.account(&self.account)?;
        let own = EntityRef::new("Account", &self.account);
        let taken = scene.directory.taken_logins(&self.account, None, scene.now);
        let is_taken = taken.iter().any(|(login, _)| *login == own);
        let mut target = CommandTarget::new(own, &self.account)
            .with("login_taken", Value::Bool(is_taken))
            .with("reopen_days", scene.catalog.reopen_days().into());
        if let Some(closed_at) = account.closed_at {
            let days = scene.now.saturating_sub(closed_at).div_euclid(DAY);
            target = target.with("closed_days", days.into());
        }
        Ok(match account.owner() {
            Some(owner) => target.lock_account(owner),
            None => target,
        })
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let account = scene.account(&self.account)?;
        if !account.is_closed() {
            return Ok(Vec::new());
        }
        let taken = scene.directory.taken_logins(&self.account, None, scene.now);
        let gone = taken
            .into_iter()
            .filter(|(login, _)| login.kind() == "TeamMember")
            .map(|(login, _)| Change::Remove(login));
        let emails = scene.directory.emails_of(&self.account).into_iter();
        let ended =
            emails.filter_map(|email| scene.end_expired_invitation(&email, account.owner()));
        let mut changes: Vec<Change> = gone.chain(ended).collect();
        changes.push(Change::Put(Record::Account(Account {
            flags: AccountFlags {
                closed: false,
                ..account.flags
            },
            closed_at: None,
            ..account
        })));
        Ok(changes)
    }
}
