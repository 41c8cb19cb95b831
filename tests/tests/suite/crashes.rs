//! Runs the model of `count.rs` on a process that dies inside transactions and sometimes cannot
//! write. Each interrupted command is retried with its key and counts once.

use serde_json::{Value, json};
use sublet_tests::{Driver, Random, Worker, folder, walk};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sublet-worker");
const START: &str = "2026-01-31T12:00:00Z";

/// The number of events of each kind so far.
#[derive(Debug, Default)]
struct Tally {
    /// Deaths before the commit, and deaths after it.
    lost: u32,
    committed: u32,
    /// Failed writes.
    failed: u32,
}

struct Crashing {
    store: String,
    worker: Worker,
    random: Random,
    /// One of this many commands goes wrong.
    odds: usize,
    crashes: usize,
    tally: Tally,
}

impl Crashing {
    fn new(options: &str, seed: u64) -> Self {
        let store = format!("sqlite:{}{options}", folder().join("sublet.db").display());
        let mut worker = Worker::start(PROGRAM, &store, Some(START)).expect("opens");
        worker.ask(
            &json!({ "do": "import", "lines": include_str!("../../../policies/tests/agency.jsonl") }),
        );
        Self {
            store,
            worker,
            random: Random::new(seed),
            odds: 25,
            crashes: 0,
            tally: Tally::default(),
        }
    }

    fn crash(&mut self, asked: &Value, now: &str) -> Result<Value, String> {
        self.crashes += 1;
        let at = ["begun", "worked", "committed"][self.crashes % 3];
        self.worker.ask(&json!({ "do": "crash", "at": at }));
        if let Some(answer) = self.worker.try_ask(asked) {
            // The command had nothing to commit, so the process lives.
            self.worker.ask(&json!({ "do": "crash", "at": "nowhere" }));
            return answer;
        }
        self.worker = Worker::start(PROGRAM, &self.store, Some(now)).expect("opens again");
        let answer = self.worker.try_ask(asked).expect("an answer");
        let counted = answer
            .as_ref()
            .ok()
            .map(|answer| answer.get("counted").unwrap_or(answer));
        let replayed = counted.is_some_and(|counted| counted["replayed"] == true);
        let done = counted.is_some_and(|counted| !counted["operation"].is_null());
        assert!(
            !done || replayed == (at == "committed"),
            "died when it had {at}: {asked} {answer:?}"
        );
        if at == "committed" {
            self.tally.committed += 1
        } else {
            self.tally.lost += 1
        }
        // The model gets this answer like any other.
        answer
    }

    fn fail(&mut self, asked: &Value) -> Result<Value, String> {
        // The limit allows nothing, or only a part of the writes of a transaction.
        let limit = [0, 4_096, 60_000][self.random.below(3)];
        assert_eq!(
            self.worker.ask(&json!({ "do": "files", "limit": limit })),
            json!(true)
        );
        let answer = self.worker.try_ask(asked).expect("it lives");
        assert_eq!(
            self.worker.ask(&json!({ "do": "files", "limit": null })),
            json!(true)
        );
        match answer {
            Err(code) if code == "store.full" || code == "store.io" => {
                self.tally.failed += 1;
                let again = self.worker.try_ask(asked).expect("it lives");
                if let Ok(answer) = &again {
                    let counted = answer.get("counted").unwrap_or(answer);
                    assert_ne!(
                        counted["replayed"],
                        json!(true),
                        "an error wrote something: {asked}"
                    );
                }
                again
            }
            other => other,
        }
    }
}

impl Driver for Crashing {
    fn ask(&mut self, asked: &Value, now: &str) -> Result<Value, String> {
        let verb = asked["do"].as_str().expect("a verb");
        let writes = !["clock", "usage", "verify", "put"].contains(&verb);
        match self.random.below(self.odds) {
            0 if writes => self.crash(asked, now),
            1 if writes => self.fail(asked),
            2 if verb == "usage" || verb == "put" => self.fail(asked),
            _ => self.worker.try_ask(asked).expect("an answer"),
        }
    }
}

fn simulate(options: &str, steps: u64) {
    for seed in 1..=3 {
        println!("seed {seed}, {steps} steps");
        let mut crashing = Crashing::new(options, seed);
        walk(&mut crashing, seed, steps, true);
        println!("`{options}`: {:?}", crashing.tally);
        let Tally {
            lost,
            committed,
            failed,
        } = crashing.tally;
        assert!(lost.min(committed).min(failed) > 0, "nothing went wrong");
    }
}

fn steps(share: u64) -> u64 {
    let steps: u64 = std::env::var("SUBLET_STEPS")
        .ok()
        .and_then(|steps| steps.parse().ok())
        .unwrap_or(100_000);
    (steps / share).max(1_000)
}

#[test]
fn crashes_and_failed_writes_match_model() {
    simulate("", steps(20));
}

/// Each commit is synced to the disk.
#[test]
fn synced_commits_match_model() {
    simulate("?durability=power", steps(80));
}
