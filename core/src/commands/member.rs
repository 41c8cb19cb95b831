//! Commands by which an account manages its team members (M3, M5, M7, M8).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::account::tombstone;
use super::email::waiting_member;
use super::{CommandContext, CommandEffect, CommandTarget, edit_attributes, edit_limits};
use crate::directory::Change;
use crate::model::email;
use crate::model::flags::MemberFlags;
use crate::model::limit::{Limit, Limits};
use crate::model::member::TeamMember;
use crate::model::named_fields::NamedFields;
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

/// Invites a member. The member holds a seat from now on and can do nothing before the invitation
/// is accepted (M8).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct InviteMember {
    /// The id, unique among the records of its type.
    pub id: String,
    /// The e-mail of the login.
    pub email: String,
    /// The account of the member. Default: the caller's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The features that the member may use (M3).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub grants: BTreeSet<String>,
    /// The member's part of the account's limits, by meter (M7).
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub sub_limits: Limits,
    /// How long the invitation is valid, in milliseconds. Default: seven days. After that the seat
    /// is free (M8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for: Option<i64>,
    /// The host's attributes, as the schema's `MemberAttributes` declares them.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// Whether the member with this id has come back. The member then continues with its counts and
    /// history (I5).
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub resumed: bool,
}

/// Sets the features that a member may use from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GrantMember {
    /// The id of the member.
    pub member: String,
    /// All features that the member may use from now on.
    pub grants: BTreeSet<String>,
}

/// Edits a member's part of the limits, and the member's attributes. Absent fields stay as they
/// are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EditMember {
    /// The id of the member.
    pub member: String,
    /// The member's part of the account's limits, by meter (M7).
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub sub_limits: Limits,
    /// Meters of which the member no longer has a part of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove_sub_limits: Vec<String>,
    /// The host's attributes, as the schema's `MemberAttributes` declares them.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// The names of the attributes to remove.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove_attributes: Vec<String>,
}

/// Removes a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RemoveMember {
    /// The id of the member.
    pub member: String,
}

/// Sends an invitation again: creates a new token. The previous token is no longer valid. If the
/// invitation had expired, the member takes a seat again (M8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ResendInvitation {
    /// The id of the member.
    pub member: String,
    /// How long the invitation is valid, in milliseconds. Default: seven days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for: Option<i64>,
}

/// Returns the target of a command about a member, whose account must be locked.
pub(super) fn about(scene: &CommandContext<'_>, id: &str) -> Result<CommandTarget, Error> {
    let account = scene.member(id)?.account;
    Ok(CommandTarget::new(EntityRef::new("TeamMember", id), &account).lock_account(&account))
}

/// Returns the meters of which a member would get more than the part of the calling member (M5).
///
/// If there was a member before, parts that do not change are left out. A member without a part of
/// its own may use the whole limit.
pub(super) fn beyond_own_part(
    scene: &CommandContext<'_>,
    before: Option<&Limits>,
    after: &Limits,
) -> Value {
    let principal = Some(scene.principal).filter(|principal| principal.kind() == "TeamMember");
    let own = principal
        .and_then(|principal| scene.directory.member(principal.id()))
        .map(|member| member.sub_limits)
        .unwrap_or_default();
    let fits = |part: Limit, given: Option<&Limit>| {
        part == Limit::Unlimited || given.is_some_and(|given| given.is_within(part))
    };
    let given = own
        .iter()
        .filter(|(meter, _)| before.is_none_or(|before| before.get(*meter) != after.get(*meter)));
    let beyond = given.filter(|(meter, part)| !fits(**part, after.get(*meter)));
    scene.meters(beyond.map(|(meter, _)| meter))
}

/// Returns the change of a member, or none if the member stays as it is.
pub(super) fn put(after: TeamMember, before: &TeamMember) -> Vec<Change> {
    if after == *before {
        Vec::new()
    } else {
        vec![Change::Put(Record::TeamMember(after))]
    }
}

/// Checks that the bundle declares the features. An undeclared feature cannot be checked.
pub(super) fn declared(
    scene: &CommandContext<'_>,
    record: &str,
    grants: &BTreeSet<String>,
) -> Result<(), Error> {
    match grants
        .iter()
        .find(|name| scene.catalog.feature_words(name).is_none())
    {
        Some(feature) => Err(Error::UnknownFeature {
            record: EntityRef::new("TeamMember", record).to_string(),
            feature: crate::util::text::short(feature),
        }),
        None => Ok(()),
    }
}

impl CommandEffect for InviteMember {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let account = scene.named_or_own(self.account.as_deref())?;
        scene.account(account)?;
        declared(scene, &self.id, &self.grants)?;
        let target =
            CommandTarget::new(EntityRef::new("Account", account), account).lock_account(account);
        let attributes = scene.attributes("TeamMember", &self.attributes, &self.attributes);
        Ok(target
            .with("id", self.id.as_str().into())
            .with_email(&self.email)
            .with("grants", scene.features(&self.grants))
            .with_sub_limits(scene, &self.sub_limits)
            .with(
                "beyond_own_part",
                beyond_own_part(scene, None, &self.sub_limits),
            )
            .with_optional("valid_for", self.valid_for)
            .with_optional("attributes", attributes)
            .with("resumed", self.resumed.into()))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let resumed = scene.new_id(
            "TeamMember",
            &self.id,
            Some(scene.named_or_own(self.account.as_deref())?),
            self.resumed,
        )?;
        let (account, email) = (
            scene.named_or_own(self.account.as_deref())?,
            email::normalise(&self.email)?,
        );
        let member = TeamMember {
            id: self.id.clone(),
            account: account.to_owned(),
            email: email.clone(),
            flags: MemberFlags::default(),
            grants: self.grants.clone(),
            sub_limits: self.sub_limits.clone(),
            pending: None,
            service: None,
            not_before: None,
            attributes: self.attributes.clone(),
            named: NamedFields::default(),
        };
        let member = waiting_member(scene, member, &email, self.valid_for)?;
        Ok(resumed
            .into_iter()
            .chain(scene.end_expired_invitation(&member.email, scene.realm_of(account)))
            .chain([Change::Put(Record::TeamMember(member))])
            .collect())
    }
}

impl CommandEffect for GrantMember {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        declared(scene, &self.member, &self.grants)?;
        let before = scene.member(&self.member)?.grants;
        let changed = before.symmetric_difference(&self.grants).cloned().collect();
        Ok(about(scene, &self.member)?
            .with("grants", scene.features(&self.grants))
            .with("changed_grants", scene.features(&changed)))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let before = scene.member(&self.member)?;
        Ok(put(
            TeamMember {
                grants: self.grants.clone(),
                ..before.clone()
            },
            &before,
        ))
    }
}

impl EditMember {
    fn after(&self, before: &TeamMember) -> TeamMember {
        let mut after = before.clone();
        edit_limits(
            &mut after.sub_limits,
            &self.sub_limits,
            &self.remove_sub_limits,
        );
        edit_attributes(
            &mut after.attributes,
            &self.attributes,
            &self.remove_attributes,
        );
        after
    }
}

impl CommandEffect for EditMember {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let before = scene.member(&self.member)?;
        let after = self.after(&before);
        let beyond = beyond_own_part(scene, Some(&before.sub_limits), &after.sub_limits);
        let attributes = scene.attributes("TeamMember", &self.attributes, &after.attributes);
        Ok(about(scene, &self.member)?
            .with_sub_limits(scene, &self.sub_limits)
            .with("removed_sub_limits", scene.meters(&self.remove_sub_limits))
            .with("beyond_own_part", beyond)
            .with_optional("attributes", attributes)
            .with("removed_attributes", self.remove_attributes.clone().into()))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let before = scene.member(&self.member)?;
        Ok(put(self.after(&before), &before))
    }
}

impl CommandEffect for RemoveMember {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        about(scene, &self.member)
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        scene.member(&self.member)?;
        Ok(vec![Change::Remove(EntityRef::new(
            "TeamMember",
            &self.member,
        ))])
    }
}

impl CommandEffect for ResendInvitation {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let member = scene.member(&self.member)?;
        let has_expired = member
            .pending
            .as_ref()
            .is_some_and(|pending| pending.until <= scene.now);
        // Nobody reads the mail of an erased member (C14).
        let is_erased = member.email == tombstone("TeamMember", &member.id);
        let is_pending = !member.is_confirmed() && !is_erased;
        Ok(about(scene, &self.member)?
            .with("pending", is_pending.into())
            .with("expired", has_expired.into())
            .with_optional("valid_for", self.valid_for))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let member = scene.member(&self.member)?;
        if member.is_confirmed() {
            return Err(Error::Token {
                login: EntityRef::new("TeamMember", &self.member).to_string(),
            });
        }
        let email = member.email.clone();
        let member = waiting_member(scene, member, &email, self.valid_for)?;
        Ok(vec![Change::Put(Record::TeamMember(member))])
    }
}
