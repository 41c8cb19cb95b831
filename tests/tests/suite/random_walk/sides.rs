//! Engines on one store: one in this process, and perhaps one in another, which is killed now and
//! then.

use std::time::Duration;

use serde_json::{Value, json};
use sublet::instant_text;
use sublet_tests::{EngineServer, Random, Worker};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sublet-worker");

/// One in this many requests with a key kills the second process. Its start compiles the bundle, and
/// takes as long as hundreds of steps.
const KILL: usize = 40;

/// A second process on the store.
struct OtherProcess {
    worker: Worker,
    store: String,
    /// Whether it is killed now and then.
    dies: bool,
}

/// The engines, with the instant and the price that all of them have.
pub(crate) struct Sides {
    here: EngineServer,
    there: Option<OtherProcess>,
    now: i64,
    cents: i64,
    /// The number of kills.
    pub(crate) kills: usize,
    /// Whether the last request was interrupted by a kill and sent again.
    pub(crate) was_killed: bool,
}

fn start(store: &str, now: i64, cents: i64) -> Worker {
    let (now, cents) = (instant_text(now).expect("an instant"), cents.to_string());
    Worker::start_with(PROGRAM, &[store, &now, &cents]).expect("opens")
}

impl Sides {
    /// Opens an engine in this process, and perhaps one in another.
    pub(crate) fn open(store: &str, now: i64, cents: i64, other: Option<bool>) -> Self {
        let instant = instant_text(now).expect("an instant");
        let price = u64::try_from(cents).expect("a price");
        let here = EngineServer::open_priced(store, Some(&instant), Some(price));
        Self {
            here: here.expect("opens"),
            there: other.map(|dies| OtherProcess {
                worker: start(store, now, cents),
                store: store.to_owned(),
                dies,
            }),
            now,
            cents,
            kills: 0,
            was_killed: false,
        }
    }

    /// Returns whether the second process is killed now and then.
    pub(crate) fn has_kills(&self) -> bool {
        self.there.as_ref().is_some_and(|there| there.dies)
    }

    /// Sends a request to the engine in this process.
    pub(crate) fn ask_here(&self, asked: &Value) -> Result<Value, String> {
        let answer = self.here.answer(asked);
        answer.map_err(|error| error.code().to_owned())
    }

    /// Sends a request to one of the engines.
    pub(crate) fn ask(&mut self, random: &mut Random, asked: &Value) -> Result<Value, String> {
        self.was_killed = false;
        if self.there.is_none() || random.once_in(2) {
            return self.ask_here(asked);
        }
        if self.has_kills() && asked["key"].is_string() && random.once_in(KILL) {
            return self.ask_killed(random, asked);
        }
        let there = self.there.as_mut().expect("another process");
        there.worker.try_ask(asked).expect("is there")
    }

    /// Sends a request with a key, and kills the process at some moment of it. The request is then
    /// sent again to the engine here.
    fn ask_killed(&mut self, random: &mut Random, asked: &Value) -> Result<Value, String> {
        let there = self.there.as_mut().expect("another process");
        match random.below(4) {
            0 => {
                there.worker.send(asked);
                let time = u64::try_from(random.below(3_000)).expect("small");
                std::thread::sleep(Duration::from_micros(time));
                there.worker.kill();
            }
            at => {
                let at = ["begun", "worked", "committed"][at - 1];
                there.worker.ask(&json!({ "do": "crash", "at": at }));
                if let Some(answer) = there.worker.try_ask(asked) {
                    // The request did not come that far.
                    there.worker.ask(&json!({ "do": "crash", "at": "never" }));
                    return answer;
                }
            }
        }
        there.worker = start(&there.store, self.now, self.cents);
        self.kills += 1;
        self.was_killed = true;
        self.ask_here(asked)
    }

    /// Sends a request to all engines. They must give one answer.
    pub(crate) fn agree(&mut self, asked: &Value) -> Value {
        self.try_agree(asked)
            .unwrap_or_else(|code| panic!("{asked}: {code}"))
    }

    /// Sends a request to all engines. They must give one answer or the code of one error.
    pub(crate) fn try_agree(&mut self, asked: &Value) -> Result<Value, String> {
        let here = self.ask_here(asked);
        if let Some(there) = &mut self.there {
            let answer = there.worker.try_ask(asked).expect("is there");
            assert_eq!(answer, here, "{asked}");
        }
        here
    }

    fn all(&mut self, asked: &Value) {
        self.here.answer(asked).expect("an answer");
        self.there
            .iter_mut()
            .for_each(|there| drop(there.worker.ask(asked)));
    }

    /// Advances the clocks.
    pub(crate) fn advance(&mut self, time: i64) {
        self.now += time;
        self.all(&json!({ "do": "clock", "advance": time }));
        if time > 3_600_000 {
            // The clock is accepted, because a pause of more than a day counts as a jump.
            let accepted = self.here.answer(&json!({ "walk": "accept" }));
            accepted.expect("accepted");
        }
    }

    /// Loads the bundle with another price into all engines.
    pub(crate) fn reload(&mut self, cents: i64) {
        self.cents = cents;
        self.all(&json!({ "walk": "reload", "cents": cents }));
    }
}
