//! Tests that keep rules over attributes of the host on the fast path, however many they are.

use std::fmt::Write as _;

use super::fast_path_tests::{
    ATTRIBUTES, agency, bundle_of, compiled, files, files_with, off_the_fast_path,
};
use crate::api::request::{Request, Resource};
use crate::authorize::tenant::atoms::RecordFact;
use crate::directory::{Change, RecordPatch};

/// Rules over attributes that the host defines. Each kind of test is in one of them.
const ATTRIBUTE_RULES: &str = r#"
@id("y1") @code("y1") forbid (principal, action, resource)
when { context.facts has account.attributes.trial && context.facts.account.attributes.trial };
@id("y2") @code("y2") forbid (principal, action, resource)
unless { context.facts has account.attributes.country && ["AT", "DE"].contains(context.facts.account.attributes.country) };
@id("y3") @code("y3") forbid (principal is TeamMember, action, resource)
when { principal.attributes has department && principal.attributes.department == "support" };
@id("y4") @code("y4") forbid (principal, action, resource)
when { context.facts has account.owner.attributes.country && context.facts.account.owner.attributes.country like "A*" };
@id("y5") @code("y5") forbid (principal, action, resource)
when { context.facts has domain.owner.attributes.transactional_reserve && context.facts.domain.owner.attributes.transactional_reserve >= 100 };
"#;

/// Each rule reads another attribute.
#[test]
fn many_attributes_stay_on_the_fast_path() {
    let (mut attributes, mut rules) = (ATTRIBUTES.to_owned(), String::new());
    for at in 0..60 {
        let _ = write!(attributes, " a{at}?: Bool,");
        let path = format!("account.attributes.a{at}");
        let _ = writeln!(
            rules,
            "@id(\"a{at}\") @code(\"a{at}\") forbid (principal, action in Action::\"write\", resource) when {{ context.facts has {path} && context.facts.{path} }};"
        );
    }
    let off = off_the_fast_path(&files_with(&rules, &attributes));
    assert!(off.is_empty(), "off the fast path:\n{off}");
}

#[test]
fn facts_of_attributes_are_stored() {
    let (loaded, programs, directory) = compiled(&files(ATTRIBUTE_RULES));
    programs.compile_sessions(bundle_of(&loaded), &directory);
    let kinds = programs.list.iter().flat_map(|action| &action.kinds);
    let nodes = kinds.flat_map(|kind| kind.plans.iter());
    let reads = nodes.flat_map(|node| node.plan.iter().flat_map(|plan| &plan.reads));
    let own = reads.filter(|read| matches!(read.fact, RecordFact::Own(_)));
    let (stored, read): (Vec<_>, Vec<_>) = own.partition(|read| read.stored.is_some());
    assert!(stored.len() > 1_000 && read.is_empty(), "{read:?}");
}

/// The words follow changes, imports and reloads.
#[test]
fn stored_facts_follow_their_records() {
    let engine = agency(ATTRIBUTE_RULES);
    let ask = || {
        let campaign = Resource::new("Campaign", "spring").account("acme");
        let request = Request::new(("TeamMember", "ann"), "campaign.edit", campaign);
        let request = request.host("dash.marketingmaster.example");
        let (check, answer) = (engine.check(&request), engine.authorize(&request));
        let answer = answer.expect("an answer");
        assert_eq!(check.expect("an answer"), answer.allowed);
        answer.code.to_string()
    };
    let put = |kind: &str, id: &str, attributes: serde_json::Value| {
        let change = serde_json::json!({ "type": kind, "id": id, "attributes": attributes });
        let patch = RecordPatch::from_value(change).expect("a change");
        let changed = engine.apply_changes(vec![Change::Merge(patch)], None);
        changed.expect("a change");
    };
    let account = |attributes| put("Account", "acme", attributes);
    assert_eq!(ask(), "y2");
    account(serde_json::json!({ "country": "DE" }));
    assert_eq!(ask(), "ok");
    put(
        "TeamMember",
        "ann",
        serde_json::json!({ "department": "support" }),
    );
    assert_eq!(ask(), "y3");
    let mut lines = Vec::new();
    engine.export(&mut lines).expect("the records");
    engine.import(&lines[..], None, None).expect("the same");
    assert_eq!(ask(), "y3");
    put(
        "TeamMember",
        "ann",
        serde_json::json!({ "department": "sales" }),
    );
    assert_eq!(ask(), "ok");
    // Other facts have other bits.
    let trial = r#"@id("z") @code("z") forbid (principal, action, resource)
        when { context.facts has account.attributes.trial && context.facts.account.attributes.trial };"#;
    engine.reload(&files(trial)).expect("the bundle");
    assert_eq!(ask(), "ok");
    account(serde_json::json!({ "trial": true }));
    assert_eq!(ask(), "z");
    engine.reload(&files(ATTRIBUTE_RULES)).expect("the bundle");
    assert_eq!(ask(), "y1");
    account(serde_json::json!({ "trial": null }));
    assert_eq!(ask(), "ok");
}
