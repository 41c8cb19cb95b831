//! A bundle that would let something pass in silence is refused or warned about, with the name, the
//! place and what to write instead.

use serde_json::json;
use sublet::{Diagnostic, Engine, Error, Options, PolicySource, Request, Resource, Validation};

use crate::code_words::policy_warnings;

const HOST: &str = "dash.marketingmaster.example";

/// An action with fields of the context, and one without.
const SCHEMA: &str = r#"
action "campaign.remind" in [consume] appliesTo {
  principal: [Account, TeamMember],
  resource: [Campaign],
  context: { facts: Facts, now?: datetime, second_factor?: Bool },
};
"#;

/// Returns the shipped bundle with these files added or replaced.
fn open_engine(files: &[(&str, &str)], validation: Validation) -> Result<Engine, Error> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../policies");
    let mut all = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the folder").flatten() {
        if entry.path().is_file() {
            let name = entry.file_name().to_string_lossy().into_owned();
            all.insert(name, std::fs::read_to_string(entry.path()).expect("a text"));
        }
    }
    let added = [("more.cedarschema", SCHEMA)];
    for (name, text) in added.iter().chain(files) {
        all.insert((*name).to_owned(), (*text).to_owned());
    }
    Engine::open(Options {
        policies: PolicySource::Files(all.into_iter().collect()),
        validation,
        ..Options::default()
    })
}

fn faults(files: &[(&str, &str)]) -> Vec<Diagnostic> {
    match open_engine(files, Validation::Strict) {
        Ok(_) => Vec::new(),
        Err(error) => error.faults().to_vec(),
    }
}

/// Returns the code, the message, the help and the marked text of the only fault.
fn only_fault(files: &[(&str, &str)]) -> (&'static str, String, String, String) {
    let found = faults(files);
    let [fault] = &found[..] else {
        panic!("{files:?}: {found:#?}")
    };
    (
        fault.code,
        fault.message.clone(),
        fault.help.clone().unwrap_or_default(),
        marked(fault),
    )
}

/// Returns the text that a fault marks.
fn marked(fault: &Diagnostic) -> String {
    let place = fault.place.as_ref().expect("a place");
    let after = place.text.chars().skip(place.indent as usize);
    after.take(place.width as usize).collect()
}

fn forbid(scope: &str, clauses: &str) -> String {
    format!("@id(\"x\") @code(\"x\")\nforbid (principal, {scope}, resource)\n{clauses};\n")
}

const REMIND: &str = "action == Action::\"campaign.remind\"";
const BOTH: &str = "action in [Action::\"campaign.remind\", Action::\"campaign.send\"]";

#[test]
fn unknown_annotation_is_refused() {
    let action = "action \"x.fly\" in [read] appliesTo { principal: [Account], resource: [Account], context: Plain };";
    let schema = |text: &str| only_fault(&[("z.cedarschema", text)]);
    let (code, message, help, mark) = schema(&format!("@features(\"sms\")\n{action}"));
    assert_eq!((code, mark.as_str()), ("bundle.annotation", "@features"));
    assert!(
        message.contains("action `x.fly` has `@features`"),
        "{message}"
    );
    assert_eq!(help, "did you mean `@feature`?");
    let (_, message, _, mark) = schema("@feature(\"sms\") action on_sms;");
    assert!(message.contains("group of actions"), "{message}");
    assert_eq!(mark, "@feature");
    let (_, message, ..) = schema("@requires(\"a\") entity Rocket = { a?: Long };");
    assert!(message.contains("`Rocket`"), "{message}");
    assert_eq!(
        faults(&[(
            "z.cedarschema",
            &format!("@doc(\"d\") @x_team(\"t\") @feature(\"sms\")\n{action}")
        )]),
        []
    );

    let policy = forbid(REMIND, "when { resource.account.closed }");
    let text = policy.replace("@code", "@advise(\"a\") @code");
    let (code, message, help, mark) = only_fault(&[("78-x.cedar", &text)]);
    assert_eq!((code, mark.as_str()), ("bundle.annotation", "@advise"));
    assert!(message.starts_with("policy `x` has `@advise`"), "{message}");
    assert_eq!(help, "did you mean `@advice`?");
    let text = policy.replace("@code", "@doc(\"d\") @x_ticket(\"7\") @code");
    assert_eq!(faults(&[("78-x.cedar", &text)]), []);
}

#[test]
fn permit_has_no_code() {
    let text = forbid(REMIND, "").replace("forbid", "permit");
    let (code, message, _, mark) = only_fault(&[("78-x.cedar", &text)]);
    assert_eq!((code, mark.as_str()), ("bundle.permit_code", "@code"));
    assert!(message.starts_with("permit `x` has `@code`"), "{message}");
    let advice = text.replace("@code", "@advice");
    assert_eq!(faults(&[("78-x.cedar", &advice)]), []);
}

#[test]
fn undeclared_name_after_has_is_refused() {
    for (policy, owner, help, mark) in [
        (
            forbid(REMIND, "unless { context has second_facter }"),
            "`second_facter` is no field of the context of `campaign.remind`",
            "did you mean `second_factor`?",
            "has second_facter",
        ),
        (
            forbid(
                BOTH,
                "when { resource.account.closed || context has second_facter }",
            ),
            "`second_facter` is no field of the context of `campaign.remind` or of 1 more",
            "did you mean `second_factor`?",
            "has second_facter",
        ),
        (
            forbid(
                REMIND,
                "when { context.facts has account.attributes.tryal && context.facts.account.attributes.tryal }",
            ),
            "`tryal` is no attribute of `AccountAttributes`",
            "did you mean `trial`?",
            "has account.attributes.tryal",
        ),
        (
            forbid(
                REMIND,
                "when { context.facts has account && !(context.facts.account.attributes has tryal) }",
            ),
            "`tryal` is no attribute of `AccountAttributes`",
            "did you mean `trial`?",
            "has tryal",
        ),
        (
            forbid(REMIND, "unless { resource has createdby }"),
            "`createdby` is no attribute of `Campaign`",
            "did you mean `created_by`?",
            "has createdby",
        ),
        (
            forbid("action", "unless { resource has acount }"),
            "`acount` is no attribute of",
            "did you mean `account`?",
            "has acount",
        ),
        (
            forbid(
                "action",
                "unless { principal is TeamMember && principal has owner }",
            ),
            "`owner` is no attribute of `TeamMember`",
            "",
            "has owner",
        ),
        (
            forbid(REMIND, "unless { resource.hasTag(\"vip\") }"),
            "the schema declares no tags of `Campaign`",
            "",
            "hasTag",
        ),
    ] {
        let (code, message, found, marks) = only_fault(&[("78-x.cedar", &policy)]);
        assert_eq!(code, "bundle.unknown_attribute", "{policy}");
        let rest = message.strip_prefix("policy `x`: ").unwrap_or_default();
        assert!(rest.starts_with(owner), "{message}");
        assert!(found.starts_with(help), "{policy}: {found}");
        assert_eq!(marks, mark, "{policy}");
    }
    // Without strict validation they are warnings.
    let text = forbid(REMIND, "unless { context has second_facter }");
    let engine = open_engine(&[("78-x.cedar", &text)], Validation::Errors);
    let warnings = policy_warnings(&engine.unwrap_or_else(|error| panic!("{error}")));
    let codes: Vec<&str> = warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(codes, ["bundle.unknown_attribute"]);
}

#[test]
fn declared_name_after_has_is_accepted() {
    for policy in [
        // Some of the types have the name.
        forbid("action", "unless { resource has owner }"),
        forbid("action", "unless { principal has grants }"),
        forbid(
            "action",
            "when { principal is TeamMember && principal has grants && principal.grants.isEmpty() }",
        ),
        // The policy is about many types, and a type elsewhere has the name.
        forbid(
            "action in Action::\"consume\"",
            "unless { resource has desk }",
        ),
        forbid(
            REMIND,
            "unless { resource has created_by.account.owner.package.features }",
        ),
        forbid(
            REMIND,
            "unless { {\"a\": 1} has b || Campaign::\"k\" has rocket }",
        ),
    ] {
        assert_eq!(faults(&[("78-x.cedar", &policy)]), [], "{policy}");
    }
}

#[test]
fn field_of_a_part_of_the_actions_warns() {
    let warned = |policy: &str| -> Vec<(&'static str, String, String)> {
        let engine = open_engine(&[("78-x.cedar", policy)], Validation::Strict);
        let warnings = policy_warnings(&engine.unwrap_or_else(|error| panic!("{error}")));
        warnings
            .into_iter()
            .map(|found| (found.code, found.message.clone(), marked(&found)))
            .collect()
    };
    let rule = "unless { context has now && context.now < datetime(\"2026-01-31\") }";
    assert_eq!(
        warned(&forbid(BOTH, rule)),
        [(
            "bundle.absent_field",
            "`context.now` is absent from `campaign.send`, to which policy `x` applies".to_owned(),
            "has now".to_owned()
        )]
    );
    assert_eq!(warned(&forbid(REMIND, rule)), []);
    let narrowed = format!("when {{ {REMIND} }} {rule}");
    assert_eq!(warned(&forbid(BOTH, &narrowed)), []);
    let warns = forbid(BOTH, rule).replace("@code", "@warns");
    assert_eq!(warned(&warns), []);
}

#[test]
fn one_mistake_is_one_fault() {
    let typo = REMIND.replace("remind", "remnid");
    let clause = "when { context.facts has account.attributes.tryal }";
    let (code, message, help, mark) = only_fault(&[("78-x.cedar", &forbid(&typo, clause))]);
    assert_eq!(code, "bundle.validation");
    assert_eq!(message, "for policy `x`, no action `campaign.remnid`");
    assert_eq!(help, "did you mean `campaign.remind`?");
    assert_eq!(mark, "Action::\"campaign.remnid\"");

    let text = "@id(\"x\") @code(\"x\")\nforbid (principal is Operator, action == Action::\"campaign.remind\", resource)\nwhen { resource.account.closed };";
    let (code, _, help, mark) = only_fault(&[("78-x.cedar", text)]);
    assert_eq!((code, mark.as_str()), ("bundle.warning", "forbid"));
    assert!(help.contains("`appliesTo`"), "{help}");
}

#[test]
fn impossible_clause_is_marked() {
    let clauses = "when { context.facts has account }\nwhen { context.facts.account.closed && resource is Form }";
    let (code, _, help, mark) = only_fault(&[("78-x.cedar", &forbid(REMIND, clauses))]);
    assert_eq!(code, "bundle.warning");
    assert_eq!(
        mark,
        "when { context.facts.account.closed && resource is Form }"
    );
    assert!(help.contains("this clause"), "{help}");
}

#[test]
fn help_has_the_path_of_the_author() {
    for (clause, help) in [
        (
            "when { context.facts has account && context.facts.account.attributes.trial }",
            "test it first: `context.facts.account.attributes has trial && ...`",
        ),
        (
            "when { context.second_factor }",
            "test it first: `context has second_factor && ...`",
        ),
    ] {
        let (code, _, found, _) = only_fault(&[("78-x.cedar", &forbid(REMIND, clause))]);
        assert_eq!((code, found.as_str()), ("bundle.validation", help));
    }
}

#[test]
fn twins_name_both_places() {
    let text =
        forbid(REMIND, "when { resource.account.closed }").replace("\"x\"", "\"quota-exceeded\"");
    let text = text.replace("@code(\"quota-exceeded\")", "@code(\"x\")");
    let found = faults(&[("78-x.cedar", &text)]);
    let [fault] = &found[..] else {
        panic!("{found:#?}")
    };
    assert_eq!(fault.code, "bundle.duplicate_id");
    assert!(
        fault.message.ends_with("78-x.cedar, line 1"),
        "{}",
        fault.message
    );
    let place = fault.place.as_ref().expect("a place");
    assert_eq!(place.file, "90-limits.cedar");
    assert_eq!(marked(fault), "@id");
}

#[test]
fn catalog_fault_names_its_owner() {
    let catalog = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../policies/catalog.json"
    ))
    .expect("the catalog");
    let level = "\"levels\": [{\"id\": \"intern\", \"features\": [\"report\"]},";
    let text = catalog.replacen("\"levels\": [", level, 1);
    let (code, message, help, mark) = only_fault(&[("catalog.json", &text)]);
    assert_eq!((code, mark.as_str()), ("bundle.unknown_name", "\"report\""));
    assert_eq!(
        message,
        "access level `intern` names feature `report`, which the schema does not list"
    );
    assert_eq!(help, "did you mean `reports`?");

    let text = catalog.replacen("\"sms\":", "\"smss\":", 1);
    let found = faults(&[("catalog.json", &text)]);
    let missing = found
        .iter()
        .find(|fault| fault.message.contains("no words"));
    let missing = missing.unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!(marked(missing), "\"features\"");
    assert_eq!(
        missing.help.as_deref(),
        Some("add `\"sms\": \"...\"` to `features` in `catalog.json`")
    );
}

#[test]
fn schema_faults_have_place_and_help() {
    let (code, message, help, mark) =
        only_fault(&[("z.cedarschema", "entity Rocket = { launched?: Date };")]);
    assert_eq!((code, mark.as_str()), ("bundle.schema", "Date"));
    assert_eq!(message, "no such type: `Date`");
    assert_eq!(help, "for dates write `datetime`");
    let (code, message, _, mark) = only_fault(&[(
        "z.cedarschema",
        "action \"x.fly\" in [on_client] appliesTo { principal: [Account], resource: [Account], context: Plain };",
    )]);
    assert_eq!((code, mark.as_str()), ("bundle.kind", "\"x.fly\""));
    assert_eq!(
        message,
        "action `x.fly` names no kind; name one of login, read, write, consume, public, unsubscribe, billing, ticket, exit"
    );
}

#[test]
fn misspelled_feature_of_an_action() {
    let text = "@feature(\"smss\") action \"x.fly\" in [read] appliesTo { principal: [Account], resource: [Account], context: Plain };";
    let (code, _, help, mark) = only_fault(&[("z.cedarschema", text)]);
    assert_eq!((code, mark.as_str()), ("bundle.unknown_name", "\"x.fly\""));
    assert_eq!(help, "did you mean `sms`?");
}

#[test]
fn wrong_value_names_field_and_form() {
    let engine = open_engine(&[], Validation::Strict).unwrap_or_else(|error| panic!("{error}"));
    engine
        .import(
            include_bytes!("../../../policies/tests/agency.jsonl").as_slice(),
            None,
            None,
        )
        .expect("the agency");
    let ask = |now: serde_json::Value| {
        let resource = Resource::new("Campaign", "k").account("acme");
        let request = Request::new(("Account", "acme"), "campaign.remind", resource).host(HOST);
        engine.authorize(&request.context("now", now))
    };
    for now in [json!(1_764_000_000), json!("31.1.2026")] {
        let error = ask(now).expect_err("an error");
        assert_eq!(error.code(), "input.context");
        assert_eq!(
            error.to_string(),
            "context of `campaign.remind` does not fit the schema: field `now`: a `datetime` is text such as \"2026-01-31T06:00:00Z\""
        );
    }
    assert!(ask(json!("2026-01-31T06:00:00Z")).is_ok());

    let account = r#"{"type":"Account","id":"new","email":"new@x.example","package":"agency","attributes":{"tryal":true}}"#;
    let error = engine
        .import(account.as_bytes(), None, None)
        .expect_err("an error");
    assert_eq!(error.code(), "directory.attributes");
    assert_eq!(
        error.to_string(),
        "account `new`: attribute `tryal` is not declared in `AccountAttributes`; did you mean `trial`?"
    );
}
