//! Plain Cedar programs that the random ones do not cover: conditions beyond the compiler, parents
//! of a resource in the request, many policies.

#![allow(
    clippy::expect_used,
    reason = "a test that cannot set itself up has failed"
)]

use std::sync::Arc;

use serde_json::json;
use sublet::{
    CedarProgram, Engine, EntityRef, Options, PolicySource, Request, Resource, Validation,
};

fn engine(program: CedarProgram) -> Engine {
    Engine::open(Options {
        policies: PolicySource::Cedar(program),
        validation: Validation::Off,
        ..Options::default()
    })
    .expect("an engine")
}

fn read_request(context: serde_json::Value) -> Request {
    let mut request = Request::new(("U", "a"), "read", ("R", "r"));
    request.environment.context = context.as_object().expect("an object").clone();
    request
}

/// A policy that is too large for the compiler is interpreted by Cedar and named in the bundle.
#[test]
fn oversized_policy_falls_back_to_cedar() {
    let large = format!("[{}context.one]", "principal,".repeat(65_540));
    let policies = format!(
        "permit (principal, action, resource) when {{ {large}.contains(context.of) }};\n\
         permit (principal, action, resource) when {{ context.small }};\n\
         forbid (principal, action, resource) when {{ context.not || principal.closed }};\n\
         permit (principal == U::\"b\", action, resource) when {{ {large}.contains(context.of) }};"
    );
    let entities =
        json!([{"uid": {"type": "U", "id": "a"}, "attrs": {"closed": false}, "parents": []}])
            .to_string();
    let engine = engine(CedarProgram {
        policies,
        entities: Some(entities),
        ..CedarProgram::default()
    });
    let bundle = engine.bundle();
    let named: Vec<&str> = bundle
        .fallback
        .iter()
        .map(|policy| policy.policy.as_ref())
        .collect();
    assert_eq!(named, ["policy0", "policy3"]);
    assert!(
        bundle
            .fallback
            .iter()
            .all(|policy| policy.why.contains("too large")),
        "{:?}",
        bundle.fallback
    );
    let u = |id: &str| json!({"__entity": {"type": "U", "id": id}});
    for (context, allowed, code, policies, errors) in [
        (
            json!({"one": 1, "of": u("a"), "small": true, "not": false}),
            true,
            "ok",
            vec!["policy0", "policy1"],
            vec![],
        ),
        (
            json!({"one": 1, "of": u("b"), "small": true, "not": false}),
            true,
            "ok",
            vec!["policy1"],
            vec![],
        ),
        (
            json!({"one": 1, "of": u("b"), "small": false, "not": false}),
            false,
            "not_permitted",
            vec![],
            vec![],
        ),
        (
            json!({"one": 1, "of": u("a"), "small": false, "not": true}),
            false,
            "forbidden",
            vec!["policy2"],
            vec![],
        ),
        (
            json!({"one": 1, "small": true, "not": false}),
            false,
            "policy_error",
            vec!["policy1"],
            vec!["policy0"],
        ),
        (
            json!({"one": 1, "of": u("a"), "not": false}),
            false,
            "policy_error",
            vec!["policy0"],
            vec!["policy1"],
        ),
    ] {
        let request = read_request(context.clone());
        let decision = engine.authorize(&request).expect("an answer");
        assert_eq!(
            (decision.allowed, decision.code.as_ref()),
            (allowed, code),
            "{context}"
        );
        assert_eq!(
            decision
                .policies
                .iter()
                .map(AsRef::as_ref)
                .collect::<Vec<_>>(),
            policies,
            "{context}"
        );
        assert_eq!(
            decision
                .errors
                .iter()
                .map(|error| error.policy.as_ref())
                .collect::<Vec<_>>(),
            errors,
            "{context}"
        );
        assert!(
            decision
                .errors
                .iter()
                .all(|error| error.message.contains("does not have the attribute")),
            "{decision:?}"
        );
        assert_eq!(engine.check(&request), Ok(allowed), "{context}");
    }
}

/// Entities below a resource are below the parents that the request gives for it, and not below
/// the stored ones.
#[test]
fn request_parents_replace_stored_parents() {
    let policies = "permit (principal in G::\"new\", action, resource);\nforbid (principal in G::\"old\", action, resource);".to_owned();
    let entities = json!([
        {"uid": {"type": "U", "id": "a"}, "attrs": {}, "parents": [{"type": "R", "id": "r"}]},
        {"uid": {"type": "R", "id": "r"}, "attrs": {}, "parents": [{"type": "G", "id": "old"}]},
        {"uid": {"type": "G", "id": "g"}, "attrs": {}, "parents": [{"type": "G", "id": "new"}]},
    ]);
    let engine = engine(CedarProgram {
        policies,
        entities: Some(entities.to_string()),
        ..CedarProgram::default()
    });
    let mut request = read_request(json!({}));
    assert_eq!(
        engine.authorize(&request).expect("an answer").policies,
        Arc::from(["policy1".into()])
    );
    request.resource = Resource {
        parents: vec![EntityRef::new("G", "g")],
        ..Resource::new("R", "r")
    };
    assert!(engine.check(&request).expect("an answer"));
    request.resource.parents = vec![EntityRef::new("U", "a")];
    let error = engine.check(&request).expect_err("above itself");
    assert!(
        error.code() == "input.resource" && error.to_string().ends_with("its parents are below it"),
        "{error}"
    );
}

#[test]
fn policies_of_other_scopes_are_not_run() {
    let own =
        "permit (principal == U::\"a\", action == Action::\"read\", resource) when { context.ok };";
    let others = (0..2_000).map(|other| match other % 4 {
        0 => format!("permit (principal == U::\"u{other}\", action, resource) when {{ context.no }};"),
        1 => format!("forbid (principal, action == Action::\"a{other}\", resource) when {{ context.no }};"),
        2 => format!("permit (principal is T{other}, action, resource) when {{ context.no }};"),
        _ => format!("forbid (principal in G::\"g{other}\", action, resource in R::\"r{other}\") when {{ context.no }};"),
    });
    let policies = others
        .chain([own.to_owned()])
        .collect::<Vec<_>>()
        .join("\n");
    let engine = engine(CedarProgram {
        policies,
        ..CedarProgram::default()
    });
    let decision = engine
        .authorize(&read_request(json!({"ok": true})))
        .expect("an answer");
    assert_eq!(
        (&*decision.policies, &*decision.errors),
        (&["policy2000".into()][..], &[][..])
    );
}
