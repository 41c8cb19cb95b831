//! Several processes on one file act as one system: exact counts, one directory, fair progress.

use serde_json::{Value, json};
use sublet_tests::{Random, Worker, folder};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sublet-worker");

fn size(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|size| size.parse().ok())
        .unwrap_or(usual)
}

fn store(options: &str) -> String {
    format!("sqlite:{}{options}", folder().join("sublet.db").display())
}

fn start(store: &str) -> Worker {
    Worker::start(PROGRAM, store, None).expect("opens")
}

fn several(store: &str, count: usize) -> Vec<Worker> {
    (0..count).map(|_| start(store)).collect()
}

/// Sends a command to all processes, and waits for all answers.
fn all(workers: &mut [Worker], asked: &Value) -> Vec<Value> {
    workers.iter_mut().for_each(|worker| worker.send(asked));
    workers
        .iter_mut()
        .map(|worker| worker.read().expect("is there").expect("an answer"))
        .collect()
}

fn used(worker: &mut Worker) -> i64 {
    worker.ask(&json!({ "do": "usage", "meter": "emails" }))["quota"][0][2]
        .as_i64()
        .expect("a number")
}

fn faults(worker: &mut Worker) -> Value {
    worker.ask(&json!({ "do": "verify" }))["faults"].clone()
}

#[test]
fn eight_processes_get_exactly_the_limit() {
    let store = store("");
    let mut first = start(&store);
    first.agency(3_000);
    let mut workers = several(&store, 8);
    let granted: i64 = all(&mut workers, &json!({ "do": "loop", "count": 600 }))
        .iter()
        .map(|granted| granted.as_i64().expect("a number"))
        .sum();
    assert_eq!(
        (granted, used(&mut first), faults(&mut first)),
        (3_000, 3_000, json!([]))
    );
    // A raised limit applies to the next call of each process.
    first.limit("acme", 3_100);
    let more: i64 = all(&mut workers, &json!({ "do": "loop", "count": 20 }))
        .iter()
        .map(|granted| granted.as_i64().expect("a number"))
        .sum();
    assert_eq!((more, used(&mut first)), (100, 3_100));
}

/// Reservations, commits and releases of several processes keep the sum exact while the limit
/// changes.
#[test]
fn concurrent_follow_ups_keep_the_sum() {
    let store = store("");
    let mut first = start(&store);
    first.agency(2_000);
    let mut workers = several(&store, 4);
    let (mut random, mut held, mut net) = (Random::new(7), Vec::new(), 0_i64);
    for step in 0..size("SUBLET_STEPS", 100_000) / 100 {
        let amount = i64::try_from(random.below(9)).expect("small");
        if step % 50 == 0 {
            first.limit(
                "acme",
                1_000 + i64::try_from(random.below(1_000)).expect("small"),
            );
        }
        // The calls run at the same time. Their answers must explain the sum, whatever their order
        // was.
        let reserving = json!({ "do": "reserve", "amount": amount, "ttl": 3_600_000 });
        let settling = held
            .pop()
            .map_or(json!({ "do": "revision" }), |operation: Value| {
                if random.below(2) == 0 {
                    json!({ "do": "release", "operation": operation })
                } else {
                    json!({ "do": "commit", "operation": operation, "amount": 0 })
                }
            });
        let asked = [
            json!({ "do": "consume", "amount": amount }),
            reserving,
            settling,
            json!({ "do": "consume", "amount": 1, "allow_partial": true }),
        ];
        workers
            .iter_mut()
            .zip(&asked)
            .for_each(|(worker, asked)| worker.send(asked));
        let answers: Vec<Value> = workers
            .iter_mut()
            .map(|worker| worker.read().expect("is there").expect("an answer"))
            .collect();
        let operation = |answer: &Value| answer["counted"]["operation"].clone();
        if !operation(&answers[1]).is_null() {
            held.push(operation(&answers[1]));
        }
        for (at, taken) in [(0, amount), (3, 1)] {
            if operation(&answers[at]).is_null() {
                continue;
            }
            net += taken;
            if random.below(3) == 0 {
                workers[at].ask(&json!({ "do": "refund", "operation": operation(&answers[at]) }));
                net -= taken;
            }
        }
    }
    assert_eq!((used(&mut first), faults(&mut first)), (net, json!([])));
}

#[test]
fn change_is_seen_by_the_next_check() {
    let store = store("");
    let mut writer = start(&store);
    writer.agency(10);
    let mut others = several(&store, 7);
    for round in 0..size("SUBLET_ROUNDS", 500) {
        let confirmed = round % 2 == 1;
        let record = json!({ "type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", "confirmed": confirmed, "limits": {} });
        writer.ask(&json!({ "do": "put", "record": record }));
        assert_eq!(
            all(&mut others, &json!({ "do": "check" })),
            vec![json!(confirmed); 7],
            "round {round}"
        );
    }
}

/// The writer dies after its commit, before it announces the change.
#[test]
fn change_of_a_dead_writer_is_seen() {
    let store = store("");
    start(&store).agency(10);
    let mut others = several(&store, 3);
    for round in 0..10 {
        let confirmed = round % 2 == 1;
        let mut writer = start(&store);
        writer.ask(&json!({ "do": "crash", "at": "committed" }));
        let record = json!({ "type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", "confirmed": confirmed, "limits": {} });
        assert_eq!(
            writer.try_ask(&json!({ "do": "put", "record": record })),
            None
        );
        assert_eq!(
            all(&mut others, &json!({ "do": "check" })),
            vec![json!(confirmed); 3],
            "round {round}"
        );
    }
}

/// Returns the usage of a meter of acme.
fn used_of(worker: &mut Worker, meter: &str) -> Value {
    worker.ask(&json!({ "do": "usage", "meter": meter }))["quota"][0][2].clone()
}

/// Eight processes create clients at the same time.
#[test]
fn client_creation_stops_at_the_limit() {
    let store = store("");
    let mut first = start(&store);
    first.agency(10);
    // There are three clients, so seventeen more are allowed.
    let record = json!({ "type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", "confirmed": true,
        "limits": { "client_accounts": 20 }, "attributes": { "refuse_excess_clients": true } });
    first.ask(&json!({ "do": "put", "record": record }));
    let mut workers = several(&store, 8);
    for (at, worker) in workers.iter_mut().enumerate() {
        worker.send(&json!({ "do": "create_clients", "prefix": format!("w{at}"), "count": 6 }));
    }
    let granted: i64 = workers
        .iter_mut()
        .map(|worker| {
            worker
                .read()
                .expect("is there")
                .expect("an answer")
                .as_i64()
                .expect("a number")
        })
        .sum();
    assert_eq!(
        (
            granted,
            used_of(&mut first, "client_accounts"),
            faults(&mut first)
        ),
        (17, json!(20), json!([]))
    );
}

/// The command of a dead process is done completely or not at all. A retry by its key does it once.
#[test]
fn crashed_command_is_atomic_and_done_once() {
    let store = store("");
    let mut first = start(&store);
    first.agency(10);
    for (round, at) in ["begun", "worked", "committed"]
        .into_iter()
        .cycle()
        .take(30)
        .enumerate()
    {
        let before = first
            .ask(&json!({ "do": "revision" }))
            .as_u64()
            .expect("a number");
        let command = json!({ "do": "create_client", "id": format!("c{round}"), "email": format!("o@c{round}.example") });
        let asked = json!({ "do": "perform", "command": command, "key": format!("k{round}") });
        let mut dying = start(&store);
        dying.ask(&json!({ "do": "crash", "at": at }));
        assert_eq!(dying.try_ask(&asked), None, "{at}");
        let done = u64::from(at == "committed");
        assert_eq!(
            first.ask(&json!({ "do": "revision" })),
            json!(before + done),
            "{at}"
        );
        let answer = first.ask(&asked);
        assert_eq!(
            (&answer["code"], &answer["counted"]["replayed"]),
            (&json!("ok"), &json!(at == "committed"))
        );
        assert_eq!(
            first.ask(&json!({ "do": "revision" })),
            json!(before + 1),
            "{at}"
        );
        assert_eq!(
            used_of(&mut first, "client_accounts"),
            json!(4 + round),
            "{at}"
        );
    }
    assert_eq!(faults(&mut first), json!([]));
}

/// Creates a store with an owner of 13 clients on a package of 10, after the end of January.
/// Returns it with a process on it.
fn owing() -> (String, Worker) {
    let store = store("");
    let mut first = Worker::start(PROGRAM, &store, Some("2026-01-31T12:00:00Z")).expect("opens");
    first.agency(10);
    first.ask(&json!({ "do": "create_clients", "prefix": "more", "count": 10 }));
    first.ask(&json!({ "do": "clock", "advance": 43_200_000 }));
    (store, first)
}

fn dying(store: &str, at: &str) -> Worker {
    let mut dying = Worker::start(PROGRAM, store, Some("2026-02-01T00:00:00Z")).expect("opens");
    dying.ask(&json!({ "do": "crash", "at": at }));
    dying
}

fn is_verified(statement: &Value) -> bool {
    sublet::verify_draw(&sublet::Statement::from_value(statement.clone()).expect("a statement"))
}

/// A settlement of a dead process is done completely or not at all, and a retry gives the same
/// result.
#[test]
fn crashed_settlement_is_atomic_and_resumes() {
    let settle = json!({ "do": "settle", "period": "2026-01" });
    for at in ["begun", "worked", "committed"] {
        let (store, mut first) = owing();
        let before = first
            .ask(&json!({ "do": "revision" }))
            .as_u64()
            .expect("a number");
        assert_eq!(dying(&store, at).try_ask(&settle), None, "{at}");
        let left = first.ask(&json!({ "do": "statement", "period": "2026-01" }));
        let done = at == "committed";
        assert_eq!(
            left["status"],
            if done { "settled" } else { "ended" },
            "{at}"
        );
        assert_eq!(
            first.ask(&json!({ "do": "revision" })),
            json!(before + u64::from(done)),
            "{at}"
        );
        let settled = first.ask(&settle);
        assert_eq!(
            (
                settled["unpaid"].clone(),
                settled["disabled"].as_array().map(Vec::len),
                is_verified(&settled)
            ),
            (json!(3), Some(3), true),
            "{at}"
        );
        assert!(!done || settled == left, "{at}");
        // A repetition from any process changes nothing.
        let mut other =
            Worker::start(PROGRAM, &store, Some("2026-02-01T00:00:00Z")).expect("opens");
        assert_eq!(
            (first.ask(&settle), other.ask(&settle)),
            (settled.clone(), settled),
            "{at}"
        );
        assert_eq!(
            first.ask(&json!({ "do": "revision" })),
            json!(before + 1),
            "{at}"
        );
        assert_eq!(faults(&mut first), json!([]));
    }
}

#[test]
fn crashed_payment_is_recorded_once() {
    let (store, mut first) = owing();
    first.ask(&json!({ "do": "settle", "period": "2026-01" }));
    for (round, at) in ["begun", "worked", "committed"].into_iter().enumerate() {
        let pay = json!({ "do": "pay", "period": "2026-01", "cents": 500, "key": format!("bank/{round}") });
        assert_eq!(dying(&store, at).try_ask(&pay), None, "{at}");
        let paid = first.ask(&pay);
        let (paid, statement) = (paid["replayed"] == (at == "committed"), &paid["statement"]);
        assert!(
            paid && statement["paid"] == json!(round + 1)
                && statement["disabled"].as_array().map(Vec::len) == Some(2 - round),
            "{at}: {statement}"
        );
        assert!(is_verified(statement), "{at}");
    }
    assert_eq!(faults(&mut first), json!([]));
}

#[test]
fn eight_writers_make_fair_progress() {
    // If each call waits for the disk, a sixteenth is the least share. If commits take
    // microseconds, the scheduler decides, and no process starves.
    for (options, least) in [("?durability=power", 16), ("", 64)] {
        let store = store(options);
        let mut first = start(&store);
        first.agency(9_000_000);
        let mut workers = several(&store, 8);
        let raced = all(
            &mut workers,
            &json!({ "do": "race", "milliseconds": size("SUBLET_RACE", 2_000) }),
        );
        let counts: Vec<u64> = raced
            .iter()
            .map(|raced| raced[0].as_u64().expect("a number"))
            .collect();
        let longest = raced.iter().filter_map(|raced| raced[1].as_u64()).max();
        let sum: u64 = counts.iter().sum();
        println!("`{options}`: {counts:?} in all {sum}, longest wait {longest:?} us");
        assert!(
            counts.iter().all(|count| count * least >= sum),
            "{counts:?}"
        );
        assert_eq!(u64::try_from(used(&mut first)).expect("positive"), sum);
    }
}

/// Kills a process repeatedly while it consumes. No acknowledged unit is lost, and no retry by key
/// counts twice.
fn killed(options: &str) {
    let store = store(options);
    start(&store).agency(9_000_000);
    let (mut random, mut next, mut unacknowledged) = (Random::new(11), 0_i64, 0);
    let kills = size("SUBLET_KILLS", 60);
    // One kill in fifty must hit a commit. If there are fewer than fifty kills, more follow until one
    // does.
    for kill in 0.. {
        if kill >= kills && unacknowledged * 50 >= kills {
            break;
        }
        assert!(
            kill < kills.max(50),
            "the kills missed: {unacknowledged} of {kills}"
        );
        let mut worker = start(&store);
        worker.send(&json!({ "do": "keys", "from": next }));
        std::thread::sleep(std::time::Duration::from_micros(
            500 + random.below(8_000) as u64,
        ));
        let said = worker.kill();
        let number = |line: &String| {
            line.split_whitespace()
                .nth(1)
                .and_then(|number| number.parse::<i64>().ok())
        };
        if said.first().is_some_and(|line| line.starts_with('>'))
            && said.get(1).is_some_and(|line| line.ends_with("true\n"))
        {
            unacknowledged += 1;
        }
        // The next process starts with the last call that was sent and not acknowledged.
        let begun = said
            .iter()
            .filter(|line| line.starts_with('>'))
            .filter_map(number)
            .max();
        let done = said
            .iter()
            .filter(|line| line.starts_with('<'))
            .filter_map(number)
            .max();
        next = done
            .map_or(next, |done| done + 1)
            .max(begun.unwrap_or(next));
        assert!(
            said.iter()
                .filter(|line| line.starts_with('<'))
                .skip(1)
                .all(|line| line.ends_with("false\n")),
            "kill {kill}: {said:?}"
        );
    }
    let mut last = start(&store);
    assert_eq!(
        last.ask(&json!({ "do": "consume", "key": format!("k{next}") }))["allowed"],
        json!(true)
    );
    assert_eq!((used(&mut last), faults(&mut last)), (next + 1, json!([])));
    println!(
        "`{options}`: {kills} kills, {next} keys, {unacknowledged} committed and not acknowledged"
    );
}

#[test]
fn kill_loses_no_acknowledged_unit() {
    killed("");
}

#[test]
fn kill_loses_no_synced_unit() {
    killed("?durability=power");
}
