//! Commands for the domains of an owner (D4, D8).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CommandContext, CommandEffect, CommandTarget};
use crate::directory::Change;
use crate::model::clock::DAY;
use crate::model::domain::{Domain, DomainState, claim_id};
use crate::model::named_fields::NamedFields;
use crate::model::record::Record;
use crate::model::reference::{EntityRef, check_id};
use crate::model::{host, public_suffix};
use crate::util::error::Error;

/// Claims a host name for an owner (D4). Claims of several owners do not exclude each other, and
/// each expires after the catalog's `claim_days`. [`Domain::proof`] is the DNS record that proves
/// the ownership.
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

/// Verifies the claim of the caller's account. If the DNS records contain its proof, the domain
/// belongs to the account and is in use from now on. All other claims of the name end (D4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VerifyDomain {
    /// The host name.
    pub domain: String,
    /// The TXT records that the host found in the DNS of the domain.
    pub txt: Vec<String>,
}

/// Removes a domain or the account's own claim of it. A domain that was in use is quarantined:
/// nobody can add it until the staff releases it (D4).
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

/// Checks again that the DNS proves a domain, on behalf of the platform's staff (D4). A domain in use
/// without its proof lapses: it serves for the catalog's `lapse_days`, and is then quarantined. If
/// a later check finds the proof, the domain is verified again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RecheckDomain {
    /// The host name.
    pub domain: String,
    /// The TXT records that the host found in the DNS of the domain.
    pub txt: Vec<String>,
}

/// Ends a quarantine. The name then has no owner, and anybody can add it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReleaseDomain {
    /// The host name.
    pub domain: String,
}

/// Returns the domain that a command names: the domain of that name, or the open claim of the
/// caller's account. Claims of other accounts count as absent.
fn domain(scene: &CommandContext<'_>, name: &str) -> Result<Domain, Error> {
    let unknown = || Error::UnknownRecord {
        record: EntityRef::new("Domain", name).to_string(),
    };
    let name = host::normalise(name).map_err(|_| unknown())?;
    let own = scene.directory.account_id_of(scene.principal);
    let found = scene.directory.domain(&name);
    match (found, own) {
        (Some(found), _) if !is_claim(&found) => Ok(found),
        (found, Some(own)) => open_claim(scene, &name, own, found.as_ref()).ok_or_else(unknown),
        (found, None) => found.ok_or_else(unknown),
    }
}

fn is_claim(domain: &Domain) -> bool {
    domain.state == DomainState::Pending && domain.owner.is_some()
}

/// Returns an owner's claim of a name that has not expired. `plain` is the record with the name as
/// its id.
fn open_claim(
    scene: &CommandContext<'_>,
    name: &str,
    owner: &str,
    plain: Option<&Domain>,
) -> Option<Domain> {
    let claim = scene.directory.domain(&claim_id(name, owner));
    let plain = plain.filter(|plain| plain.owner() == Some(owner)).cloned();
    [claim, plain]
        .into_iter()
        .flatten()
        .find(|claim| claim.is_open_claim(scene.now))
}

fn about(domain: &Domain) -> CommandTarget {
    CommandTarget::new(
        EntityRef::new("Domain", domain.id()),
        domain.owner().unwrap_or_default(),
    )
}

/// Returns the change that gives a domain a state.
fn to(before: Domain, state: DomainState, until: Option<i64>) -> Vec<Change> {
    if before.state == state {
        return Vec::new();
    }
    vec![Change::Put(Record::Domain(Domain {
        state,
        until,
        ..before
    }))]
}

fn removal(id: &str) -> Change {
    Change::Remove(EntityRef::new("Domain", id))
}

/// Returns the target for a domain that is taken out of use. Its context says how many clients the
/// owner has, and whether this is the owner's only domain in use (D8).
fn ending(scene: &CommandContext<'_>, name: &str, confirmed: bool) -> Result<CommandTarget, Error> {
    let (domain, directory) = (domain(scene, name)?, scene.directory);
    let owner = domain.owner().unwrap_or_default();
    let hosts = directory
        .account_number(owner)
        .map(|number| directory.hosts_in_use(&[number], "", 2))
        .unwrap_or_default();
    let is_last = domain.is_in_use() && hosts.iter().all(|name| **name == *domain.id());
    Ok(about(&domain)
        .with("clients", scene.clients_of(owner).into())
        .with("last_domain", Value::Bool(is_last))
        .with("confirmed", Value::Bool(confirmed)))
}

fn proves(domain: &Domain, txt: &[String]) -> bool {
    domain.proof().is_some_and(|proof| txt.contains(&proof))
}

/// Returns the instant this many days after now.
fn in_days(scene: &CommandContext<'_>, days: u16) -> i64 {
    scene.now.saturating_add(DAY.saturating_mul(days.into()))
}

impl CommandEffect for AddDomain {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let owner = scene.named_or_own(self.owner.as_deref())?;
        scene.account(owner)?;
        let open = scene.directory.open_claims(owner, scene.now);
        // A malformed name is left out, because the command then fails.
        let name = host::normalise(&self.domain).ok();
        Ok(CommandTarget::new(EntityRef::new("Account", owner), owner)
            .with_optional("name", name)
            .with("open_claims", open.into())
            .with("claims_max", scene.catalog.claims_max().into()))
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
        public_suffix::refuse(&name).map_err(refused)?;
        let (owner, directory) = (scene.named_or_own(self.owner.as_deref())?, scene.directory);
        let plain = directory.domain(&name);
        let is_taken = plain.as_ref().is_some_and(|found| !is_claim(found));
        if is_taken || open_claim(scene, &name, owner, plain.as_ref()).is_some() {
            return Err(Error::DuplicateDomain { domain: name });
        }
        let claim = Domain::claim(&name, owner, in_days(scene, scene.catalog.claim_days()));
        check_id("Domain", claim.id())?;
        let is_over = |id: &str| {
            let known = directory.domain(id);
            known.is_some_and(|known| is_claim(&known) && !known.is_open_claim(scene.now))
        };
        let mut changes: Vec<Change> = directory
            .claims_of_name(&name)
            .map(|id| &**id)
            .chain([name.as_str()])
            .filter(|id| *id != claim.id() && is_over(id))
            .map(removal)
            .collect();
        changes.push(Change::Put(Record::Domain(claim)));
        Ok(changes)
    }
}

impl CommandEffect for VerifyDomain {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        domain(scene, &self.domain).map(|domain| about(&domain))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let found = domain(scene, &self.domain)?;
        if !proves(&found, &self.txt) {
            return Err(Error::DomainProof {
                proof: found.proof().unwrap_or_default(),
                domain: found.name().to_owned(),
            });
        }
        if !is_claim(&found) {
            return Ok(to(found, DomainState::Verified, None));
        }
        // The first verified claim has the name, and all claims end.
        let claims = scene.directory.claims_of_name(found.name());
        let mut changes: Vec<Change> = claims.map(|id| removal(id)).collect();
        changes.push(Change::Put(Record::Domain(Domain {
            id: found.name().to_owned(),
            owner: found.owner,
            state: DomainState::Verified,
            until: None,
            named: NamedFields::default(),
        })));
        Ok(changes)
    }
}

impl CommandEffect for RemoveDomain {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        ending(scene, &self.domain, self.confirmed)
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let found = domain(scene, &self.domain)?;
        // A domain that never was in use is not quarantined.
        if found.state == DomainState::Pending {
            return Ok(vec![removal(found.id())]);
        }
        Ok(to(found, DomainState::Quarantined, None))
    }
}

impl CommandEffect for QuarantineDomain {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        ending(scene, &self.domain, self.confirmed)
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let found = domain(scene, &self.domain)?;
        Ok(to(found, DomainState::Quarantined, None))
    }
}

impl CommandEffect for RecheckDomain {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let found = domain(scene, &self.domain)?;
        Ok(about(&found)
            .with("proven", Value::Bool(proves(&found, &self.txt)))
            .with("txt", self.txt.clone().into()))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        let found = domain(scene, &self.domain)?;
        if proves(&found, &self.txt) {
            return Ok(to(found, DomainState::Verified, None));
        }
        let until = in_days(scene, scene.catalog.lapse_days());
        Ok(to(found, DomainState::Lapsed, Some(until)))
    }
}

impl CommandEffect for ReleaseDomain {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        domain(scene, &self.domain).map(|domain| about(&domain))
    }

    fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        Ok(vec![removal(domain(scene, &self.domain)?.id())])
    }
}
