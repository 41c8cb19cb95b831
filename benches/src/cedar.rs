//! The peer that judges: `cedar-policy` with the workload's policies, and everything prebuilt: the
//! entities of the whole directory, and each request with its context. Only `is_authorized` is
//! timed.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicyId, PolicySet, Request,
    Schema, SchemaFragment, SlotId,
};
use serde_json::{Value, json};

use crate::agency::Question;

/// The policies and the schema as text.
#[derive(Debug, Default)]
pub struct Texts {
    pub policies: String,
    pub schema: String,
}

/// The policies, the schema and the directory.
#[derive(Debug)]
pub struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    schema: Schema,
    directory: Vec<Value>,
    places: HashMap<(String, String), usize>,
    /// The texts of the files, for peers in other languages.
    pub texts: Texts,
    features: Vec<(String, String)>,
}

fn uid(kind: &str, id: &str) -> Value {
    json!({"type": kind, "id": id})
}

fn reference(kind: &str, id: &str) -> Value {
    json!({"__entity": uid(kind, id)})
}

/// The resource of the host's own, with the account that it belongs to.
fn inline(question: &Question) -> Option<Value> {
    let attributes = json!({"account": reference("Account", question.account.as_deref()?)});
    let mut entity = json!({
        "uid": uid(question.resource.0, &question.resource.1), "attrs": attributes, "parents": []
    });
    let details = question.details.as_deref();
    if let Some(more) = details.and_then(|details| details.resource.as_ref()) {
        for (name, value) in &more.attributes {
            entity["attrs"][name] = value.clone();
        }
        entity["tags"] = more.tags.clone().into();
    }
    Some(entity)
}

/// Links the templates, which the links name by their `@id`.
fn link(policies: &mut PolicySet, links: &Value) {
    for link in links.as_array().into_iter().flatten() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let named = text(&link["templateId"]);
        let template = policies
            .templates()
            .find(|template| template.annotation("id") == Some(&named))
            .map(|template| template.id().clone());
        let principal = &link["values"]["?principal"];
        let principal = EntityUid::from_json(principal.clone()).expect("a uid");
        policies
            .link(
                template.expect("the template"),
                PolicyId::new(text(&link["newId"])),
                HashMap::from([(SlotId::principal(), principal)]),
            )
            .expect("a link");
    }
}

fn list(kind: &str, names: &Value) -> Value {
    names
        .as_array()
        .into_iter()
        .flatten()
        .map(|name| json!({"__entity": uid(kind, name.as_str().unwrap_or_default())}))
        .collect()
}

impl Cedar {
    /// Takes the bundle's files and the directory's JSON lines.
    ///
    /// # Panics
    /// If the bundle or the lines cannot be read.
    #[must_use]
    pub fn new(bundle: &[(String, String)], lines: &str) -> Self {
        let (mut texts, mut fragments) = (Texts::default(), Vec::new());
        for (name, text) in bundle {
            match Path::new(name)
                .extension()
                .and_then(|ending| ending.to_str())
            {
                Some("cedar") => texts.policies.push_str(text),
                Some("cedarschema") => {
                    let fragment = SchemaFragment::from_cedarschema_str(text);
                    fragments.push(fragment.expect("a schema").0);
                    texts.schema.push_str(text);
                }
                _ => {}
            }
        }
        let schema = Schema::from_schema_fragments(fragments).expect("a schema");
        let directory: Vec<Value> = lines
            .lines()
            .filter_map(|line| entity(&serde_json::from_str(line).expect("a record")))
            .collect();
        let text =
            |entity: &Value, key: &str| entity["uid"][key].as_str().unwrap_or_default().to_owned();
        let places = directory
            .iter()
            .enumerate()
            .map(|(at, entity)| ((text(entity, "type"), text(entity, "id")), at))
            .collect();
        let mut policies = texts.policies.parse().expect("the policies");
        if let Some((_, links)) = bundle.iter().find(|(name, _)| name == "links.json") {
            link(
                &mut policies,
                &serde_json::from_str(links).expect("the links"),
            );
        }
        Self {
            authorizer: Authorizer::new(),
            policies,
            schema,
            directory,
            places,
            features: features(&texts.schema),
            texts,
        }
    }

    /// All entities: the directory's, the schema's actions, and the questions' own resources.
    ///
    /// # Panics
    /// If they do not fit the schema.
    #[must_use]
    pub fn entities(&self, questions: &[Question]) -> Entities {
        Entities::from_json_value(self.listed(questions).into(), Some(&self.schema))
            .expect("entities")
    }

    /// Returns the entities without the actions, in Cedar's JSON form.
    #[must_use]
    pub fn listed(&self, questions: &[Question]) -> Vec<Value> {
        let mut all = self.directory.clone();
        let mut seen = std::collections::HashSet::new();
        all.extend(
            questions
                .iter()
                .filter(|question| seen.insert(&question.resource))
                .filter_map(inline),
        );
        all
    }

    /// The entities of a directory's JSON lines, made one by one, so that little else is left in
    /// memory.
    ///
    /// # Panics
    /// If the lines cannot be read, or do not fit the schema.
    #[must_use]
    pub fn resident(&self, lines: impl BufRead) -> Entities {
        let made = lines.lines().filter_map(|line| {
            entity(&serde_json::from_str(&line.expect("a line")).expect("a record"))
        });
        let made = made
            .map(|entity| Entity::from_json_value(entity, Some(&self.schema)).expect("an entity"));
        Entities::from_entities(made, Some(&self.schema)).expect("entities")
    }

    /// The facts that the engine would have found, as the request's context.
    ///
    /// # Panics
    /// If the principal is not in the directory.
    #[must_use]
    pub fn context(&self, question: &Question) -> Value {
        let (kind, id) = (&question.principal.0, &question.principal.1);
        let account = if *kind == "TeamMember" {
            self.find(kind, id).expect("a member")["attrs"]["account"].clone()
        } else {
            reference(kind, id)
        };
        let mut login = json!({"account": account});
        if *kind == "TeamMember" {
            login["member"] = reference(kind, id);
        }
        let environment = question.details.as_deref();
        let environment = environment.and_then(|details| details.environment.as_deref());
        let channel = environment.and_then(|environment| environment.channel.as_deref());
        let channel = reference("Channel", channel.unwrap_or("web"));
        let mut facts = json!({"login": login, "account": account, "channel": channel});
        if let Some(host) = &question.host {
            facts["host"] = host.as_str().into();
            if self.find("Domain", host).is_some() {
                facts["domain"] = reference("Domain", host);
            }
        }
        if let Some((_, feature)) = self
            .features
            .iter()
            .find(|(action, _)| *action == question.action)
        {
            facts["feature"] = reference("Feature", feature);
        }
        let mut context = json!({"facts": facts});
        let fields = environment.map(|environment| &environment.context);
        for (name, value) in fields.into_iter().flatten() {
            context[name] = value.clone();
        }
        context
    }

    /// The question as Cedar's request.
    ///
    /// # Panics
    /// If it does not fit the schema.
    #[must_use]
    pub fn request(&self, question: &Question) -> Request {
        let entity = |kind: &str, id: &str| EntityUid::from_json(uid(kind, id)).expect("a uid");
        let (principal, action) = (
            entity(question.principal.0, &question.principal.1),
            entity("Action", &question.action),
        );
        let context =
            Context::from_json_value(self.context(question), Some((&self.schema, &action)))
                .expect("a context");
        Request::new(
            principal,
            action,
            entity(question.resource.0, &question.resource.1),
            context,
            Some(&self.schema),
        )
        .expect("a request")
    }

    /// The few entities that the question needs, for a peer that takes them with each request.
    #[must_use]
    pub fn needed(&self, question: &Question) -> Vec<Value> {
        let mut wanted = vec![
            (
                question.principal.0.to_owned(),
                question.principal.1.clone(),
            ),
            (
                "Domain".to_owned(),
                question.host.clone().unwrap_or_default(),
            ),
            (
                "Account".to_owned(),
                question
                    .account
                    .clone()
                    .unwrap_or_else(|| question.resource.1.clone()),
            ),
        ];
        let (mut at, mut found) = (0, Vec::new());
        while let Some((kind, id)) = wanted.get(at).cloned() {
            at += 1;
            let Some(entity) = self.find(&kind, &id) else {
                continue;
            };
            for value in entity["attrs"]
                .as_object()
                .into_iter()
                .flat_map(|attributes| attributes.values())
            {
                let named = &value["__entity"];
                if let (Some(kind), Some(id)) = (named["type"].as_str(), named["id"].as_str()) {
                    let next = (kind.to_owned(), id.to_owned());
                    if !wanted.contains(&next) {
                        wanted.push(next);
                    }
                }
            }
            found.push(entity.clone());
        }
        found.extend(inline(question));
        found
    }

    /// The question's action as an entity, for a peer that is not given the schema.
    ///
    /// # Panics
    /// If the schema has no such action.
    #[must_use]
    pub fn action(&self, question: &Question) -> Value {
        let action = EntityUid::from_json(uid("Action", &question.action)).expect("a uid");
        let actions = self.schema.action_entities().expect("the actions");
        actions
            .get(&action)
            .expect("the action")
            .to_json_value()
            .expect("an entity")
    }

    fn find(&self, kind: &str, id: &str) -> Option<&Value> {
        self.directory
            .get(*self.places.get(&(kind.to_owned(), id.to_owned()))?)
    }

    /// Cedar's answer.
    #[must_use]
    pub fn ask(&self, request: &Request, entities: &Entities) -> bool {
        let response = self
            .authorizer
            .is_authorized(request, &self.policies, entities);
        response.decision() == Decision::Allow && response.diagnostics().errors().next().is_none()
    }
}

/// The boolean attributes of accounts, from the text of the kernel's schema.
fn account_flags() -> impl Iterator<Item = &'static str> {
    let kernel = include_str!("../../policies/sublet.cedarschema");
    let (_, account) = kernel.split_once("entity Account").expect("accounts");
    let (fields, _) = account.split_once('}').expect("their end");
    fields
        .lines()
        .filter_map(|line| line.trim().strip_suffix(": Bool,"))
}

/// A record as Cedar's entity.
fn entity(record: &Value) -> Option<Value> {
    let (kind, id) = (record["type"].as_str()?, record["id"].as_str()?);
    let reference = |kind: &str, key: &str| {
        record[key]
            .as_str()
            .map(|id| json!({"__entity": uid(kind, id)}))
    };
    let flag = |key: &str| record[key] == true;
    let own = record["attributes"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let mut attributes = match kind {
        "Account" => {
            let mut fields =
                json!({"disabled": list("DisableReason", &record["disabled"]), "attributes": own});
            for name in account_flags() {
                fields[name] = json!(flag(name));
            }
            fields
        }
        "TeamMember" => {
            json!({"confirmed": flag("confirmed"), "service": record["service"].is_object(), "grants": list("Feature", &record["grants"]), "attributes": own})
        }
        "Package" => {
            json!({"features": list("Feature", &record["features"]), "whitelabel": flag("whitelabel"), "self_service": flag("self_service")})
        }
        "Operator" => json!({"email": record["email"], "roles": list("Role", &record["roles"])}),
        "AccessLevel" => json!({"features": list("Feature", &record["features"])}),
        "Domain" => {
            json!({"platform": record["kind"] == "platform", "state": {"__entity": uid("DomainState", record["state"].as_str()?)}})
        }
        _ => json!({}),
    };
    for (key, kind) in [
        ("owner", "Account"),
        ("account", "Account"),
        ("package", "Package"),
        ("level", "AccessLevel"),
    ] {
        if let Some(found) = reference(kind, key) {
            attributes[key] = found;
        }
    }
    Some(json!({"uid": uid(kind, id), "attrs": attributes, "parents": []}))
}

/// Each action's `@feature`, from the schema's text.
fn features(schema: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut feature: Option<String> = None;
    for line in schema.lines() {
        if let Some(rest) = line.strip_prefix("@feature(\"") {
            feature = rest.split('"').next().map(str::to_owned);
        } else if line.starts_with("action ") {
            let names = line.split(" in ").next().unwrap_or(line);
            let names = names.split('"').skip(1).step_by(2);
            found.extend(feature.take().into_iter().flat_map(|feature| {
                names
                    .clone()
                    .map(move |name| (name.to_owned(), feature.clone()))
            }));
        }
    }
    found
}
