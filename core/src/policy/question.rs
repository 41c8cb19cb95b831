//! A caller's request as Cedar's request and entities.

use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::{Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Schema};
use serde_json::{Map, Value, json};

use super::tenancy::{Metered, Silence, Single};
use super::{Answer, Bundle, Fast, Kind, Loaded, Plain, Verdict};
use crate::answer_code::AnswerCode;
use crate::directory::Directory;
use crate::id::{MAX_ID_BYTES, check_id};
use crate::limit::QuotaFacts;
use crate::question::Question as Public;
use crate::{Error, Ref, Request, Resource, json as checked, stack};

/// What there is to ask Cedar, or a denial that a failed look-up already gives (E1).
#[derive(Debug)]
pub(crate) enum Asked {
    Answered(AnswerCode),
    Cedar(Box<Question>),
}

/// A request and the entities that it may read.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) request: cedar_policy::Request,
    pub(crate) entities: Arc<Entities>,
}

/// Levels of stack for what converts values: their nesting is capped, far below what policies may need.
pub(super) const VALUE_DEPTH: usize = 80;
/// The nesting of values that callers pass.
pub(crate) const NESTING: usize = 64;

impl Loaded {
    /// The Cedar question that `request` is, or its answer where a look-up fails.
    pub(crate) fn asked(&self, request: &Request, directory: &Directory, quota: Option<&QuotaFacts<'_>>) -> Result<Asked, Error> {
        match &self.kind {
            Kind::Tenancy(bundle) => stack::run(VALUE_DEPTH, || bundle.asked(request, directory, quota)),
            Kind::Plain(plain) => plain.asked(request),
        }
    }

    /// The answer of a plain program.
    pub(crate) fn fast_plain(&self, question: &crate::Question<'_>) -> Result<Option<Verdict>, Error> {
        match &self.kind {
            Kind::Tenancy(_) => Ok(None),
            Kind::Plain(plain) => plain.judge(question).map(Some),
        }
    }

    /// The answer of the compiled policies, where they can answer: else Cedar is to be asked.
    pub(crate) fn fast(&self, fast: &Fast, question: &Public<'_>, directory: &Directory, quota: Option<&QuotaFacts<'_>>) -> Result<Option<Verdict>, Error> {
        match &self.kind {
            Kind::Tenancy(bundle) => Ok(match &fast.0 {
                Some(Ok(programs)) => programs.judge(bundle, question, directory, quota),
                _ => None,
            }),
            Kind::Plain(plain) => plain.judge(question).map(Some),
        }
    }

    /// The allow bit from single bits, where a plan says it.
    #[inline]
    pub(crate) fn planned(fast: &Fast, question: &Public<'_>, directory: &Directory) -> Option<bool> {
        match &fast.0 {
            Some(Ok(programs)) => programs.planned(question, directory),
            _ => None,
        }
    }

    /// The answer, where the same was given before.
    #[inline]
    pub(crate) fn recalled<'f>(fast: &'f Fast, question: &Public<'_>, directory: &Directory) -> Option<&'f Answer> {
        match &fast.0 {
            Some(Ok(programs)) => programs.recalled(question, directory),
            _ => None,
        }
    }

    /// The answer of so much of a meter, where it is the one without that was given before, with how long it stays so.
    /// `unknown` says it was not given yet.
    pub(crate) fn metered<'f>(
        fast: &'f Fast,
        question: &Public<'_>,
        directory: &Directory,
        quota: &'f QuotaFacts<'f>,
        hears: bool,
        unknown: &mut bool,
    ) -> Option<(&'f Answer, Option<Silence>)> {
        let Some(Ok(programs)) = &fast.0 else { return None };
        match programs.metered(question, directory, quota, hears) {
            Metered::Answer(answer, silence) => Some((answer, silence)),
            Metered::Unknown => {
                *unknown = true;
                None
            }
            Metered::Beyond => None,
        }
    }

    /// What is asked by an account for itself of the one meter of an action.
    #[inline]
    pub(crate) fn single<'f>(fast: &'f Fast, question: &Public<'_>, directory: &Directory) -> Option<Single<'f>> {
        match &fast.0 {
            Some(Ok(programs)) => programs.single(question, directory),
            _ => None,
        }
    }

    /// The answer that was given during a silence.
    #[inline]
    pub(crate) fn silent<'f>(fast: &'f Fast, single: &Single<'_>, place: u8) -> Option<&'f Answer> {
        match &fast.0 {
            Some(Ok(programs)) => programs.silent(single, place),
            _ => None,
        }
    }

    /// Keeps an answer that was given, for the next that is the same.
    pub(crate) fn keep(fast: &Fast, question: &Public<'_>, directory: &Directory, answer: impl FnOnce() -> Answer) {
        if let Some(Ok(programs)) = &fast.0 {
            programs.keep(question, directory, answer);
        }
    }

    /// The allow bit of the compiled policies' answer, where they can answer.
    #[inline]
    pub(crate) fn fast_check(&self, fast: &Fast, question: &Public<'_>, directory: &Directory, quota: Option<&QuotaFacts<'_>>) -> Result<Option<bool>, Error> {
        match (&self.kind, &fast.0) {
            (Kind::Tenancy(bundle), Some(Ok(programs))) => Ok(programs.check(bundle, question, directory, quota)),
            (Kind::Plain(plain), _) => plain.check(question).map(Some),
            _ => Ok(self.fast(fast, question, directory, quota)?.map(|verdict| verdict.allowed)),
        }
    }

    /// The actions whose schema names these types, by name.
    pub(crate) fn actions_for(&self, principal: &str, resource: &str) -> Vec<Ref> {
        match &self.kind {
            Kind::Tenancy(bundle) => {
                let fits = bundle.names.actions.iter().filter(|(_, action)| action.principals.contains(principal) && action.resources.contains(resource));
                fits.map(|(name, _)| Ref::new("Action", name)).collect()
            }
            Kind::Plain(plain) => plain.actions_for(principal, resource),
        }
    }
}

impl Plain {
    fn actions_for(&self, principal: &str, resource: &str) -> Vec<Ref> {
        let Some(schema) = &self.schema else { return Vec::new() };
        let (Ok(principal), Ok(resource)) = (EntityTypeName::from_str(principal), EntityTypeName::from_str(resource)) else { return Vec::new() };
        let mut actions: Vec<Ref> = schema.actions_for_principal_and_resource(&principal, &resource).map(named).collect();
        actions.sort();
        actions
    }

    /// The schema's actions, sorted.
    pub(crate) fn action_names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = self.schema.iter().flat_map(Schema::actions).map(|uid| Arc::from(named(uid).action_name())).collect();
        names.sort();
        names
    }
}

fn named(uid: &EntityUid) -> Ref {
    Ref::new(uid.type_name().to_string(), uid.id().unescaped())
}

impl Bundle {
    fn asked(&self, request: &Request, directory: &Directory, quota: Option<&QuotaFacts<'_>>) -> Result<Asked, Error> {
        let action = self.names.actions.get(request.action.id()).filter(|_| request.action.kind() == "Action");
        let action = action.ok_or_else(|| Error::UnknownAction { action: crate::id::short(request.action.id()) })?;
        if let Some(code) = self.look_up(request, directory)? {
            return Ok(Asked::Answered(code));
        }
        let kind = request.resource.uid.kind();
        if !action.resources.contains(kind) {
            return Err(Error::ActionResource { action: request.action.id().to_owned(), resource_type: crate::id::short(kind) });
        }
        if !action.principals.contains(request.principal.kind()) {
            return Ok(Asked::Answered(AnswerCode::NotPermitted));
        }
        let action_uid = uid(&request.action)?;
        let mut context_fields = request.circumstances.context.clone();
        let facts = self.facts(request, action, directory, quota)?;
        if context_fields.insert("facts".to_owned(), facts).is_some() {
            return Err(Error::Context { action: request.action.id().to_owned(), reason: "`facts` is the engine's".to_owned() });
        }
        let mut entities = self.known_entities(request, &context_fields, directory)?;
        if !super::facts::is_directory_type(kind) {
            let resource = &request.resource;
            let is_missing = |name: &&str| !resource.attributes.contains_key(*name) && (*name != "account" || resource.account.is_none());
            if let Some(attribute) = self.required_of(action, kind).find(is_missing) {
                let (action, resource) = (request.action.id().to_owned(), resource.uid.to_string());
                return Err(Error::AttributeRequired { resource, attribute: attribute.to_owned(), action });
            }
            entities.push(inline(&request.resource, request.resource.account.as_deref(), Some(&self.schema))?);
        }
        let context = context(&context_fields, Some(&self.schema), &action_uid, true)?;
        let entities = self.actions.clone().add_entities(entities, None).map_err(|found| resource_fault(&request.resource, &found))?;
        let cedar = cedar_policy::Request::new(uid(&request.principal)?, action_uid, uid(&request.resource.uid)?, context, Some(&self.schema));
        let request = cedar.map_err(|found| Error::InvalidRequest { reason: found.to_string() })?;
        Ok(Asked::Cedar(Box::new(Question { request, entities: Arc::new(entities) })))
    }

    /// Malformed ids are errors; ids that nobody has are denials, named in E1's order.
    fn look_up(&self, request: &Request, directory: &Directory) -> Result<Option<AnswerCode>, Error> {
        let with = &request.circumstances;
        check_id("principal", request.principal.id())?;
        check_id("resource", request.resource.uid.id())?;
        if let Some(account) = request.resource.account.as_deref().filter(|account| account.len() > MAX_ID_BYTES) {
            check_id("account", account)?;
        }
        if let Some(actor) = &with.actor {
            check_id("actor", actor.id())?;
            if !super::facts::is_login_type(actor.kind()) {
                return Err(Error::Actor { actor: actor.to_string() });
            }
        }
        self.declared(&request.principal)?;
        self.declared(&request.resource.uid)?;
        let kept = super::facts::is_directory_type(request.resource.uid.kind());
        if kept && !request.resource.is_bare() {
            return Err(Error::DirectoryResource { resource: request.resource.uid.to_string() });
        }
        if std::iter::once(&request.principal).chain(&with.actor).any(|login| !super::facts::is_login_type(login.kind()) || !directory.has(login)) {
            return Ok(Some(AnswerCode::PrincipalUnknown));
        }
        if kept && !directory.has(&request.resource.uid) {
            return Ok(Some(if request.resource.uid.kind() == "Account" { AnswerCode::AccountUnknown } else { AnswerCode::ResourceUnknown }));
        }
        if request.resource.account.as_deref().is_some_and(|account| directory.hot().accounts.find(account).is_none()) {
            return Ok(Some(AnswerCode::AccountUnknown));
        }
        Ok(None)
    }

    fn declared(&self, reference: &Ref) -> Result<(), Error> {
        let unknown = || Error::EntityType { name: crate::id::short(reference.kind()) };
        let kind = EntityTypeName::from_str(reference.kind()).map_err(|_| unknown())?;
        if self.types.contains(&kind) { Ok(()) } else { Err(unknown()) }
    }
}

/// Type and id as Cedar's own pair: the id is never parsed (E6).
pub(crate) fn uid(reference: &Ref) -> Result<EntityUid, Error> {
    let kind = EntityTypeName::from_str(reference.kind()).map_err(|_| Error::EntityType { name: crate::id::short(reference.kind()) })?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(reference.id())))
}

pub(super) fn context(fields: &Map<String, Value>, schema: Option<&Schema>, action: &EntityUid, checked_by_schema: bool) -> Result<Context, Error> {
    let value = Value::Object(fields.clone());
    checked::check_value("context", &value, NESTING)?;
    let fault = |reason: String| Error::Context { action: crate::id::short(action.id().unescaped()), reason };
    match Context::from_json_value(value.clone(), schema.map(|schema| (schema, action))) {
        Ok(context) => Ok(context),
        // Without validation the schema only helps to read values.
        Err(_) if !checked_by_schema => Context::from_json_value(value, None).map_err(|found| fault(causes(&found))),
        Err(found) => Err(fault(causes(&found))),
    }
}

pub(super) fn inline(resource: &Resource, account: Option<&str>, schema: Option<&Schema>) -> Result<Entity, Error> {
    let mut attributes = resource.attributes.clone();
    if let Some(account) = account
        && attributes.insert("account".to_owned(), json!({"__entity": {"type": "Account", "id": account}})).is_some()
    {
        return Err(Error::Resource { resource: resource.uid.to_string(), reason: "`account` is given twice".to_owned() });
    }
    let parents: Vec<Value> = resource.parents.iter().map(|parent| json!({"type": parent.kind(), "id": parent.id()})).collect();
    let (attributes, tags) = (Value::Object(attributes), Value::Object(resource.tags.clone()));
    checked::check_value("attributes", &attributes, NESTING)?;
    checked::check_value("tags", &tags, NESTING)?;
    let value = json!({"uid": {"type": resource.uid.kind(), "id": resource.uid.id()}, "attrs": attributes, "parents": parents, "tags": tags});
    Entity::from_json_value(value, schema).map_err(|found| resource_fault(resource, &found))
}

fn resource_fault(resource: &Resource, found: &dyn std::error::Error) -> Error {
    Error::Resource { resource: resource.uid.to_string(), reason: causes(found) }
}

/// An error's words with those of its causes, on one line.
pub(crate) fn causes(found: &dyn std::error::Error) -> String {
    let mut text = found.to_string();
    let mut cause = found.source();
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
