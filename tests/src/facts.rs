//! A second builder of Cedar facts, written from `policies/*.cedarschema` and `docs/rules.md`. It
//! turns exported records, the catalog and a request into entities and a context for
//! `cedar-policy`, and shares no code with the engine's builder.
//!
//! The counts of clients and members come from the records. An export has no other usage, so a test
//! states it with [`CedarFacts::use_meter`]. Top-ups, reservations, expired invitations and hosts
//! in other scripts than ASCII are left out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::str::FromStr;

use cedar_policy::{
    Authorizer, Context, Entities, Entity, PolicySet, Request as CedarRequest, Schema,
    SchemaFragment, ValidationMode, Validator,
};
use serde_json::{Map, Value, json};
use sublet::{EntityRef, Request};

use crate::CedarResult;
use crate::bundle_policies::BundlePolicies;
use crate::cedar_oracle::uid;

/// Types of the records that the directory stores.
const RECORDS: [&str; 7] = [
    "Platform",
    "Operator",
    "Package",
    "AccessLevel",
    "Account",
    "TeamMember",
    "Domain",
];
/// Types that can log in.
const LOGINS: [&str; 3] = ["Operator", "Account", "TeamMember"];

/// Policies, schema and catalog of a bundle, with the records of one export.
pub struct CedarFacts {
    schema: Schema,
    validator: Validator,
    policies: BundlePolicies,
    /// The actions of the schema as JSON, with their annotations.
    actions: Map<String, Value>,
    catalog: Value,
    /// Records by type and id, with the packages and levels of the catalog.
    records: BTreeMap<(String, String), Value>,
    /// The lines of the last export, each with the record that it tells.
    lines: HashMap<String, Option<(String, String)>>,
    entities: Entities,
    /// The usage by meter and by account or member.
    used: BTreeMap<(String, String), i64>,
}

fn entity(kind: &str, id: &str) -> Value {
    json!({ "__entity": { "type": kind, "id": id } })
}

fn entities(kind: &str, ids: &Value) -> Vec<Value> {
    let ids = ids.as_array().into_iter().flatten();
    ids.map(|id| entity(kind, id.as_str().expect("a name")))
        .collect()
}

/// Returns the attributes that `policies/sublet.cedarschema` declares for a record.
fn attributes(kind: &str, record: &Value) -> Map<String, Value> {
    let is = |name: &str| json!(record[name] == true);
    let stored = || record.get("attributes").cloned().unwrap_or(json!({}));
    let mut fields = match kind {
        "Operator" => {
            json!({ "email": record["email"], "roles": entities("Role", &record["roles"]) })
        }
        "Package" => json!({
            "features": entities("Feature", &record["features"]),
            "whitelabel": is("whitelabel"),
            "self_service": is("self_service"),
        }),
        "AccessLevel" => json!({ "features": entities("Feature", &record["features"]) }),
        "Account" => json!({
            "confirmed": is("confirmed"),
            "closed": is("closed"),
            "erased": is("erased"),
            "disabled": entities("DisableReason", &record["disabled"]),
            "attributes": stored(),
        }),
        "TeamMember" => json!({
            "confirmed": is("confirmed"),
            "service": record["service"].is_object(),
            "grants": entities("Feature", &record["grants"]),
            "attributes": stored(),
        }),
        "Domain" => json!({
            "platform": record["kind"] == "platform",
            "state": entity("DomainState", record["state"].as_str().expect("a state")),
        }),
        _ => json!({}),
    };
    for (name, target) in [
        ("account", "Account"),
        ("owner", "Account"),
        ("package", "Package"),
        ("level", "AccessLevel"),
    ] {
        if let Some(id) = record[name].as_str() {
            fields[name] = entity(target, id);
        }
    }
    let Value::Object(fields) = fields else {
        unreachable!("all are objects")
    };
    fields
}

/// Returns the normalised host name, or `None` if the text is not a host name (D2).
fn normalise_host(text: &str) -> Option<String> {
    let name = match text.split_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            port.parse::<u16>().ok().map(|_| name)?
        }
        Some(_) => return None,
        None => text,
    };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    // Browsers read a last label that is a number as an IP address.
    let is_number = |label: &str| match label.strip_prefix("0x") {
        Some(rest) => rest.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    };
    let is_name = name.len() <= 253
        && name.split('.').all(is_label)
        && !name.rsplit('.').next().is_some_and(is_number);
    is_name.then_some(name)
}

/// Returns the names and texts of the files of a bundle.
///
/// # Panics
/// If the folder or a file cannot be read.
#[must_use]
pub fn bundle_files(folder: &Path) -> Vec<(String, String)> {
    let files = std::fs::read_dir(folder).expect("the folder").flatten();
    let files = files.filter(|file| file.path().is_file()).map(|file| {
        let text = std::fs::read_to_string(file.path()).expect("a text");
        (file.file_name().to_string_lossy().into_owned(), text)
    });
    files.collect()
}

impl CedarFacts {
    /// Reads the files of a bundle.
    ///
    /// # Panics
    /// If a file cannot be read or parsed.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        Self::new(&bundle_files(folder))
    }

    /// Creates the facts of a bundle, which is given as names and texts of its files.
    ///
    /// # Panics
    /// If a file cannot be parsed.
    #[must_use]
    pub fn new(files: &[(String, String)]) -> Self {
        let texts = |end: &str| -> String {
            let files = files.iter().filter(|(name, _)| name.ends_with(end));
            files.map(|(_, text)| format!("{text}\n")).collect()
        };
        let text = texts(".cedarschema");
        let (schema, _) = Schema::from_cedarschema_str(&text).expect("the schema");
        let (fragment, _) = SchemaFragment::from_cedarschema_str(&text).expect("the schema");
        let mut fragment = fragment.to_json_value().expect("JSON");
        let Value::Object(actions) = fragment[""]["actions"].take() else {
            panic!("the schema has no actions")
        };
        // Cedar adds the actions of the schema.
        let entities = Entities::from_json_value(json!([]), Some(&schema));
        Self {
            policies: BundlePolicies::read(files, None),
            validator: Validator::new(schema.clone()),
            schema,
            actions,
            catalog: serde_json::from_str(&texts("catalog.json")).expect("the catalog"),
            records: BTreeMap::new(),
            lines: HashMap::new(),
            entities: entities.expect("no record"),
            used: BTreeMap::new(),
        }
    }

    /// Replaces the policies by those of other files. The schema stays.
    ///
    /// # Panics
    /// If a file cannot be parsed.
    pub fn reload(&mut self, files: &[(String, String)]) {
        self.policies = BundlePolicies::read(files, Some(&self.policies));
    }

    /// Returns whether Cedar's validator accepts a policy or template.
    #[must_use]
    pub fn is_valid(&self, policy: &str) -> bool {
        let Ok(set) = PolicySet::from_str(policy) else {
            return false;
        };
        self.validator
            .validate(&set, ValidationMode::Strict)
            .validation_passed()
    }

    /// Replaces the records by those of an export, as JSON lines, and forgets the usage. Lines that
    /// the last export had too are not read again.
    ///
    /// # Panics
    /// If a record is not JSON, or does not fit the schema.
    pub fn read_export(&mut self, export: &str) {
        self.used.clear();
        let mut changed: HashSet<(String, String)> = HashSet::new();
        if self.lines.is_empty() {
            changed.extend(self.add_catalog());
        }
        let mut lines = HashMap::new();
        let mut new = Vec::new();
        for line in export.lines() {
            match self.lines.remove_entry(line) {
                Some((line, key)) => drop(lines.insert(line, key)),
                None => new.push(line),
            }
        }
        // The other lines of the last export are no longer true.
        let old: Vec<_> = self.lines.drain().filter_map(|(_, key)| key).collect();
        for key in old {
            self.records.remove(&key);
            changed.insert(key);
        }
        if !changed.is_empty() {
            // A package or level of the catalog is visible again.
            changed.extend(self.add_catalog());
        }
        for line in new {
            let record: Value = serde_json::from_str(line).expect("JSON");
            let mut key = None;
            if let Some(kind) = record["type"].as_str().map(str::to_owned) {
                let id = record["id"].as_str().expect("an id").to_owned();
                key = Some((kind, id));
            }
            if let Some(key) = key.clone() {
                self.records.insert(key.clone(), record);
                changed.insert(key);
            }
            lines.insert(line.to_owned(), key);
        }
        self.lines = lines;
        self.update_entities(&changed);
    }

    /// Adds the packages and levels of the catalog that the records lack. Returns their keys.
    fn add_catalog(&mut self) -> Vec<(String, String)> {
        let mut added = Vec::new();
        for (list, kind) in [("packages", "Package"), ("levels", "AccessLevel")] {
            for offer in self.catalog[list].as_array().into_iter().flatten() {
                let id = offer["id"].as_str().expect("an id").to_owned();
                let key = (kind.to_owned(), id);
                if !self.records.contains_key(&key) {
                    self.records.insert(key.clone(), offer.clone());
                    added.push(key);
                }
            }
        }
        added
    }

    /// Replaces the entities of these records.
    fn update_entities(&mut self, changed: &HashSet<(String, String)>) {
        let mut entities = std::mem::replace(&mut self.entities, Entities::empty());
        let known = changed.iter();
        let gone = known.map(|(kind, id)| uid(kind, id).expect("a type"));
        entities = entities.remove_entities(gone).expect("records");
        let present = changed.iter().filter_map(|key| {
            let record = self.records.get(key)?;
            let (kind, id) = key;
            let uid = json!({ "type": kind, "id": id });
            let entity = json!({ "uid": uid, "attrs": attributes(kind, record), "parents": [] });
            let entity = Entity::from_json_value(entity, Some(&self.schema));
            Some(entity.expect("a record of the schema"))
        });
        let present: Vec<Entity> = present.collect();
        let added = entities.add_entities(present, Some(&self.schema));
        self.entities = added.expect("records of the schema");
    }

    /// Adds to the usage of an account, or of a member of it.
    pub fn use_meter(&mut self, meter: &str, id: &str, amount: i64) {
        *self
            .used
            .entry((meter.to_owned(), id.to_owned()))
            .or_default() += amount;
    }

    /// Returns the groups that an action is a direct member of.
    #[must_use]
    pub fn groups(&self, action: &str) -> Vec<&str> {
        let groups = self.actions[action]["memberOf"].as_array();
        let groups = groups.into_iter().flatten();
        groups.filter_map(|group| group["id"].as_str()).collect()
    }

    /// Returns the actions that can be requested, with the types of their principals and resources.
    pub fn signatures(&self) -> impl Iterator<Item = (&str, Vec<&str>, Vec<&str>)> {
        self.actions
            .iter()
            .filter(|(_, action)| action["memberOf"].is_array())
            .map(|(name, action)| {
                let types = |list: &str| {
                    let names = action["appliesTo"][list].as_array().into_iter().flatten();
                    names.filter_map(Value::as_str).collect()
                };
                (
                    name.as_str(),
                    types("principalTypes"),
                    types("resourceTypes"),
                )
            })
    }

    fn record(&self, kind: &str, id: &str) -> Option<&Value> {
        self.records.get(&(kind.to_owned(), id.to_owned()))
    }

    /// Returns the account that a login works in.
    fn account_of(&self, login: &EntityRef) -> Option<String> {
        match login.kind() {
            "Account" => Some(login.id().to_owned()),
            "TeamMember" => {
                let member = self.record("TeamMember", login.id())?;
                member["account"].as_str().map(str::to_owned)
            }
            _ => None,
        }
    }

    fn login(&self, login: &EntityRef) -> Value {
        let mut fields = Map::new();
        if let Some(account) = self.account_of(login) {
            fields.insert("account".to_owned(), entity("Account", &account));
        }
        let (kind, id) = (login.kind(), login.id());
        match kind {
            "TeamMember" => drop(fields.insert("member".to_owned(), entity(kind, id))),
            "Operator" => drop(fields.insert("operator".to_owned(), entity(kind, id))),
            _ => {}
        }
        Value::Object(fields)
    }

    /// Returns the limit in force, or `None` if it is unlimited (L6, Q3).
    fn limit(&self, account: &str, meter: &str) -> Option<i64> {
        let record = self.record("Account", account).expect("an account");
        let of = |kind: &str, id: &Value| id.as_str().and_then(|id| self.record(kind, id));
        let package = |account: &Value| of("Package", &account["package"]);
        let stated = |place: Option<&Value>, name: &str| {
            place.and_then(|place| place[name].get(meter)).cloned()
        };
        let base = || match of("Account", &record["owner"]) {
            Some(owner) => stated(of("AccessLevel", &record["level"]), "limits")
                .or_else(|| stated(package(owner), "client_limits")),
            None => stated(package(record), "limits").or_else(|| {
                let clients = package(record)?.get("client_accounts").cloned();
                clients.filter(|_| meter == "client_accounts")
            }),
        };
        let limit = stated(Some(record), "limits").or_else(base);
        // A limit that nobody states is 0.
        if limit == Some(json!("unlimited")) {
            None
        } else {
            Some(limit.map_or(0, |limit| limit.as_i64().expect("a number")))
        }
    }

    /// Returns the usage of an account or member. Closed clients do not count (C6), and neither do
    /// service accounts (I7).
    fn used(&self, meter: &str, id: &str) -> i64 {
        let count = |kind: &str, field: &str| {
            let records = self.records.iter().filter(|((found, _), record)| {
                found == kind
                    && record[field] == id
                    && record["closed"] != true
                    && !record["service"].is_object()
            });
            i64::try_from(records.count()).expect("few records")
        };
        match self.catalog["meters"][meter]["counts"].as_str() {
            Some("clients") => count("Account", "owner"),
            Some("members") => count("TeamMember", "account"),
            _ => self
                .used
                .get(&(meter.to_owned(), id.to_owned()))
                .copied()
                .unwrap_or(0),
        }
    }

    /// Returns whether a count would overflow. Such an amount is denied without a policy (Q2).
    fn overflows(&self, login: &EntityRef, meter: &str, amount: i64) -> bool {
        let ids = self
            .account_of(login)
            .into_iter()
            .chain([login.id().to_owned()]);
        ids.map(|id| self.used(meter, &id))
            .any(|used| used.checked_add(amount).is_none())
    }

    fn quota(&self, login: &EntityRef, meter: &str, amount: i64) -> Option<Value> {
        let account = self.account_of(login)?;
        let count = |id: &str, limit: Option<i64>| {
            let mut count = json!({ "used": self.used(meter, id), "held": 0 });
            if let Some(limit) = limit {
                count["limit"] = json!(limit);
            }
            count
        };
        let mut quota = json!({
            "meter": entity("Meter", meter),
            "amount": amount,
            "account": count(&account, self.limit(&account, meter)),
        });
        if login.kind() == "TeamMember" {
            let member = self.record(login.kind(), login.id()).expect("a member");
            let limit = member["sub_limits"][meter].as_i64();
            quota["member"] = count(login.id(), limit);
        }
        Some(quota)
    }

    /// Returns `context.facts`, or `None` if the realm is neither the platform's nor an owner's.
    fn facts(&self, request: &Request, action: &Value, meter: Option<&str>) -> Option<Value> {
        let environment = &request.environment;
        let mut facts = json!({
            "channel": entity("Channel", environment.channel.as_deref().unwrap_or("web")),
            "login": self.login(environment.actor.as_ref().unwrap_or(&request.principal)),
        });
        // The sessions are those of the login behind the request (I7).
        let login = environment.actor.as_ref().unwrap_or(&request.principal);
        let record = self.record(login.kind(), login.id());
        if let Some(instant) = record.and_then(|record| record["not_before"].as_str()) {
            facts["not_before"] = json!(sublet::parse_instant(instant).expect("an instant"));
        }
        if let Some(session_start) = environment.session_start {
            facts["session_start"] = json!(session_start);
        }
        if let Some(account) = self.account_of(&request.principal) {
            facts["account"] = entity("Account", &account);
        }
        if let Some(actor) = &environment.actor {
            facts["actor"] = self.login(actor);
        }
        match environment.host.as_deref().map(normalise_host) {
            Some(Some(name)) => {
                // Without a domain of that name, the first claim `NAME/OWNER` (D4).
                let claims = self.records.keys().filter(|(kind, id)| {
                    kind == "Domain" && id.split_once('/').is_some_and(|(of, _)| *of == *name)
                });
                let claim = claims.map(|(_, id)| id).min();
                let plain = self.record("Domain", &name).map(|_| &name);
                if let Some(id) = plain.or(claim) {
                    facts["domain"] = entity("Domain", id);
                }
                facts["host"] = json!(name);
            }
            Some(None) => facts["host_refused"] = json!("it is no host name"),
            None => {}
        }
        if let Some(realm) = &environment.realm {
            facts["realm"] = match realm.kind() {
                "Platform" => json!({}),
                "Account" => json!({ "owner": entity("Account", realm.id()) }),
                _ => return None,
            };
        }
        if let Some(feature) = action["annotations"]["feature"].as_str() {
            facts["feature"] = entity("Feature", feature);
        }
        if let Some(amount) = environment.amount {
            facts["amount"] = json!(amount);
            if let Some(quota) =
                meter.and_then(|meter| self.quota(&request.principal, meter, amount))
            {
                facts["quota"] = quota;
            }
        }
        Some(facts)
    }

    /// Evaluates a request with Cedar over these facts. Returns `None` for a malformed request.
    ///
    /// # Panics
    /// If a limit of a record or of the catalog is not a number.
    #[must_use]
    pub fn decide(&self, request: &Request) -> Option<CedarResult> {
        self.decide_by(&self.policies.set, request)
    }

    /// Returns the codes that a decision may have (E1). Returns nothing if no policy decided.
    #[must_use]
    pub fn codes(&self, result: &CedarResult) -> Vec<&str> {
        self.policies.codes(result)
    }

    /// Evaluates a request with other policies over these facts. Returns `None` for a malformed
    /// request.
    ///
    /// # Panics
    /// If a limit of a record or of the catalog is not a number.
    #[must_use]
    pub fn decide_by(&self, policies: &PolicySet, request: &Request) -> Option<CedarResult> {
        self.decide_each(&[policies], request)?.pop()
    }

    /// Evaluates a request with these policies, and then with others. Returns `None` for a
    /// malformed request.
    ///
    /// # Panics
    /// If a limit of a record or of the catalog is not a number.
    #[must_use]
    pub fn decide_with(
        &self,
        others: &PolicySet,
        request: &Request,
    ) -> Option<(CedarResult, CedarResult)> {
        let results = self.decide_each(&[&self.policies.set, others], request)?;
        let [one, other] = <[CedarResult; 2]>::try_from(results).ok()?;
        Some((one, other))
    }

    /// Evaluates a request with each of several sets of policies.
    fn decide_each(&self, policies: &[&PolicySet], request: &Request) -> Option<Vec<CedarResult>> {
        let denied = || policies.iter().map(|_| CedarResult::default()).collect();
        let (action, environment) = (self.actions.get(request.action.id())?, &request.environment);
        let resource = &request.resource;
        let mut ids = [&request.principal, &resource.uid]
            .into_iter()
            .chain(&environment.actor);
        if ids.any(|named| named.id().is_empty() || named.id().len() > 256) {
            return None;
        }
        // A type that the schema lacks is malformed, whoever asks (E1).
        let is_declared = |named: &EntityRef| {
            let mut types = self.schema.entity_types();
            types.any(|name| name.to_string() == named.kind())
        };
        if !is_declared(&request.principal) || !is_declared(&resource.uid) {
            return None;
        }
        // A negative amount is malformed, whoever asks (Q2).
        if environment.amount.is_some_and(|amount| amount < 0) {
            return None;
        }
        let is_known = |named: &EntityRef| self.record(named.kind(), named.id()).is_some();
        let is_recorded = RECORDS.contains(&resource.uid.kind());
        let account = resource.account.as_deref();
        let is_inline = account.is_some()
            || !resource.attributes.is_empty()
            || !resource.parents.is_empty()
            || !resource.tags.is_empty();
        let is_login = |named: &EntityRef| LOGINS.contains(&named.kind());
        if is_recorded && is_inline
            || environment
                .actor
                .as_ref()
                .is_some_and(|actor| !is_login(actor))
        {
            return None;
        }
        // An unknown principal, account or record is denied before the policies (E1).
        let is_denied = !is_login(&request.principal)
            || !is_known(&request.principal)
            || environment
                .actor
                .as_ref()
                .is_some_and(|actor| !is_known(actor))
            || (is_recorded && !is_known(&resource.uid))
            || account.is_some_and(|account| self.record("Account", account).is_none());
        if is_denied {
            return Some(denied());
        }
        let applies = |list: &str, kind: &str| {
            let types = action["appliesTo"][list].as_array();
            types.is_some_and(|types| types.contains(&json!(kind)))
        };
        if !applies("resourceTypes", resource.uid.kind()) {
            return None;
        }
        if !applies("principalTypes", request.principal.kind()) {
            return Some(denied());
        }
        let meters = action["annotations"]["meter"].as_str().unwrap_or_default();
        let meters: Vec<&str> = meters.split(',').map(str::trim).collect();
        let mut sums: Vec<Option<CedarResult>> = vec![None; policies.len()];
        // An action with several meters is evaluated once for each of them (Q6).
        for meter in meters {
            let meter = Some(meter).filter(|name| !name.is_empty());
            let facts = self.facts(request, action, meter)?;
            let results = self.evaluate(policies, request, facts, is_recorded)?;
            let amount = request.environment.amount.zip(meter);
            for (sum, mut result) in sums.iter_mut().zip(results) {
                if let Some((amount, meter)) = amount
                    && result.allow
                    && result.errors.is_empty()
                    && self.overflows(&request.principal, meter, amount)
                {
                    result = CedarResult::default();
                }
                if sum.as_ref().is_none_or(|sum| sum.allow) {
                    *sum = Some(result);
                }
            }
        }
        sums.into_iter().collect()
    }

    fn evaluate(
        &self,
        policies: &[&PolicySet],
        request: &Request,
        facts: Value,
        is_recorded: bool,
    ) -> Option<Vec<CedarResult>> {
        let (resource, action) = (&request.resource, uid("Action", request.action.id())?);
        let mut context = request.environment.context.clone();
        if context.insert("facts".to_owned(), facts).is_some() {
            return None;
        }
        let context =
            Context::from_json_value(Value::Object(context), Some((&self.schema, &action))).ok()?;
        let mut inlined = None;
        if !is_recorded {
            let mut attributes = resource.attributes.clone();
            if let Some(account) = &resource.account
                && attributes
                    .insert("account".to_owned(), entity("Account", account))
                    .is_some()
            {
                return None;
            }
            let parents = resource.parents.iter();
            let parents: Vec<Value> = parents
                .map(|parent| json!({ "type": parent.kind(), "id": parent.id() }))
                .collect();
            let inline = json!({
                "uid": { "type": resource.uid.kind(), "id": resource.uid.id() },
                "attrs": attributes,
                "parents": parents,
                "tags": resource.tags,
            });
            let inline = Entity::from_json_value(inline, Some(&self.schema)).ok()?;
            let entities = self.entities.clone();
            inlined = Some(
                entities
                    .upsert_entities([inline], Some(&self.schema))
                    .ok()?,
            );
        }
        let cedar = CedarRequest::new(
            uid(request.principal.kind(), request.principal.id())?,
            action,
            uid(resource.uid.kind(), resource.uid.id())?,
            context,
            Some(&self.schema),
        );
        let entities = inlined.as_ref().unwrap_or(&self.entities);
        let (cedar, authorizer) = (cedar.ok()?, Authorizer::new());
        let results = policies.iter().map(|policies| {
            let response = authorizer.is_authorized(&cedar, policies, entities);
            CedarResult::from(&response)
        });
        Some(results.collect())
    }
}
