//! Measures the memory of resident entities: `plain_memory sublet|cedar ENTITIES`. Each engine runs
//! in its own process.
#![allow(clippy::expect_used, reason = "an example")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use sublet::{CedarProgram, Engine, Options, PolicySource, Validation};

/// An allocator that counts the bytes in use.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn resident() -> f64 {
    HELD.load(Ordering::Relaxed) as f64
}

fn main() {
    let (mode, count) = (
        std::env::args().nth(1).expect("a mode"),
        std::env::args()
            .nth(2)
            .and_then(|text| text.parse().ok())
            .unwrap_or(100_000),
    );
    let entities: Vec<Value> = (0..count)
        .map(|at| {
            json!({"uid": {"type": "User", "id": format!("user-{at:08}")}, "parents": [{"type": "Group", "id": format!("g{}", at % 1_000)}],
                "attrs": {"level": at % 7, "blocked": false, "email": format!("user{at}@example.org"), "team": {"__entity": {"type": "Team", "id": format!("t{}", at % 5_000)}}}})
        })
        .collect();
    let text: String = Value::Array(entities).to_string().into_boxed_str().into();
    let mut before = resident();
    let from = std::time::Instant::now();
    let after = if mode == "cedar" {
        let entities = cedar_policy::Entities::from_json_str(&text, None).expect("entities");
        let after = resident();
        assert_eq!(entities.len(), count);
        after
    } else {
        before -= text.len() as f64;
        let program = CedarProgram {
            policies: "permit (principal, action, resource);".to_owned(),
            entities: Some(text),
            ..CedarProgram::default()
        };
        let engine = Engine::open(Options {
            policies: PolicySource::Cedar(program),
            validation: Validation::Off,
            ..Options::default()
        })
        .expect("an engine");
        let after = resident();
        assert!(engine.bundle().fallback.is_empty());
        after
    };
    println!(
        "{mode}: {:.0} bytes for each of {count} entities, {:.1} s",
        (after - before) / count as f64,
        from.elapsed().as_secs_f64()
    );
}
