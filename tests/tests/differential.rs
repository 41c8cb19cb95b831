//! The engine against `cedar-policy` itself, on random programs: decision, determining policies, erring policies.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::str::FromStr;

use cedar_policy::{Authorizer, Context, Decision as Cedar, Entities, EntityId, EntityTypeName, EntityUid, PolicyId, PolicySet, Schema, SlotId};
use sublet::{Decision, Engine, Options, Program, Ref, Request, Resource, Source, Validation};
use sublet_tests::{Case, OPERATORS, Random, case};

fn cases() -> u64 {
    std::env::var("SUBLET_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

fn uid(kind: &str, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(EntityTypeName::from_str(kind).expect("a type"), EntityId::new(id))
}

/// What Cedar says: whether it allows, which policies determine it, which err.
#[derive(Debug, PartialEq, Eq)]
struct Judged {
    allow: bool,
    reasons: BTreeSet<String>,
    errors: BTreeSet<String>,
}

fn judge(case: &Case) -> Judged {
    let mut set = PolicySet::from_str(&case.text()).unwrap_or_else(|fault| panic!("{fault}: {}", case.text()));
    for link in case.links.as_array().expect("links") {
        let slot = &link["values"]["?principal"];
        let text = |value: &serde_json::Value| value.as_str().expect("a string").to_owned();
        let values = HashMap::from([(SlotId::principal(), uid(&text(&slot["type"]), &text(&slot["id"])))]);
        set.link(PolicyId::new(text(&link["templateId"])), PolicyId::new(text(&link["newId"])), values).expect("a link");
    }
    let schema = case.schema.as_ref().map(|text| Schema::from_str(text).expect("a schema"));
    let entities = Entities::from_json_value(case.entities.clone(), schema.as_ref()).expect("entities");
    let action = uid(case.request[1].0, &case.request[1].1);
    let context = Context::from_json_value(case.context.clone(), schema.as_ref().map(|schema| (schema, &action))).expect("a context");
    let request = cedar_policy::Request::new(uid(case.request[0].0, &case.request[0].1), action, uid(case.request[2].0, &case.request[2].1), context, None)
        .expect("a request");
    let response = Authorizer::new().is_authorized(&request, &set, &entities);
    Judged {
        allow: response.decision() == Cedar::Allow,
        reasons: response.diagnostics().reason().map(ToString::to_string).collect(),
        errors: response.diagnostics().errors().map(|cedar_policy::AuthorizationError::PolicyEvaluationError(fault)| fault.policy_id().to_string()).collect(),
    }
}

fn ask_text(case: &Case, policies: String) -> Decision {
    let program = Program {
        policies,
        schema: case.schema.clone(),
        links: Some(case.links.to_string()),
        entities: Some(case.entities.to_string()),
        validate_requests: Some(false),
    };
    let engine = Engine::open(Options { policies: Source::Cedar(program), validation: Validation::Off, ..Options::default() })
        .unwrap_or_else(|error| panic!("{error}: {}", case.text()));
    // Every policy of these programs runs compiled: Cedar is the judge, not the judged.
    assert_eq!(engine.bundle().fallback, [], "{}", case.text());
    let reference = |(kind, id): &(&str, String)| Ref::new(*kind, id.clone());
    let mut request = Request::new(reference(&case.request[0]), reference(&case.request[1]), Resource::from(reference(&case.request[2])));
    request.circumstances.context = case.context.as_object().expect("an object").clone();
    let decision = engine.authorize(&request).unwrap_or_else(|error| panic!("{error}: {}", case.text()));
    assert_eq!(engine.check(&request).expect("an answer"), decision.allowed);
    decision
}

fn ask(case: &Case) -> Decision {
    ask_text(case, case.text())
}

fn as_judged(decision: &Decision) -> (BTreeSet<String>, BTreeSet<String>) {
    (decision.policies.iter().map(ToString::to_string).collect(), decision.errors.iter().map(|error| error.policy.to_string()).collect())
}

fn agrees(judged: &Judged, decision: &Decision) -> bool {
    let (reasons, errors) = as_judged(decision);
    decision.allowed == (judged.allow && judged.errors.is_empty())
        && reasons == judged.reasons
        && errors == judged.errors
        && (decision.code.as_ref() == "policy_error") == (judged.allow && !judged.errors.is_empty())
        && (decision.code.as_ref() == "ok") == decision.allowed
}

#[test]
fn the_engine_agrees_with_cedar_on_random_programs() {
    let total = cases();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let parts: Vec<Counts> = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads).map(|part| scope.spawn(move || compare((part..total).step_by(threads as usize)))).collect();
        parts.into_iter().map(|part| part.join().expect("they agree")).collect()
    });
    let mut seen: BTreeMap<&str, [u64; 3]> = OPERATORS.iter().map(|name| (*name, [0; 3])).collect();
    let [mut allowed, mut forbidden, mut erred, mut three] = [0_u64; 4];
    for part in parts {
        allowed += part.allowed;
        forbidden += part.forbidden;
        erred += part.erred;
        three += part.three;
        for (name, counts) in part.seen {
            let all = seen.entry(name).or_default();
            (0..3).for_each(|at| all[at] += counts[at]);
        }
    }
    let share = |n: u64| n as f64 * 100.0 / total as f64;
    println!(
        "{total} cases: {:.1}% allowed, {:.1}% denied by a forbid, {:.1}% with errors, {:.1}% with 3 or more policies",
        share(allowed),
        share(forbidden),
        share(erred),
        share(three)
    );
    for (name, counts) in seen.iter().filter(|(_, counts)| counts.iter().any(|count| *count * 200 < total)) {
        println!("rare: `{name}` true {}, false {}, erring {}", counts[0], counts[1], counts[2]);
    }
    let least = seen.iter().min_by_key(|(_, counts)| counts.iter().min()).expect("operators");
    println!("{} operators; seen least: `{}` true {}, false {}, erring {}", seen.len(), least.0, least.1[0], least.1[1], least.1[2]);
    assert!(share(allowed) >= 20.0 && share(forbidden) >= 20.0 && share(erred) >= 10.0 && share(three) >= 50.0);
    if total >= 100_000 {
        for (name, counts) in &seen {
            assert!(counts.iter().all(|count| *count >= 500), "`{name}`: true, false, erring {counts:?}");
        }
    }
}

#[derive(Default)]
struct Counts {
    allowed: u64,
    forbidden: u64,
    erred: u64,
    three: u64,
    seen: BTreeMap<&'static str, [u64; 3]>,
}

fn compare(seeds: impl Iterator<Item = u64>) -> Counts {
    let mut counts = Counts::default();
    for seed in seeds {
        let case = case(seed);
        let (judged, decision) = (judge(&case), ask(&case));
        assert!(agrees(&judged, &decision), "seed {seed}: {judged:?} is not {decision:?}\n{}", case.text());
        counts.allowed += u64::from(judged.allow);
        counts.forbidden += u64::from(!judged.allow && !judged.reasons.is_empty());
        counts.erred += u64::from(!judged.errors.is_empty());
        counts.three += u64::from(case.policies.len() >= 3);
        count_operators(&case, &mut counts.seen);
    }
    counts
}

/// How the condition of each policy came out, asked of Cedar on the condition alone.
fn count_operators(case: &Case, seen: &mut BTreeMap<&'static str, [u64; 3]>) {
    for (text, operator) in case.policies.iter().zip(&case.operators) {
        let Some(at) = text.find(") when {").or_else(|| text.find(") unless {")) else { continue };
        let clause = &text[at + 1..];
        let alone = |effect: &str, clause: &str| Case {
            policies: vec![format!("{effect} (principal, action, resource){clause}")],
            operators: vec![operator],
            schema: None,
            links: serde_json::json!([]),
            entities: case.entities.clone(),
            request: case.request.clone(),
            context: case.context.clone(),
        };
        let answer = judge(&alone("permit", &clause.replacen("unless", "when", 1)));
        let slot = if !answer.errors.is_empty() { 2 } else { usize::from(!answer.allow) };
        seen.entry(operator).or_default()[slot] += 1;
    }
}

#[test]
fn a_fault_planted_in_an_operator_is_found() {
    let faults = [
        (" < ", " <= "),
        (" == ", " != "),
        ("&&", "||"),
        (" + ", " - "),
        (" in ", " == "),
        ("contains(", "containsAny("),
        ("like \"", "like \"*"),
        ("isIpv4", "isIpv6"),
        ("lessThan(", "greaterThan("),
        ("toHours", "toMinutes"),
        ("hasTag(\"color\")", "hasTag(\"no\")"),
    ];
    for (right, wrong) in faults {
        let found = (0..20_000_u64).any(|seed| {
            let case = case(seed);
            let text = case.text();
            // Only conditions: a scope's `in` stands before the first brace.
            if !case.policies.iter().any(|policy| policy.split_once('{').is_some_and(|(_, body)| body.contains(right))) {
                return false;
            }
            let planted: String = case
                .policies
                .iter()
                .map(|policy| policy.split_once('{').map_or_else(|| policy.clone(), |(scope, body)| format!("{scope}{{{}", body.replace(right, wrong))))
                .collect::<Vec<_>>()
                .join("\n");
            PolicySet::from_str(&planted).is_ok() && planted != text && !agrees(&judge(&case), &ask_text(&case, planted))
        });
        assert!(found, "`{right}` as `{wrong}` was not found");
    }
}

#[test]
fn adding_policies_only_narrows_and_order_changes_only_the_name() {
    for seed in 0..(cases() / 20).max(1_000) {
        let case = case(seed);
        let before = ask(&case);
        let add = |policy: &str| ask_text(&case, format!("{}\n{policy}", case.text()));
        assert!(!before.allowed || add("permit (principal, action, resource);").allowed, "seed {seed}: a permit removed an allow");
        let forbid = add("forbid (principal, action, resource) when { context has n };");
        assert!(before.allowed || !forbid.allowed, "seed {seed}: a forbid added an allow");
        for effect in ["permit", "forbid"] {
            let erring = add(&format!("{effect} (principal, action, resource) when {{ context.nothing }};"));
            // A permit more may move the place of `not_permitted`; it never makes a denial into a `policy_error`.
            let expected = before.allowed || before.code.as_ref() == "policy_error";
            assert_eq!((erring.allowed, erring.code.as_ref() == "policy_error"), (false, expected), "seed {seed}: {effect}");
        }
        if case.links.as_array().is_some_and(Vec::is_empty) {
            let mut shuffled = case.policies.clone();
            let mut random = Random::new(seed);
            for at in (1..shuffled.len()).rev() {
                shuffled.swap(at, random.below(at + 1));
            }
            shuffled.push(shuffled[random.below(shuffled.len())].clone());
            let after = ask_text(&case, shuffled.join("\n"));
            assert_eq!(after.allowed, before.allowed, "seed {seed}");
        }
    }
}
