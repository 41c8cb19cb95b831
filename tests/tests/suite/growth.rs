//! The size of a store in use is bounded: over 200 days of traffic, and with a reader that holds an
//! old snapshot.

use std::path::{Path, PathBuf};

use sublet::{Change, Clock, ConsumeOptions, Engine, ManualClock, Options, Record, RequestRef};
use sublet_tests::folder;

const HOST: &str = "dash.marketingmaster.example";
const DAY: i64 = 86_400_000;

fn days(usual: u32) -> u32 {
    std::env::var("SUBLET_DAYS")
        .ok()
        .and_then(|size| size.parse().ok())
        .unwrap_or(usual)
}

fn put_record(engine: &Engine, json: &str) {
    engine
        .apply_changes(
            vec![Change::Put(Record::from_json(json).expect("a record"))],
            None,
        )
        .expect("a change");
}

fn open(store: &str, clock: Clock) -> Engine {
    let engine = Engine::open(Options {
        store: store.to_owned(),
        clock,
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
    put_record(
        &engine,
        r#"{"type":"Account","id":"acme","email":"owner@acme.example","package":"agency","confirmed":true,"limits":{"emails":1000000000}}"#,
    );
    engine
}

fn send() -> RequestRef<'static> {
    RequestRef::new(("Account", "acme"), "campaign.send", ("Campaign", "k"))
        .account("acme")
        .host(HOST)
}

fn call() -> RequestRef<'static> {
    RequestRef::new(("Account", "acme"), "api.call", ("ApiKey", "k"))
        .account("acme")
        .host(HOST)
}

/// The traffic of one day: keyed sends, sends without a key, calls with a daily limit, and changes.
const KEYED: u64 = 20;
const OTHERS: u64 = 15;

fn day(engine: &Engine, day: u32) {
    for at in 0..KEYED {
        let key = format!("{day}-{at}");
        assert!(
            engine
                .consume(send(), &ConsumeOptions::new(1).idempotency_key(&key))
                .expect("an answer")
                .allowed
        );
    }
    for at in 0..OTHERS {
        let question = if at % 3 == 0 { call() } else { send() };
        assert!(
            engine
                .consume(question, &ConsumeOptions::new(1))
                .expect("an answer")
                .allowed
        );
    }
    let confirmed = day.is_multiple_of(2);
    put_record(
        engine,
        &format!(
            r#"{{"type":"Account","id":"cafe","email":"hello@cafe.example","owner":"acme","level":"basic","confirmed":{confirmed}}}"#
        ),
    );
}

#[test]
fn sqlite_size_is_bounded_over_200_days() {
    let file = folder().join("growth.db");
    let store = format!("sqlite:{}", file.display());
    let clock = ManualClock::new("2026-01-01T00:00:00Z").expect("an instant");
    let engine = open(&store, Clock::Manual(clock.clone()));
    let (mut sizes, all) = (Vec::new(), days(200));
    for today in 0..all {
        day(&engine, today);
        if today % 50 == 49 || today + 1 == all {
            let found = sublet::inspect_store(&store, None).expect("an inspection");
            assert_eq!(
                engine.verify().expect("verified").faults,
                Vec::<String>::new(),
                "day {today}"
            );
            // The pruner visits operations after 67 days. It removes keys 70 days after their
            // window, in its next round.
            assert!(
                found.operations <= 70 * (KEYED + OTHERS) + 100,
                "day {today}: {found:?}"
            );
            assert!(found.keys <= 150 * KEYED + 200, "day {today}: {found:?}");
            assert!(found.buckets <= 100, "day {today}: {found:?}");
            assert!(found.log_bytes <= 9 << 20, "day {today}: {found:?}");
            sizes.push(found.bytes);
        }
        clock.advance(DAY);
    }
    // The size after 150 days is enough for any later day.
    let [.., before, last] = *sizes.as_slice() else {
        panic!("{sizes:?}")
    };
    assert!(last <= before + before / 10, "{sizes:?}");
    keys_pass(&engine, &clock, all);
    // The remaining entries are consistent, and the history begins with the newest.
    let history = engine
        .history("acme", None, usize::MAX)
        .expect("the history");
    assert!(history.is_sorted_by_key(|entry| std::cmp::Reverse(entry.operation)));
    assert!(
        history.len() > 60 * usize::try_from(KEYED + OTHERS).expect("small"),
        "{}",
        history.len()
    );
}

#[test]
fn memory_size_is_bounded_over_200_days() {
    let clock = ManualClock::new("2026-01-01T00:00:00Z").expect("an instant");
    let engine = open("memory:", Clock::Manual(clock.clone()));
    let all = days(200);
    for today in 0..all {
        day(&engine, today);
        if today % 50 == 49 {
            let found = engine.verify().expect("verified");
            assert_eq!(found.faults, Vec::<String>::new(), "day {today}");
            assert!(
                found.operations <= 70 * KEYED + 64 * 256,
                "day {today}: {found:?}"
            );
            assert!(found.buckets <= 100, "day {today}: {found:?}");
        }
        clock.advance(DAY);
    }
    keys_pass(&engine, &clock, all);
}

/// A key answers while it is retained, is reported as pruned for 35 more days, and can be used
/// again then.
fn keys_pass(engine: &Engine, clock: &ManualClock, day: u32) {
    let take = ConsumeOptions::new(1).idempotency_key("passing");
    let first = engine
        .consume(send(), &take)
        .expect("an answer")
        .counted
        .expect("counted");
    let mut codes = Vec::new();
    // The window ends within half a month: 31 + 35 + 35 days.
    for _ in 0..104 {
        clock.advance(DAY);
        let code = match engine.consume(send(), &take) {
            Ok(answer) => {
                let counted = answer.counted.expect("counted");
                assert_eq!(
                    counted.replayed,
                    counted.operation == first.operation,
                    "day {day}"
                );
                if counted.replayed { "replayed" } else { "anew" }
            }
            Err(error) => error.code(),
        };
        if codes.last() != Some(&code) {
            codes.push(code);
            if code == "anew" {
                break;
            }
        }
    }
    assert_eq!(codes, ["replayed", "quota.idempotency_key_pruned", "anew"]);
    assert_eq!(
        engine.verify().expect("verified").faults,
        Vec::<String>::new()
    );
}

fn bytes(file: &Path, suffix: &str) -> u64 {
    let path = PathBuf::from(format!("{}{suffix}", file.display()));
    std::fs::metadata(path).map_or(0, |found| found.len())
}

#[test]
fn wal_shrinks_after_a_long_reader() {
    let file = folder().join("long.db");
    let engine = open(&format!("sqlite:{}", file.display()), Clock::System);
    let spend = |count: u32| {
        let begun = std::time::Instant::now();
        for _ in 0..count {
            assert!(
                engine
                    .consume(send(), &ConsumeOptions::new(1))
                    .expect("an answer")
                    .allowed
            );
        }
        begun.elapsed() / count
    };
    spend(3_000);
    let reader = std::process::Command::new("python3")
        .args(["-c", "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute('begin'); c.execute('select count(*) from operations').fetchone(); print('x',flush=True); sys.stdin.read()"])
        .arg(&file)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut reader = reader.expect("a reader");
    std::io::Read::read_exact(reader.stdout.as_mut().expect("a pipe"), &mut [0; 2])
        .expect("it reads");
    let early = spend(3_000);
    let grown = bytes(&file, "-wal");
    assert!(grown > 9 << 20, "the reader keeps the log: {grown}");
    spend(6_000);
    let late = spend(3_000);
    // A commit costs little more if the write-ahead log is four times as long.
    assert!(late < early * 3, "{early:?}, and {late:?} with a long log");
    reader.kill().expect("ends");
    reader.wait().expect("ended");
    // The next checkpoint is due after a pause at the latest. It truncates the file when the log
    // restarts.
    std::thread::sleep(std::time::Duration::from_secs(1));
    spend(3_000);
    assert!(bytes(&file, "-wal") <= 9 << 20, "{}", bytes(&file, "-wal"));
    assert_eq!(
        engine.verify().expect("verified").faults,
        Vec::<String>::new()
    );
}
