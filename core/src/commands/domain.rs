//! Commands for the domains of an owner (D4, D8).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CommandContext, CommandEffect, CommandTarget};
use crate::directory::Change;
use crate::model::domain::{Domain, DomainState};
use crate::model::host;
use crate::model::named_fields::NamedFields;
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

/// Adds a whitelabel domain, which is pending until it is verified (D4). [`Domain::proof`] is the
/// DNS record that proves the ownership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AddDomain {
    /// The host name.
    pub domain: String,
    /// The owner of the domain. Default: the caller's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Verifies a domain. If the DNS records contain the domain's proof, the domain is in use from now
/// on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VerifyDomain {
    /// The host name.
    pub domain: String,
    /// The TXT records that the host found in the DNS of the domain.
    pub txt: Vec<String>,
}

/// Removes a domain. Nobody else can add the domain while it is quarantined (D4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RemoveDomain {
    /// The host name.
    pub domain: String,
    /// Whether the caller knows of clients that have no other domain to log in at (D8).
    #[serde(default)]
    pub confirmed: bool,
}

/// Takes a domain out of use, as the platform's staff may do (D4, D8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct QuarantineDomain {
    /// The host name.
    pub domain: String,
    /// Whether the caller knows of clients that have no other domain to log in at (D8).
    #[serde(default)]
    pub confirmed: bool,
}

/// Ends a quarantine. The name then has no owner, and anybody can add it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReleaseDomain {
    /// The host name.
    pub domain: String,
}

fn domain(scene: &CommandContext<'_>, name: &str) -> Result<Domain, Error> {
    let unknown = || Error::UnknownRecord {
        record: EntityRef::new("Domain", name).to_string(),
    };
    let known = host::normalise(name)
        .ok()
        .and_then(|name| scene.directory.domain(&name));
    known.ok_or_else(unknown)
}

fn about(scene: &CommandContext<'_>, name: &str) -> Result<CommandTarget, Error> {
    let domain = domain(scene, name)?;
    Ok(CommandTarget::new(
        EntityRef::new("Domain", domain.name()),
        domain.owner().unwrap_or_default(),
    ))
}

fn to(scene: &CommandContext<'_>, name: &str, state: DomainState) -> Result<Vec<Change>, Error> {
    let before = domain(scene, name)?;
    Ok(if before.state == state {
        Vec::new()
    } else {
        vec![Change::Put(Record::Domain(Domain { state, ..before }))]
    })
}

/// Returns the target for a domain that is taken out of use. Its context says how many clients the
/// owner has, and whether the owner has no other verified domain (D8).
fn ending(scene: &CommandContext<'_>, name: &str, confirmed: bool) -> Result<CommandTarget, Error> {
    let (domain, target) = (domain(scene, name)?, about(scene, name)?);
    let directory = scene.directory;
    let owner = domain.owner().unwrap_or_default();
    let hosts = directory
        .account_number(owner)
        .map(|number| directory.verified_hosts(&[number], "", 2))
        .unwrap_or_default();
    let is_last = hosts.iter().all(|name| **name == *domain.name());
    Ok(target
        .with("clients", scene.clients_of(owner).into())
        .with("last_domain", Value::Bool(is_last))
        .with("confirmed", Value::Bool(confirmed)))
}

impl CommandEffect for AddDomain {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let owner = scene.named_or_own(self.owner.as_deref())?;
        scene.account(owner)?;
        // A malformed name is left out, because the command then fails.
        let name = host::normalise(&self.domain).ok();
        Ok(CommandTarget::new(EntityRef::new("Account", owner), owner).with_optional("name", name))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let refused = |reason: &str| Error::DomainName {
            domain: crate::util::text::short(&self.domain),
            reason: reason.to_owned(),
        };
        let name = host::normalise(&self.domain).map_err(refused)?;
        if self.domain.contains(':') {
            return Err(refused("it has a port"));
        }
        if scene.directory.domain(&name).is_some() {
            return Err(Error::DuplicateDomain { domain: name });
        }
        let owner = Some(scene.named_or_own(self.owner.as_deref())?.to_owned());
        Ok(vec![Change::Put(Record::Domain(Domain {
            name,
            owner,
            state: DomainState::Pending,
            named: NamedFields::default(),
        }))])
    }
}

impl CommandEffect for VerifyDomain {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        about(scene, &self.domain)
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let found = domain(scene, &self.domain)?;
        let proof = found.proof().unwrap_or_default();
        if !self.txt.contains(&proof) {
            return Err(Error::DomainProof {
                domain: found.name,
                proof,
            });
        }
        to(scene, &self.domain, DomainState::Verified)
    }
}

impl CommandEffect for RemoveDomain {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        ending(scene, &self.domain, self.confirmed)
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        // A domain that never was in use is not quarantined.
        let found = domain(scene, &self.domain)?;
        if found.state == DomainState::Pending {
            return Ok(vec![Change::Remove(EntityRef::new("Domain", found.name()))]);
        }
        to(scene, &self.domain, DomainState::Quarantined)
    }
}

impl CommandEffect for QuarantineDomain {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        ending(scene, &self.domain, self.confirmed)
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        to(scene, &self.domain, DomainState::Quarantined)
    }
}

impl CommandEffect for ReleaseDomain {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        about(scene, &self.domain)
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        Ok(vec![Change::Remove(EntityRef::new(
            "Domain",
            domain(scene, &self.domain)?.name(),
        ))])
    }
}
