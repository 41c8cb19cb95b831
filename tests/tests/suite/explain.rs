//! Explanations of the shipped bundle, and `permitted_actions` with fields of the context.

use std::path::{Path, PathBuf};

use sublet::{Engine, Environment, Request};
use sublet_tests::{agency_engine, shipped_files};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the files of the shipped bundle. Those of `more` are added or replace some.
fn bundle(more: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut files = shipped_files();
    files.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
    let more = more.iter();
    files.extend(more.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
    files
}

/// Returns an engine with the shipped bundle, further files, and the sample agency.
fn open(more: &[(&str, &str)]) -> Engine {
    agency_engine(bundle(more))
}

fn request(text: &str) -> Request {
    Request::from_json(text).expect("a request")
}

const SCHEMA: &str = r#"
@feature("campaigns")
action "campaign.remind" in [consume] appliesTo {
  principal: [Account, TeamMember],
  resource: [Campaign],
  context: { facts: Facts, now?: datetime },
};
@feature("campaigns")
action "campaign.rate" in [write] appliesTo {
  principal: [Account, TeamMember],
  resource: [Campaign],
  context: { facts: Facts, stars: Long },
};
"#;
const POLICY: &str = r#"// Refuses reminders at night,
// because recipients sleep.
@id("remind-at-night")
@code("night_quiet")
@advice("send_after_0600_utc")
forbid (principal, action == Action::"campaign.remind", resource)
unless { context has now && context.now.toTime() >= duration("6h") };
"#;
const REMIND: &str = r#"{"principal": ["Account", "acme"], "action": "campaign.remind", "resource": {"type": "Campaign", "id": "k", "account": "acme"}, "host": "dash.marketingmaster.example", "context": {"now": "2026-01-31T03:00:00Z"}}"#;

#[test]
fn denial_names_policy_facts_and_change() {
    let engine = open(&[("65-own.cedarschema", SCHEMA), ("65-own.cedar", POLICY)]);
    let explanation = engine.explain(&request(REMIND)).expect("an explanation");
    let because = explanation.because.as_ref().expect("a policy");
    assert_eq!(&*because.policy, "remind-at-night");
    let comment = "Refuses reminders at night, because recipients sleep.";
    assert_eq!(because.comment.as_deref(), Some(comment));
    assert_eq!(&*explanation.words, comment);
    assert_eq!(because.place, Some(("65-own.cedar".into(), 3)));
    let paths: Vec<&str> = because
        .facts
        .iter()
        .map(|fact| fact.path.as_str())
        .collect();
    assert_eq!(paths, ["context.now"]);
    assert!(
        because.conditions.len() == 1 && because.conditions[0].starts_with("unless "),
        "{because:?}"
    );
    assert_eq!(
        because.changes,
        [r#"`context.now.toTime()` is at least duration("6h")"#]
    );
    assert!(explanation.also.is_empty() && explanation.nearest.is_empty());
    let text = explanation.to_string();
    assert!(
        text.starts_with(
            "denied: night_quiet\nbecause of `remind-at-night` (65-own.cedar:3): Refuses"
        ),
        "{text}"
    );
    assert!(
        text.contains("\nadvice:\n  send_after_0600_utc\n"),
        "{text}"
    );
    assert!(explanation.verbose().lines().count() > 100);
}

#[test]
fn catalog_gives_words_to_codes() {
    let catalog = std::fs::read_to_string(root().join("policies/catalog.json")).expect("a file");
    let with = |code: &str| {
        let words = format!("\"codes\": {{\"{code}\": \"Nothing at night.\",");
        catalog.replacen("\"codes\": {", &words, 1)
    };
    let known = with("night_quiet");
    let engine = open(&[
        ("65-own.cedarschema", SCHEMA),
        ("65-own.cedar", POLICY),
        ("catalog.json", &known),
    ]);
    let explanation = engine.explain(&request(REMIND)).expect("an explanation");
    assert_eq!(&*explanation.words, "Nothing at night.");
    let text = explanation.to_string();
    assert!(
        text.starts_with("denied: night_quiet\n  Nothing at night.\nbecause of"),
        "{text}"
    );
    let unknown = with("night_loud");
    let warnings = open(&[("catalog.json", &unknown)]).bundle().warnings;
    let unused = warnings
        .iter()
        .find(|warning| warning.code == "bundle.unused_words")
        .expect("a warning");
    assert!(unused.message.contains("night_loud"), "{unused:?}");
    assert!(unused.place.is_some(), "{unused:?}");
}

#[test]
fn missing_permit_is_named() {
    let engine = open(&[]);
    let ann = r#"{"type": "TeamMember", "id": "ann", "account": "acme", "email": "ann@acme.example", "confirmed": true, "grants": ["billing"]}"#;
    let ann = sublet::Record::from_json(ann).expect("a record");
    let granted = engine.apply_changes(vec![sublet::Change::Put(ann)], None);
    granted.expect("a grant");
    let explanation = engine
        .explain(&request(
            r#"{"principal": ["TeamMember", "ann"], "action": "billing.change_package", "resource": ["Account", "acme"], "host": "dash.marketingmaster.example"}"#,
        ))
        .expect("an explanation");
    assert_eq!(&*explanation.decision.code, "not_permitted");
    assert_eq!(&*explanation.words, "No rule allows this to this login.");
    assert_eq!(
        explanation.detail.as_deref(),
        Some("no policy permits `billing.change_package` to a TeamMember on an Account")
    );
    let nearest: Vec<(&str, &str)> = explanation
        .nearest
        .iter()
        .map(|permit| (&*permit.policy, permit.condition.as_str()))
        .collect();
    assert!(
        nearest.contains(&("allow-account-self", "principal is Account")),
        "{nearest:?}"
    );
    // A permit for these types, with a part that does not hold.
    let explanation = engine
        .explain(&request(
            r#"{"principal": ["Account", "acme"], "action": "ticket.to_owner", "resource": ["Account", "acme"], "host": "dash.marketingmaster.example"}"#,
        ))
        .expect("an explanation");
    let nearest = &explanation.nearest[0];
    assert_eq!(
        (&*nearest.policy, nearest.failed, nearest.condition.as_str()),
        (
            "allow-ticket-to-owner",
            1,
            "context.facts has account.owner"
        )
    );
    assert_eq!(
        nearest.changes,
        ["`context.facts.account.owner` is present"]
    );
}

#[test]
fn actions_get_the_fields_they_declare() {
    let engine = open(&[("65-own.cedarschema", SCHEMA), ("65-own.cedar", POLICY)]);
    let request = request(REMIND);
    let actions = |context: serde_json::Value| {
        let environment = Environment {
            context: context.as_object().cloned().expect("an object"),
            ..request.environment.clone()
        };
        engine.permitted_actions(&request.principal, &request.resource, &environment)
    };
    let has = |context: serde_json::Value| {
        let found = actions(context).expect("actions");
        ["campaign.read", "campaign.remind", "campaign.rate"]
            .map(|name| found.iter().any(|action| **action == *name))
    };
    let day = "2026-01-31T08:00:00Z";
    assert_eq!(has(serde_json::json!({})), [true, false, false]);
    assert_eq!(has(serde_json::json!({"now": day})), [true, true, false]);
    let both = serde_json::json!({"now": day, "stars": 5});
    assert_eq!(has(both), [true, true, true]);
    for wrong in [
        serde_json::json!({"rocket": 1}),
        serde_json::json!({"now": 1}),
        serde_json::json!({"facts": {}}),
    ] {
        let error = actions(wrong.clone()).expect_err("an error");
        assert_eq!(error.code(), "input.context", "{wrong}");
    }
}
