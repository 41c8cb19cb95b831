//! Acknowledged work is stored exactly once. Threads of one process use quotas in every way, beside
//! refused batches, changes, commands and reloads.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;
use sublet::{
    Change, Command, ConsumeOptions, CountReceipt, Decision, Engine, EntityRef, Environment, Error,
    OperationKind, Options, PolicySource, Record, RequestRef,
};
use sublet_tests::{Random, folder, shipped_files};

const HOST: &str = "dash.marketingmaster.example";
/// The e-mail limit of the second account.
const LIMIT: i64 = 300;

fn length() -> Duration {
    let given = std::env::var("SUBLET_THREAD_MS")
        .ok()
        .and_then(|size| size.parse().ok());
    Duration::from_millis(given.unwrap_or(1_500))
}

fn open(store: &str) -> Engine {
    let engine = Engine::open(Options {
        policies: PolicySource::Files(shipped_files()),
        store: store.to_owned(),
        ..Options::default()
    })
    .expect("opens");
    engine
        .import(
            include_str!("../../../policies/tests/agency.jsonl").as_bytes(),
            None,
            None,
        )
        .expect("the sample agency");
    put_record(&engine, r#"{"type":"Account","id":"acme","email":"owner@acme.example","package":"agency","confirmed":true,"limits":{"emails":1000000000}}"#)
        .expect("a change");
    put_record(
        &engine,
        &format!(r#"{{"type":"Account","id":"nova","email":"owner@nova.example","package":"agency","confirmed":true,"limits":{{"emails":{LIMIT}}}}}"#),
    )
    .expect("a change");
    engine
}

fn put_record(engine: &Engine, json: &str) -> Result<u64, Error> {
    engine.apply_changes(
        vec![Change::Put(Record::from_json(json).expect("a record"))],
        None,
    )
}

fn send(account: &str) -> RequestRef<'_> {
    RequestRef::new(("Account", account), "campaign.send", ("Campaign", "k"))
        .account(account)
        .host(HOST)
}

/// The acknowledged operations.
#[derive(Debug, Default)]
struct Acknowledged {
    /// Account, used units and reserved units of each operation.
    operations: HashMap<u64, (String, i64, i64)>,
    /// The operation of each key.
    keys: HashMap<String, u64>,
}

impl Acknowledged {
    fn add(
        &mut self,
        account: &str,
        counted: Option<&CountReceipt>,
        used: i64,
        held: i64,
    ) -> Option<u64> {
        let operation = counted.and_then(|counted| counted.operation)?;
        let twice = self
            .operations
            .insert(operation, (account.to_owned(), used, held));
        assert_eq!(twice, None, "operation {operation} was given twice");
        Some(operation)
    }

    fn add_decision(
        &mut self,
        account: &str,
        answer: &Decision,
        used: i64,
        held: i64,
    ) -> Option<u64> {
        if answer.allowed {
            self.add(account, answer.counted.as_deref(), used, held)
        } else {
            None
        }
    }

    fn sum(&self, account: &str) -> (i64, i64) {
        let own = self
            .operations
            .values()
            .filter(|(whose, ..)| whose == account);
        own.fold((0, 0), |(used, held), (_, more, kept)| {
            (used + more, held + kept)
        })
    }
}

/// The work of one thread, executed repeatedly.
type Work<'w> = Box<dyn Fn(&Engine, &Mutex<Acknowledged>, &mut Random, u64) + Send + Sync + 'w>;

fn lock<'m>(all: &'m Mutex<Acknowledged>) -> std::sync::MutexGuard<'m, Acknowledged> {
    all.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn consume(engine: &Engine, all: &Mutex<Acknowledged>, random: &mut Random, _: u64) {
    let account = if random.below(4) == 0 { "nova" } else { "acme" };
    let amount = 1 + i64::try_from(random.below(3)).expect("small");
    let answer = engine
        .consume(send(account), &ConsumeOptions::new(amount))
        .expect("an answer");
    lock(all).add_decision(account, &answer, amount, 0);
}

/// Uses a key of two threads, and retries it in each.
fn keyed(engine: &Engine, all: &Mutex<Acknowledged>, _: &mut Random, step: u64) {
    let key = format!("shared-{step}");
    for _ in 0..2 {
        let answer = engine
            .consume(send("acme"), &ConsumeOptions::new(2).idempotency_key(&key))
            .expect("an answer");
        let operation = answer
            .counted
            .as_ref()
            .and_then(|counted| counted.operation)
            .expect("an operation");
        let mut all = lock(all);
        if all.keys.contains_key(&key) {
            assert_eq!(
                all.keys.get(&key),
                Some(&operation),
                "{key} has two operations"
            );
        } else {
            all.add_decision("acme", &answer, 2, 0);
            all.keys.insert(key.clone(), operation);
        }
    }
}

fn reserve(engine: &Engine, all: &Mutex<Acknowledged>, random: &mut Random, step: u64) {
    let answer = engine
        .reserve(send("acme"), &ConsumeOptions::new(3), Some(86_400_000))
        .expect("an answer");
    let Some(operation) = lock(all).add_decision("acme", &answer, 0, 3) else {
        return;
    };
    match random.below(3) {
        0 => {
            let counted = engine.commit(operation, Some(2), None).expect("committed");
            lock(all).add("acme", Some(&counted), 2, -3);
        }
        1 => {
            let key = format!("release-{step}");
            let counted = engine.release(operation, Some(&key)).expect("released");
            lock(all).add("acme", Some(&counted), 0, -3);
        }
        _ => {}
    }
}

fn refund(engine: &Engine, all: &Mutex<Acknowledged>, _: &mut Random, step: u64) {
    // A store in memory retains only keyed operations for their full time.
    let answer = engine
        .consume(
            send("acme"),
            &ConsumeOptions::new(5).idempotency_key(&format!("refunded-{step}")),
        )
        .expect("an answer");
    let Some(operation) = lock(all).add_decision("acme", &answer, 5, 0) else {
        return;
    };
    let counted = engine.refund(operation, Some(4), None).expect("refunded");
    lock(all).add("acme", Some(&counted), -4, 0);
}

fn batch(engine: &Engine, all: &Mutex<Acknowledged>, random: &mut Random, _: u64) {
    // Half of the batches are refused because of their last item. They debit nothing.
    let is_refused = random.below(2) == 0;
    let last = if is_refused { 2_000_000_000 } else { 1 };
    let items = [
        (send("acme"), ConsumeOptions::new(1)),
        (send("nova"), ConsumeOptions::new(0)),
        (send("acme"), ConsumeOptions::new(last)),
    ];
    let answers = engine.batch(&items).expect("answers");
    assert_eq!(answers.iter().all(|answer| answer.allowed), !is_refused);
    if !is_refused {
        let mut all = lock(all);
        for (answer, amount) in answers.iter().zip([1, 0, 1]) {
            all.add_decision("acme", answer, amount, 0);
        }
    }
}

fn change(engine: &Engine, _: &Mutex<Acknowledged>, _: &mut Random, step: u64) {
    let confirmed = step.is_multiple_of(2);
    put_record(engine, &format!(r#"{{"type":"Account","id":"cafe","email":"hello@cafe.example","owner":"acme","level":"basic","confirmed":{confirmed}}}"#))
        .expect("a change");
    std::thread::sleep(Duration::from_millis(2));
}

fn command(engine: &Engine, all: &Mutex<Acknowledged>, _: &mut Random, step: u64) {
    let id = format!("client-{step}");
    let command = Command::from_value(
        json!({ "do": "create_client", "email": format!("o@{id}.example"), "id": id }),
    )
    .expect("a command");
    let environment = Environment {
        host: Some(HOST.to_owned()),
        ..Environment::default()
    };
    let done = engine
        .perform(
            &EntityRef::new("Account", "acme"),
            &command,
            &environment,
            Some(&id),
        )
        .expect("an answer");
    lock(all).add_decision("acme", &done.decision, 0, 0);
    assert_eq!(
        done.decision.allowed,
        engine
            .get_record(&EntityRef::new("Account", id.as_str()))
            .expect("a record")
            .is_some(),
        "{id}: {:?}",
        done.decision
    );
    std::thread::sleep(Duration::from_millis(2));
}

fn reload(engine: &Engine, _: &Mutex<Acknowledged>, _: &mut Random, step: u64) {
    let added = format!(
        r#"@id("none") @code("none") forbid (principal == Account::"nobody-{step}", action, resource);"#
    );
    let files = shipped_files()
        .into_iter()
        .chain([("95-added.cedar".to_owned(), added)])
        .collect();
    engine
        .reload(&PolicySource::Files(files))
        .expect("reloaded");
    std::thread::sleep(Duration::from_millis(20));
}

fn acknowledged_is_stored(store: &str) {
    let engine = open(store);
    let all = Mutex::new(Acknowledged::default());
    let works: Vec<Work<'_>> = vec![
        Box::new(consume),
        Box::new(consume),
        Box::new(keyed),
        Box::new(keyed),
        Box::new(reserve),
        Box::new(refund),
        Box::new(batch),
        Box::new(batch),
        Box::new(change),
        Box::new(command),
        Box::new(reload),
    ];
    let end = Instant::now() + length();
    std::thread::scope(|scope| {
        for (seed, work) in (1_u64..).zip(&works) {
            let (engine, all) = (&engine, &all);
            scope.spawn(move || {
                let mut random = Random::new(seed);
                for step in 0.. {
                    if Instant::now() >= end {
                        return;
                    }
                    work(engine, all, &mut random, step);
                }
            });
        }
    });
    let all = all.into_inner().expect("no thread panicked");
    assert!(
        all.operations.len() > 50,
        "{store}: {}",
        all.operations.len()
    );
    for account in ["acme", "nova"] {
        let quota = &engine.usage(account, None, Some("emails")).expect("usage")[0];
        assert_eq!(
            (quota.used, quota.held),
            all.sum(account),
            "{store}: {account}"
        );
    }
    assert!(all.sum("nova").0 <= LIMIT, "{store}: {:?}", all.sum("nova"));
    if store != "memory:" {
        // Stored and acknowledged operations are equal, except for commands and the stocks that
        // they set.
        let history = engine
            .history("acme", None, usize::MAX)
            .expect("the history");
        let kept: HashMap<u64, OperationKind> = history
            .iter()
            .map(|entry| (entry.operation, entry.kind))
            .collect();
        assert_eq!(kept.len(), history.len());
        let lost: Vec<_> = all
            .operations
            .iter()
            .filter(|(id, (account, ..))| account == "acme" && !kept.contains_key(id))
            .collect();
        assert_eq!(lost, Vec::new(), "{store}: acknowledged, and not kept");
        let strange: Vec<_> = kept
            .iter()
            .filter(|(id, kind)| **kind != OperationKind::Set && !all.operations.contains_key(id))
            .collect();
        assert_eq!(strange, Vec::new(), "{store}: kept, and not acknowledged");
    }
    assert_eq!(
        engine.verify().expect("verified").faults,
        Vec::<String>::new(),
        "{store}"
    );
}

#[test]
fn acknowledged_work_is_stored_in_memory() {
    acknowledged_is_stored("memory:");
}

#[test]
fn acknowledged_work_is_stored_in_a_file() {
    acknowledged_is_stored(&format!("sqlite:{}", folder().join("process.db").display()));
}

/// Each commit is synced to the disk, so that it survives a power failure.
#[test]
fn acknowledged_work_is_stored_synced() {
    acknowledged_is_stored(&format!(
        "sqlite:{}?durability=power",
        folder().join("power.db").display()
    ));
}
