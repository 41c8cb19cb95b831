//! Counting: what is taken is what was allowed, once, and never past the limit: the same on each store.

use serde_json::{Value, json};
use sublet::{Change, Clock, Decision, Engine, Limit, ManualClock, Options, Question, Record, Take};
use sublet_tests::{Driver, Served, walk};

/// An engine of the sample agency over this store.
fn open_at(store: String) -> (Engine, ManualClock) {
    let clock = ManualClock::new("2026-01-31T12:00:00Z").expect("an instant");
    let engine = Engine::open(Options { store, clock: Clock::Manual(clock.clone()), ..Options::default() }).expect("the shipped bundle");
    let agency = include_str!("../../policies/tests/agency.jsonl");
    engine.import(agency.as_bytes(), None).expect("the sample agency");
    (engine, clock)
}

fn put(engine: &Engine, json: &str) {
    engine.change(vec![Change::Put(Record::from_json(json).expect("a record"))], None).expect("a change");
}

fn acme() -> Question<'static> {
    Question::new(("Account", "acme"), "campaign.send", ("Campaign", "k")).account("acme").host("dash.marketingmaster.example")
}

fn ann() -> Question<'static> {
    Question { principal: ("TeamMember", "ann").into(), ..acme() }
}

fn limited(engine: &Engine, limit: i64) {
    put(engine, &format!(r#"{{"type":"Account","id":"acme","email":"owner@acme.example","package":"agency","confirmed":true,"limits":{{"emails":{limit}}}}}"#));
}

fn used(decision: &Decision) -> (i64, i64) {
    let quota = &decision.counted.as_ref().expect("counted").quota[0];
    (quota.used, quota.held)
}

/// An engine of the sample agency in this process.
struct InProcess(Served);

impl InProcess {
    fn new(store: &str) -> Self {
        let served = Served::open(store, Some("2026-01-31T12:00:00Z")).expect("opens");
        served.answer(&json!({ "do": "import", "lines": include_str!("../../policies/tests/agency.jsonl") })).expect("imported");
        Self(served)
    }
}

impl Driver for InProcess {
    fn ask(&mut self, asked: &Value, _: &str) -> Result<Value, String> {
        self.0.answer(asked).map_err(|error| error.code().to_owned())
    }
}

mod memory {
    use super::*;

    fn store() -> String {
        "memory:".to_owned()
    }

    fn open() -> (Engine, ManualClock) {
        open_at(store())
    }

    include!("count/suite.rs");
}

mod sqlite {
    use super::*;

    fn store() -> String {
        format!("sqlite:{}", sublet_tests::folder().join("counts.db").display())
    }

    fn open() -> (Engine, ManualClock) {
        open_at(store())
    }

    include!("count/suite.rs");
}
