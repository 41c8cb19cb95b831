//! The peer that judges: `cedar-policy` with the shipped policies, and everything prebuilt: the entities of the whole
//! directory, and each request with its context. Only `is_authorized` is timed.

use std::io::BufRead;
use std::path::Path;

use cedar_policy::{Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request, Schema, SchemaFragment};
use serde_json::{Value, json};

use crate::agency::Question;

/// The policies, the schema and the directory.
#[derive(Debug)]
pub struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    schema: Schema,
    directory: Vec<Value>,
    features: Vec<(String, String)>,
}

fn uid(kind: &str, id: &str) -> Value {
    json!({"type": kind, "id": id})
}

fn list(kind: &str, names: &Value) -> Value {
    names.as_array().into_iter().flatten().map(|name| json!({"__entity": uid(kind, name.as_str().unwrap_or_default())})).collect()
}

impl Cedar {
    /// Reads the bundle's folder and the directory's JSON lines.
    ///
    /// # Panics
    /// If the bundle or the lines cannot be read.
    #[must_use]
    pub fn new(bundle: &Path, lines: &str) -> Self {
        let (mut text, mut fragments) = (String::new(), Vec::new());
        let mut files: Vec<_> = std::fs::read_dir(bundle).expect("the bundle").flatten().map(|entry| entry.path()).collect();
        files.sort();
        let mut app = String::new();
        for file in files {
            let read = || std::fs::read_to_string(&file).expect("a file");
            match file.extension().and_then(|ending| ending.to_str()) {
                Some("cedar") => text.push_str(&read()),
                Some("cedarschema") => {
                    fragments.push(SchemaFragment::from_cedarschema_str(&read()).expect("a schema").0);
                    app.push_str(&read());
                }
                _ => {}
            }
        }
        let schema = Schema::from_schema_fragments(fragments).expect("a schema");
        let directory = lines.lines().filter_map(|line| entity(&serde_json::from_str(line).expect("a record"))).collect();
        Self { authorizer: Authorizer::new(), policies: text.parse().expect("the policies"), schema, directory, features: features(&app) }
    }

    /// All entities: the directory's, the schema's actions, and the questions' own resources.
    ///
    /// # Panics
    /// If they do not fit the schema.
    #[must_use]
    pub fn entities(&self, questions: &[Question]) -> Entities {
        let mut all = self.directory.clone();
        let mut seen = std::collections::HashSet::new();
        for question in questions {
            if let Some(account) = question.account.as_deref().filter(|_| seen.insert(&question.resource)) {
                let attributes = json!({"account": {"__entity": uid("Account", account)}});
                all.push(json!({"uid": uid(question.resource.0, &question.resource.1), "attrs": attributes, "parents": []}));
            }
        }
        Entities::from_json_value(Value::Array(all), Some(&self.schema)).expect("entities")
    }

    /// The entities of a directory's JSON lines, made one by one, so that little else is left in memory.
    ///
    /// # Panics
    /// If the lines cannot be read, or do not fit the schema.
    #[must_use]
    pub fn resident(&self, lines: impl BufRead) -> Entities {
        let made = lines.lines().filter_map(|line| entity(&serde_json::from_str(&line.expect("a line")).expect("a record")));
        let made = made.map(|entity| Entity::from_json_value(entity, Some(&self.schema)).expect("an entity"));
        Entities::from_entities(made, Some(&self.schema)).expect("entities")
    }

    /// The question as Cedar's request, with the facts that the engine would have found.
    ///
    /// # Panics
    /// If it does not fit the schema.
    #[must_use]
    pub fn request(&self, question: &Question) -> Request {
        let (kind, id) = (&question.principal.0, &question.principal.1);
        let find = |kind: &str, id: &str| self.directory.iter().find(|entity| entity["uid"] == uid(kind, id));
        let account = if *kind == "TeamMember" { find(kind, id).expect("a member")["attrs"]["account"].clone() } else { json!({"__entity": uid(kind, id)}) };
        let mut login = json!({"account": account});
        if *kind == "TeamMember" {
            login["member"] = json!({"__entity": uid(kind, id)});
        }
        let mut facts = json!({"login": login, "account": account, "host": question.host, "channel": {"__entity": uid("Channel", "web")}});
        if find("Domain", &question.host).is_some() {
            facts["domain"] = json!({"__entity": uid("Domain", &question.host)});
        }
        if let Some((_, feature)) = self.features.iter().find(|(action, _)| *action == question.action) {
            facts["feature"] = json!({"__entity": uid("Feature", feature)});
        }
        let entity = |kind: &str, id: &str| EntityUid::from_json(uid(kind, id)).expect("a uid");
        let action = entity("Action", &question.action);
        let context = Context::from_json_value(json!({"facts": facts}), Some((&self.schema, &action))).expect("a context");
        Request::new(entity(kind, id), action, entity(question.resource.0, &question.resource.1), context, Some(&self.schema)).expect("a request")
    }

    /// Cedar's answer.
    #[must_use]
    pub fn ask(&self, request: &Request, entities: &Entities) -> bool {
        let response = self.authorizer.is_authorized(request, &self.policies, entities);
        response.decision() == Decision::Allow && response.diagnostics().errors().next().is_none()
    }
}

/// A record as Cedar's entity.
fn entity(record: &Value) -> Option<Value> {
    let (kind, id) = (record["type"].as_str()?, record["id"].as_str()?);
    let reference = |kind: &str, key: &str| record[key].as_str().map(|id| json!({"__entity": uid(kind, id)}));
    let flag = |key: &str| record[key] == true;
    let mut attributes = match kind {
        "Account" => {
            json!({"confirmed": flag("confirmed"), "closed": flag("closed"), "disabled": list("DisableReason", &record["disabled"]), "attributes": {}})
        }
        "TeamMember" => json!({"confirmed": flag("confirmed"), "grants": list("Feature", &record["grants"]), "attributes": {}}),
        "Package" => json!({"features": list("Feature", &record["features"]), "whitelabel": flag("whitelabel")}),
        "AccessLevel" => json!({"features": list("Feature", &record["features"])}),
        "Domain" => json!({"platform": record["kind"] == "platform", "state": {"__entity": uid("DomainState", record["state"].as_str()?)}}),
        _ => json!({}),
    };
    for (key, kind) in [("owner", "Account"), ("account", "Account"), ("package", "Package"), ("level", "AccessLevel")] {
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
            found.extend(feature.take().into_iter().flat_map(|feature| names.clone().map(move |name| (name.to_owned(), feature.clone()))));
        }
    }
    found
}
