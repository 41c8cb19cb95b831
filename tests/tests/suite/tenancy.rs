//! Compares the compiled policies of the shipped bundle with Cedar. `explain` evaluates each policy
//! with Cedar, so the results of the policies must add up to the decision.

use sublet::{Change, Engine, Options, PolicySource, PolicyStatus, Record, Request, Resource};
use sublet_tests::{Random, agency_engine, shipped_files};

/// A login, its account, and its host.
const LOGINS: [(&str, &str, &str, &str); 16] = [
    ("Account", "acme", "acme", DASH),
    ("Account", "nova", "nova", "app.nova.example"),
    ("Account", "solo", "solo", DASH),
    ("Account", "bakery", "bakery", ACME),
    ("Account", "cafe", "cafe", ACME),
    ("Account", "dentist", "dentist", ACME),
    ("Account", "edge", "edge", "app.nova.example"),
    ("TeamMember", "ann", "acme", ACME),
    ("TeamMember", "ben", "acme", DASH),
    ("TeamMember", "cia", "nova", DASH),
    ("TeamMember", "dan", "bakery", ACME),
    ("TeamMember", "eve", "cafe", ACME),
    ("TeamMember", "gus", "edge", "app.nova.example"),
    ("TeamMember", "hal", "acme", DASH),
    ("Operator", "olga", "acme", DASH),
    ("TeamMember", "nobody", "none", DASH),
];
const DASH: &str = "dash.marketingmaster.example";
const ACME: &str = "app.acme.example";
const ACCOUNTS: [&str; 8] = [
    "acme", "nova", "solo", "bakery", "cafe", "dentist", "edge", "none",
];
const HOSTS: [&str; 8] = [
    DASH,
    ACME,
    "app.nova.example",
    "APP.acme.example:443",
    "nowhere.example",
    "not a host",
    "",
    "new.acme.example",
];

fn open_engine(extra: &str) -> Engine {
    let mut files = vec![("77-extra.cedar".to_owned(), extra.to_owned())];
    files.extend(shipped_files());
    agency_engine(files)
}

/// Policies over attributes of the host, over named records, and one that can fail.
const EXTRA: &str = r#"
@id("consume-on-trial") @code("on_trial")
forbid (principal, action in Action::"consume", resource)
when { context.facts has account.attributes.trial && context.facts.account.attributes.trial };
@id("write-from-barred-country") @code("not_from_there")
forbid (principal == TeamMember::"dan", action in Action::"write", resource)
when { context.facts has account.attributes.country && context.facts.account.attributes.country like "d*" };
@id("sum") @code("sum")
forbid (principal, action in Action::"write", resource)
when { context.facts has amount && context.facts.amount + 9223372036854775800 > 9223372036854775805 };
@id("late") @code("late")
forbid (principal is Account, action == Action::"campaign.read", resource)
when { context.facts has host && context.facts.host like "app.*" && [Account::"acme", Account::"cafe"].contains(principal) };
@id("whole") @code("whole")
forbid (principal, action == Action::"campaign.edit", resource)
when { context.facts has actor && context.facts.actor == context.facts.login && context has facts && context.facts == context["facts"] };
@id("one-account") @code("one_account")
forbid (principal is Account, action in Action::"read", resource in Account::"bakery")
when { context.facts has account && context.facts.account != resource };
@id("one-form") @code("one_form")
forbid (principal, action in Action::"write", resource == Form::"k")
when { context.facts has feature && context.facts.feature == Feature::"forms" && resource.account == Account::"acme" };
@id("edit-by-non-author") @code("not_its_author")
forbid (principal is TeamMember, action == Action::"campaign.edit", resource)
when { resource has created_by && resource.created_by != principal && resource.created_by.account == resource.account };
@id("level-too-rich") @code("level_too_rich")
forbid (principal, action == Action::"client.attach_level", resource)
when { context has level && context.level.features.contains(Feature::"funnels") };
@id("allow-reset-of-one-login")
permit (principal == Account::"cafe", action == Action::"login.reset", resource is Account);
"#;

/// The actions of the schema, with their types of resource.
fn pairs() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/app.cedarschema"),
    )
    .expect("the schema");
    let mut pairs = Vec::new();
    for part in text.split("\naction ").skip(1) {
        let names = part
            .split(" in ")
            .next()
            .unwrap_or_default()
            .split('"')
            .skip(1)
            .step_by(2);
        let kinds = part
            .split("resource: [")
            .nth(1)
            .and_then(|rest| rest.split(']').next())
            .unwrap_or_default();
        for name in names {
            pairs.extend(
                kinds
                    .split(',')
                    .map(|kind| (name.to_owned(), kind.trim().to_owned())),
            );
        }
    }
    assert!(pairs.len() > 150, "{}", pairs.len());
    pairs
}

fn question(random: &mut Random, engine: &Engine, pairs: &[(String, String)]) -> Request {
    let one = |random: &mut Random| LOGINS[random.below(LOGINS.len())];
    let (kind, id, own, home) = one(random);
    let account = if random.below(3) > 0 {
        own
    } else {
        ACCOUNTS[random.below(ACCOUNTS.len())]
    };
    // Some actions are more frequent, because the policies below concern them.
    let favourite = [
        ("campaign.edit", "Campaign"),
        ("form.edit", "Form"),
        ("campaign.read", "Campaign"),
        ("client.attach_level", "Account"),
    ][random.below(4)];
    let (action, on) = &if random.below(5) == 0 {
        (favourite.0.to_owned(), favourite.1.to_owned())
    } else {
        pairs[random.below(pairs.len())].clone()
    };
    let resource = match on.as_str() {
        "Account" => Resource::new("Account", account),
        "TeamMember" => Resource::new("TeamMember", LOGINS[7 + random.below(7)].1),
        "Domain" => Resource::new("Domain", HOSTS[random.below(3)]),
        "AccessLevel" => Resource::new("AccessLevel", ["silver", "basic", "none"][random.below(3)]),
        "Platform" => Resource::new("Platform", "mmio"),
        "Package" => Resource::new("Package", "agency"),
        "Operator" => Resource::new("Operator", "olga"),
        inline => Resource::new(inline, "k").account(account),
    };
    let mut resource = resource;
    if on == "Campaign" && random.below(3) == 0 {
        let author = LOGINS[7 + random.below(7)].1;
        resource = match random.below(8) {
            0 => resource.attribute("created_by", "nobody"),
            1 => resource.attribute("unknown", true),
            2 => resource.attribute(
                "created_by",
                serde_json::json!({"__entity": {"type": "TeamMember", "id": "gone"}}),
            ),
            3 => resource.attribute(
                "created_by",
                serde_json::json!({"type": "Account", "id": author}),
            ),
            _ => resource.attribute(
                "created_by",
                serde_json::json!({"type": "TeamMember", "id": author}),
            ),
        };
    }
    let mut request = Request::new((kind, id), action.as_str(), resource);
    if action == "client.attach_level" && random.below(4) > 0 {
        let level = ["silver", "basic", "gone"][random.below(3)];
        request = request.context(
            "level",
            serde_json::json!({"type": "AccessLevel", "id": level}),
        );
    }
    if random.below(4) == 0 && kind == "Operator" {
        request = request.context("reason", "it was asked");
    }
    if random.below(12) > 0 {
        request = request.host(if random.below(4) > 0 {
            home
        } else {
            HOSTS[random.below(HOSTS.len())]
        });
    }
    if random.below(10) == 0 {
        let (kind, id, ..) = one(random);
        request = request.actor((kind, id));
    }
    if random.below(10) == 0 {
        request = request.realm(
            [
                ("Platform", "mmio"),
                ("Account", "acme"),
                ("Account", "none"),
            ][random.below(3)],
        );
    }
    if random.below(10) == 0 {
        request = request.channel(["web", "job", "mail", "public"][random.below(4)]);
    }
    if random.below(5) == 0 {
        request.environment.amount = Some([0, 1, 7, i64::MAX][random.below(4)]);
    }
    if random.below(40) == 0 {
        let disabled = [r#"["overage"]"#, r#"["abuse","by_owner"]"#, "[]"][random.below(3)];
        let record = format!(
            r#"{{"type":"Account","id":"cafe","email":"c@cafe.example","owner":"acme","level":"silver","confirmed":{},"disabled":{disabled},"attributes":{{"country":"de"}}}}"#,
            random.below(4) > 0
        );
        engine
            .apply_changes(
                vec![Change::Put(Record::from_json(&record).expect("a record"))],
                None,
            )
            .expect("a change");
    }
    request
}

/// Facts of records at the end of a path. Each is a bit with its own evaluation.
const FACTS: &str = r#"
@id("x1") @code("x1") forbid (principal, action in Action::"read", resource)
when { context.facts has domain.owner && (context.facts.domain.owner.closed || !context.facts.domain.owner.disabled.isEmpty()) };
@id("x2") @code("x2") forbid (principal, action in Action::"write", resource)
when { context.facts has domain.owner && context.facts.domain.owner.confirmed == false };
@id("x3") @code("x3") forbid (principal, action in Action::"write", resource)
when { context.facts has domain.owner.package.features && context.facts.domain.owner.package.features.contains(Feature::"funnels") };
@id("x4") @code("x4") forbid (principal, action == Action::"form.edit", resource)
when { context.facts has domain.owner.package && context.facts.domain.owner.package == Package::"other" };
@id("x5") @code("x5") forbid (principal, action in Action::"consume", resource)
when { context.facts has account.owner.package.features && !context.facts.account.owner.package.features.containsAny([Feature::"team", Feature::"funnels"]) };
@id("x6") @code("x6") forbid (principal, action == Action::"campaign.edit", resource)
when { context.facts has account.level && [AccessLevel::"basic", AccessLevel::"silver"].contains(context.facts.account.level) };
@id("x7") @code("x7") forbid (principal, action in Action::"read", resource)
when { context.facts has account.level.owner && context.facts has domain.owner && context.facts.account.level.owner != context.facts.domain.owner };
@id("x8") @code("x8") forbid (principal is TeamMember, action == Action::"campaign.read", resource)
when { !principal.grants.contains(Feature::"team") && context.facts.channel == Channel::"web" };
@id("x9") @code("x9") forbid (principal, action in Action::"write", resource)
when { context.facts has domain.owner.attributes.trial && context.facts.domain.owner.attributes.trial };
@id("x10") @code("x10") forbid (principal, action in Action::"read", resource)
when { context.facts has account.owner.attributes.country && context.facts.account.owner.attributes.country == "dk" };
@id("x11") @code("x11") forbid (principal, action, resource)
when { context.facts has account && context.facts.account.disabled.containsAll([DisableReason::"abuse", DisableReason::"by_owner"]) };
@id("x12") @code("x12") forbid (principal, action, resource is Account)
when { resource has owner.package && resource.owner.package.features.contains(Feature::"funnels") };
@id("x13") @code("x13") forbid (principal, action in Action::"read", resource is AccessLevel)
when { resource.features.isEmpty() || (resource has owner.attributes.trial && resource.owner.attributes.trial) };
@id("x14") @code("x14") forbid (principal, action in Action::"write", resource is Domain)
when { resource.state == DomainState::"pending" && resource has owner.package && resource.owner.package == Package::"agency" };
@id("x15") @code("x15") forbid (principal, action, resource is TeamMember)
when { !resource.confirmed || resource.grants.contains(Feature::"forms") || (resource.account has package && resource.account.package == Package::"other") };
@id("x16") @code("x16") forbid (principal, action == Action::"form.read", resource)
when { context.facts has account.level.owner && context.facts.account.level.owner == principal };
@id("x17") @code("x17") forbid (principal, action in Action::"ticket", resource)
when { resource has account.owner.package && resource.account.owner.package.whitelabel && resource.account has level && resource.account.level == AccessLevel::"silver" };
@id("x18") @code("x18") forbid (principal, action in Action::"consume", resource)
when { resource has created_by && resource.created_by.confirmed };
"#;

/// Changes the records that those facts are read from.
fn change_facts(random: &mut Random, engine: &Engine) {
    let some = |random: &mut Random, texts: &[&str]| texts[random.below(texts.len())].to_owned();
    let package = some(random, &["agency", "other"]);
    let attributes = some(
        random,
        &[
            r#"{"trial":true}"#,
            r#"{"trial":false,"country":"dk"}"#,
            "{}",
        ],
    );
    let disabled = some(random, &[r#"["unpaid"]"#, r#"["abuse"]"#, "[]", "[]", "[]"]);
    let (confirmed, closed) = (random.below(5) > 0, random.once_in(6));
    let owner = |id: &str| {
        format!(
            r#"{{"type":"Account","id":"{id}","email":"owner@{id}.example","package":"{package}","confirmed":{confirmed},"closed":{closed},"disabled":{disabled},"attributes":{attributes}}}"#
        )
    };
    let features = some(
        random,
        &[
            r#""campaigns","forms","team","client_accounts","tickets""#,
            r#""campaigns","forms","funnels""#,
        ],
    )
    .replace(r#","tickets""#, "");
    let record = match random.below(4) {
        0 => format!(
            r#"{{"type":"Package","id":"other","features":[{features}],"whitelabel":{}}}"#,
            random.once_in(2)
        ),
        1 => owner("nova"),
        2 => owner("acme"),
        _ => format!(
            r#"{{"type":"AccessLevel","id":"silver","owner":"acme","features":[{}]}}"#,
            if random.once_in(3) { "" } else { &features }
        ),
    };
    // Some changes are refused. They change nothing.
    let _ = Record::from_json(&record)
        .and_then(|record| engine.apply_changes(vec![Change::Put(record)], None));
}

/// Sends random requests, and compares each answer with Cedar's result for each policy. Returns the
/// number of allowed, denied, failed and malformed requests.
fn compare_with_cedar(
    engine: &Engine,
    random: &mut Random,
    rounds: usize,
    change: impl Fn(&mut Random, &Engine),
) -> [usize; 4] {
    let pairs = pairs();
    let (mut allowed, mut denied, mut erred, mut malformed) = (0, 0, 0, 0);
    for _ in 0..rounds {
        change(random, engine);
        let request = question(random, engine, &pairs);
        let Ok(decision) = engine.authorize(&request) else {
            assert!(engine.check(&request).is_err(), "{request:?}");
            malformed += 1;
            continue;
        };
        assert_eq!(
            engine.check(&request).expect("an answer"),
            decision.allowed,
            "{request:?}"
        );
        // The second answer comes from the cache if the first one was cached.
        assert_eq!(
            engine.authorize(&request).expect("an answer"),
            decision,
            "{request:?}"
        );
        let explanation = engine.explain(&request).expect("an explanation");
        let of = |outcome: PolicyStatus, effect: &str| -> Vec<&str> {
            let found = explanation.policies.iter().filter(|policy| {
                policy.outcome == outcome && (effect.is_empty() || policy.effect == effect)
            });
            found.map(|policy| policy.policy.as_ref()).collect()
        };
        let (forbids, permits, failed) = (
            of(PolicyStatus::Applied, "forbid"),
            of(PolicyStatus::Applied, "permit"),
            of(PolicyStatus::Failed, ""),
        );
        if explanation.policies.is_empty() {
            assert!(!decision.allowed, "{request:?}");
            continue;
        }
        let told: Vec<&str> = decision.policies.iter().map(AsRef::as_ref).collect();
        assert_eq!(
            told,
            if forbids.is_empty() {
                permits.clone()
            } else {
                forbids.clone()
            },
            "{request:?}\n{}",
            explanation.verbose()
        );
        assert_eq!(
            decision
                .errors
                .iter()
                .map(|error| error.policy.as_ref())
                .collect::<Vec<_>>(),
            failed,
            "{request:?}\n{}",
            explanation.verbose()
        );
        assert!(
            decision
                .errors
                .iter()
                .all(|error| error.message != "evaluation failed"),
            "{decision:?}"
        );
        assert_eq!(
            decision.allowed,
            forbids.is_empty() && !permits.is_empty() && failed.is_empty(),
            "{request:?}\n{}",
            explanation.verbose()
        );
        *if decision.allowed {
            &mut allowed
        } else {
            &mut denied
        } += 1;
        erred += usize::from(!failed.is_empty());
    }
    println!("{allowed} allowed, {denied} denied, {erred} with an error, {malformed} malformed");
    [allowed, denied, erred, malformed]
}

#[test]
fn decision_agrees_with_each_policy() {
    let engine = open_engine(EXTRA);
    let record = r#"{"type":"Account","id":"acme","email":"owner@acme.example","package":"agency","confirmed":true,"attributes":{"trial":true,"country":"dk"}}"#;
    engine
        .apply_changes(
            vec![Change::Put(Record::from_json(record).expect("a record"))],
            None,
        )
        .expect("a change");
    let [allowed, denied, erred, _] =
        compare_with_cedar(&engine, &mut Random::new(11), 3_000, |_, _| ());
    assert!(allowed > 200 && denied > 1_000 && erred > 20);
}

#[test]
fn record_facts_agree_with_cedar() {
    let engine = open_engine(FACTS);
    let other = r#"{"type":"Package","id":"other","features":["campaigns","forms","funnels"],"whitelabel":true}"#;
    engine
        .apply_changes(
            vec![Change::Put(Record::from_json(other).expect("a record"))],
            None,
        )
        .expect("a change");
    let [allowed, denied, ..] =
        compare_with_cedar(&engine, &mut Random::new(29), 3_000, |random, engine| {
            if random.once_in(8) {
                change_facts(random, engine);
            }
        });
    assert!(allowed > 20 && denied > 500, "{allowed} {denied}");
}

/// A policy that names a record still means that record after a reload and an import, although the
/// import gives records other numbers.
#[test]
fn named_records_survive_reload_and_import() {
    let extra = r#"@id("dan") @code("not_dan") forbid (principal == TeamMember::"dan", action == Action::"campaign.read", resource);"#;
    let engine = open_engine(extra);
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let mut files = vec![("77-extra.cedar".to_owned(), extra.to_owned())];
    for entry in std::fs::read_dir(root)
        .expect("the folder")
        .flatten()
        .filter(|entry| entry.path().is_file())
    {
        files.push((
            entry.file_name().to_string_lossy().into_owned(),
            std::fs::read_to_string(entry.path()).expect("a text"),
        ));
    }
    let mut lines: Vec<String> = String::from_utf8(export_lines(&engine))
        .expect("text")
        .lines()
        .map(str::to_owned)
        .collect();
    for round in 0..4 {
        if round % 2 == 1 {
            engine
                .reload(&PolicySource::Files(files.clone()))
                .expect("the same policies");
        }
        lines.rotate_left(7);
        engine
            .import(lines.join("\n").as_bytes(), None, None)
            .expect("the same records");
        for (kind, id, account, host) in LOGINS
            .into_iter()
            .filter(|(kind, ..)| *kind == "TeamMember")
        {
            let request = Request::new(
                (kind, id),
                "campaign.read",
                Resource::new("Campaign", "k").account(account),
            )
            .host(host);
            let decision = engine.authorize(&request).expect("an answer");
            assert_eq!(
                decision
                    .policies
                    .iter()
                    .any(|policy| policy.as_ref() == "dan"),
                id == "dan",
                "{round} {decision:?}"
            );
        }
    }
}

/// Features after the first 64 are stored apart from the rows. The answers are the same.
#[test]
fn more_than_64_features_agree_with_cedar() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(root)
        .expect("the folder")
        .flatten()
        .filter(|entry| entry.path().is_file())
    {
        let (name, mut text) = (
            entry.file_name().to_string_lossy().into_owned(),
            std::fs::read_to_string(entry.path()).expect("a text"),
        );
        if name == "app.cedarschema" {
            let more: String = (0..60).map(|at| format!("\"x{at:02}\", ")).collect();
            text = text.replacen(
                "entity Feature enum [",
                &format!("entity Feature enum [{more}"),
                1,
            );
            for at in [0, 59] {
                text += &format!(
                    "@feature(\"x{at:02}\") action \"x{at:02}.read\" in [read] appliesTo {{ principal: [Account, TeamMember], resource: [Campaign], context: Plain }};\n"
                );
            }
        }
        if name == "catalog.json" {
            let more: String = (0..60)
                .map(|at| format!("\"x{at:02}\": \"more\", "))
                .collect();
            text = text.replacen("\"features\": {", &format!("\"features\": {{{more}"), 1);
        }
        files.push((name, text));
    }
    let all = "@id(\"all\") @code(\"all_features\") forbid (principal is TeamMember, action == Action::\"campaign.read\", resource)\n\
               when { principal.grants.containsAll([Feature::\"x00\", Feature::\"x58\", Feature::\"campaigns\"]) };";
    files.push(("77-extra.cedar".to_owned(), all.to_owned()));
    let engine = Engine::open(Options {
        policies: PolicySource::Files(files),
        ..Options::default()
    })
    .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(engine.bundle().fallback, []);
    let lines = [
        r#"{"type":"Domain","id":"dash.example","kind":"platform","state":"verified"}"#,
        r#"{"type":"Package","id":"p","features":["campaigns","x00","x58","x59"],"whitelabel":true}"#,
        r#"{"type":"Package","id":"few","features":["campaigns","x00"]}"#,
        r#"{"type":"Account","id":"a","email":"a@x.example","package":"p","confirmed":true}"#,
        r#"{"type":"Account","id":"b","email":"b@x.example","package":"few","confirmed":true}"#,
        r#"{"type":"TeamMember","id":"m","account":"a","email":"m@x.example","confirmed":true,"grants":["campaigns","x00","x58"]}"#,
        r#"{"type":"TeamMember","id":"n","account":"a","email":"n@x.example","confirmed":true,"grants":["x59"]}"#,
    ];
    engine
        .import(lines.join("\n").as_bytes(), None, None)
        .unwrap_or_else(|error| panic!("{error}"));
    let mut codes = std::collections::BTreeMap::new();
    for (kind, id) in [
        ("Account", "a"),
        ("Account", "b"),
        ("TeamMember", "m"),
        ("TeamMember", "n"),
    ] {
        for action in ["x00.read", "x59.read", "campaign.read"] {
            let account = if id == "b" { "b" } else { "a" };
            let request = Request::new(
                (kind, id),
                action,
                Resource::new("Campaign", "k").account(account),
            )
            .host("dash.example");
            let (decision, explanation) = (
                engine.authorize(&request).expect("an answer"),
                engine.explain(&request).expect("an explanation"),
            );
            let forbids = explanation.policies.iter().filter(|policy| {
                policy.outcome == PolicyStatus::Applied && policy.effect == "forbid"
            });
            let forbids: Vec<&str> = forbids.map(|policy| policy.policy.as_ref()).collect();
            let told: Vec<&str> = decision.policies.iter().map(AsRef::as_ref).collect();
            assert!(
                if decision.allowed {
                    forbids.is_empty()
                } else {
                    forbids == told
                },
                "{request:?}\n{}",
                explanation.verbose()
            );
            codes.insert((id, action), decision.code.to_string());
        }
    }
    let told = |code: &str| {
        codes
            .iter()
            .filter(|(_, found)| *found == code)
            .map(|((id, action), _)| format!("{id} {action}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told("ok"),
        [
            "a campaign.read",
            "a x00.read",
            "a x59.read",
            "b campaign.read",
            "b x00.read",
            "m x00.read",
            "n x59.read"
        ]
    );
    assert_eq!(told("all_features"), ["m campaign.read"]);
    assert_eq!(told("feature_not_in_package"), ["b x59.read"]);
    assert_eq!(
        told("feature_not_granted"),
        ["m x59.read", "n campaign.read", "n x00.read"]
    );
}

fn export_lines(engine: &Engine) -> Vec<u8> {
    let mut lines = Vec::new();
    engine.export(&mut lines).expect("an export");
    lines
}

/// A resource either equals the entity in an attribute of its account, or it does not.
#[test]
fn resource_equals_an_account_attribute() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let rule = r#"
@id("favourite") @code("favourite")
forbid (principal, action == Action::"campaign.read", resource)
when { context.facts has account.attributes.favourite && resource == context.facts.account.attributes.favourite };
@id("favourites") @code("favourites")
forbid (principal, action == Action::"campaign.edit", resource)
when { context.facts has account.attributes.favourites && context.facts.account.attributes.favourites.contains(resource) };
"#;
    let mut files = vec![("77-extra.cedar".to_owned(), rule.to_owned())];
    for entry in std::fs::read_dir(root.join("policies"))
        .expect("the folder")
        .flatten()
        .filter(|entry| entry.path().is_file())
    {
        let text = std::fs::read_to_string(entry.path()).expect("a text");
        let text = text.replacen(
            "type AccountAttributes = {",
            "type AccountAttributes = {\n  favourite?: Campaign,\n  favourites?: Set<Campaign>,",
            1,
        );
        files.push((entry.file_name().to_string_lossy().into_owned(), text));
    }
    let engine = Engine::open(Options {
        policies: PolicySource::Files(files),
        ..Options::default()
    })
    .unwrap_or_else(|error| panic!("{error}"));
    engine
        .import(
            &std::fs::read(root.join("policies/tests/agency.jsonl")).expect("the agency")[..],
            None,
            None,
        )
        .expect("the agency");
    let acme = r#"{"type":"Account","id":"acme","email":"owner@acme.example","package":"agency","confirmed":true,"attributes":{
        "favourite":{"__entity":{"type":"Campaign","id":"one"}},"favourites":[{"__entity":{"type":"Campaign","id":"two"}},{"__entity":{"type":"Campaign","id":"one"}}]}}"#;
    engine
        .apply_changes(
            vec![Change::Put(Record::from_json(acme).expect("a record"))],
            None,
        )
        .expect("a change");
    for (action, id, code) in [
        ("campaign.read", "one", "favourite"),
        ("campaign.read", "two", "ok"),
        ("campaign.read", "three", "ok"),
        ("campaign.edit", "one", "favourites"),
        ("campaign.edit", "two", "favourites"),
        ("campaign.edit", "three", "ok"),
    ] {
        let request = Request::new(
            ("Account", "acme"),
            action,
            Resource::new("Campaign", id).account("acme"),
        )
        .host(DASH);
        // The request is sent twice, because the second answer may be cached.
        for _ in 0..2 {
            let decision = engine.authorize(&request).expect("an answer");
            assert_eq!(
                (&*decision.code, decision.allowed),
                (code, code == "ok"),
                "{action} {id}"
            );
            assert_eq!(
                engine.check(&request).expect("an answer"),
                code == "ok",
                "{action} {id}"
            );
            let explained = engine.explain(&request).expect("an explanation");
            assert!(
                explained
                    .policies
                    .iter()
                    .all(|policy| !policy.policy.starts_with("favourite")
                        || (policy.outcome == PolicyStatus::Applied) == (code != "ok"))
            );
        }
    }
}
