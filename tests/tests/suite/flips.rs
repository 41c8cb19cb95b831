//! A flipped bit in the file is detected, causes an error, or changes nothing. It never changes an
//! answer and kills no process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sublet_tests::{EngineServer, Random, Worker, folder};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sublet-worker");
const INSTANT: &str = "2026-01-31T12:00:00Z";

fn size(name: &str, usual: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|size| size.parse().ok())
        .unwrap_or(usual)
}

/// Creates and closes a store with this many operations: with keys, reservations, refunds,
/// adjustments and a directory.
fn create_store(file: &Path, operations: usize) {
    let served =
        EngineServer::open(&format!("sqlite:{}", file.display()), Some(INSTANT)).expect("opens");
    let ask = |asked: &Value| {
        served
            .answer(asked)
            .unwrap_or_else(|error| panic!("{asked}: {error}"))
    };
    ask(&json!({ "do": "import", "lines": include_str!("../../../policies/tests/agency.jsonl") }));
    let limits = json!({ "emails": 1_000_000 });
    ask(
        &json!({ "do": "put", "record": { "type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", "confirmed": true, "limits": limits } }),
    );
    for at in 0..operations {
        let asked = match at % 10 {
            0..4 => json!({ "do": "consume", "amount": 1 + at % 3, "key": format!("key-{at}") }),
            4 => {
                json!({ "do": "reserve", "amount": 2, "ttl": 3_600_000, "key": format!("held-{at}") })
            }
            _ => json!({ "do": "consume", "amount": 1 }),
        };
        ask(&asked);
    }
}

/// Requests to a store. The answers must be errors or those of the intact store.
fn questions(operations: usize) -> Vec<Value> {
    let mut questions = vec![
        json!({ "do": "usage" }),
        json!({ "do": "usage", "meter": "emails" }),
        json!({ "do": "usage", "account": "nova" }),
        json!({ "do": "history" }),
        json!({ "do": "check" }),
    ];
    questions.extend(
        (0..operations)
            .step_by(10)
            .take(100)
            .map(|at| json!({ "do": "consume", "amount": 1 + at % 3, "key": format!("key-{at}") })),
    );
    questions.push(json!({ "do": "consume", "amount": 1 }));
    questions.push(json!({ "do": "consume", "amount": 1, "key": "new" }));
    questions
}

/// Returns the answers up to the first error, and that error, or `None` if the process died.
fn read_answers(file: &Path, questions: &[Value]) -> Option<(Vec<Value>, Option<String>)> {
    let mut worker = match Worker::start(
        PROGRAM,
        &format!("sqlite:{}?create=no", file.display()),
        Some(INSTANT),
    ) {
        Ok(worker) => worker,
        Err(code) => return Some((Vec::new(), Some(code))),
    };
    let mut answers = Vec::new();
    for question in questions {
        match worker.try_ask(question)? {
            Ok(answer) => answers.push(answer),
            Err(code) => return Some((answers, Some(code))),
        }
    }
    Some((answers, None))
}

/// Returns the result of `verify` on a closed store, or `None` if the process died.
fn run_verify(file: &Path) -> Option<Value> {
    let said = Command::new(PROGRAM)
        .arg(format!("sqlite:{}", file.display()))
        .arg("--verify")
        .output()
        .expect("started");
    serde_json::from_slice(&said.stdout)
        .ok()
        .filter(|_| said.status.success())
}

fn copy_store(from: &Path, folder: &Path, bytes: &[u8]) -> PathBuf {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).expect("a folder");
    let to = folder.join(from.file_name().expect("a name"));
    fs::write(&to, bytes).expect("written");
    to
}

#[test]
fn flipped_bits_never_change_an_answer() {
    let (flips, operations) = (
        size("SUBLET_FLIPS", 200),
        size("SUBLET_FLIP_OPERATIONS", 10_000),
    );
    let made_in = folder();
    let file = made_in.join("flips.db");
    create_store(&file, operations);
    let whole = fs::read(&file).expect("the file");
    assert!(!made_in.join("flips.db-wal").exists(), "it was closed");
    let (questions, trial) = (questions(operations), folder());
    assert_eq!(
        run_verify(&copy_store(&file, &trial, &whole)),
        Some(json!({ "ok": [] }))
    );
    let expected = read_answers(&copy_store(&file, &trial, &whole), &questions).expect("alive");
    assert_eq!((expected.0.len(), &expected.1), (questions.len(), &None));
    let mut random = Random::new(u64::try_from(size("SUBLET_SEED", 17)).expect("small"));
    let (mut found, mut errors, mut harmless) = (0, 0, 0);
    for flip in 0..flips {
        let (at, bit) = (random.below(whole.len()), random.below(8));
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << bit;
        let name = format!(
            "flip {flip}: bit {bit} of byte {at} (page {})",
            at / 4096 + 1
        );
        let copy = copy_store(&file, &trial, &flipped);
        // Runs in its own process, because a damaged file may crash SQLite.
        let faults = run_verify(&copy).unwrap_or_else(|| panic!("{name}: verify died"));
        let is_found = faults != json!({ "ok": [] });
        if is_found && flip % 8 != 0 {
            found += 1;
            continue;
        }
        let (answers, error) =
            read_answers(&copy, &questions).unwrap_or_else(|| panic!("{name}: a process died"));
        let same = answers
            .iter()
            .zip(&expected.0)
            .all(|(answer, expected)| answer == expected);
        if let Some(code) = &error {
            assert!(
                code.starts_with("store.") || code.starts_with("directory."),
                "{name}: {code}"
            );
        }
        assert!(
            same || is_found,
            "{name}: another answer, and verify finds nothing"
        );
        match (is_found, error) {
            (true, _) => found += 1,
            (false, Some(_)) => errors += 1,
            (false, None) => harmless += 1,
        }
        if !same {
            println!("{name}: another answer, which verify tells");
        }
    }
    println!(
        "{flips} flips: verify finds {found}; {errors} more are errors; {harmless} change nothing"
    );
    assert!(found > flips / 2);
}
