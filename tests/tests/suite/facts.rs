//! Compares the engine with `cedar-policy` over facts that `CedarFacts` builds from an export. The
//! requests are those of the policies' own cases, with random changes, and those of random
//! agencies. `SUBLET_CASES` is the number of requests of each test, at most 100,000.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use sublet::{Change, Engine, EntityRef, Options, Record, Request, Resource};
use sublet_tests::{CedarFacts, Random, agrees, seed};

const DASH: &str = "dash.marketingmaster.example";
/// The fields of a case that are not fields of its request. The command has its own list in
/// `cli/src/cases.rs`, because this test must not share code with what it checks.
const OWN_FIELDS: [&str; 8] = [
    "description",
    "rules",
    "call",
    "given",
    "remove",
    "answer",
    "about",
    "usage",
];
const FEATURES: [&str; 11] = [
    "campaigns",
    "contacts",
    "pages",
    "forms",
    "automations",
    "team",
    "client_accounts",
    "access_levels",
    "branding",
    "act_as_client",
    "billing",
];
/// The roles of operators. `admin` stands twice, so that the staff is often entitled.
const ROLES: [&str; 5] = ["support", "billing", "trust", "admin", "admin"];
/// The instant at which some logins signed out everywhere.
pub(super) const SIGNED_OUT: &str = "2026-01-31T12:00:00Z";
/// Meters that the directory does not count.
pub(super) const METERS: [&str; 4] = ["emails", "contacts", "pages", "api_calls"];

fn size(usual: usize) -> usize {
    std::env::var("SUBLET_CASES")
        .ok()
        .and_then(|size| size.parse().ok())
        .unwrap_or(usual)
        .min(100_000)
}

pub(super) fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies")
}

/// An engine beside the facts of its records.
pub(super) struct Pair {
    pub(super) engine: Engine,
    pub(super) facts: CedarFacts,
    pub(super) records: Vec<Value>,
    allowed: usize,
    denied: usize,
    malformed: usize,
    erred: usize,
    /// The policies that decided a request.
    reasons: BTreeSet<String>,
}

impl Pair {
    fn shipped() -> Self {
        let engine = Engine::open(Options::default()).expect("the shipped bundle");
        Self::new(engine, CedarFacts::open(&policies()))
    }

    pub(super) fn new(engine: Engine, facts: CedarFacts) -> Self {
        Self {
            engine,
            facts,
            records: Vec::new(),
            allowed: 0,
            denied: 0,
            malformed: 0,
            erred: 0,
            reasons: BTreeSet::new(),
        }
    }

    /// Reads the records of the engine into the facts.
    pub(super) fn read_records(&mut self) {
        let mut lines = Vec::new();
        self.engine.export(&mut lines).expect("an export");
        let lines = String::from_utf8(lines).expect("text");
        self.facts.read_export(&lines);
        let records = lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        self.records = records.collect();
    }

    pub(super) fn use_meter(
        &mut self,
        account: &str,
        member: Option<&str>,
        meter: &str,
        amount: i64,
    ) {
        self.engine
            .carry_over(account, member, meter, amount, None)
            .expect("counted");
        // The use of a member also counts for its account (M2).
        for id in std::iter::once(account).chain(member) {
            self.facts.use_meter(meter, id, amount);
        }
    }

    /// Compares decision, policies and errors with the result of Cedar.
    fn compare(&mut self, request: &Request) {
        let result = self.facts.decide(request);
        let (check, decision) = (self.engine.check(request), self.engine.authorize(request));
        match (result, decision) {
            (Some(result), Ok(decision)) => {
                let is_allowed = result.allow && result.errors.is_empty();
                assert_eq!(
                    check,
                    Ok(is_allowed),
                    "{request:?}\n{result:?}\n{decision:?}"
                );
                assert!(
                    agrees(&result, &decision),
                    "{request:?}\n{result:?}\n{decision:?}"
                );
                *if is_allowed {
                    &mut self.allowed
                } else {
                    &mut self.denied
                } += 1;
                if !result.errors.is_empty() {
                    println!("{request:?}\n{result:?}");
                    self.erred += 1;
                }
                self.reasons.extend(result.reasons);
            }
            (None, Err(_)) => {
                assert!(check.is_err(), "{request:?}");
                self.malformed += 1;
            }
            (result, answer) => panic!("{request:?}\n{result:?}\nis not\n{answer:?}"),
        }
    }

    fn of<'a>(&'a self, kind: &'a str) -> Vec<&'a Value> {
        let records = self.records.iter();
        records.filter(|record| record["type"] == kind).collect()
    }

    /// Returns the id of a random record of this type, or one that no record has.
    pub(super) fn any(&self, random: &mut Random, kind: &str) -> String {
        let records = self.of(kind);
        if records.is_empty() || random.once_in(20) {
            return "gone".to_owned();
        }
        random.pick(&records)["id"]
            .as_str()
            .expect("an id")
            .to_owned()
    }

    fn account(&self, id: &str) -> &Value {
        self.of("Account")
            .into_iter()
            .find(|account| account["id"] == id)
            .unwrap_or(&Value::Null)
    }

    pub(super) fn home(&self, login: &EntityRef) -> String {
        let member = || {
            self.of("TeamMember")
                .into_iter()
                .find(|member| member["id"] == login.id())
        };
        match login.kind() {
            "TeamMember" => member()
                .and_then(|member| member["account"].as_str())
                .unwrap_or("gone")
                .to_owned(),
            _ => login.id().to_owned(),
        }
    }

    pub(super) fn any_login(&self, random: &mut Random) -> EntityRef {
        let kind = *random.pick(&["Account", "Account", "Account", "TeamMember", "TeamMember"]);
        let kind = if random.once_in(10) { "Operator" } else { kind };
        EntityRef::new(kind, self.any(random, kind))
    }

    fn any_host(&self, random: &mut Random) -> String {
        match random.below(8) {
            0 => (*random.pick(&[
                "",
                "not a host",
                "a_b.example",
                "10.0.0.1",
                "[::1]",
                "nowhere.example",
                "x:99999",
            ]))
            .to_owned(),
            1 => format!("{}.:443", self.any(random, "Domain").to_uppercase()),
            _ => self.any(random, "Domain"),
        }
    }

    /// Returns a host at which the login can enter, if its owner has a domain.
    fn host_of(&self, login: &EntityRef) -> String {
        let home = self.home(login);
        let Some(owner) = self.account(&home)["owner"].as_str() else {
            return DASH.to_owned();
        };
        let domains = self.of("Domain");
        let own = |domain: &&&Value| domain["owner"] == owner && domain["state"] == "verified";
        let domain = domains.iter().find(own);
        domain.map_or("nowhere.example".to_owned(), |domain| {
            domain["id"].as_str().expect("an id").to_owned()
        })
    }

    /// Changes one part of a request.
    pub(super) fn vary(&self, random: &mut Random, request: &mut Request) {
        let signatures: Vec<String> = self
            .facts
            .signatures()
            .filter(|(.., kinds)| kinds.contains(&request.resource.uid.kind()))
            .map(|(name, ..)| name.to_owned())
            .collect();
        let environment = &mut request.environment;
        match random.below(10) {
            0 => environment.host = Some(self.any_host(random)),
            1 => environment.host = None,
            2 => environment.actor = Some(self.any_login(random)),
            3 => {
                environment.channel =
                    Some((*random.pick(&["web", "job", "mail", "public", "fax"])).to_owned())
            }
            4 => {
                let kind = *random.pick(&["Platform", "Account", "Account"]);
                environment.realm = Some(EntityRef::new(kind, self.any(random, kind)));
            }
            5 if environment.amount.is_none() => {
                environment.amount = Some(*random.pick(&[0, 1, 7, 5_000, -1, i64::MAX]))
            }
            6 if !signatures.is_empty() => {
                request.action = EntityRef::new("Action", random.pick(&signatures).as_str())
            }
            7 if request.resource.account.is_some() => {
                request.resource.account = Some(self.any(random, "Account"))
            }
            8 => {
                let instant = *random.pick(&["2026-01-01T00:00:00Z", SIGNED_OUT]);
                environment.session_start = sublet::parse_instant(instant).ok();
            }
            _ => {
                request.principal = self.any_login(random);
                environment.host = Some(self.host_of(&request.principal));
            }
        }
    }

    fn summary(&self) -> String {
        let Self {
            allowed,
            denied,
            malformed,
            erred,
            ..
        } = self;
        let policies = self.reasons.len();
        let counts = format!("{allowed} allowed, {denied} denied, {malformed} malformed");
        format!("{counts}, {erred} with an error, decided by {policies} policies")
    }
}

/// Returns the requests of a case. A case about a desk has one for each action with tickets.
fn requests(case: &Map<String, Value>) -> Vec<Request> {
    let mut fields = case.clone();
    fields.retain(|name, _| !OWN_FIELDS.contains(&name.as_str()));
    let mut actions = vec![case.get("action").cloned().unwrap_or(Value::Null)];
    if let Some(about) = case.get("about") {
        fields.insert("resource".to_owned(), about.clone());
        actions = ["to_owner", "to_platform", "read", "reply", "escalate"]
            .map(|name| json!(format!("ticket.{name}")))
            .to_vec();
    }
    let request = |action: Value| {
        fields.insert("action".to_owned(), action);
        Request::from_json(&Value::Object(fields.clone()).to_string()).ok()
    };
    actions
        .into_iter()
        .filter(|action| !action.is_null())
        .filter_map(request)
        .collect()
}

/// Prepares the records and the usage of a case.
fn prepare(pair: &mut Pair, directory: &str, case: &Map<String, Value>) {
    let list = |name: &str| {
        case.get(name)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    pair.engine
        .import(directory.as_bytes(), None, None)
        .expect("the agency");
    pair.engine.reset_counts().expect("no usage");
    let mut changes = Vec::new();
    for removed in list("remove") {
        let (kind, id) = (removed[0].as_str(), removed[1].as_str());
        changes.push(Change::Remove(EntityRef::new(
            kind.expect("a type"),
            id.expect("an id"),
        )));
    }
    for record in list("given") {
        let record = Record::from_value(record).expect("a record");
        changes.extend([Change::Resume(record.reference()), Change::Put(record)]);
    }
    if !changes.is_empty() {
        pair.engine.apply_changes(changes, None).expect("a change");
    }
    pair.read_records();
    for used in list("usage") {
        let amount = used["used"].as_i64().expect("an amount");
        pair.use_meter(
            used["account"].as_str().expect("an account"),
            used["member"].as_str(),
            used["meter"].as_str().expect("a meter"),
            amount,
        );
    }
}

#[test]
fn cases_agree_with_own_facts() {
    let (mut pair, mut random) = (Pair::shipped(), Random::new(41 + seed()));
    let mut files: Vec<PathBuf> = std::fs::read_dir(policies().join("tests"))
        .expect("the cases")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let whole: Value =
            serde_json::from_str(&std::fs::read_to_string(file).expect("a text")).expect("JSON");
        cases.extend(whole["cases"].as_array().expect("cases").clone());
    }
    assert!(cases.len() > 500);
    let directory =
        std::fs::read_to_string(policies().join("tests/agency.jsonl")).expect("the agency");
    let variants = size(5_000).div_ceil(cases.len());
    for case in &cases {
        let case = case.as_object().expect("a case");
        let requests = requests(case);
        if requests.is_empty() {
            continue;
        }
        prepare(&mut pair, &directory, case);
        for request in requests {
            pair.compare(&request);
            for _ in 0..variants {
                let mut request = request.clone();
                for _ in 0..=random.below(2) {
                    pair.vary(&mut random, &mut request);
                }
                pair.compare(&request);
            }
        }
    }
    println!("{}", pair.summary());
    assert!(pair.allowed > 150 && pair.denied > 300 && pair.malformed > 10);
}

fn some(random: &mut Random, words: &[&str]) -> Vec<String> {
    let words = words.iter().filter(|_| random.below(4) > 0);
    words.map(|word| (*word).to_owned()).collect()
}

fn attributes(random: &mut Random) -> Value {
    let mut fields = json!({});
    for (name, value) in [
        ("trial", json!(random.once_in(2))),
        ("trial_grace", json!(random.below(150))),
        ("transactional_reserve", json!(random.below(100))),
        ("refuse_excess_clients", json!(random.once_in(2))),
    ] {
        if random.once_in(4) {
            fields[name] = value;
        }
    }
    fields
}

fn limits(random: &mut Random) -> Value {
    let mut fields = json!({});
    for meter in METERS {
        match random.below(5) {
            0 => fields[meter] = json!("unlimited"),
            1 => fields[meter] = json!(random.below(40)),
            _ => {}
        }
    }
    fields
}

/// Returns the records of a random agency as JSON lines. Its ids begin with its number, because an
/// id is not used again for another account or member (I5).
pub(super) fn agency(random: &mut Random, number: usize) -> String {
    let mut records = vec![
        json!({ "type": "Platform", "id": "mmio" }),
        json!({ "type": "Operator", "id": "olga", "email": "olga@mmio.example", "roles": some(random, &ROLES) }),
        json!({ "type": "Domain", "id": DASH, "kind": "platform", "state": "verified" }),
        json!({ "type": "Package", "id": "own", "features": some(random, &FEATURES), "whitelabel": random.once_in(2), "self_service": random.once_in(2), "limits": limits(random), "client_limits": limits(random), "client_accounts": random.below(4) }),
    ];
    let (mut mains, mut claims) = (Vec::new(), Vec::new());
    let mut accounts = Vec::new();
    let mut levels: Vec<(String, String)> = Vec::new();
    let status = |random: &mut Random, reasons: &[&str]| {
        let reasons = reasons.iter().filter(|_| random.once_in(16));
        json!(reasons.collect::<Vec<_>>())
    };
    for at in 0..4 {
        let id = format!("m{number}-{at}");
        let package = *random.pick(&[
            "agency",
            "agency",
            "agency",
            "enterprise",
            "enterprise",
            "business",
            "own",
        ]);
        records.push(json!({ "type": "Account", "id": id, "email": format!("{id}@main.example"), "package": package,
            "confirmed": !random.once_in(20), "closed": random.once_in(24), "disabled": status(random, &["unpaid", "abuse"]),
            "limits": limits(random), "attributes": attributes(random) }));
        for at in 0..1 + random.below(2) {
            let state = if at == 0 && !random.once_in(10) {
                "verified"
            } else {
                *random.pick(&["verified", "pending", "quarantined"])
            };
            records.push(json!({ "type": "Domain", "id": format!("d{at}.{id}.example"), "kind": "whitelabel", "owner": id, "state": state }));
            if random.once_in(3) {
                let id = format!("d{}.{id}.example", at + 1);
                let of = format!("m{number}-{}", random.below(4));
                claims.push(json!({ "type": "Domain", "id": format!("{id}/{of}"), "kind": "whitelabel", "owner": of, "until": "2030-01-01T00:00:00Z" }));
            }
            if random.once_in(4) {
                let until = *random.pick(&["2025-01-01T00:00:00Z", "2035-01-01T00:00:00Z"]);
                records.push(json!({ "type": "Domain", "id": format!("l{at}.{id}.example"), "kind": "whitelabel", "owner": id, "state": "lapsed", "until": until }));
            }
        }
        let level = format!("l{number}-{at}");
        records.push(json!({ "type": "AccessLevel", "id": level, "owner": id, "features": some(random, &FEATURES), "limits": limits(random) }));
        levels.push((id.clone(), level));
        mains.push(id.clone());
        accounts.push(id);
    }
    for at in 0..8 {
        let (id, owner) = (format!("c{number}-{at}"), random.pick(&mains).clone());
        let mut record = json!({ "type": "Account", "id": id, "email": format!("{id}@client.example"), "owner": owner,
            "confirmed": !random.once_in(20), "closed": random.once_in(24), "disabled": status(random, &["overage", "by_owner", "abuse"]),
            "limits": limits(random), "attributes": attributes(random) });
        let own = levels.iter().find(|(found, _)| *found == owner);
        match random.below(5) {
            0 => {}
            1 | 2 => record["level"] = json!(own.expect("a level").1),
            _ => record["level"] = json!(random.pick(&["basic", "standard", "full", "none"])),
        }
        records.push(record);
        accounts.push(id);
    }
    for at in 0..10 {
        let (id, account) = (format!("t{number}-{at}"), random.pick(&accounts).clone());
        let part = if random.once_in(3) {
            json!({ "emails": random.below(30) })
        } else {
            json!({})
        };
        records.push(json!({ "type": "TeamMember", "id": id, "account": account, "email": format!("{id}@team.example"),
            "confirmed": !random.once_in(10), "grants": some(random, &FEATURES), "sub_limits": part }));
    }
    records.extend(claims);
    for record in &mut records {
        let is_login = ["Operator", "Account", "TeamMember"]
            .contains(&record["type"].as_str().expect("a type"));
        if is_login && random.once_in(8) {
            record["not_before"] = json!(SIGNED_OUT);
        }
        if record["type"] == "TeamMember" && random.once_in(5) {
            let hash = format!("{:064x}", random.below(usize::MAX));
            record["service"] = json!({ "hash": hash });
            record.as_object_mut().expect("an object").remove("email");
        }
    }
    records.iter().map(|record| format!("{record}\n")).collect()
}

/// Adds a random context of an action of a command.
fn add_context(pair: &Pair, random: &mut Random, request: Request) -> Request {
    // A policy that reads a record that does not exist fails, and no command names one.
    let named = |random: &mut Random, kind: &str| {
        let records = pair.of(kind);
        let id = if records.is_empty() {
            json!("none")
        } else {
            random.pick(&records)["id"].clone()
        };
        json!({ "type": kind, "id": id })
    };
    let features = |random: &mut Random| {
        let features = some(random, &FEATURES[..4]).into_iter();
        json!(
            features
                .map(|id| json!({ "type": "Feature", "id": id }))
                .collect::<Vec<_>>()
        )
    };
    let package = |random: &mut Random| {
        let known = random.pick(&["agency", "enterprise", "starter"]);
        json!({ "type": "Package", "id": known })
    };
    let action = request.action.id().to_owned();
    let fields: Vec<(&str, Value)> = match action.as_str() {
        "member.invite" => vec![("grants", features(random))],
        "member.grant" => vec![
            ("grants", features(random)),
            ("changed_grants", features(random)),
        ],
        "member.edit" => vec![(
            "beyond_own_part",
            json!([{ "type": "Meter", "id": "emails" }]),
        )],
        "client.attach_level" | "client.create" => vec![
            ("level", named(random, "AccessLevel")),
            (
                "limits_beyond_package",
                json!([{ "type": "Meter", "id": "emails" }]),
            ),
        ],
        "client.edit" | "level.create" | "level.edit" => vec![
            ("limits", json!({ "emails": 9 })),
            ("limits_beyond_package", json!([])),
        ],
        "level.delete" => vec![
            ("in_use", json!(random.once_in(2))),
            ("replacement", named(random, "AccessLevel")),
        ],
        "email.confirm" | "login.invitation" | "member.confirm_email" => {
            vec![("pending", json!(!random.once_in(3)))]
        }
        "member.resend_invitation" | "member.renew_invitation" => vec![
            ("pending", json!(!random.once_in(3))),
            ("expired", json!(random.once_in(2))),
        ],
        "service_account.create" => vec![("grants", features(random))],
        "login.key_exchange" => vec![
            ("now", json!(random.below(3))),
            ("expires_at", json!(2)),
            ("hosts", json!([])),
        ],
        "client.offer_transfer" | "operator.offer_transfer" => {
            vec![("to", named(random, "Account"))]
        }
        "client.disable" | "client.restore" | "operator.disable" | "operator.restore" => {
            let reason = *random.pick(&["by_owner", "abuse", "unpaid", "overage"]);
            vec![("disable", json!({ "type": "DisableReason", "id": reason }))]
        }
        "operator.record_payment" => {
            vec![("period", json!("2026-01")), ("cents", json!(500))]
        }
        "operator.reverse_payment" => vec![("payment", json!(1))],
        "operator.close_month" => vec![("month_over", json!(random.once_in(2)))],
        "operator.settle_overage" => vec![
            ("choice", json!([named(random, "Account")])),
            ("month_over", json!(!random.once_in(3))),
            ("grace_over", json!(random.once_in(2))),
        ],
        "operator.top_up" => vec![
            ("meter", json!({ "type": "Meter", "id": "emails" })),
            ("amount", json!(5)),
        ],
        "operator.revoke_top_up" => vec![("key", json!("charge/1"))],
        "operator.reopen_account" => vec![
            ("closed_days", json!(random.below(40))),
            ("reopen_days", json!(30)),
            ("login_taken", json!(random.once_in(3))),
        ],
        "domain.add" => vec![
            ("open_claims", json!(random.below(3))),
            ("claims_max", json!(random.below(3))),
        ],
        "operator.recheck_domain" => vec![
            ("proven", json!(random.once_in(2))),
            ("txt", json!(["v=spf1 -all"])),
        ],
        "account.close" | "account.erase" | "operator.close_account" => vec![
            ("clients", json!(random.below(2))),
            ("confirmed", json!(random.once_in(2))),
        ],
        "domain.remove" | "operator.quarantine_domain" => vec![
            ("clients", json!(random.below(2))),
            ("last_domain", json!(random.once_in(2))),
            ("confirmed", json!(random.once_in(2))),
        ],
        "billing.change_package" | "operator.change_package" => vec![
            ("package", package(random)),
            ("clients", json!(random.below(2))),
            ("confirmed", json!(random.once_in(2))),
        ],
        transfer if transfer.ends_with("_transfer") => {
            let resource = json!({ "type": "Account", "id": request.resource.uid.id() });
            let to = named(random, "Account");
            vec![
                (
                    "client",
                    if random.once_in(3) {
                        to.clone()
                    } else {
                        resource.clone()
                    },
                ),
                (
                    "offered_to",
                    if random.once_in(2) {
                        to.clone()
                    } else {
                        resource
                    },
                ),
                ("to", to),
                ("consented", json!(!random.once_in(3))),
                ("level", named(random, "AccessLevel")),
            ]
        }
        _ => vec![],
    };
    let mut request = request;
    for (name, value) in fields {
        if !random.once_in(4) {
            request = request.context(name, value);
        }
    }
    if request.principal.kind() == "Operator" && !random.once_in(4) {
        let reason = *random.pick(&["asked", "asked", "asked", "", " ", "\u{a0}blank"]);
        request = request.context("reason", reason);
    }
    request
}

/// Returns a request that is mostly entitled by its account.
pub(super) fn request(
    pair: &Pair,
    random: &mut Random,
    signatures: &[(String, Vec<String>, Vec<String>)],
) -> Request {
    let mut login = pair.any_login(random);
    let fits: Vec<_> = signatures
        .iter()
        .filter(|(_, logins, _)| {
            random.once_in(50) || logins.iter().any(|kind| kind == login.kind())
        })
        .collect();
    let (action, _, kinds) = *random.pick(&fits);
    let home = pair.home(&login);
    let account = pair.account(&home);
    let is_on_client = action.starts_with("client.") || action.starts_with("ticket.");
    let clients: Vec<&str> = pair
        .of("Account")
        .into_iter()
        .filter(|client| client["owner"] == home.as_str())
        .filter_map(|client| client["id"].as_str())
        .collect();
    let about = if is_on_client && !clients.is_empty() && !random.once_in(4) {
        (*random.pick(&clients)).to_owned()
    } else if random.once_in(6) || login.kind() == "Operator" {
        pair.any(random, "Account")
    } else {
        home.clone()
    };
    let kind = random.pick(kinds).as_str();
    let own = |random: &mut Random, kind: &str, field: &str| {
        let records = pair.of(kind);
        let own: Vec<&&Value> = records
            .iter()
            .filter(|record| record[field] == about.as_str())
            .collect();
        if own.is_empty() || random.once_in(4) {
            pair.any(random, kind)
        } else {
            random.pick(&own)["id"].as_str().expect("an id").to_owned()
        }
    };
    let resource = match kind {
        "Account" => Resource::new(kind, about),
        "TeamMember" => Resource::new(kind, own(random, kind, "account")),
        "Domain" | "AccessLevel" => Resource::new(kind, own(random, kind, "owner")),
        "Platform" => Resource::new(kind, "mmio"),
        "Ticket" => {
            let desk = *random.pick(&["owner", "platform"]);
            let ticket = Resource::new(kind, "k").account(about);
            if random.once_in(5) {
                ticket
            } else {
                ticket.attribute("desk", desk)
            }
        }
        "Campaign" if random.once_in(3) => {
            let author = json!({ "type": "TeamMember", "id": pair.any(random, "TeamMember") });
            Resource::new(kind, "k")
                .account(about)
                .attribute("created_by", author)
        }
        inline => Resource::new(inline, "k").account(about),
    };
    let mut actor = None;
    if login.kind() == "Account"
        && let Some(owner) = account["owner"].as_str()
        && random.once_in(4)
    {
        let members: Vec<&Value> = pair.of("TeamMember");
        let members: Vec<&Value> = members
            .into_iter()
            .filter(|member| member["account"] == owner)
            .collect();
        actor = Some(if members.is_empty() || random.once_in(2) {
            EntityRef::new("Account", owner)
        } else {
            EntityRef::new(
                "TeamMember",
                random.pick(&members)["id"].as_str().expect("an id"),
            )
        });
    }
    if random.once_in(60) {
        login = EntityRef::new("Account", "gone");
    }
    let host = pair.host_of(actor.as_ref().unwrap_or(&login));
    let mut asked = Request::new(login, action.as_str(), resource).host(host);
    asked.environment.actor = actor;
    if random.once_in(3) {
        asked.environment.amount = Some(*random.pick(&[0, 1, 5, 20, 100, i64::MAX]));
    }
    if random.once_in(4) {
        pair.vary(random, &mut asked);
    }
    add_context(pair, random, asked)
}

#[test]
fn random_agencies_agree_with_own_facts() {
    let (mut pair, mut random) = (Pair::shipped(), Random::new(43 + seed()));
    let signatures: Vec<(String, Vec<String>, Vec<String>)> = pair
        .facts
        .signatures()
        .map(|(name, logins, kinds)| {
            let owned = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect();
            (name.to_owned(), owned(logins), owned(kinds))
        })
        .collect();
    assert!(signatures.len() > 150);
    let (mut left, each) = (size(5_000), 100);
    while left > 0 {
        let lines = agency(&mut random, left);
        pair.engine
            .import(lines.as_bytes(), None, None)
            .unwrap_or_else(|error| panic!("{error}\n{lines}"));
        pair.read_records();
        for _ in 0..12 {
            let login = EntityRef::new("TeamMember", format!("t{left}-{}", random.below(10)));
            let member = random.once_in(2).then(|| login.id().to_owned());
            let account = if member.is_some() {
                pair.home(&login)
            } else {
                format!("c{left}-{}", random.below(8))
            };
            let meter = *random.pick(&METERS);
            let amount = i64::try_from(random.below(40)).expect("small");
            pair.use_meter(&account, member.as_deref(), meter, amount);
        }
        for _ in 0..each.min(left) {
            let request = request(&pair, &mut random, &signatures);
            pair.compare(&request);
        }
        left = left.saturating_sub(each);
    }
    println!("{}", pair.summary());
    let size = pair.allowed + pair.denied;
    assert!(pair.allowed * 20 > size && pair.denied * 10 > size && pair.erred == 0);
}
