//! Adds random policies of an author to the shipped bundle, and compares the engine with
//! `cedar-policy` over facts that `CedarFacts` builds, through changes of records and reloads.
//! `SUBLET_AUTHOR_RULES` is the number of bundles.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use cedar_policy::{PolicyId, PolicySet};
use serde_json::{Value, json};
use sublet::{
    Change, Decision, Engine, EntityRef, Options, PolicySource, Record, Request, Validation,
};
use sublet_tests::{
    ATOMS, Atom, AtomKind, AuthorRule, AuthorSchema, CedarFacts, CedarResult, Random, RuleAction,
    RuleWriter, agrees, bundle_files,
};

use super::facts::{METERS, Pair, agency, policies, request};

/// Names and texts of files.
type Files = Vec<(String, String)>;

/// Bundles that share one schema and one engine.
const BUNDLES_OF_SCHEMA: usize = 6;
const REQUESTS_OF_BUNDLE: usize = 30;

fn bundles() -> usize {
    let usual = if cfg!(debug_assertions) { 6 } else { 100 };
    let size = std::env::var("SUBLET_AUTHOR_RULES").ok();
    size.and_then(|size| size.parse().ok()).unwrap_or(usual)
}

/// The outcomes that Cedar has seen: true, false, erring.
type Outcomes = [u64; 3];

#[derive(Default)]
struct Coverage {
    bundles: usize,
    accepted: u64,
    refused: u64,
    allowed: u64,
    denied: u64,
    erred: u64,
    malformed: u64,
    /// Decisions that policies of the author determine.
    by_author: u64,
    /// Requests that the shipped bundle alone decides differently.
    turned: u64,
    interpreted: usize,
    operators: BTreeMap<&'static str, Outcomes>,
}

impl Coverage {
    fn add(&mut self, other: Self) {
        self.bundles += other.bundles;
        for (sum, part) in [
            (&mut self.accepted, other.accepted),
            (&mut self.refused, other.refused),
            (&mut self.allowed, other.allowed),
            (&mut self.denied, other.denied),
            (&mut self.erred, other.erred),
            (&mut self.malformed, other.malformed),
            (&mut self.by_author, other.by_author),
            (&mut self.turned, other.turned),
        ] {
            *sum += part;
        }
        self.interpreted += other.interpreted;
        for (operator, counts) in other.operators {
            let sum = self.operators.entry(operator).or_default();
            (0..3).for_each(|at| sum[at] += counts[at]);
        }
    }

    fn of_kind(&self, wanted: AtomKind) -> Outcomes {
        let mut sum = Outcomes::default();
        for (operator, _) in ATOMS.iter().filter(|(_, kind)| *kind == wanted) {
            let counts = self.operators.get(operator).copied().unwrap_or_default();
            (0..3).for_each(|at| sum[at] += counts[at]);
        }
        sum
    }

    fn print(&self) {
        let generated = self.accepted + self.refused;
        println!(
            "{} bundles, {generated} policies, {} refused by the validator, {} bundles interpreted",
            self.bundles, self.refused, self.interpreted
        );
        println!(
            "{} allowed, {} denied, {} with errors, {} malformed",
            self.allowed, self.denied, self.erred, self.malformed
        );
        println!(
            "{} decided by policies of the author, {} unlike the shipped bundle",
            self.by_author, self.turned
        );
        for kind in [AtomKind::Stored, AtomKind::Compared, AtomKind::Computed] {
            let [yes, no, erring] = self.of_kind(kind);
            println!("{kind:?}: true {yes}, false {no}, erring {erring}");
        }
        for (operator, kind) in ATOMS {
            let [yes, no, erring] = self.operators.get(operator).copied().unwrap_or_default();
            println!("  {operator} ({kind:?}): true {yes}, false {no}, erring {erring}");
        }
    }
}

/// The policies of an author, as files that join the shipped ones.
struct Author {
    rules: Vec<AuthorRule>,
    files: Files,
    /// Each condition as a permit of its own, in the scope of its policy, and each scope alone.
    conditions: PolicySet,
    operators: Vec<&'static str>,
}

impl Author {
    /// Writes a few policies. Those that Cedar's validator refuses are left out.
    fn new(
        random: &mut Random,
        writer: &mut RuleWriter<'_>,
        facts: &CedarFacts,
        actions: &[RuleAction],
        coverage: &mut Coverage,
    ) -> Self {
        let mut rules: Vec<AuthorRule> = Vec::new();
        for at in 0..4 + random.below(9) {
            let rule = writer.rule(random, &format!("x{at}"), actions);
            if facts.is_valid(&rule.text) {
                coverage.accepted += 1;
                rules.push(rule);
            } else {
                coverage.refused += 1;
            }
        }
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
        let (mut conditions, mut operators) = (PolicySet::new(), Vec::new());
        for rule in &rules {
            for Atom { text, operator } in &rule.atoms {
                let at = operators.len();
                operators.push(*operator);
                let atom = format!("permit {} when {{ {text} }};", rule.scope);
                for (id, text) in [
                    (format!("atom{at}"), atom),
                    (format!("scope{at}"), format!("permit {};", rule.scope)),
                ] {
                    let policy = cedar_policy::Policy::parse(Some(PolicyId::new(id)), text);
                    conditions
                        .add(policy.expect("a policy"))
                        .expect("unique ids");
                }
            }
        }
        Self {
            rules,
            files,
            conditions,
            operators,
        }
    }

    fn text(&self) -> String {
        self.rules.iter().map(|rule| rule.text.as_str()).collect()
    }

    /// Counts the outcomes of the conditions of those policies whose scope the request meets.
    fn count(&self, facts: &CedarFacts, request: &Request, coverage: &mut Coverage) {
        let Some(result) = facts.decide_by(&self.conditions, request) else {
            return;
        };
        for (at, operator) in self.operators.iter().enumerate() {
            if result.reasons.contains(&format!("scope{at}")) {
                let atom = format!("atom{at}");
                let outcome = if result.errors.contains_key(&atom) {
                    2
                } else {
                    usize::from(!result.reasons.contains(&atom))
                };
                coverage.operators.entry(operator).or_default()[outcome] += 1;
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

    /// Changes a record in both engines, and reads all records again. A change may be refused.
    fn change(&mut self, random: &mut Random) {
        let mut record = random.pick(&self.pair.records).clone();
        let Some(kind) = record["type"].as_str().map(str::to_owned) else {
            return;
        };
        let (name, value) = match (kind.as_str(), random.below(5)) {
            ("Account" | "TeamMember", 0) => ("confirmed", json!(!random.once_in(4))),
            ("Account", 1) => ("closed", json!(random.once_in(8))),
            ("Account", 2) => {
                let reasons = [json!([]), json!([]), json!(["unpaid"]), json!(["by_owner"])];
                ("disabled", random.pick(&reasons).clone())
            }
            ("Account" | "TeamMember", _) => {
                let attributes = self.schema.attributes(random, &kind);
                ("attributes", Value::Object(attributes))
            }
            ("Domain", _) => {
                let states = ["verified", "verified", "pending", "quarantined"];
                ("state", json!(random.pick(&states)))
            }
            ("Package", 0) => ("whitelabel", json!(random.once_in(2))),
            ("Package" | "AccessLevel", _) => {
                let features = [json!(["campaigns", "forms", "team"]), json!(["contacts"])];
                ("features", random.pick(&features).clone())
            }
            _ => return,
        };
        record[name] = value.clone();
        let id = record["id"].clone();
        let Ok(record) = Record::from_value(record) else {
            return;
        };
        let changed = self
            .pair
            .engine
            .apply_changes(vec![Change::Put(record.clone())], None);
        if changed.is_ok() {
            let same = self.shipped.apply_changes(vec![Change::Put(record)], None);
            same.expect("the same change");
        }
        self.pair.read_records();
        if changed.is_ok() {
            // The facts are read from the export, so it must have the change.
            let is_changed = |found: &&Value| found["type"] == kind.as_str() && found["id"] == id;
            let found = self.pair.records.iter().find(is_changed);
            let found = found.expect("the record")[name].clone();
            let is_left_out = found.is_null() && [json!(false), json!([])].contains(&value);
            assert!(
                found == value || is_left_out || value == json!({}),
                "{found} is not {value}"
            );
        }
        for (account, member, meter, amount) in &self.usage {
            for id in std::iter::once(account).chain(member) {
                self.pair.facts.use_meter(meter, id, *amount);
            }
        }
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

    /// Adds values of the author's fields, tags, parents, and at times the channel of jobs.
    fn fill(&self, random: &mut Random, mut request: Request) -> Request {
        let is_plain = request.environment.context.is_empty();
        if is_plain && random.once_in(2) {
            request.environment.context = self.schema.context(random);
        }
        let resource = &mut request.resource;
        if resource.uid.kind() == "Campaign" && !random.once_in(3) {
            resource.attributes.extend(self.schema.campaign(random));
            if random.once_in(2) {
                let color = *random.pick(&["a", "ab", "campaigns"]);
                resource.tags.insert("color".to_owned(), json!(color));
            }
        }
        if resource.uid.kind() == "Broadcast" && random.once_in(2) {
            resource.parents.push(EntityRef::new("Campaign", "k"));
        }
        if random.once_in(6) {
            let owner = if random.once_in(3) {
                "gone".to_owned()
            } else {
                format!("m1-{}", random.below(4))
            };
            request.environment.realm = Some(EntityRef::new("Account", owner));
        }
        if random.once_in(8) {
            request.environment.channel = Some("job".to_owned());
            request.environment.host = None;
        }
        request
    }
}

/// Compares the answers of one request. Returns Cedar's result if the request is well-formed.
fn compare(pair: &Pair, request: &Request) -> Result<Option<CedarResult>, String> {
    let result = pair.facts.decide(request);
    let (check, decision) = (pair.engine.check(request), pair.engine.authorize(request));
    let is_equal = match (&result, &decision) {
        (Some(result), Ok(decision)) => {
            let is_allowed = result.allow && result.errors.is_empty();
            check == Ok(is_allowed)
                && agrees(result, decision)
                && has_code(&pair.facts, result, decision)
                && pair.engine.authorize(request).as_ref() == Ok(decision)
        }
        (None, Err(_)) => check.is_err(),
        _ => false,
    };
    if is_equal {
        Ok(result)
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

/// Compares the bundles of one schema.
fn compare_schema(
    seed: u64,
    actions: &[RuleAction],
    shipped: &Files,
    count: usize,
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
    let mut left = count;
    while left > 0 {
        left -= 1;
        coverage.bundles += 1;
        let mut hot: Vec<RuleAction> = Vec::new();
        while hot.len() < 3 {
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
        let author = {
            let mut writer = RuleWriter::new(&world.schema);
            let facts = &world.pair.facts;
            Author::new(random, &mut writer, facts, &hot, &mut coverage)
        };
        let mut files = base.clone();
        files.extend(author.files.clone());
        let loaded = world
            .pair
            .engine
            .reload(&PolicySource::Files(files.clone()));
        loaded.map_err(|error| format!("seed {seed}: {error}\n{}", author.text()))?;
        coverage.interpreted += usize::from(!world.pair.engine.bundle().fallback.is_empty());
        world.pair.facts.reload(&files);
        for _ in 0..REQUESTS_OF_BUNDLE {
            if random.once_in(4) {
                world.change(random);
            }
            let request = world.request(random, &hot);
            let result = compare(&world.pair, &request)
                .map_err(|found| format!("seed {seed}\n{}{found}", author.text()))?;
            count_result(&world, &author, &request, result, &mut coverage);
        }
    }
    Ok(coverage)
}

fn count_result(
    world: &World,
    author: &Author,
    request: &Request,
    result: Option<CedarResult>,
    coverage: &mut Coverage,
) {
    let Some(result) = result else {
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
    if coverage.allowed.is_multiple_of(2) {
        author.count(&world.pair.facts, request, coverage);
    }
}

#[test]
fn author_rules_agree_with_cedar() {
    let total = bundles();
    let shipped = bundle_files(&policies());
    let actions = RuleAction::all(&CedarFacts::new(&shipped));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let schemas = total.div_ceil(BUNDLES_OF_SCHEMA);
    let is_over = AtomicBool::new(false);
    let part = |first: usize| {
        let mut coverage = Coverage::default();
        for seed in (first..schemas).step_by(threads) {
            // The first difference ends all threads.
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            let count = BUNDLES_OF_SCHEMA.min(total - seed * BUNDLES_OF_SCHEMA);
            match compare_schema(seed as u64, &actions, &shipped, count) {
                Ok(part) => coverage.add(part),
                Err(found) => {
                    is_over.store(true, Ordering::Relaxed);
                    panic!("{found}");
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
    coverage.print();
    assert_eq!(coverage.bundles, total);
    let generated = coverage.accepted + coverage.refused;
    assert!(coverage.accepted * 10 >= generated * 6 && coverage.interpreted == 0);
    let decided = coverage.allowed + coverage.denied;
    assert!(coverage.allowed * 10 >= decided);
    if total < 100 {
        return;
    }
    let least = if total >= 50_000 { 500 } else { 1 };
    for kind in [AtomKind::Stored, AtomKind::Compared, AtomKind::Computed] {
        let counts = coverage.of_kind(kind);
        assert!(counts.iter().all(|count| *count >= least), "{kind:?}");
    }
    if total >= 50_000 {
        for (operator, _) in ATOMS {
            let counts = coverage.operators.get(operator).copied();
            let counts = counts.unwrap_or_default();
            assert!(
                counts.iter().all(|count| *count >= 500),
                "`{operator}`: true, false, erring {counts:?}"
            );
        }
    }
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
