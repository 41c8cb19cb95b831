//! Measures a bare check of a plain Cedar program: `plain_speed POLICIES REPEATS`.
#![allow(clippy::expect_used, reason = "an example")]

use std::fmt::Write as _;
use std::time::Instant;

use sublet::{
    Action, CedarProgram, Engine, Options, PolicySource, Principal, RequestRef, ResourceType,
    Validation,
};

fn main() {
    let number = |at: usize, default: usize| {
        std::env::args()
            .nth(at)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let (policies, repeats, mode) = (
        number(1, 20),
        number(2, 200_000),
        std::env::args().nth(3).unwrap_or_default(),
    );
    let mut text = String::new();
    for own in 0..10 {
        let _ = writeln!(
            text,
            "permit (principal is User, action == Action::\"read\", resource is Doc) when {{ principal.level > {own} && resource.owner == principal }};"
        );
        let _ = writeln!(
            text,
            "forbid (principal, action in Action::\"any\", resource is Doc) when {{ resource.size > {} || principal.blocked }};",
            100 + own
        );
    }
    for other in 20..policies {
        let _ = match other % 5 {
            0 => writeln!(
                text,
                "permit (principal is User, action == Action::\"a{other}\", resource) when {{ principal.level > 1 }};"
            ),
            1 => writeln!(
                text,
                "permit (principal is T{other}, action, resource) when {{ principal.level > 1 }};"
            ),
            2 => writeln!(
                text,
                "permit (principal, action, resource == Doc::\"x{other}\") when {{ principal.level > 1 }};"
            ),
            3 => writeln!(
                text,
                "forbid (principal in Group::\"g{other}\", action == Action::\"read\", resource is Doc) when {{ principal.level > 1 }};"
            ),
            _ => writeln!(
                text,
                "permit (principal in Group::\"g{other}\", action, resource in Folder::\"f{other}\") when {{ principal.level > 1 }};"
            ),
        };
    }
    let mut entities = Vec::new();
    for user in 0..1_000 {
        entities.push(serde_json::json!({"uid": {"type": "User", "id": format!("u{user}")}, "attrs": {"level": 5, "blocked": false}, "parents": [{"type": "Group", "id": format!("h{}", user % 10)}, {"type": "Group", "id": "all"}]}));
        entities.push(serde_json::json!({"uid": {"type": "Doc", "id": format!("d{user}")}, "attrs": {"size": 5, "owner": {"__entity": {"type": "User", "id": format!("u{user}")}}}, "parents": [{"type": "Folder", "id": format!("h{}", user % 10)}]}));
    }
    entities.push(serde_json::json!({"uid": {"type": "Action", "id": "read"}, "attrs": {}, "parents": [{"type": "Action", "id": "any"}]}));
    let program = CedarProgram {
        policies: text,
        entities: Some(serde_json::Value::Array(entities).to_string()),
        ..CedarProgram::default()
    };
    let engine = Engine::open(Options {
        policies: PolicySource::Cedar(program),
        validation: Validation::Off,
        ..Options::default()
    })
    .expect("an engine");
    let names: Vec<(String, String)> = (0..1_000)
        .map(|user| (format!("u{user}"), format!("d{user}")))
        .collect();
    let handles: Vec<Principal> = names
        .iter()
        .map(|(user, _)| Principal::new("User", user.clone()))
        .collect();
    let (read, doc) = (Action::new("Action", "read"), ResourceType::new("Doc"));
    let ask = |at: usize| {
        let (user, id) = &names[at % 1_000];
        let question = if mode == "handles" {
            RequestRef::new(&handles[at % 1_000], &read, (&doc, id.as_str()))
        } else {
            RequestRef::new(("User", user.as_str()), "read", ("Doc", id.as_str()))
        };
        engine.check(question).expect("an answer")
    };
    let mut best = f64::MAX;
    for _ in 0..7 {
        let from = Instant::now();
        let allowed = (0..repeats).filter(|at| ask(*at)).count();
        best = best.min(from.elapsed().as_secs_f64() * 1e9 / repeats as f64);
        assert_eq!(allowed, repeats);
    }
    println!("{policies} policies {mode}: {best:.0} ns");
}
