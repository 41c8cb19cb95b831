//! Evaluates one case with Cedar and with the engine.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::str::FromStr;

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision as Cedar, Entities, Entity, EntityId,
    EntityTypeName, EntityUid, PolicyId, PolicySet, Response, Schema, SlotId,
};
use serde_json::{Value, json};
use sublet::{
    Action, CedarProgram, Decision, Engine, EntityRef, Error, Options, PolicySource, Principal,
    Request, RequestRef, Resource, ResourceType, Validation,
};

use crate::Case;

/// The result of Cedar: the decision, the determining policies, and the erring policies with their
/// messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CedarResult {
    /// The decision of Cedar.
    pub allow: bool,
    /// The determining policies.
    pub reasons: BTreeSet<String>,
    /// The erring policies, with the messages of Cedar.
    pub errors: BTreeMap<String, String>,
}

impl From<&Response> for CedarResult {
    fn from(response: &Response) -> Self {
        let diagnostics = response.diagnostics();
        let error = |error: &AuthorizationError| {
            let AuthorizationError::PolicyEvaluationError(fault) = error;
            (fault.policy_id().to_string(), fault.inner().to_string())
        };
        Self {
            allow: response.decision() == Cedar::Allow,
            reasons: diagnostics.reason().map(ToString::to_string).collect(),
            errors: diagnostics.errors().map(error).collect(),
        }
    }
}

pub(crate) fn uid(kind: &str, id: &str) -> Option<EntityUid> {
    Some(EntityUid::from_type_name_and_id(
        EntityTypeName::from_str(kind).ok()?,
        EntityId::new(id),
    ))
}

/// The request of a case in the types of Cedar.
pub struct Prepared {
    request: cedar_policy::Request,
    entities: Entities,
}

thread_local! {
    /// The last schema, cached because most cases share it.
    static SCHEMA: RefCell<Option<(String, Schema)>> = const { RefCell::new(None) };
}

fn schema(text: &str) -> Option<Schema> {
    SCHEMA.with_borrow_mut(|last| {
        if last.as_ref().is_none_or(|(known, _)| known != text) {
            *last = Some((text.to_owned(), read_schema(text)?));
        }
        last.as_ref().map(|(_, schema)| schema.clone())
    })
}

fn read_schema(text: &str) -> Option<Schema> {
    if text.starts_with('{') {
        Schema::from_json_str(text).ok()
    } else {
        Schema::from_str(text).ok()
    }
}

/// Returns the request and its entities, or `None` if Cedar refuses one of them.
#[must_use]
pub fn prepare(case: &Case) -> Option<Prepared> {
    let schema = match &case.schema {
        Some(text) => Some(schema(text)?),
        None => None,
    };
    let mut entities = Entities::from_json_value(case.entities.clone(), schema.as_ref()).ok()?;
    let (principal, action, resource) = (
        uid(case.request[0].0, &case.request[0].1)?,
        uid(case.request[1].0, &case.request[1].1)?,
        &case.request[2],
    );
    if let Some(inline) = &case.inline {
        let mut whole = inline.clone();
        whole["uid"] = json!({"type": resource.0, "id": resource.1});
        let entity = Entity::from_json_value(whole, schema.as_ref()).ok()?;
        entities = entities.upsert_entities([entity], None).ok()?;
    }
    // Without validation the schema is only used to parse values.
    let context = match Context::from_json_value(
        case.context.clone(),
        schema.as_ref().map(|schema| (schema, &action)),
    ) {
        Ok(context) => context,
        Err(_) if !case.validate => Context::from_json_value(case.context.clone(), None).ok()?,
        Err(_) => return None,
    };
    let used = schema.as_ref().filter(|_| case.validate);
    let request = cedar_policy::Request::new(
        principal,
        action,
        uid(resource.0, &resource.1)?,
        context,
        used,
    )
    .ok()?;
    Some(Prepared { request, entities })
}

impl Prepared {
    /// Evaluates these policies with Cedar. Returns `None` if Cedar refuses them.
    #[must_use]
    pub fn evaluate(&self, policies: &str, links: &Value) -> Option<CedarResult> {
        let mut set = PolicySet::from_str(policies).ok()?;
        for link in links.as_array()? {
            let slot = &link["values"]["?principal"];
            let values = HashMap::from([(
                SlotId::principal(),
                uid(slot["type"].as_str()?, slot["id"].as_str()?)?,
            )]);
            set.link(
                PolicyId::new(link["templateId"].as_str()?),
                PolicyId::new(link["newId"].as_str()?),
                values,
            )
            .ok()?;
        }
        let response = Authorizer::new().is_authorized(&self.request, &set, &self.entities);
        Some(CedarResult::from(&response))
    }
}

/// Evaluates the case with Cedar. Returns `None` if Cedar refuses the policies, the entities or the
/// request.
#[must_use]
pub fn evaluate(case: &Case) -> Option<CedarResult> {
    prepare(case)?.evaluate(&case.text(), &case.links)
}

/// Evaluates cases with one engine, which it reloads as hosts do, and with handles that it reuses.
#[derive(Default)]
pub struct Asker {
    engine: Option<Engine>,
    principals: HashMap<(&'static str, String), Principal>,
    actions: HashMap<(&'static str, String), Action>,
    kinds: HashMap<&'static str, ResourceType>,
    asked: u64,
    /// The number of policies of all programs, and the number of those that Cedar interprets.
    pub policies: (u64, u64),
}

/// Returns the program of a case.
#[must_use]
pub fn program(case: &Case, policies: String) -> CedarProgram {
    CedarProgram {
        policies,
        schema: case.schema.clone(),
        links: Some(case.links.to_string()),
        entities: Some(case.entities.to_string()),
        validate_requests: Some(case.validate),
    }
}

/// Returns the request of a case.
#[must_use]
pub fn request(case: &Case) -> Request {
    let reference = |(kind, id): &(&str, String)| EntityRef::new(*kind, id.clone());
    let mut resource = Resource::from(reference(&case.request[2]));
    if let Some(inline) = &case.inline {
        let fields = |name: &str| inline[name].as_object().cloned().unwrap_or_default();
        (resource.attributes, resource.tags) = (fields("attrs"), fields("tags"));
        let name = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        resource.parents = inline["parents"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parent| EntityRef::new(name(parent, "type"), name(parent, "id")))
            .collect();
        if resource.attributes.is_empty() && resource.tags.is_empty() && resource.parents.is_empty()
        {
            resource.account = Some("given".to_owned());
        }
    }
    let mut request = Request::new(
        reference(&case.request[0]),
        reference(&case.request[1]),
        resource,
    );
    request.environment.context = case.context.as_object().cloned().unwrap_or_default();
    request
}

impl Asker {
    /// Returns the decision of the engine. Checks that names and handles give one decision.
    ///
    /// # Errors
    /// Those of the engine.
    ///
    /// # Panics
    /// If two calls for one request give different decisions.
    pub fn ask(&mut self, case: &Case, policies: String) -> Result<Decision, Error> {
        self.asked += 1;
        let source = PolicySource::Cedar(program(case, policies));
        // A program with other policies, entities and entity numbers replaces the last one.
        match &self.engine {
            Some(engine) if !self.asked.is_multiple_of(8) => drop(engine.reload(&source)?),
            _ => {
                self.engine = Some(Engine::open(Options {
                    policies: source,
                    validation: Validation::Off,
                    ..Options::default()
                })?)
            }
        }
        let Some(engine) = &self.engine else {
            unreachable!("it was opened")
        };
        let bundle = engine.bundle();
        self.policies.0 += bundle.policies.len() as u64;
        self.policies.1 += bundle.fallback.len() as u64;
        let request = request(case);
        let decision = engine.authorize(&request);
        let [principal, action, resource] = &case.request;
        let principal = self
            .principals
            .entry(principal.clone())
            .or_insert_with(|| Principal::new(principal.0, principal.1.clone()));
        let action = self
            .actions
            .entry(action.clone())
            .or_insert_with(|| Action::new(action.0, action.1.clone()));
        let kind = self
            .kinds
            .entry(resource.0)
            .or_insert_with(|| ResourceType::new(resource.0));
        let named = RequestRef::from(&request);
        let mut by_handle = RequestRef::new(&*principal, &*action, (&*kind, resource.1.as_str()));
        (
            by_handle.resource.more,
            by_handle.resource.account,
            by_handle.environment,
        ) = (
            named.resource.more,
            named.resource.account,
            named.environment,
        );
        for _ in 0..2 {
            assert_eq!(
                engine.check(by_handle),
                decision
                    .as_ref()
                    .map(|decision| decision.allowed)
                    .map_err(Clone::clone),
                "{}",
                case.text()
            );
        }
        assert_eq!(
            engine.check(named),
            decision
                .as_ref()
                .map(|decision| decision.allowed)
                .map_err(Clone::clone),
            "{}",
            case.text()
        );
        assert_eq!(engine.authorize(by_handle), decision, "{}", case.text());
        if self.asked.is_multiple_of(64) && decision.is_ok() {
            engine.explain(&request)?;
        }
        decision
    }
}

/// Returns whether the decision of the engine equals that of Cedar, including the messages of
/// errors.
#[must_use]
pub fn agrees(result: &CedarResult, decision: &Decision) -> bool {
    let reasons: BTreeSet<String> = decision.policies.iter().map(ToString::to_string).collect();
    let errors: BTreeMap<String, String> = decision
        .errors
        .iter()
        .map(|error| (error.policy.to_string(), error.message.clone()))
        .collect();
    decision.allowed == (result.allow && result.errors.is_empty())
        && reasons == result.reasons
        && errors == result.errors
        && (decision.code.as_ref() == "policy_error") == (result.allow && !result.errors.is_empty())
        && (decision.code.as_ref() == "ok") == decision.allowed
}

/// Compares the engine with Cedar. Returns the result of Cedar if it accepts the case.
///
/// # Errors
/// A text with both results, if they differ.
pub fn compare(
    case: &Case,
    prepared: Option<&Prepared>,
    asker: &mut Asker,
) -> Result<Option<CedarResult>, String> {
    let result = prepared.and_then(|prepared| prepared.evaluate(&case.text(), &case.links));
    match (result, asker.ask(case, case.text())) {
        (Some(result), Ok(decision)) if agrees(&result, &decision) => Ok(Some(result)),
        (None, Err(error)) if error.code() != "internal.panic" => Ok(None),
        (result, answer) => Err(format!("{result:?}\nis not\n{answer:?}\n{case:?}")),
    }
}
