//! Commands for a main account's package and for the settings of the platform beside it (Q10, Q11,
//! B7, D8).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::account::calendar;
use super::{CommandContext, CommandEffect, CommandTarget, edit_attributes, edit_limits, entity};
use crate::directory::Change;
use crate::model::account::{Account, AccountKind};
use crate::model::calendar::Calendar;
use crate::model::limit::Limits;
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

/// Changes the package. Features and limits change at the next check, and the price of clients at
/// the next statement (B7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangePackage {
    /// The id of the main account.
    pub account: String,
    /// The new package.
    pub package: String,
    /// Whether the caller knows of clients that cannot log in without the whitelabel right (D8).
    #[serde(default)]
    pub confirmed: bool,
}

/// Edits an account's limits, time zone and attributes. Absent fields stay as they are. A limit
/// below the present usage takes nothing back (Q10).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EditAccount {
    /// The id of the account.
    pub account: String,
    /// The limits of the account itself, by meter. They override those of package and level (L6,
    /// Q11).
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// Meters for which the limit of the package or level applies again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove_limits: Vec<String>,
    /// The IANA time zone in which the account's days and months begin, from the next window on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The day from which the account's months are counted, `YYYY-MM-DD`, from the next window on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<String>,
    /// The host's attributes, as the schema's `AccountAttributes` declares them.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// The names of the attributes to remove.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove_attributes: Vec<String>,
}

impl CommandEffect for ChangePackage {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        scene.account(&self.account)?;
        if (scene.directory.package(&self.package, scene.catalog)).is_none() {
            return Err(Error::UnknownPackage {
                account: self.account.clone(),
                package: crate::util::text::short(&self.package),
            });
        }
        Ok(
            CommandTarget::new(EntityRef::new("Account", &self.account), &self.account)
                .with("package", entity("Package", &self.package))
                .with("clients", scene.clients_of(&self.account).into())
                .with("confirmed", Value::Bool(self.confirmed))
                .lock_account(&self.account),
        )
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let account = scene.account(&self.account)?;
        if account.package() == Some(&self.package) {
            return Ok(Vec::new());
        }
        if account.owner().is_some() {
            return Err(Error::NotMain {
                account: account.id,
            });
        }
        Ok(vec![Change::Put(Record::Account(Account {
            kind: AccountKind::Main {
                package: self.package.clone(),
            },
            ..account
        }))])
    }
}

impl EditAccount {
    /// Returns the limits that the edit sets, and those of the level where the edit removes limits.
    fn given_limits(&self, scene: &CommandContext<'_>, account: &Account) -> Limits {
        let mut given = scene.limits_of_level(account.level());
        given.retain(|meter, _| self.remove_limits.contains(meter));
        given.extend(
            self.limits
                .iter()
                .map(|(meter, limit)| (meter.clone(), *limit)),
        );
        given
    }
}

impl CommandEffect for EditAccount {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let account = scene.account(&self.account)?;
        let mut after = account.attributes.clone();
        edit_attributes(&mut after, &self.attributes, &self.remove_attributes);
        let attributes = scene.attributes("Account", &self.attributes, &after);
        let target = CommandTarget::new(EntityRef::new("Account", &self.account), &self.account)
            .with_limits(scene, &self.limits)
            .with("removed_limits", scene.meters(&self.remove_limits))
            .with_calendar(self.zone.as_deref(), self.anchor.as_deref())
            .with_optional("attributes", attributes)
            .with("removed_attributes", self.remove_attributes.clone().into())
            .lock_account(&self.account);
        Ok(match account.owner() {
            Some(owner) => target.with_excess(scene, owner, &self.given_limits(scene, &account)),
            None => target,
        })
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let before = scene.account(&self.account)?;
        let mut after = before.clone();
        edit_limits(&mut after.limits, &self.limits, &self.remove_limits);
        edit_attributes(
            &mut after.attributes,
            &self.attributes,
            &self.remove_attributes,
        );
        if self.zone.is_some() || self.anchor.is_some() {
            let known = before.calendar.as_ref();
            let (zone, anchor) = (
                known.and_then(Calendar::zone),
                known.and_then(Calendar::anchor),
            );
            after.calendar = calendar(
                self.zone.as_deref().or(zone),
                self.anchor.as_deref().or(anchor.as_deref()),
            )?;
        }
        Ok(if after == before {
            Vec::new()
        } else {
            vec![Change::Put(Record::Account(after))]
        })
    }
}
