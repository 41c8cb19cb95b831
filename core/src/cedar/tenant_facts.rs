//! The facts that gates read: the login, the host and the feature of a request, and the directory's
//! records as entities. They contain no conclusions; those are left to the policies.

use std::collections::HashSet;

use cedar_policy::Entity;
use serde_json::{Map, Value, json};

use super::bundle::Bundle;
use super::request::causes;
use super::schema::Action;
use crate::api::request::Request;
use crate::directory::Directory;
use crate::model::catalog::Catalog;
use crate::model::flags::{AccountFlags, MemberFlags, PackageFlags};
use crate::model::host;
use crate::model::limit::{MeterCount, QuotaFacts};
use crate::model::operator::Role;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

/// Returns whether records of this entity type are stored in the directory.
pub(crate) fn is_directory_type(kind: &str) -> bool {
    crate::model::record::Record::TYPES.contains(&kind)
}

/// Returns whether this entity type can log in.
pub(crate) fn is_login_type(kind: &str) -> bool {
    matches!(kind, "Operator" | "Account" | "TeamMember")
}

pub(super) fn entity(kind: &str, id: &str) -> Value {
    json!({"__entity": {"type": kind, "id": id}})
}

fn quota_fact(quota: &QuotaFacts<'_>) -> Value {
    let count = |MeterCount { used, held, limit }: MeterCount| match limit {
        Some(limit) => json!({"used": used, "held": held, "limit": limit}),
        None => json!({"used": used, "held": held}),
    };
    let mut fact = json!({"meter": entity("Meter", quota.meter), "amount": quota.amount, "account": count(quota.account)});
    if let (Some(member), Some(fields)) = (quota.member, fact.as_object_mut()) {
        fields.insert("member".to_owned(), count(member));
    }
    fact
}

fn entities<'a>(kind: &str, ids: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
    ids.into_iter().map(|id| entity(kind, id)).collect()
}

impl Bundle {
    /// Returns `context.facts` of a request.
    pub(crate) fn facts(
        &self,
        request: &Request,
        action: &Action,
        directory: &Directory,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Result<Value, Error> {
        let environment = &request.environment;
        let channel = environment.channel.as_deref().unwrap_or("web");
        if !self.names.channels.contains(channel) {
            return Err(Error::Channel {
                channel: crate::util::text::short(channel),
            });
        }
        let mut facts = Map::new();
        facts.insert("channel".to_owned(), entity("Channel", channel));
        let acting = environment.actor.as_ref().unwrap_or(&request.principal);
        facts.insert("login".to_owned(), login(acting, directory));
        if let Some(not_before) = directory.not_before(acting) {
            facts.insert("not_before".to_owned(), json!(not_before));
        }
        if let Some(session_start) = environment.session_start {
            facts.insert("session_start".to_owned(), json!(session_start));
        }
        if let Some(account) = directory.account_id_of(&request.principal) {
            facts.insert("account".to_owned(), entity("Account", account));
        }
        if let Some(actor) = &environment.actor {
            facts.insert("actor".to_owned(), login(actor, directory));
        }
        match environment.host.as_deref().map(host::normalise) {
            Some(Ok(name)) => {
                let number = directory.domain_at_host(&name);
                if let Some(id) = number.and_then(|number| directory.tables().domains.id(number)) {
                    facts.insert("domain".to_owned(), entity("Domain", id));
                }
                facts.insert("host".to_owned(), Value::String(name));
            }
            Some(Err(reason)) => {
                drop(facts.insert("host_refused".to_owned(), Value::String(reason.to_owned())));
            }
            None => {}
        }
        if let Some(realm) = &environment.realm {
            facts.insert("realm".to_owned(), realm_fact(realm)?);
        }
        if let Some(feature) = &action.feature {
            facts.insert("feature".to_owned(), entity("Feature", feature));
        }
        if let Some(amount) = environment.amount {
            facts.insert("amount".to_owned(), json!(amount));
        }
        if let Some(quota) = quota {
            facts.insert("amount".to_owned(), json!(quota.amount));
            facts.insert("quota".to_owned(), quota_fact(quota));
        }
        Ok(Value::Object(facts))
    }

    /// Returns the directory's records that the request's policies can reach, as entities.
    pub(crate) fn known_entities(
        &self,
        request: &Request,
        context: &Map<String, Value>,
        directory: &Directory,
    ) -> Result<Vec<Entity>, Error> {
        let mut todo: Vec<EntityRef> =
            vec![request.principal.clone(), request.resource.uid.clone()];
        todo.extend(request.environment.actor.clone());
        todo.extend(
            request
                .resource
                .account
                .as_deref()
                .map(|account| EntityRef::new("Account", account)),
        );
        todo.extend(request.resource.parents.iter().cloned());
        let values = context
            .values()
            .chain(request.resource.attributes.values())
            .chain(request.resource.tags.values());
        todo.extend(named_in(values));
        let (mut seen, mut found) = (HashSet::new(), Vec::new());
        while let Some(reference) = todo.pop() {
            if !is_directory_type(reference.kind()) || !seen.insert(reference.clone()) {
                continue;
            }
            if let Some(attributes) = attributes(&reference, directory, &self.catalog) {
                todo.extend(named_in(attributes.values()));
                found.push(self.record_entity(&reference, &attributes)?);
            }
        }
        Ok(found)
    }

    pub(super) fn record_entity(
        &self,
        reference: &EntityRef,
        attributes: &Map<String, Value>,
    ) -> Result<Entity, Error> {
        let value = json!({"uid": {"type": reference.kind(), "id": reference.id()}, "attrs": attributes, "parents": []});
        Entity::from_json_value(value, Some(&self.schema)).map_err(|error| Error::Resource {
            resource: reference.to_string(),
            reason: causes(&error),
        })
    }
}

/// Returns the boolean attributes with these names and bits.
pub(super) fn flags(names: &[&str], bits: u16) -> Map<String, Value> {
    names
        .iter()
        .zip(0_u32..)
        .map(|(name, at)| {
            let is = bits.checked_shr(at).unwrap_or(0) & 1 == 1;
            ((*name).to_owned(), Value::Bool(is))
        })
        .collect()
}

/// Returns the login fact: the account of the login, and the member or operator if it is one.
fn login(reference: &EntityRef, directory: &Directory) -> Value {
    let mut login = Map::new();
    if let Some(account) = directory.account_id_of(reference) {
        login.insert("account".to_owned(), entity("Account", account));
    }
    match reference.kind() {
        "TeamMember" => {
            drop(login.insert("member".to_owned(), entity("TeamMember", reference.id())));
        }
        "Operator" => drop(login.insert("operator".to_owned(), entity("Operator", reference.id()))),
        _ => {}
    }
    Value::Object(login)
}

fn realm_fact(realm: &EntityRef) -> Result<Value, Error> {
    match realm.kind() {
        "Platform" => Ok(json!({})),
        "Account" => Ok(json!({"owner": entity("Account", realm.id())})),
        _ => Err(Error::Realm {
            realm: realm.to_string(),
        }),
    }
}

/// Returns the entities that JSON values name, as `{"__entity": {..}}` or `{"type", "id"}`. The
/// search is iterative because values may be nested.
fn named_in<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<EntityRef> {
    let (mut found, mut todo): (Vec<EntityRef>, Vec<&Value>) = (Vec::new(), values.collect());
    while let Some(value) = todo.pop() {
        match value {
            Value::Object(fields) => {
                if let (Some(Value::String(kind)), Some(Value::String(id))) =
                    (fields.get("type"), fields.get("id"))
                {
                    found.push(EntityRef::new(kind.as_str(), id.as_str()));
                }
                todo.extend(fields.values());
            }
            Value::Array(items) => todo.extend(items),
            _ => {}
        }
    }
    found
}

/// Returns the attributes of a record as the kernel's schema declares them, or `None` if the record
/// does not exist.
fn attributes(
    reference: &EntityRef,
    directory: &Directory,
    catalog: &Catalog,
) -> Option<Map<String, Value>> {
    let id = reference.id();
    let value = match reference.kind() {
        "Platform" => directory
            .platform()
            .filter(|platform| platform.id() == id)
            .map(|_| json!({})),
        "Operator" => directory.operator(id).map(|operator| {
            let roles = entities("Role", operator.roles().map(Role::as_str));
            json!({"email": operator.email(), "roles": roles})
        }),
        "Package" => directory.package(id, catalog).map(|package| {
            let mut fields = flags(PackageFlags::NAMES, package.flags().bits());
            fields.insert(
                "features".to_owned(),
                Value::Array(entities("Feature", package.features())),
            );
            Value::Object(fields)
        }),
        "AccessLevel" => directory.level(id, catalog).map(|level| {
            let mut fields = Map::from_iter([(
                "features".to_owned(),
                Value::Array(entities("Feature", level.features())),
            )]);
            fields.extend(
                level
                    .owner()
                    .map(|owner| ("owner".to_owned(), entity("Account", owner))),
            );
            Value::Object(fields)
        }),
        "Account" => directory.account(id).map(|account| {
            let disabled = account
                .disabled()
                .map(|reason| entity("DisableReason", reason.as_str()));
            let mut fields = Map::from_iter([
                ("disabled".to_owned(), Value::Array(disabled.collect())),
                (
                    "attributes".to_owned(),
                    Value::Object(account.attributes().clone()),
                ),
            ]);
            fields.extend(flags(AccountFlags::NAMES, account.flags.bits()));
            fields.extend(
                account
                    .owner()
                    .map(|owner| ("owner".to_owned(), entity("Account", owner))),
            );
            fields.extend(
                account
                    .package()
                    .map(|package| ("package".to_owned(), entity("Package", package))),
            );
            fields.extend(
                account
                    .level()
                    .map(|level| ("level".to_owned(), entity("AccessLevel", level))),
            );
            Value::Object(fields)
        }),
        "TeamMember" => directory.member(id).map(|member| {
            let mut fields = flags(MemberFlags::NAMES, member.flags.bits());
            fields.extend([
                ("account".to_owned(), entity("Account", member.account())),
                (
                    "grants".to_owned(),
                    Value::Array(entities("Feature", member.grants())),
                ),
                (
                    "attributes".to_owned(),
                    Value::Object(member.attributes().clone()),
                ),
            ]);
            Value::Object(fields)
        }),
        "Domain" => directory.domain(id).map(|domain| {
            let mut fields = Map::from_iter([
                ("platform".to_owned(), Value::Bool(domain.owner().is_none())),
                (
                    "state".to_owned(),
                    entity("DomainState", domain.state().as_str()),
                ),
            ]);
            fields.extend(
                domain
                    .owner()
                    .map(|owner| ("owner".to_owned(), entity("Account", owner))),
            );
            Value::Object(fields)
        }),
        _ => None,
    };
    match value {
        Some(Value::Object(fields)) => Some(fields),
        _ => None,
    }
}
