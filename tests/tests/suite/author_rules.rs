//! Adds random policies of an author to the shipped bundle, and compares the engine with
//! `cedar-policy` over facts that `CedarFacts` builds, through changes of records and reloads.
//! `SUBLET_AUTHOR_RULES` is the number of policies, `SUBLET_SEED` the number of the first schema
//! in millions.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cedar_policy::{PolicyId, PolicySet};
use serde_json::{Value, json};
use sublet::{
    Change, Decision, Engine, EntityRef, Options, PolicySource, Record, Request, Validation,
};
use sublet_tests::{
    ATOMS, AtomKind, AuthorRule, AuthorSchema, CedarFacts, CedarResult, NEVER_ERRING, Outcome,
    OutcomeTable, Random, RuleAction, RuleWriter, agrees, bundle_files, seed,
};

use super::facts::{METERS, Pair, SIGNED_OUT, agency, policies, request};

/// Names and texts of files.
type Files = Vec<(String, String)>;

/// The numbers of policies in the bundles that share one schema and one engine.
/// A bundle of few policies often names no entity but records.
const POLICIES_OF_BUNDLES: [usize; 6] = [40, 4, 68, 12, 76, 40];
const POLICIES_OF_SCHEMA: usize = 240;
const REQUESTS_OF_BUNDLE: usize = 80;
/// Requests that are asked again, so that answers come from the cache.
const RECENT_REQUESTS: usize = 8;
/// The names under which conditions are counted by the references on their longest path.
const PATHS: [&str; 5] = [
    "no reference",
    "1 reference",
    "2 references",
    "3 references",
    "4 references",
];
const KINDS: [AtomKind; 4] = [
    AtomKind::Stored,
    AtomKind::Compared,
    AtomKind::Computed,
    AtomKind::Joined,
];

fn size() -> usize {
    let usual = if cfg!(debug_assertions) { 48 } else { 1_000 };
    let size = std::env::var("SUBLET_AUTHOR_RULES").ok();
    size.and_then(|size| size.parse().ok()).unwrap_or(usual)
}

#[derive(Default)]
struct Coverage {
    bundles: u64,
    accepted: u64,
    refused: u64,
    requests: u64,
    changes: u64,
    allowed: u64,
    denied: u64,
    erred: u64,
    malformed: u64,
    /// Decisions that policies of the author determine.
    by_author: u64,
    /// Requests that the shipped bundle alone decides differently.
    turned: u64,
    interpreted: u64,
    outcomes: OutcomeTable,
}

impl Coverage {
    fn add(&mut self, other: Self) {
        for (sum, part) in [
            (&mut self.bundles, other.bundles),
            (&mut self.accepted, other.accepted),
            (&mut self.refused, other.refused),
            (&mut self.requests, other.requests),
            (&mut self.changes, other.changes),
            (&mut self.allowed, other.allowed),
            (&mut self.denied, other.denied),
            (&mut self.erred, other.erred),
            (&mut self.malformed, other.malformed),
            (&mut self.by_author, other.by_author),
            (&mut self.turned, other.turned),
            (&mut self.interpreted, other.interpreted),
        ] {
            *sum += part;
        }
        self.outcomes.add(other.outcomes);
    }

    fn print(&self, seconds: f64) {
        println!(
            "{} policies in {} bundles, {} refused by the validator, {} bundles interpreted",
            self.accepted, self.bundles, self.refused, self.interpreted
        );
        println!(
            "{} requests, {} changes of records, {seconds:.0} s",
            self.requests, self.changes
        );
        println!(
            "{} allowed, {} denied, {} with errors, {} malformed",
            self.allowed, self.denied, self.erred, self.malformed
        );
        println!(
            "{} decided by policies of the author, {} unlike the shipped bundle",
            self.by_author, self.turned
        );
        self.outcomes
            .print("kind of atom", KINDS.map(|kind| format!("{kind:?}")));
        self.outcomes.print("longest path", PATHS);
        self.outcomes
            .print("operator", ATOMS.iter().map(|(operator, _)| operator));
    }
}

/// The state that the threads share.
#[derive(Default)]
struct Progress {
    /// Bundles that were compared.
    bundles: AtomicUsize,
    /// Whether a difference was found.
    is_over: AtomicBool,
}

/// The policies of an author, as files that join the shipped ones.
struct Author {
    rules: Vec<AuthorRule>,
    files: Files,
    /// Each condition as a permit of its own, in the scope of its policy, and its tests alone.
    conditions: PolicySet,
    /// The names under which each condition is counted.
    names: Vec<[String; 3]>,
}

impl Author {
    fn new(random: &mut Random, rules: Vec<AuthorRule>) -> Self {
        let mut files: Files = Vec::new();
        let names = ["05-author.cedar", "35-author.cedar", "95-author.cedar"];
        for name in names {
            files.push((name.to_owned(), String::new()));
        }
        for rule in &rules {
            files[random.below(names.len())].1 += &rule.text;
        }
        let links: Vec<Value> = rules.iter().flat_map(|rule| rule.links.clone()).collect();
        if !links.is_empty() {
            files.push(("links.json".to_owned(), Value::Array(links).to_string()));
        }
        let (conditions, names) = Self::conditions(&rules);
        Self {
            rules,
            files,
            conditions,
            names,
        }
    }

    fn conditions(rules: &[AuthorRule]) -> (PolicySet, Vec<[String; 3]>) {
        let (mut conditions, mut names) = (PolicySet::new(), Vec::new());
        let mut add = |id: String, text: String| {
            let policy = cedar_policy::Policy::parse(Some(PolicyId::new(id)), text);
            let added = conditions.add(policy.expect("a policy"));
            added.expect("unique ids");
        };
        for rule in rules {
            for atom in &rule.atoms {
                let (at, scope) = (names.len(), &rule.scope);
                let mut tests = atom.guards.join(" && ");
                if tests.is_empty() {
                    tests = "true".to_owned();
                }
                add(
                    format!("tests{at}"),
                    format!("permit {scope} when {{ {tests} }};"),
                );
                let text = atom.text();
                add(
                    format!("atom{at}"),
                    format!("permit {scope} when {{ {text} }};"),
                );
                let mut all = ATOMS.iter();
                let kind = all.find(|(operator, _)| *operator == atom.operator);
                names.push([
                    atom.operator.to_owned(),
                    format!("{:?}", kind.expect("an operator").1),
                    PATHS[atom.references].to_owned(),
                ]);
            }
        }
        (conditions, names)
    }

    fn text(&self) -> String {
        self.rules.iter().map(|rule| rule.text.as_str()).collect()
    }

    /// Counts the outcomes of those conditions whose scope and tests the request meets.
    fn count(&self, result: &CedarResult, outcomes: &mut OutcomeTable) {
        for (at, names) in self.names.iter().enumerate() {
            if !result.reasons.contains(&format!("tests{at}")) {
                continue;
            }
            let atom = format!("atom{at}");
            let outcome = if result.errors.contains_key(&atom) {
                Outcome::Erring
            } else if result.reasons.contains(&atom) {
                Outcome::True
            } else {
                Outcome::False
            };
            for name in names {
                outcomes.count(name, outcome);
            }
        }
    }
}

/// An engine with the rules of one author, and one with the shipped rules only.
struct World {
    pair: Pair,
    shipped: Engine,
    schema: AuthorSchema,
    /// An action for every type of principal.
    login: RuleAction,
    usage: Vec<(String, Option<String>, &'static str, i64)>,
}

fn open(files: &Files) -> Engine {
    Engine::open(Options {
        policies: PolicySource::Files(files.clone()),
        validation: Validation::Errors,
        ..Options::default()
    })
    .unwrap_or_else(|error| panic!("{error}"))
}

impl World {
    fn new(
        random: &mut Random,
        base: &Files,
        schema: AuthorSchema,
        login: RuleAction,
        engine: Engine,
    ) -> Self {
        let shipped = open(base);
        let lines = agency(random, 1);
        let mut records = String::new();
        for line in lines.lines() {
            let mut record: Value = serde_json::from_str(line).expect("JSON");
            if let Some(kind @ ("Account" | "TeamMember")) = record["type"].as_str() {
                let mut attributes = schema.attributes(random, kind);
                if let Some(known) = record["attributes"].as_object() {
                    attributes.extend(known.clone());
                }
                record["attributes"] = Value::Object(attributes);
            }
            records += &format!("{record}\n");
        }
        for engine in [&engine, &shipped] {
            engine
                .import(records.as_bytes(), None, None)
                .unwrap_or_else(|error| panic!("{error}\n{records}"));
        }
        let mut world = Self {
            pair: Pair::new(engine, CedarFacts::new(base)),
            shipped,
            schema,
            login,
            usage: Vec::new(),
        };
        world.pair.read_records();
        for _ in 0..8 {
            let login = EntityRef::new("TeamMember", format!("t1-{}", random.below(10)));
            let member = random.once_in(2).then(|| login.id().to_owned());
            let account = match &member {
                Some(_) => world.pair.home(&login),
                None => format!("c1-{}", random.below(8)),
            };
            let amount = i64::try_from(random.below(40)).expect("small");
            let meter = *random.pick(&METERS);
            world
                .pair
                .use_meter(&account, member.as_deref(), meter, amount);
            world.usage.push((account, member, meter, amount));
        }
        world
    }

    /// Reloads the engine with `count` new policies. Those that Cedar's validator refuses are
    /// replaced.
    fn load(
        &mut self,
        random: &mut Random,
        base: &Files,
        actions: &[RuleAction],
        count: usize,
        coverage: &mut Coverage,
    ) -> Result<Author, String> {
        let (mut rules, mut number): (Vec<AuthorRule>, usize) = (Vec::new(), 0);
        let mut writer = RuleWriter::new(&self.schema);
        loop {
            while rules.len() < count {
                rules.push(writer.rule(random, &format!("x{number}"), actions));
                number += 1;
            }
            let author = Author::new(random, rules);
            let mut files = base.clone();
            files.extend(author.files.clone());
            let source = PolicySource::Files(files.clone());
            let Err(error) = self.pair.engine.reload(&source) else {
                self.pair.facts.reload(&files);
                coverage.accepted += count as u64;
                return Ok(author);
            };
            let text = author.text();
            rules = author.rules;
            rules.retain(|rule| self.pair.facts.is_valid(&rule.text));
            if rules.len() == count {
                return Err(format!(
                    "Cedar accepts what the engine refuses: {error}\n{text}"
                ));
            }
            coverage.refused += (count - rules.len()) as u64;
        }
    }

    /// Returns a field of a record, and a new value for it. Null removes the field.
    fn new_value(&self, random: &mut Random, record: &Value) -> Option<(&'static str, Value)> {
        let kind = record["type"].as_str()?;
        let is_client = record["owner"].is_string();
        let features = [json!(["campaigns", "forms", "team"]), json!(["contacts"])];
        Some(match (kind, random.below(8)) {
            ("Account" | "TeamMember", 0) => ("confirmed", json!(!random.once_in(4))),
            ("Account", 1) => ("closed", json!(random.once_in(8))),
            ("Account", 2) => {
                let reasons = [json!([]), json!([]), json!(["unpaid"]), json!(["by_owner"])];
                ("disabled", random.pick(&reasons).clone())
            }
            ("Account" | "TeamMember" | "Operator", 3) => {
                let instants = [json!(SIGNED_OUT), Value::Null];
                ("not_before", random.pick(&instants).clone())
            }
            ("Account", 4) if is_client => {
                let levels = ["basic", "standard", "full", "none"];
                ("level", json!(random.pick(&levels)))
            }
            ("Account", 4) => {
                let packages = ["agency", "enterprise", "business"];
                ("package", json!(random.pick(&packages)))
            }
            ("TeamMember", 4) => ("grants", random.pick(&features).clone()),
            ("Account" | "TeamMember", _) => {
                let attributes = self.schema.attributes(random, kind);
                ("attributes", Value::Object(attributes))
            }
            ("Domain", _) => {
                let states = ["verified", "verified", "pending", "quarantined"];
                ("state", json!(random.pick(&states)))
            }
            ("Package", 0) => ("whitelabel", json!(random.once_in(2))),
            ("Package" | "AccessLevel", _) => ("features", random.pick(&features).clone()),
            ("Operator", _) => {
                let roles = [json!(["admin"]), json!(["support"]), json!([])];
                ("roles", random.pick(&roles).clone())
            }
            _ => return None,
        })
    }

    /// Changes or removes a record in both engines, and reads all records again. A change may be
    /// refused. Returns whether a record was changed.
    fn change(&mut self, random: &mut Random) -> bool {
        let mut record = random.pick(&self.pair.records).clone();
        let Some((name, value)) = self.new_value(random, &record) else {
            return false;
        };
        let fields = record.as_object_mut().expect("an object");
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.to_owned(), value.clone());
        }
        let id = record["id"].as_str().expect("an id").to_owned();
        let kind = record["type"].as_str().expect("a type").to_owned();
        let is_removed = kind == "TeamMember" && random.once_in(16);
        let change = if is_removed {
            Change::Remove(EntityRef::new(kind.as_str(), id.as_str()))
        } else {
            let Ok(record) = Record::from_value(record) else {
                return false;
            };
            Change::Put(record)
        };
        let changed = self.pair.engine.apply_changes(vec![change.clone()], None);
        if changed.is_err() {
            return false;
        }
        let same = self.shipped.apply_changes(vec![change], None);
        same.expect("the same change");
        self.pair.read_records();
        // The facts are read from the export, so it must have the change.
        let is_changed = |found: &&Value| found["type"] == kind && found["id"] == id;
        let found = self.pair.records.iter().find(is_changed);
        assert_eq!(found.is_none(), is_removed, "{kind} {id}");
        if let Some(found) = found {
            let found = &found[name];
            let is_left_out =
                found.is_null() && [json!(false), json!([]), json!({})].contains(&value);
            assert!(*found == value || is_left_out, "{found} is not {value}");
        }
        for (account, member, meter, amount) in &self.usage {
            for id in std::iter::once(account).chain(member) {
                self.pair.facts.use_meter(meter, id, *amount);
            }
        }
        true
    }

    /// Returns a request that the shipped rules allow in most cases.
    fn request(&self, random: &mut Random, actions: &[RuleAction]) -> Request {
        let owned = |names: &[&'static str]| names.iter().map(|name| (*name).to_owned()).collect();
        let signatures: Vec<(String, Vec<String>, Vec<String>)> = actions
            .iter()
            .chain([&self.login])
            .map(|action| {
                let (principals, resources) = (&action.principals, &action.resources);
                (action.name.clone(), owned(principals), owned(resources))
            })
            .collect();
        let mut last = None;
        let tries = if random.once_in(4) { 1 } else { 8 };
        for _ in 0..tries {
            let request = request(&self.pair, random, &signatures);
            let request = self.fill(random, request);
            if self.shipped.check(&request) == Ok(true) {
                return request;
            }
            last = Some(request);
        }
        last.expect("at least one request")
    }

    /// Returns a recent request, as it was or with another host. Records may have changed since.
    fn ask_again(&self, random: &mut Random, recent: &[Request]) -> Request {
        let mut request = random.pick(recent).clone();
        if random.once_in(2) {
            request.environment.host = Some(self.pair.any(random, "Domain"));
        }
        request
    }

    /// Adds values of the author's fields, tags, parents, and at times the channel of jobs.
    fn fill(&self, random: &mut Random, mut request: Request) -> Request {
        let is_plain = request.environment.context.is_empty();
        if is_plain && !random.once_in(3) {
            request.environment.context = self.schema.context(random);
        }
        let resource = &mut request.resource;
        if resource.uid.kind() == "Campaign" && !random.once_in(3) {
            resource.attributes.extend(self.schema.campaign(random));
            for name in ["color", "size"] {
                if random.once_in(2) {
                    let value = *random.pick(&["a", "ab", "campaigns"]);
                    resource.tags.insert(name.to_owned(), json!(value));
                }
            }
        }
        if resource.uid.kind() == "Broadcast" && random.once_in(2) {
            resource.parents.push(EntityRef::new("Campaign", "k"));
        }
        if random.once_in(4) {
            let owner = if random.once_in(2) {
                "gone".to_owned()
            } else {
                format!("m1-{}", random.below(4))
            };
            request.environment.realm = Some(EntityRef::new("Account", owner));
        }
        if random.once_in(4) {
            let instant =
                *random.pick(&["2026-01-01T00:00:00Z", SIGNED_OUT, "2026-02-01T00:00:00Z"]);
            request.environment.session_start = sublet::parse_instant(instant).ok();
        }
        if random.once_in(8) {
            request.environment.channel = Some("job".to_owned());
            request.environment.host = None;
        }
        request
    }
}

/// Compares the answers of one request. Returns Cedar's results for the policies, and for their
/// conditions, if the request is well-formed.
fn compare(
    pair: &Pair,
    author: &Author,
    request: &Request,
) -> Result<Option<(CedarResult, CedarResult)>, String> {
    let results = pair.facts.decide_with(&author.conditions, request);
    let result = results.as_ref().map(|(result, _)| result);
    let (check, decision) = (pair.engine.check(request), pair.engine.authorize(request));
    let is_equal = match (result, &decision) {
        (Some(result), Ok(decision)) => {
            let is_allowed = result.allow && result.errors.is_empty();
            check == Ok(is_allowed)
                && agrees(result, decision)
                && has_code(&pair.facts, result, decision)
                // An answer with errors is not cached.
                && (!decision.errors.is_empty()
                    || pair.engine.authorize(request).as_ref() == Ok(decision))
        }
        (None, Err(_)) => check.is_err(),
        _ => false,
    };
    if is_equal {
        Ok(results)
    } else {
        Err(format!(
            "{request:?}\nCedar: {result:?}\ncheck: {check:?}\nauthorize: {decision:?}"
        ))
    }
}

fn has_code(facts: &CedarFacts, result: &CedarResult, decision: &Decision) -> bool {
    let codes = facts.codes(result);
    codes.is_empty() || codes.contains(&decision.code.as_ref())
}

/// Returns the actions that one bundle and its requests are about.
fn pick_actions(random: &mut Random, actions: &[RuleAction]) -> Vec<RuleAction> {
    let mut hot: Vec<RuleAction> = Vec::new();
    while hot.len() < 9 {
        let action = random.pick(actions);
        if action.principals.contains(&"Account") || random.once_in(4) {
            hot.push(action.clone());
        }
    }
    if random.once_in(2) {
        let favourites = [
            "campaign.edit",
            "campaign.send",
            "broadcast.read",
            "page.create",
        ];
        let name = *random.pick(&favourites);
        hot.extend(actions.iter().find(|action| action.name == name).cloned());
    }
    hot
}

/// Compares the bundles of one schema. Returns the first difference as an error.
fn compare_schema(
    seed: u64,
    actions: &[RuleAction],
    shipped: &Files,
    progress: &Progress,
) -> Result<Coverage, String> {
    let (mut random, mut coverage) = (Random::new(seed), Coverage::default());
    let random = &mut random;
    let schema = AuthorSchema::new(random);
    let mut base = shipped.clone();
    for (_, text) in base
        .iter_mut()
        .filter(|(name, _)| name == "app.cedarschema")
    {
        *text = schema.apply(text);
    }
    let mut login = actions.iter();
    let login = login.find(|action| action.name == "login.password");
    let login = login.expect("the action").clone();
    let engine = open(&base);
    let mut world = World::new(random, &base, schema, login, engine);
    for count in POLICIES_OF_BUNDLES {
        coverage.bundles += 1;
        let hot = pick_actions(random, actions);
        let author = world.load(random, &base, &hot, count, &mut coverage)?;
        coverage.interpreted += u64::from(!world.pair.engine.bundle().fallback.is_empty());
        let mut recent: Vec<Request> = Vec::new();
        for _ in 0..REQUESTS_OF_BUNDLE {
            if random.once_in(4) {
                coverage.changes += u64::from(world.change(random));
            }
            let request = match recent.as_slice() {
                [] => world.request(random, &hot),
                _ if !random.once_in(3) => world.request(random, &hot),
                known => world.ask_again(random, known),
            };
            let result = compare(&world.pair, &author, &request)
                .map_err(|found| format!("seed {seed}\n{}{found}", author.text()))?;
            count_result(&world, &author, &request, result, &mut coverage);
            recent.push(request);
            if recent.len() > RECENT_REQUESTS {
                recent.remove(0);
            }
        }
        progress.bundles.fetch_add(1, Ordering::Relaxed);
    }
    Ok(coverage)
}

fn count_result(
    world: &World,
    author: &Author,
    request: &Request,
    results: Option<(CedarResult, CedarResult)>,
    coverage: &mut Coverage,
) {
    coverage.requests += 1;
    let Some((result, conditions)) = results else {
        coverage.malformed += 1;
        return;
    };
    let is_allowed = result.allow && result.errors.is_empty();
    *if is_allowed {
        &mut coverage.allowed
    } else {
        &mut coverage.denied
    } += 1;
    coverage.erred += u64::from(!result.errors.is_empty());
    let is_own = |id: &String| author.rules.iter().any(|rule| id.starts_with(&rule.id));
    coverage.by_author += u64::from(result.reasons.iter().any(is_own));
    coverage.turned += u64::from(world.shipped.check(request) != Ok(is_allowed));
    author.count(&conditions, &mut coverage.outcomes);
}

#[test]
fn author_rules_agree_with_cedar() {
    let (total, begin) = (size(), std::time::Instant::now());
    let shipped = bundle_files(&policies());
    let actions = RuleAction::all(&CedarFacts::new(&shipped));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let schemas = total.div_ceil(POLICIES_OF_SCHEMA);
    let progress = Progress::default();
    let part = |first: usize| {
        let mut coverage = Coverage::default();
        for schema in (first..schemas).step_by(threads) {
            // The first difference ends all threads.
            if progress.is_over.load(Ordering::Relaxed) {
                break;
            }
            let seed = seed().wrapping_mul(1_000_000).wrapping_add(schema as u64);
            match compare_schema(seed, &actions, &shipped, &progress) {
                Ok(part) => coverage.add(part),
                Err(found) => {
                    progress.is_over.store(true, Ordering::Relaxed);
                    let bundles = progress.bundles.load(Ordering::Relaxed);
                    panic!("differs after {bundles} bundles: {found}");
                }
            }
        }
        coverage
    };
    let mut coverage = Coverage::default();
    std::thread::scope(|scope| {
        let part = &part;
        let parts: Vec<_> = (0..threads)
            .map(|first| scope.spawn(move || part(first)))
            .collect();
        for part in parts {
            coverage.add(part.join().expect("they agree"));
        }
    });
    coverage.print(begin.elapsed().as_secs_f64());
    assert!(coverage.accepted >= total as u64 && coverage.interpreted == 0);
    assert!(coverage.accepted >= coverage.refused);
    assert!(coverage.allowed * 10 >= coverage.allowed + coverage.denied);
    if total < 1_000 {
        return;
    }
    let outcomes = &coverage.outcomes;
    let kinds = KINDS.map(|kind| format!("{kind:?}"));
    let kinds = kinds.iter().map(String::as_str).chain(PATHS);
    let operators = ATOMS.iter().map(|(operator, _)| *operator);
    // A small run has hardly any errors of the rarest operators.
    let (of_kind, of_operator) = if total >= 100_000 { (500, 500) } else { (5, 0) };
    let mut rare = outcomes.rare(kinds, of_kind, &[]);
    rare.extend(outcomes.rare(operators, of_operator, NEVER_ERRING));
    assert!(rare.is_empty(), "seldom true, false or erring: {rare:?}");
}

/// A policy that names one principal runs for any request of that principal. So the resource's type
/// is tested when it runs, also if no policy and no request names an entity of that type.
#[test]
fn named_principals_rule_tests_the_type() {
    let rule = |kind: &str| {
        format!(
            "@id(\"x\") @code(\"x\") forbid (principal == Account::\"acme\", action, resource is {kind});\n"
        )
    };
    let request = Request::new(
        ("Account", "acme"),
        "contact.delete",
        sublet::Resource::new("Contact", "k").account("acme"),
    )
    .host("dash.marketingmaster.example");
    for (kind, is_allowed) in [("Contact", false), ("Campaign", true)] {
        let mut files = sublet_tests::shipped_files();
        files.push(("05-author.cedar".to_owned(), rule(kind)));
        let engine = sublet_tests::agency_engine(files);
        let decision = engine.authorize(&request).expect("an answer");
        assert_eq!(decision.allowed, is_allowed, "{kind}: {decision:?}");
        assert_eq!(engine.check(&request), Ok(is_allowed), "{kind}");
    }
}
