//! A random walk over all methods that change the directory or the bill, beside a model that shares
//! no code with the engine. A command or request is allowed exactly if the model entitles it, and
//! the stored records must equal those of the model. It runs in memory, and on a file that two
//! processes share. `SUBLET_WALK` is the number of steps.

mod authorization;
mod bill;
mod commands;
mod entitlement;
mod persistence;
mod world;

use serde_json::{Value, json};
use sublet_tests::{EngineServer, Random, Worker, folder};

use self::world::World;

const PROGRAM: &str = env!("CARGO_BIN_EXE_sublet-worker");
const BEGIN: &str = "2026-01-15T12:00:00Z";
/// Number of steps between two full comparisons.
const LOOK: usize = 500;

fn size(usual: usize) -> usize {
    std::env::var("SUBLET_WALK")
        .ok()
        .and_then(|size| size.parse().ok())
        .unwrap_or(usual)
}

/// Engines on one store: one in this process, and perhaps one in another.
pub(crate) struct Sides {
    here: EngineServer,
    there: Option<Worker>,
}

impl Sides {
    /// Sends a request to one of the engines.
    pub(crate) fn ask(&mut self, random: &mut Random, asked: &Value) -> Result<Value, String> {
        match &mut self.there {
            Some(there) if random.once_in(2) => there.try_ask(asked).expect("is there"),
            _ => self
                .here
                .answer(asked)
                .map_err(|error| error.code().to_owned()),
        }
    }

    /// Sends a request to all engines. They must give one answer.
    pub(crate) fn agree(&mut self, asked: &Value) -> Value {
        let here = self.here.answer(asked).expect("an answer");
        if let Some(there) = &mut self.there {
            assert_eq!(there.ask(asked), here, "{asked}");
        }
        here
    }

    fn all(&mut self, asked: &Value) {
        self.here.answer(asked).expect("an answer");
        self.there
            .iter_mut()
            .for_each(|there| drop(there.ask(asked)));
    }
}

fn walk(seed: u64, mut sides: Sides) {
    let (mut random, mut world) = (Random::new(seed), World::new(BEGIN));
    sides
        .here
        .answer(&json!({ "do": "import", "lines": world.lines() }))
        .expect("imported");
    let steps = size(3_000);
    for step in 0..steps {
        match random.below(20) {
            0 => {
                let time = 1 + random.below(80_000_000);
                world.advance(i64::try_from(time).expect("small"));
                sides.all(&json!({ "do": "clock", "advance": time }));
                // The clock is accepted, because a pause of more than a day counts as a jump.
                sides
                    .here
                    .answer(&json!({ "walk": "accept" }))
                    .expect("accepted");
            }
            1 | 2 => bill::step(&mut world, &mut random, &mut sides),
            3..=8 => authorization::step(&world, &mut random, &mut sides),
            _ => commands::step(&mut world, &mut random, &mut sides),
        }
        if step % LOOK == LOOK - 1 || step + 1 == steps {
            persistence::check_records(&world, &mut sides);
        }
    }
    world.check_coverage(steps);
    println!(
        "seed {seed}: {steps} steps, {} accounts, {} obeyed, {} refused, {} settled",
        world.accounts.len(),
        world.executed(),
        world.refused,
        world.settled.len()
    );
}

#[test]
fn walk_in_memory_agrees_with_model() {
    for seed in 1..=2 {
        walk(
            seed,
            Sides {
                here: EngineServer::open("memory:", Some(BEGIN)).expect("opens"),
                there: None,
            },
        );
    }
}

#[test]
fn walk_of_two_processes_agrees_with_model() {
    let store = format!("sqlite:{}", folder().join("sublet.db").display());
    let here = EngineServer::open(&store, Some(BEGIN)).expect("opens");
    walk(
        3,
        Sides {
            here,
            there: Some(Worker::start(PROGRAM, &store, Some(BEGIN)).expect("opens")),
        },
    );
}
