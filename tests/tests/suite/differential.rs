//! Compares the engine with `cedar-policy` on random programs: decision, determining policies,
//! erring policies.

use std::collections::BTreeMap;
use std::str::FromStr;

use cedar_policy::PolicySet;
use sublet::Decision;
use sublet_tests::{
    Asker, Case, OPERATORS, Prepared, Random, agrees, case, compare, evaluate, prepare,
};

fn cases() -> u64 {
    std::env::var("SUBLET_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_000)
}

/// Returns the decision of the engine on a case that it accepts.
fn decide(asker: &mut Asker, case: &Case, policies: String) -> Decision {
    asker
        .ask(case, policies)
        .unwrap_or_else(|error| panic!("{error}: {case:?}"))
}

#[test]
fn random_programs_agree_with_cedar() {
    let total = cases();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let parts: Vec<Counts> = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|part| scope.spawn(move || compare_all((part..total).step_by(threads as usize))))
            .collect();
        parts
            .into_iter()
            .map(|part| part.join().expect("they agree"))
            .collect()
    });
    let mut seen: BTreeMap<&str, [u64; 3]> = OPERATORS.iter().map(|name| (*name, [0; 3])).collect();
    let [
        mut allowed,
        mut forbidden,
        mut erred,
        mut three,
        mut refused,
        mut policies,
        mut beyond,
    ] = [0_u64; 7];
    for part in parts {
        refused += part.refused;
        policies += part.policies.0;
        beyond += part.policies.1;
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
    let compiled = (policies - beyond) as f64 * 100.0 / policies as f64;
    println!(
        "{:.1}% refused by both; of {policies} policies, {compiled:.2}% ran compiled",
        share(refused)
    );
    assert!(compiled >= 99.0 && share(refused) < 15.0);
    for (name, counts) in seen
        .iter()
        .filter(|(_, counts)| counts.iter().any(|count| *count * 200 < total))
    {
        println!(
            "rare: `{name}` true {}, false {}, erring {}",
            counts[0], counts[1], counts[2]
        );
    }
    let least = seen
        .iter()
        .min_by_key(|(_, counts)| counts.iter().min())
        .expect("operators");
    println!(
        "{} operators; seen least: `{}` true {}, false {}, erring {}",
        seen.len(),
        least.0,
        least.1[0],
        least.1[1],
        least.1[2]
    );
    assert!(
        share(allowed) >= 20.0
            && share(forbidden) >= 20.0
            && share(erred) >= 10.0
            && share(three) >= 50.0
    );
    if total >= 100_000 {
        for (name, counts) in &seen {
            assert!(
                counts.iter().all(|count| *count >= 500),
                "`{name}`: true, false, erring {counts:?}"
            );
        }
    }
}

#[derive(Default)]
struct Counts {
    allowed: u64,
    forbidden: u64,
    erred: u64,
    three: u64,
    refused: u64,
    policies: (u64, u64),
    seen: BTreeMap<&'static str, [u64; 3]>,
}

fn compare_all(seeds: impl Iterator<Item = u64>) -> Counts {
    let (mut counts, mut asker) = (Counts::default(), Asker::default());
    for seed in seeds {
        let case = case(seed);
        let prepared = prepare(&case);
        let expected = compare(&case, prepared.as_ref(), &mut asker)
            .unwrap_or_else(|found| panic!("seed {seed}: {found}"));
        let (Some(prepared), Some(expected)) = (prepared, expected) else {
            counts.refused += 1;
            continue;
        };
        counts.allowed += u64::from(expected.allow);
        counts.forbidden += u64::from(!expected.allow && !expected.reasons.is_empty());
        counts.erred += u64::from(!expected.errors.is_empty());
        counts.three += u64::from(case.policies.len() >= 3);
        count_operators(&case, &prepared, &mut counts.seen);
    }
    counts.policies = asker.policies;
    counts
}

/// Counts the outcomes of the condition of each policy. Cedar evaluates each condition on its own.
fn count_operators(case: &Case, prepared: &Prepared, seen: &mut BTreeMap<&'static str, [u64; 3]>) {
    for (text, operator) in case.policies.iter().zip(&case.operators) {
        let Some(at) = text.find(") when {").or_else(|| text.find(") unless {")) else {
            continue;
        };
        let clause = &text[at + 1..];
        let alone = format!(
            "permit (principal, action, resource){}",
            clause.replacen("unless", "when", 1)
        );
        let answer = prepared
            .evaluate(&alone, &serde_json::json!([]))
            .expect("Cedar took it with others");
        let slot = if !answer.errors.is_empty() {
            2
        } else {
            usize::from(!answer.allow)
        };
        seen.entry(operator).or_default()[slot] += 1;
    }
}

#[test]
fn planted_operator_bug_is_found() {
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
        let mut asker = Asker::default();
        let found = (0..20_000_u64).any(|seed| {
            let case = case(seed);
            let Some(expected) = evaluate(&case) else {
                return false;
            };
            let text = case.text();
            // Only conditions are changed. The `in` of a scope stands before the first brace.
            if !case.policies.iter().any(|policy| {
                policy
                    .split_once('{')
                    .is_some_and(|(_, body)| body.contains(right))
            }) {
                return false;
            }
            let planted: String = case
                .policies
                .iter()
                .map(|policy| {
                    policy.split_once('{').map_or_else(
                        || policy.clone(),
                        |(scope, body)| format!("{scope}{{{}", body.replace(right, wrong)),
                    )
                })
                .collect::<Vec<_>>()
                .join("\n");
            PolicySet::from_str(&planted).is_ok()
                && planted != text
                && !agrees(&expected, &decide(&mut asker, &case, planted))
        });
        assert!(found, "`{right}` as `{wrong}` was not found");
    }
}

/// One more permit never removes an allow, and one more forbid never adds one. The order of
/// policies changes only the named policy.
#[test]
fn permits_only_add_forbids_only_remove() {
    let mut asker = Asker::default();
    for seed in 0..(cases() / 20).max(1_000) {
        let case = case(seed);
        let Ok(before) = asker.ask(&case, case.text()) else {
            continue;
        };
        let mut add =
            |policy: &str| decide(&mut asker, &case, format!("{}\n{policy}", case.text()));
        assert!(
            !before.allowed || add("permit (principal, action, resource);").allowed,
            "seed {seed}: a permit removed an allow"
        );
        let forbid = add("forbid (principal, action, resource) when { context has n };");
        assert!(
            before.allowed || !forbid.allowed,
            "seed {seed}: a forbid added an allow"
        );
        for effect in ["permit", "forbid"] {
            let erring = add(&format!(
                "{effect} (principal, action, resource) when {{ context.nothing }};"
            ));
            // One more permit may change the position of `not_permitted`, but never turns a denial
            // into a `policy_error`.
            let expected = before.allowed || before.code.as_ref() == "policy_error";
            assert_eq!(
                (erring.allowed, erring.code.as_ref() == "policy_error"),
                (false, expected),
                "seed {seed}: {effect}"
            );
        }
        if case.links.as_array().is_some_and(Vec::is_empty) {
            let mut shuffled = case.policies.clone();
            let mut random = Random::new(seed);
            for at in (1..shuffled.len()).rev() {
                shuffled.swap(at, random.below(at + 1));
            }
            shuffled.push(shuffled[random.below(shuffled.len())].clone());
            let after = decide(&mut asker, &case, shuffled.join("\n"));
            assert_eq!(after.allowed, before.allowed, "seed {seed}");
        }
    }
}
