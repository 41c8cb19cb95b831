//! A check allocates nothing, by name or by handle: of a plain program for known and unknown names,
//! of the shipped bundle for records of the directory. Neither does an `authorize` from the cache.

#![allow(
    clippy::expect_used,
    reason = "a test that cannot set itself up has failed"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use serde_json::json;
use sublet::{
    Action, CedarProgram, Engine, Options, PolicySource, Principal, RequestRef, ResourceType,
    Validation,
};

/// Counts the allocations of this thread.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn bare_check_allocates_nothing() {
    let schema = "entity User in [Group] { level: Long }; entity Group; entity Doc in [Folder] { owner: User }; entity Folder;\n\
                  action any; action read in [any] appliesTo { principal: User, resource: Doc };";
    let policies = "permit (principal in Group::\"g\", action in Action::\"any\", resource is Doc) when { resource.owner == principal };\n\
                    forbid (principal, action == Action::\"read\", resource in Folder::\"f\") when { principal.level < 3 };\n\
                    permit (principal == User::\"nobody\", action, resource);";
    let entities = json!([
        {"uid": {"type": "User", "id": "ann"}, "attrs": {"level": 3}, "parents": [{"type": "Group", "id": "g"}]},
        {"uid": {"type": "Doc", "id": "d"}, "attrs": {"owner": {"type": "User", "id": "ann"}}, "parents": [{"type": "Folder", "id": "f"}]},
    ]);
    let program = CedarProgram {
        policies: policies.to_owned(),
        schema: Some(schema.to_owned()),
        entities: Some(entities.to_string()),
        ..CedarProgram::default()
    };
    let engine = Engine::open(Options {
        policies: PolicySource::Cedar(program),
        validation: Validation::Errors,
        ..Options::default()
    })
    .expect("an engine");
    let (ann, read, doc) = (
        Principal::new("User", "ann"),
        Action::new("Action", "read"),
        ResourceType::new("Doc"),
    );
    for (question, allowed) in [
        (RequestRef::new(("User", "ann"), "read", ("Doc", "d")), true),
        (RequestRef::new(&ann, &read, (&doc, "d")), true),
        (
            RequestRef::new(("User", "nobody"), "read", ("Doc", "d")),
            false,
        ),
        (
            RequestRef::new(("User", "stranger"), "read", ("Doc", "another stranger")),
            false,
        ),
        (
            RequestRef::new(("User", "ann"), "read", (&doc, "a third")),
            false,
        ),
    ] {
        let mut counts = Vec::new();
        for _ in 0..3 {
            let before = COUNT.get();
            assert_eq!(engine.check(question), Ok(allowed), "{question:?}");
            counts.push(COUNT.get() - before);
        }
        // The first call of a thread allocates its scratch space.
        assert_eq!(counts.get(1..), Some([0, 0].as_slice()), "{question:?}");
    }
}

#[test]
fn tenancy_check_allocates_nothing() {
    let engine = Engine::open(Options::default()).expect("the shipped bundle");
    engine
        .import(
            include_bytes!("../../policies/tests/agency.jsonl").as_slice(),
            None,
            None,
        )
        .expect("the agency");
    let (dash, acme) = ("dash.marketingmaster.example", "app.acme.example");
    let (ann, read, campaign) = (
        Principal::new("TeamMember", "ann"),
        Action::new("Action", "campaign.read"),
        ResourceType::new("Campaign"),
    );
    let named = |kind, id, action, account| {
        RequestRef::new((kind, id), action, ("Campaign", "k")).account(account)
    };
    let by_handle = RequestRef::new(&ann, &read, (&campaign, "k")).account("acme");
    for (question, allowed) in [
        (by_handle.host(dash), true),
        (
            named("TeamMember", "ann", "campaign.read", "acme").host(dash),
            true,
        ),
        (
            named("Account", "bakery", "campaign.edit", "bakery").host(acme),
            true,
        ),
        (
            named("Account", "bakery", "campaign.edit", "bakery").host(dash),
            false,
        ),
        (
            named("Account", "bakery", "campaign.edit", "acme").host(acme),
            false,
        ),
    ] {
        let (mut checks, mut answers) = (Vec::new(), Vec::new());
        for _ in 0..4 {
            let before = COUNT.get();
            assert_eq!(engine.check(question), Ok(allowed), "{question:?}");
            checks.push(COUNT.get() - before);
            let before = COUNT.get();
            let decision = engine.authorize(question);
            answers.push(COUNT.get() - before);
            assert_eq!(
                decision.map(|decision| decision.allowed),
                Ok(allowed),
                "{question:?}"
            );
        }
        assert_eq!(checks.get(1..), Some([0; 3].as_slice()), "{question:?}");
        // The first answer is put into the cache.
        assert_eq!(answers.get(1..), Some([0; 3].as_slice()), "{question:?}");
    }
}
