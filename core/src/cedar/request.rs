//! Converts a caller's request to Cedar's request and entities.

use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::{Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Schema};
use serde_json::{Map, Value, json};

use super::bundle::Bundle;
use super::tenant_facts::entity;
use super::value_fault;
use crate::api::request::{Request, Resource};
use crate::directory::Directory;
use crate::model::answer_code::AnswerCode;
use crate::model::limit::QuotaFacts;
use crate::model::reference::{EntityRef, MAX_ID_BYTES, check_id};
use crate::util::error::Error;
use crate::util::json as checked;

/// A request for Cedar, or a denial that needs no evaluation (E1).
#[derive(Debug)]
pub(crate) enum CedarQuery {
    Denied(AnswerCode),
    Query(Box<CedarRequest>),
}

/// A request and the entities that it may read.
#[derive(Debug)]
pub(crate) struct CedarRequest {
    pub(crate) request: cedar_policy::Request,
    pub(crate) entities: Arc<Entities>,
}

/// Levels of stack for converting values. Their nesting is capped far below that of policies.
pub(crate) const VALUE_DEPTH: usize = 80;
/// Maximum nesting of values that callers pass.
pub(crate) const NESTING: usize = 64;

impl Bundle {
    pub(crate) fn to_cedar_query(
        &self,
        request: &Request,
        directory: &Directory,
        quota: Option<&QuotaFacts<'_>>,
    ) -> Result<CedarQuery, Error> {
        let action = self
            .names
            .actions
            .get(request.action.id())
            .filter(|_| request.action.kind() == "Action");
        let action = action.ok_or_else(|| Error::UnknownAction {
            action: crate::util::text::short(request.action.id()),
        })?;
        if let Some(code) = self.look_up(request, directory)? {
            return Ok(CedarQuery::Denied(code));
        }
        let kind = request.resource.uid.kind();
        if !action.resources.contains(kind) {
            return Err(Error::ActionResource {
                action: request.action.id().to_owned(),
                resource_type: crate::util::text::short(kind),
            });
        }
        if !action.principals.contains(request.principal.kind()) {
            return Ok(CedarQuery::Denied(AnswerCode::NotPermitted));
        }
        let action_uid = uid(&request.action)?;
        let mut context_fields = request.environment.context.clone();
        let facts = self.facts(request, action, directory, quota)?;
        if context_fields.insert("facts".to_owned(), facts).is_some() {
            return Err(Error::Context {
                action: request.action.id().to_owned(),
                reason: "`facts` is the engine's".to_owned(),
            });
        }
        let mut entities = self.known_entities(request, &context_fields, directory)?;
        if !super::tenant_facts::is_directory_type(kind) {
            let resource = &request.resource;
            let is_missing = |name: &&str| {
                !resource.attributes.contains_key(*name)
                    && (*name != "account" || resource.account.is_none())
            };
            if let Some(attribute) = self.required_of(action, kind).find(is_missing) {
                let (action, resource) = (request.action.id().to_owned(), resource.uid.to_string());
                return Err(Error::AttributeRequired {
                    resource,
                    attribute: attribute.to_owned(),
                    action,
                });
            }
            let entity = inline(
                &request.resource,
                request.resource.account.as_deref(),
                Some(&self.schema),
            );
            entities.push(entity.map_err(|error| self.resource_fault(error, &request.resource))?);
        }
        let context = context(&context_fields, Some(&self.schema), &action_uid, true)
            .map_err(|error| self.context_fault(error, &context_fields))?;
        let entities = self
            .actions
            .clone()
            .add_entities(entities, None)
            .map_err(|error| resource_fault(&request.resource, &error))?;
        let cedar = cedar_policy::Request::new(
            uid(&request.principal)?,
            action_uid,
            uid(&request.resource.uid)?,
            context,
            Some(&self.schema),
        );
        let request = cedar.map_err(|error| Error::InvalidRequest {
            reason: error.to_string(),
        })?;
        Ok(CedarQuery::Query(Box::new(CedarRequest {
            request,
            entities: Arc::new(entities),
        })))
    }

    /// Returns the error with a reason that names the field and its form, if one can be found.
    fn context_fault(&self, error: Error, fields: &Map<String, Value>) -> Error {
        let Error::Context { action, reason } = error else {
            return error;
        };
        let shape = self.values.action("Action", &action);
        let found = shape.and_then(|shape| {
            // The engine itself makes `facts`.
            let declared = shape.context.as_deref()?.without("facts");
            let given = fields.iter().filter(|(name, _)| *name != "facts");
            let given: Map<String, Value> = given
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let of = format!("the context of `{action}`");
            value_fault::of_fields("field", &given, &declared, &of)
        });
        Error::Context {
            action,
            reason: found.unwrap_or(reason),
        }
    }

    /// Returns the error with a reason that names the attribute and its form, if one can be found.
    fn resource_fault(&self, error: Error, given: &Resource) -> Error {
        let Error::Resource { resource, reason } = error else {
            return error;
        };
        let kind = given.uid.kind();
        let shape = self.values.shape(kind);
        let found = shape.and_then(|shape| {
            let record = shape.attributes.as_deref()?;
            let mut fields = given.attributes.clone();
            if let Some(account) = &given.account {
                fields.insert("account".to_owned(), entity("Account", account));
            }
            value_fault::of_fields("attribute", &fields, record, &format!("`{kind}`"))
        });
        Error::Resource {
            resource,
            reason: found.unwrap_or(reason),
        }
    }

    /// Checks the ids of a request. Malformed ids are errors. Unknown ids are denials, in the order
    /// of E1.
    fn look_up(
        &self,
        request: &Request,
        directory: &Directory,
    ) -> Result<Option<AnswerCode>, Error> {
        let environment = &request.environment;
        check_id("principal", request.principal.id())?;
        check_id("resource", request.resource.uid.id())?;
        if let Some(account) = request
            .resource
            .account
            .as_deref()
            .filter(|account| account.len() > MAX_ID_BYTES)
        {
            check_id("account", account)?;
        }
        if let Some(actor) = &environment.actor {
            check_id("actor", actor.id())?;
            if !super::tenant_facts::is_login_type(actor.kind()) {
                return Err(Error::Actor {
                    actor: actor.to_string(),
                });
            }
        }
        self.declared(&request.principal)?;
        self.declared(&request.resource.uid)?;
        let is_directory_record =
            super::tenant_facts::is_directory_type(request.resource.uid.kind());
        if is_directory_record && !request.resource.is_empty() {
            return Err(Error::DirectoryResource {
                resource: request.resource.uid.to_string(),
            });
        }
        if std::iter::once(&request.principal)
            .chain(&environment.actor)
            .any(|login| !super::tenant_facts::is_login_type(login.kind()) || !directory.has(login))
        {
            return Ok(Some(AnswerCode::PrincipalUnknown));
        }
        if is_directory_record && !directory.has(&request.resource.uid) {
            return Ok(Some(if request.resource.uid.kind() == "Account" {
                AnswerCode::AccountUnknown
            } else {
                AnswerCode::ResourceUnknown
            }));
        }
        if request
            .resource
            .account
            .as_deref()
            .is_some_and(|account| directory.tables().accounts.find(account).is_none())
        {
            return Ok(Some(AnswerCode::AccountUnknown));
        }
        Ok(None)
    }

    fn declared(&self, reference: &EntityRef) -> Result<(), Error> {
        let unknown = || Error::EntityType {
            name: crate::util::text::short(reference.kind()),
        };
        let kind = EntityTypeName::from_str(reference.kind()).map_err(|_| unknown())?;
        if self.types.contains(&kind) {
            Ok(())
        } else {
            Err(unknown())
        }
    }
}

/// Returns type and id as Cedar's own pair. The id is never parsed (E6).
pub(crate) fn uid(reference: &EntityRef) -> Result<EntityUid, Error> {
    let kind = EntityTypeName::from_str(reference.kind()).map_err(|_| Error::EntityType {
        name: crate::util::text::short(reference.kind()),
    })?;
    Ok(EntityUid::from_type_name_and_id(
        kind,
        EntityId::new(reference.id()),
    ))
}

pub(crate) fn context(
    fields: &Map<String, Value>,
    schema: Option<&Schema>,
    action: &EntityUid,
    checked_by_schema: bool,
) -> Result<Context, Error> {
    let value = Value::Object(fields.clone());
    checked::check_value("context", &value, NESTING)?;
    let fault = |reason: String| Error::Context {
        action: crate::util::text::short(action.id().unescaped()),
        reason,
    };
    match Context::from_json_value(value.clone(), schema.map(|schema| (schema, action))) {
        Ok(context) => Ok(context),
        // Without request validation the schema only helps to read values.
        Err(_) if !checked_by_schema => {
            Context::from_json_value(value, None).map_err(|error| fault(causes(&error)))
        }
        Err(error) => Err(fault(causes(&error))),
    }
}

pub(crate) fn inline(
    resource: &Resource,
    account: Option<&str>,
    schema: Option<&Schema>,
) -> Result<Entity, Error> {
    let mut attributes = resource.attributes.clone();
    if let Some(account) = account
        && attributes
            .insert(
                "account".to_owned(),
                json!({"__entity": {"type": "Account", "id": account}}),
            )
            .is_some()
    {
        return Err(Error::Resource {
            resource: resource.uid.to_string(),
            reason: "`account` is given twice".to_owned(),
        });
    }
    let parents: Vec<Value> = resource
        .parents
        .iter()
        .map(|parent| json!({"type": parent.kind(), "id": parent.id()}))
        .collect();
    let (attributes, tags) = (
        Value::Object(attributes),
        Value::Object(resource.tags.clone()),
    );
    checked::check_value("attributes", &attributes, NESTING)?;
    checked::check_value("tags", &tags, NESTING)?;
    let value = json!({"uid": {"type": resource.uid.kind(), "id": resource.uid.id()}, "attrs": attributes, "parents": parents, "tags": tags});
    Entity::from_json_value(value, schema).map_err(|error| resource_fault(resource, &error))
}

fn resource_fault(resource: &Resource, error: &dyn std::error::Error) -> Error {
    Error::Resource {
        resource: resource.uid.to_string(),
        reason: causes(error),
    }
}

/// Returns an error's message with those of its causes, on one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    for _ in 0..8 {
        let Some(next) = cause else { break };
        let words = next.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = next.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
