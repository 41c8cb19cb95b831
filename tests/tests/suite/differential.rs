//! Compares the engine with `cedar-policy` on random programs: decision, determining policies,
//! erring policies.

use std::str::FromStr;

use cedar_policy::PolicySet;
use sublet::Decision;
use sublet_tests::{
    Asker, Case, OPERATORS, Outcome, OutcomeTable, Prepared, Random, agrees, case, compare,
    evaluate, prepare, seed,
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
    let (total, begin) = (cases(), std::time::Instant::now());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let mut sum = Counts::default();
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|part| scope.spawn(move || compare_all((part..total).step_by(threads as usize))))
            .collect();
        for part in parts {
            sum.add(part.join().expect("they agree"));
        }
    });
    let share = |n: u64| n as f64 * 100.0 / total as f64;
    println!(
        "{total} cases: {:.1}% allowed, {:.1}% denied by a forbid, {:.1}% with errors, {:.1}% with 3 or more policies",
        share(sum.allowed),
        share(sum.forbidden),
        share(sum.erred),
        share(sum.three)
    );
    let (policies, beyond) = sum.policies;
    let compiled = (policies - beyond) as f64 * 100.0 / policies as f64;
    println!(
        "{:.1}% refused by both; of {policies} policies, {compiled:.2}% ran compiled; {:.0} s",
        share(sum.refused),
        begin.elapsed().as_secs_f64()
    );
    sum.seen.print("operator", OPERATORS);
    assert!(compiled >= 99.0 && share(sum.refused) < 15.0);
    assert!(
        share(sum.allowed) >= 20.0
            && share(sum.forbidden) >= 20.0
            && share(sum.erred) >= 10.0
            && share(sum.three) >= 50.0
    );
    let least = (total / 1_000).min(500);
    let rare = sum.seen.rare(OPERATORS.iter().copied(), least, &[]);
    assert!(rare.is_empty(), "fewer than {least} times: {rare:?}");
}

#[derive(Default)]
struct Counts {
    allowed: u64,
    forbidden: u64,
    erred: u64,
    three: u64,
    refused: u64,
    /// The number of policies, and the number of those that Cedar interprets.
    policies: (u64, u64),
    seen: OutcomeTable,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.allowed += other.allowed;
        self.forbidden += other.forbidden;
        self.erred += other.erred;
        self.three += other.three;
        self.refused += other.refused;
        self.policies.0 += other.policies.0;
        self.policies.1 += other.policies.1;
        self.seen.add(other.seen);
    }
}

fn compare_all(numbers: impl Iterator<Item = u64>) -> Counts {
    let (mut counts, mut asker) = (Counts::default(), Asker::default());
    let first = seed().wrapping_mul(1_000_000_007);
    let every = cases().div_ceil(200_000);
    for case_number in numbers {
        let seed = first.wrapping_add(case_number);
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
        // Some 200,000 cases give enough outcomes.
        if case_number.is_multiple_of(every) {
            count_operators(&case, &prepared, &mut counts.seen);
        }
    }
    counts.policies = asker.policies;
    counts
}

/// Counts the outcomes of the condition of each policy. Cedar evaluates each condition on its own.
fn count_operators(case: &Case, prepared: &Prepared, seen: &mut OutcomeTable) {
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
        let outcome = if !answer.errors.is_empty() {
            Outcome::Erring
        } else if answer.allow {
            Outcome::True
        } else {
            Outcome::False
        };
        seen.count(operator, outcome);
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
