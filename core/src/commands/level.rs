//! Commands for the access levels of an owner (L2, L3).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{CommandContext, CommandEffect, CommandTarget, edit_limits, entity};
use crate::directory::Change;
use crate::model::access_level::AccessLevel;
use crate::model::account::AccountKind;
use crate::model::limit::Limits;
use crate::model::named_fields::NamedFields;
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

/// Creates an access level of an owner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateLevel {
    /// The id, unique among the records of its type.
    pub id: String,
    /// The owner of the level. Default: the caller's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The features that the level enables.
    pub features: BTreeSet<String>,
    /// The limits of the clients that have the level, by meter (L6).
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
}

/// Edits a level's features and limits. Absent fields stay as they are. The change is in force at
/// the next check (L5).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EditLevel {
    /// The id of the access level.
    pub level: String,
    /// All features that the level enables from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<BTreeSet<String>>,
    /// The limits of the clients that have the level, by meter (L6).
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// Meters whose limits the level no longer sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove_limits: Vec<String>,
}

/// Deletes an access level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeleteLevel {
    /// The id of the access level.
    pub level: String,
    /// The level that its clients get instead. Without one, a level in use cannot be deleted (L3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
}

fn level(scene: &CommandContext<'_>, id: &str) -> Result<AccessLevel, Error> {
    let unknown = || Error::UnknownRecord {
        record: EntityRef::new("AccessLevel", id).to_string(),
    };
    scene.directory.level(id, scene.catalog).ok_or_else(unknown)
}

fn about(scene: &CommandContext<'_>, id: &str) -> Result<CommandTarget, Error> {
    let level = level(scene, id)?;
    Ok(CommandTarget::new(
        EntityRef::new("AccessLevel", id),
        level.owner().unwrap_or_default(),
    ))
}

impl CommandEffect for CreateLevel {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let owner = scene.named_or_own(self.owner.as_deref())?;
        scene.account(owner)?;
        Ok(CommandTarget::new(EntityRef::new("Account", owner), owner)
            .with("id", self.id.as_str().into())
            .with("features", scene.features(&self.features))
            .with_limits(scene, &self.limits)
            .with_excess(scene, owner, &self.limits))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        scene.new_id("AccessLevel", &self.id, None, false)?;
        let owner = Some(scene.named_or_own(self.owner.as_deref())?.to_owned());
        let level = AccessLevel {
            id: self.id.clone(),
            owner,
            features: self.features.clone(),
            limits: self.limits.clone(),
            named: NamedFields::default(),
        };
        Ok(vec![Change::Put(Record::AccessLevel(level))])
    }
}

impl CommandEffect for EditLevel {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let owner = level(scene, &self.level)?.owner;
        let features = self.features.as_ref();
        Ok(about(scene, &self.level)?
            .with_optional("features", features.map(|names| scene.features(names)))
            .with_limits(scene, &self.limits)
            .with("removed_limits", scene.meters(&self.remove_limits))
            .with_excess(scene, &owner.unwrap_or_default(), &self.limits))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let before = level(scene, &self.level)?;
        let mut after = before.clone();
        if let Some(features) = &self.features {
            after.features.clone_from(features);
        }
        edit_limits(&mut after.limits, &self.limits, &self.remove_limits);
        Ok(if after == before {
            Vec::new()
        } else {
            vec![Change::Put(Record::AccessLevel(after))]
        })
    }
}

impl CommandEffect for DeleteLevel {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let owner = level(scene, &self.level)?.owner.unwrap_or_default();
        let is_used = !scene.directory.clients_with(&self.level).is_empty();
        let replacement = self.replacement.as_deref();
        let given = scene.limits_of_level(replacement.filter(|_| is_used));
        Ok(about(scene, &self.level)?
            .with_excess(scene, &owner, &given)
            .with_optional(
                "replacement",
                replacement.map(|level| entity("AccessLevel", level)),
            )
            .with("in_use", is_used.into()))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        level(scene, &self.level)?;
        let mut changes = vec![Change::Remove(EntityRef::new("AccessLevel", &self.level))];
        let Some(replacement) = &self.replacement else {
            return Ok(changes);
        };
        for mut client in scene.directory.clients_with(&self.level) {
            if let AccountKind::Client { level, .. } = &mut client.kind {
                *level = Some(replacement.clone());
            }
            changes.push(Change::Put(Record::Account(client)));
        }
        Ok(changes)
    }
}
