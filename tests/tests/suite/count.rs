//! Quotas on each store: a debit is what was allowed, happens once, and never exceeds the limit.

use serde_json::{Value, json};
use sublet::{
    Change, ConsumeOptions, Decision, Engine, Limit, ManualClock, Options, Record, RequestRef,
};
use sublet_tests::{Driver, EngineServer, agency_at, shipped_files, walk};

fn put_record(engine: &Engine, json: &str) {
    engine
        .apply_changes(
            vec![Change::Put(Record::from_json(json).expect("a record"))],
            None,
        )
        .expect("a change");
}

fn acme() -> RequestRef<'static> {
    RequestRef::new(("Account", "acme"), "campaign.send", ("Campaign", "k"))
        .account("acme")
        .host("dash.marketingmaster.example")
}

fn ann() -> RequestRef<'static> {
    RequestRef {
        principal: ("TeamMember", "ann").into(),
        ..acme()
    }
}

fn set_limit(engine: &Engine, limit: i64) {
    put_record(
        engine,
        &format!(
            r#"{{"type":"Account","id":"acme","email":"owner@acme.example","package":"agency","confirmed":true,"limits":{{"emails":{limit}}}}}"#
        ),
    );
}

fn used(decision: &Decision) -> (i64, i64) {
    let quota = &decision.counted.as_ref().expect("counted").quota[0];
    (quota.used, quota.held)
}

/// An engine of the sample agency in this process.
struct InProcess(EngineServer);

impl InProcess {
    fn new(store: &str) -> Self {
        let served = EngineServer::open(store, Some("2026-01-31T12:00:00Z")).expect("opens");
        served.answer(&json!({ "do": "import", "lines": include_str!("../../../policies/tests/agency.jsonl") })).expect("imported");
        Self(served)
    }
}

impl Driver for InProcess {
    fn ask(&mut self, asked: &Value, _: &str) -> Result<Value, String> {
        self.0
            .answer(asked)
            .map_err(|error| error.code().to_owned())
    }
}

mod memory {
    use super::*;

    fn store() -> String {
        "memory:".to_owned()
    }

    fn open() -> (Engine, ManualClock) {
        agency_at(store())
    }

    include!("count/suite.rs");
}

mod sqlite {
    use super::*;

    fn store() -> String {
        format!(
            "sqlite:{}",
            sublet_tests::folder().join("counts.db").display()
        )
    }

    fn open() -> (Engine, ManualClock) {
        agency_at(store())
    }

    include!("count/suite.rs");
}

/// Policies that an author may add. The code or advice `x` of each must appear in some answer.
const ADDED: [&str; 6] = [
    r#"@id("x") @code("x") forbid (principal is TeamMember, action, resource) when { context.facts has quota && context.facts.quota has member && context.facts.quota.member.used * 2 + context.facts.quota.amount * 2 > 12 };"#,
    r#"@id("x") @code("x") forbid (principal, action == Action::"campaign.send", resource) when { !(context.facts has quota) };"#,
    r#"@id("x") @code("x") forbid (principal, action == Action::"campaign.send", resource) unless { context.facts has quota && context.facts.quota.amount < 7 };"#,
    r#"@id("x") @code("x") forbid (principal, action == Action::"campaign.send", resource) when { context.facts has amount && context.facts.amount == 5 };"#,
    r#"@id("x") @warns("x") forbid (principal, action == Action::"campaign.send", resource) when { context.facts has quota && context.facts.quota.account.used > 2 };"#,
    r#"@id("x") @code("x") forbid (principal == Account::"acme", action, resource) when { context.facts has quota && context.facts.quota.amount > 8 };"#,
];

#[test]
fn two_meters_are_debited_together() {
    for store in [
        "memory:".to_owned(),
        format!("sqlite:{}", sublet_tests::folder().join("two.db").display()),
    ] {
        let two = |text: &str| {
            text.replacen(
                "@meter(\"emails\")\naction \"campaign.send\"",
                "@meter(\"emails,texts\")\naction \"campaign.send\"",
                1,
            )
        };
        let files: Vec<_> = shipped_files()
            .into_iter()
            .map(|(name, text)| (name, two(&text)))
            .collect();
        assert_ne!(files, shipped_files());
        let engine = Engine::open(Options {
            policies: sublet::PolicySource::Files(files),
            store,
            ..Options::default()
        })
        .unwrap_or_else(|error| panic!("{error}"));
        engine
            .import(
                include_str!("../../../policies/tests/agency.jsonl").as_bytes(),
                None,
                None,
            )
            .expect("the sample agency");
        put_record(
            &engine,
            r#"{"type":"Account","id":"acme","email":"owner@acme.example","package":"agency","confirmed":true,"limits":{"emails":10,"texts":5}}"#,
        );
        put_record(
            &engine,
            r#"{"type":"TeamMember","id":"ann","account":"acme","email":"ann@acme.example","confirmed":true,"grants":["campaigns"],"sub_limits":{"texts":3}}"#,
        );
        let counts = |member| {
            engine
                .usage("acme", member, None)
                .expect("usage")
                .into_iter()
                .filter(|quota| quota.used > 0 && matches!(&*quota.meter, "emails" | "texts"))
                .map(|quota| (quota.meter.to_string(), quota.used))
        };
        // The second meter is full, or the member's part of it. So the first one is not debited.
        for (question, code) in [(acme(), "quota_exceeded"), (ann(), "member_quota_exceeded")] {
            let decision = engine
                .consume(
                    question,
                    &ConsumeOptions::new(1)
                        .meter("texts", if code == "quota_exceeded" { 6 } else { 4 }),
                )
                .expect("an answer");
            assert_eq!(
                (
                    &*decision.code,
                    decision.counted.as_ref().and_then(|one| one.operation)
                ),
                (code, None)
            );
        }
        assert_eq!(counts(None).count(), 0);
        let decision = engine
            .consume(
                ann(),
                &ConsumeOptions::new(1).meter("emails", 4).meter("texts", 2),
            )
            .expect("an answer");
        assert_eq!(decision.counted.map(|counted| counted.quota.len()), Some(2));
        assert_eq!(
            counts(None).collect::<Vec<_>>(),
            [("emails".to_owned(), 4), ("texts".to_owned(), 2)]
        );
        // A partial consume grants the rest of both meters.
        let rest = engine
            .consume(acme(), &ConsumeOptions::new(5).allow_partial())
            .expect("an answer");
        assert_eq!(
            rest.counted.map(|counted| counted
                .quota
                .iter()
                .map(|quota| quota.amount)
                .collect::<Vec<_>>()),
            Some(vec![3, 3])
        );
        let unknown = engine.consume(acme(), &ConsumeOptions::new(0).meter("contacts", 1));
        assert_eq!(
            unknown
                .map_err(|error| error.code())
                .map(|decision| decision.code.clone()),
            Err("quota.unknown_meter")
        );
        assert!(engine.verify().expect("verified").faults.is_empty());
    }
}

#[test]
fn limit_policies_agree_with_cedar() {
    let shipped = shipped_files();
    for added in std::iter::once("").chain(ADDED) {
        let files = shipped
            .iter()
            .cloned()
            .chain(
                Some(("95-added.cedar".to_owned(), added.to_owned())).filter(|_| !added.is_empty()),
            )
            .collect();
        let options = Options {
            policies: sublet::PolicySource::Files(files),
            ..Options::default()
        };
        let engine = Engine::open(options).unwrap_or_else(|error| panic!("{error}"));
        engine
            .import(
                include_str!("../../../policies/tests/agency.jsonl").as_bytes(),
                None,
                None,
            )
            .expect("the sample agency");
        set_limit(&engine, 10);
        let effects: std::collections::HashMap<_, _> = engine
            .bundle()
            .policies
            .into_iter()
            .map(|policy| (policy.id, policy.effect))
            .collect();
        let mut applied_once = added.is_empty();
        // Each request is sent twice, because the second answer may be cached.
        for (taken, amount) in [0, 3, 3, 2, 2]
            .into_iter()
            .flat_map(|taken| (0..12).chain(0..12).map(move |amount| (taken, amount)))
        {
            if amount == 0 && taken > 0 {
                let _ = engine
                    .consume(acme(), &ConsumeOptions::new(1))
                    .expect("an answer");
            }
            for question in [acme(), ann()] {
                let mut request = question.to_owned_request().expect("a request");
                request.environment.amount = Some(amount);
                let (decision, explained) = (
                    engine.authorize(&request).expect("an answer"),
                    engine.explain(&request).expect("an explanation"),
                );
                let taking = engine
                    .consume(question, &ConsumeOptions::new(0))
                    .expect("an answer");
                assert_eq!(taking.counted.map(|counted| counted.operation), Some(None));
                let of = |effect: &str| -> Vec<String> {
                    let applied = explained.policies.iter().filter(|policy| {
                        policy.outcome == sublet::PolicyStatus::Applied
                            && effects[&policy.policy] == effect
                    });
                    applied.map(|policy| policy.policy.to_string()).collect()
                };
                applied_once |= explained.policies.iter().any(|policy| {
                    &*policy.policy == "x" && policy.outcome == sublet::PolicyStatus::Applied
                });
                let (mut expected, mut found) = (
                    of("forbid"),
                    decision
                        .policies
                        .iter()
                        .map(ToString::to_string)
                        .collect::<Vec<_>>(),
                );
                assert_eq!(
                    decision.allowed,
                    expected.is_empty() && !of("permit").is_empty(),
                    "{added} {amount} {decision:?}"
                );
                if expected.is_empty() {
                    expected = of("permit");
                }
                expected.sort();
                found.sort();
                assert_eq!(expected, found, "{added} {amount}");
                assert_eq!(decision, explained.decision, "{added} {amount}");
            }
        }
        assert!(
            applied_once || added.contains("!(context.facts has quota)"),
            "{added} never applied"
        );
    }
}
