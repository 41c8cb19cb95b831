//! Cached answers equal those of a new engine and of Cedar, after any change of the directory.

use serde_json::{Value, json};
use sublet::{Change, Engine, Options, PolicySource, Record, Request, Resource};
use sublet_tests::{CedarFacts, Random, agrees, seed};

const ACTIONS: [(&str, &str); 9] = [
    ("campaign.read", "Campaign"),
    ("campaign.edit", "Campaign"),
    ("form.edit", "Form"),
    ("login.password", "Account"),
    ("member.list", "Account"),
    ("client.edit", "Account"),
    ("ticket.to_owner", "Account"),
    ("ticket.to_platform", "Account"),
    ("domain.remove", "Domain"),
];
const HOSTS: [&str; 4] = [
    "dash.marketingmaster.example",
    "app.acme.example",
    "app.nova.example",
    "new.acme.example",
];

/// Most domains are verified, because at any other host one code answers all. The last state needs
/// an owner.
const DOMAIN_STATES: [&str; 6] = [
    "pending",
    "verified",
    "verified",
    "verified",
    "quarantined",
    "lapsed",
];

fn policies() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies")
}

fn open_engine() -> Engine {
    Engine::open(Options {
        policies: PolicySource::Folder(policies()),
        ..Options::default()
    })
    .expect("the bundle")
}

fn export_lines(engine: &Engine) -> Vec<u8> {
    let mut lines = Vec::new();
    engine.export(&mut lines).expect("the records");
    lines
}

/// Returns the record with one random change.
fn change_record(random: &mut Random, record: &Value) -> Option<Value> {
    let mut next = record.clone();
    let fields = next.as_object_mut()?;
    let reasons = [
        json!([]),
        json!(["overage"]),
        json!(["unpaid"]),
        json!(["abuse", "by_owner"]),
        json!(["by_owner"]),
    ];
    let features = [
        json!([]),
        json!(["campaigns"]),
        json!(["campaigns", "team", "client_accounts"]),
        json!(["forms", "team"]),
    ];
    let (key, value) = match (record["type"].as_str()?, random.below(3)) {
        ("Account", 0) => ("confirmed", json!(random.below(4) > 0)),
        ("Account", 1) => ("disabled", reasons[random.below(reasons.len())].clone()),
        ("Account", _) => ("closed", json!(random.below(4) == 0)),
        ("TeamMember", 0) => ("confirmed", json!(random.below(4) > 0)),
        ("TeamMember", _) => ("grants", features[random.below(features.len())].clone()),
        ("AccessLevel", _) => ("features", features[random.below(features.len())].clone()),
        ("Package", 0) => ("whitelabel", json!(random.below(3) > 0)),
        ("Package", _) => ("features", features[random.below(features.len())].clone()),
        ("Domain", _) => (
            "state",
            json!(DOMAIN_STATES[random.below(5 + usize::from(record["owner"].is_string()))]),
        ),
        _ => return None,
    };
    fields.remove("until");
    if value == "lapsed" {
        fields.insert("until".to_owned(), json!("9999-01-01T00:00:00Z"));
    }
    fields.insert(key.to_owned(), value);
    Some(next)
}

fn question(random: &mut Random, logins: &[Value], accounts: &[&str]) -> Request {
    let login = &logins[random.below(logins.len())];
    let text = |key: &str| login[key].as_str().unwrap_or_default();
    let own = if text("type") == "Account" {
        text("id")
    } else {
        text("account")
    };
    let account = if random.below(3) > 0 {
        own
    } else {
        accounts[random.below(accounts.len())]
    };
    let (action, kind) = ACTIONS[random.below(ACTIONS.len())];
    let resource = match kind {
        "Account" => Resource::new(kind, account),
        "Domain" => Resource::new(kind, HOSTS[random.below(HOSTS.len())]),
        inline => Resource::new(inline, "k").account(account),
    };
    Request::new((text("type"), text("id")), action, resource)
        .host(HOSTS[random.below(HOSTS.len())])
}

#[test]
fn cached_answers_equal_a_new_engines() {
    let lines = std::fs::read_to_string(policies().join("tests/agency.jsonl")).expect("the agency");
    let (engine, random) = (open_engine(), &mut Random::new(23 + seed()));
    engine
        .import(lines.as_bytes(), None, None)
        .expect("the agency");
    // The records are those of the export, in which a new client has its level.
    let lines = String::from_utf8(export_lines(&engine)).expect("texts");
    let mut records: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("a record"))
        .collect();
    let mut codes = std::collections::BTreeMap::new();
    let mut facts = CedarFacts::open(&policies());
    for _ in 0..40 {
        for _ in 0..4 {
            let at = random.below(records.len());
            let Some(next) = change_record(random, &records[at]) else {
                continue;
            };
            // Some changes are refused, for example an unpaid client. They change nothing.
            if Record::from_json(&next.to_string())
                .and_then(|record| engine.apply_changes(vec![Change::Put(record)], None))
                .is_ok()
            {
                records[at] = next;
            }
        }
        let fresh = open_engine();
        fresh
            .import(&export_lines(&engine)[..], None, None)
            .expect("the same records");
        facts.read_export(&String::from_utf8(export_lines(&engine)).expect("texts"));
        let logins: Vec<Value> = records
            .iter()
            .filter(|record| matches!(record["type"].as_str(), Some("Account" | "TeamMember")))
            .cloned()
            .collect();
        let accounts: Vec<&str> = logins
            .iter()
            .filter(|login| login["type"] == "Account")
            .filter_map(|login| login["id"].as_str())
            .collect();
        for at in 0..400 {
            let request = question(random, &logins, &accounts);
            let (first, second, new) = (
                engine.authorize(&request),
                engine.authorize(&request),
                fresh.authorize(&request),
            );
            let [first, second, new] =
                [first, second, new].map(|decision| decision.expect("an answer"));
            assert_eq!(first, second, "{request:?}");
            // The new engine has a cache, too, which its first requests fill.
            if at % 4 == 0 {
                let result = facts.decide(&request).expect("a request of the schema");
                assert!(
                    agrees(&result, &first),
                    "{request:?}\n{result:?}\n{first:?}"
                );
            }
            assert_eq!(
                (first.allowed, &first.code, &first.policies, &first.advice),
                (new.allowed, &new.code, &new.policies, &new.advice),
                "{request:?}"
            );
            assert_eq!(
                engine.check(&request).expect("an answer"),
                new.allowed,
                "{request:?}"
            );
            *codes.entry(first.code.to_string()).or_insert(0) += 1;
        }
    }
    assert!(codes.len() > 10 && codes["ok"] > 500, "{codes:?}");
}
