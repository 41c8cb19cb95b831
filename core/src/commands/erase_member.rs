//! The command that erases one person (C14).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::account::tombstone;
use super::member::put;
use super::{CommandContext, CommandEffect, CommandTarget};
use crate::directory::Change;
use crate::model::flags::MemberFlags;
use crate::model::limit::Limits;
use crate::model::member::TeamMember;
use crate::model::pending_email::PendingEmail;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

/// Erases the personal data of a member. A tombstone replaces the e-mail; attributes, grants and
/// sub-limits are removed, and the key of a service account. The member can no longer log in, and
/// holds no seat. Counts and history stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EraseMember {
    /// The id of the member.
    pub member: String,
}

impl CommandEffect for EraseMember {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let account = scene.member(&self.member)?.account;
        let member = EntityRef::new("TeamMember", &self.member);
        Ok(CommandTarget::new(member, &account).lock_account(&account))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let before = scene.member(&self.member)?;
        let after = erased(before.clone(), scene.now);
        Ok(put(after, &before))
    }
}

/// Returns the member without its personal data, its rights and its key.
pub(super) fn erased(before: TeamMember, now: i64) -> TeamMember {
    let email = tombstone("TeamMember", &before.id);
    let ended = before
        .pending
        .filter(|pending| pending.email == email && pending.until <= now);
    TeamMember {
        flags: MemberFlags::default(),
        grants: BTreeSet::new(),
        sub_limits: Limits::new(),
        pending: ended.or_else(|| Some(PendingEmail::ended(&email, now))),
        service: None,
        attributes: Map::new(),
        email,
        ..before
    }
}
