//! A cached grant lets a consume skip the limit policies while their result cannot change. The
//! decisions equal those of Cedar, for random policies and changes of usage.

use std::collections::HashMap;

use sublet::{
    Change, Clock, ConsumeOptions, Decision, Engine, Explanation, ManualClock, Options,
    PolicySource, PolicyStatus, Record, RequestRef,
};
use sublet_tests::{Random, folder, seed};

const HOSTS: [&str; 2] = ["dash.marketingmaster.example", "app.acme.example"];
const RESOURCES: [&str; 3] = ["k", "m", "x"];

/// Numbers in policies and operations: small ones, and those at the ends of 64 bits.
const NUMBERS: [i64; 14] = [
    0,
    1,
    2,
    3,
    5,
    7,
    10,
    20,
    80,
    100,
    -1,
    i64::MAX,
    i64::MAX / 2,
    i64::MAX - 30,
];

fn number(random: &mut Random) -> i64 {
    let most = if random.once_in(8) {
        NUMBERS.len()
    } else {
        NUMBERS.len() - 3
    };
    NUMBERS[random.below(most)]
}

/// Returns a comparison that changes its value at a count that the operations of a test meet.
fn reached(random: &mut Random) -> String {
    let quota = "context.facts.quota";
    let counted = match random.below(3) {
        0 => format!("{quota}.account.used + {quota}.amount"),
        _ => format!("{quota}.account.used"),
    };
    let sign = random.pick(&["<", "<=", ">", ">=", "==", "!="]);
    format!("{counted} {sign} {}", 1 + random.below(24))
}

/// Returns a random numeric expression over the quota of a request.
fn term(random: &mut Random, depth: usize, limited: bool) -> String {
    let account = "context.facts.quota.account";
    if depth == 0 || random.once_in(4) {
        return match random.below(if limited { 8 } else { 6 }) {
            0..=2 => format!("{account}.used"),
            3 => format!("{account}.held"),
            4 => "context.facts.quota.amount".to_owned(),
            5 => match number(random) {
                below if below < 0 => format!("({below})"),
                number => number.to_string(),
            },
            _ => format!("{account}.limit"),
        };
    }
    let one = term(random, depth - 1, limited);
    match random.below(9) {
        0..=1 => format!("({one} + {})", term(random, depth - 1, limited)),
        2..=3 => format!("({one} - {})", term(random, depth - 1, limited)),
        4..=5 => format!("({one} * {})", number(random).clamp(0, i64::MAX)),
        6 => format!("({one} * {})", term(random, depth - 1, limited)),
        7 => format!("(-({one}))"),
        _ => format!(
            "(if {} then {one} else {})",
            condition(random, depth - 1, limited),
            term(random, depth - 1, limited)
        ),
    }
}

fn condition(random: &mut Random, depth: usize, limited: bool) -> String {
    if depth > 0 && random.once_in(3) {
        let (one, other) = (
            condition(random, depth - 1, limited),
            condition(random, depth - 1, limited),
        );
        return match random.below(4) {
            0 => format!("!({one})"),
            1 => format!("({one} || {other})"),
            _ => format!("({one} && {other})"),
        };
    }
    let one = term(random, depth, limited);
    match random.below(24) {
        0 => format!("[{one}, {}].contains({})", number(random).max(0), term(random, depth, limited)),
        1 => r#"resource == Campaign::"k""#.to_owned(),
        2 => r#"resource in Campaign::"m" || resource.account == principal"#.to_owned(),
        3 => r#"context.facts has account.attributes.trial && context.facts.account.attributes.trial"#.to_owned(),
        4 => r#"context.facts has domain.owner"#.to_owned(),
        5 => r#"Campaign::"k" has account && Campaign::"k".account == principal"#.to_owned(),
        6 => r#"[resource, Campaign::"k"].contains(Campaign::"m")"#.to_owned(),
        7..=12 => reached(random),
        _ => format!("{one} {} {}", random.pick(&["<", "<=", ">", ">=", "==", "!="]), term(random, depth, limited)),
    }
}

/// Returns random limit policies that an author may add.
fn rules(random: &mut Random) -> String {
    let mut rules = String::new();
    for at in 0..=random.below(3) {
        let (limited, depth) = (random.below(3) > 0, 1 + random.below(3));
        let words = if random.once_in(2) {
            format!("@code(\"x{at}\")")
        } else {
            format!("@warns(\"x{at}\")")
        };
        let has = if limited {
            "context.facts.quota.account has limit && "
        } else {
            ""
        };
        let about = random.pick(&["action == Action::\"campaign.send\"", "action"]);
        let condition = condition(random, depth, limited);
        rules += &format!(
            "@id(\"x{at}\") {words} forbid (principal, {about}, resource is Campaign) when {{ context.facts has quota && {has}({condition}) }};\n"
        );
    }
    rules
}

fn open_engine(added: String, store: String) -> Option<(Engine, ManualClock)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let shipped = std::fs::read_dir(folder)
        .expect("the folder")
        .flatten()
        .filter(|entry| entry.path().is_file());
    let files = shipped.map(|entry| {
        (
            entry.file_name().to_string_lossy().into_owned(),
            std::fs::read_to_string(entry.path()).expect("a text"),
        )
    });
    let clock = ManualClock::new("2026-01-31T12:00:00Z").expect("an instant");
    let policies = PolicySource::Files(
        files
            .chain([("95-added.cedar".to_owned(), added)])
            .collect(),
    );
    // A policy that does not fit the schema is skipped.
    let engine = Engine::open(Options {
        policies,
        store,
        clock: Clock::Manual(clock.clone()),
        ..Options::default()
    })
    .ok()?;
    engine
        .import(
            include_str!("../../../policies/tests/agency.jsonl").as_bytes(),
            None,
            None,
        )
        .expect("the sample agency");
    Some((engine, clock))
}

/// Checks that the results of Cedar for each policy add up to the decision.
fn check_agreement(explained: &Explanation, effects: &HashMap<std::sync::Arc<str>, &str>) {
    let of = |effect: &str, outcome| -> Vec<String> {
        let applied = explained
            .policies
            .iter()
            .filter(|policy| policy.outcome == outcome && effects[&policy.policy] == effect);
        applied.map(|policy| policy.policy.to_string()).collect()
    };
    let failed = explained
        .policies
        .iter()
        .any(|policy| policy.outcome == PolicyStatus::Failed);
    let (forbids, permits) = (
        of("forbid", PolicyStatus::Applied),
        of("permit", PolicyStatus::Applied),
    );
    let decision = &explained.decision;
    // An amount that would overflow 64 bits is denied without a policy.
    if !(forbids.is_empty() && !failed && &*decision.code == "quota_exceeded") {
        assert_eq!(
            decision.allowed,
            forbids.is_empty() && !permits.is_empty() && !failed,
            "{decision:?}"
        );
        let mut expected = if forbids.is_empty() { permits } else { forbids };
        let mut found: Vec<String> = decision.policies.iter().map(ToString::to_string).collect();
        expected.sort();
        found.sort();
        assert_eq!(expected, found, "{decision:?}");
    }
}

/// Returns the parts of a decision that do not depend on usage or versions.
fn stable_parts(decision: &Decision) -> impl PartialEq + std::fmt::Debug + '_ {
    (
        decision.allowed,
        &decision.code,
        &decision.policies,
        &decision.advice,
        &decision.errors,
    )
}

/// Changes usage, limits or the directory between two requests.
fn disturb(random: &mut Random, engine: &Engine, clock: &ManualClock, operations: &[u64]) {
    match random.below(13) {
        0..=2 if !operations.is_empty() => {
            drop(engine.refund(*random.pick(operations), Some(1), None))
        }
        3 => drop(engine.top_up(
            "acme",
            "emails",
            i64::try_from(random.below(4)).expect("few"),
            None,
        )),
        4..=5 => {
            let limit = [10, 40, 100, 1_000, 1_000]
                .get(random.below(6))
                .map_or("\"unlimited\"".to_owned(), ToString::to_string);
            let attributes = random.pick(&[
                "{}",
                r#"{"trial":true,"trial_grace":20}"#,
                r#"{"transactional_reserve":30}"#,
            ]);
            let json = format!(
                r#"{{"type":"Account","id":"acme","email":"owner@acme.example","package":"agency","confirmed":true,"limits":{{"emails":{limit}}},"attributes":{attributes}}}"#
            );
            engine
                .apply_changes(
                    vec![Change::Put(Record::from_json(&json).expect("a record"))],
                    None,
                )
                .expect("a change");
        }
        6 => drop(engine.reserve(question(0, 0), &ConsumeOptions::new(2), Some(60_000))),
        7 => clock.advance(if random.once_in(4) {
            86_400_000
        } else {
            50_000
        }),
        8 if random.once_in(6) => {
            drop(engine.carry_over("acme", None, "emails", *random.pick(&NUMBERS).max(&0), None))
        }
        9 => {
            // A change that does not concern the account.
            let json =
                r#"{"type":"Operator","id":"olga","email":"olga@mmio.example","roles":["admin"]}"#;
            engine
                .apply_changes(
                    vec![Change::Put(Record::from_json(json).expect("a record"))],
                    None,
                )
                .expect("a change");
        }
        10 => drop(engine.consume(question(0, 0), &ConsumeOptions::new(3).allow_partial())),
        // Counts in a file cannot be reset.
        11 => match engine.reset_counts() {
            Ok(()) => {}
            Err(error) => assert_eq!(error.code(), "store.verb"),
        },
        _ => {}
    }
}

fn question(host: usize, resource: usize) -> RequestRef<'static> {
    RequestRef::new(
        ("Account", "acme"),
        "campaign.send",
        ("Campaign", RESOURCES[resource]),
    )
    .account("acme")
    .host(HOSTS[host])
}

#[test]
fn cached_grants_agree_with_cedar() {
    let cases: usize = std::env::var("SUBLET_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(10_000)
        / 100;
    let random = &mut Random::new(31 + seed());
    let (mut engines, mut told) = (0, HashMap::new());
    while engines < cases {
        let added = rules(random);
        let store = if engines % 4 == 3 {
            format!("sqlite:{}", folder().join("limits.db").display())
        } else {
            "memory:".to_owned()
        };
        let Some((engine, clock)) = open_engine(added.clone(), store) else {
            continue;
        };
        engines += 1;
        let effects: HashMap<_, _> = engine
            .bundle()
            .policies
            .into_iter()
            .map(|policy| (policy.id, policy.effect))
            .collect();
        let (mut operations, usual) = (Vec::new(), 1 + random.below(2) * random.below(3));
        for _ in 0..80 {
            let question = if random.once_in(4) {
                question(random.below(2), random.below(3))
            } else {
                question(0, 0)
            };
            let amount = if random.once_in(12) {
                random.below(9)
            } else {
                usual
            };
            let amount = if random.once_in(40) {
                i64::MAX
            } else {
                i64::try_from(amount).expect("few")
            };
            let mut request = question.to_owned_request().expect("a request");
            request.environment.amount = Some(amount);
            let explained = engine.explain(&request).expect("an explanation");
            check_agreement(&explained, &effects);
            let before = engine
                .usage("acme", None, Some("emails"))
                .expect("usage")
                .remove(0);
            let decision = engine
                .consume(question, &ConsumeOptions::new(amount))
                .expect("an answer");
            assert_eq!(
                format!("{:?}", stable_parts(&decision)),
                format!("{:?}", stable_parts(&explained.decision)),
                "{amount} of {before:?} under\n{added}"
            );
            let counted = decision.counted.as_ref().expect("counted");
            let after = engine
                .usage("acme", None, Some("emails"))
                .expect("usage")
                .remove(0);
            assert_eq!(
                after.used,
                before.used + if decision.allowed { amount } else { 0 }
            );
            assert_eq!(
                counted.quota[0],
                sublet::Quota { amount, ..after },
                "under\n{added}"
            );
            operations.extend(counted.operation);
            *told.entry(decision.code.to_string()).or_insert(0) += 1;
            if random.once_in(4) {
                disturb(random, &engine, &clock, &operations);
            }
        }
        assert!(engine.verify().expect("verified").faults.is_empty());
    }
    assert!(told.len() >= 4 && told["ok"] > cases * 16, "{told:?}");
    println!("{told:?}");
}
